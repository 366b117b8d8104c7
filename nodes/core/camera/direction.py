"""A sentence about a camera, read: "slow push-in, slight handheld, drifting left" as phrases with numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations

from ..errors import FramedriftError
from .sentence import Item, Span, Unknown, scan
from .vocabulary import KINDS, PACES, POWERS, VERBS

MOST_LETTERS = 10_000
MOST_PHRASES = 64
# However often "very" is said.
SLOWEST, FASTEST = 0.05, 12.0
_MOST = {"degrees": 36_000.0, "scene units": 10_000.0, "times": 100.0}
# What a clause is about.
_HEADS = frozenset(("verb", "still", "shake"))
_KNOWN = (
    "push in, pull back, pan, tilt, roll, truck, pedestal, orbit, arc, crane, dolly zoom, spiral, drift, zoom, "
    "handheld, walking, vehicle, earthquake, static"
)


@dataclass(frozen=True)
class Phrase:
    """One thing that the camera does.

    Attributes:
        kind: of `vocabulary.KINDS`, a shake of `vocabulary.SHAKES`, or "static".
        sign: 1 or -1; in, right, up and clockwise are 1.
        factor: of the speed of a move, of the amount of a shake.
        frequency: factor of a shake's frequency.
        amount: in the kind's unit, over all the move; None: a speed, `factor` times `pace` times the kind's rate.
        span: when, as far as it was said.
        seconds: how long it lasts where `span` does not say; None: all its phase.
        easing: as `Move` knows it; None where nothing was said.
        verb: its name in `vocabulary.VERBS`; "" for shakes and rest.
        pace: of its verb.
        manner: adverbs, for the text for video models.
        column: where it begins in the text, from 1.
    """

    kind: str
    sign: int = 1
    factor: float = 1.0
    frequency: float = 1.0
    amount: float | None = None
    span: Span = Span()
    seconds: float | None = None
    easing: str | None = None
    verb: str = ""
    pace: float = 1.0
    manner: tuple[str, ...] = ()
    column: int = 1

    @property
    def moves(self) -> bool:
        """Whether it is a move, not a shake and not rest."""
        return self.kind in KINDS

    @property
    def name(self) -> str:
        """Verb and direction, as "pan to the left"."""
        return " ".join(KINDS[self.kind].says[self.sign < 0]).strip() if self.moves else self.kind


@dataclass(frozen=True)
class Direction:
    """A sentence, read: phases follow each other, what is in one happens together."""

    text: str
    phases: tuple[tuple[Phrase, ...], ...]
    not_understood: tuple[Unknown, ...] = ()


@dataclass
class _Draft:
    # A phrase while its words come in: the name of its verb, or of its shake ("static" for rest).
    verb: str
    shake: str
    column: int
    said: str
    clause: int
    directions: list[Item] = field(default_factory=list)
    modifiers: list[Item] = field(default_factory=list)


def parse_direction(text: str) -> Direction:
    """Reads a sentence.

    Args:
        text: English, in any case and with any spaces, at most 10,000 letters.

    Raises:
        FramedriftError: nothing in it moves the camera or holds it still, it contradicts itself, or it gives a number
            that no camera takes.
    """
    if not text.strip():
        raise FramedriftError(f"text: it is empty; say how the camera moves. Known are: {_KNOWN}")
    if len(text) > MOST_LETTERS:
        raise FramedriftError(f"text: it has {len(text)} letters; at most {MOST_LETTERS} are read. Say it shorter")
    items, unknown = scan(text)
    phases: list[tuple[Phrase, ...]] = []
    verb = ""
    for stretch in _split(items, "then"):
        phase = _phase(stretch, verb, unknown)
        verb = next((one.verb for one in reversed(phase) if one.verb), verb)
        if phase:
            _check_together(phase)
            phases.append(phase)
        if sum(map(len, phases)) > MOST_PHRASES:
            raise FramedriftError(f"text: it has more than {MOST_PHRASES} moves; say less, or combine two directions")
    missed = _joined(text, sorted(unknown, key=lambda word: word.column))
    if not phases:
        shown = text.strip() if len(text.strip()) <= 60 else text.strip()[:57] + "..."
        raise FramedriftError(f"text: no camera move was found in {shown!r}. Known are: {_KNOWN}")
    return Direction(text, tuple(phases), missed)


def _split(items: list[Item], kind: str) -> list[list[Item]]:
    parts: list[list[Item]] = [[]]
    for item in items:
        if item.kind == kind:
            parts.append([])
        else:
            parts[-1].append(item)
    return [part for part in parts if part]


def _phase(items: list[Item], before: str, unknown: list[Unknown]) -> tuple[Phrase, ...]:
    drafts: list[_Draft] = []
    carried: list[Item] = []
    common: list[Item] = []
    clauses = _split(_with_verb(items, before), "join")
    for number, clause in enumerate(clauses):
        if any(item.kind in _HEADS for item in clause):
            drafts += _clause(carried + clause, number, drafts)
            carried = []
        elif any(item.kind == "direction" for item in clause):
            carried = _again(drafts, carried + clause, unknown)
        else:
            follows = any(item.kind in _HEADS for later in clauses[number + 1 : number + 2] for item in later)
            for item in clause:
                if item.kind == "time" and not drafts:
                    common.append(item)
                elif drafts and not _looks_ahead(item, follows):
                    drafts[-1].modifiers.append(item)
                else:
                    carried.append(item)
        if len(drafts) > MOST_PHRASES:
            raise FramedriftError(f"text: it has more than {MOST_PHRASES} moves; say less, or combine two directions")
    if drafts:
        drafts[-1].modifiers += [item for item in carried if item.kind != "direction"]
    unknown += [_missed(item) for item in carried if item.kind == "direction" and not item.soft]
    return _once([(draft.clause, phrase) for draft in drafts for phrase in _phrases(draft, common, unknown)])


def _once(found: list[tuple[int, Phrase]]) -> tuple[Phrase, ...]:
    """What is said twice happens once: the same move, or one of the same way in one clause, as "crane shot rising"."""
    kept: dict[tuple, Phrase] = {}
    ways: dict[tuple, tuple] = {}
    for clause, phrase in found:
        own = (phrase.kind, phrase.sign, phrase.span)
        way = (clause, KINDS[phrase.kind].axis, phrase.sign) if phrase.moves else own
        first = own if own in kept else ways.get(way)
        if first is None:
            kept[own] = phrase
            ways[way] = own
        elif phrase.manner and not kept[first].manner:
            kept[first] = replace(kept[first], factor=phrase.factor, frequency=phrase.frequency, manner=phrase.manner)
    return tuple(kept.values())


def _with_verb(items: list[Item], before: str) -> list[Item]:
    """The items of a phase; the verb of the phase before goes on where there is none: "pan left, then right"."""
    place = next((place for place, item in enumerate(items) if item.kind == "direction" and not item.soft), None)
    if not before or place is None or any(item.kind in _HEADS for item in items):
        return items
    first = items[place]
    if first.value not in VERBS[before].directions:
        return items
    return [*items[:place], Item("verb", before, first.column, first.said), *items[place:]]


def _looks_ahead(item: Item, follows: bool) -> bool:
    """Whether words that stand alone between commas belong to what follows: "slow, gentle push-in", "at 2s, pan"."""
    if not follows:
        return False
    if item.kind == "time":
        return item.span.start is not None and item.span.end is None
    return item.kind == "power" or (item.kind == "pace" and not item.said.endswith("ly"))


def _clause(items: list[Item], number: int, before: list[_Draft]) -> list[_Draft]:
    """The phrases of words that stand together: what comes before a verb, and adverbs after it, belong to it."""
    drafts: list[_Draft] = []
    waiting: list[Item] = []
    for place, item in enumerate(items):
        if item.kind in _HEADS:
            shake = "static" if item.kind == "still" else item.value if item.kind == "shake" else ""
            draft = _Draft("" if shake else item.value, shake, item.column, item.said, number)
            later_verb = any(other.kind == "verb" for other in items[place + 1 :])
            held = [old for old in waiting if shake and later_verb and not _about_shake(old)]
            for old in waiting:
                if old not in held:
                    (draft.directions if old.kind == "direction" else draft.modifiers).append(old)
            waiting = held
            if not _absorbed(drafts or [one for one in before if one.shake and draft.shake == "any"], draft):
                drafts.append(draft)
        elif item.kind == "direction" and drafts and drafts[-1].verb:
            drafts[-1].directions.append(item)
        elif drafts and item.kind in ("amount", "time", "easing", "repeat"):
            drafts[-1].modifiers.append(item)
        else:
            waiting.append(item)
    for item in waiting:
        (drafts[-1].directions if item.kind == "direction" else drafts[-1].modifiers).append(item)
    return drafts


def _about_shake(item: Item) -> bool:
    # A slow handheld push-in pushes slowly; a slight handheld push-in shakes slightly.
    return item.kind == "power" or (
        item.kind == "pace" and item.value in ("slightly", "subtly", "strongly", "violently")
    )


def _absorbed(drafts: list[_Draft], draft: _Draft) -> bool:
    """Whether this only says again what the one before said: "handheld shake", "dolly push in", "crane shot rising"."""
    if not drafts:
        return False
    last = drafts[-1]
    if last.shake and draft.shake and "any" in (last.shake, draft.shake) and "static" not in (last.shake, draft.shake):
        last.shake = draft.shake if last.shake == "any" else last.shake
        last.modifiers += draft.modifiers
        return True
    if last.verb and draft.verb and not last.directions and VERBS[last.verb].default is None:
        last.verb, last.column = draft.verb, last.column
        last.modifiers += draft.modifiers
        last.directions += draft.directions
        return True
    return False


def _again(drafts: list[_Draft], clause: list[Item], unknown: list[Unknown]) -> list[Item]:
    """A direction without a verb goes on with the verb before it; returns what waits for a verb to come."""
    directions = [item for item in clause if item.kind == "direction"]
    last = next((draft for draft in reversed(drafts) if draft.verb), None)
    if last is None:
        return clause
    known = VERBS[last.verb].directions
    fitting = [item for item in directions if item.value in known]
    unknown += [_missed(item) for item in directions if item.value not in known and _matters(item)]
    if fitting:
        others = [item for item in clause if item.kind != "direction"]
        if not any(item.kind == "pace" for item in others):
            others += [item for item in last.modifiers if item.kind in ("pace", "power", "easing")]
        drafts.append(_Draft(last.verb, "", fitting[0].column, last.said, -len(drafts), fitting, others))
    return []


def _phrases(draft: _Draft, common: list[Item], unknown: list[Unknown]) -> list[Phrase]:
    base, amount = _modified(draft, common)
    if draft.shake:
        unknown += [_missed(item) for item in draft.directions if _matters(item)]
        unknown += [_missed(amount)] if amount else []
        return [replace(base, kind="handheld" if draft.shake == "any" else draft.shake)]
    verb = VERBS[draft.verb]
    known = [item for item in draft.directions if item.value in verb.directions]
    unknown += [_missed(item) for item in draft.directions if item.value not in verb.directions and _matters(item)]
    clear = [item for item in known if not item.soft] or known[:1]
    names = [item.value for item in clear] or ([verb.default] if verb.default else [])
    if not names and draft.verb != "move":
        unknown.append(Unknown(draft.said, draft.column))
    phrases = []
    for kind, sign in dict.fromkeys(verb.directions[name] for name in names):
        many = None if amount is None else _fitted(amount, kind, unknown)
        phrases.append(
            replace(base, kind=kind, sign=sign, amount=many, verb=draft.verb, seconds=verb.seconds, pace=verb.pace)
        )
    return phrases


def _matters(item: Item) -> bool:
    # "In" and "out" are said in many senses; the others are directions, and missed where they are not taken.
    return not item.soft and item.said not in ("in", "out", "through")


def _missed(item: Item) -> Unknown:
    return Unknown(item.said or item.value, item.column)


def _fitted(item: Item, kind: str, unknown: list[Unknown]) -> float | None:
    """An amount in the kind's unit. Raises FramedriftError where it is in another, or beyond all sense."""
    wanted, amount = KINDS[kind].unit, item.amount
    if item.unit is None:
        if wanted != "degrees":
            unknown.append(_missed(item))
            return None
    elif item.unit == "percent" and wanted == "times":
        amount = 1 + amount
    elif item.unit != wanted:
        raise FramedriftError(f"text: column {item.column} gives {item.unit} for {kind}; that is said in {wanted}")
    if not 0 < amount <= _MOST[wanted]:
        raise FramedriftError(
            f"text: column {item.column} gives {amount:g} {wanted} for {kind}; it must be above 0, and at most "
            f"{_MOST[wanted]:g}"
        )
    return amount


