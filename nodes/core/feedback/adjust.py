"""Contrast, sharpness and greyness of a frame before it is diffused: classic Deforum's schedules, in float32.

Convention: images are (1, 3, H, W), sRGB, 0..1. What would change nothing returns the very same tensor.
"""

import torch

from ..luma import luma
from .layout import from_pixels, to_pixels


def grayscale(image: torch.Tensor) -> torch.Tensor:
    """Three equal channels: the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, as OpenCV's RGB2GRAY."""
    return luma(image).expand_as(image).contiguous()


def contrast(image: torch.Tensor, factor: float) -> torch.Tensor:
    """The pixel values times `factor`, clipped to 0..1: what classic Deforum's contrast_schedule means.

    It is a gain from black, not about the middle: over 1 it brightens. Classic Deforum lets what is over white wrap
    round to black; here it stays white.

    Args:
        factor: 0 or more; 1 changes nothing.
    """
    return image if factor == 1 else (image * factor).clamp(0, 1)


def unsharp(image: torch.Tensor, kernel: int, sigma: float, amount: float, threshold: float = 0) -> torch.Tensor:
    """Unsharp masking: ``image + amount (image - blurred)``, clipped to 0..1, with a Gaussian blur.

    Args:
        kernel: width of the blur's window in pixels; an even one is made odd by one more.
        sigma: of the Gaussian in pixels; 0 lets OpenCV derive it from the kernel, about ``0.15 kernel + 0.35``.
        amount: 0 changes nothing.
        threshold: in levels of 255; where a channel differs from its blurred one by less, it stays as it is.

    Beyond the picture's edge lies its mirror image, without the edge pixel itself (OpenCV's BORDER_REFLECT_101).
    """
    if amount == 0:
        return image
    import cv2

    pixels = to_pixels(image)
    width = int(kernel) | 1
    blurred = cv2.GaussianBlur(pixels, (width, width), sigma)
    if threshold <= 0:
        return from_pixels(cv2.addWeighted(pixels, 1 + amount, blurred, -amount, 0), image).clamp_(0, 1)
    detail = pixels - blurred
    detail[abs(detail) < threshold / 255] = 0
    return from_pixels(pixels + amount * detail, image).clamp_(0, 1)
