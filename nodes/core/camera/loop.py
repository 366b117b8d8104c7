"""Cameras that go round: a motion repeated, or brought back to where it began."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import FramedriftError
from .compose import plane_track
from .plane import check_plane, exp_plane, is_similarity, log_plane, plane_curves
from .pose import exp_pose, log_pose
from .track import Camera, Track2D, Track3D

Mode = Literal["closed", "periodic"]
MODES: tuple[Mode, ...] = get_args(Mode)
# The way back begins where half the way is done, but within these shares of the loop: it needs time to be gentle.
_EARLIEST, _LATEST = 0.25, 0.75


@dataclass(frozen=True)
class Looped:
    """A camera that repeats itself every `length` frames: frame `length` is frame 0 again.

    Attributes:
        base: the camera; it is asked for `length` + 1 frames, the last of which is to be frame 0 again.
        mode: "closed": the camera comes back to where it began, see `closed`, so that the last frame goes over into the
            first. "periodic": its motion of the first `length` frames is done again and again, from wherever it is by
            then; a lens's values repeat as they are.
        length: frames of a round; 0 is the animation's length, for "closed".
    """

    base: Camera
    mode: Mode = "closed"
    length: int = 0

    def __post_init__(self) -> None:
        """Refuses what is no loop."""
        if self.mode not in MODES:
            raise FramedriftError(f"mode: {self.mode!r} is not known; choose one of {', '.join(MODES)}")
        if self.length < 0:
            raise FramedriftError(f"length: {self.length} frames are no loop; it must be 0 or more")
        if self.mode == "periodic" and not self.length:
            raise FramedriftError(
                "length: 0 is the whole animation, after which nothing repeats; say how many frames a round has"
            )

    def texts(self) -> dict[str, Any]:
        """The loop, and the settings of what goes round."""
        return {"loop": self.mode, "length": self.length, "base": self.base.texts()}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track2D | Track3D:
        """The poses, going round; see `track.Camera`.

        Raises:
            FramedriftError: the base's own, or a 2D motion from where none leads back.
        """
        if num_frames < 1:
            raise FramedriftError(f"num_frames: {num_frames} frames are no animation; it must be 1 or more")
        length = self.length or num_frames
        base = self.base.track(length + 1, fps, seed, size)
        frames = np.arange(num_frames)
        place = frames % length if self.mode == "closed" else np.where(frames > 0, (frames - 1) % length + 1, 0)
        if isinstance(base, Track2D):
            if self.mode == "periodic":
                return plane_track(base.motions()[place], base.size)
            check_plane(base.matrices)
            matrices = closed_plane(base.matrices, base.size)[place]
            deltas = Track2D(matrices, base.size).motions()
            return Track2D(matrices, base.size, plane_curves(deltas, base.size))
        if self.mode == "periodic":
            return Track3D.from_views(_again(base.views, num_frames), base.fov_deg[place], base.aspect[place])
        return Track3D.from_views(closed(base.views)[place], *(values[place] for values in _closed_lens(base)))


def closed(views: np.ndarray) -> np.ndarray:
    """Poses that end where they begin, made of poses that do not; the last is the first again, to rounding.

    What is left at the end is taken back from where the camera has half its way behind it, gently in and out: the first
    half of the way stays as it is, and a steady push-in goes out and comes back, where it would stand still if the rest
    were taken off evenly. A hump over the whole loop makes the speeds at both ends the same. A loop that is closed, and
    as fast at its end as at its beginning, stays as it is. The shorter way round is taken: a pan of 170 degrees comes
    back, one of 270 goes on to 360.

    Convention: views world to camera, the first the identity; steps n of P of a view V_n are
    exp(h t (1 - t)) V_n exp(-s(t) log V_P), t = n / P.

    Args:
        views: (P + 1, 4, 4).
    """
    return _closed(views, _log_rigid, _exp_rigid)


def closed_plane(matrices: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The same for motions of the picture's plane, (P + 1, 3, 3), in pixels of a picture of `size` (h, w).

    Raises:
        FramedriftError: the motions turn the plane over.
    """
    if all(is_similarity(matrix) for matrix in matrices):
        return _closed(matrices, log_plane, exp_plane)
    # Seen from the middle and in heights, so that all the numbers of a perspective are of one size; of determinant 1.
    height, width = size
    unit = np.array([[1 / height, 0, -width / 2 / height], [0, 1 / height, -0.5], [0, 0, 1]])
    scaled = unit @ matrices @ np.linalg.inv(unit)
    scaled /= np.cbrt(np.linalg.det(scaled))[:, None, None]
    found = np.linalg.inv(unit) @ _closed(scaled, log_plane, exp_plane) @ unit
    found[0] = np.eye(3)
    corner = found[:, 2:, 2:]
    return found / np.where(np.abs(corner) > 1e-12, corner, 1)


