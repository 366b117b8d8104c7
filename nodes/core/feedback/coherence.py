"""Colour coherence: a frame takes over the colours of a reference, channel by channel in CIE LAB.

Convention: images are float32 (B, 3, H, W), sRGB, 0..1. The reference is a table of quantiles, small enough to travel
in a run's state.
"""

import torch

QUANTILES = 1025
"""Entries of a reference: the values below which 0, 1/1024, ..., 1 of the pixels lie."""

VISIBLE = 1 / 16
"""LAB values closer than this count as equal."""


def lab_quantiles(image: torch.Tensor, ignore: torch.Tensor | None = None) -> torch.Tensor:
    """The colour distribution of a picture.

    Args:
        image: (1, 3, H, W).
        ignore: (1, 1, H, W), 1 where a pixel does not count (a hole); ``None`` counts all.

    Returns:
        (3, QUANTILES) float32, ascending along its rows: L in 0..100, a and b about -128..127.
    """
    return _quantiles(_coarse(_to_lab(image)), ignore)


def match_lab(image: torch.Tensor, reference: torch.Tensor, ignore: torch.Tensor | None = None) -> torch.Tensor:
    """Histogram matching in LAB, as classic Deforum's "Match Frame 0 LAB" does it.

    Every channel is sent through the monotone map that takes the picture's quantiles to the reference's; a picture that
    already has the reference's distribution comes back unchanged but for rounding.

    Args:
        image: (1, 3, H, W).
        reference: what ``lab_quantiles`` gave for the picture whose colours are wanted.
        ignore: (1, 1, H, W), 1 where a pixel does not count in the picture's own distribution; it is still mapped.

    Returns:
        (1, 3, H, W), clipped to 0..1.
    """
    lab = _to_lab(image)
    coarse = _coarse(lab)
    own = _quantiles(coarse, ignore)
    target = reference.to(lab)
    mapped = torch.stack([_interpolate(coarse[0, c], own[c], target[c]) for c in range(3)])[None]
    return _to_rgb(mapped + (lab - coarse)).clamp(0, 1)


def _to_lab(image: torch.Tensor) -> torch.Tensor:
    from kornia.color import rgb_to_lab

    return rgb_to_lab(image.clamp(0, 1))


def _to_rgb(lab: torch.Tensor) -> torch.Tensor:
    from kornia.color import lab_to_rgb

    return lab_to_rgb(lab)


def _coarse(lab: torch.Tensor) -> torch.Tensor:
    """Differences that nobody sees must not be stretched: a grey picture's a and b differ by rounding alone."""
    return (lab / VISIBLE).round() * VISIBLE


def _quantiles(lab: torch.Tensor, ignore: torch.Tensor | None) -> torch.Tensor:
    values = lab[0].flatten(1)
    if ignore is not None:
        counted = values[:, ignore.flatten() < 0.5]
        if counted.shape[1] >= QUANTILES:
            values = counted
    ordered = values.sort(dim=1).values
    position = torch.linspace(0, values.shape[1] - 1, QUANTILES, device=lab.device, dtype=torch.float64)
    low = position.floor().long()
    share = (position - low).to(lab.dtype)
    high = (low + 1).clamp(max=values.shape[1] - 1)
    return ordered[:, low] * (1 - share) + ordered[:, high] * share


def _interpolate(x: torch.Tensor, knots: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Piecewise linear; on a run of equal knots (a flat area of the picture) the middle of the run's values."""
    flat, knots = x.flatten().contiguous(), knots.contiguous()
    first = torch.searchsorted(knots, flat, right=False)
    after = torch.searchsorted(knots, flat, right=True)
    left, right = (first - 1).clamp(min=0), first.clamp(max=QUANTILES - 1)
    span = knots[right] - knots[left]
    share = ((flat - knots[left]) / span.clamp(min=1e-12)).clamp(0, 1)
    between = torch.lerp(values[left], values[right], share)
    on_knots = (values[right] + values[(after - 1).clamp(min=0)]) / 2
    return torch.where(after > first, on_knots, between).view_as(x)
