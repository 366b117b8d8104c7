"""Formulas and weights inside prompts: `` (smile:`0.5+0.5*sin(t/12)`) ``, `` (cat:`pw_a`) ``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from .curve import Schedule
from .errors import ExpressionError, PromptError, shorten
from .expression import Expression, parse_expression
from .keys import Timing

#: Schedules that a prompt may name, as FizzNodes has them.
WEIGHTS = ("pw_a", "pw_b", "pw_c", "pw_d")
#: Most formulas in one prompt.
MAX_FORMULAS = 1000

# A formula between backticks, or a weight's bare name where a weight stands.
_FILLED = re.compile(r"`([^`]*)`|(?<=:)\s*+(pw_[a-d])(?=\s*\))")
_WEIGHT = re.compile(r"\bpw_[a-d]\b")
_NEAR_WEIGHT = re.compile(r"\bpw_?[a-zA-Z0-9]?\b")
# As long as the name, so that columns in messages stay right.
_STAND_IN = "(.5)"
# One animation's texts; a formula is evaluated over all its frames at once.
_CACHED_FORMULAS = 64


def has_formulas(text: str) -> bool:
    """Whether the text changes from frame to frame."""
    return "`" in text or (":" in text and _FILLED.search(text) is not None)


def named_weights(text: str) -> frozenset[str]:
    """Which of `WEIGHTS` stand in the text's formulas and weights."""
    return frozenset(name for part in _FILLED.finditer(text) for name in _WEIGHT.findall(part[0]))


def check_formulas(text: str, key: str | None = None, line: int | None = None, name: str = "") -> None:
    """Raises PromptError where a formula between backticks is wrong, or a backtick has no partner.

    `name` is the input that the text stands in, where it is not the prompts themselves.
    """
    place = f"{name}: " if name else ""
    marks = text.count("`")
    if marks % 2:
        reason = "a backtick ` has no partner; a formula stands between two, as in `sin(t/10)`"
        raise PromptError(place + reason, key, line)
    if marks > 2 * MAX_FORMULAS:
        raise PromptError(f"{place}{marks // 2} formulas stand in one prompt; {MAX_FORMULAS} are the most", key, line)
    for part in _FILLED.finditer(text):
        if part[1] is not None:
            _checked(part[1], key, line, place)


def fill(text: str, frame: int, timing: Timing, weights: Mapping[str, Schedule], key: str | None, line: int) -> str:
    """The text with the value of every formula and weight at the frame in its place; key and line are for messages.

    A weight that is not given is 1. Raises PromptError where a value is no finite number.
    """
    if not has_formulas(text):
        return text

    def value(match: re.Match[str]) -> str:
        written = match[1] if match[1] is not None else match[2]
        try:
            number = _value(written.strip(), frame, timing, weights)
        except ExpressionError as error:
            raise PromptError(f"`{shorten(written)}` at frame {frame}: {error.reason}", key, line) from error
        if isinstance(number, float) and not np.isfinite(number):
            raise PromptError(f"`{shorten(written)}` is no finite number at frame {frame}", key, line)
        return str(number)

    return _FILLED.sub(value, text)


def _value(formula: str, frame: int, timing: Timing, weights: Mapping[str, Schedule]) -> float | int:
    if formula in WEIGHTS:
        return _weight(formula, frame, timing, weights)
    if _WEIGHT.search(formula):
        # Few prompts calculate with weights: their numbers are written in, frame by frame.
        formula = _WEIGHT.sub(lambda name: f"({_weight(name[0], frame, timing, weights)!r})", formula)
        return _at(parse_expression(formula), frame, timing)
    expression = parse_expression(formula)
    if frame < timing.num_frames:
        return _values(expression, timing.num_frames, timing.seed)[frame].item()
    return _at(expression, frame, timing)


def _at(expression: Expression, frame: int, timing: Timing) -> float | int:
    return expression.evaluate(np.array([frame], np.int64), timing.seed, timing.max_f)[0].item()


def _weight(name: str, frame: int, timing: Timing, weights: Mapping[str, Schedule]) -> float:
    if name not in weights:
        return 1.0
    return float(_sampled(weights[name], timing.num_frames, timing.seed)[min(frame, timing.max_f)])


def _checked(text: str, key: str | None, line: int | None, place: str) -> None:
    try:
        parse_expression(_WEIGHT.sub(_STAND_IN, text))
    except ExpressionError as error:
        if _NEAR_WEIGHT.search(_WEIGHT.sub("", text)):
            place += f"weights are called {WEIGHTS[0]} to {WEIGHTS[-1]}: "
        column = f" (column {error.column} of `{shorten(text)}`)" if error.column else ""
        raise PromptError(f"{place}{error.reason}{column}", key, line) from error


@lru_cache(maxsize=_CACHED_FORMULAS)
def _values(formula: Expression, num_frames: int, seed: int) -> np.ndarray:
    return formula.evaluate(np.arange(num_frames, dtype=np.int64), seed, num_frames - 1)


@lru_cache(maxsize=16)
def _sampled(schedule: Schedule, num_frames: int, seed: int) -> np.ndarray:
    return schedule.sample(num_frames, seed)
