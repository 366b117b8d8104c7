"""What becomes of the keys of a Deforum settings file that no input of ours takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import FramedriftError
from ..schedule import Schedule, as_schedule
from .defaults import DEFAULTS
from .model import LEFT_OUT, NO_EFFECT, OTHER_PROGRAM, UNKNOWN, Log

Values = Mapping[str, Any]

_WEBUI = "belongs to the WebUI and its page"
_FILES = "says how the other program names and keeps its files; runs lie in output/framedrift here"
_VIDEO = "is about making the video: see Video Combine"
_OTHERS = {
    "show_info_on_ui": _WEBUI,
    "motion_preview_mode": "previews without diffusing in the other program",
    "restore_faces": "calls the WebUI's face restoration",
    "seed_resize_from_w": "belongs to the WebUI's seeds",
    "seed_resize_from_h": "belongs to the WebUI's seeds",
    "batch_name": _FILES,
    "resume_from_timestring": "names a run of the other program; runs here go on by themselves",
    "resume_timestring": "names a run of the other program; runs here go on by themselves",
    "store_frames_in_ram": _FILES,
    "save_depth_maps": "every run keeps its depth here",
    "overwrite_extracted_frames": _FILES,
    "skip_video_creation": _VIDEO,
    "skip_video_for_run_all": _VIDEO,
    "make_gif": _VIDEO,
    "delete_imgs": _FILES,
    "delete_input_frames": _FILES,
    "image_path": _FILES,
    "mp4_path": _FILES,
    "add_soundtrack": "adds sound to the video: link an audio to Video Combine",
    "soundtrack_path": "adds sound to the video: link an audio to Video Combine",
    "frame_interpolation_engine": "makes more frames of the finished ones with another model",
    "sd_model_name": "names the checkpoint that was loaded: choose yours in a loader",
    "sd_model_hash": "names the checkpoint that was loaded: choose yours in a loader",
    "deforum_git_commit_id": "is the other program's version",
    "show_controlnet_tab": _WEBUI,
    "save_settings": _FILES,
    "save_samples": _FILES,
    "save_sample_per_step": _FILES,
    "display_samples": _WEBUI,
    "timestring": _FILES,
    "outdir": _FILES,
    "n_batch": _WEBUI,
    "precision": _WEBUI,
}
_OTHERS |= dict.fromkeys(
    ("make_grid", "grid_rows", "filename_format", "show_sample_per_step", "max_video_frames", "path_name_modifier",
     "use_manual_settings", "render_steps", "override_settings_with_file", "custom_settings_file", "bit_depth_output"),
    _FILES,
)  # fmt: skip
_OTHERS |= dict.fromkeys(("output_format", "ffmpeg_location", "ffmpeg_crf", "ffmpeg_preset", "ffmpeg_outdir"), _VIDEO)
_OTHERS |= {"C": "describes the model to the notebook", "f": "describes the model to the notebook"}
_OTHERS |= {"save_gen_info_as_srt": _VIDEO, "save_gen_info_as_srt_params": _VIDEO}
_OTHER_PREFIXES = {
    "r_upscale_": "enlarges the finished frames with another model",
    "frame_interpolation_": "makes more frames of the finished ones with another model",
    "wan_": "drives the video model of the Forge fork",
    "animatediff_": "drives another extension",
}
_NEVER = {
    "near_schedule": "near has no effect on Deforum's warp",
    "far_schedule": "far has no effect on Deforum's warp",
    "near_plane": "near has no effect on Deforum's warp",
    "far_plane": "far has no effect on Deforum's warp",
    "histogram_matching": "was removed from Deforum and is ignored there",
    "pix2pix_img_cfg_scale_schedule": "counts for InstructPix2Pix checkpoints only",
    "seed_enable_extras": "is not read from a settings file",
    "subseed": "is not read from a settings file",
    "subseed_strength": "is not read from a settings file",
    "n_samples": "is not read from a settings file",
}
_CONTROLNET = re.compile(r"cn_([1-9])_(\w+)")


def is_on(value: Any) -> bool:
    """Whether a switch is on, in the types in which files hold it."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "none", "false", "off", "disabled")
    return bool(value)


def is_constant(value: Any, wanted: float) -> bool:
    """Whether a schedule has this value at every frame, as far as can be told from its keys."""
    try:
        schedule = value if isinstance(value, Schedule) else as_schedule(value, "")
    except FramedriftError:
        return False
    return all(isinstance(key.value, float) and key.value == wanted for key in schedule.keys)


