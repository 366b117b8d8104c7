"""Cameras put together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import FramedriftError
from .plane import check_plane, plane_curves
from .pose import step_between
from .track import Camera, Track2D, Track3D

Mode = Literal["ride", "steps", "then"]
MODES: tuple[Mode, ...] = get_args(Mode)
# The motion from one pose to another.
Step = Callable[[np.ndarray, np.ndarray], np.ndarray]


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
            views = self._joined(base.views, top.views, start, step_between)
            return Track3D.from_views(views, *_lens(base, top, start))
        if isinstance(base, Track2D) and isinstance(top, Track2D):
            check_plane(base.matrices)
            check_plane(top.matrices)
            matrices = self._joined(base.matrices, top.matrices, start, _step_in_plane)
            return Track2D(matrices, base.size, plane_curves(matrices, base.size))
        order = ("a 2D Camera", "one that moves in space")
        first, second = order if isinstance(base, Track2D) else order[::-1]
        raise FramedriftError(
            f"camera: the first is {first}, the second {second}; the one moves the picture in its plane, so they "
            "cannot be combined. Take 3D Camera for 2D Camera: rotation_3d_z turns, fov_schedule zooms, translation_x "
            "and translation_y shift"
        )

    def _joined(self, base: np.ndarray, top: np.ndarray, start: int, step: Step) -> np.ndarray:
        if self.mode == "ride":
            return top @ base
        if self.mode == "then":
            return np.concatenate([base[:start], top @ base[start]])
        joined = np.empty_like(base)
        joined[0] = base[0]
        for frame in range(1, len(base)):
            first, second = step(base[frame - 1], base[frame]), step(top[frame - 1], top[frame])
            joined[frame] = second @ first @ joined[frame - 1]
        return joined


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


def _step_in_plane(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.eye(3) if np.array_equal(source, target) else target @ np.linalg.inv(source)
