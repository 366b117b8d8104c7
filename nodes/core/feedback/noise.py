"""Noise that is laid over a frame before it is diffused, so that the feedback keeps finding detail."""

import torch

from ..random import generator


def add_noise(image: torch.Tensor, amount: float, seed: int, frame: int) -> torch.Tensor:
    """Adds Gaussian noise.

    Args:
        image: (1, 3, H, W) float32, 0..1.
        amount: standard deviation in Deforum's unit, that of a picture running from -1 to 1: 0.065 is its default and
            0.0325 on our scale. 0 returns the same tensor.
        seed, frame: name the noise; the same pair gives the same on every machine.

    Returns:
        (1, 3, H, W), clipped to 0..1.
    """
    if amount <= 0:
        return image
    noise = torch.randn(image.shape, generator=generator(seed, frame, "noise"))
    return (image + 0.5 * amount * noise.to(image)).clamp(0, 1)
