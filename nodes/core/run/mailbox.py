"""The mailbox of a run: one file a command, from any thread or process, and safe against a kill.

A command stays until it has taken effect, so that an edit that was accepted outlives the process it was meant for.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .files import patiently, write_atomic
from .folder import Layout
from .journal import plain

#: Commands for whoever renders at the moment: nobody else is to find them later.
MOMENTARY = frozenset({"pause", "resume", "stop", "cancel"})

log = logging.getLogger("framedrift")


@dataclass(frozen=True)
class Command:
    """What somebody asks of a run. `time` is seconds since 1970; ids sort in the order in which they were given."""

    id: str
    action: str
    arguments: Mapping[str, Any]
    time: float

    def entry(self) -> dict[str, Any]:
        """What the journal keeps of it under `edits`."""
        return {"id": self.id, "action": self.action, "arguments": dict(self.arguments)}

    def as_dict(self) -> dict[str, Any]:
        """The same with its time, for JSON."""
        return asdict(self)


def put(layout: Layout, action: str, arguments: Mapping[str, Any]) -> Command:
    """Puts a command into the mailbox, behind those that are there."""
    layout.commands.mkdir(exist_ok=True)
    newest = max((int(name[:20]) for name in names(layout)), default=0)
    # The clock may go back; the order may not.
    moment = max(time.time_ns(), newest + 1)
    command = Command(f"{moment:020d}-{uuid.uuid4().hex[:8]}", action, dict(arguments), moment / 1e9)
    keep(layout, command)
    return command


def keep(layout: Layout, command: Command) -> None:
    """Writes a command as it is."""
    layout.commands.mkdir(exist_ok=True)
    write_atomic(path_of(layout, command.id), json.dumps(command.as_dict(), default=plain).encode())


def names(layout: Layout) -> list[str]:
    """The ids of what waits, in order; costs one look into the folder."""
    try:
        found = os.listdir(layout.commands)  # noqa: PTH208 - the loop asks between any two frames
    except FileNotFoundError:
        return []
    return sorted(name[:-5] for name in found if name.endswith(".json") and name[:20].isdigit())


def read_all(layout: Layout) -> list[Command]:
    """Everything that waits, in order. What cannot be read is set aside, so that it stops nobody, and logged."""
    return [command for name in names(layout) if (command := read_one(layout, name)) is not None]


def read_one(layout: Layout, name: str) -> Command | None:
    """One command by its id; None where it is gone or cannot be read."""
    path = path_of(layout, name)
    try:
        said = json.loads(path.read_bytes())
        return Command(name, str(said["action"]), dict(said["arguments"]), float(said["time"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s is no command that can be read (%r): it is set aside", path, error)
        # Somebody else may have done so at the same time.
        with contextlib.suppress(FileNotFoundError):
            path.replace(path.with_suffix(".bad"))
        return None


def remove(layout: Layout, name: str) -> None:
    """Takes a command out of the mailbox, if it is there."""
    patiently(lambda: path_of(layout, name).unlink(missing_ok=True))


def path_of(layout: Layout, name: str) -> Path:
    """The file of a command."""
    return layout.commands / f"{name}.json"


def drop_stale(layout: Layout) -> None:
    """Removes what was meant for a process that is no more: pause, resume, stop and cancel."""
    for command in read_all(layout):
        if command.action in MOMENTARY:
            remove(layout, command.id)
