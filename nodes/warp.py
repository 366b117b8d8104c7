"""Depth Warp: a picture as the camera sees it some frames later."""

import torch

from . import host, sockets
from .core.errors import FramedriftError
from .host import io

# Depth models work at sizes of their own, so that a picture's shape comes back rounded.
_SAME_SHAPE = 0.03


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
        """The image moved from one frame to the other."""
        from .core.warp import warp

        image = host.to_core(inputs["image"])
        size = (image.shape[-2], image.shape[-1])
        target, source = inputs["frame"], _source(inputs["frame"], inputs["from_frame"])
        track = inputs["camera"].track(inputs["num_frames"], inputs["fps"], inputs["seed"], size)
        settings = warp_settings(inputs)
        warped = warp(image, track, source, target, _disparity(inputs.get("depth"), image), settings)
        return io.NodeOutput(host.to_image(warped.image), host.to_mask(warped.holes))


def _inputs() -> list:
    return [
        io.Image.Input("image", tooltip="The picture as it is at from_frame."),
        sockets.Camera.Input("camera", tooltip="How the camera moves: from 3D Camera or 2D Camera."),
        io.Int.Input("frame", default=1, min=0, max=1_000_000, step=1, tooltip="Frame to make, counted from 0."),
        io.Int.Input(
            "from_frame",
            default=-1,
            min=-1,
            max=1_000_000,
            step=1,
            tooltip="Frame that the image shows. -1 is the one before `frame`. It may lie after it too.",
        ),
        host.num_frames_input(
            "Length of the animation in frames (Deforum's max_frames); schedules see it as max_f + 1.", max=1_000_000
        ),
        host.fps_input("Frames per second of the animation, for schedule keys in seconds.", round=0.001),
        host.seed_input("What schedules see as s. The warp itself draws no random numbers.", advanced=True),
        io.MultiType.Input(
            "depth",
            types=[io.Image, io.Mask],
            optional=True,
            tooltip="How near everything is, white nearest: one picture, or one for each image. Of any size, but of "
            "the image's shape. Without it the scene is flat, at near. Without effect for a 2D camera.",
        ),
        *projection_inputs(),
    ]


def projection_inputs(advanced: bool | None = None) -> list:
    """The inputs of every node that moves pictures: what `warp_settings` reads."""
    return [
        io.Combo.Input(
            "projection",
            options=["pinhole", "deforum"],
            default="pinhole",
            advanced=advanced,
            tooltip="How a 3D camera moves the picture: pinhole hides and uncovers as a lens does, deforum warps "
            "exactly as classic Deforum did.",
        ),
        io.Float.Input(
            "near",
            default=1.0,
            min=0.01,
            max=1000.0,
            step=0.01,
            round=0.001,
            advanced=advanced,
            tooltip="Distance of the nearest things (white in a depth picture), in scene units: 200 Deforum units are "
            "1. Pinhole only.",
        ),
        io.Float.Input(
            "far",
            default=50.0,
            min=0.02,
            max=100_000.0,
            step=0.1,
            round=0.001,
            advanced=advanced,
            tooltip="Distance of the farthest things (black in a depth picture), in scene units; above near. Pinhole "
            "only.",
        ),
        io.Combo.Input(
            "border",
            options=["replicate", "wrap", "reflect", "zeros"],
            default="replicate",
            advanced=advanced,
            tooltip="What lies outside the picture: its edge, its other side, its mirror image, or black. With wrap "
            "and reflect what comes from there is no hole.",
        ),
        io.Combo.Input(
            "sampling_mode",
            options=["bicubic", "bilinear", "nearest"],
            default="bicubic",
            advanced=advanced,
            tooltip="How moved pixels are interpolated; bicubic keeps most detail.",
        ),
    ]


def warp_settings(inputs: dict):
    """What `projection_inputs` were set to, for core."""
    from .core.warp import WarpSettings

    names = ("projection", "near", "far", "border", "sampling_mode")
    return WarpSettings(*(inputs[name] for name in names))


def bad_range(given: dict) -> str | None:
    """What is wrong with near and far, in a sentence."""
    near, far = given.get("near"), given.get("far")
    if near is not None and far is not None and near >= far:
        return f"near is {near:g} and far {far:g}: near must be below far."
    return None


def _source(frame: int, from_frame: int) -> int:
    return max(frame - 1, 0) if from_frame < 0 else from_frame


def _bad_frames(given: dict) -> str | None:
    length = given.get("num_frames")
    for name in ("frame", "from_frame"):
        value = given.get(name)
        if value is not None and length is not None and value >= length:
            return f"{name} is {value}, but the animation has {length} frames, 0 to {length - 1}; see num_frames."
    return None


def _disparity(depth: torch.Tensor | None, image: torch.Tensor) -> torch.Tensor | None:
    """An IMAGE (B, H, W, C) or MASK (B, H, W) of depth as (B, 1, H, W), if it fits the image."""
    if depth is None:
        return None
    values = depth[..., :3].mean(-1) if depth.ndim == 4 else depth
    if values.ndim == 2:
        values = values[None]
    (count, h, w), (batch, _, height, width) = values.shape, image.shape
    if count not in (1, batch):
        raise FramedriftError(f"depth: {count} pictures for {batch} images; give one, or one for each image.")
    if abs(w * height - h * width) > _SAME_SHAPE * max(w * height, h * width):
        raise FramedriftError(
            f"depth: it is {w}x{h}, of another shape than the image's {width}x{height}. Take the depth of this image, "
            "or crop it as the image was cropped."
        )
    return values[:, None].float()


NODES = [DepthWarp]
