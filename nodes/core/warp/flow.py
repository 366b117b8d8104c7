"""Optical flow: where what one picture shows lies in another, and how far that can be trusted."""

from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..errors import FramedriftError
from ..luma import luma

Flow = Literal["none", "dis", "farneback"]
FLOWS: tuple[Flow, ...] = get_args(Flow)

# Flow is looked for in pictures of at most so many pixels on the longer side.
_LONGEST = 512
# A flow whose way there and back ends within this many pixels, and this share of its length, of where it began is
# trusted; doubt grows as a bell from there.
_LOOSE_PX, _LOOSE_SHARE = 0.5, 0.1
# OpenCV's dense inverse search reads beyond pictures with a side under this, and ends the process.
_LEAST = 16
# A colour that a flow brings is fine within this much of the one that is there, brightness changes of the whole picture
# left aside; doubt grows as a bell from there.
_LOOSE_COLOUR = 0.05


def check_flow(method: str) -> None:
    """Raises FramedriftError where there is no such method, "none" being none."""
    if method not in FLOWS[1:]:
        raise FramedriftError(f"flow: there is no {method!r}; choose one of {', '.join(FLOWS)}.")


def flow_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size (h, w) at which flow is looked for between pictures of a size (h, w)."""
    scale = min(1.0, _LONGEST / max(size))
    return max(8, round(size[0] * scale)), max(8, round(size[1] * scale))


def grey(image: Tensor, size: tuple[int, int]) -> np.ndarray:
    """The picture (1, 3 or more, H, W), 0..1, in 256 levels of grey (Rec. 601) at a size (h, w): uint8."""
    levels = F.interpolate(luma(image.float()), size=size, mode="bilinear", align_corners=False, antialias=True)
    return (levels[0, 0].clamp(0, 1) * 255).round().byte().cpu().numpy()


def optical_flow(a: np.ndarray, b: np.ndarray, method: Flow) -> Tensor:
    """How far what `a` shows has moved in `b`, (1, 2, H, W) in pixels, right and down: b(x + f(x)) = a(x).

    Args:
        a, b: greys of the same size, uint8.
        method: "dis" (dense inverse search) or "farneback", which is softer.
    """
    height, width = a.shape
    if min(height, width) < _LEAST:
        beside = ((0, max(0, _LEAST - height)), (0, max(0, _LEAST - width)))
        a, b = np.pad(a, beside, "edge"), np.pad(b, beside, "edge")
    if method == "dis":
        found = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(a, b, None)  # pyright: ignore
    else:
        found = cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 4, 21, 3, 7, 1.5, 0)  # pyright: ignore
    return torch.from_numpy(np.ascontiguousarray(found[:height, :width])).permute(2, 0, 1)[None].float()


def carried(flow: Tensor, there: Tensor) -> Tensor:
    """The flow (1, 2, H, W) as it is read by each pixel where another one takes it; their sum is the way on from there.

    The sum of a flow from a to b and one from b to c, carried by it, is a flow from a to c.
    """
    return F.grid_sample(flow, _grid(there), align_corners=False, padding_mode="border")


def trust(there: Tensor, back: Tensor) -> Tensor:
    """How far a flow can be trusted, (1, 1, H, W): 1 where the way back (1, 2, H, W) ends where it began, down to 0."""
    returned = there + carried(back, there)
    loose = _LOOSE_PX + _LOOSE_SHARE * there.square().sum(1, keepdim=True).sqrt()
    return torch.exp(-(returned.square().sum(1, keepdim=True) / loose.square()))


def explained(start: Tensor, end: Tensor, flow: Tensor) -> Tensor:
    """How far a flow explains what is seen, (1, 1, h, w): 1 where it brings the colours of `start` to their like.

    Where something was uncovered there is no such colour, however smoothly the flow goes on. A colour counts as there
    if it lies between those of the nine pixels about it, so that half a pixel at an edge does not matter.

    Args:
        start, end: (1, 3, H, W), 0..1.
        flow: (1, 2, h, w), from `end` to `start`, in pixels of that size: start(x + flow(x)) = end(x).
    """
    size = (flow.shape[-2], flow.shape[-1])
    a, b = (F.interpolate(picture.cpu(), size=size, mode="area") for picture in (start, end))
    brought = F.grid_sample(a, _grid(flow), align_corners=False, padding_mode="border")
    brought = brought + (b - brought).mean((2, 3), keepdim=True)
    lightest, darkest = F.max_pool2d(brought, 3, 1, 1), -F.max_pool2d(-brought, 3, 1, 1)
    off = torch.maximum(b - lightest, darkest - b).clamp(min=0).amax(1, keepdim=True)
    return torch.exp(-(off / _LOOSE_COLOUR).square())


def resized_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """A flow (1, 2, h, w) between pictures of another size (h, w), in their pixels."""
    height, width = flow.shape[-2:]
    flow = F.interpolate(flow, size=size, mode="bilinear", align_corners=False)
    return flow * torch.tensor([size[1] / width, size[0] / height]).view(1, 2, 1, 1)


def _grid(displacement: Tensor) -> Tensor:
    """A sampling grid (1, H, W, 2) that reads each pixel at its place plus (1, 2, H, W) pixels."""
    height, width = displacement.shape[-2:]
    x = torch.arange(width) + displacement[:, 0]
    y = torch.arange(height)[:, None] + displacement[:, 1]
    return torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
