"""Timelines as JSON: read with every place checked and named, written so that nothing of a file is lost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

from .curve import MAX_FRAMES
from .easing import INTERPOLATIONS
from .errors import ExpressionError, TimelineError, shorten
from .expression import parse_expression
from .keys import parse_key
from .timeline import KINDS, Key, Marker, PromptSpan, Timeline, Track

#: What a file calls its kind, and the version that is written; files of versions up to it are read.
FORMAT = "framedrift-timeline"
VERSION = 1
#: Longest file, in characters, and most of each thing that a list may hold.
MAX_TEXT = 8_000_000
MAX_ITEMS = 20_000
_MAX_DEPTH = 64
_LARGEST_SEED = 2**64 - 1

_T = TypeVar("_T")


def parse_timeline(text: str) -> Timeline:
    """Reads a timeline file's text, as web/timeline.schema.json describes it.

    Keys that are not known are kept in `extra` and written again. Raises TimelineError, whose `path` says where: for
    what is no JSON, is of a later version, or has a key, formula or easing that cannot be used.
    """
    if not isinstance(text, str):
        raise TimelineError(f"a timeline is a text in JSON, not a {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise TimelineError(f"the text is {len(text)} characters long; {MAX_TEXT} is the most")
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise TimelineError(f"this is no JSON: {error.msg}, line {error.lineno}, column {error.colno}") from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, TimelineError):
            raise
        raise TimelineError("this JSON is nested too deeply, or has a number that is too long") from error
    _check_depth(data)
    return _timeline(data)


def write_timeline(timeline: Timeline) -> str:
    """The file's text, of the version VERSION: `parse_timeline` makes an equal timeline of it."""
    data = {
        "format": FORMAT,
        "version": VERSION,
        "fps": _number(timeline.fps),
        "bpm": _number(timeline.bpm),
        "length": timeline.length,
        "tracks": [
            {
                "name": track.name,
                "kind": track.kind,
                "enabled": track.enabled,
            }
            | ({"interpolation": track.interpolation} if track.interpolation else {})
            | {"keys": [_key_data(key) for key in track.keys], **track.extra}
            for track in timeline.tracks
        ],
        "prompts": [
            {"start": span.start}
            | ({} if span.end is None else {"end": span.end})
            | {"text": span.text, "negative": span.negative, "enabled": span.enabled, **span.extra}
            for span in timeline.prompts
        ],
        "markers": [{"frame": marker.frame, "label": marker.label, **marker.extra} for marker in timeline.markers],
        **timeline.extra,
    }
    written = json.dumps(data, ensure_ascii=False, indent=1)
    try:
        written.encode()
    except UnicodeEncodeError:  # half a character, which a file cannot hold but for its escape
        return json.dumps(data, indent=1)
    return written


def _key_data(key: Key) -> dict[str, Any]:
    data: dict[str, Any] = {"frame": key.frame}
    if key.expression:
        data["expression"] = key.expression
    else:
        data["value"] = _number(key.value) if isinstance(key.value, float) else key.value
    if key.easing:
        data["easing"] = key.easing
    return data | ({} if key.enabled else {"enabled": False}) | dict(key.extra)


def _number(number: float) -> float | int:
    """Without a point where it is whole, as the page writes it."""
    return int(number) if number.is_integer() and abs(number) < 2**53 and math.copysign(1, number) > 0 else number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise TimelineError(f"{shorten(twice)!r} stands twice in one object")
    return data


def _check_depth(data: Any) -> None:
    """What is read must also be written again, which takes a stack."""
    level = [data]
    for _ in range(_MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict | list):
                inner += item.values() if isinstance(item, dict) else item
        level = inner
    if level:
        raise TimelineError(f"this JSON is nested more than {_MAX_DEPTH} deep")


def _no_constant(name: str) -> Any:
    raise TimelineError(f"{name} is no number that a timeline may hold")


