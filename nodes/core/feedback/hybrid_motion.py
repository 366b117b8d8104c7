"""A picture moved as a video moves: by optical flow, or by one matrix for the whole picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..warp import warp_plane
from ..warp.affine import outside_frame
from ..warp.flow import Flow, flow_size, grey, optical_flow, resized_flow, trust
from ..warp.sample import sample

Motion = Literal["none", "optical flow", "perspective", "affine"]
MOTIONS: tuple[Motion, ...] = get_args(Motion)

# Corners that are followed at most, and the least share of the picture's longer side between two of them.
_CORNERS, _APART = 800, 1 / 64
# A corner that is followed there and back ends within so many pixels of where it began.
_RETURNED_PX = 1.0
# A matrix is believed if so many corners follow it, and so large a share of all, within so many pixels.
_FOLLOWING, _SHARE, _WITHIN_PX = 12, 0.3, 2.0
# What lies between two frames of a video does not shrink or grow a part of the picture by more than this.
_GROWTH = 4.0
# A pixel whose flow is trusted less than this, which is twice what is still fine, was uncovered: it has no source. Of
# what a textured thing uncovers in 3 to 24 px, dis finds 85 to 97 % so, and takes 0 to 3 % of the rest for it.
_UNCOVERED = 0.018


@dataclass(frozen=True)
class FlowSettings:
    """How flow is found and used.

    method: see `warp.flow.optical_flow`. consistency: whether what the way there and back disagree on keeps its place,
    and what is uncovered becomes a hole. blur_px: how softly that goes over, the sigma of a bell in pixels.
    """

    method: Flow = "dis"
    consistency: bool = False
    blur_px: float = 2.0


def move_by_flow(
    image: Tensor, holes: Tensor, start: Tensor, end: Tensor, factor: float, settings: FlowSettings
) -> tuple[Tensor, Tensor]:
    """The image moved as what `start` shows has moved in `end`, sampled once, bicubic.

    The flow is looked for from `end` to `start`, so that every pixel knows where it came from and nothing has to be
    turned round. It is looked for between the two pictures at once, however many frames of the video lie between them:
    over twelve, 31 px on an analytic texture, it was off by 0.03 px, and by 0.23 px where it was chained.

    Args:
        image: (1, 3, H, W), 0..1.
        holes: (1, 1, H, W), 1 in holes: they move along.
        start, end: (1, 3, H, W), 0..1.
        factor: of the motion; 0 changes nothing, bit for bit.
        settings: how.

    Returns:
        The image and its holes: those that were there, and what came in from beyond the frame, where the picture's
        edge is repeated; with consistency what was uncovered, too (of which farneback, being soft, finds hardly any).
    """
    size = (image.shape[-2], image.shape[-1])
    if factor == 0:
        return image, holes
    small = flow_size(size)
    a, b = grey(end, small), grey(start, small)
    if np.array_equal(a, b):
        return image, holes
    flow = optical_flow(a, b, settings.method)
    uncovered = torch.zeros_like(holes, device="cpu")
    if settings.consistency:
        trusted = trust(flow, optical_flow(b, a, settings.method))
        # What comes from beyond the frame has nothing to come back to: it is moved, and a hole.
        trusted = torch.maximum(trusted, outside_frame(flow[:, 0], flow[:, 1], small)[:, None].float())
        uncovered = F.interpolate(_without_specks(trusted < _UNCOVERED), size=size, mode="nearest")
        flow = flow * _softened(trusted, settings.blur_px * small[1] / size[1])
    flow = resized_flow(flow, size).to(image.device) * factor
    dx, dy = flow[:, 0], flow[:, 1]
    gone = outside_frame(dx, dy, size)[:, None].float()
    carried = sample(holes, dx, dy, "bilinear")
    return sample(image, dx, dy), torch.maximum(torch.maximum(carried, gone), uncovered.to(image.device))


def move_by_matrix(image: Tensor, holes: Tensor, matrix: np.ndarray) -> tuple[Tensor, Tensor]:
    """The image (1, 3, H, W) and its holes moved by a matrix (3, 3), source to target pixels, sampled once, bicubic.

    What comes in from beyond the frame repeats the picture's edge, and is a hole.
    """
    if np.array_equal(matrix, np.eye(3)):
        return image, holes
    moved = warp_plane(image, matrix)
    carried = warp_plane(holes, matrix, sampling="bilinear").image
    return moved.image, torch.maximum(carried, moved.holes)


def track_matrix(start: Tensor, end: Tensor, motion: Motion) -> np.ndarray | None:
    """The motion from one picture to another as a matrix, float64 (3, 3), or None where too little can be followed.

    Corners of `start` are followed to `end` and back (Lucas-Kanade on a pyramid), and the matrix that most of them
    agree on is refined by all of these (RANSAC, then least squares). The same pictures give the same matrix: OpenCV
    seeds its draws itself, and neither reads nor sets the global seed.

    Convention: takes pixels (x, y, 1) of `start` to those of `end`.

    Args:
        start, end: (1, 3, H, W), 0..1.
        motion: "perspective" (8 free numbers), or "affine": turned, scaled and shifted (4), as in Deforum.
    """
    size = (start.shape[-2], start.shape[-1])
    before, after = grey(start, size), grey(end, size)
    if np.array_equal(before, after):
        return np.eye(3)
    corners = cv2.goodFeaturesToTrack(before, _CORNERS, 0.01, max(3.0, max(size) * _APART), blockSize=5)  # pyright: ignore
    if corners is None or len(corners) < _FOLLOWING:
        return None
    # The pyramid's coarsest level keeps at least 16 pixels, and finds motions of a few of them.
    levels = max(0, min(5, int(np.log2(min(size) / 16))))
    window = {"winSize": (21, 21), "maxLevel": levels}
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, **window)  # pyright: ignore
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **window)  # pyright: ignore
    strayed = np.linalg.norm((back - corners).reshape(-1, 2), axis=1)
    kept = (found.reshape(-1) > 0) & (returned.reshape(-1) > 0) & (strayed < _RETURNED_PX)
    a, b = corners.reshape(-1, 2)[kept].astype(np.float64), there.reshape(-1, 2)[kept].astype(np.float64)
    if len(a) < _FOLLOWING:
        return None
    if motion == "perspective":
        matrix, agreed = cv2.findHomography(a, b, cv2.RANSAC, _WITHIN_PX)
    else:
        matrix, agreed = cv2.estimateAffinePartial2D(a, b, method=cv2.RANSAC, ransacReprojThreshold=_WITHIN_PX)
        matrix = None if matrix is None else np.vstack([matrix, (0, 0, 1)])
    if matrix is None or int(agreed.sum()) < max(_FOLLOWING, _SHARE * len(a)) or not _is_sane(matrix, size):
        return None
    return matrix / matrix[2, 2]


def _is_sane(matrix: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a matrix neither folds the picture nor blows up a part of it."""
    height, width = size
    columns, rows = np.meshgrid(np.linspace(0, width - 1, 3), np.linspace(0, height - 1, 3))
    weight = matrix[2, 0] * columns + matrix[2, 1] * rows + matrix[2, 2]
    if not np.isfinite(matrix).all() or not (weight > 0).all():
        return False
    growth = np.linalg.det(matrix) / weight**3
    return bool((growth > 1 / _GROWTH).all() and (growth < _GROWTH).all())


def _softened(mask: Tensor, sigma: float) -> Tensor:
    if sigma <= 0:
        return mask
    blurred = cv2.GaussianBlur(mask[0, 0].numpy(), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return torch.from_numpy(blurred)[None, None]


def _without_specks(mask: Tensor) -> Tensor:
    """The bool mask (1, 1, H, W) as 0 and 1: each pixel as most of the nine about it."""
    return (F.avg_pool2d(mask.float(), 3, 1, 1, count_include_pad=False) > 0.5).float()
