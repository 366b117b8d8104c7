"""The feedback loop without a sampler: small pictures, moved as the camera moves."""

from bisect import bisect_right
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..depth.moved import moved_disparity
from ..video.frames import Frames
from ..warp import Warped, WarpSettings, warp
from .track import Track, Track2D

# A picture becomes an anchor when this share of it is new, or a twentieth of it is magnified so many times in area.
_NEW, _GROWN = 0.1, 2.0
# Of the anchors so many bytes are kept; beyond, every second is, and those between are made again when asked for.
_KEPT_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class _Anchor:
    """A simulated picture from which those that follow are moved, each in one go."""

    frame: int
    image: Tensor
    disparity: Tensor | None


class Simulation:
    """The simulated pictures.

    A chain of resamplings would fray every edge, which the sampler mends in each step and a simulation cannot: so a
    picture is moved in one go from an anchor, and becomes the next anchor when enough of it is new.
    """

    _disparity: Tensor | None

    def __init__(self, image: Tensor, disparity: Tensor | None, track: Track, settings: WarpSettings) -> None:
        """Starts with the first frame, (1, C, H, W), and its disparity, (1, 1, H, W) or None."""
        self.track, self.settings = track, settings
        first = _Anchor(0, image, disparity)
        self.size = _size(image)
        self.first, self.latest = first, first
        # The frames of all anchors, and of those that are kept, every so many, their pictures.
        self.frames, self.kept, self.every = [0], {0: first}, 1
        self._room = max(_KEPT_BYTES // sum(part.nbytes for part in (image, disparity) if part is not None), 2)
        self._frame, self._disparity, self._grown = 0, disparity, 1.0

    def advance(self, target: int) -> tuple[Warped, Tensor | None]:
        """Goes on to the next diffused frame.

        Returns:
            How the picture before is moved: its holes and magnification, of no picture; and its disparity.
        """
        # What is moved does not matter here, only where it goes.
        blank = torch.zeros((1, 1, *self.size), device=self.first.image.device)
        plain = replace(self.settings, sampling="nearest")
        before = self._disparity
        step = warp(blank, self.track, self._frame, target, before, plain)
        self._grown *= percentiles(step.magnification[step.holes < 0.5])[1]
        if self.latest.disparity is None:
            new = warp(blank, self.track, self.latest.frame, target, None, plain).holes
        else:
            self._disparity, known = self._moved_disparity(self.latest.disparity, self.latest.frame, target)
            new = 1.0 - known
        if float(new.mean()) > _NEW or self._grown > _GROWN:
            self._anchor(_Anchor(target, self._moved(self.latest, target), self._disparity))
        self._frame = target
        return step, before

    def picture(self, frame: int) -> Tensor:
        """The simulated picture of any frame, (1, C, H, W)."""
        return self._moved(self._at(bisect_right(self.frames, frame) - 1), frame)

    def _anchor(self, anchor: _Anchor) -> None:
        self.latest, self._grown = anchor, 1.0
        if len(self.frames) % self.every == 0:
            self.kept[len(self.frames)] = anchor
        self.frames.append(anchor.frame)
        if len(self.kept) > self._room:
            self.every *= 2
            self.kept = {item: anchor for item, anchor in self.kept.items() if item % self.every == 0}

    def _at(self, item: int) -> _Anchor:
        """An anchor; one that was not kept is made again from the last before it that was."""
        if self.frames[item] == self.latest.frame:
            return self.latest
        start = item - item % self.every
        anchor = self.kept[start]
        if self.frames[start] < self.latest.frame < self.frames[item]:
            start, anchor = self.frames.index(self.latest.frame), self.latest
        for following in range(start + 1, item + 1):
            anchor = self._next(anchor, self.frames[following])
        self.latest = anchor
        return anchor

    def _next(self, anchor: _Anchor, frame: int) -> _Anchor:
        disparity = anchor.disparity
        if disparity is not None:
            disparity, _ = self._moved_disparity(disparity, anchor.frame, frame)
        return _Anchor(frame, self._moved(anchor, frame), disparity)

    def _moved(self, anchor: _Anchor, frame: int) -> Tensor:
        moved = warp(anchor.image, self.track, anchor.frame, frame, anchor.disparity, self.settings)
        return moved.image.clamp(0.0, 1.0)

    def _moved_disparity(self, disparity: Tensor, source: int, target: int) -> tuple[Tensor, Tensor]:
        return moved_disparity(disparity, self.track, source, target, self.settings)


class SimulatedFrames(Frames):
    """Every frame of the simulated animation; nothing is made before it is asked for."""

    def __init__(self, simulation: Simulation, num_frames: int, fps: float) -> None:
        """Takes a simulation that has been led through its frames."""
        self._simulation = simulation
        self.fps, self.size = float(fps), simulation.size
        self.num_frames = num_frames
        self.indices = tuple(range(self.num_frames))
        self.track, self.settings = simulation.track, simulation.settings

    def __getitem__(self, item: int) -> Tensor:
        picture = self._simulation.picture(self.position(item))
        return picture[0].movedim(0, -1).to("cpu", torch.float32).contiguous()


def percentiles(values: Tensor) -> tuple[float, float]:
    """Median and 95th percentile; 1 and 1 where there is nothing left to be magnified."""
    if not values.numel():
        return (1.0, 1.0)
    middle, high = np.percentile(values.cpu().double().numpy(), (50, 95), method="lower")
    return float(middle), float(high)


def reduced(image: Tensor, disparity: Tensor | None, size: int) -> tuple[Tensor, Tensor | None]:
    """The picture and its disparity with `size` pixels on the picture's longer side; nothing is made larger."""
    height, width = _size(image)
    share = min(size / max(height, width), 1.0)
    to = (max(round(height * share), 1), max(round(width * share), 1))
    small = image if to == (height, width) else functional.interpolate(image, to, mode="bilinear", antialias=True)
    if disparity is None:
        return small, None
    # Not smooth: between a near thing and the far behind it there is nothing half-way.
    return small, functional.interpolate(disparity.float(), to, mode="nearest-exact").clamp(0.0, 1.0)


def fitted(track: Track, image: Tensor, small: Tensor) -> Track:
    """The camera for pictures of the small one's size: in the plane, pixels are other ones."""
    if not isinstance(track, Track2D) or _size(image) == _size(small):
        return track
    y, x = (after / before for after, before in zip(_size(small), _size(image), strict=True))
    # Pixel indices count centres, so that 0 is half a pixel inside.
    shrink = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    deltas = None if track.deltas is None else _shrunk(track.deltas, shrink)
    return Track2D(_shrunk(track.matrices, shrink), _size(small), track.curves, deltas)


def _shrunk(matrices: np.ndarray, shrink: np.ndarray) -> np.ndarray:
    same = (matrices == np.eye(3)).all((1, 2), keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(same, np.eye(3), shrink @ matrices @ np.linalg.inv(shrink))


def _size(image: Tensor) -> tuple[int, int]:
    return int(image.shape[-2]), int(image.shape[-1])
