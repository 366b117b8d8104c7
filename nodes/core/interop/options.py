"""The settings of a file that are option nodes' here: coherence, noise, sampling over time, and redo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..feedback.coherence import FRAME_0, Coherence
from ..feedback.noise import MOST_OCTAVES, Noise
from ..feedback.options import Option, Options, check_bounds
from ..feedback.redo import Redo
from ..feedback.sampling import CHECKPOINT, CLIP_SKIP, ETA, GUIDANCE, SAMPLER, SCHEDULER, Checkpoints, SamplingSchedules
from ..schedule import StringSchedule, parse_string_schedule
from . import effects, names
from .model import APPROXIMATED, LEFT_OUT, MAPPED, InteropError, shown, told

if TYPE_CHECKING:
    from ..schedule import Schedule
    from .reader import Reader

#: color_coherence in files, and what Coherence matches then.
MATCHES = {"None": "none", "LAB": "lab", "HSV": "hsv", "RGB": "rgb"}
#: Flow methods in files, and the nearest here.
FLOWS = {"None": "none", "RAFT": "dis", "DIS Medium": "dis", "DIS Fine": "dis", "DIS Slow": "dis",
         "DIS UltraFast": "dis", "DIS Fast": "dis", "Farneback": "farneback"}  # fmt: skip
_PERLIN = ("perlin_w", "perlin_h", "perlin_octaves", "perlin_persistence")
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
_SHARPENING = ("kernel_schedule", "sigma_schedule", "amount_schedule", "threshold_schedule")


def read_options(reader: Reader) -> Options:
    """What the file asks for that takes an option node; what it leaves as it is needs none.

    Raises:
        InteropError, FramedriftError: naming the key and what is wrong with it.
    """
    found = (_coherence(reader), _noise(reader), _sampling(reader), _checkpoints(reader), _redo(reader))
    return Options(tuple(part for part in found if part is not None))


def write_options(options: Options, text: Callable[[Schedule, str], str]) -> dict[str, Any]:
    """Deforum's keys for what is chained in: what it has no key for (pictures, clips, anchors) is left.

    Args:
        options: the chain.
        text: a schedule, and its key, as Deforum reads it.
    """
    values: dict[str, Any] = {}
    if (coherence := options.only(Coherence)) is not None:
        if coherence.matches and coherence.reference == FRAME_0:
            values["color_coherence"] = next(name for name, match in MATCHES.items() if match == coherence.match)
        values["color_force_grayscale"] = coherence.grayscale
    if (noise := options.only(Noise)) is not None:
        values["noise_type"] = "perlin" if noise.noise_type == "perlin" else "uniform"
        if noise.noise_type == "perlin":
            values |= {name: getattr(noise, name) for name in _PERLIN}
    if (redo := options.only(Redo)) is not None:
        flow = redo.optical_flow_redo_generation
        values |= {"diffusion_redo": redo.diffusion_redo, "reroll_blank_frames": redo.reroll_blank_frames}
        values["reroll_patience"] = redo.reroll_patience
        values["optical_flow_redo_generation"] = {"none": "None", "dis": "DIS Fine", "farneback": "Farneback"}[flow]
    for part in (*options.all(Coherence), *options.all(Noise), *options.all(Redo), *options.all(SamplingSchedules)):
        values |= {_EXPORTED.get(name, name): text(schedule, name) for name, schedule in part.schedules.items()}
    for part in (*options.all(SamplingSchedules), *options.all(Checkpoints)):
        values |= {name: schedule.text for name, schedule in part.names.items()}
    return values | {switch: True for key, switch in _SWITCHES.items() if key in values}


def _coherence(reader: Reader) -> Option | None:
    kind = str(reader.get("color_coherence")).removeprefix("Match Frame 0 ")
    match = MATCHES.get(kind, "none")
    grey = reader.wanted("color_force_grayscale") and effects.is_on(reader.get("color_force_grayscale"))
    schedules: dict[str, Schedule] = {}
    if _changes(reader, "contrast_schedule", 1.0):
        schedules |= _schedules(reader, Coherence, ["contrast_schedule"])
    if _changes(reader, "amount_schedule", 0.0):
        schedules |= _schedules(reader, Coherence, _SHARPENING)
    if grey:
        reader.say("color_force_grayscale", MAPPED, "Coherence makes every frame grey.")
    if not (grey or schedules or match in ("hsv", "rgb")):
        return None
    return Coherence(match=match, grayscale=grey, schedules=schedules)


def _noise(reader: Reader) -> Option | None:
    perlin = reader.wanted("noise_type") and reader.get("noise_type") == "perlin"
    schedules: dict[str, Schedule] = {}
    if reader.wanted("noise_multiplier_schedule") and effects.is_on(reader.get("enable_noise_multiplier_scheduling")):
        schedules = _schedules(reader, Noise, ["noise_multiplier_schedule"])
        reader.say("enable_noise_multiplier_scheduling", MAPPED, "Noise takes noise_multiplier_schedule.")
    if not perlin:
        return Noise(schedules=schedules) if schedules else None
    return Noise(
        noise_type="perlin",
        perlin_w=reader.number("perlin_w", 0.1, 256),
        perlin_h=reader.number("perlin_h", 0.1, 256),
        perlin_octaves=reader.whole("perlin_octaves", 1, MOST_OCTAVES),
        perlin_persistence=reader.number("perlin_persistence", 0, 1),
        schedules=schedules,
    )


def _sampling(reader: Reader) -> Option | None:
    schedules: dict[str, Schedule] = {}
    for switch, key in (("enable_ancestral_eta_scheduling", "ancestral_eta_schedule"),
                        ("enable_ddim_eta_scheduling", "ddim_eta_schedule")):  # fmt: skip
        if not effects.is_on(reader.values.get(switch)):
            continue
        if ETA in schedules:
            reader.say(key, LEFT_OUT, "there is one eta_schedule here, and ancestral_eta_schedule takes it.")
            continue
        schedules[ETA] = reader.schedule(key)
        _check(reader, SamplingSchedules, ETA, schedules[ETA], key)
        reader.say(key, MAPPED, "Sampling Schedules' eta_schedule, for samplers that add noise as they go.")
        reader.say(switch, MAPPED, "Sampling Schedules has an eta_schedule.")
    if effects.is_on(reader.values.get("enable_clipskip_scheduling")):
        schedules |= _schedules(reader, SamplingSchedules, [CLIP_SKIP], "Sampling Schedules")
        reader.say("enable_clipskip_scheduling", MAPPED, "Sampling Schedules takes clipskip_schedule.")
    if GUIDANCE in reader.values:
        schedules |= _schedules(reader, SamplingSchedules, [GUIDANCE], "Sampling Schedules")
    texts = {**_samplers(reader), **_schedulers(reader)}
    return SamplingSchedules(schedules=schedules, names=texts) if schedules or texts else None


def _samplers(reader: Reader) -> dict[str, StringSchedule]:
    """sampler_schedule in ComfyUI's names, with the schedulers that the names say."""
    if not effects.is_on(reader.values.get("enable_sampler_scheduling")):
        return {}
    given = parse_string_schedule(str(reader.get(SAMPLER)), SAMPLER)
    found = {label: names.sampler_of(label) for _, _, label in given.keys}
    if unknown := [label for label, known in found.items() if known is None]:
        reader.say(SAMPLER, LEFT_OUT, f"{shown(unknown[0])!r} is no sampler known here; the sampler's own is used.")
        return {}
    known = {label: sampler for label, sampler in found.items() if sampler is not None}
    same = all(sampler[2] for sampler in known.values())
    reader.say(SAMPLER, MAPPED if same else APPROXIMATED, "Sampling Schedules takes it, in ComfyUI's names.")
    reader.say("enable_sampler_scheduling", MAPPED, "Sampling Schedules takes sampler_schedule.")
    texts = {SAMPLER: _renamed(given, {label: sampler[0] for label, sampler in known.items()}, SAMPLER)}
    if any(sampler[1] for sampler in known.values()):
        ways = {label: sampler[1] or "normal" for label, sampler in known.items()}
        texts[SCHEDULER] = _renamed(given, ways, SCHEDULER)
    return texts


