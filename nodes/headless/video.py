"""VIDEO without ComfyUI: a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class VideoFile:
    """A video on disk, under the name by which ComfyUI's VIDEO gives its source."""

    path: Path

    def get_stream_source(self) -> str:
        """The path, as ComfyUI's `VideoFromFile` has it."""
        return str(self.path)