def closed_values(values: np.ndarray, halfway: float) -> np.ndarray:
    """The same for plain numbers (P + 1,), whose way back begins at the share `halfway` of the loop."""
    time = np.linspace(0, 1, len(values))
    hump = (values[-1] - values[-2] - (values[1] - values[0])) / 2 * (len(values) - 1)
    return values + hump * time * (1 - time) - (values[-1] - values[0]) * _spread(time, halfway)


def _closed(
    poses: np.ndarray, log: Callable[[np.ndarray], np.ndarray], exp: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    length = len(poses) - 1
    rest = log(np.linalg.inv(poses[-1]))
    speeds = [log(poses[n + 1] @ np.linalg.inv(poses[n])) for n in (0, length - 1)]
    hump = (speeds[1] - speeds[0]) / 2 * length
    time = np.linspace(0, 1, length + 1)
    spread = _spread(time, _halfway(poses))
    found = np.array(poses)
    for frame in range(1, length + 1):
        found[frame] = exp(hump * (time[frame] * (1 - time[frame]))) @ poses[frame] @ exp(rest * spread[frame])
    return found


def _halfway(poses: np.ndarray) -> float:
    # The share of the loop by which half of the way is behind: what a step differs from rest by is its length.
    steps = poses[1:] @ np.linalg.inv(poses[:-1]) - np.eye(poses.shape[-1])
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=(1, 2)))])
    if way[-1] == 0:
        return 0.5
    share = np.interp(way[-1] / 2, way, np.linspace(0, 1, len(way)))
    return float(np.clip(share, _EARLIEST, _LATEST))


def _spread(time: np.ndarray, start: float) -> np.ndarray:
    # From 0 at `start` to 1 at the end, with neither speed nor acceleration there.
    part = np.clip((time - start) / (1 - start), 0, 1)
    return part**3 * (10 - 15 * part + 6 * part**2)


def _closed_lens(base: Track3D) -> tuple[np.ndarray, np.ndarray]:
    # Focal lengths and aspects are factors, so that their logarithms are what adds up.
    halfway = _halfway(base.views)
    fov_deg, aspect = base.fov_deg, base.aspect
    if np.ptp(fov_deg):
        fov_deg = np.degrees(2 * np.arctan(np.exp(closed_values(np.log(np.tan(np.radians(fov_deg) / 2)), halfway))))
    if np.ptp(aspect):
        aspect = np.exp(closed_values(np.log(aspect), halfway))
    return fov_deg, aspect


def _again(poses: np.ndarray, num_frames: int) -> np.ndarray:
    length = len(poses) - 1
    found = np.empty((num_frames, *poses.shape[1:]))
    found[0] = poses[0]
    begun = poses[0]
    for frame in range(1, num_frames):
        place = (frame - 1) % length + 1
        if place == 1 and frame > 1:
            begun = found[frame - 1]
        found[frame] = poses[place] @ begun if frame > length else poses[place]
    return found


def _log_rigid(pose: np.ndarray) -> np.ndarray:
    twist = log_pose(pose)
    x, y, z = twist[3:]
    return np.array([[0, -z, y, twist[0]], [z, 0, -x, twist[1]], [-y, x, 0, twist[2]], [0, 0, 0, 0]])


def _exp_rigid(logarithm: np.ndarray) -> np.ndarray:
    turn = (logarithm[2, 1], logarithm[0, 2], logarithm[1, 0])
    return exp_pose(np.array([*logarithm[:3, 3], *turn]))
