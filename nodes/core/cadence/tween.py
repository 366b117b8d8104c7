"""The frames between diffused ones, each sampled once from both of its neighbours."""

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch

from ..camera.pose import inverse_rigid
from ..camera.track import Track, Track2D, Track3D
from ..errors import FramedriftError
from ..video.frames import Frames
from ..warp import Warped, WarpSettings, warp
from ..warp.sample import sample
from ..warp.types import unmoved
from .blend import dissolve, dissolve_keeping_contrast, filled_alike, shares
from .flow import FLOWS, Flow, residual_flow

# Flow under this many pixels is none: rounding.
_STILL_PX = 1 / 32

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
    before the first and after the last frame of the source its one neighbour is moved on. Where the source loops, frame
    0 is the neighbour after the last one.

    With flow, what moves otherwise than the camera goes along: the earlier picture, moved to the later one's time, is
    compared with it, and both are shifted by their part of what is left, still in one resampling.

    Any order of access gives the same pictures. Only the two neighbours are held, so going through in order reads
    each frame of the source once, and memory does not depend on the length.
    """

    def __init__(
        self, source: Frames, blend: Blend = "smooth", device: torch.device | str = "cpu", flow: Flow = "none"
    ) -> None:
        """Fills the gaps of a sequence.

        Args:
            source: frames with or without gaps, a track and disparities.
            blend: "smooth" keeps the contrast of details that differ between the neighbours, "linear" is the plain
                dissolve, "nearest" shows the nearer neighbour (the earlier one of two equally near) without any.
            device: where tweens are computed; frames come back on the CPU.
            flow: "none", or how motion is found that is not the camera's: "dis", or "farneback", which is softer.

        Raises:
            FramedriftError: the source is empty, the track is shorter than the animation, or there is no such blend or
                flow.
        """
        if not len(source):
            raise FramedriftError("frames: there is no frame to make tweens from; the sequence is empty.")
        if blend not in BLENDS:
            raise FramedriftError(f"blend: there is no {blend!r}; choose one of {', '.join(BLENDS)}.")
        if flow not in FLOWS:
            raise FramedriftError(f"flow: there is no {flow!r}; choose one of {', '.join(FLOWS)}.")
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
        self._warping = _for_one_warp(source.settings or WarpSettings())
        self.cuts = source.cuts
        self._source = source
        self._blend: Blend = blend
        self._device = torch.device(device)
        self._items = {frame: item for item, frame in enumerate(source.indices)}
        self._track, self._neighbouring = source.track, source.indices
        self.loops = source.loops and source.indices[0] == 0
        if self.loops:
            # Frame 0 once more, behind the last.
            self._items[source.num_frames] = 0
            self._neighbouring = (*source.indices, source.num_frames)
            self._track = None if source.track is None else _and_on(source.track)
        self._flow: Flow = flow
        self._flows: dict[tuple[int, int], torch.Tensor] = {}
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
        indices = self._neighbouring
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
        shift = None
        if self._flow != "none":
            shift = self._shift(before, after, frame)
        a = self._side(before, frame, None if shift is None else -weight * shift)
        b = self._side(after, frame, None if shift is None else (1 - weight) * shift)
        if self._blend == "nearest":
            weight = float(weight > 0.5)
        mix = dissolve_keeping_contrast if self._blend == "smooth" else dissolve
        if after == self.num_frames:
            # What closes a loop is two pictures of different things: a hole's edge would show all the way.
            one, other = filled_alike(a.image, a.holes, b.image, b.holes)
            return mix(one, other, torch.full_like(a.holes, weight))
        return mix(a.image, b.image, shares(a.holes, b.holes, weight))

    def _side(self, neighbour: int, frame: int, shift: torch.Tensor | None = None) -> _Side:
        """The neighbour as the camera sees it at the frame, read elsewhere by `shift` (1, 2, H, W) pixels."""
        picture = self._core_picture(neighbour)
        if shift is None:
            warped = self._moved(picture, neighbour, frame)
            return _Side(warped.image, warped.holes)
        # Where each pixel came from goes along, and is moved by the flow: so the picture itself is sampled once.
        place, channels = _places(picture), picture.shape[1]
        warped = self._moved(torch.cat([picture, place], 1), neighbour, frame)
        image, origin = warped.image[:, :channels], warped.image[:, channels:]
        dx, dy = shift[:, 0], shift[:, 1]
        there = sample(origin, dx, dy, "bilinear", "replicate")
        height, width = picture.shape[-2:]
        x, y = (there[:, 0] - place[:, 0]) * width, (there[:, 1] - place[:, 1]) * height
        read = sample(picture, x, y, self._warping.sampling, "replicate") * there[:, 2:]
        moves = shift.abs().amax(1, keepdim=True) > _STILL_PX
        holes = sample(warped.holes, dx, dy, "nearest", "replicate")
        return _Side(torch.where(moves, read, image), torch.where(moves, holes, warped.holes))

    def _moved(self, picture: torch.Tensor, neighbour: int, frame: int, sampling: str | None = None) -> Warped:
        if self._track is None or self._track.at_rest(neighbour, frame):
            return unmoved(picture)
        disparity = self._disparity(neighbour)
        if disparity is not None:
            disparity = disparity.to(self._device)[None, None]
        settings = replace(self._warping, sampling=sampling) if sampling else self._warping
        return warp(picture, self._track, neighbour, frame, disparity, settings)

    def _shift(self, before: int, after: int, frame: int) -> torch.Tensor:
        """How far what the camera does not move goes on the whole way, as seen at the frame: (1, 2, H, W) pixels."""
        if (before, after) not in self._flows:
            start = self._moved(self._core_picture(before), before, after)
            end = self._core_picture(after)
            self._flows.clear()
            self._flows[before, after] = residual_flow(start.image, end, start.holes, self._flow)
        flow = self._flows[before, after]
        # Warps clip to 0..1: half is nothing.
        scale = 2 * max(float(flow.abs().max()), 1e-6)
        return (self._moved(flow / scale + 0.5, after, frame, "bilinear").image - 0.5) * scale

    def _core_picture(self, frame: int) -> torch.Tensor:
        return self._picture(frame).to(self._device).permute(2, 0, 1)[None]

    def _picture(self, frame: int) -> torch.Tensor:
        if frame not in self._pictures:
            _make_room(self._pictures)
            picture = self._source[self._items[frame]]
            if tuple(picture.shape[:2]) != tuple(self.size):
                raise FramedriftError(
                    f"frames: frame {frame} is {picture.shape[1]}x{picture.shape[0]}, the others are "
                    f"{self.size[1]}x{self.size[0]}; nothing can be made between them."
                )
            self._pictures[frame] = picture
        return _freshly_used(self._pictures, frame)

    def _disparity(self, frame: int) -> torch.Tensor | None:
        if frame not in self._disparities:
            _make_room(self._disparities)
            self._disparities[frame] = self._source.disparity(self._items[frame])
        return _freshly_used(self._disparities, frame)


def _for_one_warp(settings: WarpSettings) -> WarpSettings:
    """The settings of a run for pictures that are warped once, where the sharpest interpolation costs nothing.

    Bicubic is what a chain of warps bears; who asks for less gets it.
    """
    return replace(settings, sampling="spline") if settings.sampling == "bicubic" else settings


def _make_room(held: dict) -> None:
    """Keeps one: two neighbours are what a tween needs."""
    while len(held) > 1:
        del held[next(iter(held))]


def _freshly_used(held: dict, frame: int):
    held[frame] = held.pop(frame)
    return held[frame]


def _places(picture: torch.Tensor) -> torch.Tensor:
    """Where each pixel of a (1, C, H, W) picture is: x and y as shares of width and height, and 1: (1, 3, H, W)."""
    height, width = picture.shape[-2:]
    x = (torch.arange(width, device=picture.device) + 0.5) / width
    y = (torch.arange(height, device=picture.device) + 0.5) / height
    found = torch.ones(1, 3, height, width, device=picture.device)
    found[:, 0], found[:, 1] = x, y[:, None]
    return found


def _and_on(track: Track) -> Track:
    """The track with one frame more, at which frame 0 comes again.

    A camera that is on its way back to where it began is there; any other goes on as in its last frame, so that an
    endless flight is looped as one.
    """
    if isinstance(track, Track3D):
        last = track.views[-1]
        step = last @ inverse_rigid(track.views[-2]) if len(track) > 1 else np.eye(4)
        back = _is_near(step @ last, track.views)
        view = track.views[0] if back else step @ last
        fov = track.fov_deg[0] if back else track.fov_deg[-1]
        aspect = track.aspect[0] if back else track.aspect[-1]
        return Track3D(
            np.concatenate([track.views, view[None]]),
            np.append(track.fov_deg, fov),
            aspect=np.append(track.aspect, aspect),
        )
    if not isinstance(track, Track2D):
        raise FramedriftError(f"frames: a {type(track).__name__} is no camera track that can loop")
    deltas = track.motions()
    matrix = deltas[-1] @ track.matrices[-1]
    back = _is_near(matrix, track.matrices)
    delta = np.linalg.inv(track.matrices[-1]) if back else deltas[-1]
    matrices = np.concatenate([track.matrices, (track.matrices[0] if back else matrix)[None]])
    return Track2D(matrices, track.size, deltas=np.concatenate([deltas, delta[None]]))


def _is_near(end: np.ndarray, poses: np.ndarray) -> bool:
    """Whether a step more would end within about a step of where it all began."""
    step = np.abs(poses[-1] - poses[-2]).max() if len(poses) > 1 else 0.0
    return bool(np.abs(end - poses[0]).max() <= 1.5 * step + 1e-9)
