"""Makes the soft edges of measured depth hard, so that a thing leaves its background as one."""

import torch
from torch import Tensor
from torch.nn import functional

from .pixels import above, numbers, pick, put
from .splat import dilate

# Depth that changes by more than this share from one neighbour to the other is two surfaces, or the ramp between them.
_STEEP = 0.1
# How much of its slope a ramp must bend by within a pixel to be an edge. A slanted floor does not bend.
_BENT = 0.05
# How much of what depth changes within two pixels must change within one, for an edge to lie there.
_WHOLE = 0.75
# A slope that falls to this share of its steepest is level again.
_LEVEL = 0.5
# So many pixels are looked at together: what lies about them fits into a processor's cache.
_AT_ONCE = 1 << 14


def harden(inverse_depth: Tensor, apart: float = 0.0, rounds: int = 4) -> Tensor:
    """Inverse depth whose blurred edges, up to twice `rounds` pixels wide, are steps at their inflection, (B, h, w).

    A morphological shock filter: where a steep slope bends down, as on the near side of an edge, a pixel takes the
    nearest depth about it, and where it bends up the farthest. Flat and slanted surfaces and hard edges stay as they
    are. Depth models blur the edges of things, and a camera that moves would draw such a ramp out to shreds between a
    thing and the background that it uncovers. Inverse depths closer than `apart` are no edge.
    """
    _, height, width = inverse_depth.shape
    # Edges are few: only what lies on them is worked on, in a copy with a rim so that each has eight neighbours.
    here = numbers(dilate(_steep(inverse_depth, apart)))
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
        near, far, bend, middle = _about(values, here, cross, corners)
        span = near - far
        sharper = torch.where(bend > _BENT * span, far, torch.where(bend < -_BENT * span, near, middle))
        put(values, here, torch.where(span > (_STEEP * near).clamp_(min=apart), sharper, middle))
    # The inflection itself bends neither way: it goes to the closer side, where that is an edge and not a steep slope,
    # which would go on beyond its neighbours.
    near, far, _, middle = _about(values, here, cross, corners)
    nearest, farthest, beside = values.clone(), values.clone(), here + cross
    put(nearest, here, near)
    put(farthest, here, far)
    beyond = nearest.take(beside).amax(0) - farthest.take(beside).amin(0)
    span = near - far
    closer = torch.where(middle - far > near - middle, near, far)
    edge = (span > (_STEEP * near).clamp_(min=apart)) & (span > _WHOLE * beyond)
    put(values, here, torch.where(edge, closer, middle))
    return values.view(-1, height + 2, width + 2)[:, 1:-1, 1:-1].contiguous()


def _steep(values: Tensor, apart: float) -> Tensor:
    across, down = torch.zeros_like(values, dtype=torch.bool), torch.zeros_like(values, dtype=torch.bool)
    for found, axis in ((across, -1), (down, -2)):
        inner = values.shape[axis] - 2
        if inner > 0:
            before, after = values.narrow(axis, 0, inner), values.narrow(axis, 2, inner)
            allowed = torch.maximum(before, after).mul_(_STEEP).clamp_(min=apart)
            found.narrow(axis, 1, inner).copy_(above((after - before).abs_(), allowed))
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
    by = torch.arange(-reach, reach, device=here.device)[:, None]
    first = torch.minimum(place + by, last).clamp_(min=0).mul_(stride).add_(start)
    change = flat.take(first + step).sub_(flat.take(first)).mul_(sign)
    # The least change up to each place, going either way: where it is steepest they are the levels on both sides.
    steepest, lowest = torch.full_like(sign, -torch.inf), torch.full_like(sign, torch.inf)
    before, after = lowest.clone(), lowest.clone()
    for now in change:
        steeper = now > steepest
        before = torch.where(steeper, lowest, before)
        after = torch.where(steeper, now, torch.minimum(after, now))
        steepest, lowest = torch.maximum(steepest, now), torch.minimum(lowest, now)
    return torch.maximum(before, after) < _LEVEL * steepest


def _change(flat: Tensor, here: Tensor, place: Tensor, stride: int, length: int) -> Tensor:
    # From the neighbour before to the one after.
    before = torch.where(place > 0, here - stride, here)
    return pick(flat, torch.where(place < length - 1, here + stride, here)) - pick(flat, before)


def _about(values: Tensor, here: Tensor, cross: Tensor, corners: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    # The nearest and the farthest of a pixel and its eight neighbours, how much the slope bends there, and the pixel.
    beside, middle = values.take(here + cross), pick(values, here)
    everything = torch.cat((beside, values.take(here + corners), middle[None]))
    return everything.amax(0), everything.amin(0), beside.sum(0).sub_(middle, alpha=4), middle