def _modified(draft: _Draft, common: list[Item]) -> tuple[Phrase, Item | None]:
    """The phrase of a draft without its kind, and the amount that was said."""
    factor, frequency, power, prefix, easing, span = 1.0, 1.0, 1.0, "", None, Span()
    amount: Item | None = None
    manner: list[str] = []
    for item in draft.modifiers:
        if item.kind == "power":
            power *= POWERS[item.value][0]
            prefix = f"{item.value} "
        elif item.kind == "pace":
            value = PACES[item.value][0] ** min(power, 8.0)
            if draft.shake and item.value in ("slowly", "quickly"):
                frequency *= value
            else:
                factor *= value
            manner.append(prefix + item.value)
            power, prefix = 1.0, ""
        elif item.kind == "easing":
            easing = item.value
        elif item.kind == "amount":
            if amount is not None:
                raise FramedriftError(f"text: column {item.column} gives a second amount for one move; give one")
            amount = item
        elif item.kind == "time":
            span = _merged(span, item)
    if not span:
        for item in common:
            span = _merged(span, item)
    factor, frequency = min(max(factor, SLOWEST), FASTEST), min(max(frequency, 0.1), 5.0)
    said = tuple(dict.fromkeys(manner))
    return Phrase("", 1, factor, frequency, None, span, None, easing, "", 1.0, said, draft.column), amount


