"""The ways in which a prompt schedule is written: Deforum's JSON, the same without braces, and lines."""

from __future__ import annotations

import bisect
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .compose import composition
from .convert import as_schedule
from .errors import ExpressionError, PromptError, shorten
from .formulas import WEIGHTS, check_formulas, has_formulas
from .keys import KeyTime, parse_key
from .prompts import Additions, PromptKey, PromptSchedule, split_negative

log = logging.getLogger("framedrift")

#: Longest prompt text, in characters.
MAX_TEXT = 500_000
#: Most keys in one text.
MAX_KEYS = 20_000

_EXAMPLE = 'write {"0": "a cat", "24": "a dog"}, or one line a key: 0: a cat'
_BLANKS = re.compile(r"(?:\s|#[^\n]*(?:\n|$)|//[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*+\*/)*+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"|\'((?:[^\'\\]|\\.)*+)\'', re.DOTALL)
_BARE_KEY = re.compile(
    r"[+-]?[0-9.][0-9.\s+\-*/%]*+[sb]?\s*+(?=:)|(?=[^:\n]*\bmax_f\b)[\w.+\-*/%()][\w.+\-*/%() ]*+(?=:)"
)
_LINE = re.compile(rf"[ \t]*(?:\"(?P<quoted>[^\"\n]*)\"|(?P<bare>{_BARE_KEY.pattern}))[ \t]*:(?P<text>[^\n]*)")
_CURLY_KEY = re.compile(r"\s*\{?\s*[“”„‟][^“”„‟\n]{1,40}[“”„‟]\s*:")
#: Units of time: a prompt schedule has no fps to turn them into frames.
_CLOCK = ("s", "b")
_ADDED = ("negative", "positive", "pre_text", "app_text", "style")
_SHARE = re.compile(r"0?\.[0-9]+")


@dataclass(frozen=True)
class _Written:
    """A key and its text as they stand; line 1-based."""

    key: str
    text: str
    line: int


def parse_prompts(
    text: str,
    negative: str = "",
    *,
    positive: str = "",
    pre_text: str = "",
    app_text: str = "",
    style: str = "",
    weights: Mapping[str, Any] | None = None,
) -> PromptSchedule:
    """Reads a prompt schedule.

    Args:
        text: Deforum's JSON (`{"0": "a cat", "24": "a dog --neg rain"}`), the same without braces, or lines of
            `0: a cat`, where lines without a key belong to the prompt before. Trailing commas, comments, single quotes
            and a word processor's quotes are fine. A key is a frame, a share of the animation (`0.5`) or a formula of
            `max_f` and `s`. `--neg` parts the negative text off; formulas of `t`, `s`, `max_f` and pw_a to pw_d stand
            between backticks. The last of two equal keys wins, with a warning.
        negative: added to the negative text of every frame.
        positive, pre_text, app_text, style: added to the prompt of every frame, see `Additions`.
        weights: what pw_a to pw_d are, as whatever `as_schedule` takes; 1 where they are not given.

    Raises:
        PromptError: names the line and the key, or the input, and what would be right.
        ScheduleError: a weight is no schedule.
    """
    added = {"positive": positive, "pre_text": pre_text, "app_text": app_text, "style": style}
    for what, given in (("The text", text), ("negative", negative), *added.items()):
        if not isinstance(given, str):
            raise PromptError(f"{what} is a {type(given).__name__}; {_EXAMPLE}")
        if len(given) > MAX_TEXT:
            raise PromptError(f"{what} is {len(given)} characters long; {MAX_TEXT} is the most")
    schedules = [(name, as_schedule(value, name)) for name, value in (weights or {}).items()]
    for name, schedule in schedules:
        if name not in WEIGHTS:
            raise PromptError(f"there is no weight {name!r}; they are called {', '.join(WEIGHTS)}")
        if any(key.time.unit in _CLOCK for key in schedule.keys):
            raise PromptError(f"{name}: prompts do not know the fps; give its keys in frames, or as max_f/2")
    return _parsed(text, negative, Additions(**added, weights=tuple(schedules)))