def _schedulers(reader: Reader) -> dict[str, StringSchedule]:
    if not effects.is_on(reader.values.get("enable_scheduler_scheduling")):
        return {}
    given = parse_string_schedule(str(reader.get(SCHEDULER)), SCHEDULER)
    found = {label: names.scheduler_of(label) for _, _, label in given.keys}
    if unknown := [label for label, known in found.items() if known is None]:
        reader.say(SCHEDULER, LEFT_OUT, f"{shown(unknown[0])!r} is no scheduler known here; the sampler's own is used.")
        return {}
    reader.say(SCHEDULER, MAPPED, "Sampling Schedules takes it, in ComfyUI's names.")
    reader.say("enable_scheduler_scheduling", MAPPED, "Sampling Schedules takes scheduler_schedule.")
    return {SCHEDULER: _renamed(given, {label: known[0] for label, known in found.items() if known}, SCHEDULER)}


def _checkpoints(reader: Reader) -> Option | None:
    if not effects.is_on(reader.values.get("enable_checkpoint_scheduling")):
        return None
    given = parse_string_schedule(str(reader.get(CHECKPOINT)), CHECKPOINT)
    reader.say(CHECKPOINT, MAPPED, "Checkpoint Schedule takes it: the files must lie among ComfyUI's checkpoints.")
    reader.say("enable_checkpoint_scheduling", MAPPED, "Checkpoint Schedule takes checkpoint_schedule.")
    return Checkpoints(names={CHECKPOINT: given})


