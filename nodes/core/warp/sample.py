"""Reads a picture at positions between its pixels."""

import torch
from torch import Tensor
from torch.nn import functional

_PADDING = {"replicate": "border", "reflect": "reflection", "zeros": "zeros", "wrap": "border"}
_WRAP_MARGIN = 2


def sample(image: Tensor, x: Tensor, y: Tensor, sampling: str = "bicubic", border: str = "replicate") -> Tensor:
    """The image at the given positions, (B, C, h, w) float32.

    Convention: x, y are (1 or B, h, w) float32 pixel indices: 0 is the centre of the first pixel. Mirroring is about
    the picture's outer edge (the edge pixel repeats). Bicubic (a = -0.75) can overshoot; its result is clipped to 0..1.

    Args:
        image: (B, C, H, W), 0..1.
        x: columns, finite.
        y: rows, finite.
        sampling: one of `types.SAMPLINGS`.
        border: one of `types.BORDERS`.
    """
    image = image.float()
    height, width = image.shape[-2:]
    if border == "wrap":
        x = x - torch.floor(x / width) * width + _WRAP_MARGIN
        y = y - torch.floor(y / height) * height + _WRAP_MARGIN
        image = _repeat_edges(image, _WRAP_MARGIN)
        height, width = image.shape[-2:]
    shape = torch.broadcast_shapes(x.shape, y.shape)
    grid = torch.empty((*shape, 2), dtype=torch.float32, device=image.device)
    grid[..., 0] = torch.add(x * (2 / width), 1 / width - 1)
    grid[..., 1] = torch.add(y * (2 / height), 1 / height - 1)
    return sample_grid(image, grid, sampling, _PADDING[border])


def sample_grid(image: Tensor, grid: Tensor, sampling: str, padding: str) -> Tensor:
    """`grid_sample` on a (1 or B, h, w, 2) grid of -1..1 over the picture's outer edges, overshoot clipped."""
    if len(grid) != len(image):
        grid = grid.expand(len(image), -1, -1, -1)
    found = functional.grid_sample(image.float(), grid, mode=sampling, padding_mode=padding, align_corners=False)
    return found.clamp_(0, 1) if sampling == "bicubic" else found


def _repeat_edges(image: Tensor, margin: int) -> Tensor:
    # torch's circular padding refuses margins over the picture's size, and a picture may be one pixel wide.
    height, width = image.shape[-2:]
    rows = torch.arange(-margin, height + margin, device=image.device) % height
    columns = torch.arange(-margin, width + margin, device=image.device) % width
    return image.index_select(-2, rows).index_select(-1, columns)
