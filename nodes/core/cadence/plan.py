"""Which frames of an animation are diffused; the others are tweens."""

from ..errors import FramedriftError


def diffused_frames(num_frames: int, cadence: int) -> tuple[int, ...]:
    """The frames that the sampler makes: every ``cadence``-th from 0, and always the last.

    The last gap may be shorter than the cadence, so that no frame at the end is lost and the animation ends on a
    diffused frame, not on one carried on from before it.

    Args:
        num_frames: length of the finished animation, 1 or more.
        cadence: every how many frames one is diffused; 1 diffuses all of them, and a cadence longer than the
            animation only its first and last.

    Returns:
        Frame indices, ascending, each once.

    Raises:
        FramedriftError: either number is under 1.
    """
    if num_frames < 1:
        raise FramedriftError(f"num_frames is {num_frames}; an animation has at least 1 frame.")
    if cadence < 1:
        raise FramedriftError(f"diffusion_cadence is {cadence}; it has to be 1 (diffuse every frame) or more.")
    return (*range(0, num_frames - 1, cadence), num_frames - 1)
