"""The seed of every diffused frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..errors import FramedriftError
from ..random import generator

SEED_BEHAVIORS = ("fixed", "iter", "ladder", "alternate", "random", "schedule")
#: ComfyUI's seeds are 64-bit: what goes over the end begins anew at 0.
SEED_RANGE = 2**64


def seed_sequence(
    behavior: str, seed: int, count: int, iter_n: int = 1, values: Sequence[float] | None = None
) -> list[int]:
    """The seeds of `count` diffused frames, by Deforum's names for how they go on.

    fixed: the same one. iter: one more every `iter_n` frames. ladder: up by two, down by one. alternate: up by one,
    down by one. random: drawn from `seed` and the frame's number among the diffused ones, within 0 .. 2**32 - 1, so
    that a run can be repeated and a longer one begins like a shorter one. The first seed of all these is `seed` itself.
    schedule: `values`, one a diffused frame, see `scheduled_seeds`; without them `seed` throughout.

    Returns integers within 0 .. 2**64 - 1, wrapped around. Raises FramedriftError for an unknown behaviour or count.
    """
    if behavior not in SEED_BEHAVIORS:
        raise FramedriftError(f"seed_behavior is {behavior!r}, and must be one of: {', '.join(SEED_BEHAVIORS)}.")
    if iter_n < 1:
        raise FramedriftError(f"seed_iter_N is {iter_n}, and must be at least 1.")
    if count < 0:
        raise FramedriftError(f"The number of seeds is {count}, and must be at least 0.")
    if behavior == "schedule":
        if values is None:
            return [seed % SEED_RANGE] * count
        if len(values) != count:
            raise FramedriftError(
                f"seed_schedule gives {len(values)} values, and must give {count}: one a diffused frame."
            )
        return scheduled_seeds(values, seed, "seed")
    if behavior == "random":
        return [_drawn(seed, index, "seed") if index else seed % SEED_RANGE for index in range(count)]
    return [(seed + _offset(behavior, index, iter_n)) % SEED_RANGE for index in range(count)]


def scheduled_seeds(values: Sequence[float], seed: int, purpose: str) -> list[int]:
    """Seeds out of a schedule's values, one a diffused frame: truncated to whole numbers as in Deforum.

    One below 0 (Deforum's -1) is drawn, within 0 .. 2**32 - 1, from `seed`, the frame's number among the diffused ones
    and `purpose` ("seed", "subseed"), so that the run can be repeated. Values are float64: seeds over 2**53 are the
    nearest that such a number can be. Raises FramedriftError where a value is not finite.
    """
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise FramedriftError(f"{purpose}_schedule is {value} at the diffused frame {index}; it must be finite.")
    return [
        _drawn(seed, index, purpose) if value < 0 else int(value) % SEED_RANGE for index, value in enumerate(values)
    ]


def _offset(behavior: str, index: int, iter_n: int) -> int:
    if behavior == "iter":
        return -(-index // iter_n)
    if behavior == "ladder":
        return index // 2 if index % 2 == 0 else (index + 3) // 2
    if behavior == "alternate":
        return index % 2
    return 0


def _drawn(seed: int, index: int, purpose: str) -> int:
    return int(torch.randint(0, 2**32, (), generator=generator(seed, index, purpose), dtype=torch.int64))
