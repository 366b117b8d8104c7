"""Frames cut, turned round, retimed, resized and joined: lazily, a frame at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from ..cadence.tween import Blend, TweenedFrames
from ..camera.pose import exp_pose, inverse_rigid, log_pose
from ..camera.track import Track, Track2D, Track3D
from ..errors import FramedriftError
from .frames import Frames, as_frames

Fit = Literal["crop", "pad", "stretch"]
FITS: tuple[Fit, ...] = get_args(Fit)
Between = Literal["tween", "nearest"]
BETWEENS: tuple[Between, ...] = get_args(Between)

# Into how many steps the way from one frame to the next is divided at most, and all ways of a clip together.
_FINEST = 64
_MOST_STEPS = 400_000


class Picked(Frames):
    """Some frames of a sequence without gaps, in any order, at a rate of their own.

    Where the camera was at each of them is not known any more: they are pictures only.
    """

    def __init__(self, source: Frames, picks: Sequence[int], fps: float) -> None:
        """Takes the items `picks` of the source, one after the other."""
        self._source, self._picks = source, picks
        self.fps, self.size = float(fps), source.size
        self.indices, self.num_frames = tuple(range(len(picks))), len(picks)

    def __getitem__(self, item: int) -> torch.Tensor:
        return self._source[self._picks[self.position(item)]]

    def disparity(self, item: int) -> torch.Tensor | None:
        """The source's."""
        return self._source.disparity(self._picks[self.position(item)])


def gapless(frames: Frames) -> Frames:
    """The same animation with every frame: gaps are filled with tweens, as Cadence Blend does.

    Raises:
        FramedriftError: there are no frames.
    """
    if not len(frames):
        raise FramedriftError("frames: there are none.")
    return frames if len(frames) == frames.num_frames else TweenedFrames(frames)


def trimmed(frames: Frames, start: int = 0, end: int = -1, every_nth: int = 1) -> Frames:
    """The frames from `start` to `end`, both included, one of every so many.

    Args:
        frames: with or without gaps; counted are the frames of the finished animation.
        start: the first frame; negative counts from the end, -1 is the last.
        end: the last frame; counted likewise.
        every_nth: 1 or more. The frame rate falls with it, so that the pace stays.

    Raises:
        FramedriftError: no such frame, or the end lies before the start.
    """
    source = gapless(frames)
    length = len(source)
    first, last = (_place(length, name, frame) for name, frame in (("start", start), ("end", end)))
    if last < first:
        raise FramedriftError(f"end: frame {last} lies before start, which is {first}; of {length} frames.")
    if every_nth < 1:
        raise FramedriftError(f"every_nth is {every_nth}; it has to be 1 (every frame) or more.")
    return Picked(source, range(first, last + 1, every_nth), source.fps / every_nth)


def turned_round(frames: Frames) -> Frames:
    """The frames from the last to the first."""
    source = gapless(frames)
    return Picked(source, range(len(source) - 1, -1, -1), source.fps)


def ping_pong(frames: Frames) -> Frames:
    """Forth and back, as a loop: neither end is shown twice in a row, also where the loop begins again."""
    source = gapless(frames)
    there = list(range(len(source)))
    return Picked(source, there + there[-2:0:-1], source.fps)


