"""Reads a picture at positions between its pixels."""

from functools import cache

import cv2
import torch
from torch import Tensor
from torch.nn import functional

_PADDING = {"replicate": "border", "reflect": "reflection", "zeros": "zeros", "wrap": "border"}
_WRAP_MARGIN = 2
# What OpenCV does the same as torch, several times faster. Its mirrored borders differ with bicubic.
_CV_SAMPLINGS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
_CV_BORDERS = {"replicate": cv2.BORDER_REPLICATE, "zeros": cv2.BORDER_CONSTANT}
# OpenCV counts a picture's pixels in 16 bits.
_CV_LONGEST = 32_000
# This far beyond the frame no interpolation reaches into it.
_BEYOND = 4


def sample(image: Tensor, dx: Tensor, dy: Tensor, sampling: str = "bicubic", border: str = "replicate") -> Tensor:
    """The image read by each pixel at its own place plus a displacement, (B, C, H, W) float32. Not differentiable.

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
    fits = sampling in _CV_SAMPLINGS and border in _CV_BORDERS and max(height, width) < _CV_LONGEST
    if image.device.type == "cpu" and fits and _opencv_is_exact():
        return _remap(image, dx, dy, sampling, border)
    grid = torch.empty((*torch.broadcast_shapes(dx.shape, dy.shape), 2), dtype=torch.float32, device=image.device)
    column, row = _ramp(width, image.device)[None, None, :], _ramp(height, image.device)[None, :, None]
    if border == "wrap":
        high, wide = height + 2 * _WRAP_MARGIN, width + 2 * _WRAP_MARGIN
        x, y = dx + column, dy + row
        grid[..., 0] = (x - torch.floor(x / width) * width + (_WRAP_MARGIN + 0.5)) * (2 / wide) - 1
        grid[..., 1] = (y - torch.floor(y / height) * height + (_WRAP_MARGIN + 0.5)) * (2 / high) - 1
        image = _repeat_edges(image, _WRAP_MARGIN)
    else:
        grid[..., 0] = torch.add(_centres(width, image.device)[None, None, :], dx, alpha=2 / width)
        grid[..., 1] = torch.add(_centres(height, image.device)[None, :, None], dy, alpha=2 / height)
    if len(grid) != len(image):
        grid = grid.expand(len(image), -1, -1, -1)
    found = functional.grid_sample(image, grid, mode=sampling, padding_mode=_PADDING[border], align_corners=False)
    return found.clamp_(0, 1) if sampling == "bicubic" else found


def _remap(image: Tensor, dx: Tensor, dy: Tensor, sampling: str, border: str) -> Tensor:
    batch, channels, height, width = image.shape
    shape = torch.broadcast_shapes(dx.shape, dy.shape, (1, height, width))
    x = torch.add(dx, _ramp(width)[None, None, :]).clamp_(-_BEYOND, width + _BEYOND).expand(shape).contiguous()
    y = torch.add(dy, _ramp(height)[None, :, None]).clamp_(-_BEYOND, height + _BEYOND).expand(shape).contiguous()
    columns, rows = x.numpy(), y.numpy()
    image = image.detach().contiguous()
    found = torch.empty_like(image)
    source, target = image.numpy(), found.numpy()
    for picture in range(batch):
        place = min(picture, len(columns) - 1)
        for channel in range(channels):
            cv2.remap(
                source[picture, channel],
                columns[place],
                rows[place],
                _CV_SAMPLINGS[sampling],
                dst=target[picture, channel],
                borderMode=_CV_BORDERS[border],
            )
    return found.clamp_(0, 1) if sampling == "bicubic" else found


@cache
def _opencv_is_exact() -> bool:
    """Whether this OpenCV reads at any place, as torch does: once it knew 32 places between two pixels and no more."""
    picture = torch.linspace(0.5, 0.7, 64).square().view(1, 1, 8, 8)
    shift = torch.full((1, 8, 8), 0.0131)
    grid = torch.stack([shift + torch.arange(8), shift + torch.arange(8)[:, None]], -1).add_(0.5).div_(4).sub_(1)
    return all(
        torch.allclose(
            _remap(picture, shift, shift, mode, "replicate"),
            functional.grid_sample(picture, grid, mode=mode, padding_mode="border", align_corners=False),
            atol=1e-5,
        )
        for mode in _CV_SAMPLINGS
    )


def _ramp(length: int, device: torch.device | str = "cpu") -> Tensor:
    return torch.arange(length, dtype=torch.float32, device=device)


def _centres(length: int, device: torch.device) -> Tensor:
    # float64 on the CPU: not every device has it.
    return ((2 * torch.arange(length, dtype=torch.float64) + 1) / length - 1).float().to(device)


def _repeat_edges(image: Tensor, margin: int) -> Tensor:
    # torch's circular padding refuses margins over the picture's size, and a picture may be one pixel wide.
    height, width = image.shape[-2:]
    rows = torch.arange(-margin, height + margin, device=image.device) % height
    columns = torch.arange(-margin, width + margin, device=image.device) % width
    return image.index_select(-2, rows).index_select(-1, columns)
