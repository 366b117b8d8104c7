"""Option nodes as keys of a settings file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..feedback.coherence import FRAME_0, Coherence
from ..feedback.noise import Noise
from ..feedback.options import Options
from ..feedback.redo import Redo
from ..feedback.sampling import CHECKPOINT, CLIP_SKIP, ETA, SAMPLER, SCHEDULER, Checkpoints, SamplingSchedules
from . import names

if TYPE_CHECKING:
    from ..schedule import Schedule, StringSchedule

_PERLIN = ("perlin_w", "perlin_h", "perlin_octaves", "perlin_persistence")
#: Deforum's perlin_w counts cells down the height, and its perlin_h across the width.
_CROSSED = {"perlin_w": "perlin_h", "perlin_h": "perlin_w"}
#: Where a schedule has another name there.
_EXPORTED = {ETA: "ancestral_eta_schedule"}
#: What has to be switched on there.
_SWITCHES = {
    "noise_multiplier_schedule": "enable_noise_multiplier_scheduling",
    "ancestral_eta_schedule": "enable_ancestral_eta_scheduling",
    CLIP_SKIP: "enable_clipskip_scheduling",
    SAMPLER: "enable_sampler_scheduling",
    SCHEDULER: "enable_scheduler_scheduling",
    CHECKPOINT: "enable_checkpoint_scheduling",
}


def write_options(options: Options, text: Callable[[Schedule, str], str]) -> dict[str, Any]:
    """Deforum's keys for what is chained in: what it has no key for (pictures, clips, anchors) is left.

    Args:
        options: the chain.
        text: a schedule, and its key, as Deforum reads it.
    """
    values: dict[str, Any] = {}
    if (coherence := options.only(Coherence)) is not None:
        kept = coherence.matches and coherence.reference == FRAME_0
        values["color_coherence"] = coherence.match.upper() if kept else "None"
        values["color_force_grayscale"] = coherence.grayscale
    if (noise := options.only(Noise)) is not None:
        values["noise_type"] = "perlin" if noise.noise_type == "perlin" else "uniform"
        if noise.noise_type == "perlin":
            values |= {_CROSSED.get(name, name): getattr(noise, name) for name in _PERLIN}
    if (redo := options.only(Redo)) is not None:
        flow = redo.optical_flow_redo_generation
        values |= {"diffusion_redo": redo.diffusion_redo, "reroll_blank_frames": redo.reroll_blank_frames}
        values["reroll_patience"] = redo.reroll_patience
        values["optical_flow_redo_generation"] = {"none": "None", "dis": "DIS Fine", "farneback": "Farneback"}[flow]
    for part in (*options.all(Coherence), *options.all(Noise), *options.all(Redo), *options.all(SamplingSchedules)):
        values |= {_EXPORTED.get(name, name): text(schedule, name) for name, schedule in part.schedules.items()}
    for part in (*options.all(SamplingSchedules), *options.all(Checkpoints)):
        values |= {name: _labelled(schedule) for name, schedule in part.names.items()}
    return values | {switch: True for key, switch in _SWITCHES.items() if key in values}


def _labelled(schedule: StringSchedule) -> str:
    """The schedule's text with the WebUI's names, where it has one that says the sampler and nothing else."""
    label = {SAMPLER: names.sampler_label, SCHEDULER: names.scheduler_label}.get(schedule.name)
    if label is None:
        return schedule.text
    # The WebUI's DDIM is a scheduler too; in small letters it is the sampler alone, here and there.
    labels = {name: name if name == "ddim" else label(name) for _, _, name in schedule.keys}
    return names.renamed(schedule, labels).text
