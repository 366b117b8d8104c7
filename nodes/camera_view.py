"""What every camera node shows: its path, seen from above and from the side."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from .checks import is_link
from .core.errors import FramedriftError
from .host import io
from .pictures import shown_picture

log = logging.getLogger("framedrift")

_CAMERA = "FRAMEDRIFT_CAMERA"


@dataclass(frozen=True)
class Animation:
    """What a camera has to know of the animation that it goes to; by default what is assumed where none is found."""

    num_frames: int = 120
    fps: float = 15.0
    seed: int = 0
    width: int = 512
    height: int = 512
    found: bool = False


def camera_output(cls: Any, camera: Any, *others: Any) -> io.NodeOutput:
    """A camera node's outputs, the camera first, with a small view of its path in the node."""
    hidden = getattr(cls, "hidden", None)
    node_id = getattr(hidden, "unique_id", None)
    if node_id is None:
        # Called as a function: there is no page, and nobody to look.
        return io.NodeOutput(camera, *others)
    animation = find_animation(getattr(hidden, "prompt", None), str(node_id))
    return io.NodeOutput(camera, *others, ui=shown_picture(_drawn(camera, animation), "framedrift_camera"))


def find_animation(prompt: dict[str, Any] | None, node_id: str) -> Animation:
    """What the nearest node downstream says of the animation, as far as it stands in its own widgets."""
    waiting, seen = [node_id], {node_id}
    while prompt and waiting:
        current = waiting.pop(0)
        slots = _camera_outputs().get(str(prompt.get(current, {}).get("class_type")), frozenset())
        for other, node in prompt.items():
            inputs = node.get("inputs", {})
            linked = any(is_link(link) and link[0] == current and link[1] in slots for link in inputs.values())
            if not linked or other in seen:
                continue
            if (found := _told(inputs)) is not None:
                return found
            seen.add(other)
            waiting.append(other)
    return Animation()


def _told(inputs: dict[str, Any]) -> Animation | None:
    known = {name: inputs.get(name) for name in Animation.__dataclass_fields__}
    given = {name: value for name, value in known.items() if isinstance(value, int | float) and value >= 0}
    if given.get("num_frames") == 0 and isinstance(inputs.get("length"), int):
        # A clip's own length counts where it names no longer animation that it is a part of.
        start = inputs.get("start_frame")
        given["num_frames"] = inputs["length"] + (start if isinstance(start, int) else 0)
    if not given.get("num_frames"):
        return None
    whole = {
        name: int(value) if name != "fps" else float(value) for name, value in given.items() if value or name == "seed"
    }
    return Animation(**{**whole, "found": True})


@cache
def _camera_outputs() -> dict[str, frozenset[int]]:
    """Which outputs of this pack's nodes are cameras, by the nodes' ids."""
    from .extension import NODES

    schemas = [node.GET_SCHEMA() for node in NODES]
    return {
        schema.node_id: frozenset(
            number for number, output in enumerate(schema.outputs or []) if output.get_io_type() == _CAMERA
        )
        for schema in schemas
    }


def _drawn(camera: Any, animation: Animation) -> Any:
    from .core.camera.view import plot_notice, plot_path

    size = (animation.height, animation.width)
    try:
        track = camera.track(animation.num_frames, animation.fps, animation.seed, size)
    except FramedriftError as error:
        # The length may only be a guess; where the animation is made, the same error stops it.
        log.debug("no view of the camera: %s", error)
        return plot_notice(f"No path over {animation.num_frames} frames: {error}")
    return plot_path(track, animation.fps, "" if animation.found else "assumed")


__all__ = ["Animation", "camera_output", "find_animation"]
