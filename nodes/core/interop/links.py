"""What to link, choose or type where, for the keys of a settings file that come with pictures and clips."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .model import shown

_CONTROLNET = re.compile(r"cn_(\d{1,2})_(\w+)")
_SAME_NUMBERS = ("weight", "guidance_start", "guidance_end")
#: By node, the inputs that have the key's own name.
_SAME = {
    "Hybrid Video": (
        "hybrid_composite", "hybrid_motion", "hybrid_flow_method", "hybrid_use_first_frame_as_init_image",
        "hybrid_motion_use_prev_img", "hybrid_flow_consistency", "hybrid_consistency_blur",
        "hybrid_flow_factor_schedule", "hybrid_comp_alpha_schedule", "hybrid_comp_mask_type",
        "hybrid_comp_mask_inverse", "hybrid_comp_mask_equalize", "hybrid_comp_mask_blend_alpha_schedule",
        "hybrid_comp_mask_contrast_schedule", "hybrid_comp_mask_auto_contrast",
        "hybrid_comp_mask_auto_contrast_cutoff_high_schedule", "hybrid_comp_mask_auto_contrast_cutoff_low_schedule",
    ),
    "Masks": (
        "invert_mask", "mask_contrast_adjust", "mask_brightness_adjust", "overlay_mask", "mask_overlay_blur",
        "use_noise_mask",
    ),
    "Guide Images": (
        "image_strength_schedule", "blendFactorMax", "blendFactorSlope", "tweening_frames_schedule",
        "color_correction_factor",
    ),
    "Coherence": (
        "color_coherence_video_every_N_frames", "color_force_grayscale", "contrast_schedule", "amount_schedule",
        "kernel_schedule", "sigma_schedule", "threshold_schedule",
    ),
}  # fmt: skip
_OWNS = {True: "'", False: "'s"}
_NODES = {key: node for node, keys in _SAME.items() for key in keys}
#: Others, with {} for the file's value.
_SAID = {
    "use_mask": "chain Masks into the sampler's options",
    "mask_file": "load {} with Load Image (as Mask), by its channel red, and link it to Masks' mask",
    "use_alpha_as_mask": "link a picture with four channels to Masks' image, whose alpha is the mask",
    "mask_schedule": "link a batch of masks, one a frame, to Masks' mask: {} is no language here",
    "noise_mask_schedule": "link a mask to Masks' noise_mask: {} is no language here",
    "fill": "what lies under the mask is the picture itself here, as with original; the file has {}",
    "full_res_mask": "the whole picture is diffused here, not a cut-out of the mask",
    "full_res_mask_padding": "the whole picture is diffused here, not a cut-out of the mask",
    "use_mask_video": "link the clip to Masks' mask_video",
    "video_mask_path": "load {} with Load Video Frames, and link it to Masks' mask_video",
    "use_init": "link the picture to the sampler's init_image",
    "init_image": "load {} with Load Image, and link it to the sampler's init_image",
    "init_image_box": "load the picture with Load Image, and link it to the sampler's init_image",
    "strength": "the init image's: write {} for frame 0 of the sampler's strength_schedule",
    "strength_0_no_init": "frame 0 is text to image where nothing is linked to the sampler's init_image",
    "video_init_path": "load {} with Load Video Frames, for the sampler's video_input or for Hybrid Video",
    "extract_nth_frame": "Load Video Frames' every_nth: {}",
    "extract_from_frame": "Load Video Frames' start: {}",
    "extract_to_frame": "Load Video Frames' end: {}",
    "use_looper": "chain Guide Images into the sampler's options",
    "init_images": "link the pictures to Guide Images' images, and write their frames into keyframes: {}",
    "hybrid_generate_inputframes": "frames are decoded as they are needed here, and none is written out",
    "hybrid_generate_human_masks": "masks of people come from such a node, and go to Masks' mask_video",
    "hybrid_use_init_image": "link the init image to Hybrid Video's video",
    "hybrid_comp_save_extra_frames": "steps on the way are not written here",
    "color_coherence_image_path": "load {} with Load Image, and link it to Coherence's reference_image",
}
_CONTROL_SAID = {
    "enabled": "chain Control into the sampler's options, one node for each net",
    "model": "load {} with Load ControlNet Model, and link it to Control's control_net",
    "module": "prepare the picture or clip with ComfyUI's own nodes: {} is done by one of them",
    "vid_path": "load {}, and link it to Control's video, or a single picture to its image",
    "loopback_mode": "on is Control's source previous frame: it is {}",
    **{name: f"Control's {name}: {{}}" for name in _SAME_NUMBERS},
}
#: Names that inputs here have in another case, or not at all.
_CHOICES = {"DIS Medium": "dis", "DIS Fine": "dis", "RAFT": "dis, the nearest to RAFT", "None": "none"}


def said_where(key: str, values: Mapping[str, Any]) -> str | None:
    """What to do about a key by hand, with the file's value, as a sentence without full stop; None: not known here."""
    value = values.get(key)
    if net := _CONTROLNET.fullmatch(key):
        return _of_control(int(net[1]), net[2], value)
    if key in _NODES:
        node = _NODES[key]
        return f"{node}{_OWNS[node.endswith('s')]} {key}: {_told(key, value)}"
    return _SAID[key].format(shown(value, 60) or "the file") if key in _SAID else None


def _of_control(number: int, name: str, value: Any) -> str:
    if name in _SAME_NUMBERS and isinstance(value, int | float):
        value = f"0:({value})"
    said = _CONTROL_SAID.get(name, "Control has no such setting").format(shown(value, 60))
    return f"ControlNet {number}: {said}"


def _told(key: str, value: Any) -> str:
    if not key.startswith("hybrid_") or not isinstance(value, str) or key.endswith("_schedule"):
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else shown(value, 60)
    return _CHOICES.get(value, value.lower())
