"""3D Camera and 2D Camera: Deforum's motion schedules as one thing that the warping nodes take."""

from typing import Any

from . import host, sockets
from .camera_view import camera_output
from .core.errors import FramedriftError
from .host import io

_UNIT = "Deforum units a frame (200 are one scene unit)"
_SPACE = {
    "translation_x": ("0: (0)", f"Camera to the right (positive) or left, in {_UNIT}."),
    "translation_y": ("0: (0)", f"Camera up (positive) or down, in {_UNIT}."),
    "translation_z": ("0: (1.75)", f"Camera forward (positive) or back, in {_UNIT}."),
    "rotation_3d_x": ("0: (0)", "Tilt up (positive) or down, in degrees a frame."),
    "rotation_3d_y": ("0: (0)", "Yaw right (positive) or left, in degrees a frame."),
    "rotation_3d_z": ("0: (0)", "Roll the camera clockwise (positive) or back, in degrees a frame."),
    "fov_schedule": ("0: (70)", "Field of view in degrees, above 0 and below 180; smaller is a longer lens."),
}
# Inputs that older prompts do not have.
_SPACE_LATER = {
    "aspect_ratio_schedule": (
        "0: (1)",
        "Divides how far things move sideways, above 0; 1 is Deforum's default. Only the deforum projection reads it.",
    ),
}
_PLANE = {
    "angle": ("0: (0)", "Turns the picture counter-clockwise (positive) or clockwise, in degrees a frame."),
    "zoom": ("0: (1.0025+0.002*sin(1.25*3.14*t/30))", "Factor a frame, above 0: over 1 goes in, under 1 out."),
    "translation_x": ("0: (0)", "Moves the picture right (positive) or left, in pixels a frame."),
    "translation_y": ("0: (0)", "Moves the picture down (positive) or up, in pixels a frame."),
    "transform_center_x": ("0: (0.5)", "Centre of turn and zoom as a share of the width: 0 left, 1 right."),
    "transform_center_y": ("0: (0.5)", "Centre of turn and zoom as a share of the height: 0 top, 1 bottom."),
}
_FLIP = {
    "perspective_flip_theta": ("0: (0)", "Perspective flip: turns the picture's plane about z, in degrees a frame."),
    "perspective_flip_phi": ("0: (0)", "Perspective flip: tips the picture's plane about x, in degrees a frame."),
    "perspective_flip_gamma": ("0: (0)", "Perspective flip: swings the picture's plane about y, in degrees a frame."),
    "perspective_flip_fv": (
        "0: (53)",
        "Perspective flip: field of view in degrees, above 0 and below 180; larger is stronger.",
    ),
}


class Camera3D(io.ComfyNode):
    """A camera that moves through space."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCamera3D",
            display_name="3D Camera",
            category="Framedrift/camera",
            description="A camera that moves and turns in space a little every frame, in Deforum's 3D schedules. Give "
            "it to the Frame Feedback Sampler, or to Depth Warp.",
            search_aliases=[
                "deforum 3d",
                "translation_z",
                "rotation_3d",
                "fov_schedule",
                "camera motion",
                "flythrough",
            ],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[*_inputs(_SPACE), *_inputs(_SPACE_LATER, optional=True, advanced=True)],
            outputs=[sockets.Camera.Output("camera", tooltip="The camera's motion.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A schedule that cannot be read is said before anything runs."""
        return host.check_bounds(cls, kwargs) or _bad_schedule(_SPACE | _SPACE_LATER, kwargs) or True

    @classmethod
    def execute(cls, **schedules):
        """The schedules as a camera."""
        from .core import camera

        parsed = _parse(schedules)
        lens = {"fov": parsed.pop("fov_schedule")}
        if "aspect_ratio_schedule" in parsed:
            lens["aspect"] = parsed.pop("aspect_ratio_schedule")
        return camera_output(cls, camera.Camera3D(**lens, **parsed))


class Camera2D(io.ComfyNode):
    """A picture moved in its plane."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCamera2D",
            display_name="2D Camera",
            category="Framedrift/camera",
            description="Turns, zooms and shifts the picture in its plane a little every frame, in Deforum's 2D "
            "schedules. Give it to the Frame Feedback Sampler, or to Depth Warp.",
            search_aliases=[
                "deforum 2d",
                "angle",
                "zoom",
                "translation_x",
                "transform_center",
                "infinite zoom",
                "perspective_flip",
            ],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[
                *_inputs(_PLANE),
                io.Boolean.Input(
                    "enable_perspective_flip",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Whether the picture's plane is turned in space too, by the four schedules that follow.",
                ),
                *_inputs(_FLIP, optional=True, advanced=True),
            ],
            outputs=[sockets.Camera.Output("camera", tooltip="The camera's motion.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A schedule that cannot be read is said before anything runs."""
        return host.check_bounds(cls, kwargs) or _bad_schedule(_PLANE | _FLIP, kwargs) or True

    @classmethod
    def execute(cls, enable_perspective_flip=False, **schedules):
        """The schedules as a camera."""
        from .core import camera

        return camera_output(cls, camera.Camera2D(**_parse(schedules), perspective_flip=enable_perspective_flip))


def _inputs(schedules: dict[str, tuple[str, str]], **options: Any) -> list:
    return [host.schedule_input(name, default, tooltip, **options) for name, (default, tooltip) in schedules.items()]


def _parse(schedules: dict[str, Any]) -> dict[str, Any]:
    from .core.schedule import as_schedule

    return {name: as_schedule(value, name) for name, value in schedules.items() if value is not None}


def _bad_schedule(names: dict[str, tuple[str, str]], given: dict[str, Any]) -> str | None:
    try:
        _parse({name: given[name] for name in names if given.get(name) is not None})
    except FramedriftError as error:
        return str(error)
    return None


NODES = [Camera3D, Camera2D]
