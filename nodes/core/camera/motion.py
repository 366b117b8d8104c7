"""Deforum's two cameras: schedules that say what moves from one frame to the next."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FramedriftError
from .pose import pose_delta
from .track import Track2D, Track3D, check_fovs

if TYPE_CHECKING:
    from ..schedule import Schedule


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
        return [(item.name, getattr(self, item.name)) for item in fields(self) if item.type is not bool]

    def texts(self) -> dict[str, Any]:
        """Every schedule's text as the user gave it, by its name."""
        return {name: schedule.text for name, schedule in self._items()}

    def keyframes(self, num_frames: int, fps: float, seed: int) -> list[int]:
        """The frames of all its schedules' keys within the animation, ascending, each once."""
        return sorted({frame for _, schedule in self._items() for frame in schedule.keyframes(num_frames, seed, fps)})

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
        perspective_flip: whether the four that follow count.
        perspective_flip_theta, perspective_flip_phi, perspective_flip_gamma: degrees a frame by which the picture's
            plane is turned in space about z, x and y; see `warp.affine.perspective_flip`.
        perspective_flip_fv: the field of view of that turn, in degrees.
    """

    angle: "Schedule | str | float" = "0: (0)"
    zoom: "Schedule | str | float" = "0: (1.0025+0.002*sin(1.25*3.14*t/30))"
    translation_x: "Schedule | str | float" = "0: (0)"
    translation_y: "Schedule | str | float" = "0: (0)"
    transform_center_x: "Schedule | str | float" = "0: (0.5)"
    transform_center_y: "Schedule | str | float" = "0: (0.5)"
    perspective_flip_theta: "Schedule | str | float" = "0: (0)"
    perspective_flip_phi: "Schedule | str | float" = "0: (0)"
    perspective_flip_gamma: "Schedule | str | float" = "0: (0)"
    perspective_flip_fv: "Schedule | str | float" = "0: (53)"
    perspective_flip: bool = False

    def texts(self) -> dict[str, Any]:
        """Every schedule's text by its name; those of the perspective flip only where it is on."""
        texts = super().texts()
        if self.perspective_flip:
            return texts | {"perspective_flip": True}
        return {name: text for name, text in texts.items() if not name.startswith("perspective_flip")}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track2D:
        """The poses of an animation of `num_frames` frames of `size` (h, w) pixels.

        Raises:
            FramedriftError: a schedule has no finite value at a frame, or zoom is not above 0.
        """
        from ..warp.affine import motion_matrix, perspective_flip

        curves = self._curves(num_frames, fps, seed)
        bad = np.flatnonzero(curves["zoom"] <= 0)
        if bad.size:
            value = curves["zoom"][bad[0]]
            raise FramedriftError(
                f"zoom: frame {bad[0]} has the value {value:g}; it must be above 0 (1 keeps the size)"
            )
        height, width = size
        flip = {name: curves.pop(name) for name in list(curves) if name.startswith("perspective_flip")}
        matrices, deltas = np.empty((num_frames, 3, 3)), np.empty((num_frames, 3, 3))
        matrices[0] = deltas[0] = np.eye(3)
        for frame in range(1, num_frames):
            delta = motion_matrix(width, height, **{name: float(curve[frame]) for name, curve in curves.items()})
            if self.perspective_flip:
                angles = {name.removeprefix("perspective_flip_"): float(curve[frame]) for name, curve in flip.items()}
                delta = _named(frame, lambda given=angles: perspective_flip(width, height, **given)) @ delta
            deltas[frame] = delta
            # A zoom that goes on for tens of thousands of frames leaves all numbers; its steps stay what they are.
            with np.errstate(over="ignore", invalid="ignore"):
                matrices[frame] = delta @ matrices[frame - 1]
        if self.perspective_flip:
            curves |= flip
        return Track2D(matrices, (height, width), curves, deltas)


@dataclass(frozen=True)
class Camera3D(_Schedules):
    """Deforum's 3D animation mode: a camera that moves and turns in space, frame by frame.

    Attributes:
        translation_x, translation_y, translation_z: Deforum units a frame (200 are one scene unit); right, up, forward.
        rotation_3d_x, rotation_3d_y, rotation_3d_z: degrees a frame; tilt up, yaw right, roll clockwise.
        fov: field of view in degrees; Deforum's `fov_schedule`.
        aspect: Deforum's `aspect_ratio_schedule`, above 0; only the `deforum` projection reads it.
    """

    translation_x: "Schedule | str | float" = "0: (0)"
    translation_y: "Schedule | str | float" = "0: (0)"
    translation_z: "Schedule | str | float" = "0: (1.75)"
    rotation_3d_x: "Schedule | str | float" = "0: (0)"
    rotation_3d_y: "Schedule | str | float" = "0: (0)"
    rotation_3d_z: "Schedule | str | float" = "0: (0)"
    fov: "Schedule | str | float" = "0: (70)"
    aspect: "Schedule | str | float" = "0: (1)"

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses of an animation of `num_frames` frames; `size` (h, w) is taken for symmetry with `Camera2D`.

        Raises:
            FramedriftError: a schedule has no finite value at a frame, or fov lies outside 0 to 180 degrees.
        """
        del size
        curves = self._curves(num_frames, fps, seed)
        check_fovs(curves["fov"], getattr(self.fov, "name", "") or "fov")
        bad = np.flatnonzero(curves["aspect"] <= 0)
        if bad.size:
            name, value = getattr(self.aspect, "name", "") or "aspect", curves["aspect"][bad[0]]
            raise FramedriftError(f"{name}: frame {bad[0]} has the value {value:g}; it must be above 0 (1 is classic)")
        moves = np.stack([curves[f"translation_{axis}"] for axis in "xyz"], axis=1)
        turns = np.stack([curves[f"rotation_3d_{axis}"] for axis in "xyz"], axis=1)
        views = np.empty((num_frames, 4, 4))
        views[0] = np.eye(4)
        for frame in range(1, num_frames):
            views[frame] = pose_delta(tuple(moves[frame]), tuple(turns[frame])) @ views[frame - 1]
        return Track3D(views, curves["fov"], curves, curves["aspect"])


def _named(frame: int, make: Callable[[], np.ndarray]) -> np.ndarray:
    try:
        return make()
    except FramedriftError as error:
        raise FramedriftError(f"frame {frame}: {error}") from error
