"""A picture moved as a video moves: by optical flow, or by one matrix for the whole picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..warp import warp_plane
from ..warp.affine import outside_frame
from ..warp.flow import Flow, carried, explained, flow_size, grey, optical_flow, resized_flow, trust
from ..warp.sample import sample
from .masks import blurred

Motion = Literal["none", "optical flow", "perspective", "affine"]
MOTIONS: tuple[Motion, ...] = get_args(Motion)
#: Pictures (1, 3, H, W) of a video that lie between two others, in order; made when they are asked for.
Between = Sequence[Callable[[], Tensor]]

# A flow that explains less than this share of a picture is looked for in smaller steps.
_EXPLAINED = 0.75

# Corners are looked for in tiles, so many along each side and so many corners in each, so that a thing of strong
# contrast does not speak for the whole picture. Those under this share of the sharpest are noise.
_TILES, _CORNERS, _SHARPNESS = 8, 10, 1e-4
# A corner that is followed there and back ends within so many pixels of where it began.
_RETURNED_PX = 1.0
# A matrix is believed if so many corners follow it, and so large a share of all, within this share of the picture's
# longer side, and a pixel at least.
_FOLLOWING, _SHARE, _WITHIN = 12, 0.3, 1 / 512
# What lies between two frames of a video does not shrink or grow a part of the picture by more than this.
_GROWTH = 4.0


@dataclass(frozen=True)
class FlowSettings:
    """How flow is found and used.

    method: see `warp.flow.optical_flow`. consistency: whether it is a hole, as far as the flow cannot be trusted: where
    the way there and back disagree, or it brings other colours than the video shows. blur_px: how softly that goes
    over, the sigma of a bell in pixels. same_colours: whether the two pictures' colours can be compared.
    """

    method: Flow = "dis"
    consistency: bool = False
    blur_px: float = 2.0
    same_colours: bool = True


def move_by_flow(
    image: Tensor,
    holes: Tensor,
    start: Tensor,
    end: Tensor,
    factor: float,
    settings: FlowSettings,
    between: Between = (),
) -> tuple[Tensor, Tensor]:
    """The image moved as what `start` shows has moved in `end`, sampled once, bicubic.

    The flow is looked for from `end` to `start`, so that every pixel knows where it came from and nothing has to be
    turned round.

    Args:
        image: (1, 3, H, W), 0..1.
        holes: (1, 1, H, W), 1 in holes: they move along.
        start, end: (1, 3, H, W), 0..1.
        factor: of the motion; 0 changes nothing, bit for bit.
        settings: how.
        between: see `flow_between`.

    Returns:
        The image and its holes: those that were there, and what came in from beyond the frame, where the picture's
        edge is repeated; with consistency the doubtful, too, as far as they are so. Classic Deforum leaves those in
        their place, where what a thing uncovers goes on showing the thing: over 20 frames of a square that moves 7 px a
        frame and a disc that turns, 5 % of the pixels came out off by over 0.1 so, and 0.1 % painted anew, which took
        3 % of each frame.
    """
    size = (image.shape[-2], image.shape[-1])
    if factor == 0:
        return image, holes
    small = flow_size(size)
    if np.array_equal(grey(end, small), grey(start, small)):
        return image, holes
    flow = flow_between(end, start, settings.method, between[::-1])
    doubt = None
    if settings.consistency:
        trusted = trust(flow, flow_between(start, end, settings.method, between))
        if settings.same_colours:
            trusted = trusted * explained(start, end, flow)
        soft = blurred(1 - trusted, settings.blur_px * small[1] / size[1])
        doubt = F.interpolate(soft, size=size, mode="bilinear", align_corners=False).to(image.device)
    flow = resized_flow(flow, size).to(image.device) * factor
    dx, dy = flow[:, 0], flow[:, 1]
    gone = outside_frame(dx, dy, size)[:, None].float()
    holes = torch.maximum(sample(holes, dx, dy, "bilinear"), gone)
    return sample(image, dx, dy), holes if doubt is None else torch.maximum(holes, doubt)


def flow_between(a: Tensor, b: Tensor, method: Flow, between: Between = ()) -> Tensor:
    """How far what `a` shows has moved in `b`, (1, 2, h, w) in pixels of `flow_size`: see `warp.flow.optical_flow`.

    It is looked for between the two at once: over twelve frames, 31 px on an analytic texture, that was off by 0.03 px,
    and by 0.23 px chained from frame to frame. Only where it does not explain what is seen, since the way is too long
    for it, is it put together of two halves, and of their halves; the better of the two counts.

    Args:
        a, b: (1, 3, H, W), 0..1.
        method: "dis" or "farneback".
        between: what lies between them.
    """
    small = flow_size((a.shape[-2], a.shape[-1]))
    flow = optical_flow(grey(a, small), grey(b, small), method)
    if not between:
        return flow
    share = float(explained(b, a, flow).mean())
    if share >= _EXPLAINED:
        return flow
    half = len(between) // 2
    middle = between[half]()
    first, second = (
        flow_between(a, middle, method, between[:half]),
        flow_between(middle, b, method, between[half + 1 :]),
    )
    chained = first + carried(second, first)
    return chained if float(explained(b, a, chained).mean()) > share else flow


def move_by_matrix(image: Tensor, holes: Tensor, matrix: np.ndarray) -> tuple[Tensor, Tensor]:
    """The image (1, 3, H, W) and its holes moved by a matrix (3, 3), source to target pixels, sampled once, bicubic.

    What comes in from beyond the frame repeats the picture's edge, and is a hole.
    """
    if np.array_equal(matrix, np.eye(3)):
        return image, holes
    moved = warp_plane(image, matrix)
    carried = warp_plane(holes, matrix, sampling="bilinear").image
    return moved.image, torch.maximum(carried, moved.holes)


def track_matrix(start: Tensor, end: Tensor, motion: Motion, between: Between = ()) -> np.ndarray | None:
    """The motion from one picture to another as a matrix, float64 (3, 3), or None where too little can be followed.

    Corners of `start` are followed to `end` and back (Lucas-Kanade on a pyramid), and the matrix that most of them
    agree on is refined by all of these (RANSAC, then least squares). The same pictures give the same matrix: OpenCV
    seeds its draws itself, and neither reads nor sets the global seed.

    Convention: takes pixels (x, y, 1) of `start` to those of `end`.

    Args:
        start, end: (1, 3, H, W), 0..1.
        motion: "perspective" (8 free numbers), or "affine": turned, scaled and shifted (4), as in Deforum.
        between: what lies between them: where too little can be followed at once, two halves of the way are tried.
    """
    matrix = _matrix(start, end, motion)
    if matrix is not None or not between:
        return matrix
    half = len(between) // 2
    middle = between[half]()
    first = track_matrix(start, middle, motion, between[:half])
    second = None if first is None else track_matrix(middle, end, motion, between[half + 1 :])
    return None if first is None or second is None else second @ first


def _matrix(start: Tensor, end: Tensor, motion: Motion) -> np.ndarray | None:
    size = (start.shape[-2], start.shape[-1])
    before, after = grey(start, size), grey(end, size)
    if np.array_equal(before, after):
        return np.eye(3)
    corners = _corners(before)
    if len(corners) < _FOLLOWING:
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
    within = max(1.0, max(size) * _WITHIN)
    if motion == "perspective":
        matrix, agreed = cv2.findHomography(a, b, cv2.RANSAC, within)
    else:
        matrix, agreed = cv2.estimateAffinePartial2D(a, b, method=cv2.RANSAC, ransacReprojThreshold=within)
        matrix = None if matrix is None else np.vstack([matrix, (0, 0, 1)])
    if matrix is None or int(agreed.sum()) < max(_FOLLOWING, _SHARE * len(a)) or not _is_sane(matrix, size):
        return None
    return matrix / matrix[2, 2]


def _corners(levels: np.ndarray) -> np.ndarray:
    """The sharpest corners (Shi and Tomasi) of every tile of a grey picture, (N, 1, 2) float32, x and y."""
    height, width = levels.shape
    sharpness = cv2.cornerMinEigenVal(levels, 5)
    peaks = sharpness == cv2.dilate(sharpness, np.ones((7, 7), np.uint8))
    rows, columns = np.nonzero(peaks & (sharpness > _SHARPNESS * sharpness.max()))
    tiles = rows * _TILES // height * _TILES + columns * _TILES // width
    order = np.lexsort((-sharpness[rows, columns], tiles))
    tiles = tiles[order]
    place = np.arange(len(order)) - np.searchsorted(tiles, tiles)
    chosen = order[place < _CORNERS]
    return np.stack([columns[chosen], rows[chosen]], -1).astype(np.float32)[:, None]


def _is_sane(matrix: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a matrix neither folds the picture nor blows up a part of it."""
    height, width = size
    columns, rows = np.meshgrid(np.linspace(0, width - 1, 3), np.linspace(0, height - 1, 3))
    weight = matrix[2, 0] * columns + matrix[2, 1] * rows + matrix[2, 2]
    if not np.isfinite(matrix).all() or not (weight > 0).all():
        return False
    growth = np.linalg.det(matrix) / weight**3
    return bool((growth > 1 / _GROWTH).all() and (growth < _GROWTH).all())
