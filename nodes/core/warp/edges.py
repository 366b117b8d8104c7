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
# A slope that falls to this share of its steepest is level again.
_LEVEL = 0.5
_AT_ONCE = 1 << 17


def harden(inverse_depth: Tensor, apart: float = 0.0, rounds: int = 4) -> Tensor:
    """Inverse depth whose blurred edges, up to twice `rounds` pixels wide, are steps at their inflection, (B, h, w).

    A morphological shock filter: where a steep slope bends down, as on the near side of an edge, a pixel takes the
    nearest depth about it, and where it bends up the farthest. Flat and slanted surfaces and hard edges stay as they
    are. Depth models blur the edges of things, and a camera that moves would draw such a ramp out to shreds between a
    thing and the background that it uncovers. Inverse depths closer than `apart` are no edge.
    """
    _, height, width = inverse_depth.shape
    # Edges are few: only what lies on them is worked on, in a copy with a rim so that each has eight neighbours.
    here = dilate(_steep(inverse_depth, apart)).flatten().nonzero()[:, 0]
    here = torch.cat([part[_is_ramp(inverse_depth, part, 2 * rounds + 1)] for part in here.split(_AT_ONCE)])
    if not len(here):
        return inverse_depth
    here = _in_rim(here, height, width)
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


def _in_rim(pixels: Tensor, height: int, width: int) -> Tensor:
    rows = pixels // width
    return (rows + (rows // height * 2 + 1)) * (width + 2) + pixels % width + 1


def _is_ramp(values: Tensor, here: Tensor, reach: int) -> Tensor:
    # Whether depth is level again on both sides of the steepest place near a pixel. Where a floor meets the sky, its
    # slope bends as the foot of an edge does, but goes on: that is no edge.
    _, height, width = values.shape
    flat = values.flatten()
    x, y = here % width, here // width % height
    across, down = (_change(flat, here, *axis) for axis in ((x, 1, width), (y, width, height)))
    lying = across.abs() >= down.abs()
    sign = torch.where(lying, across, down).sign()
    place, length = torch.where(lying, x, y), torch.where(lying, width, height)
    stride = torch.where(lying, 1, width)
    start, last = here - place * stride, (length - 2).clamp_(min=0)
    step = torch.where(length > 1, stride, 0)
    steepest, lowest = torch.full_like(sign, -torch.inf), torch.full_like(sign, torch.inf)
    before, after = lowest.clone(), lowest.clone()
    for by in range(-reach, reach):
        first = torch.minimum(place + by, last).clamp_(min=0).mul_(stride).add_(start)
        change = flat[first + step].sub_(flat[first]).mul_(sign)
        steeper = change > steepest
        before = torch.where(steeper, lowest, before)
        after = torch.where(steeper, change, torch.minimum(after, change))
        steepest, lowest = torch.maximum(steepest, change), torch.minimum(lowest, change)
    return torch.maximum(before, after) < _LEVEL * steepest


def _change(flat: Tensor, here: Tensor, place: Tensor, stride: int, length: int) -> Tensor:
    # From the neighbour before to the one after.
    before = torch.where(place > 0, here - stride, here)
    return flat[torch.where(place < length - 1, here + stride, here)] - flat[before]


def _about(values: Tensor, here: Tensor, cross: Tensor, corners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # The nearest and the farthest of a pixel and its eight neighbours, and how much the slope bends there.
    beside, middle = values[here + cross], values[here]
    everything = torch.cat((beside, values[here + corners], middle[None]))
    return everything.amax(0), everything.amin(0), beside.sum(0).sub_(middle, alpha=4)
