"""Parseq's manifests: one table of values, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..schedule import Schedule
from .defaults import DEFAULTS
from .deforum import import_deforum, said_nowhere
from .model import (
    APPROXIMATED,
    LEFT_OUT,
    MAPPED,
    MAX_FRAMES,
    NO_EFFECT,
    UNKNOWN,
    ImportedAnimation,
    Log,
    number,
    whole,
)
from .parseq_table import Table, check_version

_DEEP = ("translation_z", "rotation_3d_x", "rotation_3d_y", "rotation_3d_z")
_FLAT = ("angle", "zoom")
MOTION = (*_FLAT, "translation_x", "translation_y", *_DEEP)
_FLIP_MOTION = ("perspective_flip_theta", "perspective_flip_phi", "perspective_flip_gamma")
_FLIP = (*_FLIP_MOTION, "perspective_flip_fv")
#: What is Coherence's of a manifest, by the name of its schedule.
COHERENCE_FIELDS = {
    "contrast": "contrast_schedule",
    "antiblur_kernel": "kernel_schedule",
    "antiblur_sigma": "sigma_schedule",
    "antiblur_amount": "amount_schedule",
    "antiblur_threshold": "threshold_schedule",
}
_FIELDS = {
    "noise": "noise_schedule",
    "strength": "strength_schedule",
    "scale": "cfg_scale_schedule",
    "fov": "fov_schedule",
    "seed": "seed_schedule",
    "subseed": "subseed_schedule",
    "subseed_strength": "subseed_strength_schedule",
    "transform_center_x": "transform_center_x",
    "transform_center_y": "transform_center_y",
    **COHERENCE_FIELDS,
}
#: How fields begin whose node takes a picture or a clip, which a manifest does not have.
_PICTURES = {
    "hybrid_": "chain Hybrid Video, whose schedule of this name takes such values",
    "cn_": "chain Control, whose weight, guidance_start and guidance_end take such values",
    "guided": "chain Guide Images, whose schedule of this name takes such values",
}
_ELSEWHERE = {
    "near": (NO_EFFECT, "near has no effect on Deforum's warp."),
    "far": (NO_EFFECT, "far has no effect on Deforum's warp."),
}
_STILL = {**DEFAULTS, "zoom": "0:(1)", "translation_z": "0:(0)"}
_EDITOR = {
    "keyframes": "the rendered frames hold what they give",
    "displayedFields": "is about Parseq's page",
    "displayFields": "is about Parseq's page",
    "rendered_frames_meta": "sums the rendered frames up",
    "timeSeries": "the rendered frames hold what it gives",
    "keyframeLock": "is about Parseq's page",
    "reverseRender": "the rendered frames are turned round already",
    "docName": "is a name",
}


def import_parseq(manifest: Mapping[str, Any], log: Log) -> ImportedAnimation:
    """An animation from a manifest with rendered_frames.

    Motion comes from the fields that end in _delta, which say what moves from one frame to the next; where a manifest
    has none, its plain values are taken frame by frame, as Deforum does with deltas switched off. Raises InteropError
    naming the field and frame.
    """
    check_version(manifest)
    table = Table(manifest["rendered_frames"])
    options = manifest.get("options")
    options = options if isinstance(options, Mapping) else {}
    values: dict[str, Any] = {"max_frames": table.num_frames}
    fps = next((options[key] for key in ("output_fps", "input_fps") if options.get(key) is not None), 15)
    values["fps"] = number(fps, "options.output_fps", 0.1, 240)
    if options.get("cadence") is not None:
        values["diffusion_cadence"] = whole(options["cadence"], "options.cadence", 1, 1000)
    values |= schedules_of(table, use_deltas=True, log=log)
    values["animation_mode"] = _mode(values)
    flips = any(field in values and _moves(values[field], field) for field in _FLIP_MOTION)
    values["enable_perspective_flip"] = flips and values["animation_mode"] == "2D"
    values["prompts"] = _prompts(manifest, table, log)
    _explain_fields(table, values["animation_mode"], log)
    _explain(manifest, options, table, log)
    log.notes += said_nowhere(values)
    quiet = Log(log.title)
    made = import_deforum(values, quiet, "parseq", _STILL, complete=False)
    log.notes += [note for note in quiet.notes if note not in log.notes]
    return replace(made, report=log.report())


def overlaid(values: Mapping[str, Any], manifest: Mapping[str, Any], log: Log) -> dict[str, Any]:
    """A Deforum file's keys with those of the manifest that it names in their place."""
    check_version(manifest)
    table = Table(manifest["rendered_frames"])
    deltas = values.get("parseq_use_deltas", True) is not False
    quiet = Log(log.title)
    found = schedules_of(table, deltas, quiet)
    merged = {**values, **found}
    options = manifest.get("options")
    if values.get("parseq_non_schedule_overrides", True) is not False and isinstance(options, Mapping):
        merged["max_frames"] = table.num_frames
        for ours, theirs in (("fps", "output_fps"), ("diffusion_cadence", "cadence")):
            if options.get(theirs) is not None:
                merged[ours] = options[theirs]
    if "deforum_prompt" in table.fields:
        merged["prompts"] = table.texts("deforum_prompt")
        for key in ("animation_prompts", "animation_prompts_positive", "animation_prompts_negative"):
            merged.pop(key, None)
    names = ", ".join(sorted(found)) or "none"
    log.add("parseq_manifest", MAPPED, f"its {table.num_frames} frames give these schedules: {names}.")
    log.add("parseq_use_deltas", MAPPED, f"motion comes from the {'deltas' if deltas else 'plain values'}.")
    log.add("parseq_non_schedule_overrides", MAPPED, "length, fps and cadence come from the manifest unless it is off.")
    return merged


