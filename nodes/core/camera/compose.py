"""Cameras put together."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import FramedriftError
from .plane import check_plane, plane_curves
from .pose import step_between
from .track import Camera, Track2D, Track3D

Mode = Literal["ride", "steps", "then"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Combined:
    """Two cameras as one.

    Attributes:
        base: the first camera.
        top: the second one.
        mode: "ride": the second stands on the first and moves with it, as a hand-held camera on a dolly
            (V = V_top V_base). "steps": what both move in a frame is done one after the other, along the axes as they
            are by then, as if their schedules were added (E = E_top E_base). "then": the second goes on from where the
            first is at frame `at`, which is its own frame 0.
        at: frame of the change, for "then".

    The second camera's lens counts by how it changes: focal lengths are multiplied by its own over its first.
    """

    base: Camera
    top: Camera
    mode: Mode = "ride"
    at: int = 0

    def __post_init__(self) -> None:
        """Refuses what is no way to combine."""
        if self.mode not in MODES:
            raise FramedriftError(f"mode: {self.mode!r} is not known; choose one of {', '.join(MODES)}")
        if self.mode == "then" and self.at < 1:
            raise FramedriftError(f"at: {self.at} leaves the first camera no frame; it must be 1 or more")

    def texts(self) -> dict[str, Any]:
        """Both cameras' settings, and how they are combined."""
        at = {"at": self.at} if self.mode == "then" else {}
        return {"combined": self.mode, **at, "base": self.base.texts(), "top": self.top.texts()}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track2D | Track3D:
        """The poses of both together; see `track.Camera`. An animation that ends before `at` has the first one only.

        Raises:
            FramedriftError: one camera moves in space and the other in the picture's plane, or either's own error.
        """
        start = min(self.at, num_frames - 1) if self.mode == "then" else 0
        base = self.base.track(num_frames, fps, seed, size)
        top = self.top.track(num_frames - start, fps, seed, size)
        if isinstance(base, Track3D) and isinstance(top, Track3D):
            views = self._in_space(base.views, top.views, start)
            return Track3D.from_views(views, *_lens(base, top, start))
        if isinstance(base, Track2D) and isinstance(top, Track2D):
            return ride_in_plane(base, top) if self.mode == "ride" else self._in_plane(base, top, start)
        order = ("a 2D Camera", "one that moves in space")
        first, second = order if isinstance(base, Track2D) else order[::-1]
        raise FramedriftError(
            f"camera: the first is {first}, the second {second}; the one moves the picture in its plane, so they "
            "cannot be combined. Take 3D Camera for 2D Camera: rotation_3d_z turns, fov_schedule zooms, translation_x "
            "and translation_y shift"
        )

    def _in_space(self, base: np.ndarray, top: np.ndarray, start: int) -> np.ndarray:
        if self.mode == "ride":
            return top @ base
        if self.mode == "then":
            return np.concatenate([base[:start], top @ base[start]])
        joined = np.empty_like(base)
        joined[0] = base[0]
        for frame in range(1, len(base)):
            first, second = step_between(base[frame - 1], base[frame]), step_between(top[frame - 1], top[frame])
            joined[frame] = second @ first @ joined[frame - 1]
        return joined

    def _in_plane(self, base: Track2D, top: Track2D, start: int) -> Track2D:
        if self.mode == "then":
            return plane_track(np.concatenate([base.motions()[: start + 1], top.motions()[1:]]), base.size)
        return plane_track(top.motions() @ base.motions(), base.size)


def plane_track(deltas: np.ndarray, size: tuple[int, int]) -> Track2D:
    """A track in the plane of every frame's motion (F, 3, 3) against the one before, the first's none."""
    matrices = np.array(deltas)
    with np.errstate(over="ignore", invalid="ignore"):
        for frame in range(1, len(deltas)):
            matrices[frame] = deltas[frame] @ matrices[frame - 1]
    return Track2D(matrices, size, plane_curves(deltas, size), deltas)


def ride_in_plane(base: Track2D, top: Track2D) -> Track2D:
    """`top` riding on `base`, both in the plane: C_n = T_n B_n, of which a step is T_n S_n T_(n-1)^-1, S the base's.

    Raises:
        FramedriftError: where `top` is by a frame, there is no way back from.
    """
    check_plane(top.matrices)
    deltas, first = top.motions().copy(), base.motions()
    for frame in range(1, len(deltas)):
        if not np.array_equal(first[frame], np.eye(3)):
            stand = top.matrices[frame - 1]
            deltas[frame] = deltas[frame] @ stand @ first[frame] @ np.linalg.inv(stand)
    return plane_track(deltas, base.size)


def on_top(base: Camera | None, top: Camera) -> Camera:
    """`top` riding on `base`, or `top` alone where there is no base: for nodes whose camera input is optional."""
    return top if base is None else Combined(base, top)


def _lens(base: Track3D, top: Track3D, start: int) -> tuple[np.ndarray, np.ndarray]:
    # Field of view and aspect: the first camera's, from `start` on by the second's factor; untouched where that is 1.
    fov_deg, aspect = base.fov_deg.copy(), base.aspect.copy()
    if start:
        fov_deg[start:], aspect[start:] = fov_deg[start], aspect[start]
    spread = np.tan(np.radians(top.fov_deg) / 2)
    factor = spread / spread[0]
    changed = np.flatnonzero(factor != 1)
    after = changed + start
    fov_deg[after] = np.degrees(2 * np.arctan(np.tan(np.radians(fov_deg[after]) / 2) * factor[changed]))
    aspect[start:] *= top.aspect / top.aspect[0]
    return fov_deg, aspect
