"""Which frames of an animation are diffused; the others are tweens."""

from collections.abc import Iterable
from heapq import heapify, heapreplace
from itertools import pairwise

import numpy as np

from ..errors import FramedriftError


def diffused_frames(
    num_frames: int, cadence: int | np.ndarray, keyframes: Iterable[int] | None = None
) -> tuple[int, ...]:
    """The frames that the sampler makes, always with the first and the last.

    Without keyframes it is every ``cadence``-th from 0, and the last. The last gap may be shorter than the cadence, so
    that no frame at the end is lost and the animation ends on a diffused frame, not on one carried on from before it.

    With keyframes all of these are diffused, and the longest gaps between them are split, evenly, until as many frames
    are diffused as the cadence pays for: ``1 + floor(num_frames / cadence)``. Keyframes are never left out, even where
    there are more.

    Args:
        num_frames: length of the finished animation, 1 or more.
        cadence: every how many frames one is diffused; 1 diffuses all of them, and a cadence longer than the
            animation only its first and last. An array (num_frames,) says it for every frame, cut to whole numbers:
            the frame after f is f + cadence[f], and gaps are as long as the cadence within them asks for.
        keyframes: those outside the animation do not count. None places by the cadence alone.

    Returns:
        Frame indices, ascending, each once.

    Raises:
        FramedriftError: a number is under 1; a schedule's first such frame is named.
    """
    if num_frames < 1:
        raise FramedriftError(f"num_frames is {num_frames}; an animation has at least 1 frame.")
    paces = _paces(num_frames, cadence)
    if keyframes is not None:
        return _aligned(num_frames, paces, keyframes)
    frames, frame = [], 0
    while frame < num_frames - 1:
        frames.append(frame)
        frame += int(paces[frame])
    return (*frames, num_frames - 1)


def _paces(num_frames: int, cadence: int | np.ndarray) -> np.ndarray:
    """The cadence at every frame, (num_frames,) int64."""
    if isinstance(cadence, int):
        if cadence < 1:
            raise FramedriftError(f"diffusion_cadence is {cadence}; it has to be 1 (diffuse every frame) or more.")
        return np.full(num_frames, cadence)
    bad = np.flatnonzero(~(cadence >= 1))
    if bad.size:
        raise FramedriftError(
            f"cadence_schedule is {cadence[bad[0]]:g} at frame {bad[0]}; it has to be 1 (diffuse every frame) or more."
        )
    # A cadence past the end means the same as one to the end, and fits into an integer.
    return np.minimum(cadence, num_frames).astype(np.int64)


def _aligned(num_frames: int, paces: np.ndarray, keyframes: Iterable[int]) -> tuple[int, ...]:
    last = num_frames - 1
    marks = sorted({0, last} | {frame for frame in keyframes if 0 <= frame <= last})
    # How many cadences have passed before each frame: gaps are measured and split by it.
    passed = np.concatenate([[0.0], np.cumsum(1 / paces)])
    budget = 1 + int(passed[-1] + 1e-9)
    gaps = [(-(passed[b] - passed[a]), 1, a, b) for a, b in pairwise(marks) if b - a > 1]
    heapify(gaps)
    for _ in range(budget - len(marks)):
        # A gap of neighbours only has nothing to split, and measures nothing.
        if not gaps or gaps[0][0] >= 0:
            break
        _, pieces, a, b = gaps[0]
        pieces += 1
        length = (passed[b] - passed[a]) / pieces if pieces < b - a else 0.0
        heapreplace(gaps, (-length, pieces, a, b))
    placed = set(marks)
    for _, pieces, a, b in gaps:
        placed.update(_split(passed, a, b, pieces))
    return tuple(sorted(placed))


def _split(passed: np.ndarray, a: int, b: int, pieces: int) -> list[int]:
    """The frames between a and b that cut the gap into pieces that are equally long by ``passed``."""
    inside = passed[a : b + 1]
    wanted = inside[0] + (inside[-1] - inside[0]) * np.arange(1, pieces) / pieces
    found: list[int] = []
    for number, target in enumerate(np.interp(wanted, inside, np.arange(a, b + 1)), start=1):
        nearest = int(np.floor(target + 0.5))
        found.append(min(max(nearest, (found[-1] if found else a) + 1), b - (pieces - number)))
    return found
