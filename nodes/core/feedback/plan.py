"""What is decided about every diffused frame before the first one is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .options import Values, check_bounds

#: The least and the largest value of the sampler's schedules, by its inputs' names.
BOUNDS = {
    "strength_schedule": (0, 1),
    "steps_schedule": (1, 10_000),
    "cfg_scale_schedule": (0, 100),
    "noise_schedule": (0, 10),
    "subseed_strength_schedule": (0, 1),
}


@dataclass(frozen=True)
class FramePlan:
    """One diffused frame.

    frame: its index in the animation. strength: share of the frame before that is kept, 0..1; 0 is a cut. steps: as
    Deforum counts them, for a denoise of 1. cfg: guidance. noise: see ``noise.add_noise``. prompt, negative: the texts.
    subseed, subseed_strength: see ``noise.initial_noise``; a strength of 0 is none. values, names: what the option
    nodes' schedules say, by their names in the chain.
    """

    frame: int
    seed: int
    strength: float
    steps: int
    cfg: float
    noise: float
    prompt: str = ""
    negative: str = ""
    subseed: int = 0
    subseed_strength: float = 0.0
    values: Mapping[str, float] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def denoise(self) -> float:
        return 1.0 - self.strength

    @property
    def is_cut(self) -> bool:
        return self.strength <= 0


def sampler_steps(denoise: float, steps: int) -> int:
    """Sampler steps that a frame with this denoise is given: ``max(1, int(min(denoise, 0.999) * steps))``.

    The arithmetic is Deforum's (the WebUI's img2img); imported settings assume it.
    """
    return max(1, int(min(denoise, 0.999) * steps))


@dataclass(frozen=True)
class Schedules:
    """The sampler's schedules, sampled: float64 arrays of shape (num_frames,)."""

    strength: np.ndarray
    steps: np.ndarray
    cfg: np.ndarray
    noise: np.ndarray
    subseed_strength: np.ndarray | None = None

    def check(self) -> None:
        """Raises FramedriftError naming the schedule and its first frame out of bounds."""
        for name, (low, high) in BOUNDS.items():
            field = name.removesuffix("_schedule").replace("cfg_scale", "cfg")
            if (values := getattr(self, field)) is not None:
                check_bounds(name, values, low, high)


def cut_frames(strength: np.ndarray) -> tuple[int, ...]:
    """Frames after the first at which the strength falls to 0: they are diffused whatever the cadence is.

    Where it stays 0, the frames that follow keep to the cadence.
    """
    zero = strength <= 0
    return tuple(int(frame) for frame in np.flatnonzero(zero[1:] & ~zero[:-1]) + 1)


def plan_frames(
    indices: Sequence[int],
    schedules: Schedules,
    seeds: Sequence[int],
    texts: Sequence[tuple[str, str]],
    subseeds: Sequence[int] | None = None,
    options: Values | None = None,
) -> tuple[FramePlan, ...]:
    """One plan for each diffused frame.

    Args:
        indices: the frames that are diffused, ascending.
        schedules: over the whole animation.
        seeds, texts, subseeds: one for each of ``indices``; texts are (positive, negative). Without subseeds, or where
            their strength is 0, a frame has none.
        options: the option nodes' schedules, sampled.

    Raises:
        FramedriftError: a schedule leaves its bounds.
    """
    schedules.check()
    strengths = schedules.subseed_strength
    said = [options.at(frame) if options is not None else ({}, {}) for frame in indices]
    varied = [0.0 if strengths is None or subseeds is None else float(strengths[frame]) for frame in indices]
    return tuple(
        FramePlan(
            frame=frame,
            seed=seed,
            strength=float(schedules.strength[frame]),
            steps=int(schedules.steps[frame]),
            cfg=float(schedules.cfg[frame]),
            noise=float(schedules.noise[frame]),
            prompt=positive,
            negative=negative,
            subseed=subseed if strength > 0 else 0,
            subseed_strength=strength,
            values=values,
            names=names,
        )
        for frame, seed, (positive, negative), subseed, strength, (values, names) in zip(
            indices, seeds, texts, subseeds or [0] * len(indices), varied, said, strict=True
        )
    )
