"""The look of the pack's small pictures: colours, round numbers, and a canvas on which lines come out smooth."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

BACK, PANEL, GRID, ZERO = (24, 26, 31), (32, 35, 42), (52, 56, 66), (96, 102, 116)
TEXT, CURVE, COOL, GREEN, ALARM = (205, 209, 217), (217, 164, 65), (92, 158, 230), (120, 190, 120), (214, 84, 78)
#: Pictures are drawn at this many times their size and made smaller: that smooths every line.
FINE = 2

Box = tuple[float, float, float, float]


class Canvas:
    """A dark picture of `size` (h, w) pixels to draw on; places are (x, y) in pixels of the finished picture."""

    def __init__(self, size: tuple[int, int]) -> None:
        """An empty one."""
        from PIL import Image, ImageDraw

        self.size = size
        self.image = Image.new("RGB", (size[1] * FINE, size[0] * FINE), BACK)
        self.draw = ImageDraw.Draw(self.image)

    def rectangle(self, box: Box, fill: Any = None, outline: Any = None) -> None:
        """A box (left, top, right, bottom)."""
        left, top, right, bottom = (value * FINE for value in box)
        if right >= left and bottom >= top:
            self.draw.rectangle((left, top, right, bottom), fill=fill, outline=outline, width=FINE)

    def line(self, points: Any, fill: Any, width: float = 1.0, box: Box | None = None) -> None:
        """A line through the points, however far they lie apart; what is outside of `box` is left away."""
        limits = box or (0.0, 0.0, float(self.size[1]), float(self.size[0]))
        places = [(float(x), float(y)) for x, y in points]
        for start, end in pairwise(places):
            piece = clipped(start, end, limits)
            if piece is not None:
                ends = [(x * FINE, y * FINE) for x, y in piece]
                self.draw.line(ends, fill=fill, width=max(round(width * FINE), 1))

    def dot(self, place: tuple[float, float], radius: float, fill: Any) -> None:
        """A disc; nothing where it lies outside of the picture."""
        if 0 <= place[0] <= self.size[1] and 0 <= place[1] <= self.size[0]:
            self.draw.circle((place[0] * FINE, place[1] * FINE), radius * FINE, fill=fill)

    def text(self, place: tuple[float, float], text: str, size: int, fill: Any = TEXT, anchor: str = "la") -> None:
        """A text of `size` pixels; `anchor` is PIL's."""
        self.draw.text((place[0] * FINE, place[1] * FINE), text, fill=fill, font=font(size), anchor=anchor)

    def width_of(self, text: str, size: int) -> float:
        """How many pixels a text is wide."""
        return self.draw.textlength(text, font=font(size)) / FINE

    def picture(self) -> torch.Tensor:
        """What was drawn, as a core image (1, 3, h, w)."""
        return finished(self.image, self.size)


def font(size: int) -> Any:
    """The font for a text of `size` pixels in the finished picture."""
    from PIL import ImageFont

    return ImageFont.load_default(size * FINE)


def finished(image: Any, size: tuple[int, int]) -> torch.Tensor:
    """A PIL image that was drawn finely as a core image (1, 3, h, w)."""
    import torch
    from PIL import Image

    small = image.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small, np.float32) / 255.0).movedim(-1, 0)[None].contiguous()


def blend(start: Any, end: Any, share: float) -> tuple[int, int, int]:
    """The colour between two."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue


def clipped(
    start: tuple[float, float], end: tuple[float, float], box: Box
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The part of a line that lies in the box (left, top, right, bottom), or None."""
    if not all(map(math.isfinite, (*start, *end))):
        return None
    first, last = 0.0, 1.0
    for axis in (0, 1):
        low, high = box[axis], box[axis + 2]
        run = end[axis] - start[axis]
        if run == 0:
            if not low <= start[axis] <= high:
                return None
            continue
        enter, leave = sorted(((low - start[axis]) / run, (high - start[axis]) / run))
        first, last = max(first, enter), min(last, leave)
    if first > last:
        return None
    points = [
        tuple(min(max(start[axis] + (end[axis] - start[axis]) * at, box[axis]), box[axis + 2]) for axis in (0, 1))
        for at in (first, last)
    ]
    return (points[0][0], points[0][1]), (points[1][0], points[1][1])


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Round numbers within, at most `most` and evenly spaced."""
    span = high / 2 - low / 2
    if span <= 0:
        return [low]
    step = 10.0 ** math.floor(math.log10(2 * (span / most)))
    step = max(step, 5e-324)
    step *= next((factor for factor in (1, 2, 5) if span / (step * factor) * 2 <= most), 10)
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step), math.floor(high / step)
    return [tick * step for tick in range(first, min(last, first + 2 * most) + 1)]


def number(value: float) -> str:
    """A number as short as it can be read."""
    text = f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3g}"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e6 else text