@lru_cache(maxsize=64)
def _parsed(text: str, negative: str, added: Additions) -> PromptSchedule:
    if not text.strip():
        raise PromptError(f"the text is empty; {_EXAMPLE}")
    for name, part in zip(_ADDED, (negative, *added.texts), strict=True):
        check_formulas(part, name=name)
    plain = _straightened(text)
    written = _object(plain) if _is_object(plain) else _lines(plain)
    if len(written) > MAX_KEYS:
        raise PromptError(f"the text has {len(written)} keys; {MAX_KEYS} are the most")
    keys: dict[str, PromptKey] = {}
    doubled: dict[str, int] = {}
    for entry in written:
        if entry.key in keys:
            doubled[entry.key] = entry.line
        # Taken out first: of keys at one frame the one that stands last counts.
        keys.pop(entry.key, None)
        keys[entry.key] = _key(entry)
    if doubled:
        listed = ", ".join(f"{key} (line {line})" for key, line in list(doubled.items())[:10])
        log.warning("Prompts: a key stands more than once, and its last prompt counts: %s.", listed)
    return PromptSchedule(text, negative, tuple(keys.values()), added)


def _straightened(text: str) -> str:
    """The text with straight quotes where a word processor's stand around a key, and so around the prompts too."""
    if '"' in text or not _CURLY_KEY.match(text):
        return text
    return re.sub("[“”„‟]", '"', text)


def _key(entry: _Written) -> PromptKey:
    check_formulas(entry.text, entry.key, entry.line)
    if not has_formulas(entry.text):
        try:
            composition(split_negative(entry.text)[0])
        except PromptError as error:
            raise PromptError(error.reason, entry.key, entry.line) from error
    if _SHARE.fullmatch(entry.key) and 0.0 < float(entry.key) < 1.0:
        return PromptKey(KeyTime(entry.key), entry.text, entry.line, share=float(entry.key))
    try:
        time = parse_key(entry.key)
    except ExpressionError as error:
        reason = f"the key must be a frame such as 24, or a formula such as max_f/2: {error.reason}"
        raise PromptError(reason, shorten(entry.key), entry.line) from error
    if time.unit in _CLOCK:
        reason = "seconds and beats are for value schedules; give prompts a frame, or a formula such as max_f/2"
        raise PromptError(reason, entry.key, entry.line)
    return PromptKey(time, entry.text, entry.line)


# ---------------------------------------------------------------- JSON, and what is nearly JSON


def _is_object(text: str) -> bool:
    """Whether the text is meant as an object: braces, or a key followed by a quoted text that ends in one."""
    start = _after_blanks(text, 0)
    if text[start : start + 1] in ("{", "["):
        return True
    key = _QUOTED.match(text, start) or _BARE_KEY.match(text, start)
    if key is None:
        return False
    colon = _after_blanks(text, key.end())
    quoted = _QUOTED.match(text, _after_blanks(text, colon + 1)) if text[colon : colon + 1] == ":" else None
    if quoted is None:
        return False
    return text[_after_blanks(text, quoted.end()) :][:1] in ("", ",", "}", '"')


def _object(text: str) -> list[_Written]:
    return _Object(text).members()


