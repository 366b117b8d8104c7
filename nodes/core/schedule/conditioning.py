"""Blends of conditionings, in ComfyUI's form: `[[tensor (B, T, D), {"pooled_output": tensor, ...}], ...]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import FramedriftError

Conditioning = list[list[Any]]

# Keys that say which part of the picture or of the sampling an entry is for: entries that differ there do not mix.
_PLACES = (
    *("area", "set_area_to_bounds", "mask", "strength"),
    *("start_percent", "end_percent", "hooks", "control", "gligen"),
)
# CLIP reads texts in pieces of this many tokens.
_CLIP_PIECE = 77


def blend_conditionings(parts: Sequence[tuple[float, Conditioning]]) -> Conditioning:
    """The weighted mean of conditionings; none of them is written into.

    Args:
        parts: (weight, conditioning); weights are at least 0, not all 0, and are divided by their sum. Parts of weight
            0 do not count, and a single part comes back as it is, the same object.

    Returns:
        Entry by entry the mean of the tokens and of every tensor that the parts share by name; everything else from the
        heaviest part, and from a lighter one what only that has. A shorter text is repeated where CLIP's pieces divide
        (cross attention gives the same for a text and for it twice, so that nothing jumps at a key), and padded with
        zeros otherwise; the longer one is never cut. Attention masks join. Where the parts' entries do not match (their
        number, or the area, mask or range of steps that they are for), all of them stand side by side with their
        strengths scaled: the model's predictions are averaged then, and not the texts.

    Raises:
        FramedriftError: no part, a bad weight, or conditionings of different text encoders.
    """
    bad = [weight for weight, _ in parts if not 0.0 <= weight < float("inf")]
    total = sum(weight for weight, _ in parts)
    if bad or not total > 0.0:
        raise FramedriftError(f"The weights of conditionings must be 0 or more, and one above 0, not {bad or total}.")
    used = [(weight / total, conditioning) for weight, conditioning in parts if weight > 0.0]
    if len(used) == 1:
        return used[0][1]
    if not _match([conditioning for _, conditioning in used]):
        return [_scaled(entry, weight) for weight, conditioning in used for entry in conditioning]
    weights = [weight for weight, _ in used]
    return [_mean(weights, entries) for entries in zip(*(conditioning for _, conditioning in used), strict=True)]


def compose_conditionings(parts: Sequence[tuple[float, Conditioning]]) -> Conditioning:
    """Conditionings side by side, as ComfyUI's ConditioningCombine puts them, each with a strength.

    Args:
        parts: (strength, conditioning). The model's answers are averaged by their strengths, so that only the ratio
            counts; a single part comes back as it is, the same object.

    Returns:
        All entries in order, their `strength` multiplied; none is written into. Raises FramedriftError for no part.
    """
    if not parts:
        raise FramedriftError("There is no conditioning to compose.")
    if len(parts) == 1:
        return parts[0][1]
    return [_scaled(entry, strength) for strength, conditioning in parts for entry in conditioning]


def _match(conditionings: list[Conditioning]) -> bool:
    first = conditionings[0]
    if any(len(other) != len(first) for other in conditionings):
        return False
    return all(
        _same(mine[1].get(key), theirs[1].get(key))
        for other in conditionings[1:]
        for mine, theirs in zip(first, other, strict=True)
        for key in _PLACES
    )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a is b or (a.shape == b.shape and bool((a == b.to(a)).all()))
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        return False
    return a is b or a == b


def _scaled(entry: list[Any], weight: float) -> list[Any]:
    return [entry[0], {**entry[1], "strength": entry[1].get("strength", 1.0) * weight}]


def _mean(weights: list[float], entries: Sequence[list[Any]]) -> list[Any]:
    heaviest = max(range(len(weights)), key=lambda i: weights[i])
    options: dict[str, Any] = {}
    for i in sorted(range(len(weights)), key=lambda i: weights[i]):
        options.update({key: value for key, value in entries[i][1].items() if value is not None or key not in options})
    tokens = [entry[0] for entry in entries]
    for key in list(options):
        if key in _PLACES:
            continue
        shared = [(weight, entry[1][key]) for weight, entry in zip(weights, entries, strict=True) if key in entry[1]]
        tensors = [value for _, value in shared if isinstance(value, torch.Tensor)]
        if key == "attention_mask" and tensors:
            options[key] = _joined_mask([entry[1].get(key) for entry in entries], tokens, heaviest)
        elif len(tensors) == len(entries) and all(tensor.is_floating_point() for tensor in tensors):
            options[key] = _weighted(weights, tensors, heaviest, key)
    return [_weighted(weights, tokens, heaviest, "tokens"), options]


def _weighted(weights: list[float], tensors: list[torch.Tensor], heaviest: int, what: str) -> torch.Tensor:
    """The mean, in float32 at least, as the heaviest one's dtype and on its device."""
    leading = tensors[heaviest]
    if len({(tensor.ndim, tensor.shape[-1] if tensor.ndim else 0) for tensor in tensors}) > 1:
        shapes = " and ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise FramedriftError(f"These conditionings do not blend: their {what} have the shapes {shapes}.")
    if leading.ndim >= 3:
        length = max(tensor.shape[1] for tensor in tensors)
        tensors = [_lengthened(tensor, length) for tensor in tensors]
    exact = torch.promote_types(leading.dtype, torch.float32)
    mean: torch.Tensor | None = None
    for weight, tensor in zip(weights, tensors, strict=True):
        part = tensor.to(leading.device, exact) * weight
        try:
            mean = part if mean is None else mean + part
        except RuntimeError as error:
            shapes = " and ".join(str(tuple(tensor.shape)) for tensor in tensors)
            reason = f"These conditionings do not blend: their {what} have the shapes {shapes}."
            raise FramedriftError(reason) from error
    assert mean is not None  # noqa: S101 - there are always two or more
    return mean.to(leading.dtype)


def _lengthened(tokens: torch.Tensor, length: int) -> torch.Tensor:
    """(B, T, ...) with T = length: repeated where CLIP's pieces allow it, else followed by zeros."""
    own = tokens.shape[1]
    if own == length:
        return tokens
    if own and own % _CLIP_PIECE == 0 and length % own == 0:
        return tokens.repeat(1, length // own, *[1] * (tokens.ndim - 2))
    zeros = tokens.new_zeros(tokens.shape[0], length - own, *tokens.shape[2:])
    return torch.cat([tokens, zeros], dim=1)


def _joined_mask(masks: list[Any], tokens: list[torch.Tensor], heaviest: int) -> torch.Tensor:
    """Where any of the texts has a token. Masks are (B, T), or have ones to spare between B and T."""
    length = max(part.shape[1] for part in tokens)
    known = [(mask, part) for mask, part in zip(masks, tokens, strict=True) if isinstance(mask, torch.Tensor)]
    if any(mask.shape[-1] != part.shape[1] for mask, part in known):
        # Not a mask of these tokens: the model family's own, which only it can read.
        return masks[heaviest] if isinstance(masks[heaviest], torch.Tensor) else known[0][0]
    model = next(mask for mask in (masks[heaviest], *masks) if isinstance(mask, torch.Tensor))
    joined: torch.Tensor | None = None
    for mask, part in zip(masks, tokens, strict=True):
        own = mask if isinstance(mask, torch.Tensor) else model.new_ones(*model.shape[:-1], part.shape[1])
        own = own.to(model)
        own = _lengthened(own.movedim(-1, 0)[None], length)[0].movedim(0, -1)
        joined = own if joined is None else torch.maximum(joined, own)
    assert joined is not None  # noqa: S101 - there are always two or more
    return joined
