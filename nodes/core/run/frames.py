"""A run's pictures as lazy frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import FramedriftError
from ..video.frames import DEFAULT_FPS, Frames
from .camera import read_track
from .folder import Layout, load_checked
from .journal import edits_of, extension
from .pictures import from_words, png_size

if TYPE_CHECKING:
    from ..camera import Track
    from ..warp import WarpSettings


class RunFrames(Frames):
    """The diffused frames of a run, each read from its PNG, and checked against the journal, when asked for.

    It keeps no lock, so that a run can be looked at while it goes on; frames made later are not part of it.
    """

    def __init__(
        self,
        path: Path,
        entries: Sequence[Mapping[str, Any]],
        *,
        fps: float = DEFAULT_FPS,
        num_frames: int | None = None,
        size: tuple[int, int] | None = None,
        track: Track | None = None,
        settings: WarpSettings | None = None,
        cuts: frozenset[int] | None = None,
        loops: bool = False,
    ) -> None:
        """Takes a run's folder and journal; `size` is read from the first picture, `cuts` from `cut` in the journal.

        Raises:
            FramedriftError: there is neither a frame nor a size.
        """
        self._layout = Layout(path)
        self._entries = tuple(entries)
        self.fps = float(fps)
        self.indices = tuple(int(entry["index"]) for entry in self._entries)
        self.num_frames = num_frames if num_frames is not None else (self.indices[-1] + 1 if self.indices else 0)
        if size is None:
            if not self.indices:
                raise FramedriftError(f"Run {path.name} has no frames yet.")
            size = png_size(self._layout.frame(self.indices[0]))
        self.size = size
        self.track = track
        self.settings = settings
        self.loops = loops
        self.cuts = frozenset(e["index"] for e in self._entries if e.get("cut")) if cuts is None else frozenset(cuts)

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._layout.path

    @property
    def entries(self) -> tuple[Mapping[str, Any], ...]:
        """The journal lines of these frames."""
        return self._entries

    def __getitem__(self, item: int) -> torch.Tensor:
        entry = self._entries[self.position(item)]
        pixels = load_checked(self._layout.frame(entry["index"]), entry, "sha256")
        return torch.from_numpy(pixels).to(torch.float32).div_(255)

    def disparity(self, item: int) -> torch.Tensor | None:
        """The disparity kept beside the frame, (H, W) float32, 0..1, within 0.5/65535; None where there is none."""
        entry = self._entries[self.position(item)]
        if not entry.get("depth_sha256"):
            return None
        words = load_checked(self._layout.depth(entry["index"]), entry, "depth_sha256")
        return from_words(words)


def frames_of(layout: Layout, manifest: Mapping[str, Any], entries: list[dict[str, Any]], **given: Any) -> RunFrames:
    """A run's entries as frames, with what its folder says of rate, length, size, camera and warps."""
    found = {key: manifest[key] for key in ("fps", "num_frames", "loops") if key in manifest}
    if "num_frames" in found:
        found["num_frames"] += extension(edits_of(entries))
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