def _switch(key: str, off: Any = False) -> Callable[[Values], bool]:
    return lambda values: is_on(values.get(key, DEFAULTS.get(key, off)))


def _value(key: str, values: Values) -> Any:
    return values.get(key, DEFAULTS.get(key))


def _hybrid(values: Values) -> bool:
    return is_on(_value("hybrid_composite", values)) or is_on(_value("hybrid_motion", values))


def _video(values: Values) -> bool:
    return _value("animation_mode", values) == "Video Input" or _hybrid(values)


def _chained(node: str) -> str:
    return f"chain {node} into the sampler's options"


_SAMPLING, _CHECKPOINT = _chained("Sampling Schedules"), _chained("Checkpoint Schedule")
_NOISE, _REDONE, _COHERENCE = _chained("Noise"), _chained("Redo"), _chained("Coherence")
_MASK = (_switch("use_mask"), f"masks are not imported: {_chained('Masks')}")
_INIT = (_switch("use_init"), "load the picture with Load Image and link it to the sampler's init_image")
_LOOPER = (_switch("use_looper"), "guided images are not imported: chain Guide Images into the sampler's options")
_FLIP = (
    lambda values: is_on(_value("enable_perspective_flip", values)) and _value("animation_mode", values) == "3D",
    "a 3D camera has no perspective flip: turn it with rotation_3d_x and rotation_3d_y",
)
_HYBRID = (_hybrid, "hybrid video is not imported: chain Hybrid Video into the sampler's options")
_SOURCE = (_video, "load it with Load Video Frames, and link it to the sampler's video_input")
_MASK_VIDEO = (_switch("use_mask_video"), "the mask video is not imported: link it to Masks")
_NOISE_MASK = (_switch("use_noise_mask"), "noise masks are not imported: chain Masks into the sampler's options")
_FLOW = (_switch("optical_flow_cadence"), "set Cadence Blend's flow to dis or farneback")
_REDO = (_switch("optical_flow_redo_generation"), _REDONE)
_UNSHARP = (
    lambda values: not is_constant(_value("amount_schedule", values), 0.0),
    _COHERENCE,
)

