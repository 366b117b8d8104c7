"""Runs on disk: one animation a folder, held by one process at a time, safe against a kill at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FramedriftError
from .branch import branch_off
from .files import TEMPORARY, readable_errors, write_atomic
from .folder import Layout, new_manifest, read_manifest, write_manifest
from .frames import RunFrames, frames_of
from .journal import broken_journal, glance, read_lines
from .lock import hold
from .names import MANIFEST, claim_folder, inside
from .run import Run
from .status import RunStatus, status_of


@dataclass(frozen=True)
class RunSummary:
    """One run as a list shows it; `problem` says why a damaged one cannot be read."""

    name: str
    path: Path
    fingerprint: str = ""
    created: str = ""
    complete: bool = False
    frames: int = 0
    problem: str | None = None


#: The file below the root whose text changes when a run is stopped or steered.
CHANGES = ".changes"


class RunStore:
    """The runs below one root folder."""

    def __init__(self, root: Path) -> None:
        """Takes the root, `output/framedrift`; it is made when the first run is."""
        # Absolute, so that a path which `find` gave can be opened whatever folder the process is in.
        self.root = Path(root).absolute()

    def create(self, name: str, manifest: Mapping[str, Any], fingerprint: str) -> Run:
        """A new run in the folder `<name>_00001`, or the next free number, held by this process.

        Raises:
            FramedriftError: the name climbs out, the settings are no JSON, or the disk cannot be written to.
        """
        with readable_errors(f"make the folder of run {name!r}", self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            layout = Layout(claim_folder(self.root, name))
            lock = hold(layout)
            try:
                write_manifest(layout, new_manifest(manifest, fingerprint))
                return Run(layout, lock, self.root)
            except BaseException:
                lock.release()
                discard(layout)
                raise

    def newest(self, fingerprint: str | None = None) -> Path | None:
        """The newest run, or the newest with this fingerprint, complete or not; damaged ones are passed over."""
        found = []
        for layout in map(Layout, self._folders()):
            with contextlib.suppress(FramedriftError):
                manifest = read_manifest(layout)
                if fingerprint in (None, manifest["fingerprint"]):
                    found.append((manifest["created"], self._name(layout), layout))
        # Journals are long: one is read at a time, mostly the first alone.
        ordered = (layout for *_, layout in sorted(found, reverse=True, key=lambda run: run[:2]))
        return next((layout.path for layout in ordered if self._summary(layout).problem is None), None)

    def open(self, name_or_path: str | Path) -> Run:
        """Opens a run to go on with it, mending what a kill left.

        Raises:
            FramedriftError: no such run, another process holds it, or it is damaged (which file, and how).
        """
        layout = self._layout(name_or_path)
        with readable_errors(f"open run {layout.path.name}", layout.path):
            lock = hold(layout)
            try:
                return Run(layout, lock, self.root)
            except BaseException:
                lock.release()
                raise

    def read(self, name_or_path: str | Path) -> RunFrames:
        """A run's frames without holding it: while it goes on elsewhere, or although its state is damaged."""
        layout = self._layout(name_or_path)
        manifest = read_manifest(layout)
        return frames_of(layout, manifest, self.journal(name_or_path))

    def journal(self, name_or_path: str | Path) -> list[dict[str, Any]]:
        """A run's journal, an entry a frame, without holding the run."""
        return [json.loads(line) for line in read_lines(self._layout(name_or_path).journal)[0]]

    def status(self, name_or_path: str | Path) -> RunStatus:
        """What a run is doing, without holding it and without reading a picture.

        Raises:
            FramedriftError: there is no such run. A damaged one has a status that says so.
        """
        layout = self._layout(name_or_path)
        return status_of(self._name(layout), layout)

    def statuses(self) -> list[RunStatus]:
        """The status of every run below the root, by name."""
        return [status_of(self._name(layout), layout) for layout in map(Layout, sorted(self._folders()))]

    def branch(self, name_or_path: str | Path, frame: int) -> str:
        """A new run that begins with what this one holds up to and including a frame; gives its name.

        The branch is the next number of the same name, has the last diffused frame at or before `frame` for its last
        (none, where there is none), the same fingerprint, and waits to be gone on with; edits and extensions that wait
        go over to it. The old run stays as it is. It may be damaged, if only behind that frame.

        Raises:
            FramedriftError: no such run, somebody holds it, or it is damaged at or before that frame.
        """
        layout = self._layout(name_or_path)
        with readable_errors(f"branch run {layout.path.name}", layout.path):
            lock = hold(layout)
            try:
                return branch_off(self.root, layout, frame)
            finally:
                lock.release()

    def size_of(self, name_or_path: str | Path) -> int:
        """The bytes of a run's files. Those that it shares with a branch count for both."""
        path = self._layout(name_or_path).path
        total = 0
        for folder, _, files in os.walk(path):
            for file in files:
                # What somebody writes to is renamed meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    total += (Path(folder) / file).stat().st_size
        return total

    def path_of(self, name_or_path: str | Path) -> Path:
        """The folder of a run; FramedriftError, naming `run_name` and the last runs, where there is none."""
        return self._layout(name_or_path).path

    def read_manifest(self, name_or_path: str | Path) -> dict[str, Any]:
        """A run's run.json, without holding the run."""
        return read_manifest(self._layout(name_or_path))

    def list(self) -> list[RunSummary]:
        """All runs below the root, by name."""
        return [self._summary(Layout(path)) for path in sorted(self._folders())]

    def note_change(self) -> None:
        """Notes that a run is to be gone on with otherwise than the graph that made it knows; see `changes`."""
        with readable_errors("note a change", self.root):
            write_atomic(self.root / CHANGES, f"{time.time_ns()}".encode())

    def changes(self) -> str:
        """Differs after each `note_change`, of any process: who keeps a run's result asks whether it still holds."""
        try:
            return (self.root / CHANGES).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _layout(self, name_or_path: str | Path) -> Layout:
        name = str(name_or_path)
        if name.strip():
            layout = Layout(inside(self.root, self.root / name))
            if layout.path.is_dir():
                return layout
        near = ", ".join(sorted(map(self._name, map(Layout, self._folders())))[-5:]) or "none"
        raise FramedriftError(
            f"run_name: there is no run {name if name.strip() else repr(name)} in {self.root} (the last ones: {near})."
        )

    def _name(self, layout: Layout) -> str:
        return layout.path.resolve().relative_to(self.root.resolve()).as_posix()

    def _folders(self) -> Iterator[Path]:
        for folder, subfolders, files in os.walk(self.root):
            # Branches that are being put together are no runs yet.
            subfolders[:] = [name for name in subfolders if not name.endswith(TEMPORARY)]
            if MANIFEST in files:
                # Nothing to find among its thousands of pictures.
                subfolders.clear()
                yield Path(folder)

    def _summary(self, layout: Layout) -> RunSummary:
        name = self._name(layout)
        try:
            manifest = read_manifest(layout)
            seen = glance(layout.journal)
            if seen.problem:
                raise broken_journal(seen.last_index, seen.problem)
        except FramedriftError as error:
            return RunSummary(name, layout.path, problem=str(error))
        return RunSummary(
            name, layout.path, manifest["fingerprint"], manifest["created"], bool(manifest["complete"]), seen.frames
        )


def discard(layout: Layout) -> None:
    """Removes a run's folder that came to nothing."""
    for file in (layout.lock, layout.manifest):
        file.unlink(missing_ok=True)
    for folder in (layout.frames, layout.depths, layout.states, layout.path):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
