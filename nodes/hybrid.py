"""Hybrid Video: an animation that takes pictures, or only their motion, from a video."""

from typing import Any

from . import host
from .host import io
from .links import clip
from .options import chained, options_input, options_output, problem_of, read_schedules
from .video import frames_input

# What is chosen where an input is left out; the schedules' are Deforum's.
_OPTIONAL: dict[str, Any] = {
    "hybrid_comp_mask_blend_alpha_schedule": "0:(0.5)",
    "hybrid_comp_mask_inverse": False,
    "hybrid_comp_mask_equalize": "none",
    "hybrid_comp_mask_contrast_schedule": "0:(1)",
    "hybrid_comp_mask_auto_contrast": False,
    "hybrid_comp_mask_auto_contrast_cutoff_low_schedule": "0:(0)",
    "hybrid_comp_mask_auto_contrast_cutoff_high_schedule": "0:(100)",
    "hybrid_flow_consistency": False,
    "hybrid_consistency_blur": 2.0,
    "hybrid_motion_use_prev_img": False,
    "hybrid_use_first_frame_as_init_image": True,
}
_SCHEDULES = (
    "hybrid_comp_alpha_schedule",
    "hybrid_flow_factor_schedule",
    *(name for name in _OPTIONAL if name.endswith("_schedule")),
)
# An input's name in core, where that is another.
_FIELDS = {
    "hybrid_composite": "composite",
    "hybrid_comp_mask_type": "mask_type",
    "hybrid_comp_mask_inverse": "mask_inverse",
    "hybrid_comp_mask_equalize": "mask_equalize",
    "hybrid_comp_mask_auto_contrast": "mask_auto_contrast",
    "hybrid_motion": "motion",
    "hybrid_flow_method": "flow_method",
    "hybrid_flow_consistency": "flow_consistency",
    "hybrid_consistency_blur": "consistency_blur",
    "hybrid_motion_use_prev_img": "use_prev_img",
    "hybrid_use_first_frame_as_init_image": "use_first_frame",
}


