"""Where one shot ends and another begins, seen from the pictures alone."""

import numpy as np
from torch import Tensor
from torch.nn import functional

_SIDE = 32  # A picture is looked at in so many blocks a side: what moves by less stays in its block.
_LEVELS = 8
# Both must have changed: colours alone change in a flash, places alone in a fast pan.
_OTHER_PLACES = 0.6
_OTHER_COLOURS = 0.25
# So much of other colours is another shot whatever its places.
_ALL_OTHER_COLOURS = 0.75


class CutFinder:
    """Says of each frame whether it begins a shot, given the frames in their order. Only small pictures are kept.

    A cut changes where things are and which colours there are, both at once; a pan, a flash or a fade does one of the
    two, or does it slowly.
    """

    def __init__(self) -> None:
        self._before: tuple[np.ndarray, np.ndarray] | None = None

    def is_cut(self, image: Tensor) -> bool:
        """Whether a picture (1, 3, H, W), 0..1, is of another shot than the last one; False for the first."""
        side = (min(_SIDE, image.shape[-2]), min(_SIDE, image.shape[-1]))
        blocks = functional.adaptive_avg_pool2d(image.detach().float().cpu(), side)[0].clamp(0.0, 1.0)
        places = blocks.mean(0).numpy().ravel()
        places = places - places.mean()
        colours = _histogram(blocks)
        before, self._before = self._before, (places, colours)
        if before is None or before[0].size != places.size:
            return before is not None
        other_colours = 0.5 * float(np.abs(colours - before[1]).sum())
        length = float(np.linalg.norm(places) * np.linalg.norm(before[0]))
        # Of two even pictures, one is as like the other as can be.
        alike = float(places @ before[0]) / length if length > 1e-6 * places.size else 1.0
        moved = 1.0 - alike > _OTHER_PLACES
        return other_colours > _ALL_OTHER_COLOURS or (moved and other_colours > _OTHER_COLOURS)


def _histogram(blocks: Tensor) -> np.ndarray:
    # Each value counts for its two nearest levels, so that a little more light does not look like another colour.
    position = (blocks.numpy().reshape(3, -1) * (_LEVELS - 1)).astype(np.float64)
    low = np.minimum(position.astype(int), _LEVELS - 2)
    share = position - low
    joint = np.zeros((3, _LEVELS))
    for channel in range(3):
        np.add.at(joint[channel], low[channel], 1 - share[channel])
        np.add.at(joint[channel], low[channel] + 1, share[channel])
    return joint / joint.sum()
