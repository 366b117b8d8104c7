"""A direction in plain English, in the words that video models were trained on."""

from __future__ import annotations

from .direction import Direction, Phrase
from .vocabulary import KINDS, SHAKE_SAYS, VERBS, inflections

_STILL = "The camera is static, a locked-off shot with no camera movement"
# Adverbs as a shake takes them.
_ADJECTIVES = {
    "slowly": "slow",
    "gently": "gentle",
    "subtly": "subtle",
    "slightly": "slight",
    "moderately": "moderate",
    "quickly": "quick",
    "strongly": "strong",
    "violently": "violent",
    "abruptly": "abrupt",
}
_EASED = {
    "ease_in_out": "smoothly",
    "linear": "steadily",
    "ease_in": "gradually speeding up",
    "ease_out": "gradually slowing down",
}


def video_prompt(direction: Direction) -> str:
    """What a direction says, as sentences about "the camera": for the prompts of video models.

    Sums and rates of this pack are left out, angles and seconds are named: "The camera slowly pushes in with a slight
    handheld shake while drifting to the left."
    """
    sentences = [_sentence(phase) for phase in direction.phases]
    said = [sentences[0], *(f"Then {one[0].lower()}{one[1:]}" for one in sentences[1:])]
    return " ".join(f"{one}." for one in said)


def _sentence(phase: tuple[Phrase, ...]) -> str:
    moves = [phrase for phrase in phase if phrase.moves]
    shakes = [phrase for phrase in phase if phrase.kind in SHAKE_SAYS]
    shaking = " and ".join(_shake(phrase) for phrase in shakes)
    if not moves:
        return f"The camera stays in place with {shaking}" if shakes else _still(phase[0])
    said = f"The camera {_move(moves[0], 'third')}"
    if shakes:
        said += f" with {shaking}"
    if len(moves) > 1:
        said += " while " + _listed([_move(phrase, "gerund") for phrase in moves[1:]])
    return said


def _still(phrase: Phrase) -> str:
    held = _when(phrase)
    return f"The camera holds still{held.replace('over', 'for')}" if held else _STILL


def _move(phrase: Phrase, form: str) -> str:
    verb, tail = KINDS[phrase.kind].says[phrase.sign < 0]
    own = VERBS[phrase.verb].says
    if own == "drift":
        tail = {"rise": "up", "descend": "down", "push": "forward", "pull": "back"}.get(verb, tail)
    before = list(phrase.manner)
    after = []
    if phrase.easing in ("ease_in", "ease_out"):
        after = [_EASED[phrase.easing]]
    elif phrase.easing:
        before.append(_EASED[phrase.easing])
    amount = f"by {phrase.amount:g} degrees" if phrase.amount and KINDS[phrase.kind].unit == "degrees" else ""
    words = [*_adverbs(before), inflections(own or verb)[form], tail, amount]
    return " ".join(word for word in words if word) + _when(phrase) + "".join(f", {word}" for word in after)


def _shake(phrase: Phrase) -> str:
    words = [" ".join([*manner.split()[:-1], _ADJECTIVES[manner.split()[-1]]]) for manner in phrase.manner[:2]]
    said = " ".join([", ".join(words), SHAKE_SAYS[phrase.kind]]).strip()
    return ("an " if said[0] in "aeiou" else "a ") + said + _when(phrase)


def _adverbs(words: list[str]) -> list[str]:
    return [" and ".join(words[:2])]


def _when(phrase: Phrase) -> str:
    duration = phrase.span.duration
    if duration is None or duration.unit != "s":
        return ""
    return f" over {duration.value:g} second{'' if duration.value == 1 else 's'}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
