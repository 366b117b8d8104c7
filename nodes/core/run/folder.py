"""A run's folder: where each thing lies, its manifest, and whether its pictures are those of its journal."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ..errors import FramedriftError
from .files import write_atomic
from .journal import plain
from .names import MANIFEST
from .pictures import check_whole, decode_png, digest

FORMAT = 1
# Pictures whose pixels are compared with the journal when a run is opened; all others, when they are read.
CHECKED_ON_OPENING = 4


@dataclass(frozen=True)
class Layout:
    """The paths in one run's folder."""

    path: Path

    @property
    def manifest(self) -> Path:
        """Everything needed to start the run again."""
        return self.path / MANIFEST

    @property
    def journal(self) -> Path:
        """A line a frame."""
        return self.path / "journal.jsonl"

    @property
    def states(self) -> Path:
        """The states' folder."""
        return self.path / "state"

    @property
    def old_state(self) -> Path:
        """What the next frame needs, in a run of an older version, which kept that of its last frame only."""
        return self.path / "state.safetensors"

    @property
    def commands(self) -> Path:
        """The mailbox of those who steer the run."""
        return self.path / "commands"

    @property
    def status(self) -> Path:
        """Whether the run goes on, is paused, or was stopped."""
        return self.path / "status.json"

    @property
    def camera(self) -> Path:
        """Where the camera is at every frame."""
        return self.path / "camera.safetensors"

    @property
    def lock(self) -> Path:
        """Held by the process that writes."""
        return self.path / ".lock"

    @property
    def frames(self) -> Path:
        """The diffused frames' folder."""
        return self.path / "frames"

    @property
    def depths(self) -> Path:
        """The disparities' folder."""
        return self.path / "depth"

    def frame(self, index: int) -> Path:
        """One frame's picture."""
        return self.frames / f"{index:06d}.png"

    def depth(self, index: int) -> Path:
        """One frame's disparity, 16-bit."""
        return self.depths / f"{index:06d}.png"

    def state(self, index: int) -> Path:
        """What the frame after this one needs."""
        return self.states / f"{index:06d}.safetensors"


def new_manifest(settings: Mapping[str, Any], fingerprint: str) -> dict[str, Any]:
    """What run.json says of a run that starts now: the caller's settings behind this module's own keys."""
    own = {
        "format": FORMAT,
        "framedrift": pack_version(),
        "torch": torch.__version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds"),
        "complete": False,
        "fingerprint": fingerprint,
    }
    if taken := own.keys() & settings.keys():
        raise FramedriftError(f"The run's settings may not be called {', '.join(sorted(taken))}.")
    return {**own, **settings}


def write_manifest(layout: Layout, manifest: Mapping[str, Any]) -> None:
    """Writes run.json; FramedriftError where the settings hold what JSON cannot."""
    try:
        text = json.dumps(manifest, indent=2, default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FramedriftError(f"The settings of run {layout.path.name} cannot be written: {error}") from error
    write_atomic(layout.manifest, text.encode())


def read_manifest(layout: Layout) -> dict[str, Any]:
    """Reads run.json.

    Raises:
        FramedriftError: it is missing, no JSON, or of a later version of this pack.
    """
    path = layout.manifest
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version, made_by = manifest["format"], manifest["framedrift"]
        known = isinstance(version, int) and all(key in manifest for key in ("fingerprint", "created", "complete"))
    except FileNotFoundError:
        raise FramedriftError(f"{layout.path} is no run that can be opened: its {path.name} is missing.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise damaged_manifest(path) from error
    if not known:
        raise damaged_manifest(path)
    if version > FORMAT:
        raise FramedriftError(f"{path} was written by a later Framedrift ({made_by}): update the pack.")
    return manifest


def damaged_manifest(path: Path) -> FramedriftError:
    """The error for a run.json that says too little."""
    return FramedriftError(
        f"{path} is damaged, so this run cannot be opened. Put the file back from a copy, or start a new run; the "
        "pictures in the folder are not touched."
    )


def pack_version() -> str:
    """The pack's version, from its pyproject.toml (as ComfyUI holds it) or from the installed package."""
    import tomllib

    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    try:
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    except (OSError, ValueError, KeyError):
        try:
            return metadata.version("framedrift")
        except metadata.PackageNotFoundError:
            return "unknown"


def check_pictures(layout: Layout, entries: Sequence[Mapping[str, Any]], pixels: int | None) -> None:
    """Holds a run's pictures against its journal.

    Args:
        layout: the run's folder.
        entries: the journal.
        pixels: of how many pictures, from the last, the pixels are read; None for all. Every file is looked at.

    Raises:
        FramedriftError: naming the first frame whose picture is missing, cut short or changed.
    """
    for entry in entries:
        for path in pictures(layout, entry):
            problem = check_whole(path)
            if problem:
                raise damaged_picture(path, entry["index"], problem)
    for entry in entries if pixels is None else entries[max(0, len(entries) - pixels) :]:
        for path, key in zip(pictures(layout, entry), ("sha256", "depth_sha256"), strict=False):
            load_checked(path, entry, key)


def pictures(layout: Layout, entry: Mapping[str, Any]) -> list[Path]:
    """The files of one entry: the frame and, where it has one, its disparity."""
    found = [layout.frame(entry["index"])]
    return [*found, layout.depth(entry["index"])] if entry.get("depth_sha256") else found


def load_checked(path: Path, entry: Mapping[str, Any], key: str) -> Any:
    """A picture's pixels, if they are those of the journal."""
    try:
        pixels = decode_png(path)
    except FramedriftError as error:
        raise damaged_picture(path, entry["index"], str(error).removeprefix(f"{path} ").rstrip(".")) from error
    if digest(pixels) != entry[key]:
        raise damaged_picture(path, entry["index"], "is not the picture of the journal (its sha256 differs)")
    return pixels


def damaged_picture(path: Path, index: int, problem: str) -> FramedriftError:
    """The error for a picture that does not belong to the journal."""
    return FramedriftError(
        f"Frame {index} of run {path.parent.parent.name}: {path} {problem}. Put the file back from a copy, or "
        "rewind to a frame before it; the other frames are not touched."
    )
