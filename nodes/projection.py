"""What nodes that move pictures ask for: projection, near and far, and a depth that fits the picture."""

from __future__ import annotations

import torch

from .core.errors import FramedriftError
from .host import io

# Depth models work at sizes of their own, so that a picture's shape comes back rounded.
_SAME_SHAPE = 0.03


def depth_input(said: str):
    """The optional depth of a node that moves pictures: an IMAGE or a MASK, for `disparity_input`."""
    return io.MultiType.Input(
        "depth",
        types=[io.Image, io.Mask],
        optional=True,
        tooltip=f"{said} Of any size, but of the image's shape. Without it the scene is flat, at near. Without effect "
        "for a 2D camera.",
    )


def range_inputs(near: str, far: str, **options) -> list:
    """`near` and `far`, with their tooltips."""
    return [
        io.Float.Input("near", default=1.0, min=0.01, max=1000.0, step=0.01, round=0.001, tooltip=near, **options),
        io.Float.Input("far", default=50.0, min=0.02, max=100_000.0, step=0.1, round=0.001, tooltip=far, **options),
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
        *range_inputs(
            "Distance of the nearest things (white in a depth picture), in scene units: 200 Deforum units are 1. "
            "Pinhole only.",
            "Distance of the farthest things (black in a depth picture), in scene units; above near. Pinhole only.",
            advanced=advanced,
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


def disparity_input(depth: torch.Tensor | None, image: torch.Tensor) -> torch.Tensor | None:
    """An IMAGE (B, H, W, C) or MASK (B, H, W) of depth as core's (B, 1, H, W).

    Raises:
        FramedriftError: it does not fit the image (B, C, H, W), or holds values that are no numbers.
    """
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
    values = values.float()
    bad = ~torch.isfinite(values)
    if bad.any():
        number, row, column = (int(place) for place in bad.nonzero()[0])
        raise FramedriftError(
            f"depth: {int(bad.sum())} of {bad.numel()} pixels are no finite numbers, the first at x {column}, y {row} "
            f"of picture {number}. A model that ran out of its number format gives such: try it in full precision."
        )
    return values[:, None]
