"""Pose tracks: where a camera is at every frame of an animation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..errors import FramedriftError
from .pose import deltas, inverse_rigid


class Track(Protocol):
    """Where the camera is at every frame of an animation."""

    def __len__(self) -> int:
        """Number of frames."""
        ...

    def step(self, source: int, target: int) -> np.ndarray:
        """The motion that takes the picture of frame `source` to that of frame `target`."""
        ...

    def at_rest(self, source: int, target: int) -> bool:
        """True if nothing at all moves between the two frames."""
        ...

    def values(self, frame: int) -> dict[str, float]:
        """What moved at a frame, by name: for journals."""
        ...


class Camera(Protocol):
    """What a CAMERA link carries: a motion that does not know yet how long the animation will be."""

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> "Track2D | Track3D":
        """The poses of an animation of `num_frames` frames of `size` (h, w) pixels.

        Raises:
            FramedriftError: what the user asked for cannot be done at a frame, which is named.
        """
        ...

    def texts(self) -> dict[str, Any]:
        """What the user set, as JSON values by name: for run.json, and for telling what differs."""
        ...


@dataclass(frozen=True, eq=False)
class Track3D:
    """Poses of a camera in space.

    Attributes:
        views: (F, 4, 4) float64, world to camera; the world is the first frame's camera.
        fov_deg: (F,) float64, vertical field of view, between 0 and 180 degrees.
        curves: (F,) each, what the journal says of a frame: the schedules' values, or `motion_curves`.
        aspect: (F,) float64, Deforum's aspect ratio; 1 everywhere by default. Only the `deforum` projection reads it.
    """

    views: np.ndarray
    fov_deg: np.ndarray
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)
    aspect: np.ndarray = None  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        """Fills in the aspect."""
        if self.aspect is None:
            object.__setattr__(self, "aspect", np.ones(len(self.views)))

    @classmethod
    def from_views(cls, views: np.ndarray, fov_deg: np.ndarray, aspect: np.ndarray | None = None) -> "Track3D":
        """A track of poses that came from anywhere: the first becomes the world, the curves are what moves.

        Raises:
            FramedriftError: a field of view, or a pose, that is none.
        """
        views, fov_deg = np.asarray(views, np.float64), np.asarray(fov_deg, np.float64)
        bad = np.flatnonzero(~np.isfinite(views).all((1, 2)))
        if bad.size:
            raise FramedriftError(f"camera: the pose of frame {bad[0]} holds values that are no finite numbers")
        check_fovs(fov_deg, "fov")
        if not np.array_equal(views[0], np.eye(4)):
            first = inverse_rigid(views[0])
            views = np.concatenate([np.eye(4)[None], views[1:] @ first])
        return cls(views, fov_deg, motion_curves(views, fov_deg), aspect)  # pyright: ignore[reportArgumentType]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.views)

    def step(self, source: int, target: int) -> np.ndarray:
        """V_target V_source^-1, (4, 4): coordinates in the source's camera to those in the target's."""
        check_frames(len(self), source, target)
        if np.array_equal(self.views[source], self.views[target]):
            return np.eye(4)
        return self.views[target] @ inverse_rigid(self.views[source])

    def at_rest(self, source: int, target: int) -> bool:
        """True if neither the camera nor its lens differs between the two frames, exactly."""
        check_frames(len(self), source, target)
        same_lens = self.fov_deg[source] == self.fov_deg[target] and self.aspect[source] == self.aspect[target]
        return bool(same_lens and np.array_equal(self.views[source], self.views[target]))

    def values(self, frame: int) -> dict[str, float]:
        """What moved at a frame, by name."""
        check_frames(len(self), frame)
        return {name: float(curve[frame]) for name, curve in self.curves.items()}

    def poses(self) -> np.ndarray:
        """Camera to world, (F, 4, 4): the inverses of `views`."""
        return inverse_rigid(self.views)


@dataclass(frozen=True, eq=False)
class Track2D:
    """Where the picture's plane has been moved to.

    Attributes:
        matrices: (F, 3, 3) float64, pixel indices of the first frame to those of frame n.
        size: (h, w) in pixels that the matrices hold for.
        curves: every schedule's values, (F,) each.
        deltas: (F, 3, 3), every frame's motion against the one before, the first's none. Where they are given, steps
            are made of them: a long zoom makes the matrices' numbers so large that their quotients are only rounding.
    """

    matrices: np.ndarray
    size: tuple[int, int]
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)
    deltas: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.matrices)

    def step(self, source: int, target: int) -> np.ndarray:
        """C_target C_source^-1, (3, 3): pixel indices in the source to pixel indices in the target."""
        check_frames(len(self), source, target)
        if self.at_rest(source, target):
            return np.eye(3)
        if self.deltas is None or source == 0:
            return self.matrices[target] @ np.linalg.inv(self.matrices[source])
        motion = np.eye(3)
        for delta in self.deltas[min(source, target) + 1 : max(source, target) + 1]:
            motion = delta @ motion
        return motion if source < target else np.linalg.inv(motion)

    def at_rest(self, source: int, target: int) -> bool:
        """True if the picture does not move between the two frames, exactly."""
        check_frames(len(self), source, target)
        if self.deltas is None:
            return bool(np.array_equal(self.matrices[source], self.matrices[target]))
        between = self.deltas[min(source, target) + 1 : max(source, target) + 1]
        return bool((between == np.eye(3)).all())

    def motions(self) -> np.ndarray:
        """Every frame's motion against the one before, (F, 3, 3): `deltas`, or the quotients of the matrices."""
        if self.deltas is not None:
            return self.deltas
        return np.stack([np.eye(3), *(self.step(frame - 1, frame) for frame in range(1, len(self)))])

    def values(self, frame: int) -> dict[str, float]:
        """The schedules' values at a frame, by their names."""
        check_frames(len(self), frame)
        return {name: float(curve[frame]) for name, curve in self.curves.items()}


