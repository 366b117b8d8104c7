"""Cameras as schedules, and the pose tracks that they compile to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import FramedriftError

if TYPE_CHECKING:
    from ..schedule import Schedule

# How many Deforum units of translation are one scene unit.
UNITS = 200.0


def rotation_matrix(rotation_deg: tuple[float, float, float]) -> np.ndarray:
    """Rx(x) Ry(y) Rz(z), float64 (3, 3).

    Convention: degrees, right-handed about x right, y down, z forward; it takes camera axes to world axes, so +x tilts
    the camera up, +y yaws it right and +z rolls it clockwise.
    """
    x, y, z = (math.radians(angle) for angle in rotation_deg)
    about_x = np.array([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_z = np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def pose_delta(translation: tuple[float, float, float], rotation_deg: tuple[float, float, float]) -> np.ndarray:
    """One frame's motion as a 4x4 from the old camera's coordinates to the new one's, float64.

    Convention: translation in Deforum units (200 are one scene unit), +x right, +y up, +z forward, along the axes of
    the turned camera; rotation as in `rotation_matrix`. E = [R^T | (-tx, +ty, -tz) / 200].
    """
    x, y, z = translation
    delta = np.eye(4)
    delta[:3, :3] = rotation_matrix(rotation_deg).T
    delta[:3, 3] = (-x / UNITS, y / UNITS, -z / UNITS)
    return delta


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
        """The schedules' values at a frame, by their names."""
        ...


@dataclass(frozen=True, eq=False)
class Track3D:
    """Poses of a camera in space.

    Attributes:
        views: (F, 4, 4) float64, world to camera; the world is the first frame's camera.
        fov_deg: (F,) float64, field of view.
        curves: every schedule's values, (F,) each.
    """

    views: np.ndarray
    fov_deg: np.ndarray
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.views)

    def step(self, source: int, target: int) -> np.ndarray:
        """V_target V_source^-1, (4, 4): coordinates in the source's camera to those in the target's."""
        _check_frames(len(self), source, target)
        if np.array_equal(self.views[source], self.views[target]):
            return np.eye(4)
        return self.views[target] @ _inverse_rigid(self.views[source])

    def at_rest(self, source: int, target: int) -> bool:
        """True if neither the camera nor its lens differs between the two frames, exactly."""
        _check_frames(len(self), source, target)
        return bool(
            np.array_equal(self.views[source], self.views[target]) and self.fov_deg[source] == self.fov_deg[target]
        )

    def values(self, frame: int) -> dict[str, float]:
        """The schedules' values at a frame, by their names."""
        _check_frames(len(self), frame)
        return {name: float(curve[frame]) for name, curve in self.curves.items()}


@dataclass(frozen=True, eq=False)
class Track2D:
    """Where the picture's plane has been moved to.

    Attributes:
        matrices: (F, 3, 3) float64, pixel indices of the first frame to those of frame n.
        size: (h, w) in pixels that the matrices hold for.
        curves: every schedule's values, (F,) each.
    """

    matrices: np.ndarray
    size: tuple[int, int]
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.matrices)

    def step(self, source: int, target: int) -> np.ndarray:
        """C_target C_source^-1, (3, 3): pixel indices in the source to pixel indices in the target."""
        _check_frames(len(self), source, target)
        if np.array_equal(self.matrices[source], self.matrices[target]):
            return np.eye(3)
        return self.matrices[target] @ np.linalg.inv(self.matrices[source])

    def at_rest(self, source: int, target: int) -> bool:
        """True if the picture does not move between the two frames, exactly."""
        _check_frames(len(self), source, target)
        return bool(np.array_equal(self.matrices[source], self.matrices[target]))

    def values(self, frame: int) -> dict[str, float]:
        """The schedules' values at a frame, by their names."""
        _check_frames(len(self), frame)
        return {name: float(curve[frame]) for name, curve in self.curves.items()}


@dataclass(frozen=True)
class _Schedules:
    """What both cameras share: fields that are schedules, given as a `Schedule`, a text or a number."""

    def __post_init__(self) -> None:
        """Parses what came as text or number, so that an error shows before the first frame."""
        for name, value in self._items():
            # A series of pandas can `sample` too, but means something else by it.
            if not hasattr(value, "sample") or hasattr(value, "index"):
                from ..schedule import as_schedule

                object.__setattr__(self, name, as_schedule(value, name))

    def _items(self) -> list[tuple[str, Any]]:
        return [(item.name, getattr(self, item.name)) for item in fields(self)]

    def texts(self) -> dict[str, str]:
        """Every schedule's text as the user gave it, by its name."""
        return {name: schedule.text for name, schedule in self._items()}

    def _curves(self, num_frames: int, fps: float, seed: int) -> dict[str, np.ndarray]:
        if num_frames < 1:
            raise FramedriftError(f"num_frames: {num_frames} frames are no animation; it must be 1 or more")
        curves = {}
        for name, schedule in self._items():
            curve = np.asarray(schedule.sample(num_frames, seed=seed, fps=fps), dtype=np.float64)
            bad = np.flatnonzero(~np.isfinite(curve))
            if bad.size:
                raise FramedriftError(
                    f"{name}: frame {bad[0]} has the value {curve[bad[0]]}; it must be a finite number"
                )
            curves[name] = curve
        return curves