class HybridVideo(io.ComfyNode):
    """Mixes a video into an animation, or moves the animation as the video moves."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftHybridVideo",
            display_name="Hybrid Video",
            category="Framedrift/options",
            description="A video in the animation: its pictures are mixed into each frame, through a mask if wanted, "
            "or its motion alone moves the frames. It is decoded a frame at a time.",
            search_aliases=["deforum hybrid video", "hybrid motion", "hybrid composite", "optical flow", "vid2vid"],
            inputs=[options_input(), *_composite(), *_motion(), *_mask(), *_flow()],
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        from .core.feedback.hybrid import Hybrid

        return problem_of(cls, kwargs, _SCHEDULES, Hybrid.BOUNDS) or True

    @classmethod
    def execute(cls, **inputs):
        """The chain with these options; of a VIDEO only the first picture is decoded yet."""
        from .core.feedback.hybrid import Hybrid

        chosen = _OPTIONAL | {name: value for name, value in inputs.items() if value is not None}
        plain = {field: chosen[name] for name, field in _FIELDS.items()}
        video = clip("video", inputs["video"])
        option = Hybrid(schedules=read_schedules(chosen, _SCHEDULES), video=video, **plain)
        return chained(inputs.get("options"), option)


def _schedule(name: str, tooltip: str) -> Any:
    return host.schedule_input(name, _OPTIONAL[name], tooltip, optional=True, advanced=True)


def _switch(name: str, tooltip: str, advanced: bool = True) -> Any:
    return io.Boolean.Input(name, default=_OPTIONAL[name], optional=True, advanced=advanced, tooltip=tooltip)


def _composite() -> list:
    return [
        frames_input(
            "The video. It is brought to the animation's rate and cropped to its size; the animation becomes no longer "
            "than it is.",
            "video",
        ),
        io.Combo.Input(
            "hybrid_composite",
            options=["none", "normal", "before motion", "after generation"],
            default="none",
            tooltip="When the video's picture is mixed into the animation's. normal: before it is diffused; before "
            "motion: before it is moved by the video's motion as well; after generation: once it is diffused; none: "
            "never.",
        ),
        host.schedule_input(
            "hybrid_comp_alpha_schedule",
            "0:(0.5)",
            "How much of the video's picture is mixed in, 0 to 1; through a mask, how much of what that lets through.",
        ),
        io.Combo.Input(
            "hybrid_comp_mask_type",
            options=["none", "depth", "video depth", "blend", "difference"],
            default="none",
            tooltip="Where the mask is light, the animation's picture stays: none stays nowhere; depth: where it is "
            "near; video depth: where the video is near (both need the sampler's depth_model); blend: where both are "
            "light; difference: where they differ.",
        ),
    ]


def _motion() -> list:
    return [
        io.Combo.Input(
            "hybrid_motion",
            options=["none", "optical flow", "perspective", "affine"],
            default="none",
            tooltip="Moves the animation's picture as the video moves: each part for itself (optical flow), as a plane "
            "in space (perspective), or turned, scaled and shifted as a whole (affine).",
        ),
        io.Combo.Input(
            "hybrid_flow_method",
            options=["dis", "farneback"],
            default="dis",
            tooltip="How optical flow is found: dis is fast and keeps edges, farneback is softer.",
        ),
        host.schedule_input(
            "hybrid_flow_factor_schedule",
            "0:(1)",
            "How far optical flow moves the picture: 1 as far as the video moves, 0 not at all, -1 the other way; -10 "
            "to 10. Not for perspective and affine.",
        ),
    ]


def _mask() -> list:
    return [
        _schedule(
            "hybrid_comp_mask_blend_alpha_schedule",
            "For the mask blend: the video's share in it, 0 to 1; 0 is the animation's lightness alone.",
        ),
        _switch("hybrid_comp_mask_inverse", "Light and dark of the mask change places, before anything else is done."),
        io.Combo.Input(
            "hybrid_comp_mask_equalize",
            options=["none", "before", "after", "both"],
            default=_OPTIONAL["hybrid_comp_mask_equalize"],
            optional=True,
            advanced=True,
            tooltip="Whether the mask's levels are spread evenly, before or after contrast and auto-contrast.",
        ),
        _schedule(
            "hybrid_comp_mask_contrast_schedule",
            "The mask's contrast about its mean: 1 leaves it, 0 makes it even, 2 doubles it; 0 to 255.",
        ),
        _switch(
            "hybrid_comp_mask_auto_contrast",
            "Whether the mask is stretched so that its cutoffs become black and white.",
        ),
        _schedule(
            "hybrid_comp_mask_auto_contrast_cutoff_low_schedule",
            "The percentile of the mask, 0 to 100, that auto-contrast makes black.",
        ),
        _schedule(
            "hybrid_comp_mask_auto_contrast_cutoff_high_schedule",
            "The percentile of the mask, 0 to 100, that auto-contrast makes white.",
        ),
    ]


def _flow() -> list:
    return [
        _switch(
            "hybrid_flow_consistency",
            "Where optical flow cannot be trusted, since the way there and back disagree or something was uncovered, "
            "the frame is painted anew.",
        ),
        io.Float.Input(
            "hybrid_consistency_blur",
            default=_OPTIONAL["hybrid_consistency_blur"],
            min=0.0,
            max=16.0,
            step=0.5,
            optional=True,
            advanced=True,
            tooltip="How softly that goes over, in pixels.",
        ),
        _switch(
            "hybrid_motion_use_prev_img",
            "The motion is read from the animation's own picture to the video's, instead of between two pictures of "
            "the video: the animation is pulled towards the video.",
        ),
        _switch(
            "hybrid_use_first_frame_as_init_image",
            "The animation starts from the video's first picture. An init_image of the sampler goes first.",
            advanced=False,
        ),
    ]


NODES = [HybridVideo]