def _merged(span: Span, item: Item) -> Span:
    given = item.span
    twice = (span.start and given.start) or (span.end and given.end) or (span.duration and given.duration)
    if twice or (span.duration and given.end) or (span.end and given.duration):
        raise FramedriftError(f"text: column {item.column} says a second time when the move is; say it once")
    return Span(span.start or given.start, span.end or given.end, span.duration or given.duration)


def _check_together(phase: tuple[Phrase, ...]) -> None:
    """Raises FramedriftError where two phrases of one time cannot both be."""
    for one, other in combinations(phase, 2):
        if one.span.apart(other.span):
            continue
        if "static" in (one.kind, other.kind) and (one.moves or other.moves):
            still, moving = (one, other) if one.kind == "static" else (other, one)
            raise FramedriftError(
                f"text: column {still.column} holds the camera still while column {moving.column} moves it "
                f'({moving.name}); put "then" between them, or say when each is'
            )
        if one.moves and other.moves and KINDS[one.kind].axis == KINDS[other.kind].axis and one.sign != other.sign:
            raise FramedriftError(
                f"text: {one.name} (column {one.column}) and {other.name} (column {other.column}) at one time "
                'contradict each other; put "then" between them, or say when each is'
            )


def _joined(text: str, words: list[Unknown]) -> tuple[Unknown, ...]:
    """Words that stand side by side become one."""
    joined: list[Unknown] = []
    for word in words:
        if joined and word.column <= joined[-1].column + len(joined[-1].text):
            if word.column > joined[-1].column:
                joined[-1] = Unknown(text[joined[-1].column - 1 : word.column - 1 + len(word.text)], joined[-1].column)
            continue
        if joined and not text[joined[-1].column - 1 + len(joined[-1].text) : word.column - 1].strip():
            joined[-1] = Unknown(text[joined[-1].column - 1 : word.column - 1 + len(word.text)], joined[-1].column)
        else:
            joined.append(word)
    return tuple(joined)