@dataclass(frozen=True)
class Camera2D(_Schedules):
    """Deforum's 2D animation mode: the picture turned, zoomed and shifted in its plane, frame by frame.

    Attributes:
        angle: degrees a frame, positive turns the picture counter-clockwise.
        zoom: factor a frame, over 1 goes in.
        translation_x, translation_y: pixels a frame, positive moves the picture right and down.
        transform_center_x, transform_center_y: the centre of turn and zoom, as a share of width and height.
    """

    angle: "Schedule | str | float" = "0: (0)"
    zoom: "Schedule | str | float" = "0: (1.0025+0.002*sin(1.25*3.14*t/30))"
    translation_x: "Schedule | str | float" = "0: (0)"
    translation_y: "Schedule | str | float" = "0: (0)"
    transform_center_x: "Schedule | str | float" = "0: (0.5)"
    transform_center_y: "Schedule | str | float" = "0: (0.5)"

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track2D:
        """The poses of an animation of `num_frames` frames of `size` (h, w) pixels.

        Raises:
            FramedriftError: a schedule has no finite value at a frame, or zoom is not above 0.
        """
        from ..warp.affine import motion_matrix

        curves = self._curves(num_frames, fps, seed)
        bad = np.flatnonzero(curves["zoom"] <= 0)
        if bad.size:
            value = curves["zoom"][bad[0]]
            raise FramedriftError(
                f"zoom: frame {bad[0]} has the value {value:g}; it must be above 0 (1 keeps the size)"
            )
        height, width = size
        matrices = np.empty((num_frames, 3, 3))
        matrices[0] = np.eye(3)
        for frame in range(1, num_frames):
            delta = motion_matrix(width, height, **{name: float(curve[frame]) for name, curve in curves.items()})
            matrices[frame] = delta @ matrices[frame - 1]
        return Track2D(matrices, (height, width), curves)


@dataclass(frozen=True)
class Camera3D(_Schedules):
    """Deforum's 3D animation mode: a camera that moves and turns in space, frame by frame.

    Attributes:
        translation_x, translation_y, translation_z: Deforum units a frame (200 are one scene unit); right, up, forward.
        rotation_3d_x, rotation_3d_y, rotation_3d_z: degrees a frame; tilt up, yaw right, roll clockwise.
        fov: field of view in degrees; Deforum's `fov_schedule`.
    """

    translation_x: "Schedule | str | float" = "0: (0)"
    translation_y: "Schedule | str | float" = "0: (0)"
    translation_z: "Schedule | str | float" = "0: (1.75)"
    rotation_3d_x: "Schedule | str | float" = "0: (0)"
    rotation_3d_y: "Schedule | str | float" = "0: (0)"
    rotation_3d_z: "Schedule | str | float" = "0: (0)"
    fov: "Schedule | str | float" = "0: (70)"

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses of an animation of `num_frames` frames; `size` (h, w) is taken for symmetry with `Camera2D`.

        Raises:
            FramedriftError: a schedule has no finite value at a frame, or fov lies outside 0 to 180 degrees.
        """
        del size
        curves = self._curves(num_frames, fps, seed)
        bad = np.flatnonzero((curves["fov"] <= 0) | (curves["fov"] >= 180))
        if bad.size:
            value = curves["fov"][bad[0]]
            name = getattr(self.fov, "name", "") or "fov"
            raise FramedriftError(
                f"{name}: frame {bad[0]} has the value {value:g}; it must lie between 0 and 180 degrees"
            )
        moves = np.stack([curves[f"translation_{axis}"] for axis in "xyz"], axis=1)
        turns = np.stack([curves[f"rotation_3d_{axis}"] for axis in "xyz"], axis=1)
        views = np.empty((num_frames, 4, 4))
        views[0] = np.eye(4)
        for frame in range(1, num_frames):
            views[frame] = pose_delta(tuple(moves[frame]), tuple(turns[frame])) @ views[frame - 1]
        return Track3D(views, curves["fov"], curves)


def _inverse_rigid(pose: np.ndarray) -> np.ndarray:
    # Exact where a general inverse would leave rounding: the rotation's inverse is its transpose.
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def _check_frames(length: int, *frames: int) -> None:
    for frame in frames:
        if not 0 <= frame < length:
            raise FramedriftError(f"frame {frame} is outside the camera's {length} frames, 0 to {length - 1}")
