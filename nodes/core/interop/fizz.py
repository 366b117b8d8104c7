"""FizzNodes' batch prompt strings: `"0": "a cat", "24": "a dog"`, with or without braces."""

from __future__ import annotations

import re

from ..camera import Camera2D
from ..schedule import parse_prompts
from ..schedule.keys import Timing
from .deforum import said_nowhere
from .model import APPROXIMATED, MAPPED, MAX_FRAMES, ImportedAnimation, InteropError, Log, sampler_settings, sound

#: The length that its nodes begin with; the text does not say one.
MAX_FRAMES_THERE = 120
_WEIGHT = re.compile(r"\bpw_[a-d]\b")


def import_fizz(text: str, log: Log) -> ImportedAnimation:
    """An animation of a batch prompt string: prompts, a camera that keeps still, and a length that holds every key.

    Raises PromptError, or InteropError where a key lies beyond what can be rendered.
    """
    weights = dict.fromkeys(sorted(set(_WEIGHT.findall(text))), 0.0)
    prompts = parse_prompts(sound(text).strip().strip(","), weights=weights or None)
    timing = Timing(MAX_FRAMES_THERE)
    last = max(key.frame(timing) for key in prompts.keys)
    if last >= MAX_FRAMES:
        raise InteropError(f"the last key is frame {last}; at most {MAX_FRAMES} frames can be rendered.", "prompts")
    num_frames = max(MAX_FRAMES_THERE, last + 1)
    log.add("prompts", MAPPED, f"{len(prompts.keys)} prompts, which blend linearly into one another.")
    log.add("max_frames", APPROXIMATED, f"the text does not say it: {num_frames} frames hold every key.")
    for name in weights:
        text_ = (
            "its values come from another node there: it is 0, as when none is linked. Prompt Schedule takes values."
        )
        log.add(name, APPROXIMATED, text_)
    log.notes += said_nowhere({})
    log.notes.append("The text holds prompts only: the camera keeps still, and the sampler keeps its settings.")
    still = Camera2D(zoom="0: (1)")
    report = log.report()
    return ImportedAnimation(
        "fizz", prompts, still, sampler_settings({}), num_frames, 15.0, (512, 512), report, "linear"
    )
