"""Settings files of classic Deforum and of its Forge fork."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..camera import Camera2D, Camera3D
from ..errors import FramedriftError
from ..schedule import BLENDS, Schedule, as_schedule, parse_string_schedule
from . import effects, names
from .defaults import DEFAULTS
from .model import (
    APPROXIMATED,
    LEFT_OUT,
    MAPPED,
    MAX_FRAMES,
    NO_EFFECT,
    ImportedAnimation,
    InteropError,
    Log,
    number,
    sampler_settings,
    schedule_from_values,
    shown,
    told,
    whole,
    written,
)
from .texts import prompts_of

CAMERA_3D = ("translation_x", "translation_y", "translation_z", "rotation_3d_x", "rotation_3d_y", "rotation_3d_z")
CAMERA_2D = ("angle", "zoom", "translation_x", "translation_y", "transform_center_x", "transform_center_y")
_DEPTH = ("use_depth_warping", "depth_algorithm", "midas_weight")
_VIEW = ("fov_schedule", "aspect_ratio_schedule", "aspect_ratio_use_old_formula", "padding_mode")
STILL = Camera2D(zoom="0: (1)")
#: What export writes for what Deforum has no key for.
OWN_KEY = "framedrift"
LAB = "LAB to frame 0"
_RENAMED = {"flip_2d_perspective": "enable_perspective_flip", "skip_video_for_run_all": "skip_video_creation"}
_PADDINGS = {"border": "replicate", "reflection": "reflect", "zeros": "zeros"}
_SEED_RANGE = 2**64
_BOUNDS = {"steps_schedule": (1, 10_000), "cfg_scale_schedule": (0, 100), "noise_schedule": (0, 10)}


def import_deforum(
    values: Mapping[str, Any],
    log: Log,
    kind: str = "deforum",
    defaults: Mapping[str, Any] = DEFAULTS,
    complete: bool = True,
) -> ImportedAnimation:
    """An animation from the keys of a settings file.

    Args:
        values: the file's keys, as JSON gave them; a schedule may be a `Schedule` too.
        log: takes an entry for every key.
        kind: the animation's.
        defaults: what a key that is not in `values` stands for.
        complete: whether missing keys count with their default; else only what is in `values` goes into the settings.

    Raises InteropError, or the schedule's and prompt's own error, each naming the key.
    """
    reader = _Reader(_renamed(values, log), log, defaults, complete)
    size = (reader.side("H"), reader.side("W"))
    num_frames = reader.whole("max_frames", 1, MAX_FRAMES)
    fps = reader.number("fps", 0.1, 240)
    reader.read_seed()
    reader.num_frames, reader.fps = num_frames, fps
    prompts = prompts_of(reader.values, log)
    camera, blend = reader.camera()
    reader.read_sampling()
    reader.read_coherence()
    blend, overlap = reader.read_own(blend)
    effects.explain(reader.values, log)
    return ImportedAnimation(
        kind,
        prompts,
        camera,
        sampler_settings(reader.settings),
        num_frames,
        float(fps),
        size,
        log.report(),
        blend,
        overlap,
    )


def said_nowhere(values: Mapping[str, Any]) -> list[str]:
    """A note on the size and rate that a text without them is given."""
    stand_ins = {"W": "a width of 512", "H": "a height of 512", "fps": "15 fps"}
    missing = [text for key, text in stand_ins.items() if key not in values]
    said = f"The text does not say them, so there are {', '.join(missing)}: set your own in the sampler."
    return [said] if missing else []


def _renamed(values: Mapping[str, Any], log: Log) -> dict[str, Any]:
    """The keys under the names that they have now; nulls count as missing, as their default does."""
    renamed = {key: value for key, value in values.items() if key not in _RENAMED}
    for old, new in _RENAMED.items():
        if old in values:
            renamed.setdefault(new, values[old])
            log.add(old, MAPPED, f"an older name of {new}.")
    for key in ("optical_flow_cadence", "optical_flow_redo_generation", "hybrid_composite"):
        if isinstance(renamed.get(key), bool):
            renamed[key] = ("Normal" if key == "hybrid_composite" else "DIS Fine") if renamed[key] else "None"
    if "use_zoe_depth" in renamed:
        zoe = effects.is_on(renamed.pop("use_zoe_depth"))
        renamed["depth_algorithm"] = f"{'Zoe' if zoe else 'Midas'}+AdaBins (old)"
        log.add("use_zoe_depth", MAPPED, f"an older name: depth_algorithm is {renamed['depth_algorithm']} by it.")
    if "scale" in renamed and "cfg_scale_schedule" not in renamed:
        renamed["cfg_scale_schedule"] = renamed["scale"]
        log.add("scale", MAPPED, "an older name of cfg_scale_schedule.")
    elif "scale" in renamed:
        log.add("scale", NO_EFFECT, "cfg_scale_schedule stands beside it.")
    if "fov" in renamed and "fov_schedule" not in renamed:
        renamed["fov_schedule"] = renamed["fov"]
        log.add("fov", MAPPED, "an older name of fov_schedule.")
    if renamed.get("depth_algorithm") in ("Midas", "Zoe"):
        renamed["depth_algorithm"] = f"{renamed['depth_algorithm']}+AdaBins (old)"
    return renamed


class _Reader:
    """One pass over the keys: each is checked, put where it belongs, and told of in the log."""

    def __init__(self, values: dict[str, Any], log: Log, defaults: Mapping[str, Any], complete: bool):
        self.values, self.log, self.defaults, self.complete = values, log, defaults, complete
        self.settings: dict[str, Any] = {}
        self.num_frames, self.fps, self.seed = 1, 15.0, 0

    def get(self, key: str) -> Any:
        value = self.values.get(key)
        return self.defaults.get(key, DEFAULTS.get(key)) if value is None else value

    def wanted(self, *keys: str) -> bool:
        return self.complete or any(key in self.values for key in keys)

    def say(self, key: str, status: str, sentence: str) -> None:
        if key in self.values:
            self.log.add(key, status, sentence)

    def whole(self, key: str, low: float, high: float) -> int:
        found = whole(self.get(key), key, low, high)
        self.say(key, MAPPED, f"it is {found}.")
        return found

    def number(self, key: str, low: float, high: float) -> float:
        found = number(self.get(key), key, low, high)
        self.say(key, MAPPED, f"it is {found:g}.")
        return found

    def side(self, key: str) -> int:
        asked = whole(self.get(key), key, 64, 8192)
        found = asked - asked % 8
        cut = asked != found
        self.say(
            key, MAPPED, f"it is {found}" + (f", {asked} cut to a multiple of 8 as in the original." if cut else ".")
        )
        return found

    def choice(self, key: str, choices: Mapping[Any, Any]) -> Any:
        value = self.get(key)
        if not isinstance(value, str | bool | None) or value not in choices:
            listed = ", ".join(str(choice) for choice in choices)
            raise InteropError(f"it is {told(value)}, and must be one of: {listed}.", key)
        return choices[value]

    # ---------------------------------------------------------------- schedules

    def schedule(self, key: str) -> Schedule:
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float | Schedule):
            raise InteropError(f"it is {told(value)}, and must be a schedule such as 0:(1.0), 30:(2.0).", key)
        if isinstance(value, int | float):
            value = f"0:({written(number(value, key))})"
        return as_schedule(value, key)

    def sampled(self, schedule: Schedule) -> np.ndarray:
        return schedule.sample(self.num_frames, self.seed, self.fps)

    def set_schedule(self, key: str, name: str | None = None) -> None:
        """Into the settings, limited or refused where the sampler would refuse it."""
        name = name or key
        if not self.wanted(key):
            return
        schedule = self.schedule(key)
        values = self.sampled(schedule)
        low, high = _BOUNDS.get(name, (0, 1)) if "seed_schedule" not in name else (-np.inf, np.inf)
        outside = np.flatnonzero((values < low) | (values > high))
        if outside.size and name in _BOUNDS:
            frame = int(outside[0])
            raise InteropError(f"it is {values[frame]:g} at frame {frame}, and must lie between {low} and {high}.", key)
        if outside.size:
            schedule = schedule_from_values(np.clip(values, low, high), name)
            self.say(
                key, APPROXIMATED, f"limited to {low} to {high}, as the original does: frame {outside[0]} left it."
            )
        self.settings[name] = _portable(schedule)
        self.say(key, MAPPED, "the sampler's schedule of this name." if name == key else f"the sampler's {name}.")

    # ---------------------------------------------------------------- the camera

    def camera(self) -> tuple[Camera2D | Camera3D, str]:
        mode = self.get("animation_mode")
        known = ("2D", "3D", "Video Input", "Interpolation", "None")
        if mode not in known:
            raise InteropError(f"it is {told(mode)}, and must be one of: {', '.join(known)}.", "animation_mode")
        if mode in ("2D", "3D"):
            self.say("animation_mode", MAPPED, f"the {mode} camera.")
            return (self.camera_3d() if mode == "3D" else self.camera_2d()), "hold"
        for key in (*CAMERA_3D, *CAMERA_2D, *_VIEW, *_DEPTH, "border", "sampling_mode"):
            self.say(key, NO_EFFECT, f"nothing is moved where animation_mode is {mode}.")
        if mode == "Interpolation":
            for key in ("strength_schedule", "diffusion_cadence"):
                self.say(key, NO_EFFECT, "animation_mode is Interpolation: every frame is painted anew.")
            self.values |= {"strength_schedule": "0:(0)", "diffusion_cadence": 1}
            text = "every frame is painted anew and texts blend, as there; the strength is 0 and the cadence 1."
            self.say("animation_mode", APPROXIMATED, text)
            return STILL, "linear"
        text = "the video is not read; the camera keeps still" if mode == "Video Input" else "the camera keeps still"
        self.say("animation_mode", APPROXIMATED if mode == "Video Input" else MAPPED, f"{text}.")
        return STILL, "hold"

    def camera_3d(self) -> Camera3D:
        moves = {key: self.moved(key) for key in CAMERA_3D}
        fov = self.schedule("fov_schedule")
        self.checked(fov, "fov_schedule", lambda values: (values <= 0) | (values >= 180), "between 0 and 180 degrees")
        self.say("fov_schedule", MAPPED, "the camera's field of view.")
        for key in ("angle", "zoom", "transform_center_x", "transform_center_y", "border"):
            self.say(key, NO_EFFECT, "it belongs to the 2D mode, and this file is 3D.")
        self.settings["projection"] = "deforum"
        if self.wanted("padding_mode"):
            self.settings["border"] = self.choice("padding_mode", _PADDINGS)
            self.say("padding_mode", MAPPED, f"the sampler's border is {self.settings['border']}.")
        if self.wanted("sampling_mode"):
            modes = {mode: mode for mode in ("bicubic", "bilinear", "nearest")}
            self.settings["sampling_mode"] = self.choice("sampling_mode", modes)
            self.say("sampling_mode", MAPPED, "the sampler's sampling_mode.")
        self.read_depth()
        return Camera3D(**moves, fov=fov)

    def camera_2d(self) -> Camera2D:
        moves = {key: self.moved(key) for key in CAMERA_2D}
        self.checked(moves["zoom"], "zoom", lambda values: values <= 0, "above 0")
        for key in (*CAMERA_3D[2:], *_VIEW, *_DEPTH):
            self.say(key, NO_EFFECT, "it belongs to the 3D mode, and this file is 2D.")
        if self.wanted("border"):
            self.settings["border"] = self.choice("border", {"replicate": "replicate", "wrap": "wrap"})
            self.say("border", MAPPED, "the sampler's border.")
        self.settings["sampling_mode"] = "bilinear"
        self.say("sampling_mode", NO_EFFECT, "the 2D mode always samples bilinearly, and so does the sampler now.")
        return Camera2D(**moves)

    def moved(self, key: str) -> Schedule:
        schedule = self.schedule(key)
        self.sampled(schedule)
        self.say(key, MAPPED, "the camera's schedule of this name.")
        return schedule

    def checked(self, schedule: Schedule, key: str, wrong: Any, right: str) -> None:
        values = self.sampled(schedule)
        frames = np.flatnonzero(wrong(values))
        if frames.size:
            frame = int(frames[0])
            raise InteropError(f"it is {values[frame]:g} at frame {frame}, and must lie {right}.", key)

    def read_depth(self) -> None:
        if effects.is_on(self.get("use_depth_warping")):
            link = "link Load Depth Model to the sampler's depth_model"
            self.say("use_depth_warping", APPROXIMATED, f"{link}; without one the scene is a plane.")
            self.say("depth_algorithm", APPROXIMATED, f"choose the model yourself: {link}.")
            self.say("midas_weight", NO_EFFECT, "it mixes models that are not loaded here.")
        else:
            self.say("use_depth_warping", MAPPED, "leave the sampler's depth_model unlinked: the scene is a plane.")
            for key in ("depth_algorithm", "midas_weight"):
                self.say(key, NO_EFFECT, "use_depth_warping is off.")
        flat = effects.is_constant(self.get("aspect_ratio_schedule"), 1.0)
        text = "the warp's aspect is 1, and so it is here." if flat else "the sampler's warp keeps an aspect of 1."
        self.say("aspect_ratio_schedule", MAPPED if flat else LEFT_OUT, text)
        old = effects.is_on(self.get("aspect_ratio_use_old_formula"))
        text = "the sampler's warp keeps an aspect of 1." if old else "it is switched off in this file."
        self.say("aspect_ratio_use_old_formula", LEFT_OUT if old else NO_EFFECT, text)

    # ---------------------------------------------------------------- the sampler

    def read_seed(self) -> None:
        seed = whole(self.get("seed"), "seed", -1, _SEED_RANGE - 1)
        if seed >= 0:
            self.seed = seed
            if self.wanted("seed"):
                self.settings["seed"] = seed
            self.say("seed", MAPPED, "the sampler's seed.")
        else:
            self.say("seed", APPROXIMATED, "-1 asks for a random seed: the sampler's own is used.")

    def read_sampling(self) -> None:
        # A frame is given its share of the steps there, whatever the sampler's widget says.
        self.settings["full_steps"] = False
        self.set_schedule("strength_schedule")
        self.set_schedule("cfg_scale_schedule")
        self.read_steps()
        self.read_sampler()
        if self.wanted("diffusion_cadence"):
            self.settings["diffusion_cadence"] = self.whole("diffusion_cadence", 1, 1000)
        self.read_seeds()
        self.set_schedule("noise_schedule")
        perlin = self.get("noise_type") == "perlin"
        if perlin:
            self.say("noise_type", APPROXIMATED, "Gaussian noise of the same strength takes Perlin noise's place.")
        else:
            self.say("noise_type", MAPPED, "Gaussian noise, which the original calls uniform.")
        for key in ("perlin_w", "perlin_h", "perlin_octaves", "perlin_persistence"):
            status = APPROXIMATED if perlin else NO_EFFECT
            text = "Gaussian noise takes Perlin noise's place." if perlin else "noise_type is not perlin."
            self.say(key, status, text)

    def read_steps(self) -> None:
        scheduled = effects.is_on(self.get("enable_steps_scheduling"))
        if scheduled:
            self.set_schedule("steps_schedule")
            self.say("steps", NO_EFFECT, "steps_schedule takes its place.")
        elif self.wanted("steps"):
            self.settings["steps_schedule"] = f"0:({self.whole('steps', 1, 10_000)})"
        self.say("enable_steps_scheduling", MAPPED, f"steps come from {'steps_schedule' if scheduled else 'steps'}.")
        self.say("steps_schedule", NO_EFFECT, "enable_steps_scheduling is off.")

    def read_sampler(self) -> None:
        label = self.get("sampler")
        if isinstance(label, int) and not isinstance(label, bool):
            label = names.NUMBERED[label] if 0 <= label < len(names.NUMBERED) else None
            self.say("sampler", APPROXIMATED, f"an older file's number, taken for {label or 'none that is known'}.")
        scheduled = effects.is_on(self.get("enable_sampler_scheduling"))
        if scheduled:
            label = parse_string_schedule(str(self.get("sampler_schedule")), "sampler_schedule").sample(
                self.num_frames
            )[0]
            self.say("sampler_schedule", APPROXIMATED, f"one sampler serves the whole animation: {shown(label)}.")
            self.say("sampler", NO_EFFECT, "sampler_schedule takes its place.")
        self.say("sampler_schedule", NO_EFFECT, "enable_sampler_scheduling is off.")
        text = "the first of sampler_schedule is taken." if scheduled else "it is off, and sampler counts."
        self.say("enable_sampler_scheduling", APPROXIMATED if scheduled else MAPPED, text)
        found = names.sampler_of(label) if isinstance(label, str) else None
        if found is None and self.wanted("sampler"):
            self.say("sampler", LEFT_OUT, f"{shown(label)!r} is no sampler known here; the sampler's own is used.")
        scheduler = None
        if found is not None and (self.wanted("sampler") or scheduled):
            name, scheduler, same = found
            self.settings["sampler_name"] = name
            self.settings["scheduler"] = scheduler or "normal"
            text = f"the sampler's sampler_name is {name}, its scheduler {self.settings['scheduler']}."
            self.say("sampler", MAPPED if same else APPROXIMATED, text)
        if "scheduler" not in self.values:
            return
        named = names.scheduler_of(str(self.values["scheduler"]))
        if named is None:
            self.say("scheduler", LEFT_OUT, f"{shown(self.values['scheduler'])!r} is no scheduler known here.")
        elif scheduler is not None and named[0] == "normal":
            self.say("scheduler", NO_EFFECT, f"the sampler's name says {scheduler}.")
        else:
            self.settings["scheduler"] = named[0]
            self.say("scheduler", MAPPED if named[1] else APPROXIMATED, f"the sampler's scheduler is {named[0]}.")

    def read_seeds(self) -> None:
        behaviors = ("iter", "fixed", "random", "ladder", "alternate", "schedule")
        behavior = self.choice("seed_behavior", {name: name for name in behaviors})
        if self.wanted("seed_behavior"):
            self.settings["seed_behavior"] = behavior
        random = behavior == "random"
        text = "drawn from the seed, so that the run can be repeated." if random else "the sampler's seed_behavior."
        self.say("seed_behavior", APPROXIMATED if random else MAPPED, text)
        if behavior == "iter" and self.wanted("seed_iter_N"):
            self.settings["seed_iter_N"] = self.whole("seed_iter_N", 1, 10_000)
        elif self.wanted("seed_iter_N") and self.get("seed_iter_N") in range(1, 10_001):
            self.settings["seed_iter_N"] = int(self.get("seed_iter_N"))
        self.say("seed_iter_N", NO_EFFECT, "seed_behavior is not iter.")
        if behavior == "schedule":
            self.set_schedule("seed_schedule")
        self.say("seed_schedule", NO_EFFECT, "seed_behavior is not schedule.")
        varied = effects.is_on(self.get("enable_subseed_scheduling"))
        if varied:
            self.set_schedule("subseed_schedule")
            self.set_schedule("subseed_strength_schedule")
        self.say("enable_subseed_scheduling", MAPPED, "sub-seeds are on." if varied else "sub-seeds are off.")
        for key in ("subseed_schedule", "subseed_strength_schedule"):
            self.say(key, NO_EFFECT, "enable_subseed_scheduling is off.")

    def read_coherence(self) -> None:
        value = self.get("color_coherence")
        kind = value.removeprefix("Match Frame 0 ") if isinstance(value, str) else value
        if kind not in ("None", "LAB", "HSV", "RGB", "Video Input", "Image", None, False):
            raise InteropError(
                f"it is {told(value)}, and must be one of: None, HSV, LAB, RGB, Video Input, Image.",
                "color_coherence",
            )
        matched = kind in ("LAB", "HSV", "RGB")
        if self.wanted("color_coherence"):
            self.settings["color_coherence"] = LAB if matched else "none"
        if kind == "LAB" or kind in ("None", None, False):
            self.say("color_coherence", MAPPED, f"the sampler's color_coherence is {LAB if matched else 'none'}.")
        elif matched:
            self.say("color_coherence", APPROXIMATED, f"colours are kept by histograms in LAB, not {kind}.")
        else:
            self.say("color_coherence", LEFT_OUT, f"colours are not taken from another source ({kind}) here.")
        if not self.complete:
            return
        legacy = effects.is_on(self.values.get("legacy_colormatch", True))
        missing = "it is missing from this file, which means true, as in the original: " if legacy else ""
        missing = missing if "legacy_colormatch" not in self.values else ""
        if legacy and matched:
            self.log.add(
                "legacy_colormatch", APPROXIMATED, f"{missing}colours are matched once, before the noise, here."
            )
        else:
            text = "colours are matched before the noise, as here." if matched else "color_coherence matches nothing."
            self.log.add("legacy_colormatch", MAPPED if matched else NO_EFFECT, f"{missing}{text}")

    def read_own(self, blend: str) -> tuple[str, int]:
        """What Export Animation wrote for what Deforum has no key for."""
        own = self.values.get(OWN_KEY)
        if not isinstance(own, Mapping) or own.get("version") != 1 or not isinstance(own.get("settings"), Mapping):
            if own is not None:
                text = "it is of another version, so that only Deforum's own keys count."
                self.say(OWN_KEY, LEFT_OUT, text)
            return blend, 0
        for name, value in own["settings"].items():
            if not isinstance(name, str) or not isinstance(value, str | int | float | bool):
                raise InteropError(f"its setting {shown(name)} is no text and no number.", OWN_KEY)
            self.settings[name] = value
        self.say(OWN_KEY, MAPPED, "what Export Animation kept that Deforum has no key for.")
        overlap = whole(own.get("overlap", 0), f"{OWN_KEY}.overlap", 0, MAX_FRAMES)
        return (own["blend"] if own.get("blend") in BLENDS else blend), overlap


def _portable(schedule: Schedule) -> str | Schedule:
    """The schedule's text where it says all of it, as if it had been typed; else the schedule itself."""
    if schedule.bpm != 120.0:
        return schedule
    try:
        return schedule.text if as_schedule(schedule.text, schedule.name) == schedule else schedule
    except FramedriftError:
        return schedule
