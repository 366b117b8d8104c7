"""The slow anchor: mean and spread of every channel are held near those of an anchor that moves slowly itself.

Each frame is pulled a little way back, never far, so that an animation keeps its contrast and its palette over hundreds
of frames, and may still go where its prompts lead.

Convention: images are float32 (1, 3, H, W), sRGB, 0..1; an anchor is float64 (2, 3), the channels' means over their
standard deviations.
"""

import numpy as np
import torch

PULL = 0.15
"""Exponent of the spread's ratio, and share of the distance between means, that a frame is pulled by."""
MOST_GAIN = 0.03
MOST_SHIFT = 0.01
"""Limits to the pull, of contrast and of brightness, in one frame."""
PACE = 0.02
"""Share of the way to the palette that the anchor goes in one frame of the animation."""
_FLAT = 1e-6


def color_statistics(image: torch.Tensor, ignore: torch.Tensor | None = None) -> torch.Tensor:
    """Mean and standard deviation (of the population) of each channel.

    Args:
        ignore: (1, 1, H, W), 1 where a pixel does not count (a hole). Where none would be left all count.

    Returns:
        float64 (2, 3).
    """
    import cv2

    mask = None
    if ignore is not None and bool((ignore > 0).any()) and bool((ignore < 0.5).any()):
        mask = (ignore[0, 0] < 0.5).to("cpu", torch.uint8).numpy()
    planes = image[0].detach().to("cpu", torch.float32).contiguous().numpy()
    means, spreads = zip(*(cv2.meanStdDev(plane, mask=mask) for plane in planes), strict=True)
    return torch.from_numpy(np.stack([np.ravel(means), np.ravel(spreads)]))


def pulled(image: torch.Tensor, anchor: torch.Tensor, ignore: torch.Tensor | None = None) -> torch.Tensor:
    """The picture pulled towards the anchor: ``x' = (x - mu_x) g + mu_x + d``, clipped to 0..1, channel by channel.

    ``g = clip((sigma_a / sigma_x) ** 0.15, 0.97, 1.03)`` and ``d = clip(0.15 (mu_a - mu_x), -0.01, 0.01)``. A channel
    without any spread has none to change.

    Args:
        ignore: (1, 1, H, W), 1 where a pixel does not count in the picture's mean and spread; it is still moved.
    """
    gain, shift = pull(color_statistics(image, ignore), anchor)
    shape = (1, 3, 1, 1)
    return (image * gain.to(image).view(shape) + shift.to(image).view(shape)).clamp_(0, 1)


def pull(statistics: torch.Tensor, anchor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What ``pulled`` multiplies each channel by and what it adds then, float64 (3,) each."""
    mean, spread = statistics
    ratio = torch.where(spread > _FLAT, anchor[1] / spread.clamp(min=_FLAT), torch.ones_like(spread))
    gain = (ratio**PULL).clamp(1 - MOST_GAIN, 1 + MOST_GAIN)
    offset = (PULL * (anchor[0] - mean)).clamp(-MOST_SHIFT, MOST_SHIFT)
    return gain, mean - mean * gain + offset


def moved_anchor(anchor: torch.Tensor, colors: torch.Tensor, frames: int) -> torch.Tensor:
    """The anchor some frames later: each takes it 2 % of the way to the mean and the spread of a palette.

    A palette is a gradient from colour to colour: a picture holds what lies between them too, and the spread of the
    bare colours would burn it out.

    Args:
        colors: (n, 3) float64, sRGB 0..1. A single colour has no spread, and leaves the anchor's as it is.
        frames: of the animation, 0 or more.
    """
    goal = torch.stack([colors.mean(0), anchor[1]])
    if len(colors) > 1:
        start, end = colors[:-1], colors[1:]
        mean = ((start + end) / 2).mean(0)
        # The mean square along a straight way from a to b is (a^2 + a b + b^2) / 3.
        square = ((start.square() + start * end + end.square()) / 3).mean(0)
        goal = torch.stack([mean, (square - mean.square()).clamp(min=0).sqrt()])
    return anchor + (1 - (1 - PACE) ** frames) * (goal - anchor)
