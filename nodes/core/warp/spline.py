"""Cubic spline interpolation: what bicubic's sixteen pixels can do at best, for pictures that are sampled once."""

from collections.abc import Callable

import cv2
import torch
from torch import Tensor
from torch.nn import functional

# The filter that makes a spline of pixels falls off by this factor a pixel, and is cut off where it is nothing.
_FALL = 3**0.5 - 2
_RADIUS = 10
# How far around the picture the spline is known: what lies further out is what lies there.
_REACH = 4
_MARGIN = _REACH + 2

Reader = Callable[[Tensor, Tensor, Tensor, str], Tensor]


def read_spline(image: Tensor, dx: Tensor, dy: Tensor, border: str, bilinear: Reader) -> Tensor:
    """The image read by each pixel at its own place plus a displacement, (B, C, H, W), clipped to 0..1.

    At whole pixels it gives these; between them it loses a third of the contrast of the finest waves that bicubic
    loses. Its price is an overshoot that reaches a pixel or two further: over a chain of warps that adds up.

    Four bilinear readings between the right places are the sixteen pixels of a cubic B-spline.

    Args:
        image: (B, C, H, W) float32, 0..1.
        dx, dy: (1 or B, H, W) in pixels, right and down.
        border: one of `types.BORDERS`.
        bilinear: reads an image so, at displacements, with the border "replicate" or "zeros".
    """
    height, width = image.shape[-2:]
    around = (_MARGIN,) * 4
    column = torch.arange(width + 2 * _MARGIN, dtype=torch.float32, device=image.device)
    row = torch.arange(height + 2 * _MARGIN, dtype=torch.float32, device=image.device)[:, None]
    left, right, share_right = _pairs(functional.pad(dx, around) + column, width, border)
    upper, lower, share_lower = _pairs(functional.pad(dy, around) + row, height, border)
    left, right, upper, lower = left - column, right - column, upper - row, lower - row
    spline, beyond = _spline(image, border), "zeros" if border == "zeros" else "replicate"

    def line(at: Tensor) -> Tensor:
        return bilinear(spline, left, at, beyond).lerp_(bilinear(spline, right, at, beyond), share_right[:, None])

    found = line(upper).lerp_(line(lower), share_lower[:, None])
    return found[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN].clamp(0, 1)


def _pairs(place: Tensor, length: int, border: str) -> tuple[Tensor, Tensor, Tensor]:
    """Where to read bilinearly for the first two and the last two of four pixels, and how much the latter weigh."""
    place = place - _MARGIN
    if border == "wrap":
        place = place - torch.floor(place / length) * length
    elif border == "reflect":
        place = (place + 0.5) - torch.floor((place + 0.5) / (2 * length)) * (2 * length)
        place = torch.minimum(place, 2 * length - place) - 0.5
    # What is black beyond the picture is so beyond the spline's margin without a trace.
    reach = _REACH + (2 * _MARGIN if border == "zeros" else 0)
    place = place.clamp(-reach, length - 1 + reach) + _MARGIN
    before = torch.floor(place)
    t = place - before
    rest = 1 - t
    first, second = rest**3 / 6, ((3 * t - 6) * t**2 + 4) / 6
    third, fourth = ((3 * rest - 6) * rest**2 + 4) / 6, t**3 / 6
    late = third + fourth
    return before - 1 + second / (first + second), before + 1 + fourth / late, late


def _spline(image: Tensor, border: str) -> Tensor:
    """The weights of the B-spline that passes through all pixels, (B, C, H + 2 margin, W + 2 margin)."""
    batch, channels, height, width = image.shape
    rows, columns = (_extended(length, border, image.device) for length in (height, width))
    wider = image.index_select(-2, rows.clamp(0, height - 1)).index_select(-1, columns.clamp(0, width - 1))
    if border == "zeros":
        wider = wider * ((rows >= 0) & (rows < height))[:, None] * ((columns >= 0) & (columns < width))
    taps = _FALL ** torch.arange(-_RADIUS, _RADIUS + 1).abs()
    taps /= taps.sum()
    flat = wider.reshape(batch * channels, 1, *wider.shape[-2:])
    # On the CPU, torch takes ten times as long.
    flat = (_filtered_by_opencv if image.device.type == "cpu" else _filtered_by_torch)(flat, taps)
    return flat.reshape(batch, channels, *flat.shape[-2:])


def _filtered_by_torch(planes: Tensor, taps: Tensor) -> Tensor:
    across = taps.to(planes.device).view(1, 1, 1, -1)
    return functional.conv2d(functional.conv2d(planes, across), across.mT)


def _filtered_by_opencv(planes: Tensor, taps: Tensor) -> Tensor:
    planes, along = planes.clone(memory_format=torch.contiguous_format), taps.numpy()
    for (plane,) in planes.numpy():
        cv2.sepFilter2D(plane, -1, along, along, dst=plane)
    return planes[..., _RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _extended(length: int, border: str, device: torch.device) -> Tensor:
    """Which pixel stands at each place of the picture and its surroundings; with "zeros" and "replicate" it may lie
    outside.
    """
    place = torch.arange(-_MARGIN - _RADIUS, length + _MARGIN + _RADIUS, device=device)
    if border == "wrap":
        return place % length
    if border == "reflect":
        place = place % (2 * length)
        return torch.minimum(place, 2 * length - 1 - place)
    return place