class _Object:
    """One pass over a text that is meant as an object."""

    def __init__(self, text: str):
        self.text = text
        self.breaks = [match.start() for match in re.finditer("\n", text)]

    def members(self) -> list[_Written]:
        text = self.text
        at = _after_blanks(text, 0)
        if text[at] == "[":
            raise PromptError(f"a list has no frames; {_EXAMPLE}", line=self.line(at))
        braces = text[at] == "{"
        at = _after_blanks(text, at + braces)
        written: list[_Written] = []
        while at < len(text) and text[at] != "}":
            entry, at = self.member(at)
            written.append(entry)
            if text[at : at + 1] == ",":
                at = _after_blanks(text, at + 1)
            elif at < len(text) and text[at] != "}":
                raise PromptError(f"a comma is missing before {self.rest(at)}", shorten(entry.key), self.line(at))
        if braces and at >= len(text):
            raise PromptError("the brace { is not closed; end the text with }", line=self.line(at))
        if not braces and at < len(text):
            raise PromptError("the brace } was never opened; begin the text with {", line=self.line(at))
        if (after := _after_blanks(text, at + 1)) < len(text):
            raise PromptError(
                f"nothing may follow the closing brace, but {self.rest(after)} does", line=self.line(after)
            )
        if not written:
            raise PromptError(f"there is no prompt between the braces; {_EXAMPLE}")
        return written

    def member(self, at: int) -> tuple[_Written, int]:
        """One `"key": "text"` and the position of what follows it."""
        text, line = self.text, self.line(at)
        key = _QUOTED.match(text, at) or _BARE_KEY.match(text, at)
        if key is None:
            raise PromptError(f'a key such as "0" is wanted, not {self.rest(at)}; {_EXAMPLE}', line=line)
        name = (_unescaped(key, None, line) if key.re is _QUOTED else key[0]).strip()
        at = _after_blanks(text, key.end())
        if text[at : at + 1] != ":":
            raise PromptError(f'a colon is missing behind the key; write "{shorten(name)}": "..."', shorten(name), line)
        at = _after_blanks(text, at + 1)
        value = _QUOTED.match(text, at)
        if value is None:
            begun = text[at : at + 1] in ('"', "'")
            reason = "the quote that begins the prompt is not closed" if begun else "the prompt must stand in quotes"
            raise PromptError(f'{reason}; write "{shorten(name)}": "a cat"', shorten(name), self.line(at))
        return _Written(name, _unescaped(value, name, line), line), _after_blanks(text, value.end())

    def line(self, at: int) -> int:
        return bisect.bisect_left(self.breaks, at) + 1

    def rest(self, at: int) -> str:
        return repr(shorten(self.text[at : at + 60], 20))


def _unescaped(match: re.Match[str], key: str | None, line: int) -> str:
    """What a quoted text says. Line breaks and tabs may stand in it as they are, which JSON forbids."""
    inner = match[1] if match[1] is not None else re.sub(r'(?<!\\)"', r"\"", match[2].replace("\\'", "'"))
    # Backslashes before brackets are how prompts say that no weight is meant: kept, though JSON has no such escape.
    inner = re.sub(r'\\(["\\/bfnrtu])|\\', lambda mark: mark[0] if mark[1] else "\\\\", inner)
    try:
        return json.loads(f'"{inner}"', strict=False)
    except ValueError as error:
        reason = r"a backslash with u needs four hexadecimal digits, as in \u00e9; write \\ for a backslash"
        raise PromptError(reason, key, line) from error


# ---------------------------------------------------------------- lines


def _lines(text: str) -> list[_Written]:
    found: list[tuple[str, list[str], int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(?:#\s|//)", line):
            continue
        if (match := _LINE.match(line)) is not None:
            key = match["quoted"] if match["quoted"] is not None else match["bare"]
            found.append((key.strip(), [match["text"].strip()], number))
        elif found:
            found[-1][1].append(line.strip())
        elif line.strip():
            found.append(("", [line.strip()], number))
    if found and found[0][0]:
        return [_Written(key, _bare("\n".join(lines).strip()), number) for key, lines, number in found]
    line, begun = (found[0][2], shorten(found[0][1][0], 30)) if found else (1, shorten(text, 30))
    raise PromptError(f"{begun!r} is neither JSON nor a line with its frame; {_EXAMPLE}", line=line)


def _bare(text: str) -> str:
    """A line's text without quotes around it and the comma behind them."""
    match = re.fullmatch(r'"([^"]*)"\s*,?|\'([^\']*)\'\s*,?', text)
    if match is None:
        return text
    return (match[1] if match[1] is not None else match[2]).strip()


def _after_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at
