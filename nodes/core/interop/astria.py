"""Astria's text block: settings as `name=value`, prompts as `frame: text`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from .defaults import DEFAULTS
from .deforum import import_deforum, said_nowhere
from .model import MAPPED, MAX_FRAMES, ImportedAnimation, InteropError, Log
from .motion import CAMERA_2D, CAMERA_3D

_SETTING = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]{0,60})[ \t]*=(.*)")
_PROMPT = re.compile(r"[ \t]*(\d{1,9})[ \t]*:(.*)")
_ALIASES = {"width": "W", "height": "H", "w": "W", "h": "H", "num_frames": "max_frames", "cfg_scale": "scale"}
_NEGATIVE = "negative_prompt"
#: How the camera moves where no line says so.
CAMERA = {
    "translation_z": "0:(-0.5)",
    "rotation_3d_x": "0:(2*sin(3.14*t/100)/80)",
    "rotation_3d_y": "0:(2*sin(3.14*t/100)/40)",
    "rotation_3d_z": "0:(2*sin(3.14*t/50)/40)",
}


def looks_like_astria(text: str) -> bool:
    """Whether the text has lines of a known setting, or prompts without quotes at their own frames."""
    lines = [line for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    if _known(_SETTING.match(first)):
        return True
    prompt = _PROMPT.match(first)
    if prompt is None or prompt[2].strip()[:1] in ("", '"', "'"):
        return False
    # A bracket may begin a prompt as well as a value; of values, all the keys stand in one line.
    return not prompt[2].lstrip().startswith("(") or sum(1 for line in lines if _PROMPT.match(line)) > 1


def import_astria(text: str, log: Log) -> ImportedAnimation:
    """An animation from the block. Its last prompt marks the end and is not painted.

    Raises InteropError naming the setting, or where fewer than two prompts stand.
    """
    values, prompts = _read(text)
    if len(prompts) < 2:
        reason = (
            "at least two lines such as 0: a cat and 25: a dog are needed, the last of which marks the end; this block "
            f"has {len(prompts)}."
        )
        raise InteropError(reason, "prompts")
    end = max(prompts)
    if not 1 <= end <= MAX_FRAMES:
        raise InteropError(f"the last one stands at frame {end}; it must lie between 1 and {MAX_FRAMES}.", "prompts")
    painted = {str(frame): prompts[frame] for frame in sorted(prompts) if frame != end}
    if "max_frames" in values:
        log.notes.append(f"The last prompt marks the end: there are {end} frames, whatever max_frames says.")
    negative = values.pop(_NEGATIVE, None)
    if negative is not None:
        log.add(_NEGATIVE, MAPPED, "added to the negative of every prompt.")
        values["animation_prompts_negative"] = negative
    moved = any(key in values for key in (*CAMERA_3D, *CAMERA_2D))
    defaults = {**DEFAULTS, "translation_z": "0:(0)", "zoom": "0:(1)"} | ({} if moved else CAMERA)
    flat = any(key in values for key in ("angle", "zoom")) and not any(key in values for key in CAMERA_3D[2:])
    mode = {"animation_mode": "2D" if flat else "3D"}
    log.add("prompts", MAPPED, f"{len(painted)} prompts; the last one, at frame {end}, marks the end.")
    log.notes += said_nowhere(values)
    if not moved:
        log.notes.append("No camera lines: Astria's default camera moves slowly back and sways.")
    made = import_deforum({**mode, **values, "prompts": painted, "max_frames": end}, log, "astria", defaults, False)
    told = [entry for entry in made.report.entries if entry.key in values or entry.key in ("prompts", _NEGATIVE)]
    report = type(made.report)(made.report.title, tuple(told), made.report.notes)
    return replace(made, report=report)


def _known(setting: re.Match[str] | None) -> bool:
    return setting is not None and (_name(setting) in DEFAULTS or _name(setting) in ("scale", "scheduler", _NEGATIVE))


def _name(setting: re.Match[str]) -> str:
    return _ALIASES.get(setting[1], setting[1])


def _read(text: str) -> tuple[dict[str, Any], dict[int, str]]:
    values: dict[str, Any] = {}
    prompts: dict[int, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        prompt, setting = _PROMPT.match(line), _SETTING.match(line)
        if prompt is not None:
            current = prompts[int(prompt[1])] = [prompt[2].strip()]
        elif setting is not None and (current is None or _known(setting)):
            values[_name(setting)] = setting[2].strip()
        elif current is not None:
            current.append(line.strip())
        elif line.strip():
            raise InteropError(f"the line {line.strip()[:40]!r} is neither name=value nor frame: prompt.")
    return values, {frame: " ".join(lines).strip() for frame, lines in prompts.items()}
