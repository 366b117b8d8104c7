"""The sampler's settings of a settings file."""

from __future__ import annotations

from collections.abc import Mapping

from ..schedule import BLENDS
from . import effects, names
from .model import (
    APPROXIMATED,
    LEFT_OUT,
    MAPPED,
    MAX_FRAMES,
    NO_EFFECT,
    InteropError,
    shown,
    told,
    whole,
)
from .reader import Reader

#: What export writes for what Deforum has no key for.
OWN_KEY = "framedrift"
LAB = "LAB to frame 0"
_SEED_RANGE = 2**64


def read_seed(reader: Reader) -> None:
    """The seed; -1 leaves the sampler its own. Raises InteropError where it is none."""
    seed = whole(reader.get("seed"), "seed", -1, _SEED_RANGE - 1)
    if seed >= 0:
        reader.seed = seed
        if reader.wanted("seed"):
            reader.settings["seed"] = seed
        reader.say("seed", MAPPED, "the sampler's seed.")
    else:
        reader.say("seed", APPROXIMATED, "-1 asks for a random seed: the sampler's own is used.")


def read_sampling(reader: Reader) -> None:
    """Strength, guidance, steps, sampler, cadence, seeds and noise, into the settings."""
    # A frame is given its share of the steps there, whatever the sampler's widget says.
    reader.settings["full_steps"] = False
    reader.set_schedule("strength_schedule")
    reader.set_schedule("cfg_scale_schedule")
    read_steps(reader)
    read_sampler(reader)
    if reader.wanted("diffusion_cadence"):
        reader.settings["diffusion_cadence"] = reader.whole("diffusion_cadence", 1, 1000)
    read_seeds(reader)
    reader.set_schedule("noise_schedule")
    perlin = reader.get("noise_type") == "perlin"
    reader.say(
        "noise_type", MAPPED, "Noise, perlin." if perlin else "Gaussian noise, which the original calls uniform."
    )
    if not perlin:
        for key in ("perlin_w", "perlin_h", "perlin_octaves", "perlin_persistence"):
            reader.say(key, NO_EFFECT, "noise_type is not perlin.")


def read_steps(reader: Reader) -> None:
    """Steps from `steps`, or from `steps_schedule` where that is switched on."""
    scheduled = effects.is_on(reader.get("enable_steps_scheduling"))
    if scheduled:
        reader.set_schedule("steps_schedule")
        reader.say("steps", NO_EFFECT, "steps_schedule takes its place.")
    elif reader.wanted("steps"):
        reader.settings["steps_schedule"] = f"0:({reader.whole('steps', 1, 10_000)})"
    reader.say("enable_steps_scheduling", MAPPED, f"steps come from {'steps_schedule' if scheduled else 'steps'}.")
    reader.say("steps_schedule", NO_EFFECT, "enable_steps_scheduling is off.")


def read_sampler(reader: Reader) -> None:
    """ComfyUI's sampler and scheduler for the WebUI's names; an unknown one is left out."""
    label = reader.get("sampler")
    if isinstance(label, int) and not isinstance(label, bool):
        label = names.NUMBERED[label] if 0 <= label < len(names.NUMBERED) else None
        reader.say("sampler", APPROXIMATED, f"an older file's number, taken for {label or 'none that is known'}.")
    if effects.is_on(reader.get("enable_sampler_scheduling")):
        reader.say("sampler", MAPPED, "the sampler's own, where sampler_schedule says nothing else.")
    else:
        reader.say("sampler_schedule", NO_EFFECT, "enable_sampler_scheduling is off.")
        reader.say("enable_sampler_scheduling", MAPPED, "it is off, and sampler counts.")
    found = names.sampler_of(label) if isinstance(label, str) else None
    if found is None and reader.wanted("sampler"):
        reader.say("sampler", LEFT_OUT, f"{shown(label)!r} is no sampler known here; the sampler's own is used.")
    scheduler = None
    if found is not None and reader.wanted("sampler"):
        name, scheduler, same = found
        reader.settings["sampler_name"] = name
        reader.settings["scheduler"] = scheduler or "normal"
        text = f"the sampler's sampler_name is {name}, its scheduler {reader.settings['scheduler']}."
        reader.say("sampler", MAPPED if same else APPROXIMATED, text)
    if "scheduler" not in reader.values:
        return
    named = names.scheduler_of(str(reader.values["scheduler"]), reader.settings.get("sampler_name", ""))
    if named is None:
        reader.say("scheduler", LEFT_OUT, f"{shown(reader.values['scheduler'])!r} is no scheduler known here.")
    elif scheduler is not None and str(reader.values["scheduler"]).strip().lower() in ("automatic", "normal"):
        reader.say("scheduler", NO_EFFECT, f"the sampler's name says {scheduler}.")
    else:
        reader.settings["scheduler"] = named[0]
        reader.say("scheduler", MAPPED if named[1] else APPROXIMATED, f"the sampler's scheduler is {named[0]}.")


