"""Runs on disk: one animation a folder, held by one process at a time, safe against a kill at any moment."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from ..errors import FramedriftError
from .files import ensure_space, readable_errors, sweep, write_atomic
from .folder import CHECKED_ON_OPENING, Layout, RunFrames, check_pictures, new_manifest, read_manifest, write_manifest
from .journal import Journal, read_lines, to_line
from .names import MANIFEST, claim_folder, inside
from .pictures import digest, encode_png, grey_words, rgb_bytes
from .state import StateMark, pack_state, read_mark, read_state

if TYPE_CHECKING:
    from filelock import BaseFileLock

log = logging.getLogger("framedrift")


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
        self.root = Path(root)

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


class Run:
    """One run, held: nobody else can write to it until `close`, or until this process ends, however it ends.

    `commit` order: the frame's picture and its disparity, each synced and renamed into place; then the state, which
    carries the journal line, and whose rename is the moment at which the frame exists; then the line in the journal.
    """

    def __init__(self, layout: Layout, lock: BaseFileLock) -> None:
        """Called by RunStore: reads and mends the folder that `lock` holds."""
        self._layout = layout
        self._lock = lock
        for folder in (layout.path, layout.frames, layout.depths):
            folder.mkdir(exist_ok=True)
            sweep(folder)
        self._manifest = read_manifest(layout)
        self._journal = mended(layout)
        check_pictures(layout, self.entries, CHECKED_ON_OPENING)

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._layout.path

    @property
    def manifest(self) -> Mapping[str, Any]:
        """run.json: the settings that `create` was given, beside fingerprint, created, complete and versions."""
        return self._manifest

    @property
    def fingerprint(self) -> str:
        """The hash of everything that shapes the pictures."""
        return self._manifest["fingerprint"]

    @property
    def complete(self) -> bool:
        """Whether `finish` was called."""
        return bool(self._manifest["complete"])

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The journal: a dictionary a frame, in order."""
        return self._journal.entries

    @property
    def last_index(self) -> int:
        """The last committed frame; -1 where there is none."""
        return self.entries[-1]["index"] if self.entries else -1

    def state(self) -> dict[str, torch.Tensor] | None:
        """What the last commit kept for the next frame; None before the first."""
        return read_state(self._layout.state)

    def commit(
        self,
        index: int,
        image: torch.Tensor,
        disparity: torch.Tensor | None,
        entry: Mapping[str, Any],
        state: Mapping[str, torch.Tensor],
        text: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Makes a frame part of the run, and gives back its journal entry.

        Args:
            index: the animation frame, after `last_index`.
            image: (1, 3, H, W), 0..1.
            disparity: (1, 1, H, W), 0..1, larger is nearer; or None.
            entry: what the journal keeps beside index and hashes: seed, denoise, cfg, steps, prompt, camera.
            state: what `state()` shall give back after this frame.
            text: text chunks of the picture, `prompt` and `workflow` as JSON.

        Raises:
            FramedriftError: the frame holds NaN or infinity, or the disk is full; the run then is what it was.
        """
        if index <= self.last_index:
            raise FramedriftError(f"Frame {index} of run {self.path.name} exists: the next is {self.last_index + 1}.")
        if not np.isfinite(image.detach().cpu().numpy()).all():
            raise FramedriftError(
                f"Frame {index} holds values that are no numbers (NaN or infinity). A VAE in half precision often "
                "makes them: run it in float32."
            )
        pixels = rgb_bytes(image)
        words = None if disparity is None else grey_words(disparity)
        full = {"index": index, **{key: value for key, value in entry.items() if key != "index"}}
        full["sha256"] = digest(pixels)
        full["depth_sha256"] = None if words is None else digest(words)
        line = to_line(full)
        picture = encode_png(pixels, text)
        depth = None if words is None else encode_png(words)
        kept = pack_state(state, StateMark(index, len(self.entries) + 1, line))
        needed = len(picture) + len(depth or b"") + len(kept) + len(line)
        with readable_errors(f"write frame {index} of run {self.path.name}", self.path, needed):
            self._journal.flush()
            ensure_space(self.path, needed)
            write_atomic(self._layout.frame(index), picture)
            if depth is None:
                self._layout.depth(index).unlink(missing_ok=True)
            else:
                write_atomic(self._layout.depth(index), depth)
            write_atomic(self._layout.state, kept)
        self._journal.add(line)
        try:
            self._journal.flush()
        except OSError as error:
            # The frame is committed, the state carries its line; the next commit writes the line or says why not.
            log.warning("The journal of run %s waits for its last line: %s", self.path.name, error)
        return self.entries[-1]

    def frames(
        self,
        *,
        fps: float | None = None,
        num_frames: int | None = None,
        size: tuple[int, int] | None = None,
        track: Any = None,
        settings: Any = None,
        cuts: frozenset[int] | None = None,
    ) -> RunFrames:
        """The frames committed so far; they can be read after the run is closed.

        What is not given is taken from the manifest's `fps`, `num_frames`, `height` and `width`, or from the frames.
        """
        given = {"fps": fps, "num_frames": num_frames, "size": size}
        known = {key: value for key, value in given.items() if value is not None}
        return frames_of(self._layout, self._manifest, self.entries, **known, track=track, settings=settings, cuts=cuts)

    def verify(self) -> None:
        """Reads every picture and compares it with the journal; FramedriftError names the first that differs."""
        check_pictures(self._layout, self.entries, None)

    def finish(self) -> None:
        """Marks the run complete."""
        with readable_errors(f"finish run {self.path.name}", self.path):
            self._journal.flush()
            manifest = {**self._manifest, "complete": True}
            write_manifest(self._layout, manifest)
            self._manifest = manifest

    def close(self) -> None:
        """Lets the folder go."""
        try:
            self._journal.flush()
        except OSError as error:
            log.warning("The journal of run %s lacks its last line, which opening it mends: %s", self.path.name, error)
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def frames_of(layout: Layout, manifest: Mapping[str, Any], entries: list[dict[str, Any]], **given: Any) -> RunFrames:
    """A run's entries as frames, with what its manifest says of rate, length and size."""
    found = {key: manifest[key] for key in ("fps", "num_frames") if key in manifest}
    if "height" in manifest and "width" in manifest:
        found["size"] = (manifest["height"], manifest["width"])
    return RunFrames(layout.path, list(entries), **{**found, **given})


def hold(layout: Layout) -> BaseFileLock:
    """Takes the folder's lock, which the system frees when the process ends.

    Raises:
        FramedriftError: somebody else has it.
    """
    from filelock import FileLock, Timeout

    # Not bound to a thread: ComfyUI may close a run from another one than opened it.
    lock = FileLock(layout.lock, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise FramedriftError(
            f"Run {layout.path.name} is being written by another process or another queue. Wait until it is done or "
            "stop it, or start a new run."
        ) from error
    return lock


def mended(layout: Layout) -> Journal:
    """The journal, with the line that the state carries and a kill kept from it.

    Raises:
        FramedriftError: journal and state do not belong together.
    """
    lines, size = read_lines(layout.journal)
    mark = read_mark(layout.state)
    position = mark.position if mark else 0
    if mark and len(lines) == position - 1:
        journal = Journal(layout.journal, lines, size)
        journal.add(mark.line)
        journal.flush()
        return journal
    if len(lines) != position or (mark and lines[-1] != mark.line):
        state = f"follows {position}, the last being frame {mark.index}" if mark else "is missing"
        raise FramedriftError(
            f"Run {layout.path.name} does not fit together: {layout.journal.name} has {len(lines)} frames, "
            f"{layout.state.name} {state}. Put the one that is wrong back from a copy, or start a new run; the "
            "pictures are not touched."
        )
    return Journal(layout.journal, lines, size)


def discard(layout: Layout) -> None:
    """Removes a run's folder that came to nothing."""
    for file in (layout.lock, layout.manifest):
        file.unlink(missing_ok=True)
    for folder in (layout.frames, layout.depths, layout.path):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
