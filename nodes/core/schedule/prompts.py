"""Prompt schedules: which texts shape a frame, and by how much each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .errors import ExpressionError, PromptError, shorten
from .expression import Expression, parse_expression
from .keys import KeyTime, Timing

#: How the texts of two keys share the frames between them.
BLENDS = ("linear", "hold")

Pair = tuple[str, str]

_FORMULA = re.compile(r"`([^`]*)`")
_NEGATIVE = re.compile(r"--neg(?![A-Za-z])")
# One animation's texts; a formula is evaluated over all its frames at once.
_CACHED_FORMULAS = 64


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
class PromptSchedule:
    """Texts over time, as the user wrote them. Equal, and of one hash, where `text` and `negative` are.

    `negative` is added to the negative text of every frame. Made by `parse_prompts`.
    """

    text: str
    negative: str = ""
    keys: tuple[PromptKey, ...] = field(default=(), compare=False, repr=False)

    def text_at(self, frame: int, num_frames: int, seed: int = 0) -> Pair:
        """(positive, negative) of the key at or before the frame; the first key holds back to frame 0.

        Both are stripped, and the formulas between backticks replaced by their values at the frame. Raises PromptError
        where a formula has no finite value there.
        """
        timing = _timing(frame, num_frames, seed)
        placed = _placed(self, timing)
        return placed[_current(placed, frame)].prepared(frame, timing)

    def mix_at(
        self, frame: int, num_frames: int, seed: int = 0, blend: str = "linear"
    ) -> tuple[tuple[float, Pair], ...]:
        """What shapes the frame: one or two (weight, (positive, negative)), the weights above 0 and 1 in sum.

        blend "hold": the text of the key at or before the frame. "linear": between two keys both texts, the later one
        growing from 0 at the earlier key to 1 at its own. A key beyond the end is blended towards as well, as in
        Deforum, so that a short preview looks like the beginning of the whole. Equal texts are one. Raises PromptError.
        """
        if blend not in BLENDS:
            raise PromptError(f"blend is {blend!r}, and must be one of: {', '.join(BLENDS)}")
        timing = _timing(frame, num_frames, seed)
        placed = _placed(self, timing)
        current = _current(placed, frame)
        begin = placed[current].frame
        pair = placed[current].prepared(frame, timing)
        if blend == "hold" or frame <= begin or current + 1 == len(placed):
            return ((1.0, pair),)
        later = placed[current + 1].prepared(frame, timing)
        if later == pair:
            return ((1.0, pair),)
        weight = (frame - begin) / (placed[current + 1].frame - begin)
        return ((1.0 - weight, pair), (weight, later))

    def texts(self, frames: Iterable[int], num_frames: int, seed: int = 0, blend: str = "linear") -> list[Pair]:
        """The distinct (positive, negative) that these frames need, in the order in which they are needed first."""
        needed: dict[Pair, None] = {}
        for frame in frames:
            for _, pair in self.mix_at(frame, num_frames, seed, blend):
                needed[pair] = None
        return list(needed)


@dataclass(frozen=True)
class _Placed:
    """A key at its frame; `plain` is its (positive, negative) where no formula stands in it."""

    frame: int
    key: PromptKey
    negative: str
    plain: Pair | None

    def prepared(self, frame: int, timing: Timing) -> Pair:
        if self.plain is not None:
            return self.plain
        text = _filled(self.key.text, self.key, frame, timing)
        return _pair(text, _filled(self.negative, self.key, frame, timing))


def _pair(text: str, added: str) -> Pair:
    positive, negative = split_negative(text)
    return positive, ", ".join(part for part in (negative, added.strip()) if part)


def split_negative(text: str) -> Pair:
    """(positive, negative) of a prompt: what stands before `--neg`, and all that stands behind it; both stripped."""
    positive, *negatives = _NEGATIVE.split(text)
    negative = negatives[0] if negatives else ""
    for part in negatives[1:]:
        spaced = negative[-1:].isspace() or part[:1].isspace() or not negative or not part
        negative += part if spaced else f" {part}"
    return positive.strip(), negative.strip()


def check_formulas(text: str, key: str | None = None, line: int | None = None) -> None:
    """Raises PromptError where a formula between backticks is wrong, or a backtick has no partner."""
    if text.count("`") % 2:
        raise PromptError("a backtick ` has no partner; a formula stands between two, as in `sin(t/10)`", key, line)
    for formula in _FORMULA.finditer(text):
        _formula(formula[1], key, line)


def _formula(text: str, key: str | None, line: int | None) -> Expression:
    try:
        return parse_expression(text)
    except ExpressionError as error:
        place = f" (column {error.column} of `{shorten(text)}`)" if error.column else ""
        raise PromptError(f"{error.reason}{place}", key, line) from error


def _filled(text: str, key: PromptKey, frame: int, timing: Timing) -> str:
    """The text with the value of every formula at the frame in its place."""
    if "`" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        formula = _formula(match[1], key.time.text, key.line)
        try:
            values = _values(formula, timing.num_frames, timing.seed)
            beyond = np.array([frame], np.int64)
            known = frame < timing.num_frames
            number = (values[frame] if known else formula.evaluate(beyond, timing.seed, timing.max_f)[0]).item()
        except ExpressionError as error:
            raise PromptError(f"`{shorten(match[1])}`: {error.reason}", key.time.text, key.line) from error
        if isinstance(number, float) and not np.isfinite(number):
            raise PromptError(f"`{shorten(match[1])}` is no finite number at frame {frame}", key.time.text, key.line)
        return str(number)

    return _FORMULA.sub(value, text)


@lru_cache(maxsize=_CACHED_FORMULAS)
def _values(formula: Expression, num_frames: int, seed: int) -> np.ndarray:
    return formula.evaluate(np.arange(num_frames, dtype=np.int64), seed, num_frames - 1)


def _timing(frame: int, num_frames: int, seed: int) -> Timing:
    if num_frames < 1:
        raise PromptError(f"num_frames is {num_frames}, and must be at least 1")
    if frame < 0:
        raise PromptError(f"the frame is {frame}; the first one is 0")
    return Timing(num_frames, seed)


@lru_cache(maxsize=32)
def _placed(prompts: PromptSchedule, timing: Timing) -> tuple[_Placed, ...]:
    """The keys in ascending order; the last of equal ones."""
    placed = {key.frame(timing): key for key in prompts.keys}
    return tuple(
        _Placed(
            frame,
            key,
            prompts.negative,
            None if "`" in key.text + prompts.negative else _pair(key.text, prompts.negative),
        )
        for frame, key in sorted(placed.items())
    )


def _current(placed: tuple[_Placed, ...], frame: int) -> int:
    """Which key the frame is under: the last one at or before it, else the first."""
    low, high = 0, len(placed)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if placed[middle].frame <= frame else (low, middle)
    return max(0, low - 1)
