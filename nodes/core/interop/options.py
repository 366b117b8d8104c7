"""The settings of a file that are option nodes' here: coherence, noise, sampling over time, and redo."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..feedback.coherence import Coherence
from ..feedback.noise import MOST_CELLS, MOST_OCTAVES, Noise
from ..feedback.options import Option, Options, check_bounds
from ..feedback.redo import RESCUES, Redo
from ..feedback.sampling import CHECKPOINT, CLIP_SKIP, ETA, GUIDANCE, SAMPLER, SCHEDULER, Checkpoints, SamplingSchedules
from ..schedule import StringSchedule, parse_string_schedule
from . import effects, names
from .model import APPROXIMATED, LEFT_OUT, MAPPED, NO_EFFECT, InteropError, schedule_from_values, shown, told

if TYPE_CHECKING:
    from ..schedule import Schedule
    from .reader import Reader

#: Flow methods in files, and the nearest here.
FLOWS = {"None": "none", "RAFT": "dis", "DIS Medium": "dis", "DIS Fine": "dis", "DIS Slow": "dis",
         "DIS UltraFast": "dis", "DIS Fast": "dis", "Farneback": "farneback"}  # fmt: skip
#: As many as Deforum's slider has.
_MOST_REDONE = 50
_HASH = re.compile(r"\s*\[[0-9a-fA-F]{6,64}\]$")
_SHARPENING = ("kernel_schedule", "sigma_schedule", "amount_schedule", "threshold_schedule")


def read_options(reader: Reader, match: str | None) -> Options:
    """What the file asks for that takes an option node; what it leaves as it is needs none.

    Args:
        reader: the file's keys.
        match: how colours are matched to frame 0. None: to a picture or a clip, which the file only names; then there
            is no Coherence, as the user chains one.

    Raises:
        InteropError, FramedriftError: naming the key and what is wrong with it.
    """
    found = (
        None if match is None else _coherence(reader, match),
        _noise(reader),
        _sampling(reader),
        _checkpoints(reader),
        _redo(reader),
    )
    return Options(tuple(part for part in found if part is not None))


def _coherence(reader: Reader, match: str) -> Option | None:
    grey = reader.wanted("color_force_grayscale") and effects.is_on(reader.get("color_force_grayscale"))
    schedules: dict[str, Schedule] = {}
    if _changes(reader, "contrast_schedule", 1.0):
        schedules |= _schedules(reader, Coherence, ["contrast_schedule"])
    if _changes(reader, "amount_schedule", 0.0):
        amount = reader.schedule("amount_schedule")
        values = reader.sampled(amount)
        if np.any(values < 0):
            reader.say("amount_schedule", APPROXIMATED, "Coherence's, with 0 where it is below, as in the original.")
            reader.values["amount_schedule"] = schedule_from_values(np.maximum(values, 0), "amount_schedule")
        schedules |= _schedules(reader, Coherence, _SHARPENING)
    if grey:
        reader.say("color_force_grayscale", MAPPED, "Coherence makes every frame grey.")
    if not (grey or schedules or match in ("hsv", "rgb")):
        return None
    chosen = "none" if match == "none" else f"{match.upper()} to frame 0"
    note = f"The options hold a Coherence with {chosen}, which takes the place of the sampler's color_coherence."
    reader.log.notes.append(note)
    return Coherence(match=match, grayscale=grey, schedules=schedules)


def _noise(reader: Reader) -> Option | None:
    perlin = reader.wanted("noise_type") and reader.get("noise_type") == "perlin"
    schedules: dict[str, Schedule] = {}
    if reader.wanted("noise_multiplier_schedule") and effects.is_on(reader.get("enable_noise_multiplier_scheduling")):
        schedules = _schedules(reader, Noise, ["noise_multiplier_schedule"])
        reader.say("enable_noise_multiplier_scheduling", MAPPED, "Noise takes noise_multiplier_schedule.")
    if not perlin:
        return Noise(schedules=schedules) if schedules else None
    across, down = (reader.number(key, 0.1, MOST_CELLS) for key in ("perlin_h", "perlin_w"))
    if across != down:
        reader.log.notes.append("The original counts perlin_w down the height; Noise counts it across the width.")
    return Noise(
        noise_type="perlin",
        perlin_w=across,
        perlin_h=down,
        perlin_octaves=reader.whole("perlin_octaves", 1, MOST_OCTAVES),
        perlin_persistence=reader.number("perlin_persistence", 0, 1),
        schedules=schedules,
    )


def _sampling(reader: Reader) -> Option | None:
    texts = {**_samplers(reader), **_schedulers(reader)}
    schedules = _eta(reader, texts.get(SAMPLER))
    if effects.is_on(reader.values.get("enable_clipskip_scheduling")):
        schedules |= _schedules(reader, SamplingSchedules, [CLIP_SKIP])
        reader.say("enable_clipskip_scheduling", MAPPED, "Sampling Schedules takes clipskip_schedule.")
    if GUIDANCE in reader.values:
        schedules |= _schedules(reader, SamplingSchedules, [GUIDANCE])
    return SamplingSchedules(schedules=schedules, names=texts) if schedules or texts else None


def _eta(reader: Reader, scheduled: StringSchedule | None) -> dict[str, Schedule]:
    """The eta of the samplers that the file has: DDIM's counts for DDIM alone, the ancestral one for the others."""
    samplers = {name for _, _, name in scheduled.keys} if scheduled else {reader.settings.get("sampler_name")}
    found: dict[str, Schedule] = {}
    for name, counts in (("ancestral_eta", samplers != {"ddim"}), ("ddim_eta", samplers == {"ddim"})):
        key, switch = f"{name}_schedule", f"enable_{name}_scheduling"
        if not effects.is_on(reader.values.get(switch)):
            continue
        if not counts:
            if "ddim" in samplers and name == "ddim_eta":
                reader.say(key, LEFT_OUT, "there is one eta_schedule here, and the other samplers take it.")
            reader.say(key, NO_EFFECT, "no sampler of this file has it.")
            reader.say(switch, NO_EFFECT, f"see {key}.")
            continue
        found[ETA] = reader.schedule(key)
        _check(reader, SamplingSchedules, ETA, found[ETA], key)
        reader.say(switch, MAPPED, "Sampling Schedules has an eta_schedule.")
        if name == "ddim_eta" and scheduled is None and np.any(reader.sampled(found[ETA])):
            # DDIM with an eta is Euler ancestral with that eta, step by step; ComfyUI's ddim has none.
            reader.settings["sampler_name"] = "euler_ancestral"
            reader.say(key, MAPPED, "Sampling Schedules' eta_schedule, with euler_ancestral: that is DDIM with an eta.")
        reader.say(key, MAPPED, "Sampling Schedules' eta_schedule, for samplers that add noise as they go.")
    return found


