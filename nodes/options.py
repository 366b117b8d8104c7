"""What option nodes share: the chain that they hand on, and the schedules that they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import host, sockets
from .core.errors import FramedriftError
from .host import io

if TYPE_CHECKING:
    from .core.feedback import Option
    from .core.schedule import Schedule, StringSchedule


def options_input() -> Any:
    """The chain that comes in; the first input of every option node."""
    return sockets.Options.Input(
        "options", optional=True, tooltip="From another option node: its options go on with these to the sampler."
    )


def options_output() -> Any:
    """The chain that goes out; the first output of every option node."""
    return sockets.Options.Output("options", tooltip="For the sampler's options input, or another option node's.")


def chained(given: Any, option: Option) -> io.NodeOutput:
    """The chain with this option behind it, as an option node hands it on."""
    from .core.feedback import Options

    if given is not None and not isinstance(given, Options):
        raise FramedriftError(
            f"options: link another option node; what is linked is of the type {type(given).__name__}."
        )
    return io.NodeOutput((given or Options()).with_part(option))


def read_schedules(inputs: Mapping[str, Any], names: Iterable[str]) -> dict[str, Schedule]:
    """The inputs of these names as schedules, by name. Raises ScheduleError that names the input."""
    from .core.schedule import as_schedule

    return {name: as_schedule(inputs[name], name) for name in names}


def read_name_schedules(inputs: Mapping[str, Any], names: Iterable[str]) -> dict[str, StringSchedule]:
    """Likewise for names over time, `0: ("euler"), 60: ("dpmpp_2m")`; an empty text is none."""
    from .core.schedule import parse_string_schedule

    return {name: parse_string_schedule(inputs[name], name) for name in names if text_of(inputs, name).strip()}


def text_of(inputs: Mapping[str, Any], name: str) -> str:
    """The text of an input; FramedriftError that names it where a link brings something else."""
    if not isinstance(inputs[name], str):
        raise FramedriftError(f"{name}: a text is wanted; what is linked is of the type {type(inputs[name]).__name__}.")
    return inputs[name]


def problem_of(
    cls: Any,
    given: Mapping[str, Any],
    schedules: Iterable[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> str | None:
    """What can be known of an option node's inputs before anything runs.

    Choices, bounds of numbers, and typed schedules: whether they can be read, and whether they begin within their
    `bounds`. All the rest of a schedule is known where the animation's length is, in the sampler.
    """

    def read() -> None:
        for name, schedule in read_schedules(given, [n for n in schedules if isinstance(given.get(n), str)]).items():
            _check_beginning(name, schedule, (bounds or {}).get(name))

    return host.check_bounds(cls, dict(given)) or problem_in(read)


def problem_in(check: Callable[[], object]) -> str | None:
    """What a check that raises FramedriftError says, as `validate_inputs` returns it; None where all is well."""
    try:
        check()
    except FramedriftError as error:
        return str(error)
    return None


def unlinked(given: Mapping[str, Any], name: str, chooser: str) -> str | None:
    """That nothing is linked to an input which the choice in `chooser` needs; linked ones stand in `given` as None."""
    return None if name in given else f"{name}: nothing is linked, and {chooser} is '{given[chooser]}'. Link it."


def _check_beginning(name: str, schedule: Schedule, bounds: tuple[float, float] | None) -> None:
    from .core.feedback.options import check_bounds

    # A key at frame 0 counts however long the animation is, and so does the only one.
    first = [key for key in schedule.keys if key.time.formula is None and key.time.number == 0]
    counting = first[-1:] or (schedule.keys if len(schedule.keys) == 1 else ())
    for key in counting:
        if bounds is not None and isinstance(key.value, float):
            check_bounds(name, np.array([key.value]), *bounds)
