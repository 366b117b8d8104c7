"""What can be wrong with a text that stands for values over time, and where in it."""

from __future__ import annotations

from ..errors import FramedriftError


class ExpressionError(FramedriftError):
    """A formula that cannot be used.

    reason: the sentence, without the place. column: 1-based within the formula, None where the whole is meant.
    frame: the frame at which it fails, None where it fails at every one.
    """

    def __init__(self, reason: str, column: int | None = None, frame: int | None = None):
        super().__init__(reason)
        self.reason = reason
        self.column = column
        self.frame = frame


class ScheduleError(FramedriftError):
    """A schedule that cannot be used.

    name: the schedule's ("translation_z"), "" where it has none. key: the keyframe as the user wrote it, None where the
    whole text is meant. column: 1-based, counted through the whole text, None where no place can be named.
    """

    def __init__(self, reason: str, name: str = "", key: str | None = None, column: int | None = None):
        super().__init__(f"{_place(name or 'Schedule', key, column)}: {reason}")
        self.reason = reason
        self.name = name
        self.key = key
        self.column = column


class PromptError(FramedriftError):
    """A prompt text that cannot be used.

    key: the keyframe as the user wrote it, None where the whole text is meant. line: 1-based, None likewise.
    """

    def __init__(self, reason: str, key: str | None = None, line: int | None = None):
        place = "Prompts" + (f", line {line}" if line is not None else "") + (f", key {key}" if key is not None else "")
        super().__init__(f"{place}: {reason}")
        self.reason = reason
        self.key = key
        self.line = line


class TimelineError(FramedriftError):
    """A timeline that cannot be used.

    path: where in it ("tracks[2].keys[0].value"), "" where the whole is meant.
    """

    def __init__(self, reason: str, path: str = ""):
        super().__init__(f"Timeline{', ' + shorten(path, 80) if path else ''}: {reason}")
        self.reason = reason
        self.path = path


def shorten(text: str, length: int = 40) -> str:
    """The text's beginning, on one line, short enough to stand in a message."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."


def _place(name: str, key: str | None, column: int | None) -> str:
    parts = [name]
    if key is not None:
        parts.append(f"key {shorten(key)}")
    if column is not None:
        parts.append(f"column {column}")
    return ", ".join(parts)
