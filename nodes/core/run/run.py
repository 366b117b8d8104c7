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
from .branch import branch_off
from .camera import write_track
from .files import free_bytes, readable_errors, sweep, write_atomic
from .folder import CHECKED_ON_OPENING, Layout, check_pictures, read_manifest, write_manifest
from .frames import RunFrames, frames_of
from .journal import edits_of, to_line
from .mailbox import drop_stale
from .mend import mended
from .pictures import digest, encode_png, from_steps, grey_words, rgb_bytes, split_steps, to_steps
from .state import StateMark, pack_state, read_state, reduced, same_bits
from .status import write_status

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from ..camera import Track

log = logging.getLogger("framedrift")


class Run:
    """One run, held: nobody else can write to it until `close`, or until this process ends, however it ends.

    `commit` order: the frame's picture and its disparity, each synced and renamed into place; then the state, which
    carries the journal line, and whose rename is the moment at which the frame exists; then the line in the journal.
    """

    def __init__(self, layout: Layout, lock: BaseFileLock, root: Path) -> None:
        """Called by RunStore: reads and mends the folder that `lock` holds; `root` is the store's."""
        self._layout = layout
        self._lock = lock
        self._root = root
        # First, so that nothing is dropped that is given to this process.
        drop_stale(layout)
        for folder in (layout.path, layout.frames, layout.depths, layout.states):
            folder.mkdir(exist_ok=True)
            sweep(folder)
        self._manifest = read_manifest(layout)
        self._journal = mended(layout)
        check_pictures(layout, self.entries, CHECKED_ON_OPENING)

    @property
    def name(self) -> str:
        """What the store calls it: its folder below the root, with `/`."""
        return self.path.relative_to(self._root.resolve()).as_posix()

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

    @property
    def edits(self) -> list[dict[str, Any]]:
        """The commands that took effect, in order: id, action, arguments, and `after`, the frame they follow (or -1).

        They are what the entries were committed with under `edits`.
        """
        return edits_of(self.entries)

    def state(self) -> dict[str, torch.Tensor] | None:
        """What the last commit kept for the next frame; None before the first."""
        return read_state(self._layout, self.entries[-1]) if self.entries else None

    def state_at(self, index: int) -> dict[str, torch.Tensor]:
        """What the commit of frame `index` kept, to the bit.

        Raises:
            FramedriftError: that frame is not in the journal, or its state or picture is missing or damaged.
        """
        found = [entry for entry in self.entries if entry["index"] == index]
        if not found:
            raise FramedriftError(f"Frame {index} of run {self.path.name} was not diffused, so it has no state.")
        return read_state(self._layout, found[0])

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
            state: what `state()` shall give back after this frame, to the bit. Its "image" and "disparity" take next to
                no room where they are this frame's, and `storable`.
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
        steps = to_steps(image)
        exact = same_bits(from_steps(steps), image)
        pixels, low = split_steps(steps) if exact else (rgb_bytes(image), None)
        words = None if disparity is None else grey_words(disparity)
        full = {"index": index, **{key: value for key, value in entry.items() if key != "index"}}
        full["sha256"] = digest(pixels)
        full["depth_sha256"] = None if words is None else digest(words)
        line = to_line(full)
        picture = encode_png(pixels, text)
        depth = None if words is None else encode_png(words)
        left, packed = reduced(state, image, low, words)
        kept = pack_state(left, StateMark(index, len(self.entries) + 1, line, packed))
        needed = len(picture) + len(depth or b"") + len(kept) + len(line)
        with readable_errors(f"write frame {index} of run {self.path.name}", self.path, needed):
            self._journal.flush()
            if free_bytes(self.path) < needed:
                raise OSError(errno.ENOSPC, "less is free than the frame takes", str(self.path))
            if self.complete:
                self._set_complete(False)
            write_atomic(self._layout.frame(index), picture)
            if depth is None:
                self._layout.depth(index).unlink(missing_ok=True)
            else:
                write_atomic(self._layout.depth(index), depth)
            write_atomic(self._layout.state(index), kept)
        self._journal.add(line)
        try:
            self._journal.flush()
        except OSError as error:
            # The frame is committed, the state carries its line; the next commit writes the line or says why not.
            log.warning("The journal of run %s waits for its last line: %s", self.path.name, error)
        return self.entries[-1]

    def keep_track(self, track: Track) -> None:
        """Writes the camera's poses into the folder: `RunStore.read` gives them back."""
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
            self._set_complete(True)

    def mark(self, state: str) -> None:
        """Notes "running", "paused", "stopped" or "cancelled" for `RunStore.status`; written only where it changes."""
        with readable_errors(f"write the status of run {self.path.name}", self.path):
            write_status(self._layout, state)

    def branch(self, frame: int) -> str:
        """A new run with what this one holds up to and including `frame`, and its name; this one stays as it is.

        See `RunStore.branch`; for a run that this process holds.
        """
        with readable_errors(f"branch run {self.path.name}", self.path):
            self._journal.flush()
            return branch_off(self._root, self._layout, frame)

    def _set_complete(self, complete: bool) -> None:
        manifest = {**self._manifest, "complete": complete}
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
