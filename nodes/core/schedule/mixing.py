"""How the texts of two keys share the frames between them."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, overload

import numpy as np

from .errors import PromptError
from .keys import Timing

BLENDS = ("linear", "hold", "smooth")

Number = TypeVar("Number", float, np.ndarray)
Pair = tuple[str, str]
Mix = tuple[tuple[float, Pair], ...]


class Placed(Protocol):
    """A text at its place in the animation."""

    def prepared(self, frame: int, timing: Timing) -> Pair:
        """(positive, negative) as they are at the frame."""
        ...


def smoothed(share: Number) -> Number:
    """Slow at both ends: 3u^2 - 2u^3."""
    return share * (share * (3.0 - 2.0 * share))


@dataclass(frozen=True)
class Course:
    """One animation's texts. begins, ends: where each but the last begins to change into the next, and where it has
    changed; ascending frames, and no two changes at a time.
    """

    timing: Timing
    placed: tuple[Placed, ...]
    begins: tuple[float, ...]
    ends: tuple[float, ...]
    smooth: bool = False

    def current(self, frame: int) -> int:
        """Which text the frame shows, alone or the next one with it; raises PromptError for a frame before 0."""
        if frame < 0:
            raise PromptError(f"the frame is {frame}; the first one is 0")
        return bisect.bisect_right(self.ends, frame)

    def mix(self, frame: int) -> Mix:
        """What shapes the frame."""
        current = self.current(frame)
        if current == len(self.ends) or frame <= self.begins[current]:
            return self.between(frame, current, 0.0)
        share = (frame - self.begins[current]) / (self.ends[current] - self.begins[current])
        return self.between(frame, current, smoothed(share) if self.smooth else share)

    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """For every frame of the animation `current`, and how much the next text has of it: both (F,)."""
        frames = np.arange(self.timing.num_frames)
        current = np.searchsorted(np.asarray(self.ends, np.float64), frames, side="right")
        # After its last change a text stands alone.
        begins = np.asarray((*self.begins, self.timing.num_frames), np.float64)
        spans = np.asarray((*self.ends, self.timing.num_frames + 1), np.float64) - begins
        begun = frames > begins[current]
        shares = np.divide(frames - begins[current], spans[current], out=np.zeros(len(frames)), where=begun)
        return current, smoothed(shares) if self.smooth else shares

    def between(self, frame: int, current: int, share: float) -> Mix:
        """A text and `share` of the next one, at this frame."""
        pair = self.placed[current].prepared(frame, self.timing)
        if not share:
            return ((1.0, pair),)
        later = self.placed[current + 1].prepared(frame, self.timing)
        return ((1.0, pair),) if later == pair else ((1.0 - share, pair), (share, later))


class MixSequence(Sequence[Mix]):
    """The mix of every frame of an animation, put together when it is asked for."""

    def __init__(self, course: Course):
        self._course = course
        self._current, self._shares = course.shares()

    def __len__(self) -> int:
        return len(self._shares)

    @overload
    def __getitem__(self, index: int) -> Mix: ...

    @overload
    def __getitem__(self, index: slice) -> list[Mix]: ...

    def __getitem__(self, index: int | slice) -> Mix | list[Mix]:
        if isinstance(index, slice):
            return [self[frame] for frame in range(*index.indices(len(self)))]
        frame = range(len(self))[index]
        return self._course.between(frame, int(self._current[frame]), float(self._shares[frame]))
