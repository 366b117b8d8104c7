"""A camera that does what a sentence says."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import FramedriftError
from .compose import Combined
from .direction import Direction, Phrase
from .lens import check_fov
from .moves import Easing, Move, progress
from .pose import UNITS, exp_pose, log_pose
from .shake import Shake
from .track import Camera, Track3D
from .vocabulary import KINDS

log = logging.getLogger("framedrift")

# A zoom keeps the lens between these, in degrees; one that is outside already stays where it is.
NARROWEST_DEG, WIDEST_DEG = 5.0, 150.0
# How near a dolly zoom that was given no amount comes to its subject, as a share of the distance.
NEAREST = 0.2
# A shake that begins or ends within the animation does so over this long.
FADE_SECONDS = 0.5
# What rides on what within a phase: circles carry straight moves, those carry turns, and the lens is last.
_RANKS = {"orbit": 0, "arc": 0, "crane": 0, "dolly zoom": 0, "drift": 0, "pan": 2, "tilt": 3, "roll": 4, "zoom": 5}


@dataclass(frozen=True)
class Zoom:
    """A lens that changes while the camera keeps still.

    Attributes:
        times: what the focal length is multiplied by in all; over 1 goes in.
        start, end: frames of its beginning and its end.
        easing: as `Move` has it.
        fov_deg: the lens at the start. It stays between 5 and 150 degrees.
    """

    times: float
    start: int
    end: int
    easing: Easing = "ease_in_out"
    fov_deg: float = 70.0

    def texts(self) -> dict[str, Any]:
        """The settings by name."""
        return {"zoom": asdict(self)}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses; see `track.Camera`. With linear easing each frame multiplies the focal length alike."""
        del fps, seed, size
        done = progress(np.arange(num_frames), self.start, self.end, self.easing, "once")
        fov_deg = np.full(num_frames, float(self.fov_deg))
        changed = done * math.log(self.times) != 0
        spread = math.tan(math.radians(self.fov_deg) / 2) * np.exp(-done[changed] * math.log(self.times))
        low, high = min(NARROWEST_DEG, self.fov_deg), max(WIDEST_DEG, self.fov_deg)
        fov_deg[changed] = np.clip(np.degrees(2 * np.arctan(spread)), low, high)
        return Track3D.from_views(np.tile(np.eye(4), (num_frames, 1, 1)), fov_deg)


@dataclass(frozen=True)
class Faded:
    """A motion about one place that comes and goes.

    Attributes:
        camera: the motion.
        start, end: frames between which it is there; it swells and dies away inside them.
        fade: over how many frames.
    """

    camera: Camera
    start: int
    end: int
    fade: float

    def texts(self) -> dict[str, Any]:
        """The settings, and those of the motion."""
        return {"faded": {"start": self.start, "end": self.end, "fade": self.fade}, "base": self.camera.texts()}

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses; see `track.Camera`. At the animation's own ends nothing is faded."""
        track = self.camera.track(num_frames, fps, seed, size)
        if not isinstance(track, Track3D):
            raise FramedriftError("camera: a motion in the picture's plane does not come and go")
        frames, views = np.arange(num_frames), track.views.copy()
        fade = max(min(self.fade, (self.end - self.start) / 2), 1e-9)
        inward = np.ones(num_frames) if self.start <= 0 else np.clip((frames - self.start) / fade, 0, 1)
        outward = np.ones(num_frames) if self.end >= num_frames - 1 else np.clip((self.end - frames) / fade, 0, 1)
        share = np.minimum(inward, outward)
        share = share * share * (3 - 2 * share)
        for frame in np.flatnonzero(share < 1):
            views[frame] = exp_pose(share[frame] * log_pose(views[frame])) if share[frame] else np.eye(4)
        return Track3D.from_views(views, track.fov_deg)


