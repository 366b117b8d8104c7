"""An animation as Deforum and Parseq read it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..camera import Camera, Camera2D, Camera3D, Track2D
from ..camera.track import motion_curves
from ..errors import FramedriftError
from ..feedback.coherence import Coherence
from ..feedback.options import Options
from ..schedule import PromptSchedule, Schedule, as_schedule
from ..schedule.keys import Timing
from ..schedule.prompts import Additions, split_negative
from . import names
from .defaults import DEFAULTS
from .export_options import write_options
from .model import SamplerSettings, schedule_from_values
from .motion import CAMERA_2D, CAMERA_3D, FLIP
from .parseq import COHERENCE_FIELDS
from .sampling import LAB, OWN_KEY

_PADDINGS = {"replicate": "border", "reflect": "reflection", "zeros": "zeros"}
_SAME = ("seed", "seed_behavior", "seed_iter_N", "diffusion_cadence")
_SCHEDULES = ("strength_schedule", "cfg_scale_schedule", "noise_schedule", "seed_schedule")
_SUBSEEDS = ("subseed_schedule", "subseed_strength_schedule")


def deforum_settings(
    prompts: PromptSchedule,
    camera: Camera | None,
    settings: SamplerSettings | dict[str, Any],
    num_frames: int,
    fps: float,
    size: tuple[int, int],
    blend: str = "hold",
    overlap: int = 0,
    options: Options | None = None,
) -> dict[str, Any]:
    """The keys of a Deforum settings file that renders this animation; importing it gives the animation back.

    Schedules that Deforum could not read (keys in seconds or beats, other ways from key to key than lines) become
    numbers, and so does a camera that is not made of Deforum's schedules: see `as_schedules`. What Deforum has no key
    for stands under "framedrift", which it ignores; of `options` it is left. `size` is (h, w).
    """
    given = dict(settings)
    seed = int(given.get("seed", 0))
    values: dict[str, Any] = dict(DEFAULTS)
    values |= {"H": size[0], "W": size[1], "max_frames": num_frames, "seed": given.get("seed", -1)}
    values["fps"] = int(fps) if float(fps).is_integer() else fps
    values |= {"prompts": prompt_texts(prompts, num_frames, seed), "animation_prompts_positive": ""}
    values["animation_prompts_negative"] = ""

    def text(schedule: Any, name: str) -> str:
        return _plain(as_schedule(schedule, name), num_frames, fps, seed)

    moving = as_schedules(camera, num_frames, fps, seed, size) or Camera2D(zoom="0:(1)")
    values["animation_mode"] = "3D" if isinstance(moving, Camera3D) else "2D"
    keys = CAMERA_3D if isinstance(moving, Camera3D) else CAMERA_2D
    values |= {name: text(getattr(moving, name), name) for name in keys}
    if isinstance(moving, Camera3D):
        values["fov_schedule"] = text(moving.fov, "fov_schedule")
        values["aspect_ratio_schedule"] = text(moving.aspect, "aspect_ratio_schedule")
    elif moving.perspective_flip:
        values |= {name: text(getattr(moving, name), name) for name in FLIP} | {"enable_perspective_flip": True}
    values |= {name: given[name] for name in _SAME if name in given}
    values |= {name: text(given[name], name) for name in _SCHEDULES if name in given}
    if any(name in given for name in _SUBSEEDS):
        values |= {name: text(given[name], name) for name in _SUBSEEDS if name in given}
        values["enable_subseed_scheduling"] = True
    if "steps_schedule" in given:
        values |= {"steps_schedule": text(given["steps_schedule"], "steps_schedule"), "enable_steps_scheduling": True}
    if "sampler_name" in given:
        values["sampler"] = names.sampler_label(given["sampler_name"])
    if "scheduler" in given:
        values["scheduler"] = names.scheduler_label(given["scheduler"])
    values |= {"noise_type": "uniform", "use_depth_warping": True, "amount_schedule": "0: (0)"}
    values["enable_noise_multiplier_scheduling"] = False
    values["color_coherence"] = "LAB" if given.get("color_coherence") == LAB else "None"
    _write_warp(values, given)
    if options is not None:
        values |= write_options(options, text)
    values[OWN_KEY] = {"version": 1, "blend": blend, "overlap": overlap, "settings": _own(given)}
    return values


def _write_warp(values: dict[str, Any], given: dict[str, Any]) -> None:
    border = given.get("border", "replicate")
    values["padding_mode"] = _PADDINGS.get(border, "border")
    values["border"] = "wrap" if border == "wrap" else "replicate"
    values["sampling_mode"] = given.get("sampling_mode", "bicubic")


def _own(given: dict[str, Any]) -> dict[str, Any]:
    """Settings that the Deforum keys do not give back by themselves."""
    known = {*_SAME, *_SCHEDULES, *_SUBSEEDS, "steps_schedule", "sampler_name", "color_coherence"}
    return {name: value for name, value in given.items() if name not in known and isinstance(value, str | int | float)}


def prompt_texts(prompts: PromptSchedule, num_frames: int, seed: int) -> dict[str, str]:
    """Deforum's prompts: texts by frame, the negative ones behind --neg.

    Formulas stay as they are, unless something is added to every prompt: then each frame's text is written out.
    """
    if prompts.additions != Additions():
        written_out: dict[str, str] = {}
        last = None
        for frame in range(num_frames):
            text = _joined(*prompts.text_at(frame, num_frames, seed))
            if text != last:
                written_out[str(frame)] = last = text
        return written_out
    timing = Timing(num_frames, seed)
    placed: dict[int, str] = {}
    for key in prompts.keys:
        positive, own = split_negative(key.text)
        negative = ", ".join(part for part in (own, prompts.negative.strip()) if part)
        placed[int(key.frame(timing))] = _joined(positive, negative)
    return {str(frame): placed[frame] for frame in sorted(placed)}


def _joined(positive: str, negative: str) -> str:
    return f"{positive} --neg {negative}".strip() if negative else positive


def _plain(schedule: Schedule, num_frames: int, fps: float, seed: int) -> str:
    """The schedule's own text where it means the same to Deforum, else one with a number at every bend."""
    values = schedule.sample(num_frames, seed, fps)
    if not any(key.time.unit for key in schedule.keys):
        try:
            if np.array_equal(as_schedule(schedule.text, schedule.name).sample(num_frames, seed, fps), values):
                return schedule.text
        except FramedriftError:
            pass  # a text that cannot be read again is written as numbers
    return schedule_from_values(values, schedule.name).text