def retimed(
    frames: Frames,
    speed: float = 1.0,
    fps: float = 0.0,
    between: Between = "tween",
    blend: Blend = "smooth",
) -> Frames:
    """The animation slower, faster, or at another rate.

    Frames that fall between two are sampled once from the pictures beside them, moved by the camera where there is
    one: of a run's frames from the diffused ones, which is the sharpest that they can be.

    Args:
        frames: with or without gaps.
        speed: above 0; 0.5 takes twice as long, 2 half as long.
        fps: frames per second of the result; 0 keeps the rate.
        between: "tween", or "nearest", which shows the nearest frame as it is.
        blend: see `TweenedFrames`.

    Raises:
        FramedriftError: there are no frames, or a number is out of range.
    """
    if not (math.isfinite(speed) and speed > 0):
        raise FramedriftError(f"speed is {speed:g}; it has to be above 0 (1 keeps the pace).")
    if not (math.isfinite(fps) and fps >= 0):
        raise FramedriftError(f"fps is {fps:g}; it has to be above 0, or 0 to keep the rate.")
    if between not in BETWEENS:
        raise FramedriftError(f"between: there is no {between!r}; choose one of {', '.join(BETWEENS)}.")
    rate = fps or frames.fps
    pace = Fraction(speed * frames.fps / rate).limit_denominator(100_000)
    last = frames.num_frames - 1
    length = 1 + int(last / pace)
    if between == "nearest" or pace.denominator == 1 or last < 1:
        picks = [min(int(number * pace + Fraction(1, 2)), last) for number in range(length)]
        return Picked(gapless(frames), picks, rate)
    steps = min(pace.denominator, _FINEST, max(_MOST_STEPS // last, 1))
    picks = [min(round(number * pace * steps), last * steps) for number in range(length)]
    return Picked(TweenedFrames(_Stretched(frames, steps, picks), blend), picks, rate)


class _Stretched(Frames):
    """The same pictures with `steps - 1` empty places more between neighbours, for tweens to fill."""

    def __init__(self, source: Frames, steps: int, wanted: Sequence[int]) -> None:
        if not len(source):
            raise FramedriftError("frames: there are none.")
        self._source = source
        self.fps, self.size, self.settings = source.fps * steps, source.size, source.settings
        self.indices = tuple(index * steps for index in source.indices)
        self.num_frames = (source.num_frames - 1) * steps + 1
        # In the middle of the way that nothing is mixed across.
        self.cuts = frozenset(cut * steps - steps // 2 for cut in source.cuts)
        if source.track is not None:
            self.track = _stretched_track(source.track, steps, source.num_frames, wanted)

    def __getitem__(self, item: int) -> torch.Tensor:
        return self._source[item]

    def disparity(self, item: int) -> torch.Tensor | None:
        """The source's."""
        return self._source.disparity(item)


def _stretched_track(track: Track, steps: int, num_frames: int, wanted: Sequence[int]) -> Track:
    """The camera at the frames and at the `wanted` places between them, where it moves evenly; elsewhere nothing."""
    length = (num_frames - 1) * steps + 1
    places = sorted({*range(0, length, steps), *wanted})
    if isinstance(track, Track3D):
        views, fov, aspect = np.zeros((length, 4, 4)), np.ones(length), np.ones(length)
        for place in places:
            frame, rest = divmod(place, steps)
            views[place], fov[place], aspect[place] = track.views[frame], track.fov_deg[frame], track.aspect[frame]
            if rest:
                share = rest / steps
                step = track.views[frame + 1] @ inverse_rigid(track.views[frame])
                if not np.array_equal(track.views[frame + 1], track.views[frame]):
                    views[place] = exp_pose(share * log_pose(step)) @ track.views[frame]
                fov[place] += share * (track.fov_deg[frame + 1] - track.fov_deg[frame])
                aspect[place] += share * (track.aspect[frame + 1] - track.aspect[frame])
        return Track3D(views, fov, aspect=aspect)
    if not isinstance(track, Track2D):
        raise FramedriftError(f"frames: a {type(track).__name__} is no camera track that can be retimed")
    matrices, deltas = np.zeros((length, 3, 3)), np.zeros((length, 3, 3))
    deltas[:] = np.eye(3)
    moved = track.motions()
    parts: list[tuple[int, np.ndarray]] = []
    for place in places:
        frame, rest = divmod(place, steps)
        part = np.eye(3)
        if rest:
            # From the frame before, evenly.
            part += rest / steps * (moved[frame + 1] - np.eye(3))
        matrices[place] = part @ track.matrices[frame]
        parts.append((place, part if rest else moved[frame]))
    within = np.eye(3)
    for place, part in parts:
        if place % steps:
            deltas[place] = part @ np.linalg.inv(within)
            within = part
        elif place:
            deltas[place] = part @ np.linalg.inv(within)
            within = np.eye(3)
    return Track2D(matrices, track.size, deltas=deltas)


class Changed(Frames):
    """Every picture put through a function when it is asked for; everything else stays as it was."""

    def __init__(
        self, source: Frames, change: Callable[[torch.Tensor], torch.Tensor], size: tuple[int, int] | None = None
    ) -> None:
        """Takes a function from (H, W, C) to (h, w, C), and the `size` (h, w) that it gives, where that is another.

        Pictures of another size lose the camera's poses, which are in pixels, and the disparities.
        """
        self._source, self._change, self._resized = source, change, size is not None and size != source.size
        self.fps, self.indices, self.num_frames = source.fps, source.indices, source.num_frames
        self.size, self.cuts = size or source.size, source.cuts
        if not self._resized:
            self.track, self.settings = source.track, source.settings

    def __getitem__(self, item: int) -> torch.Tensor:
        return self._change(self._source[item])

    def disparity(self, item: int) -> torch.Tensor | None:
        """The source's, if the size is still the same."""
        return super().disparity(item) if self._resized else self._source.disparity(item)


def resized(frames: Frames, size: tuple[int, int], fit: Fit = "crop") -> Frames:
    """The frames at another size (h, w).

    Args:
        frames: any.
        size: of the result.
        fit: "crop" fills it and cuts off what is over, "pad" shows everything, with black beside it, "stretch" does
            not keep the shape.

    Raises:
        FramedriftError: an unknown fit, or a size under 1.
    """
    if fit not in FITS:
        raise FramedriftError(f"fit: there is no {fit!r}; choose one of {', '.join(FITS)}.")
    if min(size) < 1:
        raise FramedriftError(f"size: {size[1]}x{size[0]} is no size.")
    return frames if tuple(size) == tuple(frames.size) else Changed(frames, lambda p: _fitted(p, size, fit), size)


def fitted(given: Any, fps: float, size: tuple[int, int]) -> Frames:
    """A clip as an animation shows it: every frame, at its rate, cropped to its size.

    Args:
        given: Frames, an IMAGE batch (B, H, W, C), taken to be at `fps`, or a VIDEO.
        fps: of the animation.
        size: (h, w) of the animation.

    Raises:
        FramedriftError: it is something else, cannot be read, or has no frames.
    """
    clip = as_frames(given, fps)
    if clip.fps != fps:
        clip = retimed(clip, fps=fps, between="nearest")
    return resized(gapless(clip), size)


def _fitted(picture: torch.Tensor, size: tuple[int, int], fit: Fit) -> torch.Tensor:
    height, width = picture.shape[:2]
    inner = size
    if fit != "stretch":
        ratios = size[0] / height, size[1] / width
        factor = max(ratios) if fit == "crop" else min(ratios)
        inner = max(1, round(height * factor)), max(1, round(width * factor))
    core = picture.permute(2, 0, 1)[None]
    core = F.interpolate(core, size=inner, mode="bicubic", align_corners=False, antialias=True).clamp_(0, 1)
    top, left = (inner[0] - size[0]) // 2, (inner[1] - size[1]) // 2
    if fit == "crop":
        core = core[..., top : top + size[0], left : left + size[1]]
    elif fit == "pad":
        core = F.pad(core, (-left, size[1] - inner[1] + left, -top, size[0] - inner[0] + top))
    return core[0].permute(1, 2, 0).contiguous()


def joined(
    clips: Sequence[Frames],
    crossfade: int = 0,
    fit: Fit = "crop",
    between: Between = "tween",
) -> Frames:
    """Clips one after the other, at the first one's size and rate.

    Args:
        clips: at least one, none of them empty. Those of another rate keep their pace, see `retimed`.
        crossfade: frames during which one goes over into the next; 0 cuts. The result is shorter by them.
        fit: how another size is brought to the first one's, see `resized`.
        between: how frames are made where a clip has another rate, see `retimed`.

    Raises:
        FramedriftError: a clip has no frames, or is too short for the crossfade; its number is named.
    """
    if crossfade < 0:
        raise FramedriftError(f"crossfade is {crossfade}; it has to be 0 (a cut) or more frames.")
    same: list[Frames] = []
    for number, clip in enumerate(clips, start=1):
        if not len(clip):
            raise FramedriftError(f"clip_{number}: it has no frames.")
        paced = clip if clip.fps == clips[0].fps else retimed(clip, fps=clips[0].fps, between=between)
        same.append(resized(gapless(paced), clips[0].size, fit))
    for number, clip in enumerate(same, start=1):
        inside = 1 < number < len(same)
        if crossfade and len(same) > 1 and len(clip) < crossfade * (1 + inside):
            raise FramedriftError(
                f"crossfade: {crossfade} frames are more than clip_{number} has room for: it has {len(clip)} frames"
                + (", and fades at both ends." if inside else ".")
            )
    return same[0] if len(same) == 1 else _Joined(same, crossfade)


class _Joined(Frames):
    def __init__(self, clips: Sequence[Frames], crossfade: int) -> None:
        self._clips, self._crossfade = clips, crossfade
        # Where each clip begins in the result.
        self._starts = [0]
        for clip in clips[:-1]:
            self._starts.append(self._starts[-1] + len(clip) - crossfade)
        self.fps, self.size = clips[0].fps, clips[0].size
        self.num_frames = self._starts[-1] + len(clips[-1])
        self.indices = tuple(range(self.num_frames))
        # Without a fade the next clip shows nothing of the one before.
        self.cuts = frozenset() if crossfade else frozenset(self._starts[1:])

    def __getitem__(self, item: int) -> torch.Tensor:
        frame = self.position(item)
        number = max(n for n, start in enumerate(self._starts) if start <= frame)
        picture = self._clips[number][frame - self._starts[number]][..., :3]
        inside = frame - self._starts[number]
        if number == 0 or inside >= self._crossfade:
            return picture
        before = self._clips[number - 1][frame - self._starts[number - 1]][..., :3]
        return torch.lerp(before, picture, (inside + 1) / (self._crossfade + 1))


def _place(length: int, name: str, frame: int) -> int:
    place = frame + length if frame < 0 else frame
    if not 0 <= place < length:
        raise FramedriftError(f"{name}: there is no frame {frame}; there are {length}, 0 to {length - 1}.")
    return place
