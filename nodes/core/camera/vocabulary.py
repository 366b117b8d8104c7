"""The words of camera direction: what each one means, as tables. `docs/camera_direction.md` is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

TermKind = Literal[
    "verb", "shake", "still", "direction", "pace", "power", "easing", "repeat", "then", "join", "filler", "unknown"
]


@dataclass(frozen=True)
class Kind:
    """One way to move.

    Attributes:
        rate: how much of it a second brings at normal speed.
        unit: of the rate and of amounts: "scene units", "degrees" or "times" (focal length).
        axis: moves along one axis in opposite senses at one time contradict each other.
        says: verb and what follows it, for the positive sense and for the negative one.
    """

    rate: float
    unit: Literal["scene units", "degrees", "times"]
    axis: str
    says: tuple[tuple[str, str], tuple[str, str]]


KINDS: dict[str, Kind] = {
    "push": Kind(0.15, "scene units", "forward and back", (("push", "in"), ("pull", "back"))),
    "truck": Kind(0.1, "scene units", "left and right", (("track", "to the right"), ("track", "to the left"))),
    "pedestal": Kind(0.1, "scene units", "up and down", (("rise", ""), ("descend", ""))),
    "pan": Kind(8.0, "degrees", "pan", (("pan", "to the right"), ("pan", "to the left"))),
    "tilt": Kind(6.0, "degrees", "tilt", (("tilt", "up"), ("tilt", "down"))),
    "roll": Kind(5.0, "degrees", "roll", (("roll", "clockwise"), ("roll", "counterclockwise"))),
    "orbit": Kind(
        12.0,
        "degrees",
        "orbit",
        (("orbit", "around the subject to the right"), ("orbit", "around the subject to the left")),
    ),
    "arc": Kind(
        8.0, "degrees", "orbit", (("arc", "around the subject to the right"), ("arc", "around the subject to the left"))
    ),
    "crane": Kind(0.12, "scene units", "up and down", (("crane", "up"), ("crane", "down"))),
    "spiral": Kind(
        24.0,
        "degrees",
        "roll",
        (("spiral", "forward clockwise"), ("spiral", "back counterclockwise")),
    ),
    "dolly zoom": Kind(
        0.15, "scene units", "forward and back", (("perform", "a dolly zoom in"), ("perform", "a dolly zoom out"))
    ),
    "drift": Kind(0.1, "scene units", "left and right", (("drift", "to the right"), ("drift", "to the left"))),
    "zoom": Kind(1.12, "times", "zoom", (("zoom", "in"), ("zoom", "out"))),
}


@dataclass(frozen=True)
class Verb:
    """A family of words for moving.

    Attributes:
        words: its names, with commas; the first and the last word of each are also taken with the endings of a verb.
        directions: the kind and its sense (1 or -1) for each direction that the verb can have.
        default: the direction where none is said; None: the verb says nothing without one.
        pace: how much faster than normal it is.
        seconds: how long it lasts where nothing is said of that; None: all its phase.
        says: the verb in the text for video models where it is not its kind's.
    """

    words: str
    directions: Mapping[str, tuple[str, int]]
    default: str | None
    pace: float = 1.0
    seconds: float | None = None
    says: str = ""


def _pair(kind: str, positive: str, negative: str) -> dict[str, tuple[str, int]]:
    # The kind in its positive sense for these directions, and in its negative one for those.
    return {word: (kind, sign) for sign, listed in ((1, positive), (-1, negative)) for word in listed.split()}


_DEPTH = _pair("push", "in forward", "out back")
_ACROSS = _pair("truck", "right", "left") | _pair("pedestal", "up", "down")
_SPACE = _DEPTH | _ACROSS
_LOOK = _pair("pan", "right", "left") | _pair("tilt", "up", "down")
_ROLL = _pair("roll", "clockwise", "counterclockwise")
_LEAN = _pair("roll", "right clockwise", "left counterclockwise")
_LENS = _pair("zoom", "in forward", "out back")

VERBS: dict[str, Verb] = {
    "push in": Verb("push, dolly, pushin", _SPACE, "in"),
    "pull back": Verb("pull, retreat, pullback, pullout, recede, withdraw", _SPACE, "back"),
    "move": Verb("move, travel, go, glide, slide, come", _SPACE, None),
    "fly": Verb("fly, advance, approach, walk through, fly through, move through", _SPACE, "forward"),
    "truck": Verb("truck, track, strafe, crab, tracking shot, side step", _SPACE, "right"),
    "rise": Verb("pedestal, rise, ascend, boom, lift, raise, elevate, climb", _ACROSS, "up"),
    "descend": Verb("descend, lower, sink, drop", _ACROSS, "down"),
    "pan": Verb("pan, swivel, yaw", _LOOK | _ROLL, "right"),
    "whip pan": Verb("whip pan, swish pan, whip", _LOOK, "right", 20.0, 0.4, "whip-pan"),
    "turn": Verb("turn, look, rotate, swing, sweep", _LOOK | _ROLL, None),
    "tilt": Verb("tilt, pitch", _pair("tilt", "up", "down") | _LEAN, "up"),
    "roll": Verb("roll, dutch, bank, cant, dutch angle, dutch tilt, canted angle, barrel roll", _LEAN, "clockwise"),
    "orbit": Verb(
        "orbit, circle, revolve, encircle, orbit around, circle around, revolve around, rotate around, move around, "
        "fly around, go around, go round, travel around, swing around, turntable",
        _pair("orbit", "right counterclockwise", "left clockwise"),
        "right",
    ),
    "arc": Verb("arc, arc around, arc shot", _pair("arc", "right counterclockwise", "left clockwise"), "right"),
    "crane": Verb("crane, jib, crane shot, jib shot", _ACROSS | _pair("crane", "up", "down"), "up"),
    "spiral": Verb(
        "spiral, corkscrew, helix",
        _pair("spiral", "in forward right clockwise", "out back left counterclockwise"),
        "in",
    ),
    "dolly zoom": Verb(
        "dolly zoom, dolly zoom effect, vertigo, vertigo effect, vertigo shot, hitchcock zoom, zolly, contra zoom, "
        "trombone, trombone shot, push pull",
        _pair("dolly zoom", "in forward", "out back"),
        "in",
    ),
    "drift": Verb(
        "drift, float, hover, creep, inch", _SPACE | _pair("drift", "right", "left"), None, 0.4, None, "drift"
    ),
    "zoom": Verb("zoom, zoomin", _LENS, "in"),
    "crash zoom": Verb("crash zoom, snap zoom, whip zoom, punch", _LENS, "in", 12.0, 0.5),
}

SHAKES: dict[str, str] = {
    "handheld": "handheld, hand held, handycam, shoulder cam, shoulder mounted, documentary style, found footage, "
    "camcorder",
    "walking": "walk, steadicam, steady cam, walk cam, footstep, stroll, pov walk, running, jogging",
    "vehicle": "vehicle, car, drive, dashcam, bumpy, bumpy road, rumble, vibration, vibrate, train",
    "earthquake": "earthquake, quake, tremor, explosion, violent shake, seismic",
    "any": "shake, shaky, jitter, jittery, wobble, wobbly, unsteady, camera shake, shaky cam, sway",
}
"""Words for each shake; those of "any" are handheld, or belong to the shake that they stand beside."""

SHAKE_SAYS = {
    "handheld": "handheld shake",
    "walking": "walking sway",
    "vehicle": "vehicle rumble",
    "earthquake": "earthquake shake",
}

STILL = (
    "static, locked off, lock off, locked down, locked, still, fixed, stationary, motionless, hold, holds, holding, "
    "tripod, at rest, stay, stays, staying, pause, pauses, pausing, no movement, no camera movement, no motion, "
    "no camera motion, does not move, doesn't move, not moving, unmoving, immobile, stop, stops, stopping, freeze"
)

# direction: the words for it; those after the bar count only where nothing clearer is said.
DIRECTIONS: dict[str, str] = {
    "left": "left, leftward, leftwards, to the left, from right to left, right to left",
    "right": "right, rightward, rightwards, to the right, from left to right, left to right",
    "up": "up, upward, upwards, higher, skyward, from bottom to top, bottom to top",
    "down": "down, downward, downwards, from top to bottom, top to bottom, down to",
    "in": "in, inward, inwards, closer, nearer, close | toward, towards, into, to the subject",
    "forward": "forward, forwards, ahead | through",
    "out": "out, outward, outwards, away, farther, further, wider",
    "back": "back, backward, backwards, reverse",
    "clockwise": "clockwise, cw",
    "counterclockwise": "counterclockwise, counter clockwise, anticlockwise, anti clockwise, ccw",
}

# adverb for the text for video models: (factor, the words). 1 is normal.
PACES: dict[str, tuple[float, str]] = {
    "slowly": (
        0.5,
        "slow, slowly, slower, half speed, gradual, gradually, leisurely, unhurried, lazy, lazily, calm, calmly",
    ),
    "gently": (0.6, "gentle, gently, soft, softly"),
    "subtly": (0.4, "subtle, subtly, faint, faintly"),
    "slightly": (0.4, "slight, slightly, small, little, minor, minimal, light, lightly, mild, mildly, tiny, bit"),
    "moderately": (1.0, "medium, moderate, moderately, normal, normally"),
    "quickly": (1.75, "fast, faster, quick, quickly, rapid, rapidly, swift, swiftly, brisk, briskly, speedy"),
    "strongly": (1.75, "strong, strongly, heavy, heavily, big, large, dramatic, dramatically, intense, intensely"),
    "violently": (2.5, "violent, violently, aggressive, aggressively, extreme, wild, wildly, frantic, frantically"),
    "abruptly": (3.0, "sudden, suddenly, abrupt, abruptly, snap, snappy"),
}

# How often the factor counts that follows: very slow is slow taken twice.
POWERS: dict[str, tuple[float, str]] = {
    "extremely": (3.0, "extremely, ultra, incredibly, insanely, super"),
    "very": (2.0, "very, really, quite, too, so"),
    "fairly": (0.5, "fairly, somewhat, rather, moderately"),
}

EASINGS: dict[str, str] = {
    "ease_in_out": "smooth, smoothly, eased, ease in and out, ease in out, fluid, cinematic, graceful",
    "linear": "linear, linearly, constant, constantly, steady, steadily, uniform, even, evenly, constant speed",
    "ease_in": "accelerate, accelerating, ease in, easing in, speeding up, speed up, ramping up, picking up speed",
    "ease_out": "decelerate, decelerating, ease out, easing out, slowing down, slow down, ramping down",
}

THEN = (
    *("then", "and then", "after that", "afterwards", "afterward", "next", "and next", "finally", "and finally"),
    *("followed by", "before", "later", "subsequently", "ending with", "ends with", ";", "->", "→"),
)
JOIN = (
    *(",", ".", ":", "&", "+", "/", "|", "\n", "and", "while", "with", "as", "plus", "also", "meanwhile"),
    *("simultaneously", "at the same time", "combined with", "along with", "together with"),
)

_FILLERS = """
a an the camera cam shot view frame framing lens movement motion move effect it its is are be being been of on onto to
at for from by around round about over past across along through with without our we us you me my this that there here
into toward towards subject scene subject's image picture object centre center focus person character face background
foreground point axis place position side start starts starting begin begins beginning first end ends ending continue
continues continuing keep keeps keeping remain remains remaining maintain maintains maintaining perform performs
performing do does doing make makes making add adds adding has have having feel feeling look style speed pace tempo
all whole entire full time animation video clip just only please some more in out one like such angle degree way
operator pov drone gimbal rig
"""
_FILLER_PHRASES = (
    "in the, in a, out of, on the left, on the right, left side, right side, up to, as the, as it, close up, "
    "wide shot, medium shot, wide angle, low angle, high angle"
)
FILLERS = (*_FILLERS.split(), *_FILLER_PHRASES.split(", "))
"""What says nothing about how the camera moves, and is not missed."""

# Said often, and not what a camera path can do.
UNKNOWN = ("back and forth", "side to side", "up and down", "from side to side", "left and right")

_COUNTED = "one two three four five six seven eight nine ten"
_TENS = {"twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90}
NUMBERS = {word: number for number, word in enumerate(_COUNTED.split(), 1)} | _TENS
SHARES = {"full": 360.0, "complete": 360.0, "half": 180.0, "quarter": 90.0}
ROUNDS = ("turn", "revolution", "rotation", "circle", "orbit", "arc", "spiral", "roll", "spin")

# unit: (what it counts, factor to that).
_UNITS = (
    ("s", 1.0, "s sec secs second seconds"),
    ("f", 1.0, "f frame frames"),
    ("degrees", 1.0, "° º deg degs degree degrees"),
    ("degrees", 360.0, "turn turns revolution revolutions rotation rotations"),
    ("scene units", 1.0, "unit units"),
    ("times", 1.0, "x × times"),
    ("percent", 0.01, "% percent"),
)
UNITS = {word: (unit, factor) for unit, factor, listed in _UNITS for word in listed.split()}
"""What a unit counts, and the factor to that."""


@dataclass(frozen=True)
class Term:
    """What a phrase of the vocabulary means: a kind of term and the table's key."""

    kind: TermKind
    value: str = ""
    soft: bool = field(default=False)