def schedules_of(table: Table, use_deltas: bool, log: Log) -> dict[str, Any]:
    """Deforum's schedules by its keys, out of the fields that the first frame defines."""
    found: dict[str, Any] = {}
    with_deltas = any(f"{field}_delta" in table.fields for field in (*MOTION, *_FLIP))
    for field in (*MOTION, *_FLIP_MOTION):
        source = f"{field}_delta" if use_deltas and with_deltas else field
        if source in table.fields:
            found[field] = table.schedule(source, field)
    if use_deltas and not with_deltas and any(field in found for field in MOTION):
        log.notes.append("The manifest has no deltas: its motion is taken frame by frame, as it stands.")
    for field, key in {**_FIELDS, _FLIP[-1]: _FLIP[-1]}.items():
        if field in table.fields:
            found[key] = table.schedule(field, key)
    if "seed_schedule" in found:
        found |= {"seed_behavior": "schedule", "seed": max(0, int(table.numbers("seed")[0]))}
    if "subseed_schedule" in found or "subseed_strength_schedule" in found:
        found["enable_subseed_scheduling"] = True
    return found


def _mode(values: Mapping[str, Any]) -> str:
    """3D where the camera moves in depth, or where nothing says that the picture turns or zooms in its plane."""
    moving = {field for field in MOTION if field in values and _moves(values[field], field)}
    if moving & set(_DEEP):
        return "3D"
    if moving & set(_FLAT):
        return "2D"
    return "3D" if any(field in values for field in (*_DEEP, "fov_schedule")) else "2D"


def _moves(schedule: Schedule, field: str) -> bool:
    rest = 1.0 if field == "zoom" else 0.0
    return any(key.value != rest for key in schedule.keys)


