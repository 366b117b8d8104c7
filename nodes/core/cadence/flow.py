"""What moves between two pictures besides the camera: optical flow, as far as it can be trusted."""

from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..errors import FramedriftError

Flow = Literal["none", "dis", "farneback"]
FLOWS: tuple[Flow, ...] = get_args(Flow)

# Flow is looked for in pictures of at most so many pixels on the longer side.
_LONGEST = 512
# A flow whose way there and back ends within this many pixels, and this share of its length, of where it began is
# trusted; doubt grows as a bell from there.
_LOOSE_PX, _LOOSE_SHARE = 0.5, 0.1


def residual_flow(start: Tensor, end: Tensor, blind: Tensor, method: Flow) -> Tensor:
    """How far what `start` shows has moved in `end`, (1, 2, H, W) in pixels, right and down: end(x + f) = start(x).

    Where there and back do not agree, as where something was painted anew, it goes to 0.

    Args:
        start, end: (1, 3, H, W), 0..1.
        blind: (1, 1, H, W), 1 where `start` holds nothing that was seen: no flow there.
        method: "dis" or "farneback".

    Raises:
        FramedriftError: an unknown method.
    """
    if method not in FLOWS[1:]:
        raise FramedriftError(f"flow: there is no {method!r}; choose one of {', '.join(FLOWS)}.")
    height, width = start.shape[-2:]
    scale = min(1.0, _LONGEST / max(height, width))
    small = max(8, round(height * scale)), max(8, round(width * scale))
    a, b = _grey(start, small), _grey(end, small)
    there, back = _flow(a, b, method), _flow(b, a, method)
    returned = there + F.grid_sample(back, _grid(there), align_corners=False, padding_mode="border")
    loose = _LOOSE_PX + _LOOSE_SHARE * there.square().sum(1, keepdim=True).sqrt()
    trust = torch.exp(-(returned.square().sum(1, keepdim=True) / loose.square()))
    trust = trust * (1 - F.interpolate(blind.cpu().float(), size=small, mode="area"))
    # Smooth, so that nothing tears where trust ends.
    flow = _blurred(there * trust) / _blurred(trust).clamp(min=1e-3) * _blurred(trust)
    flow = F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False)
    factor = torch.tensor([width / small[1], height / small[0]]).view(1, 2, 1, 1)
    return (flow * factor).to(start.device)


def _flow(a: np.ndarray, b: np.ndarray, method: Flow) -> Tensor:
    if method == "dis":
        found = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(a, b, None)  # pyright: ignore
    else:
        found = cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 4, 21, 3, 7, 1.5, 0)  # pyright: ignore
    return torch.from_numpy(np.ascontiguousarray(found)).permute(2, 0, 1)[None].float()


def _grey(image: Tensor, size: tuple[int, int]) -> np.ndarray:
    weights = image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey = (image[:, :3].float() * weights).sum(1, keepdim=True)
    grey = F.interpolate(grey, size=size, mode="bilinear", align_corners=False, antialias=True)
    return (grey[0, 0].clamp(0, 1) * 255).round().byte().cpu().numpy()


def _grid(displacement: Tensor) -> Tensor:
    """A sampling grid (1, H, W, 2) that reads each pixel at its place plus (1, 2, H, W) pixels."""
    height, width = displacement.shape[-2:]
    x = torch.arange(width) + displacement[:, 0]
    y = torch.arange(height)[:, None] + displacement[:, 1]
    return torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)


def _blurred(values: Tensor, radius: int = 3) -> Tensor:
    for _ in range(2):
        values = F.avg_pool2d(values, 2 * radius + 1, 1, radius, count_include_pad=False)
    return values