def inflections(word: str) -> dict[str, str]:
    """A verb's forms by their names: base, third person, gerund, past."""
    vowels = "aeiou"
    if "-" in word:
        head, _, tail = word.rpartition("-")
        return {name: f"{head}-{form}" for name, form in inflections(tail).items()}
    if word.endswith("y") and word[-2] not in vowels:
        return {"base": word, "third": word[:-1] + "ies", "gerund": word + "ing", "past": word[:-1] + "ied"}
    if word.endswith("e"):
        return {"base": word, "third": word + "s", "gerund": word[:-1] + "ing", "past": word + "d"}
    third = word + ("es" if word.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    short = len(word) <= 4 and word[-1] not in "aeiouwxy" and word[-2] in vowels and word[-3] not in vowels
    stem = word + word[-1] if short else word
    return {"base": word, "third": third, "gerund": stem + "ing", "past": stem + "ed"}


def words_of(listed: str) -> list[str]:
    """The phrases of a comma-separated list."""
    return [word.strip() for word in listed.split(",")]


def _forms(phrase: str) -> set[str]:
    first, *rest = phrase.split()
    forms = {" ".join([form, *rest]) for form in inflections(first).values()}
    if rest:
        *head, last = phrase.split()
        forms |= {" ".join([*head, form]) for form in inflections(last).values()}
    return forms


_IRREGULAR = {
    "move": "goes gone slid travelling travelled",
    "fly": "flew flown",
    "rise": "rose risen pedestalling pedestalled",
    "descend": "sank",
    "turn": "swung swept",
    "pan": "swivelling swivelled",
    "spiral": "spiralling spiralled",
    "push in": "dollys",
}


def _terms() -> dict[tuple[str, ...], Term]:
    # What is written later wins: the fillers give way to all the rest.
    table = dict.fromkeys(FILLERS, Term("filler"))
    plain: tuple[tuple[TermKind, dict[str, str]], ...] = (
        ("easing", EASINGS),
        ("pace", {name: listed for name, (_, listed) in PACES.items()}),
        ("power", {name: listed for name, (_, listed) in POWERS.items()}),
    )
    for kind, listing in plain:
        for name, listed in listing.items():
            table |= dict.fromkeys(words_of(listed), Term(kind, name))
    for name, verb in VERBS.items():
        table |= {form: Term("verb", name) for word in words_of(verb.words) for form in _forms(word)}
    table |= {word: Term("verb", name) for name, listed in _IRREGULAR.items() for word in listed.split()}
    for name, listed in SHAKES.items():
        table |= {form: Term("shake", name) for word in words_of(listed) for form in _forms(word)}
    table |= dict.fromkeys(words_of(STILL), Term("still"))
    for name, listed in DIRECTIONS.items():
        clear, _, soft = listed.partition("|")
        table |= dict.fromkeys(words_of(clear), Term("direction", name))
        table |= dict.fromkeys(words_of(soft) if soft else (), Term("direction", name, soft=True))
    table |= dict.fromkeys(_FILLER_PHRASES.split(", "), Term("filler"))
    table |= dict.fromkeys(THEN, Term("then")) | dict.fromkeys(JOIN, Term("join"))
    table |= dict.fromkeys(UNKNOWN, Term("unknown"))
    # A dash inside a phrase is no word, but in an arrow it is.
    return {
        (phrase,) if phrase == "->" else tuple(phrase.replace("-", " ").split(" ")): term
        for phrase, term in table.items()
    }


TERMS = _terms()
LONGEST = max(map(len, TERMS))
