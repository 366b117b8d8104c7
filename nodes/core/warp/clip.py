"""One picture and a camera become a clip."""

import logging
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ..camera.track import Track, check_frames
from ..errors import FramedriftError
from ..video.frames import DEFAULT_FPS, Frames
from .move import fit_disparity, move
from .types import Warped, WarpSettings

_log = logging.getLogger(__name__)


class WarpedFrames(Frames):
    """What a camera sees of one picture, frame after frame: 2.5D parallax, made when it is asked for.

    Every frame is the picture moved once, by the pose composed from `source` to that frame; so nothing is resampled
    twice, any order of access gives the same pictures, and memory does not grow with the length. The frame `source` is
    the picture itself, pixel by pixel. Holes come filled from the background side.
    """

    def __init__(
        self,
        image: Tensor,
        track: Track,
        source: int = 0,
        frames: Sequence[int] | None = None,
        disparity: Tensor | None = None,
        settings: WarpSettings | None = None,
        fps: float = DEFAULT_FPS,
    ) -> None:
        """Takes the picture and the frames to make of it.

        Args:
            image: (1, C, H, W), 0..1, on the device where frames are to be computed; it is kept, not copied.
            track: the camera; a `Track2D` for pictures of this size, or a `Track3D`.
            source: frame of the animation that the image shows.
            frames: which frames of the animation the items are, ascending; all of the track's by default.
            disparity: (1, 1, h, w) in 0..1, larger is nearer; resized to the image. None is a plane at `near`.
            settings: how to warp; the defaults if None.
            fps: frames per second, over 0.

        Raises:
            FramedriftError: more than one picture, frames that are none, outside the track or out of order, or a
                disparity of another layout.
        """
        if image.ndim != 4 or len(image) != 1:
            raise FramedriftError(f"image: a clip is made of one picture (1, C, H, W), this is {tuple(image.shape)}")
        if not fps > 0:
            raise FramedriftError(f"fps: must be over 0, is {fps:g}")
        indices = tuple(range(len(track)) if frames is None else frames)
        if not indices:
            raise FramedriftError("frames: there is none to make; name at least one frame of the animation")
        check_frames(len(track), source, *indices)
        unordered = next((b for a, b in pairwise(indices) if a >= b), None)
        if unordered is not None:
            raise FramedriftError(f"frames: {unordered} follows a frame that is not before it; they must ascend")
        self.fps = float(fps)
        self.size = (int(image.shape[-2]), int(image.shape[-1]))
        self.indices = indices
        self.num_frames = len(track)
        self.track = track
        self.settings = self._settings = settings or WarpSettings()
        self.source = source
        self._track = track
        self._told: set[str] = set()
        self._image = image
        self._disparity = None
        if disparity is not None:
            if len(disparity) != 1:
                raise FramedriftError(f"disparity: there are {len(disparity)} for one picture")
            self._disparity = fit_disparity(disparity.to(image.device), self.size)

    def warped(self, item: int) -> Warped:
        """One item with its holes and its magnification, (1, C, H, W) and (1, 1, H, W), on the image's device.

        The caller must not write into it: at rest it is the picture itself.
        """
        frame = self.indices[self.position(item)]
        warped, doubt = move(self._image, self._track, self.source, frame, self._disparity, self._settings)
        if doubt and doubt not in self._told:
            self._told.add(doubt)
            _log.warning("Frame %d, made of frame %d: %s. Other frames may be like it.", frame, self.source, doubt)
        return warped

    def __getitem__(self, item: int) -> Tensor:
        return self.warped(item).image[0].movedim(0, -1).to("cpu", torch.float32).contiguous()

    def disparity(self, item: int) -> Tensor | None:
        """The picture's disparity at its own frame, (H, W), 0..1; None elsewhere."""
        at_source = self.indices[self.position(item)] == self.source
        return self._disparity[0, 0].to("cpu") if at_source and self._disparity is not None else None
