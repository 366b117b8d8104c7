"""Camera to Wan and Camera to VACE: the same camera for video models."""

from typing import Any

from . import host, sockets
from .core.errors import FramedriftError
from .host import io
from .projection import bad_range, depth_input, disparity_input, projection_inputs, warp_settings

# The largest tensor that is made at once.
_MOST_BYTES = 16 * 2**30
_WAN, _COMFYUI = "camera", "wan default"


class CameraToWan(io.ComfyNode):
    """A camera for Wan's Fun Camera models."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCameraToWan",
            display_name="Camera to Wan",
            category="Framedrift/camera",
            description="Any camera of this pack as the camera_embedding that WanCameraImageToVideo takes, so that Wan "
            "2.1 and 2.2 Fun Camera models make a video along its path.",
            search_aliases=["wan camera embedding", "fun camera", "plucker", "camera control", "cameractrl", "wan 2.2"],
            inputs=[
                sockets.Camera.Input("camera", tooltip="How the camera moves: from any camera node but 2D Camera."),
                *_clip_inputs(),
                io.Float.Input(
                    "scale",
                    default=1.0,
                    min=0.0,
                    max=1000.0,
                    step=0.05,
                    round=0.0001,
                    tooltip="What the camera's way is multiplied by. 1 hands on scene units, 200 Deforum units each; "
                    "ComfyUI's own presets go 1.5 to 3 of them in a clip.",
                ),
                io.Combo.Input(
                    "lens",
                    options=[_WAN, _COMFYUI],
                    default=_WAN,
                    advanced=True,
                    tooltip="camera: this camera's field of view, square pixels. wan default: the lens that ComfyUI's "
                    "own WanCameraEmbedding has at its defaults, whatever the camera's.",
                ),
            ],
            outputs=[
                io.WanCameraEmbedding.Output(
                    "camera_embedding", tooltip="For camera_conditions of WanCameraImageToVideo."
                ),
                *_size_outputs(),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or _bad_clip(kwargs, channels=24 / 4) or True

    @classmethod
    def execute(cls, **inputs):
        """The rays of every pixel of every frame."""
        from .core.camera import wan

        width, height, length, start = (inputs[name] for name in ("width", "height", "length", "start_frame"))
        size = wan.check_size((height, width))
        wan.check_length(length)
        track = inputs["camera"].track(_num_frames(inputs), inputs["fps"], inputs["seed"], size)
        poses = wan.clip_poses(track, start, length, inputs["scale"])
        if inputs["lens"] == _COMFYUI:
            lens = wan.default_intrinsics(length, size)
        else:
            lens = wan.lens_intrinsics(track.fov_deg[start : start + length], size)
        return io.NodeOutput(wan.wan_embedding(poses, lens, size), width, height, length)


class CameraToVACE(io.ComfyNode):
    """A camera, and one picture, for Wan VACE."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCameraToVACE",
            display_name="Camera to VACE",
            category="Framedrift/camera",
            description="Moves the camera through one picture, and hands WanVaceToVideo the clip with masks of what it "
            "uncovers: VACE keeps what the picture shows, and makes up the rest.",
            search_aliases=["wan vace", "control video", "control masks", "outpaint", "camera control", "inpaint"],
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The picture, as it is at start_frame. It is scaled to cover width and height, and cut "
                    "evenly.",
                ),
                sockets.Camera.Input("camera", tooltip="How the camera moves: from any camera node."),
                *_clip_inputs(),
                io.Combo.Input(
                    "holes",
                    options=["grey", "filled"],
                    default="grey",
                    tooltip="What the clip shows where VACE has to make the picture up: mid grey, as it was trained, "
                    "or the background drawn in from beside.",
                ),
                io.Int.Input(
                    "grow",
                    default=4,
                    min=0,
                    max=128,
                    step=1,
                    tooltip="By how many pixels the masks are larger than what is uncovered, so that the frayed edges "
                    "of things are made anew.",
                ),
                depth_input("How near everything in the image is, white nearest."),
                *projection_inputs(advanced=True),
            ],
            outputs=[
                io.Image.Output("control_video", tooltip="For control_video of WanVaceToVideo."),
                io.Mask.Output("control_masks", tooltip="For control_masks: 1 where VACE makes the picture up."),
                io.Image.Output(
                    "reference_image",
                    tooltip="The picture at the clip's size, for reference_image of WanVaceToVideo; optional there.",
                ),
                *_size_outputs(),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or _bad_clip(kwargs, channels=4) or bad_range(kwargs) or True

    @classmethod
    def execute(cls, **inputs):
        """The clip and its masks."""
        from .core.camera import vace, wan
        from .core.warp import WarpedFrames

        width, height, length, start = (inputs[name] for name in ("width", "height", "length", "start_frame"))
        size = wan.check_size((height, width))
        wan.check_length(length)
        image = host.to_core(inputs["image"])
        if len(image) != 1:
            raise FramedriftError(f"image: {len(image)} pictures; a clip is made of one, so choose one of them.")
        depth = disparity_input(inputs.get("depth"), image)
        image = vace.cover(image, size)
        track = inputs["camera"].track(_num_frames(inputs), inputs["fps"], inputs["seed"], size)
        clip = WarpedFrames(
            image,
            track,
            start,
            range(start, start + length),
            None if depth is None else vace.cover(depth, size),
            warp_settings(inputs),
            inputs["fps"],
        )
        progress = host.Progress(length)

        def on_frame(done: int) -> None:
            host.check_interrupted()
            progress.step(done)

        video, masks = vace.control_clip(clip, inputs["holes"], inputs["grow"], on_frame)
        return io.NodeOutput(video, masks, host.to_image(image), width, height, length)


def _clip_inputs() -> list:
    size = {"min": 16, "max": 8192, "step": 16}
    return [
        io.Int.Input("width", default=832, **size, tooltip="Width of the clip in pixels, a multiple of 16."),
        io.Int.Input("height", default=480, **size, tooltip="Height of the clip in pixels, a multiple of 16."),
        io.Int.Input(
            "length",
            default=81,
            min=1,
            max=4001,
            step=4,
            tooltip="Frames of the clip: a multiple of 4, and 1 more. Wan's models were made for 81.",
        ),
        io.Int.Input(
            "start_frame",
            default=0,
            min=0,
            max=1_000_000,
            step=1,
            tooltip="Frame of the animation that is the clip's first: where the camera is then becomes the origin.",
        ),
        host.num_frames_input(
            "Length of the whole animation in frames; schedules see it as max_f + 1. 0: it ends with the clip.",
            default=0,
            min=0,
            max=1_000_000,
        ),
        host.fps_input(
            "Frames per second, for schedule keys in seconds. Wan's clips have 16.", default=16.0, round=0.001
        ),
        host.seed_input("What schedules see as s.", advanced=True),
    ]


def _size_outputs() -> list:
    return [
        io.Int.Output("width", tooltip="Width of the clip in pixels, for the node that follows."),
        io.Int.Output("height", tooltip="Height of the clip in pixels."),
        io.Int.Output("length", tooltip="Frames of the clip."),
    ]


def _num_frames(inputs: dict[str, Any]) -> int:
    return inputs["num_frames"] or inputs["start_frame"] + inputs["length"]


def _bad_clip(given: dict[str, Any], channels: float) -> str | None:
    """What is wrong with a clip's size and length, in a sentence."""
    from .core.camera import wan

    width, height, length, start = (given.get(name) for name in ("width", "height", "length", "start_frame"))
    try:
        wan.check_size((16 if height is None else height, 16 if width is None else width))
        if length is not None:
            wan.check_length(length)
    except FramedriftError as error:
        return str(error)
    total = given.get("num_frames")
    if total and length is not None and start is not None and start + length > total:
        return (
            f"num_frames is {total}, but the clip's {length} frames from frame {start} on end with frame "
            f"{start + length - 1}. Raise it to {start + length}, or set it to 0."
        )
    if width is None or height is None or length is None:
        return None
    needed = width * height * (length + 3) * channels * 4
    if needed > _MOST_BYTES:
        return (
            f"length: {length} frames of {width}x{height} take {needed / 2**30:.1f} GiB, more than "
            f"{_MOST_BYTES / 2**30:g}. Make the clip smaller or shorter."
        )
    return None


NODES = [CameraToWan, CameraToVACE]
