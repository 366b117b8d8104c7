"""Between torch's planes and the interleaved pixels that OpenCV works on; nothing is copied that need not be."""

import numpy as np
import torch


def to_pixels(image: torch.Tensor) -> np.ndarray:
    """A core image (1, 3, H, W) on any device as (H, W, 3) float32, contiguous."""
    return np.ascontiguousarray(image[0].detach().permute(1, 2, 0).to("cpu", torch.float32).numpy())


def from_pixels(pixels: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """(H, W, 3) float32 as a core image (1, 3, H, W), contiguous, of the device and the type of `like`."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous().to(like)
