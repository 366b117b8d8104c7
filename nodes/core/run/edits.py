"""What a command may say, checked when it is given: an error comes at once, and names what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import FramedriftError
from .status import RunStatus

LONGEST_EXTENSION = 100_000
#: How an input is read where the manifest's `editable_kinds` says nothing of it.
SCHEDULE, NAMES, PROMPTS, NUMBER, TEXT = "schedule", "names", "prompts", "number", "text"


def checked_arguments(
    action: str, arguments: Mapping[str, Any], status: RunStatus, kinds: Mapping[str, str]
) -> dict[str, Any]:
    """The arguments of a command as they are kept.

    Args:
        action: "edit" takes `changes`, a mapping of input names to new values; "rewind" takes `frame`, "extend" takes
            `frames`; all others take nothing.
        arguments: as they were given; numbers may be text.
        status: of the run.
        kinds: how the inputs are to be read that do not go by their names: schedule, names, prompts, number or text.

    Raises:
        FramedriftError: naming the argument, or the input and what is wrong with its text.
    """
    wanted = {"edit": "changes", "rewind": "frame", "extend": "frames"}.get(action)
    if unknown := sorted(arguments.keys() - {wanted}):
        known = f"takes {wanted}" if wanted else "takes nothing"
        raise FramedriftError(f"{unknown[0]}: {action} {known}.")
    if wanted is None:
        return {}
    if wanted not in arguments:
        raise FramedriftError(f"{wanted}: {action} needs it.")
    given = arguments[wanted]
    if action == "edit":
        return {"changes": checked_changes(given, status, kinds)}
    number = whole_number(wanted, given)
    if action == "rewind" and not -1 <= number <= status.last_frame:
        made = f"the last one made is {status.last_frame}" if status.frames else "none is made yet"
        raise FramedriftError(f"frame: {number} cannot be rewound to: {made}. -1 is before the first.")
    if action == "extend" and not 1 <= number <= LONGEST_EXTENSION:
        raise FramedriftError(f"frames: {number} frames cannot be added; 1 to {LONGEST_EXTENSION} can.")
    return {wanted: number}


def whole_number(name: str, value: Any) -> int:
    """A whole number, typed or not."""
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise TypeError(value)
        return int(value)
    except (TypeError, ValueError) as error:
        raise FramedriftError(f"{name}: {value!r} is no whole number.") from error


def checked_changes(given: Any, status: RunStatus, kinds: Mapping[str, str]) -> dict[str, Any]:
    """The changes of an edit, each of the kind of what it replaces."""
    if not isinstance(given, Mapping) or not given:
        raise FramedriftError("changes: name at least one input and its new value, such as strength_schedule=0:(0.5).")
    checked = {}
    for name, value in given.items():
        if name not in status.editable:
            known = ", ".join(sorted(status.editable)) or "nothing of this run"
            raise FramedriftError(f"{name} cannot be edited while a run goes on; what can: {known}.")
        present = status.editable[name]
        kind = kinds.get(name) or kind_of(name, present)
        checked[name] = READERS.get(kind, any_text)(name, value, present, status)
    return checked


def kind_of(name: str, present: Any) -> str:
    """How an input is read, by its name and by what it is now."""
    if name == "prompts":
        return PROMPTS
    if name.endswith("_schedule"):
        return SCHEDULE
    return TEXT if isinstance(present, str) else NUMBER


def typed_text(name: str, value: Any) -> str:
    """A text; a number is taken for one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise FramedriftError(f"{name}: {value!r} is no text.")
    return value if isinstance(value, str) else str(value)


def schedule_text(name: str, value: Any, present: Any, status: RunStatus) -> str:
    """A schedule that can be parsed and has a value at every frame."""
    from ..schedule import parse_schedule

    text = typed_text(name, value)
    parse_schedule(text, name).sample(max(status.num_frames or 1, 1), 0, status.fps or 15.0)
    return text


def names_text(name: str, value: Any, present: Any, status: RunStatus) -> str:
    """A schedule of names; an empty one is none."""
    from ..schedule import parse_string_schedule

    text = typed_text(name, value)
    if text.strip():
        parse_string_schedule(text, name)
    return text


def prompts_text(name: str, value: Any, present: Any, status: RunStatus) -> str:
    """A schedule of prompts that can be parsed and has a text at its keys."""
    from ..schedule import parse_prompts

    text = typed_text(name, value)
    length = max(status.num_frames or 1, 1)
    parsed = parse_prompts(text)
    for frame in {0, *parsed.keyframes(length)}:
        parsed.text_at(frame, length)
    return text


def number(name: str, value: Any, present: Any, status: RunStatus) -> Any:
    """A number or a switch, of the type that it replaces."""
    if isinstance(present, bool):
        if isinstance(value, bool) or str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise FramedriftError(f"{name}: {value!r} is neither true nor false.")
    if isinstance(present, int):
        return whole_number(name, value)
    try:
        found = float(value)
    except (TypeError, ValueError) as error:
        raise FramedriftError(f"{name}: {value!r} is no number.") from error
    if isinstance(value, bool) or not math.isfinite(found):
        raise FramedriftError(f"{name}: {value!r} is no number.")
    return found


def any_text(name: str, value: Any, present: Any, status: RunStatus) -> str:
    """Any text."""
    return typed_text(name, value)


READERS: dict[str, Callable[[str, Any, Any, RunStatus], Any]] = {
    SCHEDULE: schedule_text,
    NAMES: names_text,
    PROMPTS: prompts_text,
    NUMBER: number,
    TEXT: any_text,
}
