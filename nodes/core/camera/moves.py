"""Camera moves by name: push in, pan, orbit, crane, dolly zoom and what else an operator is asked for."""

import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import FramedriftError
from ..schedule.easing import interpolate
from .lens import check_fov
from .pose import UNITS, inverse_rigid, rotation_matrix
from .track import Track3D

log = logging.getLogger("framedrift")

Kind = Literal[
    "push in",
    "pull back",
    "pan",
    "tilt",
    "roll",
    "truck",
    "pedestal",
    "orbit",
    "arc",
    "crane",
    "dolly zoom",
    "spiral",
    "drift",
]
Easing = Literal["linear", "ease_in", "ease_out", "ease_in_out"]
Repeat = Literal["once", "continue", "back and forth"]
Per = Literal["move", "second"]
KINDS: tuple[Kind, ...] = get_args(Kind)
EASINGS: tuple[Easing, ...] = get_args(Easing)
REPEATS: tuple[Repeat, ...] = get_args(Repeat)
PERS: tuple[Per, ...] = get_args(Per)
#: The kinds whose amount is an angle in degrees; all others' is in Deforum units.
TURNING: frozenset[Kind] = frozenset({"pan", "tilt", "roll", "orbit", "arc", "spiral"})

# How steeply the circle of an arc leaves the level one.
_ARC_DEG = 30.0
# Shares of a drift's way sideways: forward, and up and down; and how much of the turn towards the subject it takes.
_DRIFT_FORWARD, _DRIFT_BOB, _DRIFT_TURN = 0.15, 0.1, 1 / 3
# A dolly zoom ends this share of the distance before the subject, which would have no size any more.
_NEAREST = 1e-3

# A place (x, y, z) in scene units, and a turn (3, 3), of the camera against where the move began.
_Stand = tuple[tuple[float, float, float], np.ndarray]


