"""Between torch's planes and the interleaved pixels of clips and of OpenCV; nothing is copied that need not be."""

import numpy as np
import torch


def to_pixels(image: torch.Tensor) -> np.ndarray:
    """A core image (1, 3, H, W) on any device as (H, W, 3) float32, contiguous."""
    import cv2

    return cv2.merge(list(image[0].detach().to("cpu", torch.float32).contiguous().numpy()))


def from_pixels(pixels: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """(H, W, 3) float32 as a core image (1, 3, H, W), contiguous, of the device and the type of `like`."""
    import cv2

    planes = torch.empty(1, 3, *pixels.shape[:2])
    cv2.split(pixels, list(planes[0].numpy()))
    return planes.to(like)


def from_clip(picture: torch.Tensor) -> torch.Tensor:
    """A clip's picture (H, W, C) as a core image (1, 3, H, W): one channel becomes three, alpha is left out."""
    planes = picture.permute(2, 0, 1)[None]
    return planes[:, :3] if planes.shape[1] >= 3 else planes[:, :1].expand(-1, 3, -1, -1)
