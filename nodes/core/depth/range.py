"""What a disparity map stands for: distances, or Deforum's equalised depth."""

import torch
from torch import Tensor

from ..errors import FramedriftError

BINS = 1024


def disparity_to_depth(disparity: Tensor, near: float, far: float) -> Tensor:
    """Distance in scene units, of the same shape: 1 / (d (1/near - 1/far) + 1/far).

    Args:
        disparity: 0..1, larger is nearer; 1 lies at `near`, 0 at `far`. What lies outside 0..1 is clipped.
        near: scene units, above 0.
        far: scene units, above `near`.

    Raises:
        FramedriftError: near and far are not two distances, the smaller first.
    """
    if not 0 < near < far:
        raise FramedriftError(f"near and far: {near:g} and {far:g} are no range; near must be above 0 and below far")
    return 1.0 / (disparity.float().clamp(0, 1) * (1 / near - 1 / far) + 1 / far)


def equalise(disparity: Tensor) -> Tensor:
    """Histogram equalisation as classic Deforum does it, each picture of the batch by itself.

    The map is stretched to 0..1 and interpolated linearly between the left edges of a 1024-bin histogram and its
    cumulative share. A flat map gives 1 everywhere.

    Args:
        disparity: (B, 1, H, W) of any range; values that are not finite count as the smallest.

    Returns:
        (B, 1, H, W) float32 in 0..1.
    """
    flat = disparity.float().flatten(1)
    low, high = _extremes(flat)
    if not bool((low - high).isfinite().all()):
        finite = torch.isfinite(flat)
        least = torch.where(finite, flat, torch.inf).amin(1, keepdim=True)
        flat = torch.where(finite, flat, torch.where(torch.isfinite(least), least, 0.0))
        low, high = _extremes(flat)
    span = high - low
    position = (flat - low).mul_(BINS / torch.where(span > 0, span, 1.0))
    left = position.long().clamp_(max=BINS - 1)
    within = position.sub_(left)
    if len(flat) > 1:
        left += torch.arange(len(flat), device=flat.device)[:, None] * BINS
    left = left.flatten()
    counts = torch.bincount(left, minlength=BINS * len(flat)).view(-1, BINS)
    share = counts.cumsum(1).float().div_(flat.shape[1])
    rise = torch.diff(share, dim=1, append=share[:, -1:])
    equal = within.flatten().mul_(rise.take(left)).add_(share.take(left)).view_as(flat)
    return equal.masked_fill_(span <= 0, 1.0).view(disparity.shape)


def _extremes(flat: Tensor) -> tuple[Tensor, Tensor]:
    # Row by row: a reduction over everything is many times faster than one along an axis.
    low, high = zip(*(torch.aminmax(row) for row in flat), strict=True)
    return torch.stack(low)[:, None], torch.stack(high)[:, None]
