"""The timeline: tracks of keys, prompts as spans, and markers, as the editor shows them and a file holds them.

`timeline_json` reads and writes it, web/timeline.schema.json describes the file.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .convert import written
from .curve import NUMBER, Keyframe, Schedule, StringSchedule
from .errors import ExpressionError, TimelineError, shorten
from .expression import Expression, parse_expression
from .keys import KeyTime, Timing, parse_key
from .prompt_text import parse_prompts
from .prompts import PromptSchedule, split_negative

#: Kinds of tracks. Only numbers run from key to key; all others hold.
KINDS = ("number", "seed", "text", "choice", "image")
_FORMULAS = ("number", "seed")

#: A place in time: a frame, or what a schedule's key may be ("2.5s", "8b", "50%", "max_f/2").
Time = int | str
Pair = tuple[str, str]


def _extra() -> Any:
    """Whatever else a file says of a thing: kept, and written again."""
    return field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Key:
    """One key of a track. Of value and expression one is given; a formula holds at every frame until the next key.

    value: a number (kind number), a whole number (seed) or a text. easing: one of INTERPOLATIONS, "" for the track's.
    """

    frame: Time
    value: float | int | str | None = None
    expression: str = ""
    easing: str = ""
    enabled: bool = True
    extra: Mapping[str, Any] = _extra()


@dataclass(frozen=True)
class Track:
    """One thing over time. A key that is not enabled is left out, and moves no other.

    kind: one of KINDS. interpolation: one of INTERPOLATIONS for numbers, "" for what is usual: linear for numbers,
    hold for all else.
    """

    name: str
    kind: str = "number"
    keys: tuple[Key, ...] = ()
    interpolation: str = ""
    enabled: bool = True
    extra: Mapping[str, Any] = _extra()


@dataclass(frozen=True)
class PromptSpan:
    """A prompt from `start` up to and without `end`; where two share frames, they blend from one to the other.

    end: None for up to the next span. In a gap the span before goes on.
    """

    start: Time
    text: str
    end: Time | None = None
    negative: str = ""
    enabled: bool = True
    extra: Mapping[str, Any] = _extra()


@dataclass(frozen=True)
class Marker:
    """A named place in time."""

    frame: Time
    label: str = ""
    extra: Mapping[str, Any] = _extra()


@dataclass(frozen=True)
class Timeline:
    """A whole animation's times and values; `length` in frames.

    Made by `parse_timeline` or `timeline_from_schedules`.
    """

    length: int = 120
    fps: float = 15.0
    bpm: float = 120.0
    tracks: tuple[Track, ...] = ()
    prompts: tuple[PromptSpan, ...] = ()
    markers: tuple[Marker, ...] = ()
    extra: Mapping[str, Any] = _extra()

    def to_json(self) -> str:
        """The file's text; `parse_timeline` makes an equal timeline of it."""
        from .timeline_json import write_timeline

        return write_timeline(self)

    def track(self, name: str) -> Track:
        """The track of this name; raises TimelineError, which names those there are."""
        for track in self.tracks:
            if track.name == name:
                return track
        names = [track.name for track in self.tracks]
        near = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names[:20]) or 'none at all'}"
        raise TimelineError(f"there is no track {shorten(name)!r}{hint}", "tracks")

    def schedule(self, name: str) -> Schedule | None:
        """A track of numbers or seeds as a schedule; None where it, or every key of it, is switched off.

        Seeds hold from key to key, and are exact up to 2**53: `held` gives larger ones. Raises TimelineError.
        """
        track = self.track(name)
        if track.kind not in _FORMULAS:
            raise TimelineError(f"{track.name} is a track of {track.kind}, not of numbers", "tracks")
        keys = _enabled(track)
        if not keys:
            return None
        pieces, frames = [], []
        for key in keys:
            time = _time(key.frame, track.name)
            value = _value(key, track.name)
            frames.append(Keyframe(time, value))
            if isinstance(value, Expression):
                # A number in brackets would run to the next key; as a formula, it holds.
                written_value = f"{value.text}+0" if NUMBER.fullmatch(value.text) else value.text
            else:
                written_value = written(value)
            pieces.append(f"{time.text}:({written_value})")
        way = (track.interpolation or "linear") if track.kind == "number" else "hold"
        easings = tuple(key.easing for key in keys)
        return Schedule(", ".join(pieces), track.name, tuple(frames), self.bpm, way, easings if any(easings) else ())

    def strings(self, name: str) -> StringSchedule | None:
        """A track of texts, choices or images as a schedule of names; None where it is switched off."""
        track = self.track(name)
        if track.kind in _FORMULAS:
            raise TimelineError(f"{track.name} is a track of {track.kind}, not of texts", "tracks")
        keys = [(_time(key.frame, track.name), 1, str(key.value)) for key in _enabled(track)]
        text = ", ".join(f"{time.text}: ({json.dumps(value, ensure_ascii=False)})" for time, _, value in keys)
        return StringSchedule(text, track.name, tuple(keys)) if keys else None

    def held(self, name: str, seed: int = 0) -> list[int] | list[str] | None:
        """What a track that holds says at every frame: seeds as whole numbers, all else as texts; None as above."""
        track = self.track(name)
        if track.kind == "number":
            raise TimelineError(f"{track.name} is a track of numbers, which run from key to key", "tracks")
        if track.kind != "seed":
            strings = self.strings(name)
            return strings and strings.sample(self.length, seed, self.fps, self.bpm)
        schedule = self.schedule(name)
        if schedule is None:
            return None
        # Which key rules a frame, rather than its value: a float has no room for 64 bits.
        order = StringSchedule("", name, tuple((key.time, 1, str(i)) for i, key in enumerate(schedule.keys)))
        ruling = [int(i) for i in order.sample(self.length, seed, self.fps, self.bpm)]
        values = schedule.sample(self.length, seed, self.fps)
        exact = [key.value for key in _enabled(track)]
        seeds = [exact[i] for i in ruling]
        return [int(values[i]) if one is None else int(one) for i, one in enumerate(seeds)]

    def prompt_mix(self, frame: int, seed: int = 0) -> tuple[tuple[float, Pair], ...]:
        """What shapes the frame: one or two (weight, (positive, negative)), above 0 and 1 in sum; () without prompts.

        Where two spans share frames, the later one grows from 0 at its start to 1 at the other's end.
        """
        spans = self._spans(seed)
        if not spans:
            return ()
        covering = [span for span in spans if span[0] <= frame < span[1]]
        if not covering:
            before = [span for span in spans if span[0] <= frame]
            covering = [before[-1] if before else spans[0]]
        begin, end, last = covering[-1]
        pair = self._pair(last, frame, seed)
        weight = 1.0
        if len(covering) > 1:
            weight = (frame - begin) / (min(covering[-2][1], end) - begin)
        other = self._pair(covering[-2][2], frame, seed) if weight < 1.0 else pair
        if other == pair or weight >= 1.0:
            return ((1.0, pair),)
        return ((1.0 - weight, other), (weight, pair)) if weight > 0.0 else ((1.0, other),)

    def prompts_text(self, seed: int = 0) -> str:
        """The prompts as the text of a Prompt Schedule: a key for each span, in the middle of what it shares."""
        keys: dict[str, str] = {}
        shared_until = 0.0
        for begin, end, span in self._spans(seed):
            keys[str(int((begin + max(begin, shared_until)) / 2))] = _prompt(span)
            shared_until = end
        return json.dumps(keys, ensure_ascii=False, indent=1)

    def _spans(self, seed: int) -> list[tuple[float, float, PromptSpan]]:
        """(begin, end, span) of those that are enabled, in order of their begin; the last of equal ones."""
        timing = Timing(self.length, seed, self.fps, self.bpm)
        placed = {_place(span.start, timing): span for span in self.prompts if span.enabled}
        begins = sorted(placed)
        nexts = [*begins[1:], math.inf]
        spans = []
        for begin, following in zip(begins, nexts, strict=False):
            end = placed[begin].end
            spans.append((begin, following if end is None else _place(end, timing), placed[begin]))
        return spans

    def _pair(self, span: PromptSpan, frame: int, seed: int) -> Pair:
        return parse_prompts(json.dumps({"0": _prompt(span)})).text_at(frame, self.length, seed)


