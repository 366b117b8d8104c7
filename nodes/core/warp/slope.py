"""Slanted surfaces: inverse depth is linear in the picture on every plane, and so a slope is followed exactly."""

from collections.abc import Callable

import torch
from torch import Tensor

from .splat import LARGEST, Reprojection, looked_at

# Every so many pixels the picture is asked how far its slopes are stretched.
_ASKED = 3
# A plane that is stretched more than this many times is seen from its edge.
_EDGE_ON = 30.0
# The first plane is the guess's own; the second, where that was another surface's, the one on which it came out.
_ROUNDS = 2
_AT_ONCE = 1 << 17


def slopes(values: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """How much the values, (B, h, w), change per pixel in x and in y at these pixels, numbered in (B, h, w) order.

    Of the differences to the two neighbours the smaller, and 0 where one goes up and the other down: a slanted surface
    has a slope up to its edge, and the step from it to another surface is none.
    """
    _, height, width = values.shape
    flat = values.flatten()
    middle = flat[pixels]
    found = []
    for place, stride, length in ((pixels % width, 1, width), (pixels // width % height, width, height)):
        if length == 1:
            found.append(torch.zeros_like(middle))
            continue
        first, last = place == 0, place == length - 1
        before = middle - flat[torch.where(first, pixels, pixels - stride)]
        after = flat[torch.where(last, pixels, pixels + stride)] - middle
        before, after = torch.where(first, after, before), torch.where(last, before, after)
        found.append(_smaller(before, after))
    return found[0], found[1]


def steepest_stretch(source: Tensor, forward: Reprojection) -> float:
    """How far apart the motion draws neighbouring pixels of a slope, in pixels, at most.

    Args:
        source: (B, h, w) inverse depth.
        forward: source view to target view.
    """
    shift_x, shift_y, shift_z = forward.shift
    weight = (1 + source[:, 1:-1:_ASKED, 1:-1:_ASKED] * shift_z).clamp_(min=1e-3).reciprocal_()
    if not weight.numel():
        return 1.0
    rows, columns = source[:, :, 1:-1:_ASKED], source[:, 1:-1:_ASKED]
    inner = columns.shape[2] - 2, rows.shape[1] - 2
    slope_x = _between(columns, 2, inner[0])
    slope_y = _between(rows, 1, inner[1])
    along_x = slope_x.mul_(shift_x - forward.x[:, :, 1:-1:_ASKED] * shift_z)
    along_y = slope_y.mul_(shift_y - forward.y[:, 1:-1:_ASKED] * shift_z)
    stretch = weight + torch.maximum(along_x, along_y).mul_(weight).mul_(weight)
    return float(stretch.max())


def _between(values: Tensor, axis: int, inner: int) -> Tensor:
    before, middle, after = (values.narrow(axis, start, inner) for start in range(3))
    asked = [slice(None)] * 3
    asked[axis] = slice(None, None, _ASKED)
    middle = middle[tuple(asked)]
    return _smaller(middle - before[tuple(asked)], after[tuple(asked)] - middle)


def _smaller(one: Tensor, other: Tensor) -> Tensor:
    return torch.minimum(one, other).clamp_(min=0) + torch.maximum(one, other).clamp_(max=0)


def on_slope(
    source: Tensor, back: Reprojection, pixels: Tensor, guess: Tensor, tolerance: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """The inverse depth of target pixels that see a slanted surface of the source, and whether they do.

    Where a guess looks back at, the surface is taken for a plane, which the pixel's ray meets at one point. It is seen
    if the source has that depth where the point lies.

    Args:
        source: (B, h, w) inverse depth.
        back: target view to source view.
        pixels: (N,) target pixels, numbered in (B, h, w) order.
        guess: (N,) their inverse depth, about.
        tolerance: how far off an inverse depth in the source may be.
    """
    found, seen = torch.zeros_like(guess), torch.zeros_like(pixels, dtype=torch.bool)
    # In parts, for the memory.
    for start in range(0, len(pixels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        found[part], seen[part] = _meet(source, back, pixels[part], guess[part], tolerance)
    return found, seen


def _meet(
    source: Tensor, back: Reprojection, pixels: Tensor, guess: Tensor, tolerance: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    flat = source.flatten()
    width, height = source.shape[-1], source.shape[-2]
    column, row = pixels % width, pixels // width % height
    shift_x, shift_y, shift_z = back.shift
    move_x, move_y, weight = (back.part(axis, column, row) for axis in range(3))
    ray_x, ray_y = shift_x - back.x.flatten()[column] * shift_z, shift_y - back.y.flatten()[row] * shift_z
    found, seen = torch.zeros_like(guess), torch.zeros_like(pixels, dtype=torch.bool)
    place, _ = looked_at(pixels, *back.at(pixels, guess)[:2], source.shape[-2:])
    slope_x, slope_y = slopes(source, place)
    for _ in range(_ROUNDS):
        depth = flat[place]
        away_x, away_y = column - place % width, row - place // width % height
        across = depth * weight + slope_x * (move_x + away_x * weight) + slope_y * (move_y + away_y * weight)
        along = 1 - depth * shift_z - slope_x * (ray_x + away_x * shift_z) - slope_y * (ray_y + away_y * shift_z)
        met = across / along.clamp(min=1 / _EDGE_ON)
        scale = (weight + met * shift_z).clamp(min=1 / LARGEST).reciprocal_()
        dx, dy = (move_x + met * ray_x) * scale, (move_y + met * ray_y) * scale
        place, inside = looked_at(pixels, dx, dy, source.shape[-2:])
        off_x, off_y = column + dx - place % width, row + dy - place // width % height
        leaning = slope_x.abs() + slope_y.abs()
        slope_x, slope_y = slopes(source, place)
        there = flat[place] + slope_x * off_x + slope_y * off_y
        wanted = met * scale
        # Where two planes meet, one goes on for half a pixel beyond the other.
        allowed = tolerance(wanted) + 0.5 * torch.maximum(leaning, slope_x.abs() + slope_y.abs())
        good = inside & (along > 1 / _EDGE_ON) & (met > 0) & ((there - wanted).abs() <= allowed) & ~seen
        found, seen = torch.where(good, met, found), seen | good
    return found, seen
