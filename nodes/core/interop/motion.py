"""The camera of a settings file, as its animation mode moves it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..camera import Camera2D, Camera3D
from ..schedule import Schedule
from . import effects
from .model import APPROXIMATED, MAPPED, NO_EFFECT, InteropError, schedule_from_values, told
from .reader import Reader

CAMERA_3D = ("translation_x", "translation_y", "translation_z", "rotation_3d_x", "rotation_3d_y", "rotation_3d_z")
FLIP = ("perspective_flip_theta", "perspective_flip_phi", "perspective_flip_gamma", "perspective_flip_fv")
CAMERA_2D = ("angle", "zoom", "translation_x", "translation_y", "transform_center_x", "transform_center_y")
STILL = Camera2D(zoom="0: (1)")
_DEPTH = ("use_depth_warping", "depth_algorithm", "midas_weight")
_VIEW = ("fov_schedule", "aspect_ratio_schedule", "aspect_ratio_use_old_formula", "padding_mode")
_PADDINGS = {"border": "replicate", "reflection": "reflect", "zeros": "zeros"}


def read_camera(reader: Reader) -> tuple[Camera2D | Camera3D, str]:
    """(camera, how prompts blend) by animation_mode. Raises InteropError or ScheduleError, naming the key."""
    mode = reader.get("animation_mode")
    known = ("2D", "3D", "Video Input", "Interpolation", "None")
    if mode not in known:
        raise InteropError(f"it is {told(mode)}, and must be one of: {', '.join(known)}.", "animation_mode")
    if mode in ("2D", "3D"):
        reader.say("animation_mode", MAPPED, f"the {mode} camera.")
        return (camera_3d(reader) if mode == "3D" else camera_2d(reader)), "hold"
    for key in (*CAMERA_3D, *CAMERA_2D, *_VIEW, *_DEPTH, "border", "sampling_mode"):
        reader.say(key, NO_EFFECT, f"nothing is moved where animation_mode is {mode}.")
    if mode == "Interpolation":
        for key in ("strength_schedule", "diffusion_cadence"):
            reader.say(key, NO_EFFECT, "animation_mode is Interpolation: every frame is painted anew.")
        reader.values |= {"strength_schedule": "0:(0)", "diffusion_cadence": 1}
        text = "every frame is painted anew and texts blend, as there; the strength is 0 and the cadence 1."
        reader.say("animation_mode", APPROXIMATED, text)
        return STILL, "linear"
    text = (
        "link the video to the sampler's video_input; the camera keeps still"
        if mode == "Video Input"
        else "the camera keeps still"
    )
    reader.say("animation_mode", APPROXIMATED if mode == "Video Input" else MAPPED, f"{text}.")
    return STILL, "hold"


def camera_3d(reader: Reader) -> Camera3D:
    """The 3D camera, with the projection, border and sampling that go with it."""
    moves = {key: moved(reader, key) for key in CAMERA_3D}
    fov = reader.schedule("fov_schedule")
    checked(reader, fov, "fov_schedule", lambda values: (values <= 0) | (values >= 180), "between 0 and 180 degrees")
    reader.say("fov_schedule", MAPPED, "the camera's field of view.")
    aspect = read_aspect(reader)
    for key in ("angle", "zoom", "transform_center_x", "transform_center_y", "border"):
        reader.say(key, NO_EFFECT, "it belongs to the 2D mode, and this file is 3D.")
    reader.settings["projection"] = "deforum"
    if reader.wanted("padding_mode"):
        reader.settings["border"] = reader.choice("padding_mode", _PADDINGS)
        reader.say("padding_mode", MAPPED, f"the sampler's border is {reader.settings['border']}.")
    if reader.wanted("sampling_mode"):
        modes = {mode: mode for mode in ("bicubic", "bilinear", "nearest")}
        reader.settings["sampling_mode"] = reader.choice("sampling_mode", modes)
        reader.say("sampling_mode", MAPPED, "the sampler's sampling_mode.")
    read_depth(reader)
    return Camera3D(**moves, fov=fov, aspect=aspect)


def camera_2d(reader: Reader) -> Camera2D:
    """The 2D camera, with its border."""
    moves = {key: moved(reader, key) for key in CAMERA_2D}
    checked(reader, moves["zoom"], "zoom", lambda values: values <= 0, "above 0")
    for key in (*CAMERA_3D[2:], *_VIEW, *_DEPTH):
        reader.say(key, NO_EFFECT, "it belongs to the 3D mode, and this file is 2D.")
    if reader.wanted("border"):
        reader.settings["border"] = reader.choice("border", {name: name for name in ("replicate", "wrap", "zeros")})
        reader.say("border", MAPPED, "the sampler's border.")
    reader.settings["sampling_mode"] = "bilinear"
    reader.say("sampling_mode", NO_EFFECT, "the 2D mode always samples bilinearly, and so does the sampler now.")
    flip = read_flip(reader)
    if flip:
        moves |= {key: _unmoved(reader, moves[key], key) for key in ("translation_x", "translation_y")}
    return Camera2D(**moves, **flip)


def read_flip(reader: Reader) -> dict[str, Any]:
    """The perspective flip's part of a 2D camera; {} where it is off."""
    if not effects.is_on(reader.get("enable_perspective_flip")):
        return {}
    flip = {key: reader.schedule(key) for key in FLIP}
    checked(reader, flip["perspective_flip_fv"], FLIP[-1], lambda fv: (fv <= 0) | (fv >= 180), "between 0 and 180")
    for key in ("enable_perspective_flip", *FLIP):
        reader.say(key, MAPPED, "the 2D camera's perspective flip.")
    return {"perspective_flip": True, **flip}


