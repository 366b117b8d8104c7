"""A schedule's curve as a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

#: (h, w) in pixels.
SIZE = (360, 640)
_LEFT, _TOP, _RIGHT, _BOTTOM = 84, 20, 20, 52
_BACK, _GRID, _ZERO, _TEXT, _CURVE = (24, 26, 31), (52, 56, 66), (96, 102, 116), (205, 209, 217), (217, 164, 65)
_FINE = 2  # drawn at twice the size, then made smaller: smooth lines
_FONT = 17


def plot_curve(values: np.ndarray, label: str = "value") -> torch.Tensor:
    """The values (F,), one a frame, as a core image (1, 3, 360, 640): dark, frames to the right, values upwards.

    Of more frames than pixels, each column of pixels shows the least and the most of its frames.
    """
    import torch
    from PIL import Image, ImageDraw, ImageFont

    height, width = (side * _FINE for side in SIZE)
    image = Image.new("RGB", (width, height), _BACK)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_FONT * _FINE)
    left, top = _LEFT * _FINE, _TOP * _FINE
    right, bottom = width - _RIGHT * _FINE, height - _BOTTOM * _FINE
    low, high = _range(values)
    last = max(len(values) - 1, 1)

    def x(frame: float) -> float:
        return left + (right - left) * frame / last

    def y(value: float) -> float:
        # Halved first: the difference of two large values may be more than a float can hold.
        return bottom - (bottom - top) * ((value / 2 - low / 2) / (high / 2 - low / 2))

    for value in _ticks(low, high, 8):
        draw.line([(left, y(value)), (right, y(value))], fill=_ZERO if value == 0 else _GRID, width=_FINE)
        draw.text((left - 8 * _FINE, y(value)), _number(value), fill=_TEXT, font=font, anchor="rm")
    for frame in _ticks(0, len(values) - 1, 8, whole=True):
        draw.line([(x(frame), top), (x(frame), bottom)], fill=_GRID, width=_FINE)
        draw.text((x(frame), bottom + 6 * _FINE), _number(frame), fill=_TEXT, font=font, anchor="ma")
    draw.text(((left + right) / 2, height - 4 * _FINE), "frame", fill=_TEXT, font=font, anchor="md")
    _upright(image, draw, label, font, (top + bottom) // 2)
    _line(draw, values, x, y, right - left)
    small = image.resize((SIZE[1], SIZE[0]), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small, np.float32) / 255.0).movedim(-1, 0)[None].contiguous()


def _line(draw: Any, values: np.ndarray, x: Any, y: Any, columns: int) -> None:
    stroke = 3 * _FINE
    if len(values) <= columns // 4:
        points = [(x(frame), y(value)) for frame, value in enumerate(values.tolist())]
        draw.line(points, fill=_CURVE, width=stroke, joint="curve")
        if len(values) <= 60:
            for across, up in points:
                draw.circle((across, up), stroke, fill=_CURVE)
        return
    parts = np.array_split(np.arange(len(values)), min(columns // 2, len(values)))
    points = []
    for part in parts:
        inside = values[part]
        # The way in which it came: from low to high, or the other way round.
        ends = sorted((int(np.argmin(inside)), int(np.argmax(inside))))
        points += [(x(part[end]), y(float(inside[end]))) for end in ends]
    draw.line(points, fill=_CURVE, width=stroke, joint="curve")


def _upright(image: Any, draw: Any, text: str, font: Any, middle: int) -> None:
    """The text along the left edge, read from below."""
    from PIL import Image, ImageDraw

    box = draw.textbbox((0, 0), text, font=font)
    strip = Image.new("RGB", (int(box[2]) + 2, int(box[3]) + 2), _BACK)
    ImageDraw.Draw(strip).text((0, 0), text, fill=_TEXT, font=font)
    turned = strip.rotate(90, expand=True)
    image.paste(turned, (2 * _FINE, middle - turned.height // 2))


def _range(values: np.ndarray) -> tuple[float, float]:
    """What the plot shows: all values, with room above and below, never nothing."""
    low, high = float(values.min()), float(values.max())
    # One value is shown in the middle of as much as itself.
    room = (high / 2 - low / 2) * 0.16 or abs(high) * 0.5 or 1.0
    limit = 1.7e308
    return max(low - room, -limit), min(high + room, limit)


def _ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
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


def _number(value: float) -> str:
    text = f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3g}"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e6 else text