def _samplers(reader: Reader) -> dict[str, StringSchedule]:
    """sampler_schedule in ComfyUI's names, with the schedulers that the names say."""
    if not effects.is_on(reader.values.get("enable_sampler_scheduling")):
        return {}
    given = parse_string_schedule(str(reader.get(SAMPLER)), SAMPLER)
    reader.say("enable_sampler_scheduling", MAPPED, "Sampling Schedules takes sampler_schedule.")
    known: dict[str, tuple[str, str | None, bool]] = {}
    for time, _, label in given.keys:
        sampler = names.sampler_of(label) or names.own_name(label)
        if sampler is None:
            text = f"{shown(label)!r}, at key {shown(time.text, 20)}, is no sampler known here"
            reader.say(SAMPLER, LEFT_OUT, f"{text}; the sampler's own is used.")
            return {}
        known[label] = sampler
    same = all(sampler[2] for sampler in known.values())
    reader.say(SAMPLER, MAPPED if same else APPROXIMATED, "Sampling Schedules takes it, in ComfyUI's names.")
    texts = {SAMPLER: names.renamed(given, {label: sampler[0] for label, sampler in known.items()})}
    if any(sampler[1] for sampler in known.values()):
        own = reader.settings.get("scheduler", "normal")
        schedulers = {label: sampler[1] or own for label, sampler in known.items()}
        texts[SCHEDULER] = names.renamed(given, schedulers, SCHEDULER)
    return texts


