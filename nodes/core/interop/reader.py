"""One pass over the keys of a settings file: each is checked, put where it belongs, and told of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import FramedriftError
from ..feedback.plan import BOUNDS
from ..schedule import Schedule, as_schedule
from .defaults import DEFAULTS
from .model import APPROXIMATED, MAPPED, InteropError, Log, number, schedule_from_values, told, whole, written

#: Schedules that are refused beyond their bounds; the others are limited to them, as in the original.
_STRICT = ("steps_schedule", "cfg_scale_schedule", "noise_schedule")


class Reader:
    """One pass over the keys: each is checked, put where it belongs, and told of in the log."""

    def __init__(self, values: dict[str, Any], log: Log, defaults: Mapping[str, Any], complete: bool):
        self.values, self.log, self.defaults, self.complete = values, log, defaults, complete
        self.settings: dict[str, Any] = {}
        self.num_frames, self.fps, self.seed = 1, 15.0, 0

    def get(self, key: str) -> Any:
        """The file's value, or what its absence or null stands for."""
        value = self.values.get(key)
        return self.defaults.get(key, DEFAULTS.get(key)) if value is None else value

    def wanted(self, *keys: str) -> bool:
        """Whether a setting made of these keys goes into the settings."""
        return self.complete or any(key in self.values for key in keys)

    def say(self, key: str, status: str, sentence: str) -> None:
        """An entry for a key of the file; the first word stands."""
        if key in self.values:
            self.log.add(key, status, sentence)

    def whole(self, key: str, low: float, high: float) -> int:
        """A whole number within bounds."""
        found = whole(self.get(key), key, low, high)
        self.say(key, MAPPED, f"it is {found}.")
        return found

    def number(self, key: str, low: float, high: float) -> float:
        """A number within bounds."""
        found = number(self.get(key), key, low, high)
        self.say(key, MAPPED, f"it is {found:g}.")
        return found

    def side(self, key: str) -> int:
        """Width or height, cut to a multiple of 8."""
        asked = whole(self.get(key), key, 64, 8192)
        found = asked - asked % 8
        cut = asked != found
        self.say(
            key, MAPPED, f"it is {found}" + (f", {asked} cut to a multiple of 8 as in the original." if cut else ".")
        )
        return found

    def choice(self, key: str, choices: Mapping[Any, Any]) -> Any:
        """What one of the allowed values stands for."""
        value = self.get(key)
        if not isinstance(value, str | bool | None) or value not in choices:
            listed = ", ".join(str(choice) for choice in choices)
            raise InteropError(f"it is {told(value)}, and must be one of: {listed}.", key)
        return choices[value]

    # ---------------------------------------------------------------- schedules

    def schedule(self, key: str) -> Schedule:
        """A schedule out of a text, a number or a schedule."""
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float | Schedule):
            raise InteropError(f"it is {told(value)}, and must be a schedule such as 0:(1.0), 30:(2.0).", key)
        if isinstance(value, int | float):
            value = f"0:({written(number(value, key))})"
        return as_schedule(value, key)

    def sampled(self, schedule: Schedule) -> np.ndarray:
        """Its value at every frame."""
        return schedule.sample(self.num_frames, self.seed, self.fps)

    def set_schedule(self, key: str, name: str | None = None) -> None:
        """Into the settings, limited or refused where the sampler would refuse it."""
        name = name or key
        if not self.wanted(key):
            return
        schedule = self.schedule(key)
        values = self.sampled(schedule)
        low, high = BOUNDS.get(name, (0, 1)) if "seed_schedule" not in name else (-np.inf, np.inf)
        outside = np.flatnonzero((values < low) | (values > high))
        if outside.size and name in _STRICT:
            frame = int(outside[0])
            raise InteropError(f"it is {values[frame]:g} at frame {frame}, and must lie between {low} and {high}.", key)
        if outside.size:
            schedule = schedule_from_values(np.clip(values, low, high), name)
            self.say(
                key, APPROXIMATED, f"limited to {low} to {high}, as the original does: frame {outside[0]} left it."
            )
        self.settings[name] = _portable(schedule)
        self.say(key, MAPPED, "the sampler's schedule of this name." if name == key else f"the sampler's {name}.")


def _portable(schedule: Schedule) -> str | Schedule:
    """The schedule's text where it says all of it, as if it had been typed; else the schedule itself."""
    if schedule.bpm != 120.0:
        return schedule
    try:
        return schedule.text if as_schedule(schedule.text, schedule.name) == schedule else schedule
    except FramedriftError:
        return schedule
