"""Makes the soft edges of measured depth hard, so that a thing leaves its background as one."""

import torch
from torch import Tensor
from torch.nn import functional

from .splat import grow

# Depth that changes by more than this share from one neighbour to the other is two surfaces, or the ramp between them.
_STEEP = 0.1
# How much of its slope a ramp must bend by within a pixel to be an edge. A slanted floor does not bend.
_BENT = 0.05


def harden(inverse_depth: Tensor, rounds: int = 3) -> Tensor:
    """Inverse depth whose blurred edges, up to twice `rounds` pixels wide, are steps at their inflection, (B, h, w).

    A morphological shock filter: where a steep slope bends down, as on the near side of an edge, a pixel takes the
    nearest depth about it, and where it bends up the farthest. Flat and slanted surfaces and hard edges stay as they
    are. Depth models blur the edges of things, and a camera that moves would draw such a ramp out to shreds between a
    thing and the background that it uncovers.
    """
    for _ in range(rounds):
        near, far = grow(inverse_depth, 1, -torch.inf), -grow(-inverse_depth, 1, -torch.inf)
        span = near - far
        steep = span > _STEEP * near
        if not bool(steep.any()):
            return inverse_depth
        wide = functional.pad(inverse_depth[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
        bend = wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
        bend.add_(wide[:, :-2, 1:-1]).add_(wide[:, 2:, 1:-1]).sub_(inverse_depth, alpha=4)
        span.mul_(_BENT)
        sharper = torch.where(bend > span, far, torch.where(bend < -span, near, inverse_depth))
        inverse_depth = torch.where(steep, sharper, inverse_depth)
    return inverse_depth
