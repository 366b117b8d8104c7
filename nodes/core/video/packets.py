"""Which frames a video file holds and when each is shown, read from its packets without decoding one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FramedriftError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

log = logging.getLogger("framedrift")

DEFAULT_RATE = Fraction(15)
# What a file calls its rate counts where it is this close to what its times say: it is the exact fraction then.
_AGREES = 0.005
_ROUNDED = 1e-4
_FASTEST = 1000
# A frame this share of a frame's time late still counts for its slot.
_LATE = 0.25
# So many of a file's frames must follow one another at its rate for the others to be gaps: frames that were lost.
_REGULAR = 0.9
# AVI knows no order of display, and a search in MPEG-PS lands anywhere.
_UNTIMED = frozenset({"avi", "mpeg"})


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """The frames of a video stream.

    Attributes:
        times: (N,) int64, ascending, when each is shown, in units of `time_base`.
        keys: (K,) int64, ascending, the times of those that can be decoded without others.
        time_base: seconds.
        rate: frames per second, the mean where they are not evenly spaced.
        even: all follow one another at the same distance, but for what rounding and jitter do.
        counted: the file does not say when each frame is shown (AVI, MPEG-PS, raw streams): `times` are their numbers,
            and a frame is found by counting from the first on.
    """

    times: np.ndarray
    keys: np.ndarray
    time_base: Fraction
    rate: Fraction
    even: bool
    counted: bool = False

    def trimmed(self, start_s: float, duration_s: float) -> tuple[int, int]:
        """The numbers of the first frame and one past the last of a stretch, in seconds from the first frame on; a
        duration of 0 is all that follows.
        """
        seconds = (self.times - self.times[0]) * float(self.time_base)
        rounding = float(self.time_base) / 2
        first = int(np.searchsorted(seconds, start_s - rounding))
        last = len(seconds) if duration_s <= 0 else int(np.searchsorted(seconds, start_s + duration_s - rounding))
        return first, last

    def paced(self, first: int, last: int, fps: Fraction) -> np.ndarray:
        """Which frame is shown in each slot of a constant rate, (S,) int64: frames are shown twice, or left out."""
        if self.even:
            count = max(1, round((last - first) * fps / self.rate))
            shown = np.array([n * self.rate // fps for n in range(count)], np.int64) if fps != self.rate else None
            return first + (np.arange(last - first) if shown is None else np.minimum(shown, last - first - 1))
        times = self.times[first:last]
        position = (times - times[0]) * float(self.time_base * fps)
        count = max(1, round(position[-1] + float(fps / self.rate)))
        return first + np.searchsorted(position, np.arange(count) + _LATE, side="right") - 1


def read_index(container: InputContainer, stream: VideoStream, name: str) -> PacketIndex:
    """Reads every packet of the stream once; where the file is damaged or cut short, those up to there.

    Raises:
        FramedriftError: there are no frames.
    """
    from av.error import FFmpegError

    times: list[int] = []
    keys: list[int] = []
    timeless = 0
    try:
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None:
                timeless += 1
                continue
            times.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
    except FFmpegError as error:
        log.warning("%s is damaged after %d frames (%s); it counts up to there", name, len(times), error)
    count = len(times) + timeless
    if not count:
        raise FramedriftError(f"video: {name} holds no frames; it may be cut short.")
    if count < (stream.frames or 0):
        log.warning("%s should hold %d frames, and holds %d: it is cut short", name, stream.frames, count)
    if timeless or (container.format.name in _UNTIMED and len(keys) < count):
        # What times there are then are often those of another order than the pictures'.
        rate = _declared(stream) or DEFAULT_RATE
        return PacketIndex(np.arange(count), np.zeros(1, np.int64), 1 / rate, rate, even=True, counted=True)
    ordered = np.unique(np.array(times, np.int64))
    # The first frame counts as one to begin at, whatever the file says: there is none before it.
    begins = np.unique(np.array([*keys, ordered[0]], np.int64))
    rate, even = _rate(ordered, stream)
    return PacketIndex(ordered, begins, Fraction(stream.time_base or 1), rate, even)


def _declared(stream: VideoStream) -> Fraction | None:
    rates = (Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate)
    return next((_neat(rate) for rate in rates if 0 < rate <= _FASTEST), None)


def _neat(rate: Fraction) -> Fraction:
    # Times in whole milliseconds make 1600000/53333 of 30, and 2997/100 of 30000/1001.
    whole = max(1, round(rate))
    neat = (Fraction(whole), Fraction(whole * 1000, 1001))
    return next((near for near in neat if abs(near / rate - 1) < _ROUNDED), rate.limit_denominator(1001))


def _rate(times: np.ndarray, stream: VideoStream) -> tuple[Fraction, bool]:
    declared = _declared(stream)
    if len(times) < 2:
        return declared or DEFAULT_RATE, True
    step = (times[-1] - times[0]) / (len(times) - 1)
    even = bool(np.abs(times - times[0] - step * np.arange(len(times))).max() < 0.5 * step)
    measured = float(1 / (step * Fraction(stream.time_base or 1)))
    if declared and abs(float(declared) / measured - 1) < _AGREES:
        return declared, even
    if declared and not even and _has_gaps_only(times, Fraction(stream.time_base or 1) * declared):
        return declared, False
    return _neat(Fraction(min(measured, _FASTEST))), even


def _has_gaps_only(times: np.ndarray, unit: Fraction) -> bool:
    """Whether nearly all frames, a unit of time being so many frames long, follow at a frame's distance."""
    steps = np.diff(times) * float(unit)
    return bool((np.abs(steps - 1) < max(0.1, 1.01 * float(unit))).mean() >= _REGULAR)
