"""Camera Direction: a sentence as a camera."""

from __future__ import annotations

import logging
from typing import Any

from . import host, sockets
from .camera_view import camera_output
from .core.errors import FramedriftError
from .host import io

log = logging.getLogger("framedrift")


class CameraDirection(io.ComfyNode):
    """A sentence that says how the camera moves."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCameraDirection",
            display_name="Camera Direction",
            category="Framedrift/camera",
            description="Moves the camera as a sentence says: slow push-in, slight handheld, drifting left. Also gives "
            "the sentence as video models know it, and lists what was not understood.",
            search_aliases=["camera prompt", "text to camera", "camera movement", "dolly", "natural language camera"],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[
                sockets.Camera.Input(
                    "camera", optional=True, tooltip="The direction rides on this camera, if one is linked."
                ),
                io.String.Input(
                    "text",
                    default="slow push-in, slight handheld, drifting left",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="How the camera moves. Commas and 'and' are at the same time, 'then' is one after the "
                    "other; 'over 3 seconds', 'at 2s', '30 degrees' and 'very slow' are understood.",
                ),
                io.Float.Input(
                    "distance",
                    default=3.0,
                    min=0.01,
                    max=10_000.0,
                    step=0.1,
                    round=0.001,
                    tooltip="How far ahead the subject is that orbits, arcs, cranes and dolly zooms are about, in "
                    "scene units.",
                ),
                io.Float.Input(
                    "fov",
                    default=70.0,
                    min=1.0,
                    max=179.0,
                    step=0.5,
                    round=0.01,
                    tooltip="Vertical field of view in degrees. A linked camera's own is kept.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.05,
                    round=0.001,
                    tooltip="Factor on everything that moves: 2 goes twice as far, 0 keeps still.",
                ),
                host.seed_input("Which of all such shakes; moves do not depend on it."),
            ],
            outputs=[
                sockets.Camera.Output("camera", tooltip="The camera's motion."),
                io.String.Output("text", tooltip="The direction in plain English, for the prompts of video models."),
                io.String.Output("not_understood", tooltip="Words that were not understood, a line each; often empty."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A text that moves nothing, or contradicts itself, is said before anything runs."""
        return host.check_bounds(cls, kwargs) or _bad_text(kwargs.get("text")) or True

    @classmethod
    def execute(cls, text, distance, fov, strength, seed, camera=None):
        """The sentence as a camera, as English, and what it left over."""
        from .core.camera import on_top
        from .core.camera.directed import Directed
        from .core.camera.direction import parse_direction
        from .core.camera.wording import video_prompt

        direction = parse_direction(text)
        missed = "\n".join(map(str, direction.not_understood))
        if missed:
            log.warning("Camera Direction: not understood: %s", ", ".join(map(str, direction.not_understood))[:2000])
        directed = Directed(direction, distance, fov, strength, seed)
        return camera_output(cls, on_top(camera, directed), video_prompt(direction), missed)


def _bad_text(text: Any) -> str | None:
    from .core.camera.direction import parse_direction

    if text is None:
        return None
    try:
        parse_direction(text)
    except FramedriftError as error:
        return str(error)
    return None


NODES = [CameraDirection]
