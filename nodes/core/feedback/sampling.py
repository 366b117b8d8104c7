"""What paints at which frame: sampler, scheduler, guidance, clip skip, checkpoints and LoRAs over time."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..schedule import StringSchedule
from ..schedule.errors import ScheduleError
from .options import Option, Options
from .plan import FramePlan

SAMPLER, SCHEDULER, CHECKPOINT = "sampler_schedule", "scheduler_schedule", "checkpoint_schedule"
ETA, GUIDANCE, CLIP_SKIP = "eta_schedule", "distilled_cfg_scale_schedule", "clipskip_schedule"


@dataclass(frozen=True, eq=False, kw_only=True)
class SamplingSchedules(Option):
    """Sampler and scheduler by name, eta, distilled guidance and clip skip over time; what is left out is not there."""

    TITLE: ClassVar[str] = "Sampling Schedules"
    BOUNDS: ClassVar[Mapping[str, tuple[float, float]]] = {ETA: (0, 100), GUIDANCE: (0, 100), CLIP_SKIP: (1, 12)}

    def signature(self) -> Any:
        """Nothing but the schedules shapes pictures."""
        return []


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoints(Option):
    """Which checkpoint paints from which frame on; an empty name is the model that is linked to the sampler."""

    TITLE: ClassVar[str] = "Checkpoint Schedule"

    def signature(self) -> Any:
        """Nothing but the schedule shapes pictures."""
        return []


@dataclass(frozen=True, eq=False, kw_only=True)
class Lora(Option):
    """One LoRA, by its name among the models, and how strongly it acts: schedules `strength` and `clip_strength`.

    Without a `clip_strength` the text encoder follows `strength`.
    """

    TITLE: ClassVar[str] = "LoRA Schedule"
    NUMBERED: ClassVar[str] = "lora_{}_"
    BOUNDS: ClassVar[Mapping[str, tuple[float, float]]] = {"strength": (-100, 100), "clip_strength": (-100, 100)}

    lora_name: str

    def signature(self) -> Any:
        """Its name; the strengths stand in the plans."""
        return [self.lora_name]


@dataclass(frozen=True)
class Sampling:
    """How one frame is sampled.

    eta: noise that the sampler adds as it goes; None leaves it its own. guidance: distilled guidance, None leaves the
    conditioning alone. clip_skip: 1 takes the text encoder's last layer, n the n-th from the end.
    """

    sampler_name: str
    scheduler: str
    eta: float | None = None
    guidance: float | None = None
    clip_skip: int = 1


@dataclass(frozen=True)
class LoraStrength:
    """A LoRA at one frame: its name, and how strongly it acts on the model and on the text encoder."""

    name: str
    model: float
    clip: float


def sampling_of(plan: FramePlan, sampler_name: str, scheduler: str) -> Sampling:
    """How a plan's frame is sampled: what its schedules say, else the sampler's own settings."""
    return Sampling(
        sampler_name=plan.names.get(SAMPLER, sampler_name),
        scheduler=plan.names.get(SCHEDULER, scheduler),
        eta=plan.values.get(ETA),
        guidance=plan.values.get(GUIDANCE),
        clip_skip=int(plan.values.get(CLIP_SKIP, 1)),
    )


def loras_of(options: Options, plan: FramePlan) -> tuple[LoraStrength, ...]:
    """The LoRAs that act on a plan's frame, in the order of the chain."""
    found: list[LoraStrength] = []
    for part, prefix in options.prefixes():
        if isinstance(part, Lora):
            strength = plan.values[f"{prefix}strength"]
            found.append(LoraStrength(part.lora_name, strength, plan.values.get(f"{prefix}clip_strength", strength)))
    return tuple(lora for lora in found if lora.model or lora.clip)


def check_names(schedule: StringSchedule, known: Sequence[str], kind: str) -> None:
    """Raises ScheduleError that names schedule and key where a key's name is none of the `known`.

    An empty one may be among them, and is not offered.

    Args:
        schedule: names over time; each of its keys counts, within the animation or not.
        known: what there is.
        kind: what a name stands for, as in "there is no sampler 'eulr'".
    """
    for time, _, name in schedule.keys:
        if name not in known:
            raise ScheduleError(unknown(name, known, kind), schedule.name, time.text)


def key_of(schedule: StringSchedule, name: str) -> str:
    """The first key, as the user wrote it, that has this name; "" where none has."""
    return next((time.text for time, _, found in schedule.keys if found == name), "")


def unknown(name: str, known: Sequence[str], kind: str) -> str:
    """That there is no such thing, with the names that are near it, or else some that there are; no full stop."""
    known = [found for found in known if found]
    if not known:
        return f"there is no {kind} {name!r}; there are no {kind}s at all"
    near = _near(name, known)
    if near:
        return f"there is no {kind} {name!r}; near it: {', '.join(map(repr, near))}"
    listed = ", ".join(map(repr, known[:20])) + (f", ... ({len(known)} in all)" if len(known) > 20 else "")
    return f"there is no {kind} {name!r}; there are {listed}"


def _near(name: str, known: Sequence[str]) -> list[str]:
    """Up to three names that may be meant: subfolder, ending and case do not count."""
    plain: dict[str, str] = {}
    for full in known:
        plain.setdefault(_plain(full), full)
    return [plain[found] for found in difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.6)]


def _plain(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors").removesuffix(".ckpt").lower()