def spliced(before: Track, after: Track, frame: int) -> Track2D | Track3D:
    """A track that goes as `before` up to `frame`, and from there as `after` goes: what an edit of a camera gives.

    Raises:
        FramedriftError: one moves in space and the other in the plane, or `before` ends before `frame`.
    """
    check_frames(len(before), frame)
    kept, new = slice(None, frame + 1), slice(frame + 1, None)
    if isinstance(before, Track3D) and isinstance(after, Track3D):
        onto = inverse_rigid(after.views[min(frame, len(after) - 1)]) @ before.views[frame]
        views = np.concatenate([before.views[kept], after.views[new] @ onto])
        joined = {"fov_deg": (before.fov_deg, after.fov_deg), "aspect": (before.aspect, after.aspect)}
        lens = {name: np.concatenate([first[kept], then[new]]) for name, (first, then) in joined.items()}
        return Track3D(views, curves=_joined(before, after, frame), **lens)
    if isinstance(before, Track2D) and isinstance(after, Track2D):
        deltas = np.concatenate([before.motions()[kept], after.motions()[new]])
        matrices = [*before.matrices[kept]]
        with np.errstate(over="ignore", invalid="ignore"):
            for delta in deltas[frame + 1 :]:
                matrices.append(delta @ matrices[-1])
        return Track2D(np.stack(matrices), before.size, _joined(before, after, frame), deltas)
    raise FramedriftError("camera: one in space cannot go on as one in the picture's plane, or the other way round")


def _joined(before: Track2D | Track3D, after: Track2D | Track3D, frame: int) -> dict[str, np.ndarray]:
    shared = [name for name in after.curves if name in before.curves]
    return {
        name: np.concatenate([before.curves[name][: frame + 1], after.curves[name][frame + 1 :]]) for name in shared
    }


def motion_curves(views: np.ndarray, fov_deg: np.ndarray) -> dict[str, np.ndarray]:
    """The motion as Deforum's schedules would have it, frame by frame: what `pose.deltas` gives, and the lens."""
    moves, turns = deltas(views)
    curves = {f"translation_{axis}": moves[:, number] for number, axis in enumerate("xyz")}
    curves |= {f"rotation_3d_{axis}": turns[:, number] for number, axis in enumerate("xyz")}
    return curves | {"fov": np.asarray(fov_deg)}


def check_fovs(fov_deg: np.ndarray, name: str) -> None:
    """Raises FramedriftError that names the first frame (F,) whose field of view is no lens's."""
    bad = np.flatnonzero(~((fov_deg > 0) & (fov_deg < 180)))
    if bad.size:
        raise FramedriftError(
            f"{name}: frame {bad[0]} has the value {fov_deg[bad[0]]:g}; it must lie between 0 and 180 degrees"
        )


def check_frames(length: int, *frames: int) -> None:
    """Raises FramedriftError where a frame lies outside a track of this length."""
    for frame in frames:
        if not 0 <= frame < length:
            raise FramedriftError(f"frame {frame} is outside the camera's {length} frames, 0 to {length - 1}")
