"""The journal of a run: one JSON object a line, a line a frame, only ever appended to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import FramedriftError


def to_line(entry: Mapping[str, Any]) -> str:
    """An entry as its line, without the newline; numpy and torch scalars become plain numbers.

    Raises:
        FramedriftError: a value that JSON cannot hold (NaN, a tensor of many values), naming the entry's index.
    """
    try:
        return json.dumps(entry, default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FramedriftError(f"The journal line of frame {entry.get('index')} cannot be written: {error}") from error


def plain(value: Any) -> Any:
    """What `json` makes of numpy and torch values, paths and tuples of them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} is no number, text, list or dictionary")


def read_lines(path: Path) -> tuple[list[str], int]:
    """The whole lines of a journal, and how many bytes they are; a torn last line is left out.

    A line is torn if its newline is missing or if, being the last, it is no JSON object: what a power cut leaves
    of an append.

    Raises:
        FramedriftError: a line before the last is broken, or frame numbers do not ascend.
    """
    lines, size, problem = good_lines(path)
    if problem:
        raise broken_journal(json.loads(lines[-1])["index"] if lines else -1, problem)
    return lines, size


@dataclass(frozen=True)
class Glance:
    """What a status tells of a journal.

    frames: its good lines. last: the last of them, "" where there is none. last_index: that one's frame, or -1. edits:
    see `edits_of`. problem: what is wrong with the line behind them.
    """

    frames: int = 0
    last: str = ""
    last_index: int = -1
    edits: tuple[Mapping[str, Any], ...] = ()
    problem: str | None = None


def glance(path: Path) -> Glance:
    """The same as `good_lines`, in short; a journal that did not change since is not read again."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Glance()
    return _glance(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _glance(path: Path, changed: int, size: int) -> Glance:
    lines, _, problem = good_lines(path)
    entries = [json.loads(line) for line in lines]
    if not entries:
        return Glance(problem=problem)
    return Glance(len(lines), lines[-1], entries[-1]["index"], tuple(edits_of(entries)), problem)


def broken_journal(last_index: int, problem: str) -> FramedriftError:
    """The error for a journal that has a broken line behind the one of this frame; -1 is none."""
    last = f"rewind to frame {last_index}" if last_index >= 0 else "start a new run"
    return FramedriftError(
        f"{problem}. Mend that line from a copy, or {last}; the pictures in the folder are not touched."
    )


def good_lines(path: Path) -> tuple[list[str], int, str | None]:
    """The lines before the first broken one, how many bytes they are, and what is wrong with that one.

    None where nothing is wrong, but for a torn last line.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0, None
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.split(b"\n")[:-1]
    texts: list[str] = []
    size = 0
    last = -1
    for number, line in enumerate(lines, start=1):
        problem, index = broken(line, last)
        if problem:
            return texts, size, None if number == len(lines) else f"{path}, line {number}: {problem}"
        last = index
        texts.append(line.decode())
        size += len(line) + 1
    return texts, size, None


def edits_of(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The commands that took effect on a run, in order, each with `after`: the frame that it follows, -1 for none."""
    found, after = [], -1
    for entry in entries:
        found += [{**edit, "after": after} for edit in entry.get("edits", ())]
        after = entry["index"]
    return found


def extension(edits: Iterable[Mapping[str, Any]]) -> int:
    """By how many frames these commands make an animation longer."""
    return sum(edit["arguments"]["frames"] for edit in edits if edit["action"] == "extend")


def broken(line: bytes, last: int) -> tuple[str | None, int]:
    """What is wrong with a line that follows frame `last`, and the line's own frame."""
    try:
        entry = json.loads(line)
    except ValueError:
        return "is no JSON", -1
    if not isinstance(entry, dict) or not isinstance(entry.get("index"), int):
        return "has no 'index'", -1
    if entry["index"] <= last:
        return f"frame {entry['index']} follows frame {last}", -1
    return None, entry["index"]


class Journal:
    """Appends to one journal file; whoever holds it holds the run's lock."""

    def __init__(self, path: Path, lines: list[str], size: int) -> None:
        """Takes over a journal of which the first `size` bytes, `lines`, are good; the rest is cut off."""
        self._path = path
        self._size = size
        self._pending: list[str] = []
        self.entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
        if path.exists() and path.stat().st_size > size:
            self._cut()

    def add(self, line: str) -> None:
        """Takes an entry whose frame is already safe; `flush` brings it to disk."""
        self.entries.append(json.loads(line))
        self._pending.append(line)

    def flush(self) -> None:
        """Appends what waits, and syncs.

        Raises:
            OSError: the disk is full, say; the file then ends after its last whole line, and the lines wait on.
        """
        if not self._pending:
            return
        data = "".join(f"{line}\n" for line in self._pending).encode()
        try:
            with self._path.open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self._cut()
            raise
        self._size += len(data)
        self._pending.clear()

    def _cut(self) -> None:
        if self._path.exists():
            os.truncate(self._path, self._size)
