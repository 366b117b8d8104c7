"""What a run is doing, for whoever looks at it from outside: no lock is kept, no picture is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import FramedriftError
from .files import write_atomic
from .folder import Layout, read_manifest
from .journal import broken_journal, extension, glance
from .lock import is_held
from .mailbox import read_all
from .mend import missing_line

#: What a status says. The first four are also what a run is marked with.
MARKS = ("running", "paused", "stopped", "cancelled")
STATES = (*MARKS, "interrupted", "complete", "damaged")


@dataclass(frozen=True)
class RunStatus:
    """One run at one moment.

    `state` is one of STATES: interrupted is a run that nobody holds and that was neither stopped nor finished, damaged
    one that cannot be gone on with (`problem` says why). `frames` counts the diffused frames, `last_frame` is -1 before
    the first. `num_frames` is the animation's length with every extension, those that wait too. `branch` says of which
    run it is a branch and after which frame, `pending` what waits in its mailbox, `editable` what `edit` may change,
    `node` the id of the sampler that made it, in its graph.
    """

    name: str
    path: Path
    state: str
    frames: int = 0
    last_frame: int = -1
    num_frames: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    created: str = ""
    branch: Mapping[str, Any] | None = None
    pending: tuple[Mapping[str, Any], ...] = ()
    editable: Mapping[str, Any] = field(default_factory=dict)
    node: Any = None
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON, without the path, which is nobody's business, and the node, which is its graph's."""
        values = asdict(self)
        del values["path"], values["node"]
        return {**values, "pending": list(values["pending"])}


def status_of(name: str, layout: Layout) -> RunStatus:
    """The status of the run in a folder; a damaged one is told, not raised."""
    problem = missing = None
    try:
        held = is_held(layout)
        manifest = read_manifest(layout)
        # A broken line hides what follows, but not what is before it: that can be rewound to.
        seen = glance(layout.journal)
        waiting = read_all(layout)
    except (FramedriftError, OSError) as error:
        return RunStatus(name, layout.path, "damaged", problem=str(error))
    if seen.problem:
        problem = str(broken_journal(seen.last_index, seen.problem))
    elif not held:
        try:
            missing = missing_line(layout, seen.frames, seen.last)
        except FramedriftError as error:
            if is_held(layout) or glance(layout.journal) != seen:
                # Somebody began to write meanwhile: what was read is not all of one moment.
                return status_of(name, layout)
            problem = str(error)
    frames, last_frame, edits = seen.frames, seen.last_index, list(seen.edits)
    if missing is not None:
        entry = json.loads(missing)
        edits += [{**edit, "after": last_frame} for edit in entry.get("edits", ())]
        frames, last_frame = frames + 1, entry["index"]
    known = {edit["id"] for edit in edits}
    pending = [command.as_dict() for command in waiting if command.id not in known]
    length = manifest.get("num_frames")
    return RunStatus(
        name,
        layout.path,
        "damaged" if problem else state_of(layout, held, bool(manifest["complete"])),
        frames=frames,
        last_frame=last_frame,
        num_frames=None if length is None else length + extension(edits) + extension(pending),
        fps=manifest.get("fps"),
        width=manifest.get("width"),
        height=manifest.get("height"),
        created=manifest["created"],
        branch=manifest.get("branch"),
        pending=tuple(pending),
        editable={**manifest.get("editable", {}), **changed(edits)},
        node=manifest.get("node"),
        problem=problem,
    )


def changed(edits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What edits that took effect made of the inputs that they name."""
    return {
        name: value
        for edit in edits
        if edit["action"] == "edit"
        for name, value in edit["arguments"]["changes"].items()
    }


def state_of(layout: Layout, held: bool, complete: bool) -> str:
    """The word for what a run is doing."""
    marked = read_status(layout)
    if held:
        return "paused" if marked == "paused" else "running"
    if complete:
        return "complete"
    return marked if marked in ("stopped", "cancelled") else "interrupted"


def read_status(layout: Layout) -> str | None:
    """What the run was marked with last; None where it never was, or the note cannot be read."""
    try:
        said = json.loads(layout.status.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return said.get("state") if isinstance(said, dict) else None


def write_status(layout: Layout, state: str) -> None:
    """Marks the run, if it is not marked so already."""
    if state not in MARKS:
        raise ValueError(f"a run is marked {', '.join(MARKS)}, not {state}")
    if read_status(layout) != state:
        write_atomic(layout.status, json.dumps({"state": state}).encode())