@dataclass(frozen=True)
class Directed:
    """A sentence as a camera.

    Attributes:
        direction: the sentence, read by `parse_direction`.
        distance: of the subject, for orbits, arcs, cranes and dolly zooms, in scene units.
        fov_deg: the lens, where the direction rides on no other camera.
        strength: factor on everything that moves.
        seed: which of all such shakes.
    """

    direction: Direction
    distance: float = 3.0
    fov_deg: float = 70.0
    strength: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what no camera has."""
        check_fov(self.fov_deg)
        if not (math.isfinite(self.distance) and self.distance > 0):
            raise FramedriftError(f"distance: {self.distance:g} scene units; it must be above 0")
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise FramedriftError(f"strength: {self.strength:g}; it must be 0 or more")

    def texts(self) -> dict[str, Any]:
        """The sentence and the settings."""
        return {
            "direction": self.direction.text,
            "distance": self.distance,
            "fov_deg": self.fov_deg,
            "strength": self.strength,
            "seed": self.seed,
        }

    def track(self, num_frames: int, fps: float, seed: int, size: tuple[int, int]) -> Track3D:
        """The poses; see `track.Camera`.

        Raises:
            FramedriftError: a dolly zoom of a given amount reaches its subject, or a time ends before it begins.
        """
        if num_frames < 1:
            raise FramedriftError(f"num_frames: {num_frames} frames are no animation; it must be 1 or more")
        camera: Camera = Zoom(1.0, 0, 1, fov_deg=self.fov_deg)
        for top in self.cameras(num_frames, fps):
            camera = Combined(camera, top)
        track = camera.track(num_frames, fps, seed, size)
        if not isinstance(track, Track3D):
            raise FramedriftError("camera: a direction moves in space")
        return track

    def cameras(self, num_frames: int, fps: float) -> list[Camera]:
        """The moves of an animation of this length, each riding on those before it."""
        last = num_frames - 1
        moves: list[Camera] = []
        shakes: list[Camera] = []
        for phase, (begin, finish) in zip(self.direction.phases, _bounds(self.direction, last, fps), strict=True):
            for phrase in sorted(phase, key=lambda one: _RANKS.get(one.kind, 1)):
                if phrase.kind == "static" or not last:
                    continue
                start, end = _frames(phrase, begin, finish, last, fps)
                if start >= last:
                    log.warning(
                        "Camera Direction: %s (column %d) would begin at frame %d, and the animation ends at frame %d; "
                        "it is left out",
                        phrase.name, phrase.column, start, last,
                    )  # fmt: skip
                elif phrase.moves:
                    moves.append(self._move(phrase, start, end, last, fps))
                else:
                    shakes.append(self._shake(phrase, start, end, last, fps, len(shakes)))
        return moves + shakes

    def _move(self, phrase: Phrase, start: int, end: int, last: int, fps: float) -> Camera:
        steady = start == 0 and end >= last and not phrase.span and phrase.seconds is None
        easing: Any = phrase.easing or ("linear" if steady else "ease_in_out")
        kind, seconds = KINDS[phrase.kind], (end - start) / fps
        speed = phrase.pace * phrase.factor * self.strength
        if phrase.kind == "zoom":
            power = phrase.sign * (self.strength if phrase.amount else speed * seconds)
            # Beyond this the lens has long come to its end.
            grown = min(max(power * math.log(phrase.amount or kind.rate), -20.0), 20.0)
            return Zoom(math.exp(grown), start, end, easing, self.fov_deg)
        total = phrase.amount * self.strength if phrase.amount else kind.rate * speed * seconds
        if phrase.kind == "dolly zoom" and phrase.sign > 0 and not phrase.amount:
            total = min(total, (1 - NEAREST) * self.distance)
        total *= UNITS if kind.unit == "scene units" else 1
        named: Any = ("push in" if phrase.sign > 0 else "pull back") if phrase.kind == "push" else phrase.kind
        signed = total if phrase.kind == "push" else phrase.sign * total
        return Move(named, signed, start, end, easing, distance=self.distance, fov_deg=self.fov_deg)

    def _shake(self, phrase: Phrase, start: int, end: int, last: int, fps: float, number: int) -> Camera:
        named: Any = phrase.kind
        shake = Shake(named, phrase.factor * self.strength, phrase.frequency, self.seed + number, fov_deg=self.fov_deg)
        return shake if start <= 0 and end >= last else Faded(shake, start, end, FADE_SECONDS * fps)


def _bounds(direction: Direction, last: int, fps: float) -> Iterator[tuple[float, float]]:
    """Where each phase begins and ends, in frames: times that were said hold, the others share what is left evenly."""
    starts = [_said_start(phase, fps) for phase in direction.phases]
    lengths = [_said_length(phase, fps) for phase in direction.phases]
    cursor = 0.0
    for number, phase in enumerate(direction.phases):
        said = starts[number]
        begin = cursor if said is None else said
        length = lengths[number]
        if length is None:
            ends = [one.span.end.frames(fps) for one in phase if one.span.end]
            if len(ends) == len(phase):
                length = max(max(ends) - begin, 0.0)
        if length is None:
            following = range(number + 1, len(starts))
            after = next((later for later in following if starts[later] is not None), len(starts))
            until = starts[after] if after < len(starts) else None
            until = float(last) if until is None else until
            group = lengths[number:after]
            free = until - begin - sum(one for one in group if one is not None)
            length = max(free, 0.0) / sum(one is None for one in group)
        cursor = begin + length
        yield begin, cursor


def _said_start(phase: tuple[Phrase, ...], fps: float) -> float | None:
    starts = [one.span.start.frames(fps) for one in phase if one.span.start]
    return min(starts) if len(starts) == len(phase) else None


def _said_length(phase: tuple[Phrase, ...], fps: float) -> float | None:
    """How long a phase is, where that follows from all of its phrases."""
    longest, start = 0.0, _said_start(phase, fps)
    for phrase in phase:
        span = phrase.span
        begin = span.start.frames(fps) if span.start else start
        if span.duration:
            length = span.duration.frames(fps)
        elif span.end and begin is not None:
            length = span.end.frames(fps) - begin
        elif phrase.seconds is not None and not span.end:
            length = phrase.seconds * fps
        else:
            return None
        longest = max(longest, length + (begin - start if begin is not None and start is not None else 0.0))
    return longest


def _frames(phrase: Phrase, begin: float, finish: float, last: int, fps: float) -> tuple[int, int]:
    """First and last frame of a phrase within a phase from `begin` to `finish`."""
    span = phrase.span
    start = span.start.frames(fps) if span.start else begin
    kind = KINDS.get(phrase.kind)
    if span.end:
        end = span.end.frames(fps)
        if end <= start:
            raise FramedriftError(
                f"text: {phrase.name} (column {phrase.column}) would end at frame {end:g}, not after its start "
                f"at frame {start:g}"
            )
    elif span.duration:
        end = start + span.duration.frames(fps)
    elif phrase.seconds is not None:
        end = start + phrase.seconds * fps
    else:
        end = finish if finish > start else float(last)
        speed = phrase.pace * phrase.factor
        if kind is not None and phrase.amount and phrase.manner and speed != 1 and kind.unit != "times":
            # An amount at a pace that was said: it is done when it is done.
            end = min(end, start + phrase.amount / (kind.rate * speed) * fps)
    first = round(start)
    return first, max(round(end), first + 1)
