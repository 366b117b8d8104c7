"""Runs on disk: one animation a folder, held by one process at a time, safe against a kill at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FramedriftError
from .files import readable_errors
from .folder import Layout, RunFrames, new_manifest, read_manifest, write_manifest
from .journal import read_lines
from .names import MANIFEST, claim_folder, inside
from .run import Run, frames_of, hold


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
                return Run(layout, lock)
            except BaseException:
                lock.release()
                discard(layout)
                raise

    def find(self, fingerprint: str) -> Path | None:
        """The newest run with this fingerprint, complete or not; runs that cannot be read are passed over."""
        found = [run for run in self.list() if run.fingerprint == fingerprint]
        return max(found, key=lambda run: (run.created, run.name)).path if found else None

    def open(self, name_or_path: str | Path) -> Run:
        """Opens a run to go on with it, mending what a kill left.

        Raises:
            FramedriftError: no such run, another process holds it, or it is damaged (which file, and how).
        """
        layout = self._layout(name_or_path)
        with readable_errors(f"open run {layout.path.name}", layout.path):
            lock = hold(layout)
            try:
                return Run(layout, lock)
            except BaseException:
                lock.release()
                raise

    def read(self, name_or_path: str | Path) -> RunFrames:
        """A run's frames without holding it: while it goes on elsewhere, or although its state is damaged."""
        layout = self._layout(name_or_path)
        manifest = read_manifest(layout)
        entries = [json.loads(line) for line in read_lines(layout.journal)[0]]
        return frames_of(layout, manifest, entries)

    def path_of(self, name_or_path: str | Path) -> Path:
        """The folder of a run; FramedriftError, naming `run_name` and the last runs, where there is none."""
        return self._layout(name_or_path).path

    def read_manifest(self, name_or_path: str | Path) -> dict[str, Any]:
        """A run's run.json, without holding the run."""
        return read_manifest(self._layout(name_or_path))

    def list(self) -> list[RunSummary]:
        """All runs below the root, by name."""
        return [self._summary(Layout(path)) for path in sorted(self._folders())]

    def _layout(self, name_or_path: str | Path) -> Layout:
        path = self.root / name_or_path
        layout = Layout(inside(self.root, path))
        if not layout.path.is_dir():
            near = ", ".join(run.name for run in self.list()[-5:]) or "none"
            raise FramedriftError(f"run_name: there is no run {name_or_path} in {self.root} (the last ones: {near}).")
        return layout

    def _folders(self) -> Iterator[Path]:
        for folder, subfolders, files in os.walk(self.root):
            if MANIFEST in files:
                # Nothing to find among its thousands of pictures.
                subfolders.clear()
                yield Path(folder)

    def _summary(self, layout: Layout) -> RunSummary:
        name = layout.path.relative_to(self.root).as_posix()
        try:
            manifest = read_manifest(layout)
            frames = len(read_lines(layout.journal)[0])
        except FramedriftError as error:
            return RunSummary(name, layout.path, problem=str(error))
        return RunSummary(
            name, layout.path, manifest["fingerprint"], manifest["created"], bool(manifest["complete"]), frames
        )


def discard(layout: Layout) -> None:
    """Removes a run's folder that came to nothing."""
    for file in (layout.lock, layout.manifest):
        file.unlink(missing_ok=True)
    for folder in (layout.frames, layout.depths, layout.path):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
