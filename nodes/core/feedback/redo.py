"""Redo: pictures that are made and thrown away before a frame, and frames that came back blank made again."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..cadence.flow import FLOWS, residual_flow
from ..errors import FramedriftError
from ..random import generator
from ..warp.sample import sample
from .options import Option
from .plan import FramePlan

log = logging.getLogger("framedrift")

RESCUES = ("ignore", "reroll", "interrupt")
"""What is done about a blank frame: nothing, another seed, or the end of the run. The names are Deforum's."""

# A picture none of whose channels spans more than this is of one colour: the step of an 8-bit channel.
_ONE_COLOUR = 1 / 255
# A start whose channels deviate by no more than this is plain itself, noise and all, and may well end in one colour.
_PLAIN = 0.05
# Seeds that a page shows without rounding, and that every sampler takes.
_SEEDS = 2**32

Make = Callable[[Tensor | None, FramePlan], Tensor]
"""Diffuses a prepared picture (1, 3, H, W), or None for text to image, by a plan."""


class StopRun(Exception):  # noqa: N818
    """The run is to end before this frame, and what there is handed on; the message says why."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Redo(Option):
    """How often a frame is made before it counts.

    Attributes:
        diffusion_redo: how many pictures are diffused and thrown away, each started from the one before.
        optical_flow_redo_generation: "none", or how the flow towards a first, thrown-away picture is found.
        reroll_blank_frames: one of `RESCUES`.
        reroll_patience: how many other seeds are tried.

    Raises:
        FramedriftError: a choice that is none.
    """

    TITLE: ClassVar[str] = "Redo"
    BOUNDS: ClassVar[Mapping[str, tuple[float, float]]] = {"redo_flow_factor_schedule": (-10.0, 10.0)}

    diffusion_redo: int = 0
    optical_flow_redo_generation: str = "none"
    reroll_blank_frames: str = "reroll"
    reroll_patience: int = 10

    def __post_init__(self) -> None:
        for name, choices in (("optical_flow_redo_generation", FLOWS), ("reroll_blank_frames", RESCUES)):
            if getattr(self, name) not in choices:
                raise FramedriftError(
                    f"{name}: there is no {getattr(self, name)!r}; choose one of {', '.join(choices)}."
                )

    def signature(self) -> list:
        """The patience says only when to give up, so that a run that gave up goes on with more of it."""
        return [self.diffusion_redo, self.optical_flow_redo_generation, self.reroll_blank_frames]


@dataclass(frozen=True, eq=False)
class Made:
    """A diffused frame.

    image: (1, 3, H, W), finite. plan: what it was made by; its seeds are those that were used in the end. note: for the
    journal, {} as a rule: "rerolls", how many blank ones there were before it, or "lost", what came instead of a frame
    that had to be left out.
    """

    image: Tensor
    plan: FramePlan
    note: dict[str, int | str] = field(default_factory=dict)


def prepared_again(
    image: Tensor, plan: FramePlan, redo: Redo, make: Make, matched: Callable[[Tensor], Tensor]
) -> Tensor:
    """What a frame's real diffusion starts from, (1, 3, H, W): `image` itself where nothing is to be redone.

    First the optical flow redo: a picture is diffused with another seed and moved on by the flow that leads to it times
    `redo_flow_factor_schedule`; 1 carries its motion on once more, -1 takes it back, 0 leaves it. Then the diffusion
    redo. As in Deforum, the first frame and cuts have nothing to be redone from.

    Args:
        image: the prepared picture, noise and all.
        make: diffuses it; called with the frame's plan under other seeds.
        matched: gives a diffused picture its colours back.
    """
    if plan.frame == 0 or plan.is_cut:
        return image
    if redo.optical_flow_redo_generation != "none":
        other = make(image, reseeded(plan, "flow redo", 1))
        if _usable(other, plan):
            factor = plan.values.get("redo_flow_factor_schedule", 1.0)
            image = matched(moved_on(image, other, factor, redo.optical_flow_redo_generation))
    for attempt in range(redo.diffusion_redo):
        other = make(image, reseeded(plan, "diffusion redo", attempt + 1))
        if _usable(other, plan):
            image = matched(other)
    return image


def moved_on(before: Tensor, after: Tensor, factor: float, method: str) -> Tensor:
    """`after`, moved by the optical flow from `before` to it times `factor`, in one resampling.

    Convention: a thing at x in `before` and at x + f in `after` lies at x + f + factor * f in the result. It is read
    where the flow at the pixel itself points, which is exact for -1, and elsewhere as far as the flow is smooth.

    Args:
        before, after: (1, 3, H, W), 0..1.
        method: "dis" or "farneback".
    """
    flow = residual_flow(before, after, torch.zeros_like(before[:, :1]), method)  # pyright: ignore[reportArgumentType]
    away = flow.mul_(-factor)
    return sample(after, away[:, 0], away[:, 1])


def made(image: Tensor | None, plan: FramePlan, redo: Redo | None, make: Make, spare: Tensor | None = None) -> Made:
    """A frame diffused, and diffused again with another seed where it came back blank or as no numbers.

    What `reroll_blank_frames` says: "ignore" lets blank frames through, and where pixels are no numbers, from which
    nothing could go on, goes on with `spare`; "reroll" tries `reroll_patience` other seeds;
    "interrupt" tries none. Where all that was tried is blank, the run stops. Plain pictures may end in one colour.

    Args:
        image: the prepared picture (1, 3, H, W), or None for text to image.
        redo: None lets blank frames through.
        make: diffuses it.
        spare: (1, 3, H, W), what the frame was to start from, without the noise; None is nothing.

    Raises:
        StopRun: what came is blank.
        FramedriftError: pixels are no numbers and nobody said what to do about it, or there is nothing to start from.
    """
    found = make(image, plan)
    problem = _problem(found, image)
    if problem is None:
        return Made(found, plan)
    if redo is None or redo.reroll_blank_frames == "ignore":
        return _as_it_is(found, spare, plan, redo)
    tries = redo.reroll_patience if redo.reroll_blank_frames == "reroll" else 0
    for attempt in range(1, tries + 1):
        log.warning("Frame %d came back %s: it is made again with another seed, %d of %d.",
                    plan.frame, problem, attempt, tries)  # fmt: skip
        other = reseeded(plan, "reroll", attempt)
        found = make(image, other)
        problem = _problem(found, image)
        if problem is None:
            return Made(found, other, {"rerolls": attempt})
    with_seeds = f", and so it did with {tries} other seed{'s' * (tries > 1)}" if tries else ""
    raise StopRun(f"Frame {plan.frame} came back {problem}{with_seeds}. {_ADVICE} The run stops before it.")


def is_blank(image: Tensor) -> bool:
    """Whether a picture (1, 3, H, W) is of one colour, as a VAE that failed or a safety checker leaves it."""
    return all(span <= _ONE_COLOUR for span in _spans(image))


def reseeded(plan: FramePlan, purpose: str, attempt: int) -> FramePlan:
    """The plan with other seeds, which its own, the frame, the purpose and the attempt decide."""

    def drawn(seed: int, name: str) -> int:
        return int(torch.randint(_SEEDS, (), generator=generator(seed, plan.frame, f"{name} {attempt}")))

    # A sub-seed that counts in full would make the same picture again.
    subseed = drawn(plan.subseed, f"{purpose}, sub-seed") if plan.subseed_strength > 0 else plan.subseed
    return replace(plan, seed=drawn(plan.seed, purpose), subseed=subseed)


_NAN = "with pixels that are no numbers (NaN)"
_ADVICE = (
    "Half precision is the usual reason: start ComfyUI with --fp32-vae or choose another VAE. The frames before it are "
    "kept."
)


def _spans(image: Tensor) -> list[float]:
    # Of each channel from its least value to its greatest; one that is no number makes this one too.
    ends = [channel.aminmax() for channel in image[0]]
    return [float(high - low) for low, high in ends]


def is_finite(image: Tensor) -> bool:
    """Whether all of a picture (1, 3, H, W) are numbers."""
    return all(math.isfinite(span) for span in _spans(image))


def _problem(found: Tensor, start: Tensor | None) -> str | None:
    if not is_finite(found):
        return _NAN
    return "blank" if is_blank(found) and (start is None or not _is_plain(start)) else None


def _is_plain(image: Tensor) -> bool:
    return float(image.flatten(2).std(dim=2, correction=0).max()) <= _PLAIN


def _as_it_is(found: Tensor, spare: Tensor | None, plan: FramePlan, redo: Redo | None) -> Made:
    if is_finite(found):
        return Made(found, plan)
    if redo is None or spare is None:
        raise FramedriftError(f"Frame {plan.frame} came back {_NAN}. {_ADVICE}")
    log.warning("Frame %d came back %s: what it was to start from, the frame before it, stands in for it.",
                plan.frame, _NAN)  # fmt: skip
    return Made(spare, plan, {"lost": "NaN; the frame before it stands in"})


def _usable(found: Tensor, plan: FramePlan) -> bool:
    if is_finite(found) and not is_blank(found):
        return True
    log.warning("Frame %d: a picture of its redo came back blank or with NaN, and is left out.", plan.frame)
    return False
