"""`a cat :1.2 AND a dog :0.8`: several texts that paint one picture together, each with a weight."""

from __future__ import annotations

import re
from functools import lru_cache

from .errors import PromptError

#: Most texts that one prompt may be composed of; each is another pass of the model.
MAX_PARTS = 32

_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@lru_cache(maxsize=1024)
def composition(text: str) -> tuple[tuple[float, str], ...]:
    """The (weight, text) that a prompt is composed of, in their order; a prompt without `AND` is itself, at weight 1.

    A weight stands behind the last colon of a part. The model's answers are averaged by their weights (strengths), as
    ComfyUI does with combined conditionings, so that only their ratio counts; one below 0 pushes away. Parts of weight
    0 and empty ones are left out, and equal texts are one. Raises PromptError where the weights do not add up to more
    than 0.
    """
    if "AND" not in text or len(parts := split_parts(text)) == 1:
        return ((1.0, text),)
    weights: dict[str, float] = {}
    for part, weight in parts:
        if part:
            weights[part] = weights.get(part, 0.0) + (float(weight) if weight else 1.0)
    if not weights:
        return ((1.0, ""),)
    total = sum(weights.values())
    if not 1e-6 < total < float("inf"):
        raise PromptError(f"the weights of the texts joined by AND add up to {total:g}, and must be more than 0 in sum")
    return tuple((weight, part) for part, weight in weights.items() if weight)


def split_parts(text: str) -> list[tuple[str, str]]:
    """(text, weight as written or "") of every part between `AND`s, stripped; raises PromptError for too many."""
    pieces = _AND.split(text)
    if len(pieces) > MAX_PARTS:
        raise PromptError(f"{len(pieces)} texts are joined by AND; {MAX_PARTS} are the most")
    if len(pieces) == 1:
        return [(text, "")]
    return [_weighted(piece) for piece in pieces]


def _weighted(piece: str) -> tuple[str, str]:
    text, colon, weight = piece.rpartition(":")
    if colon and _WEIGHT.fullmatch(weight.strip()):
        return text.strip(), weight.strip()
    return piece.strip(), ""
