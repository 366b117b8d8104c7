"""A camera's path as a small picture: what every camera node shows."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import COOL, CURVE, GRID, PANEL, TEXT, ZERO, Canvas, blend, number
from .pose import UNITS, inverse_rigid
from .track import Track2D, Track3D

if TYPE_CHECKING:
    import torch

#: (h, w) in pixels.
SIZE = (288, 480)
_FONT, _SMALL = 19, 16
_TOP, _BOTTOM, _GAP = 28, 30, 4
# A frustum's edges, and the room that is left for it around the path, in pixels.
_FRUSTUM, _FAN = 26.0, 70.0
_FRUSTA = 6
# Lines have no more points than can be told apart.
_MOST_POINTS = 1200
# Scene units under which a path is a point: what rounding leaves of a camera that only turns.
_POINT = 1e-6
# How many times the picture's size is shown of a motion in the plane, to each side, before it leaves the view.
_REACH = 8.0

Panel = tuple[float, float, float, float]


def plot_path(track: Track2D | Track3D, fps: float = 15.0, note: str = "") -> torch.Tensor:
    """Where a camera goes, as a core image (1, 3, 288, 480), from blue at the start to yellow at the end.

    In space: from above (x to the right, z up) and from the side (z to the right, y up), in one scale, with the view's
    direction and opening at some of the frames. In the plane: where the frame's window lies on the first picture.

    Args:
        track: the camera.
        fps: frames per second, which is only written down.
        note: some words on the length, such as that it is assumed.
    """
    canvas = Canvas(SIZE)
    count = f"{len(track)} frame{'s' * (len(track) != 1)}"
    canvas.text((6, SIZE[0] - 6), f"{count}, {number(fps)} fps{note and f', {note}'}", _SMALL, anchor="ls")
    if isinstance(track, Track3D):
        _in_space(canvas, track)
    else:
        _in_the_plane(canvas, track)
    return canvas.picture()


def plot_notice(text: str) -> torch.Tensor:
    """A picture of the same size that says why there is no path, in a few lines."""
    canvas = Canvas(SIZE)
    canvas.rectangle((0, 0, SIZE[1], SIZE[0]), fill=PANEL)
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and canvas.width_of(longer, _FONT) > SIZE[1] - 32:
            lines.append(line)
            longer = word
        line = longer
    shown = [*lines, line]
    if len(shown) > 9:
        shown = [*shown[:8], f"{shown[8]} ..."]
    for row, words in enumerate(shown):
        canvas.text((16, SIZE[0] / 2 + (row - (len(shown) - 1) / 2) * 27), words, _FONT, anchor="lm")
    return canvas.picture()


def _in_space(canvas: Canvas, track: Track3D) -> None:
    height, width = SIZE
    middle = width / 2
    panels: tuple[Panel, Panel] = (
        (0, _TOP, middle - _GAP / 2, height - _BOTTOM),
        (middle + _GAP / 2, _TOP, width, height - _BOTTOM),
    )
    for panel, title in zip(panels, ("from above", "from the side"), strict=True):
        canvas.rectangle(panel, fill=PANEL)
        canvas.text((panel[0] + 6, _TOP - 6), title, _FONT, anchor="ls")
    with np.errstate(all="ignore"):
        poses = inverse_rigid(track.views)
    shown = poses[np.isfinite(poses).all((1, 2)) & (np.abs(poses[:, :3, 3]).max(1) < 1e100)]
    if not len(shown):
        canvas.text((middle, height / 2), "too far away to be drawn", _FONT, anchor="mm")
        return
    # (F, 3) as x, y up, z.
    path = shown[:, :3, 3] * (1, -1, 1)
    low, high = path.min(0), path.max(0)
    span = high - low
    moves = span.max() > _POINT
    turns = not np.allclose(shown[:, :3, :3], shown[:1, :3, :3], atol=1e-4, rtol=0)
    fovs = track.fov_deg[[0, *_chosen(len(track), _FRUSTA)]]
    zooms = float(np.ptp(fovs)) > 1e-6
    length = _FRUSTUM if moves else _FAN
    room = (panels[0][2] - panels[0][0] - 2 * length - 8, panels[0][3] - panels[0][1] - 2 * length - 8)
    # Both panels are as wide, and the side view lies on its z.
    scale = min(room[0] / max(span[0], span[2], _POINT), room[1] / max(span[2], span[1], _POINT))
    center = (low + high) / 2
    frames = np.unique(_chosen(len(shown), _FRUSTA if moves else 2 * _FRUSTA)) if moves or turns or zooms else [0]
    for panel, (across, up) in zip(panels, ((0, 2), (2, 1)), strict=True):
        to_panel = _placing(panel, center, scale if moves else 1.0, across, up)
        places = to_panel(path)
        if moves:
            _timed_line(canvas, places, panel)
        taken = [places[_sampled(len(places))]]
        for frame in frames:
            lines = _frustum(shown[frame], float(track.fov_deg[frame]), length, (across, up), places[frame])
            for line in lines:
                canvas.line(line, _at(frame, len(shown)), 1.2, panel)
            taken.append(np.linspace(lines[:, 0], lines[:, 1], 9).reshape(-1, 2))
        if moves:
            canvas.dot(_pair(places[-1]), 5, CURVE)
        canvas.dot(_pair(places[0]), 5, COOL)
        if moves:
            _numbers(canvas, places[[0, -1]], len(shown) - 1, np.concatenate(taken), panel)
    if moves:
        _scale_bar(canvas, scale)
    else:
        word = "turns on the spot" if turns else "zooms on the spot" if zooms else "still"
        canvas.text((width - 6, height - 6), word, _SMALL, CURVE, "rs")


def _placing(panel: Panel, center: np.ndarray, scale: float, across: int, up: int):
    """A function from places (..., 3) in the scene, y up, to pixels (..., 2) of a panel."""
    middle = ((panel[0] + panel[2]) / 2, (panel[1] + panel[3]) / 2)

    def place(points: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            moved = (points - center) * scale
        return np.stack([middle[0] + moved[..., across], middle[1] - moved[..., up]], -1)

    return place


def _frustum(pose: np.ndarray, fov_deg: float, length: float, axes: tuple[int, int], start: np.ndarray) -> np.ndarray:
    """The eight lines (8, 2, 2) of the pyramid that a camera at pixel `start` sees, its edges `length` pixels long."""
    half = math.tan(math.radians(fov_deg) / 2)
    corners = np.array([(x * half, y * half, 1.0) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    # A wide lens's corners would lie anywhere; along its edges a pyramid of any opening has one length.
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    rays = (corners @ pose[:3, :3].T) * (1, -1, 1) * length
    ends = start + np.stack([rays[:, axes[0]], -rays[:, axes[1]]], -1)
    sides = [(start, end) for end in ends]
    return np.array([*sides, *pairwise([*ends, ends[0]])])


def _numbers(canvas: Canvas, places: np.ndarray, last: int, taken: np.ndarray, panel: Panel) -> None:
    """The first and the last frame's numbers, each beside its place where least is drawn.

    Args:
        canvas: what to write on.
        places: (2, 2), the two places in pixels.
        last: the last frame.
        taken: (n, 2), pixels at which something is drawn.
        panel: where they have to stay.
    """
    for place, text, color in zip(places, ("0", str(last)), (COOL, CURVE), strict=True):
        wide = canvas.width_of(text, _FONT) / 2 + 3
        spots = []
        for eighth in range(8):
            x, y = math.cos(eighth * math.pi / 4), math.sin(eighth * math.pi / 4)
            spot = place + np.array([round(x, 3) * (wide + 8), round(y, 3) * 19])
            spots.append(np.clip(spot, (panel[0] + wide, panel[1] + 11), (panel[2] - wide, panel[3] - 11)))
        hit = [int((np.abs(taken - spot) < (wide, 11)).all(1).sum()) for spot in spots]
        best = spots[int(np.argmin(hit))]
        canvas.text(_pair(best), text, _FONT, color, "mm")
        around = np.stack(np.meshgrid(np.linspace(-wide, wide, 7), np.linspace(-9, 9, 7)), -1).reshape(-1, 2)
        taken = np.concatenate([taken, np.repeat(best + around, 9, 0)])


def _scale_bar(canvas: Canvas, scale: float) -> None:
    """A length that is a round number of Deforum units, and how many."""
    per_unit = scale / UNITS
    power = 10.0 ** math.floor(math.log10(70 / per_unit))
    units = power * max(factor for factor in (1, 2, 5, 10) if factor * power * per_unit <= 70.001 or factor == 1)
    right, base = SIZE[1] - 8, SIZE[0] - 12
    text = f"{number(float(f'{units:.3g}'))} unit{'s' * (units != 1)}"
    left = right - units * per_unit
    canvas.line([(left, base), (right, base)], TEXT, 2)
    for x in (left, right):
        canvas.line([(x, base - 5), (x, base + 5)], TEXT, 2)
    canvas.text((left - 6, SIZE[0] - 6), text, _SMALL, anchor="rs")


def _in_the_plane(canvas: Canvas, track: Track2D) -> None:
    height, width = SIZE
    panel: Panel = (0, _TOP, width, height - _BOTTOM)
    canvas.rectangle(panel, fill=PANEL)
    canvas.text((6, _TOP - 6), "the frame on the first picture", _FONT, anchor="ls")
    h, w = track.size
    usable = np.isfinite(track.matrices).all((1, 2))
    backs = [(frame, _undone(track.matrices[frame])) for frame in np.flatnonzero(usable)[_sampled(usable.sum())]]
    backs = [(int(frame), back) for frame, back in backs if back is not None]
    corners = np.array([(0, 0, 1), (w, 0, 1), (w, h, 1), (0, h, 1)], float) - (0.5, 0.5, 0)
    middle, most = np.array([w / 2, h / 2]), _REACH * max(h, w)
    chosen = {backs[item][0]: backs[item][1] for item in _chosen(len(backs), _FRUSTA)} if backs else {}
    outlines = {frame: _outline(corners, back) for frame, back in chosen.items()}
    reach = np.concatenate([corners[:, :2], *(np.reshape(lines, (-1, 2)) for lines in outlines.values())])
    reach = np.clip(reach, middle - most, middle + most)
    low, high = reach.min(0), reach.max(0)
    scale = min((width - 40) / (high[0] - low[0]), (panel[3] - panel[1] - 24) / (high[1] - low[1]))
    at = np.array([width / 2, (panel[1] + panel[3]) / 2])

    def to_panel(points: np.ndarray) -> np.ndarray:
        return at + (points - (low + high) / 2) * scale

    first = to_panel(corners[:, :2])
    canvas.rectangle((*_pair(first[0]), *_pair(first[2])), fill=GRID, outline=ZERO)
    for frame, lines in outlines.items():
        color = _at(frame, len(track))
        for line in lines:
            canvas.line(to_panel(line), color, 2 if frame in (0, len(track) - 1) else 1.2, panel)
    centers = np.array([_through(back, np.array([(w - 1) / 2, (h - 1) / 2, 1.0])) for _, back in backs]).reshape(-1, 2)
    centers = to_panel(centers[np.isfinite(centers).all(1)])
    if len(centers):
        _timed_line(canvas, centers, panel)
        canvas.dot(_pair(centers[-1]), 5, CURVE)
        canvas.dot(_pair(centers[0]), 5, COOL)
    still = all(track.at_rest(0, frame) for frame, _ in backs)
    word = "still" if still else _size_word(track.matrices[-1], (w / 2, h / 2))
    canvas.text((width - 6, height - 6), word, _SMALL, CURVE, "rs")


def _undone(matrix: np.ndarray) -> np.ndarray | None:
    try:
        back = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return None
    return back if np.isfinite(back).all() else None


def _outline(corners: np.ndarray, back: np.ndarray) -> list[np.ndarray]:
    """The frame's four edges (2, 2) where they lie on the first picture, as far as they are before the horizon."""
    with np.errstate(all="ignore"):
        moved = corners @ back.T
    least = 1e-3 * float(np.abs(moved[:, 2]).max())
    lines = []
    for start, end in pairwise([*moved, moved[0]]):
        ends = []
        for one, other in ((start, end), (end, start)):
            crosses = one[2] < least < other[2]
            ends.append(one + (other - one) * ((least - one[2]) / (other[2] - one[2])) if crosses else one)
        if min(ends[0][2], ends[1][2]) >= least * 0.999 > 0:
            lines.append(np.stack([place[:2] / place[2] for place in ends]))
    return [line for line in lines if np.isfinite(line).all()]


