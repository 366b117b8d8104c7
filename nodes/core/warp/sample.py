"""Reads a picture at positions between its pixels."""

import torch
from torch import Tensor
from torch.nn import functional

_PADDING = {"replicate": "border", "reflect": "reflection", "zeros": "zeros", "wrap": "border"}
_WRAP_MARGIN = 2


def sample(image: Tensor, dx: Tensor, dy: Tensor, sampling: str = "bicubic", border: str = "replicate") -> Tensor:
    """The image read by each pixel at its own place plus a displacement, (B, C, H, W) float32.

    Convention: dx, dy are (1 or B, H, W) float32 in pixels, right and down. Mirroring is about the picture's outer edge
    (the edge pixel repeats). Bicubic (a = -0.75) can overshoot; its result is clipped to 0..1.

    Args:
        image: (B, C, H, W), 0..1.
        dx: columns, finite.
        dy: rows, finite.
        sampling: one of `types.SAMPLINGS`.
        border: one of `types.BORDERS`.
    """
    image = image.float()
    height, width = image.shape[-2:]
    grid = torch.empty((*torch.broadcast_shapes(dx.shape, dy.shape), 2), dtype=torch.float32, device=image.device)
    column = torch.arange(width, dtype=torch.float64, device=image.device)[None, None, :]
    row = torch.arange(height, dtype=torch.float64, device=image.device)[None, :, None]
    if border == "wrap":
        high, wide = height + 2 * _WRAP_MARGIN, width + 2 * _WRAP_MARGIN
        x, y = dx + column.float(), dy + row.float()
        grid[..., 0] = (x - torch.floor(x / width) * width + (_WRAP_MARGIN + 0.5)) * (2 / wide) - 1
        grid[..., 1] = (y - torch.floor(y / height) * height + (_WRAP_MARGIN + 0.5)) * (2 / high) - 1
        image = _repeat_edges(image, _WRAP_MARGIN)
    else:
        grid[..., 0] = torch.add(((2 * column + 1) / width - 1).float(), dx, alpha=2 / width)
        grid[..., 1] = torch.add(((2 * row + 1) / height - 1).float(), dy, alpha=2 / height)
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
