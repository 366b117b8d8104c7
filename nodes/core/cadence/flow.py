"""What moves between two pictures besides the camera: optical flow, as far as it can be trusted."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..warp.flow import FLOWS, Flow, check_flow, flow_size, grey, optical_flow, resized_flow, trust

__all__ = ["FLOWS", "Flow", "residual_flow"]


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
    check_flow(method)
    size = (start.shape[-2], start.shape[-1])
    small = flow_size(size)
    a, b = grey(start, small), grey(end, small)
    there, back = optical_flow(a, b, method), optical_flow(b, a, method)
    trusted = trust(there, back) * (1 - F.interpolate(blind.cpu().float(), size=small, mode="area"))
    # Smooth, so that nothing tears where trust ends.
    flow = _blurred(there * trusted) / _blurred(trusted).clamp(min=1e-3) * _blurred(trusted)
    return resized_flow(flow, size).to(start.device)


def _blurred(values: Tensor, radius: int = 3) -> Tensor:
    for _ in range(2):
        values = F.avg_pool2d(values, 2 * radius + 1, 1, radius, count_include_pad=False)
    return values
