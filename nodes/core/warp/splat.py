"""Throws a depth map forward, so that near things hide far ones."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# A point that comes nearer than this many times is behind the camera, or as good as on its lens.
LARGEST = 1e4
# A pixel this near the frame's edge still belongs to the frame: rounding.
_EDGE = 1e-3


class Reprojection:
    """How the pixels of one view lie in another.

    Convention: a pixel of index (x, y) and inverse depth q = 1 / z in the first view lies in the second at
    (x + dx, y + dy), and its inverse depth there is q * scale. Both views have square pixels, their principal point in
    the middle, x right, y down, z forward. Displacements, not positions, are computed: they keep float32's precision
    where they are small, and a shift by whole pixels is exact.

    Args:
        step: (4, 4) rigid motion from the first camera's coordinates to the second's.
        focal_from: focal length of the first view in pixels.
        focal_to: focal length of the second.
        size: (h, w) of both.
        device: where to compute.
    """

    def __init__(
        self, step: np.ndarray, focal_from: float, focal_to: float, size: tuple[int, int], device: torch.device
    ) -> None:
        height, width = size
        camera_to = np.diag([focal_to, focal_to, 1.0])
        turn = camera_to @ step[:3, :3] @ np.diag([1 / focal_from, 1 / focal_from, 1.0])
        (a, b, c), (d, e, f), (g, h, i) = turn.tolist()
        self.shift = tuple((camera_to @ step[:3, 3]).tolist())
        self.turn = turn
        self.still = not step[:3, 3].any()
        self._half_width, self._half_height = width / 2 + _EDGE, height / 2 + _EDGE
        x = torch.arange(width, dtype=torch.float64, device=device)[None, None, :] - (width - 1) / 2
        y = torch.arange(height, dtype=torch.float64, device=device)[None, :, None] - (height - 1) / 2
        self.x, self.y = x.float(), y.float()
        crossed = (x * y).float() if g or h else None
        self._row = ((a - i) * x + c - g * x**2).float(), (d * x).float(), (g * x + i).float()
        self._column = (b * y).float(), ((e - i) * y + f - h * y**2).float(), (h * y).float()
        self._crossed = (crossed, -h), (crossed, -g), (None, 0.0)

    @property
    def reach(self) -> float:
        """The most pixels by which a unit of inverse depth moves a point of the frame, about."""
        across = abs(self.shift[0]) + self._half_width * abs(self.shift[2])
        return math.hypot(across, abs(self.shift[1]) + self._half_height * abs(self.shift[2]))

    def plane(self, axis: int) -> Tensor:
        """The part of a numerator that does not depend on depth, broadcastable to (1, h, w): 0 dx, 1 dy, 2 w."""
        row, column, (crossed, factor) = self._row[axis], self._column[axis], self._crossed[axis]
        if crossed is not None and factor:
            return (row + column).add_(crossed, alpha=factor)
        if not bool(column.any()):
            return row
        return row + column if bool(row.any()) else column

    def __call__(self, inverse_depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """dx, dy, scale for (B, h, w) inverse depths; scale is at most `LARGEST`, and there the point is not seen."""
        shift_x, shift_y, shift_z = self.shift
        scale = _plus(self.plane(2), inverse_depth, shift_z).clamp(min=1 / LARGEST).reciprocal_()
        move_x = _plus(self.plane(0), inverse_depth, shift_x - self.x * shift_z if shift_z else shift_x)
        move_y = _plus(self.plane(1), inverse_depth, shift_y - self.y * shift_z if shift_z else shift_y)
        shape = torch.broadcast_shapes(move_x.shape, move_y.shape, scale.shape, inverse_depth.shape)
        return (move_x * scale).expand(shape), (move_y * scale).expand(shape), scale.expand(shape)

    def outside(self, dx: Tensor, dy: Tensor) -> Tensor:
        """Where a displaced pixel lies beyond the outer edge of the other view's frame."""
        return ((dx + self.x).abs_() > self._half_width) | ((dy + self.y).abs_() > self._half_height)


def _plus(plane: Tensor, inverse_depth: Tensor, factor: Tensor | float) -> Tensor:
    if isinstance(factor, Tensor):
        return torch.addcmul(plane, inverse_depth, factor)
    return torch.add(plane, inverse_depth, alpha=factor) if factor else plane


def throw(inverse_depth: Tensor, forward: Reprojection, margin: int = 0) -> Tensor:
    """The nearest inverse depth that lands on each target pixel, (B, h + 2 margin, w + 2 margin); 0 where none does.

    Convention: a source pixel lands on the one target pixel whose centre is nearest.

    Args:
        inverse_depth: (B, h, w), 0 where there is nothing.
        forward: source view to target view.
        margin: how many pixels beyond the target's frame are kept too.
    """
    batch, height, width = inverse_depth.shape
    dx, dy, scale = forward(inverse_depth)
    # What lands beyond the margin falls on a rim one pixel wide, which is cut off in the end.
    rim = margin + 1
    high, wide = height + 2 * rim, width + 2 * rim
    x = (dx + (forward.x + ((width - 1) / 2 + rim))).round_().clamp_(0, wide - 1)
    y = (dy + (forward.y + ((height - 1) / 2 + rim))).round_().clamp_(0, high - 1)
    # float32 counts to 2^24.
    index = x.add_(y, alpha=wide).long() if high * wide < 2**24 else x.double().add_(y, alpha=wide).long()
    if batch > 1:
        index += torch.arange(batch, device=index.device)[:, None, None] * (high * wide)
    nearness = torch.where(scale < LARGEST, inverse_depth * scale, 0.0)
    landed = torch.zeros(batch * high * wide, device=inverse_depth.device)
    landed.scatter_reduce_(0, index.flatten(), nearness.flatten(), "amax")
    return landed.view(batch, high, wide)[:, 1:-1, 1:-1]


def close_cracks(near: Tensor, radius: int = 1) -> Tensor:
    """Morphological closing of a (B, h, w) map of inverse depth: gaps up to 2 * radius wide take what is about them."""
    return -grow(-grow(near, radius, 0.0), radius, -torch.inf)


def grow(values: Tensor, radius: int, beyond: float) -> Tensor:
    """The greatest of the values within `radius` pixels in rows and columns, (B, h, w); `beyond` lies outside."""
    for _ in range(radius):
        for axis in (-1, -2):
            pad = (1, 1) if axis == -1 else (0, 0, 1, 1)
            wide = functional.pad(values, pad, value=beyond)
            length = values.shape[axis]
            left, middle, right = (wide.narrow(axis, start, length) for start in (0, 1, 2))
            values = torch.maximum(torch.maximum(left, middle), right)
    return values


def dilate(mask: Tensor, radius: int = 1) -> Tensor:
    """A (B, h, w) bool mask grown by `radius` pixels in the eight directions."""
    return grow(mask.to(torch.uint8), radius, 0) > 0
