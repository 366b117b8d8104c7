"""How a value goes from one key to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: The ways from a number to the next key. A formula holds whatever its key says.
INTERPOLATIONS = ("linear", "hold", "ease_in", "ease_out", "ease_in_out", "cubic")

_EASES = {
    "hold": np.zeros_like,
    "ease_in": lambda u: u * u,
    "ease_out": lambda u: u * (2.0 - u),
    "ease_in_out": lambda u: u * u * (3.0 - 2.0 * u),
}


def interpolate(frames: np.ndarray, positions: np.ndarray, values: np.ndarray, easings: Sequence[str]) -> np.ndarray:
    """The curve through (positions, values) at `frames`, float64.

    positions ascend strictly; easings has one of INTERPOLATIONS for each, which shapes the way to the next. Before the
    first and after the last position their values hold. A run of "cubic" segments is one monotone curve.
    """
    curve = np.interp(frames, positions, values)
    used = set(easings[:-1]) - {"linear"}
    if not used:
        return curve
    segment = np.searchsorted(positions, frames, side="right") - 1
    inside = (segment >= 0) & (segment < len(positions) - 1)
    eased = np.asarray(easings)
    for easing in sorted(used):
        chosen = inside & (eased[segment] == easing)
        at = segment[chosen]
        width = positions[at + 1] - positions[at]
        u = (frames[chosen] - positions[at]) / width
        if easing == "cubic":
            starts, ends = _cubic_slopes(positions, values, easings)
            curve[chosen] = _hermite(u, width, values[at], values[at + 1], starts[at], ends[at])
        else:
            curve[chosen] = values[at] + (values[at + 1] - values[at]) * _EASES[easing](u)
    return curve


def monotone_slopes(positions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The slope at every point of a cubic that rises and falls only where the points do, float64 of the same length.

    After Fritsch and Carlson, "Monotone piecewise cubic interpolation" (1980), with their circle of radius 3; one-sided
    slopes at the ends. ComfyUI's CURVE is drawn by the same rule.
    """
    secants = np.diff(values) / np.diff(positions)
    inner = (secants[:-1] + secants[1:]) / 2.0
    # Compared by sign: the product of two small slopes would vanish.
    inner[np.sign(secants[:-1]) * np.sign(secants[1:]) <= 0] = 0.0
    slopes = [float(slope) for slope in np.concatenate([secants[:1], inner, secants[-1:]])]
    for i, secant in enumerate(secants.tolist()):
        if secant == 0.0:
            slopes[i] = slopes[i + 1] = 0.0
            continue
        alpha, beta = slopes[i] / secant, slopes[i + 1] / secant
        radius = float(np.hypot(alpha, beta))
        if radius > 3.0:
            slopes[i], slopes[i + 1] = 3.0 / radius * alpha * secant, 3.0 / radius * beta * secant
    return np.array(slopes)


def _cubic_slopes(positions: np.ndarray, values: np.ndarray, easings: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The slopes at the start and at the end of every segment; only those of cubic ones mean something."""
    starts, ends = np.zeros(len(positions)), np.zeros(len(positions))
    begin = 0
    while begin < len(positions) - 1:
        end = begin
        while end < len(positions) - 1 and easings[end] == "cubic":
            end += 1
        if end > begin:
            slopes = monotone_slopes(positions[begin : end + 1], values[begin : end + 1])
            starts[begin:end], ends[begin:end] = slopes[:-1], slopes[1:]
        begin = max(end, begin + 1)
    return starts, ends


def _hermite(
    u: np.ndarray, width: np.ndarray, left: np.ndarray, right: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    square, cube = u * u, u * u * u
    return (
        (2 * cube - 3 * square + 1) * left
        + (cube - 2 * square + u) * width * start
        + (3 * square - 2 * cube) * right
        + (cube - square) * width * end
    )
