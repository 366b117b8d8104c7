"""A schedule's curve as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..drawing import BACK, CURVE, FINE, GRID, TEXT, ZERO, finished, font, number, ticks

if TYPE_CHECKING:
    import torch

#: (h, w) in pixels.
SIZE = (360, 640)
_LEFT, _TOP, _RIGHT, _BOTTOM = 84, 20, 20, 52
_FONT = 17


def plot_curve(values: np.ndarray, label: str = "value") -> torch.Tensor:
    """The values (F,), one a frame, as a core image (1, 3, 360, 640): dark, frames to the right, values upwards.

    Of more frames than pixels, each column of pixels shows the least and the most of its frames.
    """
    from PIL import Image, ImageDraw

    height, width = (side * FINE for side in SIZE)
    image = Image.new("RGB", (width, height), BACK)
    draw = ImageDraw.Draw(image)
    letters = font(_FONT)
    left, top = _LEFT * FINE, _TOP * FINE
    right, bottom = width - _RIGHT * FINE, height - _BOTTOM * FINE
    low, high = _range(values)
    last = max(len(values) - 1, 1)

    def x(frame: float) -> float:
        return left + (right - left) * frame / last

    def y(value: float) -> float:
        # Halved first: the difference of two large values may be more than a float can hold.
        return bottom - (bottom - top) * ((value / 2 - low / 2) / (high / 2 - low / 2))

    for value in ticks(low, high, 8):
        draw.line([(left, y(value)), (right, y(value))], fill=ZERO if value == 0 else GRID, width=FINE)
        draw.text((left - 8 * FINE, y(value)), number(value), fill=TEXT, font=letters, anchor="rm")
    for frame in ticks(0, len(values) - 1, 8, whole=True):
        draw.line([(x(frame), top), (x(frame), bottom)], fill=GRID, width=FINE)
        draw.text((x(frame), bottom + 6 * FINE), number(frame), fill=TEXT, font=letters, anchor="ma")
    draw.text(((left + right) / 2, height - 4 * FINE), "frame", fill=TEXT, font=letters, anchor="md")
    _upright(image, draw, label, letters, (top + bottom) // 2)
    _line(draw, values, x, y, right - left)
    return finished(image, SIZE)


def _line(draw: Any, values: np.ndarray, x: Any, y: Any, columns: int) -> None:
    stroke = 3 * FINE
    if len(values) <= columns // 4:
        points = [(x(frame), y(value)) for frame, value in enumerate(values.tolist())]
        draw.line(points, fill=CURVE, width=stroke, joint="curve")
        if len(values) <= 60:
            for across, up in points:
                draw.circle((across, up), stroke, fill=CURVE)
        return
    parts = np.array_split(np.arange(len(values)), min(columns // 2, len(values)))
    points = []
    for part in parts:
        inside = values[part]
        # The way in which it came: from low to high, or the other way round.
        ends = sorted((int(np.argmin(inside)), int(np.argmax(inside))))
        points += [(x(part[end]), y(float(inside[end]))) for end in ends]
    draw.line(points, fill=CURVE, width=stroke, joint="curve")


def _upright(image: Any, draw: Any, text: str, letters: Any, middle: int) -> None:
    """The text along the left edge, read from below."""
    from PIL import Image, ImageDraw

    box = draw.textbbox((0, 0), text, font=letters)
    strip = Image.new("RGB", (int(box[2]) + 2, int(box[3]) + 2), BACK)
    ImageDraw.Draw(strip).text((0, 0), text, fill=TEXT, font=letters)
    turned = strip.rotate(90, expand=True)
    image.paste(turned, (2 * FINE, middle - turned.height // 2))


def _range(values: np.ndarray) -> tuple[float, float]:
    """What the plot shows: all values, with room above and below, never nothing."""
    low, high = float(values.min()), float(values.max())
    # One value is shown in the middle of as much as itself.
    room = (high / 2 - low / 2) * 0.16 or abs(high) * 0.5 or 1.0
    limit = 1.7e308
    return max(low - room, -limit), min(high + room, limit)
