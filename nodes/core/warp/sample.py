"""Reads a picture at positions between its pixels."""

from collections.abc import Callable
from functools import cache, partial

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .spline import read_spline

_PADDING = {"replicate": "border", "reflect": "reflection", "zeros": "zeros", "wrap": "border"}
_WRAP_MARGIN = 2
# What OpenCV does the same as torch, several times faster. Its mirrored borders differ with bicubic.
_CV_SAMPLINGS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
_CV_BORDERS = {"replicate": cv2.BORDER_REPLICATE, "zeros": cv2.BORDER_CONSTANT}
# The share of bilinear in bicubic that gives slow waves, read between two pixels, the height they had.
_LEVEL = 1 / 3
# OpenCV counts a picture's pixels in 16 bits.
_CV_LONGEST = 32_000
# This far beyond the frame no interpolation reaches into it.
_BEYOND = 4

# Reads the picture with a sampling, and mixes in a share of bilinear.
_Read = Callable[[str, float], Tensor]


def sample(
    image: Tensor,
    dx: Tensor,
    dy: Tensor,
    sampling: str = "bicubic",
    border: str = "replicate",
    classic: bool = False,
) -> Tensor:
    """The image read by each pixel at its own place plus a displacement, (B, C, H, W) float32. Not differentiable.

    Convention: dx, dy are (1 or B, H, W) float32 in pixels, right and down. Mirroring is about the picture's outer edge
    (the edge pixel repeats). Bicubic and spline can overshoot; their result is clipped to 0..1.

    Args:
        image: (B, C, H, W), 0..1.
        dx: columns, finite.
        dy: rows, finite.
        sampling: one of `types.SAMPLINGS`.
        border: one of `types.BORDERS`.
        classic: bicubic as torch and OpenCV have it (a = -0.75). Over a chain of warps that sharpens more and more;
            without it bicubic keeps contrast as it is.
    """
    image = image.float()
    size = image.shape[-2:]
    if sampling == "spline":
        return read_spline(image, dx, dy, border, _bilinear)
    fits = sampling in _CV_SAMPLINGS and border in _CV_BORDERS and max(size) < _CV_LONGEST
    if image.device.type == "cpu" and fits and _opencv_is_exact():
        read = _opencv_reader(image, dx, dy, border)
    else:
        read = _torch_reader(image, dx, dy, border)
    if sampling != "bicubic":
        return read(sampling, 0.0)
    return read(sampling, 0.0 if classic else _LEVEL).clamp_(0, 1)


def _bilinear(image: Tensor, dx: Tensor, dy: Tensor, border: str) -> Tensor:
    return sample(image, dx, dy, "bilinear", border)


def _torch_reader(image: Tensor, dx: Tensor, dy: Tensor, border: str) -> _Read:
    height, width = image.shape[-2:]
    grid = torch.empty((*torch.broadcast_shapes(dx.shape, dy.shape), 2), dtype=torch.float32, device=image.device)
    if border == "wrap":
        high, wide = height + 2 * _WRAP_MARGIN, width + 2 * _WRAP_MARGIN
        x, y = dx + _ramp(width, image.device)[None, None, :], dy + _ramp(height, image.device)[None, :, None]
        grid[..., 0] = (x - torch.floor(x / width) * width + (_WRAP_MARGIN + 0.5)) * (2 / wide) - 1
        grid[..., 1] = (y - torch.floor(y / height) * height + (_WRAP_MARGIN + 0.5)) * (2 / high) - 1
        image = _repeat_edges(image, _WRAP_MARGIN)
    else:
        grid[..., 0] = torch.add(_centres(width, image.device)[None, None, :], dx, alpha=2 / width)
        grid[..., 1] = torch.add(_centres(height, image.device)[None, :, None], dy, alpha=2 / height)
    if len(grid) != len(image):
        grid = grid.expand(len(image), -1, -1, -1)
    padding = _PADDING[border]

    def read(sampling: str, level: float) -> Tensor:
        found = functional.grid_sample(image, grid, sampling, padding, align_corners=False)
        if level:
            found.lerp_(functional.grid_sample(image, grid, "bilinear", padding, align_corners=False), level)
        return found

    return read


def _opencv_reader(image: Tensor, dx: Tensor, dy: Tensor, border: str) -> _Read:
    channels, height, width = image.shape[1:]
    shape = torch.broadcast_shapes(dx.shape, dy.shape, (1, height, width))
    x = torch.add(dx, _ramp(width)[None, None, :]).clamp_(-_BEYOND, width + _BEYOND).expand(shape).contiguous()
    y = torch.add(dy, _ramp(height)[None, :, None]).clamp_(-_BEYOND, height + _BEYOND).expand(shape).contiguous()
    columns, rows, source = x.numpy(), y.numpy(), image.detach().contiguous().numpy()

    def read(sampling: str, level: float) -> Tensor:
        found = torch.empty(image.shape)
        for picture, planes in enumerate(found.numpy()):
            place = min(picture, len(columns) - 1)
            remap = partial(_remap, columns=columns[place], rows=rows[place], border=border)
            if channels == 3 and sampling == "bicubic":
                # Side by side three channels are read faster than one after the other.
                cv2.split(remap(cv2.merge(list(source[picture])), sampling, level), list(planes))
                continue
            for channel in range(channels):
                planes[channel] = remap(source[picture, channel], sampling, level)
        return found

    return read


def _remap(
    pixels: np.ndarray, sampling: str, level: float, columns: np.ndarray, rows: np.ndarray, border: str
) -> np.ndarray:
    # (h, w) or (h, w, 3).
    found = cv2.remap(pixels, columns, rows, _CV_SAMPLINGS[sampling], borderMode=_CV_BORDERS[border])
    if level:
        even = cv2.remap(pixels, columns, rows, cv2.INTER_LINEAR, borderMode=_CV_BORDERS[border])
        torch.from_numpy(found).lerp_(torch.from_numpy(even), level)
    return found


@cache
def _opencv_is_exact() -> bool:
    """Whether this OpenCV reads at any place, as torch does: once it knew 32 places between two pixels and no more."""
    picture = torch.linspace(0.5, 0.7, 64).square().view(1, 1, 8, 8)
    shift = torch.full((1, 8, 8), 0.0131)
    ours, theirs = (reader(picture, shift, shift, "replicate") for reader in (_opencv_reader, _torch_reader))
    return all(torch.allclose(ours(mode, 0.0), theirs(mode, 0.0), atol=1e-5) for mode in _CV_SAMPLINGS)


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
