"""What an import gives: the animation, its sampler settings, and a report on every key."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..camera import Camera2D, Camera3D
from ..errors import FramedriftError
from ..feedback.options import Options
from ..schedule import PromptSchedule, Schedule, as_schedule, parse_schedule

MAPPED = "mapped"
APPROXIMATED = "approximated"
LEFT_OUT = "left out"
NO_EFFECT = "no effect in the original"
OTHER_PROGRAM = "for another program"
UNKNOWN = "unknown"
#: Every status, in the order in which a report lists them.
STATUSES = (MAPPED, APPROXIMATED, LEFT_OUT, NO_EFFECT, OTHER_PROGRAM, UNKNOWN)

#: Longest text that is read, in characters: a Parseq manifest of twenty thousand frames.
MAX_TEXT = 64_000_000
#: What the sampler takes at most.
MAX_FRAMES = 100_000
#: Most keys that a report names; a file of a million keys is no settings file.
MAX_ENTRIES = 5000
_LONGEST_SCHEDULE = 400_000


class InteropError(FramedriftError):
    """A text that cannot be imported; `key` is the setting that is wrong, None where the whole text is meant."""

    def __init__(self, reason: str, key: str | None = None):
        super().__init__(f"{key}: {reason}" if key else reason)
        self.reason = reason
        self.key = key


@dataclass(frozen=True)
class Entry:
    """What became of one key: one of STATUSES, and a sentence."""

    key: str
    status: str
    sentence: str


@dataclass(frozen=True)
class Report(Mapping[str, Entry]):
    """What became of every key, by its name; `str` gives it as a text, the least expected last."""

    title: str
    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> Entry:
        """The entry of a key."""
        for entry in self.entries:
            if entry.key == key:
                return entry
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        """The keys, in the order of the file."""
        return (entry.key for entry in self.entries)

    def __len__(self) -> int:
        """How many keys it speaks of."""
        return len(self.entries)

    def status(self, key: str) -> str:
        """One of STATUSES."""
        return self[key].status

    def __str__(self) -> str:
        """The report as a text."""
        counts = [(status, [e for e in self.entries if e.status == status]) for status in STATUSES]
        told = ", ".join(f"{len(entries)} {status}" for status, entries in counts if entries)
        lines = [f"{self.title}: {told or 'no keys'}.", *self.notes]
        for status, entries in counts:
            if entries:
                lines += ["", status.capitalize()]
                alike: dict[str, list[str]] = {}
                for entry in entries:
                    alike.setdefault(entry.sentence, []).append(entry.key)
                lines += [f"  {', '.join(keys)}: {sentence}" for sentence, keys in alike.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class SamplerSettings(Mapping[str, Any]):
    """Settings by the ids of the Frame Feedback Sampler's inputs: numbers, names and schedules as text.

    Frozen, and of one hash where equal. Made by `sampler_settings`. What is not in it stays as the sampler has it.
    """

    items_: tuple[tuple[str, Any], ...] = ()

    def __getitem__(self, name: str) -> Any:
        """The value of an input."""
        for key, value in self.items_:
            if key == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """The inputs' ids."""
        return (key for key, _ in self.items_)

    def __len__(self) -> int:
        """How many inputs are set."""
        return len(self.items_)


def sampler_settings(values: Mapping[str, Any]) -> SamplerSettings:
    """A frozen bundle of these values."""
    return SamplerSettings(tuple(sorted(values.items())))


@dataclass(frozen=True)
class ImportedAnimation:
    """An animation out of another tool's settings.

    kind: "deforum", "parseq", "fizz" or "astria". prompts: the texts over time. camera: in Deforum's units and signs.
    settings: the sampler's. options: what takes option nodes. num_frames: length in frames. fps: frames a second.
    size: (h, w) in pixels. report: what became of every key. blend, overlap: how the texts of two keys share the frames
    between them, as Prompt Schedule takes it.
    """

    kind: str
    prompts: PromptSchedule
    camera: Camera2D | Camera3D
    settings: SamplerSettings
    num_frames: int
    fps: float
    size: tuple[int, int]
    report: Report
    blend: str = "hold"
    overlap: int = 0
    options: Options = Options()


