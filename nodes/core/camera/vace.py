"""A warped clip as VACE takes it: what the camera sees of a picture, and a mask of what is to be made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import FramedriftError

if TYPE_CHECKING:
    from ..warp.clip import WarpedFrames

# What VACE was trained to see where it has to make a picture up.
GREY = 0.5
FILLINGS = ("grey", "filled")


def control_clip(
    clip: WarpedFrames, holes: str = "grey", grow: int = 4, on_frame: Callable[[int], None] | None = None
) -> tuple[Tensor, Tensor]:
    """Every frame of a clip and its mask.

    A frame that shows the picture itself has an empty mask. Where the mask is 1 the frame is mid grey, or what the
    warp filled it with.

    Args:
        clip: the picture as the camera sees it.
        holes: "grey" or "filled".
        grow: by how many pixels holes are grown on every side, so that their frayed edges are made anew as well.
        on_frame: called with the number of frames that are done, after each.

    Returns:
        video: (F, H, W, C) float32, 0..1.
        masks: (F, H, W) float32, 1 where a picture has to be made, else 0.

    Raises:
        FramedriftError: another word for `holes`.
    """
    if holes not in FILLINGS:
        raise FramedriftError(f"holes: {holes!r} is not known; choose one of {', '.join(FILLINGS)}")
    h, w = clip.size
    video, masks = torch.empty(len(clip), h, w, 3), torch.zeros(len(clip), h, w)
    for item in range(len(clip)):
        warped = clip.warped(item)
        video[item] = warped.image[0].movedim(0, -1).clamp(0.0, 1.0)
        if clip.indices[item] != clip.source:
            masks[item] = grown(warped.holes, grow)[0, 0]
            if holes == "grey":
                video[item][masks[item] > 0] = GREY
        if on_frame:
            on_frame(item + 1)
    return video, masks


def grown(holes: Tensor, pixels: int) -> Tensor:
    """Holes (B, 1, H, W) of 0 and 1, larger by so many pixels on every side."""
    for kernel, padding in (((2 * pixels + 1, 1), (pixels, 0)), ((1, 2 * pixels + 1), (0, pixels))):
        holes = functional.max_pool2d(holes, kernel, 1, padding) if pixels else holes
    return holes


def cover(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (B, C, H, W) scaled to cover a size (h, w), and what sticks out cut off on both sides alike."""
    height, width = image.shape[-2:]
    if (height, width) == tuple(size):
        return image
    scale = max(size[0] / height, size[1] / width)
    scaled = (max(size[0], round(height * scale)), max(size[1], round(width * scale)))
    larger = functional.interpolate(image, size=scaled, mode="bicubic", align_corners=False, antialias=True)
    top, left = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    return larger[..., top : top + size[0], left : left + size[1]].clamp(0.0, 1.0).contiguous()
