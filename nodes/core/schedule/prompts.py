"""Prompt schedules: which texts shape a frame, and by how much each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from .compose import composition, split_parts
from .curve import Schedule
from .errors import ExpressionError, PromptError
from .formulas import fill, has_formulas
from .keys import KeyTime, Timing
from .mixing import BLENDS, Course, Mix, MixSequence, Pair

_NEGATIVE = re.compile(r"--neg(?![A-Za-z])")


@dataclass(frozen=True)
class PromptKey:
    """One key: when, and what to paint from then on. `share`: the time is this share (0..1) of the animation."""

    time: KeyTime
    text: str
    line: int
    share: float | None = None

    def frame(self, timing: Timing) -> int:
        """Its frame; may lie outside the animation. Raises PromptError."""
        try:
            return int(self.share * timing.max_f + 1e-6) if self.share is not None else self.time.frame(timing)
        except ExpressionError as error:
            raise PromptError(error.reason, self.time.text, self.line) from error


@dataclass(frozen=True)
class Additions:
    """What is added to the prompt of every frame.

    positive, pre_text: before it, with a blank between, as Deforum and FizzNodes do; app_text: behind it. style: a text
    with `{prompt}` where the prompt goes, or one to put behind it with a comma. What stands behind `--neg` in any of
    them goes to the negative side. weights: the schedules that formulas name pw_a to pw_d.
    """

    positive: str = ""
    pre_text: str = ""
    app_text: str = ""
    style: str = ""
    weights: tuple[tuple[str, Schedule], ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.positive, self.pre_text, self.app_text, self.style)


@dataclass(frozen=True)
class PromptSchedule:
    """Texts over time, as the user wrote them. Equal, and of one hash, where all but `keys` is.

    `negative` is added to the negative text of every frame. `loop`: the frame at which the first text comes again, so
    that the last one blends towards it; 0 for none. Made by `parse_prompts`.
    """

    text: str
    negative: str = ""
    keys: tuple[PromptKey, ...] = field(default=(), compare=False, repr=False)
    additions: Additions = Additions()
    loop: int = 0

    def text_at(self, frame: int, num_frames: int, seed: int = 0) -> Pair:
        """(positive, negative) of the key at or before the frame; the first key holds back to frame 0.

        Both are stripped, and the formulas between backticks replaced by their values at the frame. Raises PromptError
        where a formula has no finite value there.
        """
        course = _course(self, num_frames, seed, "hold", 0)
        return course.placed[course.current(frame)].prepared(frame, course.timing)

    def keyframes(self, num_frames: int, seed: int = 0) -> list[int]:
        """The frames of its keys within the animation, ascending, each once. Raises PromptError."""
        timing = Timing(num_frames, seed)
        return sorted({frame for key in self.keys if 0 <= (frame := key.frame(timing)) < num_frames})

    def mix_at(self, frame: int, num_frames: int, seed: int = 0, blend: str = "linear", overlap: int = 0) -> Mix:
        """What shapes the frame: one or two (weight, (positive, negative)), the weights above 0 and 1 in sum.

        blend "hold": the text of the key at or before the frame. "linear": between two keys both texts, the later one
        growing from 0 at the earlier key to 1 at its own. "smooth": so too, slowly at both ends (3u^2 - 2u^3).
        `overlap`: a text holds, and changes only within this many frames around each key, half of them before it; where
        keys lie closer, up to half way between them. 0 is from key to key. A key beyond the end is blended towards as
        well, as in Deforum, so that a short preview looks like the beginning of the whole. Equal texts are one. Raises
        PromptError.
        """
        course = _course(self, num_frames, seed, blend, overlap)
        return course.mix(frame)

    def sample(self, num_frames: int, seed: int = 0, blend: str = "linear", overlap: int = 0) -> MixSequence:
        """`mix_at` of every frame, as a sequence; where no formula stands in the texts, all at once."""
        return MixSequence(_course(self, num_frames, seed, blend, overlap))

    def texts(
        self, frames: Iterable[int], num_frames: int, seed: int = 0, blend: str = "linear", overlap: int = 0
    ) -> list[Pair]:
        """The distinct (positive, negative) that these frames need, in the order in which they are needed first."""
        needed: dict[Pair, None] = {}
        for frame in frames:
            for _, pair in self.mix_at(frame, num_frames, seed, blend, overlap):
                needed[pair] = None
        return list(needed)


@dataclass(frozen=True)
class _Placed:
    """A key at its frame; `plain` is its (positive, negative) where no formula stands in it."""

    frame: int
    key: PromptKey
    owner: PromptSchedule
    plain: Pair | None

    def prepared(self, frame: int, timing: Timing) -> Pair:
        return self.plain if self.plain is not None else self.filled(frame, timing)

    def filled(self, frame: int, timing: Timing) -> Pair:
        added, key = self.owner.additions, self.key
        weights = dict(added.weights)
        text, negative, *others = (
            fill(part, frame, timing, weights, key.time.text, key.line)
            for part in (key.text, self.owner.negative, *added.texts)
        )
        try:
            pair = _pair(text, negative, others)
            composition(pair[0])
        except PromptError as error:
            raise PromptError(f"at frame {frame} {error.reason}", key.time.text, key.line) from error
        return pair


def _pair(text: str, negative: str, added: Iterable[str]) -> Pair:
    prompt, own = split_negative(text)
    sides = [split_negative(part) for part in added]
    positive, pre_text, app_text, style = (side[0] for side in sides)

    def whole(part: str) -> str:
        joined = " ".join(piece for piece in (positive, pre_text, part, app_text) if piece)
        if "{prompt}" in style:
            return style.replace("{prompt}", joined)
        return ", ".join(piece for piece in (joined, style) if piece)

    if any((positive, pre_text, app_text, style)):
        # Each of the texts joined by AND is a prompt of its own; their weights stay behind them.
        parts = [whole(part) + (f" :{weight}" if weight else "") for part, weight in split_parts(prompt)]
        prompt = " AND ".join(parts)
    return prompt, ", ".join(part for part in (own, *(side[1] for side in sides), negative.strip()) if part)


def split_negative(text: str) -> Pair:
    """(positive, negative) of a prompt: what stands before `--neg`, and all that stands behind it; both stripped."""
    if "--neg" not in text:
        return text.strip(), ""
    positive, *negatives = _NEGATIVE.split(text)
    negative = negatives[0] if negatives else ""
    for part in negatives[1:]:
        spaced = negative[-1:].isspace() or part[:1].isspace() or not negative or not part
        negative += part if spaced else f" {part}"
    return positive.strip(), negative.strip()


@lru_cache(maxsize=32)
def _placed(prompts: PromptSchedule, timing: Timing) -> tuple[_Placed, ...]:
    """The keys in ascending order; the last of equal ones."""
    by_frame = {key.frame(timing): key for key in prompts.keys}
    if prompts.loop:
        first = by_frame[min(by_frame)]
        by_frame = {frame: key for frame, key in by_frame.items() if frame < prompts.loop} | {prompts.loop: first}
    shared = any(has_formulas(text) for text in (prompts.negative, *prompts.additions.texts))
    placed = [_Placed(frame, key, prompts, None) for frame, key in sorted(by_frame.items())]
    return tuple(
        one if shared or has_formulas(one.key.text)
        else _Placed(one.frame, one.key, prompts, one.filled(max(0, one.frame), timing))
        for one in placed
    )  # fmt: skip


@lru_cache(maxsize=32)
def _course(prompts: PromptSchedule, num_frames: int, seed: int, blend: str, overlap: int) -> Course:
    if blend not in BLENDS:
        raise PromptError(f"blend is {blend!r}, and must be one of: {', '.join(BLENDS)}")
    if overlap < 0:
        raise PromptError(f"overlap is {overlap} frames, and must be 0 or more")
    if num_frames < 1:
        raise PromptError(f"num_frames is {num_frames}, and must be at least 1")
    timing = Timing(num_frames, seed)
    placed = _placed(prompts, timing)
    frames = [one.frame for one in placed]
    begins, ends = frames[:-1], frames[1:]
    if blend == "hold":
        begins = ends
    elif overlap:
        gaps = [later - earlier for earlier, later in zip(begins, ends, strict=True)]
        begins = [frame - min(overlap, gap) / 2 for frame, gap in zip(ends, gaps, strict=True)]
        ends = [frame + min(overlap, gap) / 2 for frame, gap in zip(ends, [*gaps, overlap][1:], strict=True)]
    return Course(timing, placed, tuple(begins), tuple(ends), blend == "smooth")
