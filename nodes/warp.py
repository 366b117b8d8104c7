"""Depth Warp and Image to Clip: a picture as the camera sees it some frames later, or in all of them."""

import torch

from . import host, sockets
from .core.errors import FramedriftError
from .host import io
from .projection import bad_range, depth_input, disparity_input, projection_inputs, warp_settings

# The largest batch of images and masks that is made at once.
_MOST_BYTES = 16 * 2**30


class DepthWarp(io.ComfyNode):
    """Moves an image as the camera moves."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftDepthWarp",
            display_name="Depth Warp",
            category="Framedrift/camera",
            description="Moves an image as the camera moves from one frame to another, near things before far ones, in "
            "one resampling. What the camera uncovers comes out as a mask, and is filled from the background.",
            search_aliases=["deforum 3d", "deforum 2d", "parallax", "2.5d", "3d warp", "reproject", "depth_warping"],
            inputs=_inputs(),
            outputs=[
                io.Image.Output("image", tooltip="The moved image; holes are filled from the background side."),
                io.Mask.Output("holes", tooltip="1 where the source has nothing that belongs here, else 0."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or _bad_frames(kwargs) or bad_range(kwargs) or True

    @classmethod
    def execute(cls, **inputs):
        """The image moved from one frame to another, or to each of a range of frames."""
        image = host.to_core(inputs["image"])
        size = (image.shape[-2], image.shape[-1])
        source = _source(inputs["frame"], inputs["from_frame"])
        targets = _targets(inputs)
        track = inputs["camera"].track(inputs["num_frames"], inputs["fps"], inputs["seed"], size)
        settings = warp_settings(inputs)
        depth = disparity_input(inputs.get("depth"), image)
        if len(targets) == 1:
            from .core.warp import warp

            warped = warp(image, track, source, targets[0], depth, settings)
            return io.NodeOutput(host.to_image(warped.image), host.to_mask(warped.holes))
        return io.NodeOutput(*_batch(image, track, source, targets, depth, settings))


class ImageToClip(io.ComfyNode):
    """Makes a clip of one picture."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftImageToClip",
            display_name="Image to Clip",
            category="Framedrift/camera",
            description="One picture becomes a clip: the camera moves through it from frame 0 on, near things before "
            "far ones, and what it uncovers is filled from the background. Nothing is diffused. Frames are made when "
            "they are asked for, so that a clip of any length needs the memory of one.",
            search_aliases=["2.5d", "parallax", "ken burns", "3d photo", "depthflow", "image to video", "deforum 3d"],
            inputs=_clip_inputs(),
            outputs=[
                sockets.Frames.Output("frames", tooltip="The clip, lazily; give it to Video Combine."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or bad_range(kwargs) or True

    @classmethod
    def execute(cls, **inputs):
        """The clip; no frame of it is made yet."""
        from .core.warp import WarpedFrames

        image = host.to_core(inputs["image"])
        if len(image) != 1:
            raise FramedriftError(f"image: {len(image)} pictures; a clip is made of one, so choose one of them.")
        size = (image.shape[-2], image.shape[-1])
        track = inputs["camera"].track(inputs["num_frames"], inputs["fps"], inputs["seed"], size)
        depth = disparity_input(inputs.get("depth"), image)
        clip = WarpedFrames(image, track, disparity=depth, settings=warp_settings(inputs), fps=inputs["fps"])
        return io.NodeOutput(clip)


def _batch(image, track, source: int, targets: range, depth, settings) -> tuple[torch.Tensor, torch.Tensor]:
    """The frames of a range as an IMAGE batch, and their holes as a MASK batch."""
    from .core.warp import WarpedFrames

    if len(image) != 1:
        raise FramedriftError(
            f"image: {len(image)} pictures, and count asks for {len(targets)} frames; give one picture, or count 1."
        )
    channels, height, width = image.shape[1:]
    needed = len(targets) * height * width * (channels + 1) * 4
    if needed > _MOST_BYTES:
        raise FramedriftError(
            f"count: {len(targets)} images of {width}x{height} and their masks take {needed / 2**30:.1f} GiB, more "
            f"than {_MOST_BYTES / 2**30:g}. Take fewer, or use Image to Clip, which makes frames one at a time."
        )
    clip = WarpedFrames(image, track, source, targets, depth, settings)
    images, holes = torch.empty(len(clip), height, width, channels), torch.empty(len(clip), height, width)
    progress = host.Progress(len(clip))
    for item in range(len(clip)):
        host.check_interrupted()
        warped = clip.warped(item)
        images[item], holes[item] = warped.image[0].movedim(0, -1), warped.holes[0, 0]
        progress.step(item + 1)
    return images, holes


_DEPTH = "How near everything is, white nearest: one picture, or one for each image."


def _inputs() -> list:
    return [
        io.Image.Input("image", tooltip="The picture as it is at from_frame."),
        _camera_input(),
        io.Int.Input("frame", default=1, min=0, max=1_000_000, step=1, tooltip="Frame to make, counted from 0."),
        io.Int.Input(
            "from_frame",
            default=-1,
            min=-1,
            max=1_000_000,
            step=1,
            tooltip="Frame that the image shows. -1 is the one before `frame`. It may lie after it too.",
        ),
        *_animation_inputs(max=1_000_000),
        depth_input(_DEPTH),
        *projection_inputs(),
        io.Int.Input(
            "count",
            default=1,
            min=0,
            max=100_000,
            step=1,
            optional=True,
            tooltip="How many frames to make of one image, from `frame` on, as a batch; 0 makes all to the end of the "
            "animation. Image to Clip makes long clips without a batch.",
        ),
    ]


def _clip_inputs() -> list:
    return [
        io.Image.Input("image", tooltip="The picture, as it is at frame 0."),
        _camera_input(),
        *_animation_inputs(),
        depth_input(_DEPTH),
        *projection_inputs(),
    ]


def _camera_input():
    return sockets.Camera.Input("camera", tooltip="How the camera moves: from any camera node.")


def _animation_inputs(**length) -> list:
    return [
        host.num_frames_input(
            "Length of the animation in frames (Deforum's max_frames); schedules see it as max_f + 1.", **length
        ),
        host.fps_input("Frames per second of the animation, for schedule keys in seconds.", round=0.001),
        host.seed_input("What schedules see as s. The warp itself draws no random numbers.", advanced=True),
    ]


def _source(frame: int, from_frame: int) -> int:
    return max(frame - 1, 0) if from_frame < 0 else from_frame


def _targets(inputs: dict) -> range:
    frame, count = inputs["frame"], inputs.get("count", 1)
    return range(frame, inputs["num_frames"] if count == 0 else frame + count)


def _bad_frames(given: dict) -> str | None:
    length = given.get("num_frames")
    if length is None:
        return None
    for name in ("frame", "from_frame"):
        value = given.get(name)
        if value is not None and value >= length:
            return f"{name} is {value}, but the animation has {length} frames, 0 to {length - 1}; see num_frames."
    first, count = given.get("frame"), given.get("count")
    if first is not None and count and first + count > length:
        return (
            f"count is {count}: frames {first} to {first + count - 1}, but the animation has {length}, "
            f"0 to {length - 1}. Raise num_frames, or set count to 0 for all that there are."
        )
    return None


NODES = [DepthWarp, ImageToClip]
