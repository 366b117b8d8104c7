"""Palettes over time: colours at keyframes, each going over into the next key's."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import torch

from ..schedule import Schedule, ScheduleError, StringSchedule
from ..schedule.curve import Keyframe
from ..schedule.errors import ExpressionError, shorten
from ..schedule.keys import KeyTime, Timing, parse_key
from ..schedule.scan import scan

MOST_COLORS = 8
"""Colours of one key."""

_WORD = re.compile(r"[^\s,;]+")
_COLOR = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


@dataclass(frozen=True)
class PaletteSchedule(StringSchedule):
    """Palettes over time, as the user wrote them. Made by ``parse_palettes``."""

    def sample(self, num_frames: int, seed: int = 0, fps: float = 15.0, bpm: float = 120.0) -> list[str]:
        """The palette at every frame as a text that ``read_colors`` reads, its colours rounded to 1/255.

        Colours run linearly to the next key's, the first to the first and so on; where two keys have different numbers
        of colours, both are divided until they match, which changes neither as a gradient. The first key's palette
        holds back to frame 0 and the last one's to the end. Raises as ``Schedule.sample`` does.
        """
        timing = Timing(num_frames, seed, fps, bpm)
        placed: dict[float, tuple[KeyTime, int, str]] = {}
        for time, column, value in self.keys:
            try:
                placed[time.position(timing)] = (time, column, value)
            except ExpressionError as error:
                raise ScheduleError(error.reason, self.name, time.text, column) from error
        ordered = [placed[position] for position in sorted(placed)]
        # A schedule of the keys' own numbers says which two a frame lies between, and where.
        numbers = tuple(Keyframe(time, float(n), column, column) for n, (time, column, _) in enumerate(ordered))
        ways = Schedule(self.text, self.name, numbers).sample(num_frames, seed, fps, bpm)
        palettes = [read_colors(value) for _, _, value in ordered]
        return [_text(_between(palettes, float(way))) for way in ways]


def parse_palettes(text: str, name: str = "palette") -> PaletteSchedule:
    """Reads palettes over time.

    Args:
        text: `0: #204060 #e0b080, 60: #102030 #80ffcc`, or the colours alone. Keys are those of every schedule
            (`parse_schedule`); colours are #rrggbb or #rgb, up to MOST_COLORS a key, with blanks between them.
        name: what messages call it.

    Raises:
        ScheduleError: names the schedule, the key and the column.
    """
    return _parsed(text, name)


def read_colors(text: str) -> torch.Tensor:
    """The colours of one palette, `#204060 #e0b080`, as float64 (n, 3), sRGB 0..1."""
    return torch.tensor([_rgb(word[0]) for word in _WORD.finditer(text)], dtype=torch.float64)


@lru_cache(maxsize=64)
def _parsed(text: str, name: str) -> PaletteSchedule:
    keys = []
    for entry in scan(text, name):
        try:
            time = parse_key(entry.key)
        except ExpressionError as error:
            raise ScheduleError(error.reason, name, entry.key, entry.key_at + (error.column or 1)) from error
        _check_colors(entry.value, entry.value_at, entry.key, name)
        keys.append((time, entry.key_at + 1, entry.value))
    return PaletteSchedule(text, name, tuple(keys))


def _check_colors(value: str, at: int, key: str, name: str) -> None:
    words = list(_WORD.finditer(value))
    if not words:
        raise ScheduleError("there is no colour; write #rrggbb", name, key, at + 1)
    for number, word in enumerate(words):
        column = at + word.start() + 1
        if not _COLOR.fullmatch(word[0]):
            raise ScheduleError(
                f"{shorten(word[0], 20)!r} is no colour; write #rrggbb, as in 0: #204060 #e0b080", name, key, column
            )
        if number == MOST_COLORS:
            raise ScheduleError(f"a key takes {MOST_COLORS} colours at most, not {len(words)}", name, key, column)


def _rgb(word: str) -> tuple[float, ...]:
    digits = word.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    return tuple(int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))


def _between(palettes: list[torch.Tensor], way: float) -> torch.Tensor:
    first = min(int(way), len(palettes) - 1)
    share = way - first
    if share <= 0:
        return palettes[first]
    start, end = palettes[first], palettes[first + 1]
    steps = len(start) - 1, len(end) - 1
    parts = math.lcm(*steps) or max(steps)
    return torch.lerp(_divided(start, parts), _divided(end, parts), share)


def _divided(colors: torch.Tensor, parts: int) -> torch.Tensor:
    """The same gradient as `parts` + 1 colours; `parts` is a multiple of the steps that it has."""
    places = torch.linspace(0, len(colors) - 1, parts + 1, dtype=colors.dtype)
    low = places.long().clamp(max=max(len(colors) - 2, 0))
    high = (low + 1).clamp(max=len(colors) - 1)
    return torch.lerp(colors[low], colors[high], (places - low)[:, None])


def _text(colors: torch.Tensor) -> str:
    levels = (colors * 255).round().int().tolist()
    return " ".join("#" + "".join(f"{level:02x}" for level in color) for color in levels)