@dataclass(frozen=True)
class Move:
    """One move, from a start to an end.

    Attributes:
        kind: what the camera does; see `move_pose`.
        amount: how far, in degrees for the kinds in `TURNING` and in Deforum units for the others; negative goes the
            other way.
        start: frame at which it begins.
        end: frame at which it is done, or -1 for the animation's last.
        easing: how it gathers and loses speed, as between two keys of a schedule.
        repeat: what is after the end. "once": the camera stays. "continue": the move goes on as far again, and so on.
            "back and forth": it goes back, and there again, until the animation ends. The easing holds for each.
        distance: of the subject that orbit, arc, crane, dolly zoom and drift look at, in scene units straight ahead of
            the start; of a spiral how far a turn takes it forward.
        fov_deg: the lens, where the move rides on no other camera.
        per: "move": the amount is that of the whole. "second": it is a speed, for as long as from start to end.
    """

    kind: Kind
    amount: float
    start: int = 0
    end: int = -1
    easing: Easing = "ease_in_out"
    repeat: Repeat = "once"
    distance: float = 2.0
    fov_deg: float = 70.0
    per: Per = "move"

    def __post_init__(self) -> None:
        """Refuses what is no move."""
        for name, known in (("kind", KINDS), ("easing", EASINGS), ("repeat", REPEATS), ("per", PERS)):
            if getattr(self, name) not in known:
                raise FramedriftError(f"{name}: {getattr(self, name)!r} is not known; choose one of {', '.join(known)}")
        if not math.isfinite(self.amount):
            raise FramedriftError(f"amount: {self.amount} is no finite number")
        if not (math.isfinite(self.distance) and self.distance > 0):
            raise FramedriftError(f"distance: {self.distance:g} scene units; it must be above 0, straight ahead")
        if self.start < 0:
            raise FramedriftError(f"start: frame {self.start} is before the animation; it must be 0 or more")
        if self.end != -1 and self.end <= self.start:
            raise FramedriftError(
                f"end: the move would end at frame {self.end}, but begins at frame {self.start}; it must end later, "
                "or at -1, the animation's last frame"
            )
        check_fov(self.fov_deg)

    def texts(self) -> dict[str, Any]:
        """The settings by name, the kind as "move"."""
        settings = asdict(self)
        return {"move": settings.pop("kind"), **settings}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses; see `track.Camera`. A move that begins with the last frame or later keeps still, with a warning.

        Raises:
            FramedriftError: a dolly zoom reaches its subject, or a pose is no finite number.
        """
        del seed, size
        if num_frames < 1:
            raise FramedriftError(f"num_frames: {num_frames} frames are no animation; it must be 1 or more")
        end = num_frames - 1 if self.end == -1 else self.end
        if self.start and self.start >= num_frames - 1:
            log.warning(
                "%s: it begins at frame %d, and the animation ends at frame %d: nothing moves",
                self.kind,
                self.start,
                num_frames - 1,
            )
            end = self.start + 1
        total = self.amount * (end - self.start) / fps if self.per == "second" else self.amount
        done = progress(np.arange(num_frames), self.start, max(end, self.start + 1), self.easing, self.repeat)
        poses = np.stack([move_pose(self.kind, float(share), total, self.distance) for share in done])
        return Track3D.from_views(inverse_rigid(poses), self._fovs(poses[:, 2, 3]))

    def _fovs(self, forward: np.ndarray) -> np.ndarray:
        # (F,), for the camera this far ahead of its start.
        fov_deg = np.full(len(forward), float(self.fov_deg))
        if self.kind != "dolly zoom":
            return fov_deg
        left = 1 - forward / self.distance
        reached = np.flatnonzero(left < _NEAREST)
        if reached.size:
            raise FramedriftError(
                f"dolly zoom: by frame {reached[0]} the camera has gone forward {forward[reached[0]] * UNITS:g} units, "
                f"and the subject is only {self.distance * UNITS:g} away (distance {self.distance:g} scene units); "
                "take a smaller amount, or a larger distance"
            )
        moved = forward != 0
        spread = math.tan(math.radians(self.fov_deg) / 2) / left[moved]
        fov_deg[moved] = np.degrees(2 * np.arctan(spread))
        return fov_deg


def progress(frames: np.ndarray, start: int, end: int, easing: Easing, repeat: Repeat) -> np.ndarray:
    """How much of a move is done at `frames`, float64 of their shape: 0 at `start` and before, 1 at `end`.

    After the end it stays 1 ("once"), goes on to 2 and further ("continue"), or returns to 0 and so on ("back and
    forth"). The easing shapes every way from one whole number to the next.
    """
    time = np.maximum((frames - start) / (end - start), 0.0)
    if repeat == "once":
        time = np.minimum(time, 1.0)
    way = np.floor(time)
    ends = np.array([0.0, 1.0])
    eased = interpolate(time - way, ends, ends, (easing, easing))
    if repeat == "back and forth":
        return np.where(way % 2 == 0, eased, 1 - eased)
    return way + eased


def move_pose(kind: Kind, share: float, amount: float, distance: float) -> np.ndarray:
    """Where the camera is when `share` of a move is done: camera to world, (4, 4), the world being where it began.

    A closed function of the share, which may go beyond 1. What it does for an amount above 0; w = share * amount:

    - push in, pull back: w forward, or back. truck: to the right. pedestal: up.
    - pan: turns right by w degrees. tilt: up. roll: clockwise.
    - orbit: w degrees of a level circle about the subject: to the right, turning left.
    - arc: w degrees of a circle that also rises, to whichever side it goes: it leaves the level one by 30 degrees, and
      touches it at the start. The camera faces the subject with the horizon level and keeps the distance; half a round
      takes it to 60 degrees above the subject, on the far side.
    - crane: w straight up, tilting down to the subject.
    - dolly zoom: w forward; the lens is `Move`'s.
    - spiral: rolls by w degrees, and goes forward by the distance for every full turn.
    - drift: w to the right and, whichever side it goes to, 0.15 of that forward, with a bob of 0.1 of the whole way
      that goes up first; and turns back by a third of what would keep the subject in the middle.

    Convention: axes x right, y down, z forward; amount in Deforum units, or degrees for the kinds in `TURNING`; the
    subject lies `distance` scene units straight ahead of the start.
    """
    pose = np.eye(4)
    if share * amount == 0:
        return pose
    pose[:3, 3], pose[:3, :3] = _STANDS[kind](share, amount, distance)
    return pose


def _slide(x: float, y: float, z: float) -> Callable[[float, float, float], _Stand]:
    def stand(share: float, amount: float, distance: float) -> _Stand:
        way = share * amount / UNITS
        return (x * way, y * way, z * way), np.eye(3)

    return stand


def _turn(x: float, y: float, z: float) -> Callable[[float, float, float], _Stand]:
    def stand(share: float, amount: float, distance: float) -> _Stand:
        angle = _angle(share * amount)
        return (0.0, 0.0, 0.0), rotation_matrix((x * angle, y * angle, z * angle))

    return stand


def _orbit(share: float, amount: float, distance: float) -> _Stand:
    turn = rotation_matrix((0.0, -_angle(share * amount), 0.0))
    x, y, z = turn @ (0.0, 0.0, -distance)
    return (x, y, distance + z), turn


def _arc(share: float, amount: float, distance: float) -> _Stand:
    # The circle in which the sphere about the subject is cut by a plane that holds the start and the sideways axis.
    angle, slope = math.radians(_angle(share * amount)), math.radians(_ARC_DEG)
    radius = distance * math.cos(slope)
    inward = radius * 2 * math.sin(angle / 2) ** 2
    x, y, z = radius * math.sin(angle), -inward * math.sin(slope), inward * math.cos(slope)
    return (x, y, z), _facing(x, -y, distance - z)


def _crane(share: float, amount: float, distance: float) -> _Stand:
    height = share * amount / UNITS
    return (0.0, -height, 0.0), _facing(0.0, height, distance)


def _spiral(share: float, amount: float, distance: float) -> _Stand:
    angle = share * amount
    return (0.0, 0.0, distance * angle / 360), rotation_matrix((0.0, 0.0, _angle(angle)))


def _drift(share: float, amount: float, distance: float) -> _Stand:
    way = amount / UNITS
    x, z = way * share, _DRIFT_FORWARD * abs(way) * share
    height = _DRIFT_BOB * abs(way) * math.sin(2 * math.pi * share)
    return (x, -height, z), _facing(x, height, distance - z, _DRIFT_TURN)


def _facing(x: float, height: float, ahead: float, strength: float = 1.0) -> np.ndarray:
    # Looks at what lies `ahead`, from so far to its right and above it, with a level horizon: yaw, then tilt.
    yaw, tilt = math.atan2(-x, ahead), math.atan2(-height, math.hypot(x, ahead))
    yaw_deg, tilt_deg = math.degrees(yaw) * strength, math.degrees(tilt) * strength
    return rotation_matrix((0.0, yaw_deg, 0.0)) @ rotation_matrix((tilt_deg, 0.0, 0.0))


def _angle(degrees: float) -> float:
    # Within half a turn of 0, so that a full turn is exactly none.
    return math.remainder(degrees, 360.0)


_STANDS: dict[Kind, Callable[[float, float, float], _Stand]] = {
    "push in": _slide(0, 0, 1),
    "pull back": _slide(0, 0, -1),
    "truck": _slide(1, 0, 0),
    "pedestal": _slide(0, -1, 0),
    "dolly zoom": _slide(0, 0, 1),
    "pan": _turn(0, 1, 0),
    "tilt": _turn(1, 0, 0),
    "roll": _turn(0, 0, 1),
    "orbit": _orbit,
    "arc": _arc,
    "crane": _crane,
    "spiral": _spiral,
    "drift": _drift,
}
