"""Masks and numbered pixels, in the ways in which a CPU is quick at them.

Convention: pixels are numbered in (B, h, w) order, row by row; a list of them is int64 (N,), each at most once where it
is written to. What torch does with one bit a byte, or through lists of indices, takes it up to ten times as long as
numpy, or as long as arithmetic on a whole picture takes. Every result is the same, bit for bit.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def above(values: Tensor, limit: Tensor | float) -> Tensor:
    """Where values exceed a limit, bool; never where one of them is no number."""
    if values.device.type != "cpu":
        return values > limit
    return torch.from_numpy(np.greater(values.numpy(), limit.numpy() if isinstance(limit, Tensor) else limit))


def within(values: Tensor, limit: Tensor) -> Tensor:
    """Where values do not exceed a limit, bool; never where one of them is no number."""
    if values.device.type != "cpu":
        return values <= limit
    return torch.from_numpy(np.less_equal(values.numpy(), limit.numpy()))


def numbers(mask: Tensor) -> Tensor:
    """The pixels of a bool mask, in order."""
    if mask.device.type != "cpu":
        return mask.flatten().nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(mask.numpy()))


def every(mask: Tensor) -> bool:
    """Whether a bool mask, not empty, holds everywhere."""
    return bool(mask.view(torch.uint8).min())


def as_float(mask: Tensor) -> Tensor:
    """A bool mask as float32, 1 and 0."""
    return mask.view(torch.uint8).float()


def pick(values: Tensor, pixels: Tensor) -> Tensor:
    """The values at some pixels, (N,)."""
    return values.reshape(-1).index_select(0, pixels)


def put(values: Tensor, pixels: Tensor, new: Tensor | float | bool) -> None:
    """Writes into contiguous values at some pixels: one new value for each, or the same for all."""
    flat = values.view(-1)
    if isinstance(new, Tensor):
        flat.scatter_(0, pixels, new)
    else:
        flat.index_fill_(0, pixels, new)
