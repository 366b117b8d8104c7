"""Steering a run while it is rendered, from any thread or process: pause, go on, stop, cancel, edit, rewind, extend."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FramedriftError
from .edits import checked_arguments
from .files import readable_errors
from .folder import Layout
from .lock import is_held
from .mailbox import MOMENTARY, Command, keep, names, put, read_one, remove

if TYPE_CHECKING:
    from .run import Run
    from .store import RunStore

#: What can be asked of a run, and what it does.
ACTIONS = {
    "pause": "wait after the frame at hand",
    "resume": "go on after a pause",
    "stop": "end after the frame at hand, and hand on the frames that there are",
    "cancel": "end after the frame at hand, and hand on nothing; the frames are kept",
    "edit": "change inputs from the next frame on",
    "rewind": "go on from an earlier frame, in a branch; the run stays as it is",
    "extend": "make the animation longer",
}
#: Seconds between two looks into the mailbox of a paused run.
IDLE_SECONDS = 0.1


def give(store: RunStore, name: str | Path, action: str, **arguments: Any) -> dict[str, Any]:
    """Gives a run a command. Safe from any thread and process.

    A run that somebody renders finds it before its next frame. One that nobody renders is branched at once by a rewind;
    an edit or an extension waits for whoever goes on with it; the rest has nobody to do it.

    Args:
        store: where the run is.
        name: the run's.
        action: one of ACTIONS.
        arguments: edit: `changes`, a mapping of input names to new values. rewind: `frame`, the last one kept, -1 for
            none. extend: `frames`, how many more.

    Returns:
        For JSON: run, action, state (the run's now), note (what comes of it), and either command (its id in the
        mailbox) or branch (the new run's name).

    Raises:
        FramedriftError: no such run or action, an argument that cannot be (it is named), or nobody renders the run.
    """
    status = store.status(name)
    if action not in ACTIONS:
        raise FramedriftError(f"action: {action!r} is none; there are {', '.join(ACTIONS)}.")
    if status.state == "damaged" and action != "rewind":
        raise FramedriftError(f"Run {status.name} is damaged: {status.problem}")
    held = status.state in ("running", "paused")
    if not held and action in MOMENTARY:
        raise nobody(status.name, action, status.state)
    checked = checked_arguments(action, arguments, status, store.read_manifest(name))
    answer: dict[str, Any] = {"run": status.name, "action": action, "state": status.state}
    if action == "rewind" and not held:
        branch = store.branch(name, checked["frame"])
        store.note_change()
        return {**answer, "branch": branch, "note": f"{branch} goes on from there when it is queued."}
    with readable_errors(f"write a command for run {status.name}", status.path):
        layout = Layout(status.path)
        command = put(layout, action, checked)
        if held and not is_held(layout) and command.id in names(layout):
            # Who rendered it took a last look before the command was there.
            held = False
            if action in MOMENTARY:
                remove(layout, command.id)
                raise nobody(status.name, action, store.status(name).state)
        if not held:
            store.note_change()
    note = "It takes effect before the next frame." if held else "It waits until the run is gone on with."
    return {**answer, "command": command.id, "note": note}


def nobody(name: str, action: str, state: str) -> FramedriftError:
    """The error for a command that somebody has to do at once, where nobody renders the run."""
    return FramedriftError(f"action: run {name} is not running (it is {state}): nobody can {action} it.")


class Controls:
    """The mailbox of a run that this process renders."""

    def __init__(self, run: Run) -> None:
        """Takes the run; what its journal has of earlier commands is taken out of the mailbox."""
        self._run = run
        self._layout = Layout(run.path)
        self._read: dict[str, Command] = {}
        self._handed: set[str] = set()
        known = {edit["id"] for edit in run.edits}
        for name in names(self._layout):
            if name in known:
                remove(self._layout, name)

    def waiting(self) -> list[Command]:
        """What waits and was not `hand`ed out yet, in order; one look into a folder where nothing does."""
        found = []
        for name in names(self._layout):
            if name in self._handed:
                continue
            if name not in self._read and (command := read_one(self._layout, name)) is not None:
                self._read[name] = command
            if name in self._read:
                found.append(self._read[name])
        return found

    def hand(self, commands: list[Command]) -> list[Command]:
        """Notes that these are being applied: `waiting` is silent of them. They stay in the mailbox until `done`."""
        self._handed |= {command.id for command in commands}
        return commands

    def done(self, *commands: Command) -> None:
        """Takes commands out of the mailbox: they have taken effect, and the journal says so."""
        for command in commands:
            remove(self._layout, command.id)
            self._handed.discard(command.id)
            self._read.pop(command.id, None)

    def take_over(self, other: Controls) -> None:
        """What still waits for the run that this one is a branch of waits for this one from now on."""
        for command in other.waiting():
            keep(self._layout, command)
            other.done(command)


def attend(
    run: Run, controls: Controls, idle: Callable[[], None], report: Callable[[str], None] | None = None
) -> list[Command]:
    """Called between two frames: what is to be done now, mostly nothing. A paused run waits in here.

    Args:
        run: the run at hand; it is marked paused and running as it changes.
        controls: its mailbox.
        idle: called about ten times a second while paused; raises if the user interrupts.
        report: told "paused" and "running" when that changes.

    Returns:
        One of these:
        - a single stop or cancel: it is out of the mailbox already; whatever else waits, waits on;
        - a single rewind (the last, where there are several): branch the run and go on with the branch, to which what
          else waits goes over by itself;
        - edits and extensions, in order: apply them to the next frame, commit it with `edits` =
          `[command.entry() for command in commands]`, then call `controls.done(*commands)`.
    """
    paused = False
    while True:
        waiting, wanted = controls.waiting(), paused
        for command in waiting:
            if command.action in MOMENTARY:
                controls.done(command)
            if command.action in ("stop", "cancel"):
                return [command]
            if command.action in ("pause", "resume"):
                wanted = command.action == "pause"
        if wanted != paused:
            paused = wanted
            _tell(run, "paused" if paused else "running", report)
        if not paused:
            break
        idle()
        time.sleep(IDLE_SECONDS)
    rewinds = [command for command in waiting if command.action == "rewind"]
    if rewinds:
        return rewinds[-1:]
    return controls.hand([command for command in waiting if command.action in ("edit", "extend")])


def _tell(run: Run, state: str, report: Callable[[str], None] | None) -> None:
    run.mark(state)
    if report is not None:
        report(state)
