"""Other tools' animations, read and written: Deforum, Parseq, FizzNodes, Astria."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import FramedriftError
from ..schedule import parse_schedule
from .astria import import_astria, looks_like_astria
from .defaults import DEFAULTS
from .deforum import import_deforum
from .export import deforum_settings, parseq_manifest
from .fizz import import_fizz
from .model import (
    MAX_TEXT,
    Entry,
    ImportedAnimation,
    InteropError,
    Log,
    Report,
    SamplerSettings,
    read_json,
    sampler_settings,
    shown,
)
from .parseq import import_parseq, overlaid

__all__ = [
    "Entry",
    "ImportedAnimation",
    "InteropError",
    "Report",
    "SamplerSettings",
    "deforum_settings",
    "import_animation",
    "parseq_manifest",
    "sampler_settings",
]

_KINDS = (
    "a Deforum settings file, a Parseq manifest, FizzNodes prompts "
    '("0": "a cat", "24": "a dog"), or an Astria block (seed=1, then lines of 0: a cat)'
)
_MARKS = ("animation_mode", "max_frames", "animation_prompts", "strength_schedule", "translation_z", "rendered_frames")
_SETTINGS_TEXT = re.compile(r'["\'](?:' + "|".join((*_MARKS, "W", "sampler")) + r')["\']\s*:')
_VALUE_SCHEDULE = re.compile(r"\s*[\"']?\d+[\"']?\s*:\s*\(?\s*[-+.\d(a-z]")
_PROMPT_KEY = re.compile(r"\s*(?:[-+.\d]+|.*max_f.*)\s*")


def import_animation(text: str) -> ImportedAnimation:
    """An animation out of another tool's text, whose kind it finds by itself.

    Reads settings files of Deforum and its Forge fork, Parseq manifests, FizzNodes batch strings and Astria's block.
    The same text gives the same animation; it is read as a whole or not at all.

    Raises:
        FramedriftError: the text is none of these, or something in it cannot be used; the message names the key.
    """
    if not isinstance(text, str):
        raise InteropError(f"An animation is a text, not {type(text).__name__}.")
    if len(text) > MAX_TEXT:
        raise InteropError(f"The text is {len(text)} characters long; {MAX_TEXT} is the most.")
    text = text.lstrip("\ufeff")
    begun = text.lstrip()
    if not begun:
        raise InteropError(f"The text is empty; give {_KINDS}.")
    if begun[0] == "{":
        return _braces(text)
    if begun[0] == "[":
        raise InteropError(f"The text is a list; give {_KINDS}.")
    if _is_value_schedule(begun):
        raise InteropError("This is one value schedule, not an animation: write it into Value Schedule, or a camera.")
    if looks_like_astria(text):
        return import_astria(text, Log("Astria"))
    if begun[0] in "\"'" or _looks_quoted(begun):
        return import_fizz(text, Log("FizzNodes prompts"))
    raise InteropError(f"The text begins with {shown(begun[:80], 30)!r}, which is none of: {_KINDS}.")


def _is_value_schedule(text: str) -> bool:
    if not _VALUE_SCHEDULE.match(text[:200]):
        return False
    try:
        parse_schedule(text)
    except FramedriftError:
        return False
    return True


def _looks_quoted(text: str) -> bool:
    return re.match(r"[\w.+\-*/%() ]{1,60}:\s*[\"']", text) is not None


def _braces(text: str) -> ImportedAnimation:
    try:
        values = read_json(text, "settings file")
    except InteropError:
        # Prompts are written in nearly JSON everywhere, and read so; a settings file that is broken is said to be.
        if _SETTINGS_TEXT.search(text):
            raise
        return import_fizz(text, Log("Prompts"))
    if not values:
        raise InteropError(f"The text is an empty object; give {_KINDS}.")
    if "rendered_frames" in values or (isinstance(values.get("meta"), Mapping) and "keyframes" in values):
        return import_parseq(values, Log("Parseq manifest"))
    known = sum(1 for key in values if key in DEFAULTS or key in ("prompts", *_MARKS))
    if known:
        return _settings(values)
    if all(isinstance(value, str) and _PROMPT_KEY.fullmatch(key[:100]) for key, value in values.items()):
        return import_fizz(text, Log("Prompts"))
    keys = ", ".join(shown(key, 20) for key in list(values)[:5])
    raise InteropError(f"No key of this JSON belongs to a tool that can be imported ({keys}); give {_KINDS}.")


def _settings(values: dict[str, Any]) -> ImportedAnimation:
    fork = any(key in values for key in ("keyframe_distribution", "distilled_cfg_scale_schedule", "shake_name"))
    log = Log("Deforum settings (Forge fork)" if fork else "Deforum settings")
    manifest = values.get("parseq_manifest")
    if isinstance(manifest, str) and manifest.strip():
        if manifest.lstrip().startswith("{"):
            parsed = read_json(manifest, "parseq_manifest")
            return import_deforum(overlaid(values, parsed, log), log)
        log.add("parseq_manifest", "left out", "it is an address, and nothing is downloaded: import what it names.")
    for key in ("parseq_manifest", "parseq_use_deltas", "parseq_non_schedule_overrides"):
        if key in values:
            log.add(key, "no effect in the original", "there is no manifest in this file.")
    missing = [key for key in DEFAULTS if key not in values]
    if missing:
        some = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
        log.notes.append(f"Not in the file, and so at Deforum's defaults: {some}.")
    return import_deforum(values, log)