class _Reader:
    """One JSON object: its entries are taken out by name, and what is left is what is not known."""

    def __init__(self, data: Any, path: str):
        if not isinstance(data, dict):
            raise TimelineError(f"an object in braces is wanted, not {_shown(data)}", path)
        self.rest, self.path = dict(data), path

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, wanted: str, fits: Callable[[Any], bool], default: Any = ...) -> Any:
        """The entry, or `default` where there is none (... for a must)."""
        if name not in self.rest:
            if default is ...:
                raise TimelineError(f"{name} is missing; {wanted} is wanted", self.path)
            return default
        value = self.rest.pop(name)
        if not fits(value):
            raise TimelineError(f"{wanted} is wanted, not {_shown(value)}", self.at(name))
        return value

    def flag(self, name: str) -> bool:
        return self.take(name, "true or false", lambda value: isinstance(value, bool), True)

    def text(self, name: str, default: Any = "") -> str:
        return self.take(name, "a text", lambda value: isinstance(value, str), default)

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        return self.take(name, f"one of {', '.join(choices)}", lambda value: value in choices, default)

    def rate(self, name: str, default: float) -> float:
        return float(self.take(name, "a number above 0", lambda value: _is_number(value) and value > 0, default))

    def time(self, name: str, default: Any = ...) -> Any:
        wanted = 'a frame (a whole number) or a text such as "2.5s", "8b" or "max_f/2"'
        value = self.take(name, wanted, lambda value: isinstance(value, str) or _is_whole(value), default)
        if value is None:
            return None
        try:
            parse_key(str(value).strip()) if isinstance(value, str) else None
        except ExpressionError as error:
            raise TimelineError(error.reason, self.at(name)) from error
        return value if isinstance(value, str) else int(value)

    def items(self, name: str, read: Callable[[_Reader], _T]) -> tuple[_T, ...]:
        values = self.take(name, "a list", lambda value: isinstance(value, list), [])
        if len(values) > MAX_ITEMS:
            raise TimelineError(f"the list has {len(values)} entries; {MAX_ITEMS} is the most", self.at(name))
        return tuple(read(_Reader(value, f"{self.at(name)}[{i}]")) for i, value in enumerate(values))


def _timeline(data: Any) -> Timeline:
    reader = _Reader(data, "")
    reader.take("format", f'the text "{FORMAT}"', lambda value: value == FORMAT)
    version = reader.take("version", "a whole number from 1", lambda value: _is_whole(value) and value >= 1)
    if version > VERSION:
        raise TimelineError(
            f"the file is of version {version}, and this Framedrift reads versions up to {VERSION}: update it, or save "
            "the timeline for the older version",
            "version",
        )
    wanted = f"a whole number of frames from 1 to {MAX_FRAMES}"
    length = int(reader.take("length", wanted, lambda value: _is_whole(value) and 1 <= value <= MAX_FRAMES))
    fps, bpm = reader.rate("fps", 15.0), reader.rate("bpm", 120.0)
    tracks = reader.items("tracks", _track)
    first: dict[str, int] = {}
    for i, track in enumerate(tracks):
        if first.setdefault(track.name, i) != i:
            raise TimelineError(f"there is a track {shorten(track.name)!r} already", f"tracks[{i}].name")
    prompts, markers = reader.items("prompts", _span), reader.items("markers", _marker)
    return Timeline(length, fps, bpm, tracks, prompts, markers, reader.rest)


def _track(reader: _Reader) -> Track:
    name = reader.take("name", "a name", lambda value: isinstance(value, str) and value.strip() != "")
    kind = reader.choice("kind", KINDS, "number")
    enabled = reader.flag("enabled")
    way = reader.choice("interpolation", INTERPOLATIONS, "")
    _check_holds(kind, way or "hold", reader.at("interpolation"))
    keys = reader.items("keys", lambda key: _key(key, kind))
    return Track(name, kind, keys, way, enabled, reader.rest)


def _key(reader: _Reader, kind: str) -> Key:
    frame = reader.time("frame")
    easing = reader.choice("easing", INTERPOLATIONS, "")
    _check_holds(kind, easing or "hold", reader.at("easing"))
    enabled = reader.flag("enabled")
    expression = reader.text("expression")
    if ("value" in reader.rest) == bool(expression):
        raise TimelineError("a key has a value or an expression, and not both", reader.path)
    if not expression:
        return Key(frame, _value(reader, kind), "", easing, enabled, reader.rest)
    if kind not in ("number", "seed"):
        raise TimelineError(f"a key of {kind} has no expression; write its value", reader.at("expression"))
    try:
        parse_expression(expression)
    except ExpressionError as error:
        column = f", column {error.column}" if error.column else ""
        raise TimelineError(error.reason, f"{reader.at('expression')}{column}") from error
    return Key(frame, None, expression, easing, enabled, reader.rest)


def _value(reader: _Reader, kind: str) -> float | int | str:
    if kind == "number":
        return float(reader.take("value", "a number", _is_number))
    if kind == "seed":
        fits = lambda value: _is_whole(value) and 0 <= value <= _LARGEST_SEED  # noqa: E731 - read where it is used
        return int(reader.take("value", f"a whole number from 0 to {_LARGEST_SEED}", fits))
    return reader.take("value", "a text", lambda value: isinstance(value, str))


def _span(reader: _Reader) -> PromptSpan:
    start, text = reader.time("start"), reader.text("text", ...)
    return PromptSpan(
        start, text, reader.time("end", None), reader.text("negative"), reader.flag("enabled"), reader.rest
    )


def _marker(reader: _Reader) -> Marker:
    return Marker(reader.time("frame"), reader.text("label"), reader.rest)


def _check_holds(kind: str, way: str, path: str) -> None:
    if kind != "number" and way != "hold":
        raise TimelineError(f"only tracks of numbers run from key to key; a track of {kind} holds", path)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # A whole number of JSON may be larger than any float.
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 10**300


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return shorten(json.dumps(value, default=str))
