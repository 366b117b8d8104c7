"""A forecast for the eye: a plot, a video with a playhead, and a report in words."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..drawing import ALARM, BACK, COOL, CURVE, GRID, PANEL, TEXT, Canvas, blend, number, ticks
from ..video.frames import Frames
from .forecast import KINDS, MOST_MAGNIFIED, MOST_MOTION, MOST_UNCOVERED, Forecast, Step

#: (h, w) in pixels of the plot that stands for itself.
SIZE = (400, 640)
# The plot under a video is no narrower than this, and so high.
_NARROWEST, _HEIGHT = 320, 190
# No curve is drawn higher than this many times its limit: one wild step must not flatten all others.
_HIGHEST = 3.0
_MOST_POINTS = 2000

_SAYS: dict[str, Callable[[list[Step]], str]] = {
    "uncovered": lambda run: (
        f"up to {max(step.uncovered for step in run):.0%} uncovered at once, and the sampler has "
        f"to invent it; over {MOST_UNCOVERED:.0%} it loses the picture. Move slower, or lower diffusion_cadence"
    ),
    "magnified": lambda run: (
        f"magnified up to {_most(step.magnification[1] for step in run)} times in area at once; "
        f"over {number(MOST_MAGNIFIED)} detail goes faster than the sampler brings it back at usual strengths. "
        "Move slower, lower diffusion_cadence, or lower strength there"
    ),
    "moved": lambda run: (
        f"moved by up to {_most(step.motion[1] for step in run)} % of the width at once; over "
        f"{number(MOST_MOTION)} % it jumps. Move slower, or lower diffusion_cadence"
    ),
    "inside": lambda run: (
        "the camera has gone through what the first picture shows there. Stop earlier, or raise near and far"
    ),
    "empty": lambda run: "nothing of the picture before is left in view",
}


def report(found: Forecast) -> str:
    """One line for every span that is off the scale, then the totals; or that nothing is."""
    lines = [f"{_frames(run)}: {_SAYS[kind](run)}." for kind in KINDS for run in found.spans(kind)]
    if not lines:
        lines = ["Nothing is off the scale."]
    count = found.frames.num_frames
    total = f"{count} frame{'s' * (count != 1)}, {len(found.steps) + 1} of them diffused"
    if not found.steps:
        return "\n".join([*lines, f"{total}."])
    open_most = max(found.steps, key=lambda step: step.uncovered)
    grown_most = max(found.steps, key=lambda step: step.magnification[1])
    moved_most = max(found.steps, key=lambda step: step.motion[1])
    lines.append(
        f"{total}. At most in one step: {open_most.uncovered:.1%} uncovered (frame {open_most.target}), magnified "
        f"{grown_most.magnification[1]:.3g} times (frame {grown_most.target}), moved {moved_most.motion[1]:.3g} % of "
        f"the width (frame {moved_most.target})."
    )
    return "\n".join(lines)


def plot_forecast(found: Forecast, size: tuple[int, int] = SIZE) -> Tensor:
    """Three curves over the frames as a core image (1, 3, h, w), with their limits and what is off the scale marked."""
    canvas = Canvas(size)
    compact = size[1] < 480
    letters = 13 if compact else 17
    left, right, bottom = _across(size)
    rows = 3
    high = (bottom - 2) / rows
    last = max(found.frames.num_frames - 1, 1)
    series = (
        ("uncovered %", [100 * step.uncovered for step in found.steps], None, 0.0, 100 * MOST_UNCOVERED, "uncovered"),
        (
            "magnified x",
            _pair(found, "magnification", 1),
            _pair(found, "magnification", 0),
            1.0,
            MOST_MAGNIFIED,
            "magnified",
        ),
        ("moved %", _pair(found, "motion", 1), _pair(found, "motion", 0), 0.0, MOST_MOTION, "moved"),
    )
    for row, (name, values, middle, least, limit, kind) in enumerate(series):
        top, base = row * high + letters + 8, (row + 1) * high - 3
        most = max([limit, *(value for value in values if math.isfinite(value))])
        ceiling = least + min((most - least) * 1.08, (limit - least) * _HIGHEST)
        ceiling = max(ceiling, least + (limit - least) * 1.15)

        def y(
            value: float, least: float = least, ceiling: float = ceiling, top: float = top, base: float = base
        ) -> float:
            share = (min(max(value, least), ceiling) - least) / (ceiling - least)
            return base - (base - top) * share

        canvas.rectangle((left, top, right, base), fill=PANEL)
        for frame in ticks(0, found.frames.num_frames - 1, 4 if compact else 8, whole=True):
            canvas.line([(_x(frame, last, size), top), (_x(frame, last, size), base)], GRID)
        also = ("inside", "empty") if row == 0 else ()
        for mark in (kind, *also):
            for run in found.spans(mark):
                start, end = _x(run[0].source, last, size), _x(run[-1].target, last, size)
                canvas.rectangle((start, top, max(end, start + 2), base), fill=blend(PANEL, ALARM, 0.45))
        _dashes(canvas, left, right, y(limit), blend(PANEL, ALARM, 0.9))
        canvas.text((left - 5, y(limit)), number(limit), letters, anchor="rm")
        targets = [step.target for step in found.steps]
        if middle is not None:
            _curve(canvas, targets, middle, y, last, size, COOL, 1.2)
        _curve(canvas, targets, values, y, last, size, CURVE, 2.0)
        canvas.text((left, top - 4), name, letters, anchor="ls")
        if values:
            most_at = max(range(len(values)), key=lambda item: values[item])
            text = f"most {_short(values[most_at])} at frame {targets[most_at]}"
            canvas.text((right, top - 4), text, letters, blend(BACK, TEXT, 0.75), "rs")
    for frame in ticks(0, found.frames.num_frames - 1, 4 if compact else 8, whole=True):
        anchor = "ls" if frame == 0 else "ms"
        canvas.text((_x(frame, last, size), size[0] - 4), number(frame), letters, anchor=anchor)
    return canvas.picture()


class ForecastVideo(Frames):
    """The simulated frames with the plot below, in which a playhead runs along."""

    def __init__(self, found: Forecast) -> None:
        """Takes the forecast; pictures are made when they are asked for."""
        height, width = found.frames.size
        wide = max(width, _NARROWEST)
        wide += wide % 2
        self._frames = found.frames
        self._plot = plot_forecast(found, (_HEIGHT, wide))[0].movedim(0, -1).contiguous()
        self._off = np.zeros(found.frames.num_frames, bool)
        for step in found.steps:
            if step.off:
                self._off[step.source : step.target + 1] = True
        # H.264 takes even sizes.
        self.size = (height + height % 2 + _HEIGHT, wide)
        self.fps, self.indices, self.num_frames = found.frames.fps, found.frames.indices, found.frames.num_frames

    def __getitem__(self, item: int) -> Tensor:
        frame = self.position(item)
        picture = self._frames[frame][..., :3]
        height, width = picture.shape[:2]
        shown = torch.empty(*self.size, 3)
        shown[:] = torch.tensor(BACK) / 255
        left = (self.size[1] - width) // 2
        shown[:height, left : left + width] = picture
        shown[-_HEIGHT:] = self._plot
        size = (_HEIGHT, self.size[1])
        column = round(_x(frame, max(self.num_frames - 1, 1), size))
        color = ALARM if self._off[frame] else TEXT
        bottom = self.size[0] - _HEIGHT + round(_across(size)[2])
        shown[-_HEIGHT:bottom, max(column - 1, 0) : column + 1] = torch.tensor(color) / 255
        return shown


def _pair(found: Forecast, name: str, item: int) -> list[float]:
    return [getattr(step, name)[item] for step in found.steps]


def _across(size: tuple[int, int]) -> tuple[float, float, float]:
    """The plot's left and right side, and its lower end, in pixels."""
    compact = size[1] < 480
    return (30.0, size[1] - 8.0, size[0] - 18.0) if compact else (46.0, size[1] - 14.0, size[0] - 24.0)


def _x(frame: float, last: int, size: tuple[int, int]) -> float:
    left, right, _ = _across(size)
    return left + (right - left) * frame / last


def _curve(canvas: Canvas, frames: list[int], values: list[float], y, last: int, size, color, width: float) -> None:
    # Of more steps than can be told apart, each part shows its most.
    groups = np.array_split(np.arange(len(frames)), min(len(frames), _MOST_POINTS)) if frames else []
    chosen = [int(group[np.argmax([values[item] for item in group])]) for group in groups]
    points = [(_x(frames[item], last, size), y(values[item])) for item in chosen]
    if len(points) == 1:
        canvas.dot(points[0], 3, color)
    canvas.line(points, color, width)


def _dashes(canvas: Canvas, left: float, right: float, y: float, color) -> None:
    for start in np.arange(left, right, 8.0):
        canvas.line([(start, y), (min(start + 4, right), y)], color)


def _frames(run: list[Step]) -> str:
    first, last = run[0].source, run[-1].target
    return f"Frames {first} to {last}"


def _most(values) -> str:
    return _short(max(values))


def _short(value: float) -> str:
    return number(float(f"{value:.3g}"))
