"""Sampling Schedules, Checkpoint Schedule and LoRA Schedule: what paints, over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import host
from .cast import check_lora, check_scheduled
from .host import io
from .options import chained, options_input, options_output, problem_in, problem_of, read_name_schedules, read_schedules

_NAMES = ("sampler_schedule", "scheduler_schedule")
_NUMBERS = ("eta_schedule", "distilled_cfg_scale_schedule", "clipskip_schedule")
_CHECKPOINT = "checkpoint_schedule"


class SamplingSchedules(io.ComfyNode):
    """Sampler, scheduler, eta, distilled guidance and clip skip over time."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftSamplingSchedules",
            display_name="Sampling Schedules",
            category="Framedrift/options",
            description="Sampler and scheduler by name, eta, distilled guidance (Flux) and clip skip over time. What "
            "is left empty stays as the Frame Feedback Sampler and the model have it.",
            search_aliases=[
                "sampler schedule",
                "scheduler schedule",
                "ancestral eta",
                "ddim eta",
                "clip skip",
                "flux guidance",
                "distilled cfg",
            ],
            inputs=[
                options_input(),
                io.String.Input(
                    "sampler_schedule",
                    default="",
                    tooltip='ComfyUI\'s samplers over time, each until the next key: 0: ("euler"), 60: ("dpmpp_2m"). '
                    "Empty takes the sampler_name of the Frame Feedback Sampler.",
                ),
                io.String.Input(
                    "scheduler_schedule",
                    default="",
                    tooltip='ComfyUI\'s schedulers over time: 0: ("normal"), 60: ("karras"). Empty takes the scheduler '
                    "of the Frame Feedback Sampler.",
                ),
                host.schedule_input(
                    "eta_schedule",
                    "",
                    "How much noise samplers that add some as they go (euler_ancestral, dpmpp_sde, ...) add, 0 to 100: "
                    "1 is their default, 0 none. The others do not look at it. Empty leaves it alone.",
                ),
                host.schedule_input(
                    "distilled_cfg_scale_schedule",
                    "",
                    "Distilled guidance, 0 to 100, for models that have it (Flux): what Flux Guidance sets, 3.5 being "
                    "usual. The others do not look at it. Empty leaves it alone.",
                ),
                host.schedule_input(
                    "clipskip_schedule",
                    "",
                    "Which layer of the text encoder is read, counted from the end, 1 to 12, cut to whole numbers: 1 "
                    "is the last. Empty leaves it alone.",
                ),
            ],
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """Bounds, texts, and names that do not exist."""
        from .core.feedback.sampling import SamplingSchedules as Option

        numbers = _given(kwargs, _NUMBERS)
        return problem_of(cls, kwargs, numbers, Option.BOUNDS) or _unknown_name(kwargs, _NAMES) or True

    @classmethod
    def execute(cls, options=None, **inputs):
        """The chain with these schedules."""
        from .core.feedback.sampling import SamplingSchedules as Option

        names = _existing(inputs, _NAMES)
        return chained(options, Option(schedules=read_schedules(inputs, _given(inputs, _NUMBERS)), names=names))


class CheckpointSchedule(io.ComfyNode):
    """Which checkpoint paints from which frame on."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCheckpointSchedule",
            display_name="Checkpoint Schedule",
            category="Framedrift/options",
            description="Switches to another checkpoint, with its text encoder and its VAE, at its key. Each is loaded "
            "once, before the first frame.",
            search_aliases=["checkpoint schedule", "model schedule", "switch checkpoint", "deforum checkpoint"],
            inputs=[
                options_input(),
                io.String.Input(
                    _CHECKPOINT,
                    default='0: ("")',
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip='Checkpoints over time, named as in Load Checkpoint, each until the next key: 0: (""), 60: '
                    '("painting.safetensors"). An empty name is the model that is linked to the sampler.',
                ),
            ],
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """Texts, and checkpoints that do not exist."""
        return problem_of(cls, kwargs) or _unknown_name(kwargs, [_CHECKPOINT]) or True

    @classmethod
    def execute(cls, checkpoint_schedule, options=None):
        """The chain with these checkpoints."""
        from .core.feedback.sampling import Checkpoints as Option

        return chained(options, Option(names=read_name_schedules({_CHECKPOINT: checkpoint_schedule}, [_CHECKPOINT])))


class LoraSchedule(io.ComfyNode):
    """One LoRA, as strong as its schedule says."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftLoraSchedule",
            display_name="LoRA Schedule",
            category="Framedrift/options",
            description="A LoRA whose strength changes over time. Its file is read once. Chain one node for each LoRA.",
            search_aliases=["lora schedule", "lora strength", "lora keyframes", "scheduled lora"],
            inputs=[
                options_input(),
                io.Combo.Input("lora_name", options=host.lora_names(), tooltip="The LoRA; from ComfyUI's loras."),
                host.schedule_input(
                    "strength",
                    "0:(1)",
                    "How strongly it acts, -100 to 100; 0 is not at all. Every change of it patches the model anew.",
                ),
                host.schedule_input(
                    "clip_strength",
                    "",
                    "How strongly it acts on the text encoder, -100 to 100; empty is the same as strength. Every "
                    "change of it encodes the prompts anew; 0 is faster where strength moves.",
                    optional=True,
                    advanced=True,
                ),
            ],
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """Bounds, texts, and whether there is such a LoRA."""
        from .core.feedback.sampling import Lora as Option

        return problem_of(cls, kwargs, _given(kwargs, ("strength", "clip_strength")), Option.BOUNDS) or True

    @classmethod
    def execute(cls, lora_name, options=None, **schedules):
        """The chain with this LoRA."""
        from .core.feedback.sampling import Lora as Option

        check_lora(lora_name)
        given = ["strength", *_given(schedules, ["clip_strength"])]
        return chained(options, Option(lora_name=lora_name, schedules=read_schedules(schedules, given)))


def _given(inputs: Mapping[str, Any], names: Any) -> list[str]:
    """Those that hold anything: an empty text is not scheduled."""
    blank = {name for name in names if isinstance(inputs.get(name), str) and not inputs[name].strip()}
    return [name for name in names if inputs.get(name) is not None and name not in blank]


def _existing(given: Mapping[str, Any], names: Any) -> dict[str, Any]:
    """The schedules of names; FramedriftError that names schedule and key where there is no such thing."""
    schedules = read_name_schedules(given, names)
    for name in schedules:
        check_scheduled(schedules, name)
    return schedules


def _unknown_name(given: Mapping[str, Any], names: Any) -> str | None:
    """What is wrong with schedules of names that were typed: their text, or a name that does not exist."""
    return problem_in(lambda: _existing(given, [name for name in names if isinstance(given.get(name), str)]))


NODES = [SamplingSchedules, CheckpointSchedule, LoraSchedule]