def _redo(reader: Reader) -> Option | None:
    if not reader.complete:
        return None
    times = reader.whole("diffusion_redo", 0, 10)
    label = reader.get("optical_flow_redo_generation")
    if not isinstance(label, str) or label not in FLOWS:
        raise InteropError(
            f"it is {told(label)}, and must be one of: {', '.join(FLOWS)}.", "optical_flow_redo_generation"
        )
    flow = FLOWS[label]
    blank = reader.choice("reroll_blank_frames", {name: name for name in ("ignore", "reroll", "interrupt")})
    if not times and flow == "none" and blank == "ignore":
        return None
    reader.say("optical_flow_redo_generation", APPROXIMATED if label == "RAFT" else MAPPED, f"Redo's, by {flow}.")
    reader.say("reroll_blank_frames", MAPPED, "Redo's; NaN counts as blank too.")
    return Redo(
        diffusion_redo=times,
        optical_flow_redo_generation=flow,
        reroll_blank_frames=blank,
        reroll_patience=reader.whole("reroll_patience", 1, 100),
        schedules=_schedules(reader, Redo, ["redo_flow_factor_schedule"]),
    )


def _changes(reader: Reader, key: str, nothing: float) -> bool:
    """Whether a schedule does anything at some frame."""
    return reader.wanted(key) and not effects.is_constant(reader.get(key), nothing)


def _schedules(reader: Reader, kind: type[Option], keys: Any, node: str = "") -> dict[str, Schedule]:
    """The schedules of these keys, which are the option's own names for them."""
    found = {}
    for key in keys:
        found[key] = reader.schedule(key)
        _check(reader, kind, key, found[key], key)
        reader.say(key, MAPPED, f"{node or kind.TITLE}'s schedule of this name.")
    return found


def _check(reader: Reader, kind: type[Option], name: str, schedule: Schedule, key: str) -> None:
    if name in kind.BOUNDS:
        check_bounds(key, reader.sampled(schedule), *kind.BOUNDS[name])


def _renamed(given: StringSchedule, known: Mapping[str, str], name: str) -> StringSchedule:
    text = ", ".join(f'{_key(time.text)}: ("{known[label]}")' for time, _, label in given.keys)
    return parse_string_schedule(text, name)


def _key(text: str) -> str:
    return text if text.isdigit() else f'"{text}"'
