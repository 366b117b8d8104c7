"""What a command may say, checked when it is given: an error comes at once, and names what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import FramedriftError
from .status import RunStatus

LONGEST_EXTENSION = 100_000
#: What an action takes, and the type of its value; the others take nothing.
ARGUMENTS: Mapping[str, tuple[str, type]] = {
    "edit": ("changes", dict),
    "rewind": ("frame", int),
    "extend": ("frames", int),
}
#: How an input is read where the manifest's `editable_kinds` says nothing of it. OPTIONAL is a schedule, or nothing.
SCHEDULE, OPTIONAL, NAMES, PROMPTS, NUMBER, TEXT = "schedule", "optional", "names", "prompts", "number", "text"


@dataclass(frozen=True)
class Field:
    """An input that may be edited, and the animation that it is of.

    present: what it is now. limits: (least, largest), None being endless, of a number or a schedule; the choices that a
    text or names have; None where nothing is known.
    """

    name: str
    present: Any
    limits: Sequence[Any] | None
    num_frames: int
    fps: float
    seed: int


def checked_arguments(
    action: str, arguments: Mapping[str, Any], status: RunStatus, manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a command as they are kept.

    Args:
        action: "edit" takes `changes`, a mapping of input names to new values; "rewind" takes `frame`, "extend" takes
            `frames`; all others take nothing.
        arguments: as they were given; numbers may be text.
        status: of the run.
        manifest: the run's. `editable_kinds` says how inputs are to be read that do not go by their names (schedule,
            optional, names, prompts, number or text), `editable_limits` what they may become, see `Field`, `longest`
            how many frames its clips allow.

    Raises:
        FramedriftError: naming the argument, or the input and what is wrong with its text.
    """
    wanted, _ = ARGUMENTS.get(action, (None, None))
    if unknown := sorted(arguments.keys() - {wanted}):
        known = f"takes {wanted}" if wanted else "takes nothing"
        raise FramedriftError(f"{unknown[0]}: {action} {known}.")
    if wanted is None:
        return {}
    if wanted not in arguments:
        raise FramedriftError(f"{wanted}: {action} needs it.")
    given = arguments[wanted]
    if action == "edit":
        return {"changes": checked_changes(given, status, manifest)}
    number = whole_number(wanted, given)
    if action == "rewind" and not -1 <= number <= status.last_frame:
        made = f"the last one made is {status.last_frame}" if status.frames else "none is made yet"
        raise FramedriftError(f"frame: {number} cannot be rewound to: {made}. -1 is before the first.")
    if action == "extend":
        check_extension(number, status, manifest.get("longest"))
    return {wanted: number}


def check_extension(frames: int, status: RunStatus, longest: int | None) -> None:
    """Refuses so many more frames where a run cannot have them."""
    most = LONGEST_EXTENSION
    if longest is not None and status.num_frames is not None:
        most = min(most, longest - status.num_frames)
    if most < 1:
        raise FramedriftError(f"frames: none can be added: the clips that run {status.name} follows have no more.")
    if not 1 <= frames <= most:
        raise FramedriftError(f"frames: {frames} frames cannot be added; 1 to {most} can.")


def whole_number(name: str, value: Any) -> int:
    """A whole number, typed or not."""
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise TypeError(value)
        return int(value)
    except (TypeError, ValueError) as error:
        raise FramedriftError(f"{name}: {value!r} is no whole number.") from error


def finite_number(name: str, value: Any) -> float:
    """A number, typed or not."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError) as error:
        raise FramedriftError(f"{name}: {value!r} is no number.") from error
    if not math.isfinite(found):
        raise FramedriftError(f"{name}: {value!r} is no number.")
    return found


def checked_changes(given: Any, status: RunStatus, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of an edit, each of the kind of what it replaces."""
    if not isinstance(given, Mapping) or not given:
        raise FramedriftError("changes: name at least one input and its new value, such as strength_schedule=0:(0.5).")
    kinds, limits = manifest.get("editable_kinds", {}), manifest.get("editable_limits", {})
    # An expression may ask for the seed.
    seed = int(manifest.get("settings", {}).get("seed", 0))
    checked = {}
    for name, value in given.items():
        if name not in status.editable:
            known = ", ".join(sorted(status.editable)) or "nothing of this run"
            raise FramedriftError(f"{name} cannot be edited while a run goes on; what can: {known}.")
        present, length = status.editable[name], max(status.num_frames or 1, 1)
        field = Field(name, present, limits.get(name), length, status.fps or 15.0, seed)
        checked[name] = READERS[kinds.get(name) or kind_of(name, present)](field, value)
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
    text = str(value)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise FramedriftError(f"{name}: {value!r} holds half a character, which no file can.")
    return text


def schedule_text(field: Field, value: Any) -> str:
    """A schedule that can be parsed and has a value within its bounds at every frame."""
    from ..feedback.options import check_bounds
    from ..schedule import parse_schedule

    text = typed_text(field.name, value)
    values = parse_schedule(text, field.name).sample(field.num_frames, field.seed, field.fps)
    check_bounds(field.name, values, *bounds_of(field))
    return text


def optional_text(field: Field, value: Any) -> str:
    """The same; an empty one is none."""
    text = typed_text(field.name, value)
    return schedule_text(field, text) if text.strip() else text


def names_text(field: Field, value: Any) -> str:
    """A schedule of names that there are; an empty one is none."""
    from ..schedule import parse_string_schedule

    text = typed_text(field.name, value)
    if text.strip():
        for _, _, name in parse_string_schedule(text, field.name).keys:
            check_choice(field, name)
    return text


def prompts_text(field: Field, value: Any) -> str:
    """A schedule of prompts that can be parsed and has a text at its keys."""
    from ..schedule import parse_prompts

    text = typed_text(field.name, value)
    parsed = parse_prompts(text)
    for frame in {0, *parsed.keyframes(field.num_frames)}:
        parsed.text_at(frame, field.num_frames)
    return text


def number(field: Field, value: Any) -> Any:
    """A number within its bounds, or a switch, of the type that it replaces."""
    name, present = field.name, field.present
    if isinstance(present, bool):
        if isinstance(value, bool) or str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise FramedriftError(f"{name}: {value!r} is neither true nor false.")
    found = whole_number(name, value) if isinstance(present, int) else finite_number(name, value)
    low, high = bounds_of(field)
    if not low <= found <= high:
        raise FramedriftError(f"{name} is {found}; it must lie between {low:g} and {high:g}.")
    return found


def any_text(field: Field, value: Any) -> str:
    """A text; one of the choices, where there are some."""
    text = typed_text(field.name, value)
    check_choice(field, text)
    return text


def bounds_of(field: Field) -> tuple[float, float]:
    """The least and the largest value of a number."""
    low, high = field.limits or (None, None)
    return (-math.inf if low is None else low), (math.inf if high is None else high)


def check_choice(field: Field, name: str) -> None:
    """Refuses what is none of the choices."""
    if field.limits is not None and name not in field.limits:
        raise FramedriftError(f"{field.name} is {name!r}, and must be one of: {', '.join(map(str, field.limits))}.")


READERS: dict[str, Callable[[Field, Any], Any]] = {
    SCHEDULE: schedule_text,
    OPTIONAL: optional_text,
    NAMES: names_text,
    PROMPTS: prompts_text,
    NUMBER: number,
    TEXT: any_text,
}
