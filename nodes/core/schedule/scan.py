"""A schedule's text cut into its keys and values, along its brackets and quotes and never at any comma."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ScheduleError, shorten

#: Longest schedule text, in characters: over ten thousand keys.
MAX_TEXT = 500_000
#: Most keys in one text.
MAX_KEYS = 20_000
#: Longest value of one key, in characters.
MAX_VALUE = 4000

_MARKS = re.compile(r"[()\"',:\n]")
# Possessive, so that a long text without any colon costs no more than its length.
_NEXT_KEY = re.compile(r"\s*+[\"']?+[\w .+\-*/%]++[\"']?+[ \t]*+:")
_BLANKS = re.compile(r"\s*")


@dataclass(frozen=True)
class Entry:
    """A key and its value as they stand in the text, unwrapped; positions are 0-based in the whole text."""

    key: str
    key_at: int
    value: str
    value_at: int


def scan(text: str, name: str = "", *, plain: bool = False) -> list[Entry]:
    """The entries of a schedule text, in order of appearance; at least one.

    A text without any key is one entry with the key "0". Quotes and brackets around keys and values are taken off.
    `plain` is for schedules of names: colons and apostrophes may stand in a value. Raises ScheduleError.
    """
    if len(text) > MAX_TEXT:
        raise ScheduleError(f"the text is {len(text)} characters long; {MAX_TEXT} is the most", name)
    if not text.strip():
        raise ScheduleError("the text is empty; write a number, or keys such as 0:(1.0), 30:(2.0)", name)
    start, end = _unquoted(text)
    return _Scanner(text, start, end, name, plain).entries()


def _unquoted(text: str) -> tuple[int, int]:
    """Where the text begins and ends, without quotes around all of it."""
    start, end = _trimmed(text, 0, len(text))
    if text[start] in "\"'" and text.find(text[start], start + 1) == end - 1 and ":" in text[start:end]:
        return _trimmed(text, start + 1, end - 1)
    return start, end


class _Scanner:
    def __init__(self, text: str, start: int, end: int, name: str, plain: bool):
        self.text, self.start, self.end, self.name, self.plain = text, start, end, name, plain

    def entries(self) -> list[Entry]:
        pieces = self._pieces()
        if len(pieces) > 1 and not self.text[pieces[-1][0] : pieces[-1][2]].strip():
            pieces.pop()
        return [self._entry(*piece, alone=len(pieces) == 1) for piece in pieces]

    def _pieces(self) -> list[tuple[int, int | None, int]]:
        """(start, position of the colon after the key or None, end) of everything between the commas that separate."""
        pieces: list[tuple[int, int | None, int]] = []
        opened: list[int] = []
        begin, colon, at = self.start, None, self.start
        value_at = 0
        while (mark := _MARKS.search(self.text, at, self.end)) is not None:
            here, character = mark.start(), mark[0]
            at = here + 1
            if character in "\"'":
                at = self._after_quote(here, begin)
            elif character == "(":
                opened.append(here)
            elif character == ")":
                if not opened:
                    raise self._error("')' closes no bracket; take it away or open one before it", here, begin, colon)
                opened.pop()
            elif opened:
                continue
            elif character == ":":
                if colon is None:
                    colon, value_at = here, _first(self.text, at, self.end)
                elif not self.plain:
                    raise self._error("a second ':' in one key; is a comma missing before it?", here, begin, colon)
            elif character == "," or (colon is not None and value_at < here and self._key_follows(here)):
                pieces.append((begin, colon, here))
                if len(pieces) > MAX_KEYS:
                    raise ScheduleError(f"the text has more than {MAX_KEYS} keys", self.name)
                begin, colon = at, None
        if opened:
            raise self._error("'(' is not closed", opened[-1], begin, colon)
        pieces.append((begin, colon, self.end))
        return pieces

    def _after_quote(self, here: int, begin: int) -> int:
        """The position behind a quoted part; behind the mark alone where it quotes nothing."""
        before = here - 1
        while before >= begin and self.text[before].isspace():
            before -= 1
        if before >= begin and self.text[before] not in "(:":
            return here + 1
        closing = self.text.find(self.text[here], here + 1, self.end)
        if closing < 0:
            raise self._error(f"the quote {self.text[here]} is not closed", here, begin, None)
        return closing + 1

    def _key_follows(self, here: int) -> bool:
        """Whether a new key begins behind a line's end: the end stands for a comma then."""
        return _NEXT_KEY.match(self.text, here, min(self.end, here + 100)) is not None

    def _entry(self, begin: int, colon: int | None, end: int, alone: bool) -> Entry:
        if not self.text[begin:end].strip():
            raise self._error("nothing stands between two commas", begin, begin, None)
        if colon is None:
            if not alone:
                part = shorten(self.text[begin:end], 30)
                raise self._error(
                    f"'{part}' has no key; write frame:(value)", _trimmed(self.text, begin, end)[0], begin, None
                )
            return Entry("0", begin, *self._unwrapped(begin, end, "0"))
        key, key_at = self._unwrapped(begin, colon, None)
        if not key:
            raise self._error("a frame is missing before ':'", colon, begin, None)
        value, value_at = self._unwrapped(colon + 1, end, key)
        if not value and not self.plain:
            raise ScheduleError("there is no value; write a number or a formula", self.name, key, value_at + 1)
        return Entry(key, key_at, value, value_at)

    def _unwrapped(self, begin: int, end: int, key: str | None) -> tuple[str, int]:
        """The text without the blanks, quotes and brackets around it, and its position."""
        if end - begin > MAX_VALUE:
            raise ScheduleError(
                f"the value is {end - begin} characters long; {MAX_VALUE} is the most", self.name, key, begin + 1
            )
        start, end = _trimmed(self.text, begin, end)
        while end - start >= 2:
            first = self.text[start]
            if first == "(" and _matching(self.text, start, end) == end - 1:
                start, end = _trimmed(self.text, start + 1, end - 1)
            elif first in "\"'" and self.text.find(first, start + 1, end) == end - 1:
                inner = _trimmed(self.text, start + 1, end - 1)
                start, end = inner
                if self.plain:
                    break
            else:
                break
        return self.text[start:end], start

    def _error(self, reason: str, at: int, begin: int, colon: int | None) -> ScheduleError:
        key = self.text[begin:colon].strip().strip("\"'") if colon is not None else None
        return ScheduleError(reason, self.name, key, at + 1)


def _first(text: str, start: int, end: int) -> int:
    """The position of the first character that is no blank."""
    blanks = _BLANKS.match(text, start, end)
    return blanks.end() if blanks else start


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _matching(text: str, start: int, end: int) -> int:
    """Where the bracket that opens at `start` closes, -1 where it does not; brackets in quotes do not count."""
    depth, at = 0, start
    while at < end:
        character = text[at]
        if character in "\"'" and text[start:at].rstrip()[-1:] in "(:":
            closing = text.find(character, at + 1, end)
            at = closing if closing > 0 else at
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return at
        at += 1
    return -1
