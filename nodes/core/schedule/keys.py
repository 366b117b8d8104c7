"""Keyframes' places: numbers, formulas of the length, shares of it, seconds and beats."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from .errors import ExpressionError
from .expression import Expression, parse_expression

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_TIME = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))\s*([sb%])")
#: Further than this no animation goes: all that lies beyond is as far outside.
_FARTHEST = 2.0**31


@dataclass(frozen=True)
class Timing:
    """What turns a key into a frame."""

    num_frames: int
    seed: int = 0
    fps: float = 15.0
    bpm: float = 120.0

    @property
    def max_f(self) -> int:
        """The last frame."""
        return self.num_frames - 1


@dataclass(frozen=True)
class KeyTime:
    """A key as written: frames ("30"), seconds ("2.5s"), beats ("8b"), a share of the animation ("50%": half way to the
    last frame) or a formula of `max_f` and `s` ("max_f/2").
    """

    text: str
    number: float = 0.0
    unit: str = ""
    formula: Expression | None = None

    def frame(self, timing: Timing) -> int:
        """Its frame, truncated to a whole number as in Deforum; may lie outside the animation.

        Raises ExpressionError where a formula gives no number.
        """
        if self.formula is not None:
            value = float(self.formula.sample(np.zeros(1, np.int64), timing.seed, timing.max_f)[0])
        else:
            value = self.number
        if self.unit == "%":
            value = self.position(timing)
        elif self.unit:
            seconds = value if self.unit == "s" else value * 60.0 / timing.bpm
            # 0.29 s at 100 fps is 28.999999999999996 in floating point.
            value = seconds * timing.fps + math.copysign(1e-6, seconds)
        return int(max(-_FARTHEST, min(_FARTHEST, value)))

    def position(self, timing: Timing) -> float:
        """Where it lies on the time line: its frame, but a share ("50%") may fall between two frames.

        Raises as `frame` does.
        """
        if self.unit != "%":
            return float(self.frame(timing))
        # 10 % of 30 is 3.0000000000000004 in floating point. Of one frame alone, only 0 % is within.
        return max(-_FARTHEST, min(_FARTHEST, round(self.number / 100.0 * max(timing.max_f, 1), 6)))


def parse_key(text: str) -> KeyTime:
    """Reads a key; raises ExpressionError, with a column within the key, where it is none."""
    if _NUMBER.fullmatch(text):
        return KeyTime(text, number=float(text))
    if time := _TIME.fullmatch(text):
        return KeyTime(text, number=float(time[1]), unit=time[2])
    formula = parse_expression(text)
    if "t" in formula.names:
        raise ExpressionError(
            "a key is a frame and cannot depend on t; use max_f, s, seconds (2.5s), beats (8b) or 50%", 1
        )
    return KeyTime(text, formula=formula)
