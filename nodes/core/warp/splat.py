"""Throws a depth map forward, so that near things hide far ones."""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

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
        # Rows and columns are made in float64 where every device has it.
        x = torch.arange(width, dtype=torch.float64)[None, None, :] - (width - 1) / 2
        y = torch.arange(height, dtype=torch.float64)[None, :, None] - (height - 1) / 2
        self.x, self.y = x.float().to(device), y.float().to(device)
        rows = (a - i) * x + c - g * x**2, d * x, g * x + i
        columns = b * y, (e - i) * y + f - h * y**2, h * y
        self._row = tuple(row.float().to(device) for row in rows)
        self._column = tuple(column.float().to(device) if bool(column.any()) else None for column in columns)
        self._crossed = -h, -g, 0.0

    @property
    def reach(self) -> float:
        """The most pixels by which a unit of inverse depth moves a point of the frame, about."""
        across = abs(self.shift[0]) + self._half_width * abs(self.shift[2])
        return math.hypot(across, abs(self.shift[1]) + self._half_height * abs(self.shift[2]))

    def plane(self, axis: int) -> Tensor:
        """The part of a numerator that does not depend on depth, broadcastable to (1, h, w): 0 dx, 1 dy, 2 w."""
        row, column, crossed = self._row[axis], self._column[axis], self._crossed[axis]
        if column is None and not crossed:
            return row
        flat = row if column is None else row + column
        return torch.addcmul(flat, self.x, self.y, value=crossed) if crossed else flat

    def part(self, axis: int, column: Tensor, row: Tensor) -> Tensor:
        """What `plane` has at the pixels of these columns and rows."""
        flat = self._row[axis].flatten()[column]
        if (of_row := self._column[axis]) is not None:
            flat = flat + of_row.flatten()[row]
        if crossed := self._crossed[axis]:
            flat = flat.addcmul(self.x.flatten()[column], self.y.flatten()[row], value=crossed)
        return flat

    def __call__(self, inverse_depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """dx, dy, scale for (B, h, w) inverse depths; scale is at most `LARGEST`, and there the point is not seen."""
        shift_x, shift_y, shift_z = self.shift
        scale = torch.add(self.plane(2), inverse_depth, alpha=shift_z).clamp_(min=1 / LARGEST).reciprocal_()
        moves = []
        for axis, shift, place in ((0, shift_x, self.x), (1, shift_y, self.y)):
            move = torch.addcmul(self.plane(axis), inverse_depth, shift - place * shift_z)
            moves.append(move.mul_(scale))
        return moves[0], moves[1], scale

    def at(self, pixels: Tensor, inverse_depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """dx, dy, scale for some pixels, numbered in (B, h, w) order, with an inverse depth each."""
        width, height = self.x.shape[-1], self.y.shape[-2]
        column, row = pixels % width, pixels // width % height
        shift_x, shift_y, shift_z = self.shift
        scale = (self.part(2, column, row) + inverse_depth * shift_z).clamp_(min=1 / LARGEST).reciprocal_()
        dx = self.part(0, column, row) + inverse_depth * (shift_x - self.x.flatten()[column] * shift_z)
        dy = self.part(1, column, row) + inverse_depth * (shift_y - self.y.flatten()[row] * shift_z)
        return dx.mul_(scale), dy.mul_(scale), scale

    def outside(self, dx: Tensor, dy: Tensor) -> Tensor:
        """Where a displaced pixel lies beyond the outer edge of the other view's frame."""
        return ((dx + self.x).abs_() > self._half_width) | ((dy + self.y).abs_() > self._half_height)


def looked_at(pixels: Tensor, dx: Tensor, dy: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The pixels that lie nearest to where some pixels look, and whether that is in the frame, (N,).

    Args:
        pixels: (N,) numbers in (B, h, w) order.
        dx, dy: (N,) how far from their own place they look.
        size: (h, w).
    """
    height, width = size
    inner = pixels % (height * width)
    x, y = inner % width + dx, inner // width + dy
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    column, row = x.round_().clamp_(0, width - 1).long(), y.round_().clamp_(0, height - 1).long()
    return pixels - inner + row * width + column, inside


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
    index = x.add_(y, alpha=wide).int().long() if high * wide < 2**24 else x.double().add_(y, alpha=wide).long()
    if batch > 1:
        index += torch.arange(batch, device=index.device)[:, None, None] * (high * wide)
    nearness = inverse_depth * scale
    if float(scale.max()) >= LARGEST:
        nearness = torch.where(scale < LARGEST, nearness, 0.0)
    landed = torch.zeros(batch * high * wide, device=inverse_depth.device)
    landed.scatter_reduce_(0, index.flatten(), nearness.flatten(), "amax")
    return landed.view(batch, high, wide)[:, 1:-1, 1:-1]


def close_cracks(near: Tensor, radius: int = 1) -> Tensor:
    """Morphological closing of a (B, h, w) map of inverse depth: gaps up to 2 * radius wide take what is about them."""
    return shrink(grow(near, radius), radius)


def grow(values: Tensor, radius: int) -> Tensor:
    """The greatest of the float32 or uint8 values, from 0 on, within `radius` pixels in rows and columns, (B, h, w)."""
    return _extreme(values, radius, cv2.dilate, torch.maximum)


def shrink(values: Tensor, radius: int) -> Tensor:
    """The least of the values within `radius` pixels in rows and columns, (B, h, w)."""
    return _extreme(values, radius, cv2.erode, torch.minimum)


def _extreme(values: Tensor, radius: int, on_cpu: Callable, choose: Callable) -> Tensor:
    # What lies beyond the edge never wins.
    if values.device.type != "cpu":
        return _extreme_anywhere(values, radius, choose)
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    found = torch.empty_like(values, memory_format=torch.contiguous_format)
    for source, target in zip(values.contiguous(), found, strict=True):
        on_cpu(source.numpy(), kernel, dst=target.numpy())
    return found


def _extreme_anywhere(values: Tensor, radius: int, choose: Callable) -> Tensor:
    for _ in range(radius):
        for axis in (-1, -2):
            length = values.shape[axis] - 1
            before, after, wider = values.narrow(axis, 0, length), values.narrow(axis, 1, length), values.clone()
            for found, other in ((wider.narrow(axis, 1, length), before), (wider.narrow(axis, 0, length), after)):
                found.copy_(choose(found, other))
            values = wider
    return values


def dilate(mask: Tensor, radius: int = 1) -> Tensor:
    """A (B, h, w) bool mask grown by `radius` pixels in the eight directions."""
    return grow(mask.view(torch.uint8), radius).view(torch.bool)
