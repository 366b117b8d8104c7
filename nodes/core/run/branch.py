"""Branches: a new run that begins with what another one held up to a frame. The other one stays as it is."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import FramedriftError
from .files import TEMPORARY, replace, sync_folder, write_atomic
from .folder import CHECKED_ON_OPENING, Layout, check_pictures, pictures, read_manifest, write_manifest
from .journal import glance, good_lines
from .mailbox import MOMENTARY, keep, read_all, remove
from .mend import missing_line
from .names import COUNTED, claim_folder
from .state import state_file
from .status import write_status

# How long another process may take for a branch of its own.
PATIENCE = 60


def branch_off(root: Path, layout: Layout, frame: int) -> str:
    """Makes the branch of a run that the caller holds, and gives its name below the root.

    The new folder is put together under a name that no list shows, and renamed when it is whole. Edits and extensions
    that wait in the run's mailbox go over to the branch.

    Raises:
        FramedriftError: the run has no whole state or picture at that frame.
    """
    manifest = read_manifest(layout)
    lines = lines_until(layout, frame)
    entries = [json.loads(line) for line in lines]
    check_pictures(layout, entries, CHECKED_ON_OPENING)
    name = layout.path.relative_to(root.resolve()).as_posix()
    after = entries[-1]["index"] if entries else -1
    with assembling(layout.path) as folder:
        made = Layout(folder)
        for part in (made.path, made.frames, made.depths, made.states):
            part.mkdir()
        for source in files_of(layout, entries):
            share(source, folder / source.relative_to(layout.path))
        write_atomic(made.journal, "".join(f"{line}\n" for line in lines).encode())
        # Those of later frames too: they have had their turn, in the run that stays behind.
        known = {edit["id"] for edit in glance(layout.journal).edits}
        waiting = read_all(layout)
        moved = [command for command in waiting if command.action in ("edit", "extend") and command.id not in known]
        for command in moved:
            keep(made, command)
        write_status(made, "stopped")
        write_manifest(made, branched(manifest, name, after))
        for part in (made.frames, made.depths, made.states):
            sync_folder(part)
        parent, base = layout.path.parent, base_of(layout.path.name)
        target = claim_folder(parent, base)
        if os.name == "nt":
            # Folders are not renamed over others there, not even over empty ones.
            target.rmdir()
        replace(folder, target)
    sync_folder(parent)
    for command in waiting:
        if command.action not in MOMENTARY:
            remove(layout, command.id)
    return target.relative_to(root.resolve()).as_posix()


def lines_until(layout: Layout, frame: int) -> list[str]:
    """The journal's lines up to and including a frame; what is broken behind it does no harm.

    Raises:
        FramedriftError: the line of an earlier frame is broken.
    """
    lines, _, problem = good_lines(layout.journal)
    if not problem:
        # A kill may have kept the last line from the journal. A state that is damaged carries none, and does harm only
        # where the branch would end with it: that is found when its files are gathered.
        with contextlib.suppress(FramedriftError):
            missing = missing_line(layout, len(lines), lines[-1] if lines else "")
            lines += [missing] if missing is not None else []
    kept = [line for line in lines if json.loads(line)["index"] <= frame]
    if problem and len(kept) == len(lines) and (not lines or json.loads(lines[-1])["index"] < frame):
        last = json.loads(lines[-1])["index"] if lines else -1
        raise FramedriftError(f"{problem}. The last frame before it is {last}: rewind to that one or an earlier one.")
    return kept


def branched(manifest: Mapping[str, Any], name: str, after: int) -> dict[str, Any]:
    """The manifest of a branch: made now, not complete, and of which run."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    return {**manifest, "created": now, "complete": False, "branch": {"of": name, "after": after}}


def files_of(layout: Layout, entries: list[dict[str, Any]]) -> Iterator[Path]:
    """The files that a branch with these frames has in common with its run.

    Raises:
        FramedriftError: the last frame has no state that fits. Others may lack theirs, as in runs of older versions.
    """
    for entry in entries:
        yield from pictures(layout, entry)
        if layout.state(entry["index"]).exists():
            yield layout.state(entry["index"])
    if entries and (last := state_file(layout, entries[-1])) == layout.old_state:
        yield last
    if layout.camera.exists():
        yield layout.camera


def share(source: Path, target: Path) -> None:
    """One file under a second name; copied where the disk has no links. Runs replace files, never write into one."""
    try:
        os.link(source, target)
    except OSError:
        write_atomic(target, source.read_bytes())


def base_of(name: str) -> str:
    """The name that a run's folder was numbered for."""
    found = COUNTED.fullmatch(name)
    return found[1] if found else name


@contextlib.contextmanager
def assembling(beside: Path) -> Iterator[Path]:
    """A folder name beside a run for putting a branch together; what a killed process left there is cleared away."""
    from filelock import FileLock, Timeout

    parent = beside.parent
    try:
        with FileLock(parent / ".branch.lock", timeout=PATIENCE, thread_local=False):
            for left in parent.glob(f".*.branch{TEMPORARY}"):
                shutil.rmtree(left)
            folder = parent / f".{uuid.uuid4().hex}.branch{TEMPORARY}"
            try:
                yield folder
            finally:
                if folder.exists():
                    shutil.rmtree(folder)
    except Timeout as error:
        raise FramedriftError(
            f"Another branch in {parent} takes too long to make. Try again when it is done."
        ) from error
