"""A picture that goes over into another one without showing both at once.

A plain crossfade shows two pictures through each other half way. Here the coarse goes before the fine, as in a pyramid
blend (Burt and Adelson, "A multiresolution spline with application to image mosaics", 1983), and the fine goes over
place by place: any spot shows the detail of one of the two. Places where both are alike change first.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

#: Short side, in pixels, of the coarsest picture of the pyramid.
COARSEST = 8
#: Share of the finest detail: the picture's own to this power. Detail is made anew while the layout changes.
FINE_POWER = 2.0
#: How soft the border runs between what has changed and what has not: of the finest detail, and of the coarsest.
SOFT_FINE, SOFT_COARSE = 0.25, 8.0
#: Short side of the map that says which place changes when.
ORDER_SIZE = 32
#: Short side of the map that says where the guide is seen.
FEATHER_SIZE = 64


def dissolve(image: Tensor, guide: Tensor, share: float, before: float = 0.0, unseen: Tensor | None = None) -> Tensor:
    """One step of the way from a picture to another one.

    Args:
        image: (1, 3, H, W), where the step before has left it.
        guide: (1, 3, H, W), where the way leads.
        share: 0..1, how much of the way is done after this step; 1 gives the guide itself, bit for bit.
        before: 0..1, how much of it was done before; `share` or more leaves the picture as it is.
        unseen: (1, 1, H, W), 1 where the guide shows nothing of its own: there only its coarse colours are taken.

    Returns:
        (1, 3, H, W), clipped to 0..1.
    """
    if share <= before:
        return image
    if share >= 1 and unseen is None:
        return guide
    own, other = _pyramid(image), _pyramid(guide)
    order = _order(own, other)
    seen = torch.ones_like(image[:, :1]) if unseen is None else _feathered(1 - unseen)
    mixed = torch.zeros_like(own[-1])
    for level in reversed(range(len(own))):
        coarseness = (level / max(len(own) - 1, 1)) ** 2
        size = own[level].shape[-2:]
        step = _step(_resized(order, size), share, before, coarseness)
        step = step * torch.lerp(_resized(seen, size), torch.ones_like(step), coarseness)
        band = torch.lerp(own[level], other[level], step)
        mixed = band + _resized(mixed, size)
    return mixed.clamp(0, 1)


def with_layout(image: Tensor, guide: Tensor) -> Tensor:
    """The picture with the guide's colours and light as far as they can be seen at `COARSEST` pixels; detail stays.

    Args:
        image, guide: (1, 3, H, W), 0..1.
    """
    mixed = _pyramid(guide)[-1]
    for band in reversed(_pyramid(image)[:-1]):
        mixed = band + _resized(mixed, band.shape[-2:])
    return mixed.clamp(0, 1)


def fine_share(share: float) -> float:
    """How much of the finest detail has gone over when the whole has by `share`."""
    return share**FINE_POWER


def _step(order: Tensor, share: float, before: float, coarseness: float) -> Tensor:
    """By how much each place is moved to the other picture: what is left of the way shrinks as the course says."""
    done, left = (_shares(order, value, coarseness) for value in (share, before))
    return torch.where(left >= 1, torch.ones_like(done), (done - left) / (1 - left).clamp(min=1e-6)).clamp(0, 1)


def _shares(order: Tensor, share: float, coarseness: float) -> Tensor:
    """The share at each place, (1, 1, h, w): all alike where it is coarse, one place after the other where fine."""
    reached = share ** (FINE_POWER ** (1 - coarseness))
    softness = SOFT_FINE * (SOFT_COARSE / SOFT_FINE) ** coarseness
    return ((reached * (1 + softness) - order) / softness).clamp(0, 1)


def _order(own: list[Tensor], other: list[Tensor]) -> Tensor:
    """When each place changes, 0 (first) to 1 (last), evenly spread: alike places first. (1, 1, h, w)."""
    level = min(range(len(own)), key=lambda at: abs(math.log(min(own[at].shape[-2:]) / ORDER_SIZE)))
    apart = torch.zeros_like(own[level])
    for one, two in zip(own[level:], other[level:], strict=True):
        apart = apart + _resized(one - two, apart.shape[-2:])
    apart = functional.avg_pool2d(apart.abs().mean(1, keepdim=True), 3, 1, 1, count_include_pad=False)
    ranks = apart.flatten().argsort(stable=True).argsort(stable=True).to(apart)
    return (ranks / max(ranks.numel() - 1, 1)).view_as(apart)


def _pyramid(image: Tensor) -> list[Tensor]:
    """Bands from fine to coarse; `_resized` to the next finer size and added up, they are the picture again."""
    bands = []
    while min(image.shape[-2:]) > COARSEST:
        half = [-(-side // 2) for side in image.shape[-2:]]
        coarse = functional.interpolate(image, size=half, mode="bilinear", align_corners=False, antialias=True)
        bands.append(image - _resized(coarse, image.shape[-2:]))
        image = coarse
    return [*bands, image]


def _resized(image: Tensor, size: torch.Size | tuple[int, ...]) -> Tensor:
    return functional.interpolate(image, size=tuple(size), mode="bilinear", align_corners=False)


def _feathered(seen: Tensor) -> Tensor:
    """What is seen, fading out towards its border within a sixteenth of the picture; in little."""
    height, width = seen.shape[-2:]
    shrunk = max(1.0, min(height, width) / FEATHER_SIZE)
    small = functional.interpolate(seen, size=(round(height / shrunk), round(width / shrunk)), mode="area")
    reach = max(1, min(small.shape[-2:]) // 16)
    window = 2 * reach + 1
    inner = -functional.max_pool2d(-(small > 0.99).to(small), window, 1, reach)
    return functional.avg_pool2d(inner, window, 1, reach, count_include_pad=False)