@dataclass
class Log:
    """The report while it grows; the first word on a key stands."""

    title: str
    entries: dict[str, Entry] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dropped: int = 0

    def add(self, key: str, status: str, sentence: str) -> None:
        if key in self.entries:
            return
        if len(self.entries) < MAX_ENTRIES:
            self.entries[key] = Entry(shown(key, 60), status, sentence)
        else:
            self.dropped += 1

    def report(self) -> Report:
        more = [f"{self.dropped} more keys are not listed."] if self.dropped else []
        return Report(self.title, tuple(self.entries.values()), (*self.notes, *more))


def shown(value: Any, length: int = 40) -> str:
    """A value as a message shows it: on one line and short."""
    text = value if isinstance(value, str) else repr(value)
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 3] + "..."


def told(value: Any) -> str:
    """The same with quotes around texts, and a word for nothing."""
    return "missing" if value is None else repr(shown(value)) if isinstance(value, str) else shown(value)


def read_json(text: str, what: str) -> Any:
    """The JSON value of a text. Raises InteropError, which says where it is wrong."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        begun = shown(text[error.pos : error.pos + 60], 20)
        near = f" near {begun!r}" if begun else ""
        place = f"line {error.lineno}, column {error.colno}{near}"
        reason = error.msg.removesuffix(" starting at")
        raise InteropError(f"This {what} is not valid JSON: {reason} at {place}.") from error
    except RecursionError as error:
        raise InteropError(
            f"This {what} is nested too deeply; a settings file is one object of plain values."
        ) from error
    except ValueError as error:
        raise InteropError(f"This {what} holds a number that is too long to be read.") from error


def sound(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON escapes can leave and no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def number(value: Any, key: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number out of a number or its text. Raises InteropError naming the key and what would be right."""
    wanted = f"must be a number between {low:g} and {high:g}" if low > -math.inf else "must be a number"
    if (
        isinstance(value, str)
        and len(value) < 60
        and re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", value)
    ):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InteropError(f"it is {told(value)}, and {wanted}.", key)
    if not math.isfinite(value) or not low <= value <= high:
        raise InteropError(f"it is {shown(value)}, and {wanted}.", key)
    return value


def whole(value: Any, key: str, low: float = -math.inf, high: float = math.inf) -> int:
    """A whole number, cut off as the original does."""
    found = number(value, key, low, high)
    return found if isinstance(found, int) else int(found)


def schedule_from_values(values: np.ndarray, name: str) -> Schedule:
    """The schedule that has these values, one a frame, with as few keys as give them back."""
    kept = _corners(values)
    frames = np.arange(len(values))
    if not np.allclose(np.interp(frames, kept, values[kept]), values, rtol=1e-9, atol=1e-12):
        kept = frames
    if len(kept) <= 20_000:
        text = ", ".join(f"{frame}:({written(float(values[frame]))})" for frame in kept.tolist())
        if len(text) <= _LONGEST_SCHEDULE:
            return parse_schedule(text, name)
    return as_schedule(values.tolist(), name)


def written(value: float) -> str:
    """A number as schedules take it for one: with no exponent; it reads back the same."""
    plain = repr(float(value))
    return np.format_float_positional(value, unique=True, trim="0") if "e" in plain else plain


def _corners(values: np.ndarray) -> np.ndarray:
    """Frames at which a line through the values bends, with the first and the last."""
    if len(values) < 3:
        return np.arange(len(values))
    bend = np.abs(values[2:] - 2 * values[1:-1] + values[:-2])
    size = np.maximum(np.abs(values[1:-1]), 1e-3)
    inner = np.flatnonzero(bend > 1e-13 * size) + 1
    return np.concatenate(([0], inner, [len(values) - 1]))
