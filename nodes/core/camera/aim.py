"""A camera that looks at a thing: one point of the first frame stays where it is in the picture."""

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..depth.range import disparity_to_depth
from ..errors import FramedriftError
from .lens import focal_length
from .pose import exp_pose, log_pose, turn_between
from .track import Camera, Track3D

log = logging.getLogger("framedrift")

# A camera this near the point, in scene units, has no direction to look in.
NEAREST = 1e-3
# Beyond this angle between where the camera looks and where the point is, the smallest turn swings wildly.
_BEHIND_DEG = 170.0
# Half the side of the window whose median is a point's depth, in pixels: one odd pixel must not send the camera astray.
_ABOUT = 2


@dataclass(frozen=True)
class Target:
    """A thing seen in the first frame.

    Attributes:
        x, y: its pixel; the first pixel's centre is (0, 0).
        distance: along the first camera's axis, in scene units.
        size: (h, w) of the picture that x and y were taken in, which shows all of the frame; None is the animation's.
    """

    x: float
    y: float
    distance: float
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Refuses what lies nowhere."""
        if not (math.isfinite(self.x) and math.isfinite(self.y)):
            raise FramedriftError(f"x and y: {self.x}, {self.y} is no point; both must be finite numbers")
        if not (math.isfinite(self.distance) and self.distance >= NEAREST):
            raise FramedriftError(
                f"distance: {self.distance:g} scene units; what is looked at must be {NEAREST:g} or more ahead"
            )
        if self.size is not None:
            _check_inside(self.x, self.y, self.size)


@dataclass(frozen=True)
class Aimed:
    """A camera turned at every frame so that a target stays at its place in the picture.

    Attributes:
        base: where the camera goes, in space; its way is kept, and its roll.
        target: what stays in its place.
        strength: share of the turn that this takes, 0 to 1.
    """

    base: Camera
    target: Target
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Refuses a strength that is no share."""
        if not 0 <= self.strength <= 1:
            raise FramedriftError(f"strength: {self.strength:g} is no share; it must lie between 0 and 1")

    def texts(self) -> dict[str, Any]:
        """The target, and the settings of the camera that looks at it."""
        size = {} if self.target.size is None else {"size": list(self.target.size)}
        target = {"x": self.target.x, "y": self.target.y, "distance": self.target.distance, **size}
        return {"look_at": target, "strength": self.strength, "base": self.base.texts()}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses, looking at the target; see `track.Camera`.

        Raises:
            FramedriftError: the base moves in the plane, reaches the target, or the target lies outside the picture.
        """
        base = self.base.track(num_frames, fps, seed, size)
        if not isinstance(base, Track3D):
            raise FramedriftError(
                "camera: a 2D camera moves the picture in its plane and cannot look at anything; take 3D Camera"
            )
        height, width = self.target.size or size
        _check_inside(self.target.x, self.target.y, (height, width))
        # From the middle of the frame, in half heights.
        across = ((self.target.x + 0.5) / width - 0.5) * 2 * size[1] / size[0]
        down = ((self.target.y + 0.5) / height - 0.5) * 2
        seen = np.array([[across, down, focal_length(fov, 2.0)] for fov in base.fov_deg])
        point = seen[0] / seen[0, 2] * self.target.distance
        _check_apart(base.poses()[:, :3, 3], point)
        views = np.array(base.views)
        for frame in range(num_frames):
            ahead = views[frame, :3, :3] @ point + views[frame, :3, 3]
            views[frame, :3] = self._turn(ahead, seen[frame]) @ views[frame, :3]
        self._warn_behind(base.views, point, seen)
        return Track3D.from_views(views, base.fov_deg, base.aspect)

    def _turn(self, ahead: np.ndarray, seen: np.ndarray) -> np.ndarray:
        turn = turn_between(ahead, seen)
        if self.strength == 1 or np.array_equal(turn, np.eye(3)):
            return turn
        pose = np.eye(4)
        pose[:3, :3] = turn
        return exp_pose(self.strength * log_pose(pose))[:3, :3]

    def _warn_behind(self, views: np.ndarray, point: np.ndarray, seen: np.ndarray) -> None:
        ahead = views[:, :3, :3] @ point + views[:, :3, 3]
        cosine = (ahead * seen).sum(1) / np.linalg.norm(ahead, axis=1) / np.linalg.norm(seen, axis=1)
        behind = np.flatnonzero(cosine < math.cos(math.radians(_BEHIND_DEG)))
        if behind.size and self.strength:
            log.warning(
                "Look At: at frame %d the camera turns its back on the target, so that the picture spins as it is "
                "turned round; let the camera turn along, as an orbit does",
                behind[0],
            )


def find_target(
    x: float,
    y: float,
    distance: float,
    mask: Tensor | None = None,
    disparity: Tensor | None = None,
    near: float = 1.0,
    far: float = 50.0,
) -> Target:
    """The thing at a pixel, or under a mask, at the distance that a depth picture gives.

    Convention: mask and disparity show all of the first frame; their sizes may differ, x and y are pixels of the
    disparity, or else of the animation. The target is the mask's centre of weight, and as far as the median of what
    the mask's stronger half covers; without a mask as far as the median of the 5x5 pixels about the point.

    Args:
        x: pixel; without effect where there is a mask.
        y: pixel; likewise.
        distance: scene units, where there is no disparity.
        mask: (H, W), 1 on the thing.
        disparity: (h, w), 0..1, larger is nearer.
        near: distance of disparity 1, in scene units.
        far: distance of disparity 0.

    Raises:
        FramedriftError: an empty mask, a point outside the picture, a disparity there that is no number, or a mask and
            a disparity of different shapes.
    """
    if mask is not None:
        x, y = _centre(mask)
    if disparity is None:
        return Target(x, y, distance, None if mask is None else _size(mask))
    size = _size(disparity)
    if mask is None:
        _check_inside(x, y, size)
        column, row = round(x), round(y)
        around = disparity[
            max(row - _ABOUT, 0) : row + _ABOUT + 1, max(column - _ABOUT, 0) : column + _ABOUT + 1
        ].flatten()
        if not torch.isfinite(disparity[min(row, size[0] - 1), min(column, size[1] - 1)]):
            raise FramedriftError(
                f"depth: at x {column}, y {row} it is no finite number, so that what lies there has no distance"
            )
        covered = around[torch.isfinite(around)]
    else:
        _check_shapes(_size(mask), size)
        fitted = functional.interpolate(mask.float()[None, None], size=size, mode="bilinear", antialias=True)[0, 0]
        covered = disparity[fitted > fitted.max() / 2]
        covered = covered[torch.isfinite(covered)]
        if not len(covered):
            raise FramedriftError("depth: it holds no finite number under the mask, so that nothing there has a place")
    measured = float(disparity_to_depth(covered.median(), near, far))
    return Target(x, y, measured, size if mask is None else _size(mask))


def _centre(mask: Tensor) -> tuple[float, float]:
    weight = mask.double()
    bad = int((~torch.isfinite(weight)).sum())
    if bad:
        raise FramedriftError(f"mask: {bad} of {weight.numel()} pixels are no finite numbers")
    weight = weight.clamp(min=0)
    total = float(weight.sum())
    if total < 1e-6:
        raise FramedriftError("mask: it is empty; it must be 1 on what the camera looks at, and 0 elsewhere")
    x = float((weight.sum(0) * torch.arange(weight.shape[1])).sum()) / total
    y = float((weight.sum(1) * torch.arange(weight.shape[0])).sum()) / total
    return x, y


def _size(picture: Tensor) -> tuple[int, int]:
    return picture.shape[-2], picture.shape[-1]


def _check_inside(x: float, y: float, size: tuple[int, int]) -> None:
    height, width = size
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        raise FramedriftError(
            f"x and y: {x:g}, {y:g} lies outside the first frame of {width}x{height} pixels, 0, 0 to {width - 1}, "
            f"{height - 1}"
        )


def _check_shapes(mask: tuple[int, int], depth: tuple[int, int]) -> None:
    if abs(mask[1] * depth[0] - mask[0] * depth[1]) > 0.03 * max(mask[1] * depth[0], mask[0] * depth[1]):
        raise FramedriftError(
            f"mask: it is {mask[1]}x{mask[0]}, of another shape than the depth's {depth[1]}x{depth[0]}; both must show "
            "the whole first frame"
        )


def _check_apart(places: np.ndarray, point: np.ndarray) -> None:
    # Between two frames as well as at them: flying through the point would turn the camera round at once.
    starts = np.concatenate([places[:1], places[:-1]])
    ways = places - starts
    lengths = (ways**2).sum(1)
    share = np.clip(((point - starts) * ways).sum(1) / np.where(lengths > 0, lengths, 1), 0, 1)
    gaps = np.linalg.norm(starts + share[:, None] * ways - point, axis=1)
    reached = np.flatnonzero(gaps < NEAREST)
    if reached.size:
        raise FramedriftError(
            f"camera: at frame {reached[0]} it reaches what it looks at, {np.linalg.norm(point):.3g} scene units from "
            "where it started; keep it farther away, or check the distance (near and far)"
        )
