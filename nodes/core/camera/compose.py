"""Cameras put together."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import FramedriftError
from .pose import inverse_rigid
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
        """The poses of both together; see `track.Camera`.

        Raises:
            FramedriftError: one camera moves in space and the other in the picture's plane, or either's own error.
        """
        start = min(self.at, num_frames - 1) if self.mode == "then" else 0
        base = self.base.track(num_frames, fps, seed, size)
        top = self.top.track(num_frames - start, fps, seed, size)
        if isinstance(base, Track3D) and isinstance(top, Track3D):
            return self._in_space(base, top, start)
        if isinstance(base, Track2D) and isinstance(top, Track2D):
            matrices = self._joined(base.matrices, top.matrices, start, np.linalg.inv)
            return Track2D(matrices, size, {**top.curves, **base.curves} if start == 0 else base.curves)
        raise FramedriftError(
            "camera: a 2D camera, which moves the picture in its plane, and one that moves in space cannot be "
            "combined. Take 3D Camera for 2D Camera: rotation_3d_z turns, fov_schedule zooms, translation_x and "
            "translation_y shift"
        )

    def _in_space(self, base: Track3D, top: Track3D, start: int) -> Track3D:
        views = self._joined(base.views, top.views, start, inverse_rigid)
        spread = np.tan(np.radians(top.fov_deg) / 2)
        factor = np.concatenate([np.ones(start), spread / spread[0]])
        aspect = np.concatenate([np.ones(start), top.aspect / top.aspect[0]]) * base.aspect
        fov_deg = base.fov_deg.copy()
        if start:
            fov_deg[start:], aspect[start:] = (
                base.fov_deg[start],
                aspect[start:] * base.aspect[start] / base.aspect[start:],
            )
        changed = factor != 1
        fov_deg[changed] = np.degrees(2 * np.arctan(np.tan(np.radians(fov_deg[changed]) / 2) * factor[changed]))
        return Track3D.from_views(views, fov_deg, aspect)

    def _joined(self, base: np.ndarray, top: np.ndarray, start: int, inverse: Any) -> np.ndarray:
        if self.mode == "ride":
            return top @ base
        if self.mode == "then":
            return np.concatenate([base[:start], top @ base[start]])
        joined = np.empty_like(base)
        joined[0] = base[0]
        for frame in range(1, len(base)):
            first = base[frame] @ inverse(base[frame - 1])
            joined[frame] = top[frame] @ inverse(top[frame - 1]) @ first @ joined[frame - 1]
        return joined


def on_top(base: Camera | None, top: Camera) -> Camera:
    """`top` riding on `base`, or `top` alone where there is no base: for nodes whose camera input is optional."""
    return top if base is None else Combined(base, top)
