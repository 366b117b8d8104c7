"""Perlin noise: a random field of smooth hills and valleys, of any size, summed over octaves.

Gradient noise after Ken Perlin (An Image Synthesizer, 1985) with the fade of his Improving Noise (2002): a random unit
vector stands at every corner of a lattice, and a point's value is the four corners' dot products with the ways to it,
interpolated by 6 t^5 - 15 t^4 + 10 t^3.

Convention: the lattice begins at the picture's upper left corner and a pixel is taken at its centre. Where the picture
holds no whole number of cells, the last ones are cut; nothing is padded or rounded. Fields are (H, W) float32.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

DEVIATION = math.sqrt(8 * (181 / 462) * (535 / 18018))
"""Standard deviation of one octave.

At a point it is the sum over the corners of (weight * distance)^2 / 2, and twice that for the scale to -1..1. Over a
cell the mean of it is 8 A B with A the integral of (1 - fade)^2, and B that of (1 - fade)^2 t^2, over 0..1.
"""


def perlin(
    size: tuple[int, int],
    cells: tuple[float, float],
    generator: torch.Generator,
    octaves: int = 1,
    persistence: float = 0.5,
) -> torch.Tensor:
    """A field of Perlin noise.

    Args:
        size: (h, w) of the field, any.
        cells: (down, across), how many cells the first octave has, over 0 and not necessarily whole.
        generator: draws the lattices' directions, octave by octave.
        octaves: how many are summed; each has twice as many cells as the one before it.
        persistence: weight of an octave by that of the one before it; the first has 1.

    Returns:
        (h, w) float32, mean 0: the same field at any size, finer or coarser. One octave lies within -1..1 and has a
        deviation of `DEVIATION`; the sum is not scaled down again, see `deviation`.
    """
    field, scratch = torch.zeros(size, dtype=torch.float32), torch.empty(size, dtype=torch.float32)
    for octave in range(octaves):
        factor = 2**octave
        _add_octave(field, scratch, (cells[0] * factor, cells[1] * factor), persistence**octave, generator)
    return field


def deviation(octaves: int, persistence: float) -> float:
    """Standard deviation of `perlin` with these octaves: they are independent, so that their squares add up."""
    return DEVIATION * math.sqrt(sum(persistence ** (2 * octave) for octave in range(octaves)))


class _Axis(NamedTuple):
    """Where the pixels of one side lie in the lattice.

    corner: int64 (n,), the one before each. near, far: float32 (n,), the weights of it and of the next. to_near,
    to_far: likewise, times the way from that corner, in cells.
    """

    corner: torch.Tensor
    near: torch.Tensor
    far: torch.Tensor
    to_near: torch.Tensor
    to_far: torch.Tensor


def _axis(length: int, cells: float) -> _Axis:
    place = (torch.arange(length, dtype=torch.float64) + 0.5) * (cells / length)
    corner = place.floor()
    way = place - corner
    fade = way**3 * (way * (way * 6 - 15) + 10)
    weights = (1 - fade, fade, (1 - fade) * way, fade * (way - 1))
    return _Axis(corner.long(), *(weight.float() for weight in weights))


def _add_octave(
    field: torch.Tensor, scratch: torch.Tensor, cells: tuple[float, float], weight: float, generator: torch.Generator
) -> None:
    """Adds one octave in place; `scratch` is of the field's shape: new memory costs as much as the sums.

    A corner's value at a point is weight_y weight_x (gx way_x + gy way_y): its two terms are products of a column and
    a row, so that the lattice is first spread along x, where it has few rows, and then along y.
    """
    down, across = cells
    y, x = _axis(field.shape[0], down), _axis(field.shape[1], across)
    # As many corners whatever the picture's size is, so that a preview shows what the full size will.
    angle = torch.rand(math.ceil(down) + 1, math.ceil(across) + 1, generator=generator) * (2 * math.pi)
    # sqrt(2): unit vectors reach half a cell's diagonal.
    gx, gy = angle.cos().mul_(math.sqrt(2) * weight), angle.sin().mul_(math.sqrt(2) * weight)
    # index_select, as indexing by a tensor takes ten times as long.
    gx_near, gx_far, gy_near, gy_far = (
        lattice.index_select(1, x.corner + shift) for lattice in (gx, gy) for shift in (0, 1)
    )
    rows_x = gx_near * x.to_near + gx_far * x.to_far
    rows_y = gy_near * x.near + gy_far * x.far
    for rows, column, shift in (
        (rows_x, y.near, 0),
        (rows_x, y.far, 1),
        (rows_y, y.to_near, 0),
        (rows_y, y.to_far, 1),
    ):
        torch.index_select(rows, 0, y.corner + shift, out=scratch)
        field.addcmul_(scratch, column[:, None])
