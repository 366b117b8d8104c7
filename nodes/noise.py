"""Noise: what is laid over every frame before it is diffused, and how strong the sampler's own noise is."""

from __future__ import annotations

from typing import Any

from . import host
from .host import io
from .options import chained, options_input, options_output, problem_of, read_schedules

_SCHEDULES = ("noise_multiplier_schedule",)


class Noise(io.ComfyNode):
    """Chooses the noise that keeps the feedback finding detail."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftNoise",
            display_name="Noise",
            category="Framedrift/options",
            description="Chooses what kind of noise every frame gets before it is diffused, whose strength is the "
            "sampler's noise_schedule: even, in drifting patches as Deforum's perlin, or soft clouds of colour. Also "
            "how strong the sampler's own noise is. Chain it into the sampler's options.",
            search_aliases=["noise_type", "perlin", "noise_multiplier_schedule", "deforum noise", "grain"],
            inputs=_inputs(),
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        from .core.feedback.noise import Noise as NoiseOption

        return problem_of(cls, kwargs, _SCHEDULES, NoiseOption.BOUNDS) or True

    @classmethod
    def execute(cls, options=None, **inputs):
        """The chain with this noise."""
        from .core.feedback.noise import Noise as NoiseOption

        schedules = read_schedules(inputs, _SCHEDULES)
        plain = {name: value for name, value in inputs.items() if name not in _SCHEDULES}
        return chained(options, NoiseOption(schedules=schedules, **plain))


def _inputs() -> list[Any]:
    return [
        options_input(),
        io.Combo.Input(
            "noise_type",
            options=["gaussian", "uniform", "perlin", "clouds"],
            default="gaussian",
            tooltip="gaussian: white noise, evenly over the picture (Deforum calls it uniform). uniform: white noise "
            "whose values are all equally likely, without strong single specks. perlin: Deforum's, Gaussian noise in "
            "patches. clouds: a Perlin field for each channel, soft patches of colour that become new shapes.",
        ),
        _cells("perlin_w", "across its width"),
        _cells("perlin_h", "down its height"),
        io.Int.Input(
            "perlin_octaves",
            default=4,
            min=1,
            max=7,
            step=1,
            tooltip="How many Perlin fields are summed, each with cells of half the size. Only perlin and clouds.",
        ),
        io.Float.Input(
            "perlin_persistence",
            default=0.5,
            min=0.0,
            max=1.0,
            step=0.02,
            tooltip="How strong each octave is, by the one before it. Only perlin and clouds.",
        ),
        host.schedule_input(
            "noise_multiplier_schedule",
            "0:(1.0)",
            "What the sampler's own noise is multiplied by in frames that start from a picture, 0 to 10. A little over "
            "1 gives more detail, under 1 smoother frames. Deforum's own settings have 1.05.",
        ),
    ]


def _cells(name: str, where: str) -> Any:
    return io.Float.Input(
        name,
        default=8.0,
        min=0.1,
        max=16.0,
        step=0.1,
        tooltip=f"Cells of the Perlin field {where}, at its coarsest octave: fewer are larger patches. Only perlin and "
        "clouds. Deforum has the two the other way round.",
    )


NODES = [Noise]
