"""What becomes of the keys of a Deforum settings file that no input of ours takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import FramedriftError
from ..schedule import Schedule, as_schedule
from .defaults import DEFAULTS
from .links import said_where
from .model import LEFT_OUT, NO_EFFECT, OTHER_PROGRAM, UNKNOWN, Log

Values = Mapping[str, Any]

_WEBUI = "belongs to the WebUI and its page"
_FILES = "says how the other program names and keeps its files; runs lie in output/framedrift here"
_VIDEO = "is about making the video: see Video Combine"
_OTHERS = {
    "show_info_on_ui": _WEBUI,
    "motion_preview_mode": "previews without diffusing: see Camera Preview",
    "restore_faces": "calls the WebUI's face restoration",
    "seed_resize_from_w": "belongs to the WebUI's seeds",
    "seed_resize_from_h": "belongs to the WebUI's seeds",
    "batch_name": "names its folders: the sampler's run_name does here",
    "resume_from_timestring": "names a run of the other program; the sampler's resume goes on with its own",
    "resume_timestring": "names a run of the other program; the sampler's run_name and Load Run name its own",
    "store_frames_in_ram": _FILES,
    "save_depth_maps": "every run keeps its depth here",
    "overwrite_extracted_frames": _FILES,
    "skip_video_creation": _VIDEO,
    "skip_video_for_run_all": _VIDEO,
    "make_gif": _VIDEO,
    "delete_imgs": _FILES,
    "delete_input_frames": _FILES,
    "image_path": "names pictures of the other program; Load Run brings a run back",
    "mp4_path": _FILES,
    "add_soundtrack": "adds sound to the video: link an audio to Video Combine",
    "soundtrack_path": "adds sound to the video: link an audio to Video Combine",
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
    "r_upscale_": "enlarges the finished frames: see Upscale Frames, and Video Combine for both sizes",
    "frame_interpolation_": "makes more frames of the finished ones: see Retime Frames, Upscale Frames, Video Combine",
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
_CONTROLNET = re.compile(r"cn_(\d{1,2})_\w+")


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


def hybrid(values: Values) -> bool:
    """Whether a video is composited into the animation, or moves it."""
    return is_on(_value("hybrid_composite", values)) or is_on(_value("hybrid_motion", values))


def _video(values: Values) -> bool:
    return _value("animation_mode", values) == "Video Input" or hybrid(values)


def _chained(node: str) -> str:
    return f"chain {node} into the sampler's options"


_Gate = tuple[Callable[[Values], bool], str | None]
_NOISE, _SAMPLING, _CHECKPOINT = _chained("Noise"), _chained("Sampling Schedules"), _chained("Checkpoint Schedule")
_REDONE = _chained("Redo")
_SHAKE = (_switch("shake_name"), "put Camera Shake between the camera and the sampler")
_FLIP = (
    lambda values: is_on(_value("enable_perspective_flip", values)) and _value("animation_mode", values) == "3D",
    "a 3D camera has no perspective flip: turn it with rotation_3d_x and rotation_3d_y",
)


def _differs(key: str, nothing: float) -> Callable[[Values], bool]:
    return lambda values: not is_constant(_value(key, values), nothing)


def _is(key: str, wanted: str) -> Callable[[Values], bool]:
    return lambda values: _value(key, values) == wanted


def _gated(gate: Callable[[Values], bool], said: str | None, *keys: str) -> dict[str, _Gate]:
    return dict.fromkeys(keys, (gate, said))


#: key: (when it has an effect, what is said then; None is what `said_where` says).
_GATED: dict[str, _Gate] = {
    **_gated(
        _switch("use_mask"), None, "use_mask", "use_alpha_as_mask", "mask_file", "invert_mask", "mask_contrast_adjust",
        "mask_brightness_adjust", "overlay_mask", "mask_overlay_blur", "fill", "full_res_mask", "full_res_mask_padding",
        "mask_schedule",
    ),
    **_gated(
        _switch("use_init"), None, "use_init", "init_image", "init_image_box", "strength", "strength_0_no_init"
    ),
    **_gated(
        _switch("use_looper"), None, "use_looper", "init_images", "image_strength_schedule", "blendFactorMax",
        "blendFactorSlope", "tweening_frames_schedule", "color_correction_factor",
    ),
    **_gated(*_FLIP, "enable_perspective_flip", "perspective_flip_theta", "perspective_flip_phi",
             "perspective_flip_gamma", "perspective_flip_fv"),
    **_gated(_video, None, "video_init_path", "extract_nth_frame", "extract_from_frame", "extract_to_frame"),
    **_gated(_switch("use_mask_video"), None, "use_mask_video", "video_mask_path"),
    **_gated(_switch("use_noise_mask"), None, "use_noise_mask", "noise_mask_schedule"),
    "optical_flow_cadence": (_switch("optical_flow_cadence"), "set Cadence Blend's flow to dis or farneback"),
    "cadence_flow_factor_schedule": (_switch("optical_flow_cadence"), "Cadence Blend's flow has no factor"),
    **_gated(_switch("optical_flow_redo_generation"), _REDONE, "optical_flow_redo_generation",
             "redo_flow_factor_schedule"),
    **_gated(_differs("amount_schedule", 0.0), None, "amount_schedule", "kernel_schedule", "sigma_schedule",
             "threshold_schedule"),
    **_gated(_switch("prompt_weighting"), "prompts are weighted by brackets here, as in (cat:1.2)",
             "prompt_weighting", "normalize_prompt_weights", "log_weighted_subprompts"),
    **_gated(_is("animation_mode", "Interpolation"), "prompts blend from key to key", "interpolate_key_frames",
             "interpolate_x_frames"),
    "ddim_eta": (_switch("ddim_eta"), _SAMPLING),
    "tiling": (_switch("tiling"), "the sampler makes no seamless tiles"),
    "color_force_grayscale": (_switch("color_force_grayscale"), None),
    "color_coherence_image_path": (_is("color_coherence", "Image"), None),
    "color_coherence_video_every_N_frames": (_is("color_coherence", "Video Input"), None),
    "reroll_blank_frames": (lambda values: _value("reroll_blank_frames", values) != "ignore", _REDONE),
    "reroll_patience": (_is("reroll_blank_frames", "reroll"), _REDONE),
    "diffusion_redo": (_switch("diffusion_redo"), _REDONE),
    "contrast_schedule": (_differs("contrast_schedule", 1.0), None),
    **_gated(_switch("enable_noise_multiplier_scheduling"), _NOISE, "enable_noise_multiplier_scheduling",
             "noise_multiplier_schedule"),
    **_gated(_switch("enable_checkpoint_scheduling"), _CHECKPOINT, "enable_checkpoint_scheduling",
             "checkpoint_schedule"),
    **{
        key: (_switch(f"enable_{name}_scheduling"), _SAMPLING)
        for name in ("sampler", "scheduler", "clipskip", "ddim_eta", "ancestral_eta")
        for key in (f"enable_{name}_scheduling", f"{name}_schedule")
    },
    "distilled_cfg_scale_schedule": (lambda values: True, _SAMPLING),
    "keyframe_distribution": (_switch("keyframe_distribution"), "set the sampler's align_to_keyframes"),
    "keyframe_strength_schedule": (
        _switch("keyframe_distribution"), "one strength schedule serves all diffused frames here",
    ),
    **_gated(*_SHAKE, "shake_name", "shake_intensity", "shake_speed"),
}  # fmt: skip


_HYBRID = _chained("Hybrid Video")


def explain(values: Values, log: Log) -> None:
    """An entry for every key that has none yet."""
    for key in values:
        if key in log.entries:
            continue
        prefix = next((text for begin, text in _OTHER_PREFIXES.items() if key.startswith(begin)), None)
        if key in _OTHERS or prefix is not None:
            log.add(key, OTHER_PROGRAM, f"{_OTHERS.get(key) or prefix}.")
        elif key in _NEVER:
            log.add(key, NO_EFFECT, f"{_NEVER[key]}.")
        elif (gate := _gate(key)) is not None:
            works, sentence = gate
            if works(values):
                log.add(key, LEFT_OUT, f"{sentence or said_where(key, values) or _HYBRID}.")
            else:
                log.add(key, NO_EFFECT, "it is switched off in this file.")
        else:
            log.add(key, UNKNOWN, "no version of Deforum that this importer knows has it.")


def _gate(key: str) -> _Gate | None:
    if key.startswith("hybrid_"):
        return hybrid, None
    if net := _CONTROLNET.fullmatch(key):
        return _switch(f"cn_{net[1]}_enabled"), None
    return _GATED.get(key)
