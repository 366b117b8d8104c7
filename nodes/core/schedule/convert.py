"""Whatever a schedule input may be given, as a `Schedule`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .curve import Keyframe, Schedule, parse_schedule
from .errors import ScheduleError
from .keys import KeyTime


def as_schedule(value: Any, name: str = "") -> Schedule:
    """A schedule out of a Schedule, schedule text, a number, or one number a frame (list, array or tensor).

    A Schedule comes back under `name`, so that messages speak of the input that it is used for. The last of a list's
    numbers holds on where the animation is longer. Raises ScheduleError naming `name`.
    """
    if isinstance(value, Schedule):
        return value if value.name == name or not name else replace(value, name=name)
    if isinstance(value, str):
        return parse_schedule(value, name)
    numbers = _numbers(value, name)
    if numbers.ndim == 0:
        return parse_schedule(_written(float(numbers)), name)
    values = numbers.tolist()
    keys = tuple(Keyframe(KeyTime(str(frame), float(frame)), value) for frame, value in enumerate(values))
    text = ", ".join(f"{frame}:({_written(value)})" for frame, value in enumerate(values))
    return Schedule(text, name, keys)


def _numbers(value: Any, name: str) -> np.ndarray:
    # Tensors may lie on another device, and as bfloat16, which numpy does not know.
    plain = value.detach().cpu().double().numpy() if hasattr(value, "detach") else value
    if isinstance(plain, bool) or plain is None:
        raise ScheduleError(f"{plain} is no schedule; give a number or a text such as 0:(1.0), 30:(2.0)", name)
    try:
        numbers = np.asarray(plain, np.float64)
    except (TypeError, ValueError) as error:
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


def _written(number: float) -> str:
    """The number as schedules take it for one: with a point and never with an exponent; it reads back the same."""
    plain = repr(number)
    return np.format_float_positional(number, unique=True, trim="0") if "e" in plain else plain
