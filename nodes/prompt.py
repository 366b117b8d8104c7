"""Prompt Schedule: what to paint when. Prompt at Frame: its text and conditioning at one frame."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from . import host, sockets
from .core.errors import FramedriftError
from .core.schedule import (
    BLENDS,
    WEIGHTS,
    PromptSchedule,
    blend_conditionings,
    compose_conditionings,
    composition,
    named_weights,
    parse_prompts,
)
from .host import io

#: How many texts' conditionings are kept at most: those of SDXL take some 0.7 MB each.
KEPT_TEXTS = 256

DEFAULT_TEXT = """{
  "0": "a calm dawn sky, rose and gold clouds",
  "24": "a storm over a dark ocean, teal and violet",
  "48": "aurora over snow, emerald and indigo --neg text, watermark"
}"""


#: Texts that are added to every prompt.
ADDED_TEXTS = ("positive", "pre_text", "app_text", "style")
UNUSED_WEIGHT = "1"


class Prompts:
    """A prompt schedule and the CLIP that reads it.

    A text is encoded once, and kept: up to KEPT_TEXTS of them, the ones not used for longest go first. So a schedule
    whose formulas change its text at every frame takes no more memory for a longer animation.
    """

    def __init__(self, clip: Any, schedule: PromptSchedule, blend: str = "linear", overlap: int = 0):
        if clip is None:
            raise FramedriftError(
                "clip is empty. If it comes from a checkpoint loader, the checkpoint holds no text encoder: load one "
                "with CLIPLoader and link that."
            )
        self.clip, self.schedule, self.blend, self.overlap = clip, schedule, blend, overlap
        self._encoded: OrderedDict[str, list] = OrderedDict()

    def looped(self, frame: int) -> Prompts:
        """The same prompts, going over into the first one at `frame`; what is encoded is shared."""
        found = Prompts(self.clip, replace(self.schedule, loop=frame), self.blend, self.overlap)
        found._encoded = self._encoded
        return found

    def edited(self, text: str) -> Prompts:
        """The same with another text; raises PromptError where it cannot be read. What is encoded is shared."""
        added = self.schedule.additions
        texts = dict(zip(ADDED_TEXTS, added.texts, strict=True))
        schedule = parse_prompts(text, self.schedule.negative, **texts, weights=dict(added.weights))
        found = Prompts(self.clip, schedule, self.blend, self.overlap)
        found._encoded = self._encoded
        return found

    @property
    def text(self) -> str:
        """The schedule as the user wrote it."""
        return self.schedule.text

    def options(self) -> dict[str, Any]:
        """What goes with the text, as the user gave it, for run.json; what is not used is left out."""
        added = self.schedule.additions
        texts = dict(zip(("negative", *ADDED_TEXTS), (self.schedule.negative, *added.texts), strict=True))
        weights = {name: schedule.text for name, schedule in added.weights if schedule.text != UNUSED_WEIGHT}
        given = {name: text for name, text in texts.items() if text} | weights
        return {"blend": self.blend, **given} | ({"overlap": self.overlap} if self.overlap else {})

    def signature(self) -> str:
        """The same for two that say the same at every frame; which CLIP reads it is not part of it."""
        said = ["prompts", 1, self.schedule.text, self.schedule.negative, self.blend]
        added = self.schedule.additions
        texts = (*added.texts, self.schedule.text, self.schedule.negative)
        named = frozenset().union(*(named_weights(text) for text in texts))
        weights = [[name, repr(schedule)] for name, schedule in added.weights if name in named]
        overlap = 0 if self.blend == "hold" else self.overlap
        if any(added.texts) or weights or overlap:
            said += [*added.texts, weights, overlap]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def text_at(self, frame: int, num_frames: int, seed: int) -> tuple[str, str]:
        """(positive, negative) of a frame, for people and journals: `0.75 a cat | 0.25 a dog` where two are blended."""
        mix = self._mix(frame, num_frames, seed)
        positive, negative = (_joined([(weight, pair[side]) for weight, pair in mix]) for side in (0, 1))
        return positive, negative

    def prepare(
        self, frames: Iterable[int], num_frames: int, seed: int, interrupted: Callable[[], object] | None = None
    ) -> None:
        """Encodes what these frames need, in the order in which they need it; what they share, once.

        No more than can be kept: a schedule of more texts has the rest encoded by `at`. `interrupted` is called before
        each text, and may raise.
        """
        needed: dict[str, None] = {}
        for positive, negative in self.schedule.texts(frames, num_frames, seed, self.blend, self.overlap):
            needed.update(dict.fromkeys((*(text for _, text in composition(positive)), negative)))
        for text in list(needed)[:KEPT_TEXTS]:
            if interrupted is not None:
                interrupted()
            self._conditioning(text)

    def at(self, frame: int, num_frames: int, seed: int) -> tuple[list, list, tuple[str, str]]:
        """(positive conditioning, negative conditioning, `text_at`) of a frame."""
        mix = self._mix(frame, num_frames, seed)
        positive = self._composed([(weight, composition(text)) for text, weight in _by_text(mix, 0).items()])
        negative = blend_conditionings(
            [(weight, self._conditioning(text)) for text, weight in _by_text(mix, 1).items()]
        )
        return positive, negative, self.text_at(frame, num_frames, seed)

    def _mix(self, frame: int, num_frames: int, seed: int):
        return self.schedule.mix_at(frame, num_frames, seed, self.blend, self.overlap)

    def _composed(self, parts: list[tuple[float, tuple[tuple[float, str], ...]]]) -> list:
        """Texts without AND are blended; where one has it, all of them stand side by side with their strengths."""
        if all(len(texts) == 1 for _, texts in parts):
            return blend_conditionings([(weight, self._conditioning(texts[0][1])) for weight, texts in parts])
        strengths: dict[str, float] = {}
        for weight, texts in parts:
            # One key's weights count among themselves; between keys the blend alone decides.
            share = weight / sum(strength for strength, _ in texts) if len(parts) > 1 else 1.0
            for strength, text in texts:
                strengths[text] = strengths.get(text, 0.0) + share * strength
        return compose_conditionings([(strength, self._conditioning(text)) for text, strength in strengths.items()])

    def _conditioning(self, text: str) -> list:
        if text not in self._encoded:
            self._encoded[text] = self.clip.encode_from_tokens_scheduled(self.clip.tokenize(text))
            if len(self._encoded) > KEPT_TEXTS:
                self._encoded.popitem(last=False)
        self._encoded.move_to_end(text)
        return self._encoded[text]


def _by_text(mix: Iterable[tuple[float, tuple[str, str]]], side: int) -> dict[str, float]:
    weights: dict[str, float] = {}
    for weight, pair in mix:
        weights[pair[side]] = weights.get(pair[side], 0.0) + weight
    return weights


def _joined(parts: list[tuple[float, str]]) -> str:
    texts = {text for _, text in parts}
    return parts[0][1] if len(texts) == 1 else " | ".join(f"{weight:.3g} {text}" for weight, text in parts)


class PromptScheduleNode(io.ComfyNode):
    """Deforum's prompts, encoded."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftPromptSchedule",
            display_name="Prompt Schedule",
            category="Framedrift/prompt",
            description="What to paint from which frame on: Deforum's prompts. Between two keys the texts blend into "
            "one another, or the earlier one holds. Each text is encoded once.",
            search_aliases=[
                "deforum prompts",
                "animation_prompts",
                "prompt travel",
                "prompt keyframes",
                "batch prompt schedule",
                "clip text encode",
                "--neg",
            ],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder of the model that paints."),
                io.String.Input(
                    "text",
                    default=DEFAULT_TEXT,
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip='{"0": "a cat", "24": "a dog --neg rain"}, or one line a key: 0: a cat. A frame may be a '
                    "formula of max_f (max_f/2); formulas of t between backticks are replaced by their value.",
                ),
                io.Combo.Input(
                    "blend",
                    options=list(BLENDS),
                    default="linear",
                    tooltip="Between two keys: linear goes evenly from one text to the next, hold keeps the earlier, "
                    "smooth starts and ends slowly.",
                ),
                io.String.Input(
                    "negative",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="Added to the negative prompt of every frame, behind what --neg gives there.",
                ),
                _added_text(
                    "positive",
                    "Put before the prompt of every frame, with a blank between: Deforum's animation_prompts_positive.",
                ),
                _added_text("pre_text", "Put before the prompt of every frame, behind positive, with a blank between."),
                _added_text("app_text", "Put behind the prompt of every frame, with a blank between."),
                _added_text(
                    "style",
                    "A style for every frame: a text with {prompt} where the prompt goes, or one to put behind it with "
                    "a comma. What stands behind --neg in it joins the negative prompt.",
                ),
                *(
                    host.schedule_input(
                        name,
                        UNUSED_WEIGHT,
                        f"A number over time, which prompts name between backticks: (cat:`{name}`). Keys in frames.",
                        optional=True,
                        advanced=True,
                    )
                    for name in WEIGHTS
                ),
                io.Int.Input(
                    "overlap",
                    default=0,
                    min=0,
                    max=100_000,
                    step=1,
                    optional=True,
                    tooltip="Frames around each key, half of them before it, in which its text takes over; outside of "
                    "them a text holds. 0 blends all the way from key to key.",
                ),
            ],
            outputs=[sockets.Prompts.Output("prompts", tooltip="For the Frame Feedback Sampler.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A text that cannot be read is said before anything is loaded."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        try:
            if kwargs.get("text") is not None:
                _read(**{name: value for name, value in kwargs.items() if value is not None})
        except FramedriftError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, clip, text, blend, negative, **added):
        """Reads the text; encoding waits until a sampler says which frames it needs."""
        return io.NodeOutput(Prompts(clip, _read(text, negative, **added), blend, added.get("overlap") or 0))


def _added_text(name: str, tooltip: str) -> Any:
    # One line each: boxes would crowd out the prompts.
    return io.String.Input(name, default="", dynamic_prompts=False, optional=True, advanced=True, tooltip=tooltip)


def _read(text: str, negative: str = "", **given: Any) -> PromptSchedule:
    texts = {name: given[name] for name in ADDED_TEXTS if given.get(name) is not None}
    weights = {name: given[name] for name in WEIGHTS if given.get(name) is not None}
    return parse_prompts(text, negative, **texts, weights=weights)


class PromptAtFrame(io.ComfyNode):
    """One frame of a prompt schedule."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftPromptAtFrame",
            display_name="Prompt at Frame",
            category="Framedrift/prompt",
            description="The conditioning and the text of one frame of a Prompt Schedule, blended as the sampler "
            "blends them: for ComfyUI's own samplers, and for graphs that loop by themselves.",
            search_aliases=[
                "deforum prompts",
                "animation_prompts",
                "prompt schedule single",
                "prompt schedule frame",
                "prompt travel",
                "conditioning schedule",
            ],
            inputs=[
                sockets.Prompts.Input("prompts", tooltip="What to paint when: from Prompt Schedule."),
                io.Int.Input(
                    "frame", default=0, min=0, max=1_000_000, step=1, tooltip="Which frame of the animation; from 0."
                ),
                host.num_frames_input("Length of the animation in frames, for keys and formulas with max_f."),
                host.seed_input("What s stands for in formulas.", control_after_generate=False),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="For a sampler's positive input."),
                io.Conditioning.Output("negative", tooltip="For a sampler's negative input."),
                io.String.Output("text", tooltip="The prompt; where two are blended, both with their weights."),
                io.String.Output("negative_text", tooltip="The negative prompt, likewise."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """Bounds."""
        return host.check_bounds(cls, kwargs) or True

    @classmethod
    def execute(cls, prompts, frame, num_frames, seed):
        """Encodes what this frame needs, and nothing else."""
        positive, negative, (text, negative_text) = prompts.at(frame, num_frames, seed)
        return io.NodeOutput(positive, negative, text, negative_text)


NODES = [PromptScheduleNode, PromptAtFrame]