def parseq_manifest(
    prompts: PromptSchedule,
    camera: Camera | None,
    settings: SamplerSettings | dict[str, Any],
    num_frames: int,
    fps: float,
    size: tuple[int, int] = (512, 512),
    options: Options | None = None,
) -> dict[str, Any]:
    """The animation as Parseq's manifest: every value at every frame, motion as deltas too. It can be imported.

    Deforum reads it as its parseq_manifest. Formulas in prompts are written out; what Parseq has no field for is left.
    `size` is (h, w).
    """
    given = dict(settings)
    seed = int(given.get("seed", 0))
    camera = as_schedules(camera, num_frames, fps, seed, size)
    columns: dict[str, np.ndarray] = {}
    moved = _motion(camera)
    for name, schedule in moved.items():
        values = as_schedule(schedule, name).sample(num_frames, seed, fps)
        columns[name] = np.cumprod(values) if name == "zoom" else np.cumsum(values)
        columns[f"{name}_delta"] = values
    if isinstance(camera, Camera3D):
        columns["fov"] = as_schedule(camera.fov, "fov").sample(num_frames, seed, fps)
    elif camera is not None and camera.perspective_flip:
        columns[FLIP[-1]] = as_schedule(camera.perspective_flip_fv, FLIP[-1]).sample(num_frames, seed, fps)
    fields = {"strength_schedule": "strength", "noise_schedule": "noise", "cfg_scale_schedule": "scale"}
    if given.get("seed_behavior") == "schedule":
        fields["seed_schedule"] = "seed"
    fields |= {"subseed_schedule": "subseed", "subseed_strength_schedule": "subseed_strength"}
    for name, field in fields.items():
        if name in given:
            columns[field] = as_schedule(given[name], name).sample(num_frames, seed, fps)
    if options is not None and (coherence := options.only(Coherence)) is not None:
        columns |= {
            field: coherence.schedules[name].sample(num_frames, seed, fps)
            for field, name in COHERENCE_FIELDS.items()
            if name in coherence.schedules
        }
    frames = []
    for frame in range(num_frames):
        row: dict[str, Any] = {"frame": frame}
        row |= {name: float(values[frame]) for name, values in columns.items()}
        positive, negative = prompts.text_at(frame, num_frames, seed)
        row["deforum_prompt"] = _joined(positive, negative)
        frames.append(row)
    rates = {"input_fps": fps, "output_fps": fps, "bpm": 120, "cadence": given.get("diffusion_cadence", 1)}
    managed = [name for name in columns if not name.endswith("_delta")]
    meta = {"generated_by": "framedrift", "version": "0.1"}
    return {"meta": meta, "options": rates, "managedFields": managed, "rendered_frames": frames}


def _motion(camera: Camera2D | Camera3D | None) -> dict[str, Any]:
    if isinstance(camera, Camera3D):
        keys = CAMERA_3D
    elif camera is not None:
        keys = ("angle", "zoom", "translation_x", "translation_y", *(FLIP[:3] if camera.perspective_flip else ()))
    else:
        return {}
    return {name: getattr(camera, name) for name in keys}


def as_schedules(
    camera: Camera | None, num_frames: int, fps: float, seed: int, size: tuple[int, int]
) -> Camera2D | Camera3D | None:
    """The camera in Deforum's schedules: as it is where it is made of them, else a number for every frame.

    Any motion in space is Deforum's exactly, one delta a frame. `size` is (h, w).

    Raises:
        FramedriftError: the camera moves in the picture's plane, and is not 2D Camera itself.
    """
    if camera is None or isinstance(camera, Camera2D | Camera3D):
        return camera
    track = camera.track(num_frames, fps, seed, size)
    if isinstance(track, Track2D):
        raise FramedriftError(
            "camera: Deforum's schedules can only say what 2D Camera alone does. Export 2D Camera without the cameras "
            "that are combined with it"
        )
    curves = motion_curves(track.views, track.fov_deg)
    moves = {name: schedule_from_values(curves[name], name) for name in CAMERA_3D}
    lens = {"fov": schedule_from_values(track.fov_deg, "fov"), "aspect": schedule_from_values(track.aspect, "aspect")}
    return Camera3D(**moves, **lens)
