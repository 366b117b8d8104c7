"""What option nodes share: the chain that they hand on, and the schedules that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import host, sockets
from .core.errors import FramedriftError
from .host import io

if TYPE_CHECKING:
    from .core.feedback import Option, Options
    from .core.schedule import Schedule, StringSchedule


def options_input() -> Any:
    """The chain that comes in; the first input of every option node."""
    return sockets.Options.Input(
        "options", optional=True, tooltip="From another option node: its options go on with these to the sampler."
    )


def options_output() -> Any:
    """The chain that goes out; the first output of every option node."""
    return sockets.Options.Output("options", tooltip="For the sampler's options input, or another option node's.")


def chained(given: Options | None, option: Option) -> io.NodeOutput:
    """The chain with this option behind it, as an option node hands it on."""
    from .core.feedback import Options

    return io.NodeOutput((given or Options()).with_part(option))


def read_schedules(inputs: Mapping[str, Any], names: Iterable[str]) -> dict[str, Schedule]:
    """The inputs of these names as schedules, by name. Raises ScheduleError that names the input."""
    from .core.schedule import as_schedule

    return {name: as_schedule(inputs[name], name) for name in names}


def read_name_schedules(inputs: Mapping[str, Any], names: Iterable[str]) -> dict[str, StringSchedule]:
    """Likewise for names over time, `0: ("euler"), 60: ("dpmpp_2m")`; an empty text is none."""
    from .core.schedule import parse_string_schedule

    return {name: parse_string_schedule(inputs[name], name) for name in names if inputs[name].strip()}


def problem_of(cls: Any, given: Mapping[str, Any], schedules: Iterable[str] = ()) -> str | None:
    """What can be known of an option node's inputs before anything runs: bounds, choices, and typed schedules."""
    if problem := host.check_bounds(cls, dict(given)):
        return problem
    try:
        read_schedules(given, [name for name in schedules if isinstance(given.get(name), str)])
    except FramedriftError as error:
        return str(error)
    return None
