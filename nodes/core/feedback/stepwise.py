"""Per-pixel denoise: how many of a frame's sampler steps each pixel takes part in."""

from __future__ import annotations

import torch

#: A mask value that misses its step by less than this counts as reaching it: 7/20 in float32 is 7 steps of 20, not 6.
TOLERANCE = 1e-4


def stepwise_mask(sigma: torch.Tensor | float, mask: torch.Tensor, step_sigmas: torch.Tensor) -> torch.Tensor:
    """Which pixels the sampler changes at this sigma, as 1 and 0 in the mask's shape, dtype and device.

    `mask` holds the denoise of each pixel as a share of the steps given: 1 takes part in all n = len(step_sigmas) - 1
    of them, m in the last floor(n m), 0 in none. `step_sigmas` are the sigmas of the steps, falling, the final one
    included. A `sigma` between two of them (a sampler's mid-step evaluation) belongs to the earlier step.
    """
    steps = len(step_sigmas) - 1
    now = float(torch.as_tensor(sigma).max())
    starts = step_sigmas[:-1].detach().cpu().double()
    begun = int((starts >= now * (1 - TOLERANCE)).sum())
    remaining = (steps - max(begun - 1, 0)) / steps
    return (mask >= remaining - TOLERANCE).to(mask.dtype)
