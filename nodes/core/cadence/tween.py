"""The frames between diffused ones, each sampled once from both of its neighbours."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from ..errors import FramedriftError
from ..video.frames import Frames
from ..warp import WarpSettings, warp
from .blend import dissolve, dissolve_keeping_contrast, shares

Blend = Literal["smooth", "linear", "nearest"]
BLENDS: tuple[str, ...] = get_args(Blend)


@dataclass(frozen=True)
class _Side:
    """What one neighbour shows at the tween's moment."""

    image: torch.Tensor
    holes: torch.Tensor


class TweenedFrames(Frames):
    """All frames of an animation, made when they are asked for from the ones that were diffused.

    A frame that the source has is handed on whole and unchanged. A tween at `f` between neighbours `a < f < b` is
    each of them moved to `f` by the composed pose, in one resampling, then mixed: `b` weighs `(f - a) / (b - a)`, and
    in the holes of one the other shows. Nothing is mixed across a cut. Without a track the pictures only dissolve;
    before the first and after the last frame of the source its one neighbour is moved on.

    Any order of access gives the same pictures. Only the two neighbours are held, so going through in order reads
    each frame of the source once, and memory does not depend on the length.
    """

    def __init__(self, source: Frames, blend: Blend = "smooth", device: torch.device | str = "cpu") -> None:
        """Fills the gaps of a sequence.

        Args:
            source: frames with or without gaps, a track and disparities.
            blend: "smooth" keeps the contrast of details that differ between the neighbours, "linear" is the plain
                dissolve, "nearest" shows the nearer neighbour (the earlier one of two equally near) without any.
            device: where tweens are computed; frames come back on the CPU.

        Raises:
            FramedriftError: the source is empty, the track is shorter than the animation, or there is no such blend.
        """
        if not len(source):
            raise FramedriftError("frames: there is no frame to make tweens from; the sequence is empty.")
        if blend not in BLENDS:
            raise FramedriftError(f"blend: there is no {blend!r}; choose one of {', '.join(BLENDS)}.")
        if source.track is not None and len(source.track) < source.num_frames:
            raise FramedriftError(
                f"frames: the camera's track holds {len(source.track)} frames, the animation {source.num_frames}."
            )
        self.fps = source.fps
        self.size = source.size
        self.num_frames = source.num_frames
        self.indices = tuple(range(source.num_frames))
        self.track = source.track
        self.settings = source.settings
        self.cuts = source.cuts
        self._source = source
        self._blend: Blend = blend
        self._device = torch.device(device)
        self._items = {frame: item for item, frame in enumerate(source.indices)}
        self._pictures: dict[int, torch.Tensor] = {}
        self._disparities: dict[int, torch.Tensor | None] = {}

    def __getitem__(self, item: int) -> torch.Tensor:
        frame = self.position(item)
        return self._picture(frame) if frame in self._items else self._tween(frame)

    def disparity(self, item: int) -> torch.Tensor | None:
        """The source's disparity of a diffused frame; None for a tween."""
        frame = self.position(item)
        return self._disparity(frame) if frame in self._items else None

    def _tween(self, frame: int) -> torch.Tensor:
        before, after = self._neighbours(frame)
        if before is None or after is None:
            image = self._side(after if before is None else before, frame).image  # pyright: ignore[reportArgumentType]
        else:
            image = self._mix(before, after, frame)
        return image[0].clamp(0, 1).permute(1, 2, 0).contiguous().to("cpu")

    def _neighbours(self, frame: int) -> tuple[int | None, int | None]:
        """The diffused frames before and after that may shape this one, at least one of them."""
        indices = self._source.indices
        place = bisect_left(indices, frame)
        before = indices[place - 1] if place > 0 else None
        after = indices[place] if place < len(indices) else None
        if before is not None and after is not None:
            if any(frame < cut <= after for cut in self.cuts):
                after = None
            elif any(before < cut <= frame for cut in self.cuts):
                before = None
        return before, after

    def _mix(self, before: int, after: int, frame: int) -> torch.Tensor:
        weight = (frame - before) / (after - before)
        if self._blend == "nearest":
            weight = float(weight > 0.5)
        a, b = self._side(before, frame), self._side(after, frame)
        share = shares(a.holes, b.holes, weight)
        mix = dissolve_keeping_contrast if self._blend == "smooth" else dissolve
        return mix(a.image, b.image, share)

    def _side(self, neighbour: int, frame: int) -> _Side:
        picture = self._picture(neighbour).to(self._device).permute(2, 0, 1)[None]
        if self.track is None or self.track.at_rest(neighbour, frame):
            return _Side(picture, torch.zeros_like(picture[:, :1]))
        disparity = self._disparity(neighbour)
        if disparity is not None:
            disparity = disparity.to(self._device)[None, None]
        warped = warp(picture, self.track, neighbour, frame, disparity, self.settings or WarpSettings())
        return _Side(warped.image, warped.holes)

    def _picture(self, frame: int) -> torch.Tensor:
        if frame not in self._pictures:
            _make_room(self._pictures)
            self._pictures[frame] = self._source[self._items[frame]]
        return _freshly_used(self._pictures, frame)

    def _disparity(self, frame: int) -> torch.Tensor | None:
        if frame not in self._disparities:
            _make_room(self._disparities)
            self._disparities[frame] = self._source.disparity(self._items[frame])
        return _freshly_used(self._disparities, frame)


def _make_room(held: dict) -> None:
    """Keeps one: two neighbours are what a tween needs."""
    while len(held) > 1:
        del held[next(iter(held))]


def _freshly_used(held: dict, frame: int):
    held[frame] = held.pop(frame)
    return held[frame]