def _unmoved(reader: Reader, shift: Schedule, key: str) -> Schedule:
    if np.any(reader.sampled(shift)):
        reader.log.notes.append(f"{key}: classic Deforum forgets it where the perspective flip is on; here it is 0.")
    return schedule_from_values(np.zeros(1), key)


def read_aspect(reader: Reader) -> Schedule:
    """Deforum's aspect ratio, from its schedule or from the picture's shape, as older versions had it."""
    if effects.is_on(reader.get("aspect_ratio_use_old_formula")):
        reader.say("aspect_ratio_use_old_formula", MAPPED, "the camera's aspect is width over height.")
        reader.say("aspect_ratio_schedule", NO_EFFECT, "aspect_ratio_use_old_formula is on.")
        return schedule_from_values(np.array([reader.side("W") / reader.side("H")]), "aspect_ratio_schedule")
    aspect = reader.schedule("aspect_ratio_schedule")
    checked(reader, aspect, "aspect_ratio_schedule", lambda values: values <= 0, "above 0")
    reader.say("aspect_ratio_schedule", MAPPED, "the camera's aspect.")
    reader.say("aspect_ratio_use_old_formula", NO_EFFECT, "it is switched off in this file.")
    return aspect


def moved(reader: Reader, key: str) -> Schedule:
    """A camera schedule that has a value at every frame."""
    schedule = reader.schedule(key)
    reader.sampled(schedule)
    reader.say(key, MAPPED, "the camera's schedule of this name.")
    return schedule


def checked(reader: Reader, schedule: Schedule, key: str, wrong: Any, right: str) -> None:
    """Raises InteropError at the first frame whose value is wrong."""
    values = reader.sampled(schedule)
    frames = np.flatnonzero(wrong(values))
    if frames.size:
        frame = int(frames[0])
        raise InteropError(f"it is {values[frame]:g} at frame {frame}, and must lie {right}.", key)


def read_depth(reader: Reader) -> None:
    """What is said of depth, which no setting takes."""
    if effects.is_on(reader.get("use_depth_warping")):
        link = "link Load Depth Model to the sampler's depth_model"
        reader.say("use_depth_warping", APPROXIMATED, f"{link}; without one the scene is a plane.")
        reader.say("depth_algorithm", APPROXIMATED, f"choose the model yourself: {link}.")
        reader.say("midas_weight", NO_EFFECT, "it mixes models that are not loaded here.")
    else:
        reader.say("use_depth_warping", MAPPED, "leave the sampler's depth_model unlinked: the scene is a plane.")
        for key in ("depth_algorithm", "midas_weight"):
            reader.say(key, NO_EFFECT, "use_depth_warping is off.")
