"""The seed of every diffused frame."""

from __future__ import annotations

import torch

from ..errors import FramedriftError
from ..random import generator

SEED_BEHAVIORS = ("fixed", "iter", "ladder", "alternate", "random")
#: ComfyUI's seeds are 64-bit: what goes over the end begins anew at 0.
SEED_RANGE = 2**64


def seed_sequence(behavior: str, seed: int, count: int, iter_n: int = 1) -> list[int]:
    """The seeds of `count` diffused frames, by Deforum's names for how they go on; the first is `seed` always.

    fixed: the same one. iter: one more every `iter_n` frames. ladder: up by two, down by one. alternate: up by one,
    down by one. random: drawn from `seed` and the frame's number among the diffused ones, within 0 .. 2**32 - 1, so
    that a run can be repeated and a longer one begins like a shorter one.

    Returns integers within 0 .. 2**64 - 1, wrapped around. Raises FramedriftError for an unknown behaviour or count.
    """
    if behavior not in SEED_BEHAVIORS:
        raise FramedriftError(f"seed_behavior is {behavior!r}, and must be one of: {', '.join(SEED_BEHAVIORS)}.")
    if iter_n < 1:
        raise FramedriftError(f"seed_iter_N is {iter_n}, and must be at least 1.")
    if count < 0:
        raise FramedriftError(f"The number of seeds is {count}, and must be at least 0.")
    if behavior == "random":
        return [_drawn(seed, index) if index else seed % SEED_RANGE for index in range(count)]
    return [(seed + _offset(behavior, index, iter_n)) % SEED_RANGE for index in range(count)]


def _offset(behavior: str, index: int, iter_n: int) -> int:
    if behavior == "iter":
        return -(-index // iter_n)
    if behavior == "ladder":
        return index // 2 if index % 2 == 0 else (index + 3) // 2
    if behavior == "alternate":
        return index % 2
    return 0


def _drawn(seed: int, index: int) -> int:
    return int(torch.randint(0, 2**32, (), generator=generator(seed, index, "seed"), dtype=torch.int64))