def _schedulers(reader: Reader) -> dict[str, StringSchedule]:
    if not effects.is_on(reader.values.get("enable_scheduler_scheduling")):
        return {}
    if SCHEDULER not in reader.values:
        reader.say("enable_scheduler_scheduling", NO_EFFECT, "there is no scheduler_schedule.")
        return {}
    given = parse_string_schedule(str(reader.values[SCHEDULER]), SCHEDULER)
    reader.say("enable_scheduler_scheduling", MAPPED, "Sampling Schedules takes scheduler_schedule.")
    sampler = reader.settings.get("sampler_name", "")
    known: dict[str, str] = {}
    for time, _, label in given.keys:
        scheduler = names.scheduler_of(label, sampler) or names.own_name(label)
        if scheduler is None:
            text = f"{shown(label)!r}, at key {shown(time.text, 20)}, is no scheduler known here"
            reader.say(SCHEDULER, LEFT_OUT, f"{text}; the sampler's own is used.")
            return {}
        known[label] = scheduler[0]
    reader.say(SCHEDULER, MAPPED, "Sampling Schedules takes it, in ComfyUI's names.")
    return {SCHEDULER: names.renamed(given, known)}


def _checkpoints(reader: Reader) -> Option | None:
    if not effects.is_on(reader.values.get("enable_checkpoint_scheduling")):
        return None
    given = parse_string_schedule(str(reader.get(CHECKPOINT)), CHECKPOINT)
    # The WebUI's list shows a checkpoint's hash behind its name.
    files = {label: _HASH.sub("", label) for _, _, label in given.keys}
    if any(label != file for label, file in files.items()):
        given = names.renamed(given, files)
    reader.say(CHECKPOINT, MAPPED, "Checkpoint Schedule takes it: the files must lie among ComfyUI's checkpoints.")
    reader.say("enable_checkpoint_scheduling", MAPPED, "Checkpoint Schedule takes checkpoint_schedule.")
    return Checkpoints(names={CHECKPOINT: given})


def _redo(reader: Reader) -> Option | None:
    if not reader.complete:
        return None
    times = reader.whole("diffusion_redo", 0, _MOST_REDONE)
    label = reader.get("optical_flow_redo_generation")
    if not isinstance(label, str) or label not in FLOWS:
        raise InteropError(
            f"it is {told(label)}, and must be one of: {', '.join(FLOWS)}.", "optical_flow_redo_generation"
        )
    flow = FLOWS[label]
    blank = reader.choice("reroll_blank_frames", {name: name for name in RESCUES})
    reader.say("reroll_blank_frames", MAPPED, "Redo's; NaN counts as blank too." if blank != "ignore" else "as here.")
    if not times and flow == "none" and blank == "ignore":
        return None
    if flow != "none":
        status = APPROXIMATED if label == "RAFT" else MAPPED
        reader.say("optical_flow_redo_generation", status, f"Redo's, by {flow}.")
    return Redo(
        diffusion_redo=times,
        optical_flow_redo_generation=flow,
        reroll_blank_frames=blank,
        reroll_patience=reader.whole("reroll_patience", 1, 1000) if blank == "reroll" else 10,
        schedules=_schedules(reader, Redo, ["redo_flow_factor_schedule"]) if flow != "none" else {},
    )


def _changes(reader: Reader, key: str, nothing: float) -> bool:
    """Whether a schedule does anything at some frame."""
    return reader.wanted(key) and not effects.is_constant(reader.get(key), nothing)


def _schedules(reader: Reader, kind: type[Option], keys: Iterable[str]) -> dict[str, Schedule]:
    """The schedules of these keys, which are the option's own names for them."""
    found = {}
    for key in keys:
        found[key] = reader.schedule(key)
        _check(reader, kind, key, found[key], key)
        reader.say(key, MAPPED, f"the schedule of this name of {kind.TITLE}.")
    return found


def _check(reader: Reader, kind: type[Option], name: str, schedule: Schedule, key: str) -> None:
    if name in kind.BOUNDS:
        check_bounds(key, reader.sampled(schedule), *kind.BOUNDS[name])
