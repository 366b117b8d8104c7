"""Pictures that a node shows on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import host
from .host import ui

if TYPE_CHECKING:
    import torch


def shown_picture(image: torch.Tensor, prefix: str) -> ui.SavedImages:
    """A core image (1, 3, h, w) as a PNG in the temp folder, which the page shows in the node."""
    from PIL import Image

    path, result = host.save_path(prefix, "png", (int(image.shape[-2]), int(image.shape[-1])), folder="temp")
    levels = image[0].movedim(0, -1).mul(255.0).round().byte().contiguous().numpy()
    Image.fromarray(levels).save(path, compress_level=1)
    return ui.SavedImages([result])