def timeline_from_schedules(
    schedules: Mapping[str, Schedule | StringSchedule],
    length: int,
    fps: float = 15.0,
    bpm: float = 120.0,
    prompts: PromptSchedule | None = None,
) -> Timeline:
    """A timeline that says what these schedules do; its tracks have the mapping's names.

    Keys in beats that go by another tempo than `bpm` become seconds. Raises PromptError where a prompt's key is none.
    """
    tracks = tuple(_track(name, schedule, bpm) for name, schedule in schedules.items())
    spans = _spans_of(prompts, Timing(length, 0, fps, bpm)) if prompts is not None else ()
    return Timeline(length, fps, bpm, tracks, tuple(spans))


def _track(name: str, schedule: Schedule | StringSchedule, bpm: float) -> Track:
    if isinstance(schedule, StringSchedule):
        return Track(name, "text", tuple(Key(_frame(time), value) for time, _, value in schedule.keys))
    easings = schedule.easings or ("",) * len(schedule.keys)
    keys = []
    for key, easing in zip(schedule.keys, easings, strict=True):
        time = key.time
        if time.unit == "b" and schedule.bpm != bpm:
            time = parse_key(f"{np.format_float_positional(time.number * 60.0 / schedule.bpm, trim='0')}s")
        if isinstance(key.value, Expression):
            keys.append(Key(_frame(time), None, key.value.text, easing))
        else:
            keys.append(Key(_frame(time), float(key.value), "", easing))
    return Track(name, "number", tuple(keys), schedule.interpolation)


def _frame(time: KeyTime) -> Time:
    whole = not time.unit and time.formula is None and time.text == str(int(time.number))
    return int(time.number) if whole else time.text


def _spans_of(prompts: PromptSchedule, timing: Timing) -> Iterable[PromptSpan]:
    for frame, key in sorted({key.frame(timing): key for key in prompts.keys}.items()):
        positive, negative = split_negative(key.text)
        yield PromptSpan(frame, positive, None, ", ".join(filter(None, (negative, prompts.negative.strip()))))


def _prompt(span: PromptSpan) -> str:
    return f"{span.text} --neg {span.negative}" if span.negative.strip() else span.text


def _enabled(track: Track) -> list[Key]:
    return [key for key in track.keys if key.enabled] if track.enabled else []


def _time(frame: Time, name: str) -> KeyTime:
    try:
        return parse_key(str(frame).strip())
    except ExpressionError as error:
        raise TimelineError(f"{name}: {shorten(str(frame))} is no place in time: {error.reason}") from error


def _place(time: Time, timing: Timing) -> float:
    try:
        return _time(time, "prompts").position(timing)
    except ExpressionError as error:
        raise TimelineError(f"{shorten(str(time))} is no place in time: {error.reason}", "prompts") from error


def _value(key: Key, name: str) -> float | Expression:
    if not key.expression:
        return float(key.value or 0.0)
    try:
        return parse_expression(key.expression)
    except ExpressionError as error:
        raise TimelineError(f"{name}, key {key.frame}, column {error.column or 1}: {error.reason}") from error
