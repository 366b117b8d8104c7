"""Combine Cameras, Look At and Loop Camera: cameras made of cameras."""

from __future__ import annotations

from typing import Any

import torch

from . import host, sockets
from .camera_view import camera_output
from .host import io
from .projection import bad_range, range_inputs

# What the page shows, and what core calls it.
_WAYS = {"ride along": "ride", "add steps": "steps", "one after another": "then"}
_MORE = ("camera_2", "camera_3", "camera_4")


class CombineCameras(io.ComfyNode):
    """Several cameras as one."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCombineCameras",
            display_name="Combine Cameras",
            category="Framedrift/camera",
            description="Two to four cameras as one: each standing on the one before as a hand-held camera on a dolly, "
            "all of them step by step, or one after another.",
            search_aliases=["merge cameras", "add camera motion", "chain cameras", "camera sequence", "camera rig"],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[
                sockets.Camera.Input("camera_1", tooltip="The first camera: the dolly, or what comes first."),
                sockets.Camera.Input(
                    "camera_2",
                    tooltip="The second: it stands on the first, or follows it. Both must be 2D, or both in space.",
                ),
                sockets.Camera.Input("camera_3", optional=True, tooltip="Stands on the first two, or follows them."),
                sockets.Camera.Input("camera_4", optional=True, tooltip="Stands on those before it, or follows them."),
                io.Combo.Input(
                    "mode",
                    options=list(_WAYS),
                    default="ride along",
                    tooltip="ride along: each camera stands on the one before and is carried by it, and where it looks "
                    "does not steer what carries it. add steps: what they move in a frame is done one after the other, "
                    "along the axes as they are by then, as if their schedules were added. one after another: each "
                    "goes on from where the one before is, every at_frame frames.",
                ),
                io.Int.Input(
                    "at_frame",
                    default=60,
                    min=1,
                    max=100_000,
                    step=1,
                    tooltip="For one after another: the frame from which camera_2 moves; it is its frame 0. camera_3 "
                    "follows as many frames later, and so camera_4.",
                ),
            ],
            outputs=[sockets.Camera.Output("camera", tooltip="All of them as one camera.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or True

    @classmethod
    def execute(cls, camera_1, mode, at_frame, **others):
        """The cameras as one."""
        from .core.camera import Combined

        camera, at = camera_1, at_frame
        for top in (others.get(name) for name in _MORE):
            if top is not None:
                camera = Combined(camera, top, _WAYS[mode], at)
                at += at_frame
        return camera_output(cls, camera)


class LookAt(io.ComfyNode):
    """A camera that keeps a thing in its place."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftLookAt",
            display_name="Look At",
            category="Framedrift/camera",
            description="Turns a camera so that one thing of the first frame stays exactly where it is in the picture, "
            "while the camera orbits, dollies or cranes round it, through the measured depth.",
            search_aliases=[
                "aim",
                "track subject",
                "focus point",
                "keep centered",
                "orbit subject",
                "follow",
                "target",
            ],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=_look_inputs(),
            outputs=[sockets.Camera.Output("camera", tooltip="The same way, looking at the thing.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or bad_range(kwargs) or True

    @classmethod
    def execute(cls, camera, x, y, distance, near, far, strength, mask=None, depth=None):
        """The camera, turned."""
        from .core.camera.aim import Aimed, find_target

        target = find_target(x, y, distance, _first(mask), _first(depth), near, far)
        return camera_output(cls, Aimed(camera, target, strength))


class LoopCamera(io.ComfyNode):
    """A camera that goes round."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftLoopCamera",
            display_name="Loop Camera",
            category="Framedrift/camera",
            description="Makes a camera go round: closed comes back to where it began with no step in its speed, so "
            "that the last frame goes over into the first; periodic repeats its motion for ever.",
            search_aliases=["seamless loop", "perfect loop", "cycle", "repeat motion", "ping pong", "boomerang"],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[
                sockets.Camera.Input("camera", tooltip="The camera; its frames from 0 to length make the round."),
                io.Combo.Input(
                    "mode",
                    options=["closed", "periodic"],
                    default="closed",
                    tooltip="closed: what is left at the end is taken back over the second half of the way, so that "
                    "frame length is frame 0 again. periodic: the motion is done again and again, from wherever the "
                    "camera is by then.",
                ),
                io.Int.Input(
                    "length",
                    default=0,
                    min=0,
                    max=100_000,
                    step=1,
                    tooltip="Frames of a round. 0 is the animation's length, for closed; periodic needs a number.",
                ),
            ],
            outputs=[sockets.Camera.Output("camera", tooltip="The camera, going round.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        if kwargs.get("mode") == "periodic" and kwargs.get("length") == 0:
            return "length is 0, the whole animation, after which nothing repeats: say how many frames a round has."
        return True

    @classmethod
    def execute(cls, camera, mode, length):
        """The camera, going round."""
        from .core.camera.loop import Looped

        return camera_output(cls, Looped(camera, mode, length))


def _look_inputs() -> list:
    return [
        sockets.Camera.Input("camera", tooltip="Where the camera goes: from any camera node that moves in space."),
        *(
            io.Float.Input(
                name,
                default=256.0,
                min=0.0,
                max=16384.0,
                step=1.0,
                round=0.01,
                tooltip=f"The thing's pixel, from the {edge}, counted from 0; in the linked depth picture, or else in "
                "the animation. Without effect where a mask is linked.",
            )
            for name, edge in (("x", "left"), ("y", "top"))
        ),
        io.Float.Input(
            "distance",
            default=1.0,
            min=0.01,
            max=100_000.0,
            step=0.1,
            round=0.001,
            tooltip="How far away the thing is, in scene units, where no depth is linked. A warp without depth has "
            "everything at near.",
        ),
        *range_inputs(
            "Distance of white in the depth picture, in scene units. It must be the near that the camera's pictures "
            "are warped with, or the thing drifts.",
            "Distance of black in the depth picture, in scene units, above near; likewise the warp's own.",
        ),
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            round=0.001,
            tooltip="Share of the turn that keeps the thing in its place: 1 all of it, 0 none.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="The thing in the first frame, 1 on it: its centre of weight is looked at, as far away as the "
            "median of what it covers. Takes the place of x and y.",
        ),
        io.MultiType.Input(
            "depth",
            types=[io.Image, io.Mask],
            optional=True,
            tooltip="How near everything in the first frame is, white nearest: the depth that the camera's pictures "
            "are warped with. Of several pictures the first counts. Without it distance is taken.",
        ),
    ]


def _first(pictures: Any) -> torch.Tensor | None:
    """The first of a batch of IMAGE (B, H, W, C) or MASK (B, H, W), as (H, W)."""
    if pictures is None:
        return None
    grey = pictures[..., :3].float().mean(-1) if pictures.ndim == 4 else pictures
    return grey if grey.ndim == 2 else grey[0]


NODES = [CombineCameras, LookAt, LoopCamera]
