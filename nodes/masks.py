"""Masks: where frames may change, and what is put back where they may not."""

from __future__ import annotations

from typing import Any

import torch

from .core.errors import FramedriftError
from .host import io
from .links import batch, clip, masks
from .options import chained, options_input, options_output, problem_of
from .video import frames_input

_SOURCES = ("mask", "image", "mask_video")


class Masks(io.ComfyNode):
    """Says where frames may change."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftMasks",
            display_name="Masks",
            category="Framedrift/options",
            description="Says where frames may change: white is diffused, black stays, grey is diffused in part. Takes "
            "a mask, a picture's alpha, or a video that masks every frame. The init image or the video input can be "
            "laid over what stays. Chain it into the sampler's options.",
            search_aliases=["use_mask", "video mask", "inpaint", "overlay_mask", "noise mask", "deforum mask"],
            inputs=_inputs(),
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        if problem := problem_of(cls, kwargs):
            return problem
        linked = [name for name in _SOURCES if name in kwargs]
        if not linked and "noise_mask" not in kwargs:
            return "mask, image, mask_video, noise_mask: nothing is linked; link one of them."
        return _too_many(linked) or True

    @classmethod
    def execute(cls, options=None, mask=None, image=None, mask_video=None, noise_mask=None, **inputs):
        """The chain with these masks."""
        from .core.feedback.masks import Masks as MasksOption

        still, clip = _source(mask, image, mask_video)
        made = MasksOption(
            still=still,
            clip=clip,
            noise_still=None if noise_mask is None else _one("noise_mask", noise_mask),
            noise_mask=inputs.pop("use_noise_mask"),
            **inputs,
        )
        return chained(options, made)


def _inputs() -> list[Any]:
    return [
        options_input(),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="1 changes, 0 stays. One for all frames, of any size in the animation's shape; or a batch with one "
            "a frame, cropped to it. Load Image's mask is 1 where its picture is transparent.",
        ),
        io.Image.Input(
            "image",
            optional=True,
            tooltip="Instead of a mask: a picture with four channels, whose alpha is the mask (Deforum's "
            "use_alpha_as_mask). What is opaque changes.",
        ),
        frames_input(
            "Instead of a mask: a clip whose brightness masks the animation frame by frame (Deforum's "
            "video_mask_path), at its own rate, cropped to the animation's size. The animation is no longer than it.",
            "mask_video",
            optional=True,
        ),
        io.Boolean.Input("invert_mask", default=False, tooltip="What changes and what stays are exchanged."),
        _number("mask_contrast_adjust", 1.0, 10.0, 0.01, "Contrast of the mask, about its mean; 1 leaves it."),
        _number("mask_brightness_adjust", 1.0, 10.0, 0.01, "What the mask is multiplied by, up to 1; 1 leaves it."),
        _number("mask_blur", 0.0, 256.0, 0.5, "How soft the mask's edges become, in pixels; 0 leaves them."),
        io.Boolean.Input(
            "overlay_mask",
            default=True,
            tooltip="Puts the video input's frame, or what the animation starts from (an init image, mostly), back "
            "over every finished frame where the mask is 0. Off, the feedback's own picture stays there, and moves "
            "with the camera.",
        ),
        _number(
            "mask_overlay_blur", 4.0, 256.0, 0.5, "How soft the edge of what is put back is, in pixels; 0 is hard."
        ),
        io.Boolean.Input(
            "use_noise_mask",
            default=False,
            tooltip="The noise laid over frames is weaker where the mask is grey. Where it is 0 there is none anyway.",
        ),
        io.Mask.Input(
            "noise_mask",
            optional=True,
            tooltip="A mask of the noise's own, for all frames: how strong the noise is, wherever the mask lets frames "
            "change. Invert, contrast, brightness and blur don't apply to it.",
        ),
    ]


def _number(name: str, default: float, most: float, step: float, tooltip: str) -> Any:
    return io.Float.Input(name, default=default, min=0.0, max=most, step=step, tooltip=tooltip)


def _too_many(linked: list[str]) -> str | None:
    if len(linked) < 2:
        return None
    return f"masks: {' and '.join(linked)} are linked; only one of them can be the mask. Unlink the other."


def _source(mask: Any, image: Any, mask_video: Any) -> tuple[torch.Tensor | None, Any]:
    """The still (1, 1, H, W) or the clip that the links give; at most one of the two."""
    linked = [name for name, value in zip(_SOURCES, (mask, image, mask_video), strict=True) if value is not None]
    if problem := _too_many(linked):
        raise FramedriftError(problem)
    if not linked:
        return None, None
    if mask_video is not None:
        return None, clip("mask_video", mask_video)
    stack = masks("mask", mask) if image is None else _alpha(image)
    # More than one are a mask a frame.
    return (stack[:, None], None) if len(stack) == 1 else (None, stack[..., None])


def _one(name: str, mask: Any) -> torch.Tensor:
    stack = masks(name, mask)
    if len(stack) != 1:
        raise FramedriftError(f"{name}: {len(stack)} masks; the noise takes one, so choose one of them.")
    return stack[:, None]


def _alpha(image: Any) -> torch.Tensor:
    if isinstance(image, torch.Tensor) and image.ndim == 4 and image.shape[-1] in (1, 3):
        raise FramedriftError(
            f"image: it has {image.shape[-1]} channels, so no alpha; link a picture with four (Join Image with Alpha "
            f"makes one), or a mask."
        )
    return batch("image", image)[..., 3].float().cpu().contiguous()


NODES = [Masks]
