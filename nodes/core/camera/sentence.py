"""The words of a sentence about a camera, one by one: terms of the vocabulary, amounts and times."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import FramedriftError
from .vocabulary import LONGEST, NUMBERS, ROUNDS, SHARES, TERMS, UNITS

_MOST_NUMBER = 1e6
_PIECES = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+|->|[^\W\d_]+(?:['’][^\W\d_]+)?|\n|\S")
# Marks that say nothing here. Dashes do: between numbers.
_QUIET = frozenset("_\"'’‘“”()[]{}!?…*#~`<>=")
_DASHES = frozenset("-–—")
_DURATION = frozenset(("over", "for", "in", "within", "during", "lasting", "across", "lasts", "takes", "taking"))
_START = frozenset(("at", "after", "from", "since", "starting", "beginning", "start", "begin"))
_UNTIL = frozenset(("until", "till", "by", "ending", "to"))
_BETWEEN = frozenset(("to", "until", "till", "and", "through", "by", *_DASHES))
_PAIRED = frozenset(("from", "between", "at", "frames", "frame", "starting", "beginning"))

_THE = frozenset(("the", "about", "first"))
_BEFORE_TIME = _THE | {"at", "from", "around"}

Words = list[tuple[str, int]]
"""Pieces of the text in lower case, each with its column, from 1."""


@dataclass(frozen=True)
class Time:
    """A moment or a length: a number of seconds ("s") or of frames ("f")."""

    value: float
    unit: str

    def frames(self, fps: float) -> float:
        """The same in frames."""
        return self.value * fps if self.unit == "s" else self.value


@dataclass(frozen=True)
class Span:
    """When a move happens, as far as it was said: from the animation's first frame, or for how long."""

    start: Time | None = None
    end: Time | None = None
    duration: Time | None = None

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return bool(self.start or self.end or self.duration)

    def apart(self, other: Span) -> bool:
        """Whether it is known, at any rate of frames, that the two have no moment in common."""
        return self._before(other) or other._before(self)

    def _before(self, other: Span) -> bool:
        end = self.end
        if end is None and self.start and self.duration and self.start.unit == self.duration.unit:
            end = Time(self.start.value + self.duration.value, self.start.unit)
        return bool(end and other.start and end.unit == other.start.unit and end.value <= other.start.value)


@dataclass(frozen=True)
class Unknown:
    """Words that were not understood, and the column that they begin at, from 1."""

    text: str
    column: int

    def __str__(self) -> str:
        """As a list shows it."""
        return f"{self.text} (column {self.column})"


@dataclass(frozen=True)
class Item:
    """One thing that was said.

    Attributes:
        kind: of `vocabulary.Term`, or "amount", or "time".
        value: the vocabulary's key.
        column: where it begins, from 1.
        said: its first word as it stands there, in lower case.
        soft: a direction that counts only where nothing clearer is said.
        amount, unit: of an amount; the unit is None where none was said.
        span: of a time.
    """

    kind: str
    value: str
    column: int
    said: str = ""
    soft: bool = False
    amount: float = 0.0
    unit: str | None = None
    span: Span = Span()


def scan(text: str) -> tuple[list[Item], list[Unknown]]:
    """Everything that was said in a text, in order, and the words that were not understood."""
    words = [(match[0].lower(), match.start() + 1) for match in _PIECES.finditer(text)]
    words = [(word, column) for word, column in words if word not in _QUIET]
    items: list[Item] = []
    unknown: list[Unknown] = []
    at = clause = 0
    while at < len(words):
        word, column = words[at]
        verb = any(item.kind == "verb" for item in items[clause:])
        item, after = _time(words, at) or _amount(words, at, verb) or _term(words, at) or (None, at + 1)
        if item is None or item.kind == "unknown":
            last, begins = words[after - 1]
            if word not in _DASHES:
                unknown.append(Unknown(text[column - 1 : begins - 1 + len(last)], column))
        elif item.kind != "filler":
            items.append(item)
            if item.kind in ("join", "then"):
                clause = len(items)
        at = after
    return items, unknown


def _term(words: Words, at: int) -> tuple[Item, int] | None:
    """The longest phrase of the vocabulary here; hyphens inside it do not count."""
    names, ends = [], []
    for place in range(at, min(at + 3 * LONGEST, len(words))):
        if words[place][0] not in _DASHES:
            names.append(words[place][0].replace("’", "'"))
            ends.append(place + 1)
        if len(names) == LONGEST:
            break
    for count in range(len(names), 0, -1):
        term = TERMS.get(tuple(names[:count]))
        if term is not None:
            return Item(term.kind, term.value, words[at][1], words[at][0], term.soft), ends[count - 1]
    return None


def _past(words: Words, at: int, passed: frozenset[str]) -> int:
    """The place after words that say nothing, at most three of them."""
    end = min(at + 3, len(words))
    while at < end and words[at][0] in passed:
        at += 1
    return at


def _number(words: Words, at: int) -> float | None:
    if at >= len(words):
        return None
    word = words[at][0]
    if word in NUMBERS:
        return float(NUMBERS[word])
    # By characters: other scripts have digits too, and `float` reads them.
    if not (word[0] in "0123456789" or (word[0] == "." and len(word) > 1)):
        return None
    number = float(word)
    if number > _MOST_NUMBER:
        raise FramedriftError(f"text: column {words[at][1]} has {word[:20]}, which is too large")
    return number


