"""The disparity of one frame as the camera sees it at another: things that come nearer grow in it."""

from dataclasses import replace

import torch
from torch import Tensor

from ..camera import Track
from ..camera.lens import focal_length
from ..camera.pose import inverse_rigid
from ..camera.track import Track3D
from ..errors import FramedriftError
from ..warp import WarpSettings, warp, warp_pinhole

__all__ = ["moved_disparity", "uses_depth"]

# What comes this near to the camera's plane is as good as on the lens.
_NEAREST = 1e-4


def uses_depth(track: Track | None) -> bool:
    """Whether a camera's pictures depend on depth: in the plane, or without a camera, they do not."""
    return isinstance(track, Track3D)


def moved_disparity(
    disparity: Tensor, track: Track, source: int, target: int, settings: WarpSettings | None = None
) -> tuple[Tensor, Tensor]:
    """What a frame's disparity becomes when the camera goes on: the prediction that a new estimate is fitted to.

    In `pinhole` every visible point's distance is that from the new pose, between the same near and far: what the
    camera flies towards grows brighter. Where it would leave 0..1 it stays at the end. In `deforum`, and for a camera
    in the plane, the values only move along with the picture: those warps know no distances (Deforum equalises the
    depth anew each frame, and its z is a rank), so there is nothing to compute a change from.

    Args:
        disparity: (B, 1, H, W), 0..1, larger is nearer, of frame `source`.
        track: the camera.
        source: frame that the disparity belongs to.
        target: frame to predict.
        settings: how the run warps; the defaults if None.

    Returns:
        The disparity at `target`, (B, 1, H, W) float32, 0..1, and where it is known, (B, 1, H, W): 0 where the camera
        uncovered something and the values are only filled in, else 1.

    Raises:
        FramedriftError: a frame outside the track, a disparity of another shape or with values that are no numbers.
    """
    settings = settings or WarpSettings()
    if disparity.ndim != 4 or disparity.shape[1] != 1:
        raise FramedriftError(f"Depth: the disparity must be (B, 1, H, W), but is {tuple(disparity.shape)}.")
    if not bool(torch.isfinite(disparity).all()):
        raise FramedriftError("Depth: the disparity to move holds values that are no numbers (NaN or infinite).")
    disparity = disparity.float().clamp(0.0, 1.0)
    if track.at_rest(source, target):
        return disparity, torch.ones_like(disparity)
    if not isinstance(track, Track3D) or settings.projection != "pinhole":
        return _carried(disparity, track, source, target, settings)

    least, span = 1 / settings.far, 1 / settings.near - 1 / settings.far
    depth = 1.0 / (disparity * span + least)
    step = track.step(source, target)
    fov_from, fov_to = float(track.fov_deg[source]), float(track.fov_deg[target])
    # Not bicubic, whatever the picture is: that overshoots at the edges of things. A border that repeats or mirrors the
    # picture is no measured depth, so what lies outside the frame is a hole here with any of them.
    warped = warp_pinhole(disparity, depth, step, fov_from, fov_to, "replicate", "bilinear")
    before = warped.image * span + least
    # With w = r . ray, r the last row of the way back, a pixel whose inverse distance is q now had q / (w + q t) then.
    back = inverse_rigid(step)
    height, width = disparity.shape[-2:]
    focal = focal_length(fov_to, height)
    x = (torch.arange(width, device=disparity.device) - (width - 1) / 2) / focal
    y = (torch.arange(height, device=disparity.device)[:, None] - (height - 1) / 2) / focal
    row = [float(value) for value in back[2]]
    facing = row[0] * x + row[1] * y + row[2]
    now = before * facing / (1.0 - before * row[3]).clamp(min=_NEAREST)
    return ((now - least) / span).clamp(0.0, 1.0), 1.0 - warped.holes


def _carried(
    disparity: Tensor, track: Track, source: int, target: int, settings: WarpSettings
) -> tuple[Tensor, Tensor]:
    plain = replace(settings, sampling="bilinear")
    moved = warp(disparity, track, source, target, disparity, plain)
    return moved.image.clamp(0.0, 1.0), 1.0 - moved.holes
