"""A camera that follows poses of another program."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import FramedriftError
from .pose import inverse_rigid, log_pose
from .track import Track3D

Length = Literal["same", "stretch", "hold"]
LENGTHS: tuple[Length, ...] = get_args(Length)
# How two points, or two rotations, are mixed.
_Mix = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
# Up to this many poses a run's settings hold them all; of more only how they are told apart.
MOST_WRITTEN = 10_000


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses, one a frame.

    Attributes:
        poses: (N, 4, 4) float64, camera to world, of any origin: the first becomes the animation's.
        fov_deg: (N,) vertical field of view.
        length: "same": the animation must have as many frames. "stretch": the way is spread over the animation,
            smoothly between the poses. "hold": a pose a frame, the last one held, or the rest left out.
        scale: scene units that one unit of the poses stands for.
    """

    poses: np.ndarray
    fov_deg: np.ndarray
    length: Length = "same"
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuses what is no trajectory."""
        if self.length not in LENGTHS:
            raise FramedriftError(f"length: {self.length!r} is not known; choose one of {', '.join(LENGTHS)}")
        if self.poses.ndim != 3 or self.poses.shape[1:] != (4, 4) or not len(self.poses):
            raise FramedriftError(f"camera: poses have the shape {self.poses.shape}; it must be (N, 4, 4), N above 0")
        if self.fov_deg.shape != (len(self.poses),):
            raise FramedriftError(f"camera: {len(self.fov_deg)} fields of view for {len(self.poses)} poses")
        if not 0 < self.scale < float("inf"):
            raise FramedriftError(f"scale: {self.scale:g}; it must be a finite number above 0")

    def texts(self) -> dict[str, Any]:
        """All the poses as nested lists, or, of very many, their count and digest."""
        fov = [float(value) for value in self.fov_deg]
        said: dict[str, Any] = {"poses": len(self.poses), "length": self.length, "scale": self.scale}
        data = np.concatenate([self.poses.ravel(), self.fov_deg]).astype("<f8").tobytes()
        said["sha256"] = hashlib.sha256(data).hexdigest()
        if len(self.poses) <= MOST_WRITTEN:
            said |= {"poses": self.poses.tolist(), "fov_deg": fov[0] if len(set(fov)) == 1 else fov}
        return {"trajectory": said}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses of an animation of `num_frames` frames; see `track.Camera`.

        Raises:
            FramedriftError: `length` is "same" and the animation has another length.
        """
        del fps, seed, size
        if num_frames < 1:
            raise FramedriftError(f"num_frames: {num_frames} frames are no animation; it must be 1 or more")
        count = len(self.poses)
        if self.length == "same" and count != num_frames:
            raise FramedriftError(
                f"camera: the file has {count} poses, the animation {num_frames} frames. Make num_frames {count}, or "
                "set length to stretch (spread over the animation) or hold (the last pose is held, or the rest cut)"
            )
        poses, fov_deg = self.poses, self.fov_deg
        if self.length == "stretch" and count != num_frames:
            at = np.linspace(0, count - 1, num_frames) if num_frames > 1 else np.zeros(1)
            poses, fov_deg = resampled(poses, at), np.interp(at, np.arange(count), fov_deg)
        elif count != num_frames:
            frames = np.minimum(np.arange(num_frames), count - 1)
            poses, fov_deg = poses[frames], fov_deg[frames]
        poses = poses.copy()
        poses[:, :3, 3] *= self.scale
        return Track3D.from_views(inverse_rigid(poses), fov_deg)


def resampled(poses: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Poses between poses, on a way without kinks: each segment is a Bezier curve of positions and of rotations.

    Convention: the slope at a pose is the mean of the steps before and after it, so that an even motion stays even.
    Poses at whole numbers come back unchanged.

    Args:
        poses: (N, 4, 4), camera to world.
        at: (F,), 0 to N - 1.

    Returns:
        (F, 4, 4).
    """
    if len(poses) == 1:
        return np.repeat(poses, len(at), axis=0)
    segment = np.clip(np.floor(at).astype(int), 0, len(poses) - 2)
    u = (at - segment)[:, None]
    turns = _quaternions(poses)
    steps = _rotation_vector(_product(_conjugate(turns[:-1]), turns[1:]))
    slopes = _mean_of_neighbours(steps)
    start, end = turns[segment], turns[segment + 1]
    turned = _bezier(
        start,
        _product(start, _quaternion(slopes[segment] / 3)),
        _product(end, _quaternion(-slopes[segment + 1] / 3)),
        end,
        u,
        _slerp,
    )
    places = poses[:, :3, 3]
    slopes = _mean_of_neighbours(np.diff(places, axis=0))
    start, end = places[segment], places[segment + 1]
    placed = _bezier(start, start + slopes[segment] / 3, end - slopes[segment + 1] / 3, end, u, _lerp)
    result = np.tile(np.eye(4), (len(at), 1, 1))
    result[:, :3, :3] = _matrices(turned)
    result[:, :3, 3] = placed
    whole = at == np.round(at)
    result[whole] = poses[at[whole].astype(int)]
    return result


def _mean_of_neighbours(steps: np.ndarray) -> np.ndarray:
    return np.concatenate([steps[:1], (steps[:-1] + steps[1:]) / 2, steps[-1:]])


def _bezier(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, u: np.ndarray, mix: _Mix) -> np.ndarray:
    # De Casteljau: mixing by pairs, which means something for rotations too.
    ab, bc, cd = mix(a, b, u), mix(b, c, u), mix(c, d, u)
    return mix(mix(ab, bc, u), mix(bc, cd, u), u)


def _lerp(a: np.ndarray, b: np.ndarray, u: np.ndarray) -> np.ndarray:
    return a + (b - a) * u


def _slerp(a: np.ndarray, b: np.ndarray, u: np.ndarray) -> np.ndarray:
    return _product(a, _quaternion(_rotation_vector(_product(_conjugate(a), b)) * u))


def _quaternions(poses: np.ndarray) -> np.ndarray:
    """Unit quaternions (N, 4), w first."""
    turns = poses.copy()
    turns[:, :3, 3] = 0
    return _quaternion(np.stack([log_pose(turn)[3:] for turn in turns]))


def _quaternion(vectors: np.ndarray) -> np.ndarray:
    half = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2
    # sinc(x / pi) is sin(x) / x, without the division by nothing.
    return np.concatenate([np.cos(half), vectors * np.sinc(half / np.pi) / 2], axis=-1)


def _rotation_vector(turns: np.ndarray) -> np.ndarray:
    turns = np.where(turns[:, :1] < 0, -turns, turns)
    sine = np.linalg.norm(turns[:, 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, turns[:, :1])
    return turns[:, 1:] * np.divide(angle, sine, out=np.full_like(sine, 2.0), where=sine > 1e-12)


def _conjugate(turns: np.ndarray) -> np.ndarray:
    return turns * (1, -1, -1, -1)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    w = a[:, :1] * b[:, :1] - (a[:, 1:] * b[:, 1:]).sum(-1, keepdims=True)
    return np.concatenate([w, a[:, :1] * b[:, 1:] + b[:, :1] * a[:, 1:] + np.cross(a[:, 1:], b[:, 1:])], axis=-1)


def _matrices(turns: np.ndarray) -> np.ndarray:
    w, x, y, z = (turns / np.linalg.norm(turns, axis=-1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
