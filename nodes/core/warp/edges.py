"""Makes the soft edges of measured depth hard, so that a thing leaves its background as one."""

import torch
from torch import Tensor
from torch.nn import functional

from .splat import dilate

# Depth that changes by more than this share from one neighbour to the other is two surfaces, or the ramp between them.
_STEEP = 0.1
# How much of its slope a ramp must bend by within a pixel to be an edge. A slanted floor does not bend.
_BENT = 0.05
# How much of what depth changes within two pixels must change within one, for an edge to lie there.
_WHOLE = 0.75


def harden(inverse_depth: Tensor, apart: float = 0.0, rounds: int = 4) -> Tensor:
    """Inverse depth whose blurred edges, up to twice `rounds` pixels wide, are steps at their inflection, (B, h, w).

    A morphological shock filter: where a steep slope bends down, as on the near side of an edge, a pixel takes the
    nearest depth about it, and where it bends up the farthest. Flat and slanted surfaces and hard edges stay as they
    are. Depth models blur the edges of things, and a camera that moves would draw such a ramp out to shreds between a
    thing and the background that it uncovers. Inverse depths closer than `apart` are no edge.
    """
    _, height, width = inverse_depth.shape
    steep = dilate(_steep(inverse_depth, apart))
    # Edges are few: only what lies on them is worked on, in a copy with a rim so that each has eight neighbours.
    here = functional.pad(steep, (1, 1, 1, 1)).flatten().nonzero()[:, 0]
    if not len(here):
        return inverse_depth
    wide = functional.pad(inverse_depth[:, None], (1, 1, 1, 1), mode="replicate")
    values = wide.flatten()
    stride = width + 2
    cross = torch.tensor([-stride, -1, 1, stride], device=here.device)[:, None]
    corners = torch.tensor([-stride - 1, 1 - stride, stride - 1, stride + 1], device=here.device)[:, None]
    for _ in range(rounds):
        near, far, bend = _about(values, here, cross, corners)
        span, middle = near - far, values[here]
        sharper = torch.where(bend > _BENT * span, far, torch.where(bend < -_BENT * span, near, middle))
        values[here] = torch.where(span > (_STEEP * near).clamp_(min=apart), sharper, middle)
    # The inflection itself bends neither way: it goes to the closer side, where that is an edge and not a steep slope,
    # which would go on beyond its neighbours.
    near, far, _ = _about(values, here, cross, corners)
    nearest, farthest = values.clone(), values.clone()
    nearest[here], farthest[here] = near, far
    beyond = nearest[here + cross].amax(0) - farthest[here + cross].amin(0)
    middle, span = values[here], near - far
    closer = torch.where(middle - far > near - middle, near, far)
    values[here] = torch.where((span > (_STEEP * near).clamp_(min=apart)) & (span > _WHOLE * beyond), closer, middle)
    return values.view(-1, height + 2, width + 2)[:, 1:-1, 1:-1].contiguous()


def _steep(values: Tensor, apart: float) -> Tensor:
    across, down = torch.zeros_like(values, dtype=torch.bool), torch.zeros_like(values, dtype=torch.bool)
    for found, axis in ((across, -1), (down, -2)):
        inner = values.shape[axis] - 2
        if inner > 0:
            before, after = values.narrow(axis, 0, inner), values.narrow(axis, 2, inner)
            found.narrow(axis, 1, inner).copy_(
                (after - before).abs_() > (_STEEP * torch.maximum(before, after)).clamp_(min=apart)
            )
    return across | down


def _about(values: Tensor, here: Tensor, cross: Tensor, corners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # The nearest and the farthest of a pixel and its eight neighbours, and how much the slope bends there.
    beside, middle = values[here + cross], values[here]
    everything = torch.cat((beside, values[here + corners], middle[None]))
    return everything.amax(0), everything.amin(0), beside.sum(0).sub_(middle, alpha=4)
