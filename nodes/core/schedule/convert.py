"""Whatever a schedule input may be given, as a `Schedule`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .curve import Keyframe, Schedule, parse_schedule
from .errors import ScheduleError
from .keys import KeyTime, parse_key

# How finely a curve is read that is none of points and a known way between them.
_CURVE_STEPS = 1024
_WAYS = {"linear": "linear", "monotone_cubic": "cubic"}


def as_schedule(value: Any, name: str = "") -> Schedule:
    """A schedule out of whatever stands for a value over time.

    Args:
        value: a Schedule; schedule text; a number; one number a frame (list, array, tensor); a series as pandas has it
            (its index are the frames, gaps and missing numbers are run through linearly); or ComfyUI's CURVE, whose x
            from 0 to 1 is the whole animation and whose y is the value.
        name: what messages call it. A Schedule comes back under it too, so that they speak of the input that it is
            used for.

    The last number of a list or series holds on where the animation is longer. Raises ScheduleError naming `name`.
    """
    if isinstance(value, Schedule):
        return value if value.name == name or not name else replace(value, name=name)
    if isinstance(value, str):
        return parse_schedule(value, name)
    if hasattr(value, "interp_array") or (isinstance(value, dict) and "points" in value):
        return _from_curve(value, name)
    # A list has an `index` too, and a dictionary `values`, but those are methods.
    if hasattr(value, "values") and not callable(getattr(value, "index", len)):
        return _from_series(value, name)
    numbers = _numbers(value, name)
    if numbers.ndim == 0:
        return parse_schedule(written(float(numbers)), name)
    return _from_keys(list(range(len(numbers))), numbers, name)


def written(number: float) -> str:
    """The number as schedules take it for one: with a point and never with an exponent; it reads back the same."""
    plain = repr(float(number))
    return np.format_float_positional(number, unique=True, trim="0") if "e" in plain else plain


def _from_keys(frames: list[int], values: np.ndarray, name: str) -> Schedule:
    keys = tuple(
        Keyframe(KeyTime(str(frame), float(frame)), value) for frame, value in zip(frames, values.tolist(), strict=True)
    )
    text = ", ".join(f"{key.time.text}:({written(float(value))})" for key, value in zip(keys, values, strict=True))
    return Schedule(text, name, keys)


def _from_series(series: Any, name: str) -> Schedule:
    values = series.to_numpy() if callable(getattr(series, "to_numpy", None)) else series.values
    try:
        numbers = np.asarray(values, np.float64)
        index = np.asarray(series.index, np.float64)
    except (TypeError, ValueError) as error:
        raise ScheduleError("a series must have numbers, and frames for its index", name) from error
    if numbers.ndim != 1 or index.shape != numbers.shape:
        raise ScheduleError("one number a frame is wanted, not a table", name)
    known = ~np.isnan(numbers)
    if not known.any():
        raise ScheduleError("the series has no number at all", name)
    if not (np.isfinite(index).all() and (index == np.floor(index)).all() and (np.abs(index) < 2**31).all()):
        raise ScheduleError("a series must have frames (whole numbers) for its index", name)
    frames, numbers = index[known].astype(np.int64).tolist(), numbers[known]
    if np.isinf(numbers).any():
        frame = frames[int(np.argmax(np.isinf(numbers)))]
        raise ScheduleError(f"the value at frame {frame} is not a finite number", name, str(frame))
    return _from_keys(frames, numbers, name)


def _from_curve(curve: Any, name: str) -> Schedule:
    """By its points where they and a known way between them give the same values, else by many of its values."""
    if isinstance(curve, dict):
        return _from_points(curve["points"], str(curve.get("interpolation", "monotone_cubic")), name)
    x = np.linspace(0.0, 1.0, _CURVE_STEPS + 1)
    wanted = _finite_curve(lambda: curve.interp_array(x), name)
    points = list(getattr(curve, "points", ()))
    for way in _WAYS if points else ():
        schedule = _from_points(points, way, name)
        # x at frame numbers: with _CURVE_STEPS + 1 frames, frame k is x = k / _CURVE_STEPS.
        if np.allclose(schedule.sample(_CURVE_STEPS + 1), wanted, rtol=1e-5, atol=1e-6 * (1 + np.abs(wanted).max())):
            return schedule
    return _from_points(list(zip(x.tolist(), wanted.tolist(), strict=True)), "linear", name)


def _from_points(points: Any, way: str, name: str) -> Schedule:
    if way not in _WAYS:
        raise ScheduleError(f"a curve's interpolation is {way!r}, and must be one of: {', '.join(_WAYS)}", name)
    table = _finite_curve(lambda: sorted((float(x), float(y)) for x, y in points), name)
    if table.ndim != 2 or not len(table):
        raise ScheduleError("a curve has at least one point (x, y)", name)
    # Behind x = 1 nothing is left of the animation, and a key there would be left out.
    places = [parse_key(f"{written(round(x * 100.0, 10))}%") for x in np.clip(table[:, 0], 0.0, 1.0).tolist()]
    keys = tuple(Keyframe(place, y) for place, y in zip(places, table[:, 1].tolist(), strict=True))
    text = ", ".join(f"{key.time.text}:({written(float(y))})" for key, y in zip(keys, table[:, 1], strict=True))
    return Schedule(text, name, keys, interpolation=_WAYS[way])


def _finite_curve(read: Callable[[], Any], name: str) -> np.ndarray:
    try:
        values = np.asarray(read(), np.float64)
    except (TypeError, ValueError) as error:
        raise ScheduleError("a curve's points are pairs of numbers (x, y), x from 0 to 1", name) from error
    if not np.isfinite(values).all():
        raise ScheduleError("a curve's points must be finite numbers", name)
    return values


def _numbers(value: Any, name: str) -> np.ndarray:
    # Tensors may lie on another device, and as bfloat16, which numpy does not know.
    plain = value.detach().cpu().double().numpy() if hasattr(value, "detach") else value
    plain = plain.to_numpy() if callable(getattr(plain, "to_numpy", None)) else plain
    if isinstance(plain, bool) or plain is None:
        raise ScheduleError(f"{plain} is no schedule; give a number or a text such as 0:(1.0), 30:(2.0)", name)
    try:
        numbers = np.asarray(plain, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        kind = type(value).__name__
        raise ScheduleError(f"a {kind} is no schedule; give a text, a number, or one number a frame", name) from error
    if numbers.ndim > 1 and numbers.size == max(numbers.shape):
        numbers = numbers.reshape(-1)
    if numbers.ndim > 1 or numbers.size == 0:
        raise ScheduleError(f"one number a frame is wanted, not a table of shape {numbers.shape}", name)
    finite = np.isfinite(numbers)
    if not finite.all():
        frame = int(np.argmin(finite)) if numbers.ndim else 0
        raise ScheduleError(f"the value at frame {frame} is not a finite number", name, str(frame))
    return numbers
