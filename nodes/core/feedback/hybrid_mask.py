"""Which parts of the animation's picture stay when a video is composited with it."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ..luma import luma

MaskType = Literal["none", "depth", "video depth", "blend", "difference"]
MASK_TYPES: tuple[MaskType, ...] = get_args(MaskType)
Equalize = Literal["none", "before", "after", "both"]
EQUALIZES: tuple[Equalize, ...] = get_args(Equalize)

# Levels that are told apart where a mask is equalised: 16 times as many as in 8 bits.
_LEVELS = 4096


@dataclass(frozen=True)
class Toning:
    """How a mask is toned, in this order: inverted, equalised, contrast, auto-contrast, equalised.

    contrast: factor about the mask's mean. low, high: percentiles, 0..100, that auto-contrast takes to 0 and 1; None
    leaves it out.
    """

    inverse: bool = False
    equalize: Equalize = "none"
    contrast: float = 1.0
    auto_contrast: tuple[float, float] | None = None

    def __call__(self, mask: Tensor) -> Tensor:
        """The toned mask, of the same shape, 0..1."""
        if self.inverse:
            mask = 1 - mask
        if self.equalize in ("before", "both"):
            mask = equalized(mask)
        if self.contrast != 1:
            mask = contrasted(mask, self.contrast)
        if self.auto_contrast is not None:
            mask = auto_contrasted(mask, *self.auto_contrast)
        if self.equalize in ("after", "both"):
            mask = equalized(mask)
        return mask


def blend_mask(image: Tensor, picture: Tensor, share: float) -> Tensor:
    """The luma of two pictures, mixed: that of the second by its share. (B, 1, H, W), 0..1."""
    return torch.lerp(luma(image), luma(picture), share)


def difference_mask(image: Tensor, picture: Tensor) -> Tensor:
    """How far the luma of two pictures differs, (B, 1, H, W), 0..1."""
    return (luma(image) - luma(picture)).abs()


def contrasted(mask: Tensor, factor: float) -> Tensor:
    """Contrast about the mask's mean, clipped to 0..1: factor 0 leaves the mean, 1 the mask as it is."""
    mean = mask.mean()
    return (mean + factor * (mask - mean)).clamp(0, 1)


def auto_contrasted(mask: Tensor, low: float, high: float) -> Tensor:
    """The mask stretched so that two of its percentiles become 0 and 1, clipped.

    Args:
        mask: any shape, 0..1.
        low, high: percentiles, 0..100, the lower of the two first.

    A mask whose percentiles are the same has nothing to stretch, and stays.
    """
    first, last = np.percentile(mask.cpu().numpy(), sorted((low, high)))
    if last - first < 1 / _LEVELS**2:
        return mask
    return ((mask - float(first)) / float(last - first)).clamp(0, 1)


def equalized(mask: Tensor) -> Tensor:
    """The mask with its histogram made even: each value becomes the share of pixels that lie below it.

    The least value becomes 0 and the largest 1: the share is of the pixels that are not of the largest value, as in
    Pillow's 8-bit equalize, whose levels are coarser. A mask of one level stays as it is.
    """
    levels = (mask.clamp(0, 1) * (_LEVELS - 1)).round().long()
    counts = torch.bincount(levels.flatten(), minlength=_LEVELS)
    used = counts.nonzero()[:, 0]
    if len(used) < 2:
        return mask
    below = torch.cumsum(counts, 0) - counts
    share = below.double() / (counts.sum() - counts[used[-1]])
    return share.float()[levels]
