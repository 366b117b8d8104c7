"""Prompt Schedule: what to paint when."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from . import host, sockets
from .core.errors import FramedriftError
from .core.schedule import BLENDS, PromptSchedule, blend_conditionings, parse_prompts
from .host import io

#: How many texts' conditionings are kept at most: those of SDXL take some 0.7 MB each.
KEPT_TEXTS = 256

DEFAULT_TEXT = """{
  "0": "a calm dawn sky, rose and gold clouds",
  "24": "a storm over a dark ocean, teal and violet",
  "48": "aurora over snow, emerald and indigo --neg text, watermark"
}"""


class Prompts:
    """A prompt schedule and the CLIP that reads it.

    A text is encoded once, and kept: up to KEPT_TEXTS of them, the ones not used for longest go first. So a schedule
    whose formulas change its text at every frame takes no more memory for a longer animation.
    """

    def __init__(self, clip: Any, schedule: PromptSchedule, blend: str = "linear"):
        if clip is None:
            raise FramedriftError(
                "clip is empty. If it comes from a checkpoint loader, the checkpoint holds no text encoder: load one "
                "with CLIPLoader and link that."
            )
        self.clip, self.schedule, self.blend = clip, schedule, blend
        self._encoded: OrderedDict[str, list] = OrderedDict()

    @property
    def text(self) -> str:
        """The schedule as the user wrote it."""
        return self.schedule.text

    def signature(self) -> str:
        """The same for two that say the same at every frame; which CLIP reads it is not part of it."""
        said = json.dumps(["prompts", 1, self.schedule.text, self.schedule.negative, self.blend])
        return hashlib.sha256(said.encode()).hexdigest()

    def text_at(self, frame: int, num_frames: int, seed: int) -> tuple[str, str]:
        """(positive, negative) of a frame, for people and journals: `0.75 a cat | 0.25 a dog` where two are blended."""
        mix = self.schedule.mix_at(frame, num_frames, seed, self.blend)
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
        for pair in self.schedule.texts(frames, num_frames, seed, self.blend):
            needed.update(dict.fromkeys(pair))
        for text in list(needed)[:KEPT_TEXTS]:
            if interrupted is not None:
                interrupted()
            self._conditioning(text)

    def at(self, frame: int, num_frames: int, seed: int) -> tuple[list, list, tuple[str, str]]:
        """(positive conditioning, negative conditioning, `text_at`) of a frame."""
        mix = self.schedule.mix_at(frame, num_frames, seed, self.blend)
        positive, negative = (
            blend_conditionings([(weight, self._conditioning(text)) for text, weight in _by_text(mix, side).items()])
            for side in (0, 1)
        )
        return positive, negative, self.text_at(frame, num_frames, seed)

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
                    tooltip="Between two keys: linear goes evenly from one text to the next, hold keeps the earlier.",
                ),
                io.String.Input(
                    "negative",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="Added to the negative prompt of every frame, behind what --neg gives there.",
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
                parse_prompts(kwargs["text"], kwargs.get("negative") or "")
        except FramedriftError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, clip, text, blend, negative):
        """Reads the text; encoding waits until a sampler says which frames it needs."""
        return io.NodeOutput(Prompts(clip, parse_prompts(text, negative), blend))


NODES = [PromptScheduleNode]
