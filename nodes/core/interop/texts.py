"""Prompts as other tools' files hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..schedule import PromptError, PromptSchedule, parse_prompts
from ..schedule.formulas import check_formulas
from ..schedule.keys import KeyTime
from ..schedule.prompt_text import MAX_TEXT
from ..schedule.prompts import PromptKey
from .model import MAPPED, NO_EFFECT, InteropError, Log, read_json, shown, sound, told


def prompts_of(values: Mapping[str, Any], log: Log) -> PromptSchedule:
    """The prompts of a settings file, with the global ones where the file does not hold them yet.

    A run of Deforum saves its prompts with the global ones in them, and these once more as positive_prompts and
    negative_prompts; the page saves them apart, as animation_prompts_positive and animation_prompts_negative.
    """
    key = "animation_prompts" if values.get("animation_prompts") is not None else "prompts"
    other = "prompts" if key == "animation_prompts" else "animation_prompts"
    prompts = _checked(values.get(key), key)
    if key in values:
        log.add(key, MAPPED, f"{len(prompts)} prompts, each held until the next." if prompts else "there are none.")
    if other in values:
        log.add(other, NO_EFFECT, f"{key} takes its place.")
    if not prompts:
        log.notes.append("The file has no prompts; write yours into a Prompt Schedule.")
        prompts = {"0": ""}
    positive, negative = (_global(values, f"animation_prompts_{side}") for side in ("positive", "negative"))
    from_run = any(f"{side}_prompts" in values for side in ("positive", "negative"))
    for side in ("positive", "negative"):
        if f"{side}_prompts" in values:
            log.add(f"{side}_prompts", NO_EFFECT, "a run saved this file, and its prompts contain them already.")
    contained = from_run or all(_holds(text, positive, negative) for text in prompts.values())
    for side, text in (("positive", positive), ("negative", negative)):
        name = f"animation_prompts_{side}"
        if name not in values:
            continue
        if not text:
            log.add(name, MAPPED, "it is empty.")
        elif contained:
            log.add(name, NO_EFFECT, "the prompts contain it already.")
        else:
            log.add(name, MAPPED, f"{'put before' if side == 'positive' else 'added to the negative of'} every prompt.")
    if not contained:
        prompts = {frame: _joined(text, positive, negative) for frame, text in prompts.items()}
    text = sound(json.dumps(prompts, ensure_ascii=False, indent=1))
    try:
        return parse_prompts(text) if len(text) <= MAX_TEXT else _long(text, prompts)
    except PromptError as error:
        # Its line is one of the text that was just made, and says nothing to the user.
        raise InteropError(
            error.reason, key if error.key is None else f"{key}, frame {shown(error.key, 20)}"
        ) from error


def _long(text: str, prompts: Mapping[str, str]) -> PromptSchedule:
    """A table of one text a frame, as Parseq renders it, may be longer than what anybody types."""
    keys = []
    for frame, prompt in prompts.items():
        if not frame.isdecimal():
            raise InteropError(f"the text is {len(text)} characters long; {MAX_TEXT} is the most.", "prompts")
        check_formulas(prompt, frame)
        keys.append(PromptKey(KeyTime(frame, number=float(frame)), sound(prompt), 1))
    return PromptSchedule(text, keys=tuple(keys))


def _checked(given: Any, key: str) -> dict[str, str]:
    if isinstance(given, str) and given.strip():
        given = read_json(given, key)
    if given is None or given == "":
        return {}
    if isinstance(given, list):
        given = {"0": given[0]} if len(given) == 1 else given
    if not isinstance(given, Mapping):
        raise InteropError('it must hold frames and texts, as in {"0": "a cat", "24": "a dog"}.', key)
    for frame, text in given.items():
        if not isinstance(text, str):
            raise InteropError(f"the prompt of frame {shown(frame, 20)} is {told(text)}, and must be a text.", key)
    return {str(frame): text for frame, text in given.items()}


def _global(values: Mapping[str, Any], key: str) -> str:
    given = values.get(key)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise InteropError(f"it is {told(given)}, and must be a text.", key)
    return given.replace("--neg", "").strip() if key.endswith("negative") else given.strip()


def _holds(text: str, positive: str, negative: str) -> bool:
    return (bool(positive) or bool(negative)) and text.strip().startswith(positive) and text.strip().endswith(negative)


def _joined(text: str, positive: str, negative: str) -> str:
    """As Deforum joins them: the global positive in front, the global negative behind."""
    joined = f"{positive} {text}".strip() if positive else text
    if not negative:
        return joined
    return f"{joined} {negative}" if "--neg" in joined else f"{joined} --neg {negative}"
