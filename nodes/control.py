"""Control: a ControlNet that holds the composition of every frame."""

from __future__ import annotations

from typing import Any

from . import host
from .host import io
from .links import clip, pictures
from .options import chained, options_input, options_output, problem_of, read_schedules, unlinked
from .video import frames_input

_SCHEDULES = ("weight", "guidance_start", "guidance_end")
_SOURCES = ("image", "video", "previous frame")


class Control(io.ComfyNode):
    """One ControlNet for the sampler; chain several for several."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftControl",
            display_name="Control",
            category="Framedrift/options",
            description="A ControlNet holds the composition of every frame to a picture, a clip or the frame before, "
            "with a weight that changes over time. Chain one node for each ControlNet.",
            search_aliases=["controlnet", "deforum controlnet", "cn_1", "canny", "openpose", "control video"],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=_inputs(),
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        from .core.feedback.control import Control as Option

        if problem := problem_of(cls, kwargs, _SCHEDULES, Option.BOUNDS):
            return problem
        needed = kwargs.get("source")
        return unlinked(kwargs, needed, "source") or True if needed in ("image", "video") else True

    @classmethod
    def execute(cls, control_net, source, image=None, video=None, vae=None, options=None, **schedules):
        """The chain with this ControlNet."""
        from .core.feedback.control import Control as Option

        option = Option(
            schedules=read_schedules(schedules, _SCHEDULES),
            net=control_net,
            source=source,
            image=None if image is None else pictures("image", image),
            clip=None if video is None else clip("video", video),
            vae=vae,
            origin=_origin(cls.hidden),
        )
        return chained(options, option)


def _origin(hidden: Any) -> Any:
    """The workflow above the net and its VAE; None where it is not known."""
    if hidden is None or not hidden.prompt:
        return None
    return host.upstream_graph(hidden.prompt, hidden.unique_id, ["control_net", "vae"])


def _inputs() -> list:
    return [
        options_input(),
        io.ControlNet.Input("control_net", tooltip="From one of ComfyUI's ControlNet loaders."),
        io.Combo.Input(
            "source",
            options=list(_SOURCES),
            default=_SOURCES[0],
            tooltip="What the ControlNet is shown: image at every frame, video frame by frame, or the previous frame "
            "as the camera has moved it.",
        ),
        io.Image.Input(
            "image",
            optional=True,
            tooltip="For source image: one picture, prepared as the ControlNet expects it (edges, depth, a pose). It "
            "is resized to the animation's size, what is over cut off at the sides.",
        ),
        frames_input(
            "For source video: a prepared clip, brought to the animation's rate and cropped to its size. The "
            "animation is no longer than the clip.",
            "video",
            optional=True,
        ),
        host.schedule_input(
            "weight", "0:(1)", "How strongly it acts, 0 to 10 (Deforum's cn_1_weight); 0 switches it off."
        ),
        host.schedule_input(
            "guidance_start",
            "0:(0)",
            "From which part of a frame's sampling on it acts, 0 to 1, counted over the steps from pure noise to none.",
        ),
        host.schedule_input("guidance_end", "0:(1)", "Until which part it acts, 0 to 1; not before guidance_start."),
        io.Vae.Input(
            "vae",
            optional=True,
            tooltip="For ControlNets that read latents (SD3, Flux); without one they take the sampler's.",
        ),
    ]


NODES = [Control]