def read_seeds(reader: Reader) -> None:
    """How seeds go on, and the sub-seeds where they are switched on."""
    behaviors = ("iter", "fixed", "random", "ladder", "alternate", "schedule")
    behavior = reader.choice("seed_behavior", {name: name for name in behaviors})
    if reader.wanted("seed_behavior"):
        reader.settings["seed_behavior"] = behavior
    random = behavior == "random"
    text = "drawn from the seed, so that the run can be repeated." if random else "the sampler's seed_behavior."
    reader.say("seed_behavior", APPROXIMATED if random else MAPPED, text)
    if behavior == "iter" and reader.wanted("seed_iter_N"):
        reader.settings["seed_iter_N"] = reader.whole("seed_iter_N", 1, 10_000)
    elif reader.wanted("seed_iter_N") and reader.get("seed_iter_N") in range(1, 10_001):
        reader.settings["seed_iter_N"] = int(reader.get("seed_iter_N"))
    reader.say("seed_iter_N", NO_EFFECT, "seed_behavior is not iter.")
    if behavior == "schedule":
        reader.set_schedule("seed_schedule")
    reader.say("seed_schedule", NO_EFFECT, "seed_behavior is not schedule.")
    varied = effects.is_on(reader.get("enable_subseed_scheduling"))
    if varied:
        reader.set_schedule("subseed_schedule")
        reader.set_schedule("subseed_strength_schedule")
    reader.say("enable_subseed_scheduling", MAPPED, "sub-seeds are on." if varied else "sub-seeds are off.")
    for key in ("subseed_schedule", "subseed_strength_schedule"):
        reader.say(key, NO_EFFECT, "enable_subseed_scheduling is off.")


def read_coherence(reader: Reader) -> str | None:
    """How colours are matched to frame 0: "none", "lab", "hsv" or "rgb"; None where they are matched to a picture.

    A missing legacy_colormatch means true.
    """
    value = reader.get("color_coherence")
    kind = value.removeprefix("Match Frame 0 ") if isinstance(value, str) else value
    if kind not in ("None", "LAB", "HSV", "RGB", "Video Input", "Image", None, False):
        raise InteropError(
            f"it is {told(value)}, and must be one of: None, HSV, LAB, RGB, Video Input, Image.",
            "color_coherence",
        )
    if kind == "Video Input" and not effects.hybrid(reader.values):
        # Without hybrid video there are no frames of it, and the first frame stands in.
        kind = "LAB"
        reader.say("color_coherence", APPROXIMATED, "no hybrid video is on: LAB to frame 0, as in the original then.")
    matched = kind in ("LAB", "HSV", "RGB")
    if reader.wanted("color_coherence"):
        reader.settings["color_coherence"] = LAB if kind == "LAB" else "none"
    if kind == "LAB" or kind in ("None", None, False):
        reader.say("color_coherence", MAPPED, f"the sampler's color_coherence is {LAB if matched else 'none'}.")
    elif matched:
        reader.say("color_coherence", MAPPED, f"Coherence matches {kind} to frame 0.")
    else:
        link, reference = ("reference_image", "image") if kind == "Image" else ("reference_video", "video")
        text = f"chain Coherence with LAB and the reference {reference}, and link the {reference} to {link}."
        reader.say("color_coherence", LEFT_OUT, text)
    match = str(kind).lower() if matched else None if kind in ("Image", "Video Input") else "none"
    if not reader.complete:
        return match
    legacy = effects.is_on(reader.values.get("legacy_colormatch", True))
    missing = "it is missing from this file, which means true, as in the original: " if legacy else ""
    missing = missing if "legacy_colormatch" not in reader.values else ""
    if match == "none":
        reader.log.add("legacy_colormatch", NO_EFFECT, f"{missing}color_coherence matches nothing.")
    elif legacy:
        text = "colours are matched before the noise only; here they are matched once more after diffusion."
        reader.log.add("legacy_colormatch", APPROXIMATED, f"{missing}{text}")
    else:
        text = "colours are matched before the noise and after diffusion, as here."
        reader.log.add("legacy_colormatch", MAPPED, text)
    return match


def read_own(reader: Reader, blend: str) -> tuple[str, int]:
    """What Export Animation wrote for what Deforum has no key for."""
    own = reader.values.get(OWN_KEY)
    if not isinstance(own, Mapping) or own.get("version") != 1 or not isinstance(own.get("settings"), Mapping):
        if own is not None:
            text = "it is of another version, so that only Deforum's own keys count."
            reader.say(OWN_KEY, LEFT_OUT, text)
        return blend, 0
    for name, value in own["settings"].items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | bool):
            raise InteropError(f"its setting {shown(name)} is no text and no number.", OWN_KEY)
        reader.settings[name] = value
    reader.say(OWN_KEY, MAPPED, "what Export Animation kept that Deforum has no key for.")
    overlap = whole(own.get("overlap", 0), f"{OWN_KEY}.overlap", 0, MAX_FRAMES)
    return (own["blend"] if own.get("blend") in BLENDS else blend), overlap
