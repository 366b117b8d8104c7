"""One run, held by this process: its frames are committed one by one."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from ..errors import FramedriftError
from .camera import read_track, write_track
from .files import free_bytes, readable_errors, sweep, write_atomic
from .folder import CHECKED_ON_OPENING, Layout, RunFrames, check_pictures, read_manifest, write_manifest
from .journal import Journal, read_lines, to_line
from .pictures import digest, encode_png, grey_words, rgb_bytes
from .state import StateMark, pack_state, read_mark, read_state

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from ..camera import Track
    from ..warp import WarpSettings

log = logging.getLogger("framedrift")


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
            if free_bytes(self.path) < needed:
                raise OSError(errno.ENOSPC, "less is free than the frame takes", str(self.path))
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

    def keep_track(self, track: Track) -> None:
        """Writes the camera's poses into the folder, where they are not yet: `RunStore.read` gives them back."""
        if not self._layout.camera.exists():
            with readable_errors(f"write the camera of run {self.path.name}", self.path):
                write_track(self._layout.camera, track)

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
    """A run's entries as frames, with what its folder says of rate, length, size, camera and warps."""
    found = {key: manifest[key] for key in ("fps", "num_frames", "loops") if key in manifest}
    if "height" in manifest and "width" in manifest:
        found["size"] = (manifest["height"], manifest["width"])
    if given.get("track") is None:
        given["track"] = read_track(layout.camera)
    if given.get("settings") is None:
        given["settings"] = warp_settings_of(manifest)
    return RunFrames(layout.path, list(entries), **{**found, **given})


def warp_settings_of(manifest: Mapping[str, Any]) -> WarpSettings | None:
    """How a run's frames were warped; None where its manifest does not say."""
    from ..warp import WarpSettings

    said = manifest.get("settings")
    names = ("projection", "near", "far", "border", "sampling_mode")
    if not isinstance(said, Mapping) or any(name not in said for name in names):
        return None
    return WarpSettings(*(said[name] for name in names))


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
