"""What option nodes chain into the sampler: settings that most animations do without, each with its schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from ..errors import FramedriftError
from ..schedule import Schedule, StringSchedule, as_schedule, parse_string_schedule

_T = TypeVar("_T", bound="Option")


@dataclass(frozen=True, eq=False, kw_only=True)
class Option:
    """One option node's say; every kind derives from this.

    Attributes:
        schedules: numbers over time, by their names (Deforum's where it has one).
        names: names over time (samplers, checkpoints), held from key to key.
    """

    #: What messages call the node.
    TITLE: ClassVar[str] = ""
    #: Where several may be chained: what stands before the names of the n-th one's schedules, as in "cn_{}_".
    NUMBERED: ClassVar[str] = ""
    #: Least and largest value of each schedule.
    BOUNDS: ClassVar[Mapping[str, tuple[float, float]]] = {}

    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    names: Mapping[str, StringSchedule] = field(default_factory=dict)

    def signature(self) -> Any:
        """All that shapes pictures besides the schedules' values, as JSON values: equal for two that do the same."""
        raise NotImplementedError

    def fitted(self, fps: float, size: tuple[int, int]) -> Self:
        """The same with its clips at the animation's rate and size (h, w), see `video.edit.fitted`."""
        return self

    def length(self) -> int | None:
        """How many frames its (fitted) clips allow the animation to have; None sets no limit."""
        return None

    def keyframes(self, num_frames: int, seed: int, fps: float) -> set[int]:
        """Frames that have to be diffused whatever the cadence is."""
        return set()


@dataclass(frozen=True, eq=False)
class Values:
    """Schedules sampled over the animation. numbers: float64 (num_frames,) each; names: a list of as many."""

    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    names: Mapping[str, list[str]] = field(default_factory=dict)

    def at(self, frame: int) -> tuple[dict[str, float], dict[str, str]]:
        """The numbers and the names of one frame."""
        return (
            {name: float(values[frame]) for name, values in self.numbers.items()},
            {name: values[frame] for name, values in self.names.items()},
        )


@dataclass(frozen=True, eq=False)
class Options:
    """All that is chained into a sampler, in order."""

    parts: tuple[Option, ...] = ()

    def with_part(self, option: Option) -> Options:
        """The chain with one more. FramedriftError where there is one of its kind already, and only one counts."""
        if not option.NUMBERED and self.only(type(option)) is not None:
            raise FramedriftError(f"options: there are two {option.TITLE} nodes in the chain; only one can count.")
        return Options((*self.parts, option))

    def only(self, kind: type[_T]) -> _T | None:
        """The option of a kind of which there is one at most."""
        return next(iter(self.all(kind)), None)

    def all(self, kind: type[_T]) -> tuple[_T, ...]:
        """The options of a kind, in order."""
        return tuple(part for part in self.parts if isinstance(part, kind))

    def schedules(self) -> Iterator[tuple[str, Schedule | StringSchedule]]:
        """Every schedule with its name in the chain."""
        return ((name, schedule) for name, _, _, schedule in self._schedules())

    def texts(self) -> dict[str, str]:
        """Every schedule as the user wrote it, by its name in the chain."""
        return {name: str(schedule.text) for name, schedule in self.schedules()}

    def sample(self, num_frames: int, seed: int, fps: float) -> Values:
        """Every schedule at every frame, by its name in the chain.

        Raises:
            FramedriftError: a schedule is wrong, or out of its bounds; it names schedule and frame.
        """
        numbers: dict[str, np.ndarray] = {}
        names: dict[str, list[str]] = {}
        for name, own, part, schedule in self._schedules():
            if isinstance(schedule, StringSchedule):
                names[name] = schedule.sample(num_frames, seed, fps)
                continue
            numbers[name] = schedule.sample(num_frames, seed, fps)
            if own in part.BOUNDS:
                check_bounds(name, numbers[name], *part.BOUNDS[own])
        return Values(numbers, names)

    def edited(self, changes: Mapping[str, str]) -> Options:
        """The chain with other schedules, by their names in the chain; what it does not have is not looked at.

        Raises:
            ScheduleError: a text cannot be read.
        """

        def changed(part: Option, prefix: str) -> Option:
            numbers = {
                own: as_schedule(changes[prefix + own], prefix + own) if prefix + own in changes else schedule
                for own, schedule in part.schedules.items()
            }
            names = {
                own: parse_string_schedule(changes[prefix + own], prefix + own) if prefix + own in changes else schedule
                for own, schedule in part.names.items()
            }
            return replace(part, schedules=numbers, names=names)

        return self._each(changed)

    def fitted(self, fps: float, size: tuple[int, int]) -> Options:
        """The chain with all clips at the animation's rate and size (h, w)."""
        return self._each(lambda part, _: part.fitted(fps, size))

    def lengths(self) -> list[int]:
        """The lengths that clips limit the animation to."""
        return [length for part in self.parts if (length := part.length()) is not None]

    def signature(self) -> list:
        """All that shapes pictures besides the schedules' values, as JSON values."""
        return [[type(part).__name__, part.signature()] for part in self.parts]

    def prefixes(self) -> Iterator[tuple[Option, str]]:
        """Each option with what stands before the names of its schedules; "" for one of which there is only one."""
        counts: dict[type, int] = {}
        for part in self.parts:
            counts[type(part)] = number = counts.get(type(part), 0) + 1
            yield part, part.NUMBERED.format(number)

    def _each(self, change: Callable[[Option, str], Option]) -> Options:
        return Options(tuple(change(part, prefix) for part, prefix in self.prefixes()))

    def _schedules(self) -> Iterator[tuple[str, str, Option, Schedule | StringSchedule]]:
        for part, prefix in self.prefixes():
            for own, schedule in (*part.schedules.items(), *part.names.items()):
                yield prefix + own, own, part, schedule


def check_bounds(name: str, values: np.ndarray, low: float, high: float) -> None:
    """Raises FramedriftError that names the schedule and its first frame (F,) out of bounds."""
    outside = np.flatnonzero(~((values >= low) & (values <= high)))
    if outside.size:
        frame = int(outside[0])
        raise FramedriftError(
            f"{name} is {values[frame]:g} at frame {frame}; it must lie between {low:g} and {high:g}."
        )
