"""Frame Values: what the sampler would do at one of its frames, for ComfyUI's own samplers and loops."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import host
from .core.errors import FramedriftError
from .host import io
from .sampler import given_problem, with_settings
from .sampler_inputs import sampler_inputs
from .score import Score

if TYPE_CHECKING:
    from .core.feedback import FramePlan

#: The sampler's inputs that say what happens when; the rest says with what.
_SHARED = (
    "prompts", "camera", "width", "height", "num_frames", "fps", "diffusion_cadence", "seed", "seed_behavior",
    "seed_iter_N", "strength_schedule", "steps_schedule", "cfg_scale_schedule", "noise_schedule", "full_steps",
    "seed_schedule", "settings", "cadence_schedule", "align_to_keyframes", "loop_frames", "options",
)  # fmt: skip


class FrameValues(io.ComfyNode):
    """All schedules, the prompts and the seed at one iteration."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        index = io.Int.Input(
            "index",
            default=0,
            min=0,
            max=1_000_000,
            step=1,
            tooltip="Which diffused frame, counted from 0: the iteration of a loop. Its frame number is an output.",
        )
        shared = {entry.id: entry for entry in sampler_inputs()}
        return io.Schema(
            node_id="FramedriftFrameValues",
            display_name="Frame Values",
            category="Framedrift/sampling",
            description="What Frame Feedback Sampler would use for one of its diffused frames: prompts, seed, steps, "
            "denoise and guidance, as ComfyUI's own KSampler takes them. With Depth Warp from previous_frame to frame "
            "and a loop node, an animation can be built of stock nodes.",
            search_aliases=["loop", "iteration", "for loop", "batch value schedule", "schedule at index", "keyframes"],
            inputs=[index, *(shared[name] for name in _SHARED)],
            outputs=[
                io.Int.Output("frame", tooltip="Number of the frame in the finished animation."),
                io.Int.Output("previous_frame", tooltip="The diffused frame before it; of the first one, itself."),
                io.Int.Output("count", tooltip="How many frames are diffused in all: iterations of the loop."),
                io.Conditioning.Output("positive", tooltip="For a sampler's positive input."),
                io.Conditioning.Output("negative", tooltip="For a sampler's negative input."),
                io.Int.Output("seed", tooltip="For KSampler's seed."),
                io.Int.Output("steps", tooltip="For KSampler's steps: the frame's share of them, or all."),
                io.Float.Output("denoise", tooltip="For KSampler's denoise; 1 for the first frame and for cuts."),
                io.Float.Output("cfg", tooltip="For KSampler's cfg."),
                io.Float.Output("strength", tooltip="Share of the frame before that is kept."),
                io.Float.Output("noise", tooltip="The value of noise_schedule, as Deforum measures it."),
                io.String.Output("text", tooltip="The prompt; where two are blended, both with their weights."),
                io.String.Output("negative_text", tooltip="The negative prompt, likewise."),
                io.String.Output(
                    "values", tooltip="The option nodes' schedules and the camera at this frame, as JSON."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or given_problem(kwargs) or True

    @classmethod
    def execute(cls, index, **inputs):
        """Decides the whole animation, and hands on one frame of it."""
        # What a bundle says of other matters is for the sampler.
        bundle = {name: value for name, value in (inputs.get("settings") or {}).items() if name in _SHARED}
        inputs = with_settings(cls, {**inputs, "settings": bundle})
        score = Score(inputs)
        if index >= len(score.plans):
            raise FramedriftError(
                f"index is {index}, and the animation has {len(score.plans)} diffused frames: 0 to "
                f"{len(score.plans) - 1}. A loop runs `count` times."
            )
        plan = score.plans[index]
        steps, denoise = stock_steps(plan, index == 0 or plan.is_cut, inputs["full_steps"])
        positive, negative, texts = score.prompts.at(plan.frame, score.num_frames, score.seed)
        moved = score.track.values(plan.frame) if score.track is not None else {}
        return io.NodeOutput(
            plan.frame, score.plans[max(index - 1, 0)].frame, len(score.plans), positive, negative, plan.seed, steps,
            denoise, plan.cfg, plan.strength, plan.noise, *texts, _json({**plan.values, **plan.names, "camera": moved}),
        )  # fmt: skip


def stock_steps(plan: FramePlan, from_nothing: bool, full_steps: bool) -> tuple[int, float]:
    """`steps` and `denoise` with which the stock KSampler runs the very steps that Frame Feedback Sampler runs.

    KSampler lays ``int(steps / denoise)`` steps out and runs the last `steps` of them.
    """
    from .core.feedback.plan import sampler_steps

    if from_nothing:
        return plan.steps, 1.0
    if full_steps:
        return plan.steps, plan.denoise
    given = sampler_steps(plan.denoise, plan.steps)
    # A little less than the quotient: division must not fall below the whole number.
    return given, given / (plan.steps + 1e-6)


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)


NODES = [FrameValues]