def _unit(words: Words, at: int) -> tuple[str, float, int] | None:
    """The unit here, its factor, and where it ends; "degrees" may follow a dash."""
    at = _past(words, at, _DASHES)
    if at < len(words) and words[at][0] in ("scene", "full", "whole"):
        at += 1
    if at >= len(words) or words[at][0] not in UNITS:
        return None
    unit, factor = UNITS[words[at][0]]
    return unit, factor, at + 1


def _moment(words: Words, at: int, bare: str | None = None) -> tuple[Time, int] | None:
    """A number with a unit of time, "frame 3", or, where `bare` names a unit, a number alone."""
    framed = at < len(words) and words[at][0] in ("frame", "frames")
    if framed:
        at += 1
    at = _past(words, at, _THE)
    value = _number(words, at)
    if value is None:
        return None
    unit = None if framed else _unit(words, at + 1)
    if unit is not None and unit[0] in "sf":
        return Time(value, unit[0]), unit[2]
    if framed:
        return Time(value, "f"), at + 1
    return (Time(value, bare), at + 1) if bare and unit is None else None


def _time(words: Words, at: int) -> tuple[Item, int] | None:
    """When or for how long, if that is said here."""
    word, column = words[at]
    after = _past(words, at + 1, _BEFORE_TIME)
    span, end = None, at
    starts = word in _PAIRED
    pair = _pair(words, at if word in ("frames", "frame") else after) if starts else None
    if pair is not None:
        span, end = Span(start=pair[0], end=pair[1]), pair[2]
    elif word in _DURATION and (found := _moment(words, after)):
        span, end = Span(duration=found[0]), found[1]
        if any(said == "first" for said, _ in words[at:after]):
            span = Span(start=Time(0, "s"), duration=found[0])
    elif word in _START and (found := _moment(words, after)):
        span, end = Span(start=found[0]), found[1]
    elif word in _UNTIL and (found := _moment(words, after)):
        span, end = Span(end=found[0]), found[1]
    elif (found := _moment(words, at)) is not None:
        # "3 seconds" is how long, "frame 3" is when.
        span = Span(start=found[0]) if word in ("frame", "frames") else Span(duration=found[0])
        end = found[1]
    if span is None:
        return None
    _check_span(span, column)
    return Item("time", "", column, span=span), end


def _pair(words: Words, at: int) -> tuple[Time, Time, int] | None:
    """Two moments with "to" between them; a unit may stand with the second alone."""
    first = _moment(words, at)
    if first is None:
        value = _number(words, at)
        if value is None:
            return None
        first = (None, at + 1)
    here = first[1]
    if here >= len(words) or words[here][0] not in _BETWEEN:
        return None
    second = _moment(words, here + 1, None if first[0] is None else first[0].unit)
    if second is None:
        return None
    start = first[0] or Time(_number(words, at) or 0.0, second[0].unit)
    return start, second[0], second[1]


def _amount(words: Words, at: int, verb: bool) -> tuple[Item, int] | None:
    """How much, if that is said here: a number with a unit or without, "half" before a word for a round.

    `verb` is whether the clause has one already: it orbits half a turn, but half a turn alone turns.
    """
    word, column = words[at]
    following = words[at + 1][0] if at + 1 < len(words) else ""
    if word in SHARES and following.rstrip("s") in ROUNDS:
        ends = at + 2 if verb or following.rstrip("s") in ("revolution", "rotation") else at + 1
        return Item("amount", word, column, amount=SHARES[word], unit="degrees"), ends
    if (
        word in _DASHES
        and at + 1 < len(words)
        and words[at + 1][1] == column + 1
        and _number(words, at + 1) is not None
    ):
        # After a space it is a sign; after a word or a number, as in push-in-2 and 10-40, it joins.
        if not at or words[at - 1][1] + len(words[at - 1][0]) < column:
            raise FramedriftError(
                f"text: column {column} has a number below 0; amounts are above 0, and a word says the direction"
            )
        return None
    value = _number(words, at)
    if value is None:
        return None
    unit = _unit(words, at + 1)
    if unit is None:
        if following[:1].isalpha() and words[at + 1][1] == column + len(word):
            # A unit that is no unit of a camera's, as in 35mm.
            return Item("unknown", word, column), at + 2
        # "One" and the like are mostly no amounts.
        return Item("filler" if word in NUMBERS else "amount", word, column, amount=value), at + 1
    return Item("amount", word, column, amount=value * unit[1], unit=unit[0]), unit[2]


def _check_span(span: Span, column: int) -> None:
    if span.duration is not None and span.duration.value == 0:
        raise FramedriftError(f"text: column {column} gives no time; it must be more than 0")
    if span.start and span.end and span.start.unit == span.end.unit and span.end.value <= span.start.value:
        raise FramedriftError(
            f"text: column {column} ends at {span.end.value:g} {span.end.unit}, not after its start at "
            f"{span.start.value:g} {span.start.unit}"
        )
