"""Value schedules: keyframes of numbers and formulas, sampled to one number a frame."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeVar

import numpy as np

from .easing import INTERPOLATIONS, interpolate
from .errors import ExpressionError, ScheduleError, shorten
from .expression import Expression, parse_expression
from .keys import KeyTime, Timing, parse_key
from .scan import scan

log = logging.getLogger("framedrift")

#: What Deforum takes for a number, between which values run linearly. `1e-1` and `1.` are formulas to it, and hold.
NUMBER = re.compile(r"([+-]?)[\s(]*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)[\s)]*")
#: The longest animation that can be sampled; ten million frames are four days at 30 a second.
MAX_FRAMES = 10_000_000

_T = TypeVar("_T")


@dataclass(frozen=True)
class Keyframe:
    """One key of a value schedule: a number, or a formula that holds at every frame until the next key."""

    time: KeyTime
    value: float | Expression
    #: 1-based columns in the schedule's text.
    key_column: int = 1
    value_column: int = 1


@dataclass(frozen=True)
class Schedule:
    """A value over time, as the user wrote it. Equal, and of one hash, where all but `keys` is. Made by
    `parse_schedule`, `as_schedule` or a timeline.

    bpm: what its keys in beats go by. interpolation: how a number goes to the next key, one of INTERPOLATIONS.
    easings: the same key by key, in the order of `keys`, where they differ; "" is `interpolation`.
    """

    text: str
    name: str = ""
    keys: tuple[Keyframe, ...] = field(default=(), compare=False, repr=False)
    bpm: float = 120.0
    interpolation: str = "linear"
    easings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ScheduleError where an interpolation is not known, or easings are not one a key."""
        for given in dict.fromkeys((self.interpolation, *filter(None, self.easings))):
            if given not in INTERPOLATIONS:
                reason = f"interpolation is {given!r}, and must be one of: {', '.join(INTERPOLATIONS)}"
                raise ScheduleError(reason, self.name)
        if self.easings and len(self.easings) != len(self.keys):
            raise ScheduleError(f"{len(self.easings)} easings were given for {len(self.keys)} keys", self.name)

    def sample(self, num_frames: int, seed: int = 0, fps: float = 15.0, bpm: float | None = None) -> np.ndarray:
        """The value at every frame: float64 (num_frames,), finite, the caller's own.

        A number holds at its own frame and runs linearly to the next key; a formula of `t` (frame), `s` (seed) and
        `max_f` (num_frames - 1) holds until the next key. The first key's value holds back to frame 0. Keys outside the
        animation are left out with a warning; where all are, the nearest one's value holds throughout. `fps` places
        keys in seconds and beats, `bpm` those in beats, the schedule's own where None.

        Raises ScheduleError where a formula gives no finite number (it names the frame), or num_frames, fps or bpm are
        out of range.
        """
        timing = _checked_timing(num_frames, seed, fps, self.bpm if bpm is None else bpm, self.name)
        easings = self.easings or (self.interpolation,) * len(self.keys)
        placed = _placed(
            [
                (key.time, key.key_column, (key, easing or self.interpolation))
                for key, easing in zip(self.keys, easings, strict=True)
            ],
            timing,
            self.name,
        )
        positions = np.array([position for position, _ in placed])
        begins = np.ceil(positions).astype(np.int64)
        ends = np.append(begins[1:], num_frames)
        anchors = np.empty(len(placed))
        shapes: list[str] = []
        spans: list[tuple[int, int, np.ndarray]] = []
        for i, (_, (key, easing)) in enumerate(placed):
            begin = int(begins[i])
            if isinstance(key.value, Expression):
                # A key outside is here only where there is no other: its value at its own frame counts then.
                end = max(int(ends[i]), begin + 1) if 0 <= begin < num_frames else begin + 1
                values = self._formula(key, key.value, np.arange(begin, end, dtype=np.int64), timing)
                anchors[i] = values[0]
                spans.append((begin, int(ends[i]), values))
                shapes.append("hold")
            else:
                anchors[i] = key.value
                shapes.append(easing)
        with np.errstate(all="ignore"):
            sampled = interpolate(np.arange(num_frames), positions, anchors, shapes)
        for begin, end, values in spans:
            if 0 <= begin < num_frames:
                sampled[begin:end] = values[: end - begin]
        finite = np.isfinite(sampled)
        if not finite.all():
            frame = int(np.argmin(finite))
            raise ScheduleError(f"the way from key to key is too steep for a number at frame {frame}", self.name)
        return sampled

    def keyframes(self, num_frames: int, seed: int = 0, fps: float = 15.0, bpm: float | None = None) -> list[int]:
        """The frames of its keys within the animation, ascending, each once. Raises as `sample` does."""
        timing = _checked_timing(num_frames, seed, fps, self.bpm if bpm is None else bpm, self.name)
        try:
            placed = {key.time.frame(timing) for key in self.keys}
        except ExpressionError as error:
            raise ScheduleError(error.reason, self.name) from error
        return sorted(frame for frame in placed if 0 <= frame < num_frames)

    def _formula(self, key: Keyframe, formula: Expression, frames: np.ndarray, timing: Timing) -> np.ndarray:
        try:
            return formula.sample(frames, timing.seed, timing.max_f)
        except ExpressionError as error:
            raise ScheduleError(error.reason, self.name, key.time.text, key.value_column) from error


