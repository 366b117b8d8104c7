"""How much of every pixel is diffused anew, and what that means in sampler steps."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from .plan import sampler_steps

MAGNIFIED_DENOISE = 0.6
"""Denoise of a place that is magnified by four in area or more."""
NOTICEABLE = 0.05
"""What a magnification, or a doubtful hole, asks for below this is left to the frame's own denoise."""
FINEST = 1e-3
"""A frame is given at least this denoise with full steps: laying out a schedule of millions of steps takes minutes."""
NOTHING = 1e-6
"""A denoise below this is none: rounding of ``1 - strength``."""


def denoise_map(
    holes: torch.Tensor, magnification: torch.Tensor, denoise: float, hole_denoise: float = 1.0
) -> torch.Tensor:
    """Denoise of every pixel: ``hole_denoise`` in holes, up to 0.6 where magnified, ``denoise`` elsewhere or if more.

    Args:
        holes: (1, 1, H, W), 1 where the camera uncovered a pixel; in between as far as that is so.
        magnification: (1, 1, H, W), by how much an area grew; 1 is unchanged.
        denoise: ``1 - strength`` of the frame.

    Returns:
        (1, 1, H, W) float64 in 0..1: in float32, 0.35 of 20 steps would be 6.
    """
    magnified = magnification.clamp(1, 4).log2_().mul_(MAGNIFIED_DENOISE / 2)
    everywhere = functional.threshold(magnified, NOTICEABLE, 0.0, inplace=True).double().clamp_(min=denoise)
    uncovered = functional.threshold(holes, NOTICEABLE, 0.0).double().mul_(hole_denoise)
    return torch.maximum(everywhere, uncovered)


@dataclass(frozen=True)
class Diffusion:
    """What the sampler is asked for.

    total_steps: length of the whole sigma schedule. steps: how many of its last steps are run. mask: (1, 1, h, w) at
    the latent's size, 1 where all of them change the pixel, m where the last ``m * steps`` do; None is 1 everywhere.
    """

    total_steps: int
    steps: int
    mask: torch.Tensor | None = None

    @classmethod
    def from_nothing(cls, steps: int) -> "Diffusion":
        """Text to image: all steps, no picture to start from."""
        return cls(steps, steps)


def plan_diffusion(denoise: torch.Tensor, steps: int, cell: int, full_steps: bool = False) -> Diffusion | None:
    """Turns a denoise map into sampler steps.

    Args:
        denoise: (1, 1, H, W) from ``denoise_map``.
        steps: steps for a denoise of 1.
        cell: pixels along one side of a latent cell; H and W are multiples of it.
        full_steps: give the frame all its steps, over a finer schedule, as ComfyUI's KSampler does; else Deforum's
            share of them.

    Returns:
        None where nothing is to be diffused.
    """
    cells = _by_cell(denoise, cell)
    most = float(cells.max())
    if most < NOTHING:
        return None
    if full_steps:
        given, total = steps, int(steps / max(most, FINEST))
        share = cells / most
    else:
        given, total = sampler_steps(most, steps), steps
        counts = (cells.clamp(max=0.999) * steps).floor().clamp(min=1)
        share = torch.where(cells < NOTHING, torch.zeros_like(cells), counts / given)
    return Diffusion(total, given, None if float(share.min()) >= 1 else share.clamp(max=1).float())


def _by_cell(denoise: torch.Tensor, cell: int) -> torch.Tensor:
    """The denoise that at least a quarter of each cell's pixels ask for: cracks don't count, an uncovered edge does."""
    if cell == 1:
        return denoise
    height, width = (side // cell for side in denoise.shape[-2:])
    rows = denoise.reshape(height, cell, width, cell).permute(0, 2, 1, 3).reshape(height * width, cell * cell)
    asked_by = -(-cell * cell // 4)
    # NumPy selects ten times faster than torch's kthvalue.
    place = cell * cell - asked_by
    chosen = np.partition(rows.cpu().numpy(), place, axis=1)[:, place].copy()
    return torch.from_numpy(chosen).view(1, 1, height, width)


def keep_untouched(image: torch.Tensor, diffused: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Puts back the pixels that no step touched: a latent round trip costs them detail on every frame.

    Args:
        image: what was encoded, (1, 3, H, W). diffused: what came back. mask: ``Diffusion.mask``.
    """
    if mask is None or bool((mask > 0).all()):
        return diffused
    touched = functional.interpolate((mask > 0).to(image), size=image.shape[-2:], mode="nearest")
    soft = functional.avg_pool2d(touched, 9, stride=1, padding=4, count_include_pad=False)
    return torch.lerp(image, diffused, torch.maximum(touched, soft))
