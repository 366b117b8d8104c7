"""Camera Move and Camera Shake: motions by name instead of by numbers."""

from typing import Any

from . import host, sockets
from .camera_view import camera_output
from .core.errors import FramedriftError
from .host import io

_MOVES = {
    "push in": "forward",
    "pull back": "back",
    "pan": "turns right",
    "tilt": "turns up",
    "roll": "turns clockwise",
    "truck": "to the right",
    "pedestal": "up",
    "orbit": "round the subject on a level circle, to the right",
    "arc": "round the subject to the right, and rising",
    "crane": "up, tilting down to the subject",
    "dolly zoom": "forward, the lens widening so that the subject keeps its size",
    "spiral": "rolls clockwise, a distance forward for each full turn",
    "drift": "floats to the right, half looking at the subject",
}
_SHAKES = {
    "handheld": "slow sway",
    "walking": "a bob with each step",
    "vehicle": "fine vibration and bumps",
    "earthquake": "large and fast",
}
_EASINGS = ["linear", "ease_in", "ease_out", "ease_in_out"]


class CameraMove(io.ComfyNode):
    """One named move."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCameraMove",
            display_name="Camera Move",
            category="Framedrift/camera",
            description="One camera move by its name: what it does, how far, and from which frame to which. Chain "
            "several through camera for more than one.",
            search_aliases=[*_MOVES, "dolly", "zoom", "vertigo", "pan left", "camera preset", "camera motion", "boom"],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[
                _camera_input("The motion that this one rides on: it moves along the axes of that camera."),
                io.Combo.Input(
                    "move",
                    options=list(_MOVES),
                    default="push in",
                    tooltip="What the camera does: " + _listed(_MOVES) + ".",
                ),
                io.Float.Input(
                    "amount",
                    default=60.0,
                    min=-100_000.0,
                    max=100_000.0,
                    step=1.0,
                    round=0.001,
                    tooltip="How far. Degrees for pan, tilt, roll, orbit, arc and spiral; Deforum units (200 are one "
                    "scene unit) for push in, pull back, truck, pedestal, crane, dolly zoom and drift. Negative goes "
                    "the other way: a pan left, a pedestal down.",
                ),
                io.Combo.Input(
                    "per",
                    options=["move", "second"],
                    default="move",
                    tooltip="move: the amount is that of the whole move. second: it is a speed, so that a longer move "
                    "goes farther.",
                ),
                io.Int.Input(
                    "start_frame", default=0, min=0, max=1_000_000, step=1, tooltip="Frame at which the move begins."
                ),
                io.Int.Input(
                    "end_frame",
                    default=-1,
                    min=-1,
                    max=1_000_000,
                    step=1,
                    tooltip="Frame at which the move is done, after start_frame; -1 is the animation's last.",
                ),
                io.Combo.Input(
                    "easing",
                    options=_EASINGS,
                    default="ease_in_out",
                    tooltip="How it gathers and loses speed. linear: none, as fast all the way. ease_in: begins "
                    "gently. ease_out: ends gently. ease_in_out: both.",
                ),
                io.Combo.Input(
                    "repeat",
                    options=["once", "continue", "back and forth"],
                    default="once",
                    tooltip="After the end, until the animation's. once: stays. continue: goes on from there, as far "
                    "again and again; with linear easing as if it never ended. back and forth: goes back, and there "
                    "again.",
                ),
                io.Float.Input(
                    "distance",
                    default=2.0,
                    min=0.01,
                    max=100_000.0,
                    step=0.1,
                    round=0.001,
                    tooltip="How far ahead the subject is, in scene units (those of near and far): for orbit, arc, "
                    "crane, dolly zoom and drift. For spiral how far forward a full turn goes. Without effect on the "
                    "others.",
                ),
                _fov_input(),
            ],
            outputs=[sockets.Camera.Output("camera", tooltip="The camera's motion.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A move that ends before it begins is said before anything runs."""
        return host.check_bounds(cls, kwargs) or _backwards(kwargs) or True

    @classmethod
    def execute(cls, move, camera=None, **settings):
        """The move, on top of the camera if there is one."""
        from .core.camera import on_top
        from .core.camera.moves import Move

        if problem := _backwards(settings):
            raise FramedriftError(problem)
        names = {"start_frame": "start", "end_frame": "end", "fov": "fov_deg"}
        own = Move(move, **{names.get(name, name): value for name, value in settings.items()})
        return camera_output(cls, on_top(camera, own))


class CameraShake(io.ComfyNode):
    """A shake about the camera's place."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCameraShake",
            display_name="Camera Shake",
            category="Framedrift/camera",
            description="Shakes a camera about the place where it would be, without ever carrying it off. Works on "
            "cameras in space and on 2D ones.",
            search_aliases=[*_SHAKES, "hand held", "camera noise", "wobble", "jitter", "shaky cam", "bump"],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[
                _camera_input("The camera to shake; without one, a camera that stands still is."),
                io.Combo.Input(
                    "shake",
                    options=list(_SHAKES),
                    default="handheld",
                    tooltip="What shakes it: " + _listed(_SHAKES) + ".",
                ),
                io.Float.Input(
                    "amount",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.05,
                    round=0.001,
                    tooltip="How far it shakes, as a factor; 0 is not at all.",
                ),
                io.Float.Input(
                    "frequency",
                    default=1.0,
                    min=0.01,
                    max=20.0,
                    step=0.05,
                    round=0.001,
                    tooltip="How fast it shakes, as a factor. What would be faster than the frames can show trembles "
                    "from frame to frame.",
                ),
                host.seed_input(
                    "Which of all such shakes; the same seed shakes the same.",
                    control_after_generate=io.ControlAfterGenerate.fixed,
                ),
                io.Boolean.Input(
                    "loop",
                    default=False,
                    tooltip="Whether the shake closes: the frame after the animation's last would be the first again. "
                    "Off, an animation made longer keeps its earlier frames.",
                ),
                _fov_input(),
            ],
            outputs=[sockets.Camera.Output("camera", tooltip="The camera's motion, shaken.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """Bounds and choices; there is nothing else to go wrong."""
        return host.check_bounds(cls, kwargs) or True

    @classmethod
    def execute(cls, shake, camera=None, fov=70.0, **settings):
        """The camera, shaken."""
        from .core.camera.shake import Shake, Shaken

        own = Shake(shake, fov_deg=fov, **settings)
        return camera_output(cls, own if camera is None else Shaken(camera, own))


def _camera_input(tooltip: str) -> Any:
    return sockets.Camera.Input("camera", optional=True, tooltip=tooltip)


def _fov_input() -> Any:
    return io.Float.Input(
        "fov",
        default=70.0,
        min=1.0,
        max=179.0,
        step=1.0,
        round=0.001,
        advanced=True,
        tooltip="Vertical field of view in degrees, where no camera is linked; a linked one keeps its own. A 2D camera "
        "has none, and is shaken as through this one.",
    )


def _listed(kinds: dict[str, str]) -> str:
    return "; ".join(f"{kind}: {what}" for kind, what in kinds.items())


def _backwards(given: dict[str, Any]) -> str | None:
    start, end = given.get("start_frame"), given.get("end_frame")
    if start is None or end is None or end == -1 or end > start:
        return None
    return (
        f"end_frame is {end}, but start_frame is {start}: the move must end after it begins, or at -1, the animation's "
        "last frame."
    )


NODES = [CameraMove, CameraShake]
