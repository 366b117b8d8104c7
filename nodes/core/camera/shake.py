"""A camera that shakes: held by hand, walked with, driven, or in an earthquake."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import FramedriftError
from .compose import ride_in_plane
from .lens import check_fov, focal_length
from .plane import plane_curves
from .pose import inverse_rigid, rotation_matrix
from .track import Camera, Track2D, Track3D
from .tremor import tremble

Kind = Literal["handheld", "walking", "vehicle", "earthquake"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# After this long a shake that is no loop begins anew, at its frequencies or slower ones.
PERIOD_SECONDS = 30.0
# Steps of the six offsets that move the picture as much as each other, where things are two scene units away: to tell
# how far from its place the camera is.
_WEIGHTS = np.array([2.0] * 3 + [math.degrees(1.0)] * 3)


@dataclass(frozen=True)
class Shake:
    """A shake about the camera's place.

    Attributes:
        kind: "handheld": slow sway, mostly turning. "walking": a bob with each of two steps a second, and a sway to
            each side. "vehicle": fast fine vibration, and bumps. "earthquake": large and fast, all ways.
        amount: factor on how far it goes.
        frequency: factor on how fast it is, above 0.
        seed: which of all such shakes.
        loop: whether the frame after the animation's last would be the first again. Otherwise the shake does not
            depend on the animation's length.
        fov_deg: the lens, where the shake rides on no camera in space.

    The camera is shaken about where it would be, by offsets whose mean over a period is 0; they never add up. Frame 0
    is the moment at which it is nearest to that place.
    """

    kind: Kind = "handheld"
    amount: float = 1.0
    frequency: float = 1.0
    seed: int = 0
    loop: bool = False
    fov_deg: float = 70.0

    def __post_init__(self) -> None:
        """Refuses what is no shake."""
        if self.kind not in KINDS:
            raise FramedriftError(f"kind: {self.kind!r} is not known; choose one of {', '.join(KINDS)}")
        if not math.isfinite(self.amount):
            raise FramedriftError(f"amount: {self.amount} is no finite number")
        if not (math.isfinite(self.frequency) and self.frequency > 0):
            raise FramedriftError(f"frequency: {self.frequency:g}; it must be above 0 (1 is as it comes)")
        check_fov(self.fov_deg)

    def texts(self) -> dict[str, Any]:
        """The settings by name, the kind as "shake"."""
        settings = asdict(self)
        return {"shake": settings.pop("kind"), **settings}

    def period(self, num_frames: int, fps: float) -> int:
        """Frames after which the shake begins anew: a loop's `num_frames`, or else 30 seconds and more if slowed."""
        if self.loop:
            return num_frames
        return max(round(PERIOD_SECONDS * fps / min(self.frequency, 1.0)), 1)

    def offsets(self, num_frames: int, fps: float) -> np.ndarray:
        """Where the camera is against where it would be, float64 (num_frames, 6).

        Convention: right, up and forward in scene units; tilt up, yaw right and roll clockwise in degrees.
        """
        if num_frames < 1:
            raise FramedriftError(f"num_frames: {num_frames} frames are no animation; it must be 1 or more")
        round_trip = tremble(self.kind, self.period(num_frames, fps), fps, self.frequency, self.seed)
        begin = int(np.argmin(np.linalg.norm(round_trip / _WEIGHTS, axis=1)))
        frames = (np.arange(num_frames) + begin) % len(round_trip)
        return self.amount * round_trip[frames]

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses; see `track.Camera`. The animation's `seed` has no say in them."""
        del seed, size
        offsets = self.offsets(num_frames, fps)
        poses = np.tile(np.eye(4), (num_frames, 1, 1))
        poses[:, :3, 3] = offsets[:, :3] * (1, -1, 1)
        poses[:, :3, :3] = [rotation_matrix(tuple(turn)) for turn in offsets[:, 3:]]
        return Track3D.from_views(inverse_rigid(poses), np.full(num_frames, float(self.fov_deg)))

    def plane_track(self, num_frames: int, fps: float, size: tuple[int, int]) -> Track2D:
        """The same as a motion of the picture's plane, for pictures of `size` (h, w).

        Tilt and yaw shift the picture by focal length times tangent, roll turns it about its middle, and a change of
        place moves it as it moves what is one scene unit away.

        Raises:
            FramedriftError: a frame's shake goes beyond what a flat picture can show.
        """
        from ..warp.affine import motion_matrix

        height, width = size
        focal = focal_length(self.fov_deg, height)
        matrices = np.empty((num_frames, 3, 3))
        for frame, (right, up, forward, *turn) in enumerate(self.offsets(num_frames, fps)):
            tilt, yaw, roll = turn
            if forward >= 1 or max(abs(tilt), abs(yaw)) >= 90:
                raise FramedriftError(
                    f"amount: at frame {frame} the shake turns the flat picture out of sight; take a smaller one"
                )
            left, down = math.tan(math.radians(yaw)) + right, math.tan(math.radians(tilt)) + up
            matrices[frame] = motion_matrix(width, height, roll, 1 / (1 - forward), -focal * left, focal * down)
        return _plane_track(matrices @ np.linalg.inv(matrices[0]), size)


@dataclass(frozen=True)
class Shaken:
    """A camera, shaken: in space it rides as on a hand, and one that moves the picture in its plane is shaken there.

    Attributes:
        base: the camera; its lens is kept.
        shake: what shakes it.
    """

    base: Camera
    shake: Shake

    def texts(self) -> dict[str, Any]:
        """The shake, and the settings of the camera under it."""
        return {**self.shake.texts(), "base": self.base.texts()}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track2D | Track3D:
        """The poses of both; see `track.Camera`."""
        base = self.base.track(num_frames, fps, seed, size)
        if isinstance(base, Track2D):
            return ride_in_plane(base, self.shake.plane_track(num_frames, fps, base.size))
        shaking = self.shake.track(num_frames, fps, seed, size)
        return Track3D.from_views(shaking.views @ base.views, base.fov_deg, base.aspect)


def _plane_track(matrices: np.ndarray, size: tuple[int, int]) -> Track2D:
    matrices = np.array(matrices)
    # The rounding of an inverse would be a motion.
    matrices[0] = np.eye(3)
    return Track2D(matrices, size, plane_curves(Track2D(matrices, size).motions(), size))