#: key: (when it has an effect, what is said then).
_GATED: dict[str, tuple[Callable[[Values], bool], str]] = {
    **dict.fromkeys(
        ("use_mask", "use_alpha_as_mask", "mask_file", "invert_mask", "mask_contrast_adjust", "mask_brightness_adjust",
         "overlay_mask", "mask_overlay_blur", "fill", "full_res_mask", "full_res_mask_padding", "mask_schedule"),
        _MASK,
    ),
    **dict.fromkeys(("use_init", "init_image", "init_image_box", "strength", "strength_0_no_init"), _INIT),
    **dict.fromkeys(
        ("use_looper", "init_images", "image_strength_schedule", "blendFactorMax", "blendFactorSlope",
         "tweening_frames_schedule", "color_correction_factor"),
        _LOOPER,
    ),
    **dict.fromkeys(
        ("enable_perspective_flip", "perspective_flip_theta", "perspective_flip_phi", "perspective_flip_gamma",
         "perspective_flip_fv"),
        _FLIP,
    ),
    **dict.fromkeys(("video_init_path", "extract_nth_frame", "extract_from_frame", "extract_to_frame"), _SOURCE),
    **dict.fromkeys(("use_mask_video", "video_mask_path"), _MASK_VIDEO),
    **dict.fromkeys(("use_noise_mask", "noise_mask_schedule"), _NOISE_MASK),
    **dict.fromkeys(("optical_flow_cadence", "cadence_flow_factor_schedule"), _FLOW),
    **dict.fromkeys(("optical_flow_redo_generation", "redo_flow_factor_schedule"), _REDO),
    **dict.fromkeys(("amount_schedule", "kernel_schedule", "sigma_schedule", "threshold_schedule"), _UNSHARP),
    **dict.fromkeys(
        ("prompt_weighting", "normalize_prompt_weights", "log_weighted_subprompts"),
        (_switch("prompt_weighting"), "prompts are weighted by brackets here, as in (cat:1.2)"),
    ),
    **dict.fromkeys(
        ("interpolate_key_frames", "interpolate_x_frames"),
        (lambda values: _value("animation_mode", values) == "Interpolation", "prompts blend from key to key"),
    ),
    "ddim_eta": (_switch("ddim_eta"), _SAMPLING),
    "tiling": (_switch("tiling"), "the sampler makes no seamless tiles"),
    "color_force_grayscale": (_switch("color_force_grayscale"), _COHERENCE),
    "color_coherence_image_path": (
        lambda values: _value("color_coherence", values) == "Image", "link it to Coherence's reference_image",
    ),
    "color_coherence_video_every_N_frames": (
        lambda values: _value("color_coherence", values) == "Video Input",
        "link the video to Coherence's reference_video",
    ),
    "reroll_blank_frames": (lambda values: _value("reroll_blank_frames", values) != "ignore", _REDONE),
    "reroll_patience": (lambda values: _value("reroll_blank_frames", values) == "reroll", _REDONE),
    "diffusion_redo": (_switch("diffusion_redo"), _REDONE),
    "contrast_schedule": (
        lambda values: not is_constant(_value("contrast_schedule", values), 1.0),
        _COHERENCE,
    ),
    "enable_noise_multiplier_scheduling": (
        _switch("enable_noise_multiplier_scheduling"), _NOISE,
    ),
    "noise_multiplier_schedule": (
        _switch("enable_noise_multiplier_scheduling"), _NOISE,
    ),
    "enable_checkpoint_scheduling": (_switch("enable_checkpoint_scheduling"), _CHECKPOINT),
    "checkpoint_schedule": (_switch("enable_checkpoint_scheduling"), _CHECKPOINT),
    "enable_clipskip_scheduling": (_switch("enable_clipskip_scheduling"), _SAMPLING),
    "clipskip_schedule": (_switch("enable_clipskip_scheduling"), _SAMPLING),
    "enable_ddim_eta_scheduling": (_switch("enable_ddim_eta_scheduling"), _SAMPLING),
    "ddim_eta_schedule": (_switch("enable_ddim_eta_scheduling"), _SAMPLING),
    "enable_ancestral_eta_scheduling": (_switch("enable_ancestral_eta_scheduling"), _SAMPLING),
    "ancestral_eta_schedule": (_switch("enable_ancestral_eta_scheduling"), _SAMPLING),
    "enable_scheduler_scheduling": (_switch("enable_scheduler_scheduling"), _SAMPLING),
    "scheduler_schedule": (_switch("enable_scheduler_scheduling"), _SAMPLING),
    "distilled_cfg_scale_schedule": (lambda values: True, _SAMPLING),
    "keyframe_distribution": (_switch("keyframe_distribution"), "set the sampler's align_to_keyframes"),
    "keyframe_strength_schedule": (
        _switch("keyframe_distribution"), "one strength schedule serves all diffused frames here",
    ),
    "shake_name": (_switch("shake_name"), "put Camera Shake between the camera and the sampler"),
    "shake_intensity": (_switch("shake_name"), "put Camera Shake between the camera and the sampler"),
    "shake_speed": (_switch("shake_name"), "put Camera Shake between the camera and the sampler"),
}  # fmt: skip


def explain(values: Values, log: Log) -> None:
    """An entry for every key that has none yet."""
    for key, value in values.items():
        if key in log.entries:
            continue
        prefix = next((text for begin, text in _OTHER_PREFIXES.items() if key.startswith(begin)), None)
        if key in _OTHERS or prefix is not None:
            log.add(key, OTHER_PROGRAM, f"{_OTHERS.get(key) or prefix}.")
        elif key in _NEVER:
            log.add(key, NO_EFFECT, f"{_NEVER[key]}.")
        elif (gate := _gate(key, value)) is not None:
            works, sentence = gate
            if works(values):
                log.add(key, LEFT_OUT, f"{sentence}.")
            else:
                log.add(key, NO_EFFECT, "it is switched off in this file.")
        else:
            log.add(key, UNKNOWN, "no version of Deforum that this importer knows has it.")


def _gate(key: str, value: Any) -> tuple[Callable[[Values], bool], str] | None:
    if key.startswith("hybrid_"):
        return _HYBRID
    if net := _CONTROLNET.fullmatch(key):
        number = net[2] in ("weight", "guidance_start", "guidance_end") and isinstance(value, int | float)
        old = f" (an older file's number, which stands for 0:({value}))" if number else ""
        return _switch(f"cn_{net[1]}_enabled"), f"ControlNets are not imported: chain Control{old}"
    return _GATED.get(key)
