"""One way to move a picture from any frame of a camera's track to any other."""

import logging

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..camera.track import Track, Track2D, Track3D
from ..depth.range import disparity_to_depth, equalise
from ..errors import FramedriftError
from .affine import outside_frame, warp_plane
from .deforum import deforum_shift
from .project import warp_pinhole
from .sample import sample
from .types import Warped, WarpSettings, unmoved

_log = logging.getLogger(__name__)

_NOTHING_SEEN = (
    "the camera sees nothing of that picture; it has gone through the scene or turned away, and what is shown is made "
    "up. Move it less, or put `near` and `far` farther away"
)
_FOLDS = (
    "the projection `deforum` folds the picture over itself; it was made for small steps from frame to frame. Move the "
    "camera less, or take `pinhole`"
)
# The share of a picture that a classic warp may fold over before it is worth a word.
_FOLDED = 0.05
# Where a classic warp tears a picture apart, one of its pixels spreads over any number.
_LARGEST_MAGNIFICATION = 64


def warp(
    image: Tensor,
    track: Track,
    source: int,
    target: int,
    disparity: Tensor | None = None,
    settings: WarpSettings | None = None,
) -> Warped:
    """The picture of frame `source` moved to where the camera is at frame `target`, in one resampling.

    At rest the very same pixels come back. Holes come filled from the background side.

    Convention: `track` is a `Track2D` for pictures of the image's size, or a `Track3D`; either order of the frames is
    fine, and they need not be neighbours.

    Args:
        image: (B, C, H, W), 0..1.
        track: the camera.
        source: frame of the image.
        target: frame to make.
        disparity: (B or 1, 1, h, w) in 0..1, larger is nearer; resized to the image. None is a plane at `near`.
            Without effect in 2D.
        settings: how to warp; the defaults if None.

    Where the camera sees nothing of the picture, or the `deforum` projection folds much of it, a warning says so, and
    the result is what there is: the frame's edge, or nothing but background colour.

    Raises:
        FramedriftError: a frame outside the track, or a picture of another size than the 2D track's.
    """
    warped, doubt = move(image, track, source, target, disparity, settings or WarpSettings())
    if doubt:
        _log.warning("Frame %d, made of frame %d: %s", target, source, doubt)
    return warped


def move(
    image: Tensor, track: Track, source: int, target: int, disparity: Tensor | None, settings: WarpSettings
) -> tuple[Warped, str]:
    """What `warp` gives, and what is doubtful about it in a sentence, or ""."""
    if track.at_rest(source, target):
        return unmoved(image), ""
    size = (image.shape[-2], image.shape[-1])
    step = track.step(source, target)
    if isinstance(track, Track2D):
        if tuple(track.size) != size:
            raise FramedriftError(
                f"the camera was set up for {track.size[1]}x{track.size[0]} pixels, the image has {size[1]}x{size[0]}"
            )
        return warp_plane(image, step, settings.border, settings.sampling), ""
    if not isinstance(track, Track3D):
        raise FramedriftError(f"camera: a {type(track).__name__} is no camera track that a warp knows")
    if disparity is not None:
        disparity = fit_disparity(disparity.to(image.device), size)
    fov_from, fov_to = float(track.fov_deg[source]), float(track.fov_deg[target])
    if settings.projection == "deforum":
        return _warp_deforum(image, step, disparity, fov_to, float(track.aspect[target]), settings)
    if disparity is None:
        depth = torch.full((1, 1, *size), settings.near, device=image.device)
    else:
        depth = disparity_to_depth(disparity, settings.near, settings.far)
    warped = warp_pinhole(image, depth, step, fov_from, fov_to, settings.border, settings.sampling)
    return warped, _NOTHING_SEEN if bool(warped.holes.all()) else ""


def fit_disparity(disparity: Tensor, size: tuple[int, int]) -> Tensor:
    """The disparity, (B, 1, h, w), at another size (h, w), bilinear.

    Values that are not finite count as farthest (0), with a warning.

    Raises:
        FramedriftError: it is not of the shape (B, 1, h, w).
    """
    if disparity.ndim != 4 or disparity.shape[1] != 1:
        raise FramedriftError(f"disparity: the shape {tuple(disparity.shape)} is not (B, 1, H, W)")
    disparity = disparity.float()
    low, high = disparity.aminmax()
    if not bool((high - low).isfinite()):
        _log.warning(
            "The disparity has %d of %d values that are no finite numbers; they are taken to be farthest.",
            int((~disparity.isfinite()).sum()),
            disparity.numel(),
        )
        disparity = torch.nan_to_num(disparity, nan=0.0, posinf=0.0, neginf=0.0)
    if tuple(disparity.shape[-2:]) == tuple(size):
        return disparity
    return functional.interpolate(disparity, size=size, mode="bilinear", align_corners=False)


def _warp_deforum(
    image: Tensor, step: np.ndarray, disparity: Tensor | None, fov_deg: float, aspect: float, settings: WarpSettings
) -> tuple[Warped, str]:
    batch, _, height, width = image.shape
    equal = None if disparity is None else equalise(disparity)
    dx, dy = deforum_shift(step, equal, (height, width), fov_deg, aspect, image.device)
    moved = sample(image, dx, dy, settings.sampling, settings.border, classic=True)
    holes = torch.zeros_like(dx)
    if settings.border in ("replicate", "zeros"):
        holes = outside_frame(dx, dy, (height, width)).float()
    shape = (batch, 1, height, width)
    area = _area(dx, dy)
    doubt = _FOLDS if float((area < 0).float().mean()) > _FOLDED else ""
    grown = area.abs_().clamp_(min=1 / _LARGEST_MAGNIFICATION).reciprocal_()[:, None].expand(shape).contiguous()
    return Warped(moved, holes[:, None].expand(shape).contiguous(), grown), doubt


def _area(dx: Tensor, dy: Tensor) -> Tensor:
    # The area that neighbouring readings span in the source, in its pixels; below 0 where the picture is folded over.
    if min(dx.shape[-2:]) < 2:
        return torch.ones_like(dx)
    return (1 + _slope(dx, -1)).mul_(1 + _slope(dy, -2)).sub_(_slope(dy, -1).mul_(_slope(dx, -2)))


def _slope(values: Tensor, axis: int) -> Tensor:
    inner = torch.diff(values, dim=axis)
    first = inner.narrow(axis, 0, 1)
    padded = torch.cat((first, inner, inner.narrow(axis, inner.shape[axis] - 1, 1)), axis)
    length = values.shape[axis]
    return (padded.narrow(axis, 0, length) + padded.narrow(axis, 1, length)).mul_(0.5)