@dataclass(frozen=True)
class StringSchedule:
    """Names over time (samplers, checkpoints), each held until the next key. Made by `parse_string_schedule`."""

    text: str
    name: str = ""
    keys: tuple[tuple[KeyTime, int, str], ...] = field(default=(), compare=False, repr=False)

    def sample(self, num_frames: int, seed: int = 0, fps: float = 15.0, bpm: float = 120.0) -> list[str]:
        """The name at every frame. The first key's name holds back to frame 0. Raises as Schedule does."""
        timing = _checked_timing(num_frames, seed, fps, bpm, self.name)
        placed = _placed(list(self.keys), timing, self.name)
        ends = [*(math.ceil(position) for position, _ in placed[1:]), num_frames]
        names: list[str] = []
        for (_, value), end in zip(placed, ends, strict=True):
            names += [value] * (end - len(names))
        return names


def parse_schedule(text: str, name: str = "", interpolation: str = "linear") -> Schedule:
    """Reads a value schedule.

    Args:
        text: `0:(1.0), 30:(sin(t/10))`, a number, or one formula. Quotes, brackets and a trailing comma are optional;
            keys may be frames, seconds (`2.5s`), beats (`8b`), shares of the animation (`50%`) and formulas of `max_f`
            and `s`; the last of two equal keys wins.
        name: what messages call it.
        interpolation: how a number goes to the next key, one of INTERPOLATIONS.

    Raises:
        ScheduleError: names the schedule, the key and the column.
    """
    parsed = _parsed(_text(text, name), name)
    return parsed if interpolation == parsed.interpolation else replace(parsed, interpolation=interpolation)


def parse_string_schedule(text: str, name: str = "") -> StringSchedule:
    """Reads a schedule of names, `0: ("Euler a"), 30: ("DPM++ 2M")`; brackets within a name survive.

    Raises ScheduleError as `parse_schedule` does.
    """
    return _parsed_names(_text(text, name), name)


@lru_cache(maxsize=512)
def _parsed(text: str, name: str) -> Schedule:
    keys = []
    for entry in scan(text, name):
        time = _parse_key(entry.key, name, entry.key_at)
        value = _parse_value(entry.value, entry.key, entry.value_at, name)
        keys.append(Keyframe(time, value, entry.key_at + 1, entry.value_at + 1))
    return Schedule(text, name, tuple(keys))


@lru_cache(maxsize=128)
def _parsed_names(text: str, name: str) -> StringSchedule:
    entries = scan(text, name, plain=True)
    keys = [(_parse_key(entry.key, name, entry.key_at), entry.key_at + 1, entry.value) for entry in entries]
    return StringSchedule(text, name, tuple(keys))


def _text(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise ScheduleError(f"a schedule is a text such as 0:(1.0), 30:(2.0), not {type(text).__name__}", name)
    return text


def _parse_key(text: str, name: str, at: int) -> KeyTime:
    try:
        return parse_key(text)
    except ExpressionError as error:
        raise ScheduleError(error.reason, name, text, at + (error.column or 1)) from error


def _parse_value(text: str, key: str, at: int, name: str) -> float | Expression:
    try:
        if (number := NUMBER.fullmatch(text)) and text.count("(") == text.count(")"):
            value = float(number[1] + number[2])
            if not np.isfinite(value):
                raise ExpressionError("this number is too large", 1)
            return value
        return parse_expression(text)
    except ExpressionError as error:
        raise ScheduleError(error.reason, name, key, at + (error.column or 1)) from error


def _checked_timing(num_frames: int, seed: int, fps: float, bpm: float, name: str) -> Timing:
    if not 1 <= num_frames <= MAX_FRAMES:
        raise ScheduleError(f"num_frames is {num_frames}, and must be between 1 and {MAX_FRAMES}", name)
    for what, rate in (("fps", fps), ("bpm", bpm)):
        if not 0 < rate < float("inf"):
            raise ScheduleError(f"{what} is {rate}, and must be more than 0", name)
    return Timing(int(num_frames), int(seed), float(fps), float(bpm))


def _placed(keys: Sequence[tuple[KeyTime, int, _T]], timing: Timing, name: str) -> list[tuple[float, _T]]:
    """(position, value) of every key within the animation, ascending; the last of equal ones. Never empty."""
    everything: dict[float, tuple[KeyTime, _T]] = {}
    for time, column, value in keys:
        try:
            everything[time.position(timing)] = (time, value)
        except ExpressionError as error:
            raise ScheduleError(error.reason, name, time.text, column) from error
    inside = {position: entry for position, entry in everything.items() if 0 <= position <= timing.max_f}
    outside = [position for position in everything if position not in inside]
    if outside:
        first = outside[0]
        more = f" (and {len(outside) - 1} more)" if len(outside) > 1 else ""
        log.warning(
            "%s: key %s is frame %.0f, outside the animation's frames 0 to %d, and is left out%s.",
            name or "Schedule", shorten(everything[first][0].text), first, timing.max_f, more,
        )  # fmt: skip
    if not inside:
        after = [position for position in outside if position >= 0]
        inside = {(nearest := min(after) if after else max(outside)): everything[nearest]}
    return sorted(((position, value) for position, (_, value) in inside.items()), key=lambda placed: placed[0])