def _through(matrix: np.ndarray, place: np.ndarray) -> np.ndarray:
    x, y, weight = matrix @ place
    return np.array([x / weight, y / weight]) if weight > 1e-12 else np.full(2, np.nan)


def _size_word(matrix: np.ndarray, center: tuple[float, float]) -> str:
    """How much larger the picture's middle is at the end."""
    weight = float(matrix[2] @ (*center, 1.0))
    area = abs(float(np.linalg.det(matrix))) / abs(weight) ** 3 if weight else math.inf
    return f"zoom {number(float(f'{math.sqrt(area):.3g}'))}x" if math.isfinite(area) else ""


def _timed_line(canvas: Canvas, places: np.ndarray, panel: Panel) -> None:
    items = _sampled(len(places))
    for start, end in pairwise(items):
        color = _at((start + end) / 2, len(places))
        canvas.line([places[start], places[end]], color, 2.5, panel)


def _sampled(length: int) -> np.ndarray:
    return _chosen(length, _MOST_POINTS)


def _chosen(length: int, most: int) -> np.ndarray:
    """At most so many items, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(int)) if length else np.array([], int)


def _at(frame: float, length: int) -> tuple[int, int, int]:
    return blend(COOL, CURVE, frame / max(length - 1, 1))


def _pair(place: np.ndarray) -> tuple[float, float]:
    return float(place[0]), float(place[1])