def _prompts(manifest: Mapping[str, Any], table: Table, log: Log) -> dict[str, str]:
    if "deforum_prompt" in table.fields:
        return table.texts("deforum_prompt")
    document = manifest.get("prompts")
    listed = document.get("promptList") if isinstance(document, Mapping) else document
    made: dict[str, str] = {}
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("positive"), str):
            continue
        start = 0 if entry.get("allFrames") else whole(entry.get("from", 0), "prompts.from", 0, MAX_FRAMES - 1)
        negative = entry.get("negative")
        made[str(start)] = entry["positive"] + (f" --neg {negative}" if isinstance(negative, str) and negative else "")
    if made:
        log.add(
            "prompts", APPROXIMATED, "taken from the document, each from its first frame on, without their overlap."
        )
    return made


def _explain_fields(table: Table, mode: str, log: Log) -> None:
    for field in table.fields:
        base = field.removesuffix("_delta").removesuffix("_pc")
        if field in ("frame", "deforum_prompt"):
            log.add(field, MAPPED, "the frame's number." if field == "frame" else "the prompt, frame by frame.")
        elif base in MOTION and base != field:
            _explain_motion(field, base, mode, field.endswith("_delta"), log)
        elif base in MOTION:
            has = f"{field}_delta" in table.fields
            text = "its delta is what moves the camera."
            log.add(field, NO_EFFECT, text) if has else _explain_motion(field, base, mode, True, log)
        elif field.startswith("transform_center_") and mode == "3D":
            log.add(field, NO_EFFECT, "the motion is 3D.")
        elif field in _FIELDS:
            node = "Coherence's " if field in COHERENCE_FIELDS else ""
            log.add(field, MAPPED, f"{node}{_FIELDS[field]}.")
        elif base in _ELSEWHERE:
            log.add(field, *_ELSEWHERE[base])
        elif base in _FLIP and mode == "2D":
            log.add(field, MAPPED, "the 2D camera's perspective flip, which is on where it turns at all.")
        elif base in _FLIP:
            log.add(field, LEFT_OUT, "a 3D camera has no perspective flip.")
        elif base == field and (said := next((text for name, text in _PICTURES.items() if field.startswith(name)), "")):
            log.add(field, LEFT_OUT, f"{said}.")
        elif base != field or field.startswith("prompt_weight_"):
            log.add(field, NO_EFFECT, "the prompts hold it already." if base == field else "another form of its field.")
        else:
            log.add(field, UNKNOWN, "no version of Parseq that this importer knows has it.")


def _explain_motion(field: str, base: str, mode: str, counts: bool, log: Log) -> None:
    other = (mode == "3D" and base in _FLAT) or (mode == "2D" and base in _DEEP)
    if not counts or other:
        log.add(field, NO_EFFECT, f"the motion is {mode}." if counts else "another form of its field.")
    else:
        log.add(field, MAPPED, f"the {mode} camera's {base}.")


def _explain(manifest: Mapping[str, Any], options: Mapping[str, Any], table: Table, log: Log) -> None:
    if table.missing:
        text = f"{table.missing} frames between the first and the last are missing: values run on the line between."
        log.notes.append(text)
    if table.doubled:
        log.notes.append(f"{table.doubled} frames stand more than once; the last of each counts.")
    for key in manifest:
        if key == "rendered_frames":
            log.add(key, MAPPED, f"{table.num_frames} frames.")
        elif key in ("meta", "managedFields", "options"):
            log.add(key, MAPPED, "read with what it holds.")
        elif key == "prompts":
            log.add(key, NO_EFFECT, "the rendered frames hold what it gives.")
        elif key in _EDITOR:
            log.add(key, NO_EFFECT, f"{_EDITOR[key]}.")
        else:
            log.add(key, UNKNOWN, "no version of Parseq that this importer knows has it.")
    said = {
        "output_fps": (MAPPED, "fps."),
        "input_fps": (NO_EFFECT, "output_fps counts.") if options.get("output_fps") is not None else (MAPPED, "fps."),
        "cadence": (MAPPED, "diffusion_cadence."),
        "bpm": (NO_EFFECT, "the frames are rendered: beats have become frames already."),
    }
    for key in options:
        log.add(f"options.{key}", *said.get(key, (NO_EFFECT, "is about Parseq's page.")))
