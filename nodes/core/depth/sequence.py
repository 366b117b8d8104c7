"""The depth of a clip, frame after frame on one scale, in memory that no length changes."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import FramedriftError
from ..run.files import ensure_space, readable_errors
from ..run.pictures import decode_png, encode_png, grey_words
from ..video.frames import Frames
from .align import DepthTracker
from .cuts import CutFinder
from .moved import moved_disparity

if TYPE_CHECKING:
    from ..camera import Track
    from ..warp import WarpSettings
    from .estimate import DepthModel

_BATCH = 4
_BYTES_PER_PIXEL = 2


def estimate_depths(
    model: DepthModel, frames: Frames, track: Track | None = None, settings: WarpSettings | None = None
) -> Iterator[Tensor]:
    """The disparity of each frame in turn, (1, 1, H, W) float32, 0..1, larger is nearer, all on one scale.

    Each frame is fitted to the one before: moved by the camera where there is one, and as it is where there is none.
    (Moving it by optical flow was tried, and is worse: flow carries a value along where the camera would have made it
    grow, so that the scale shrinks through every push in. The fit is robust enough for what moves in the picture.)
    On a cut the scale is set anew: at the frames' own cuts, and where there is no camera at those seen in the pictures.

    Args:
        model: what says how near every pixel is.
        frames: read once each, in their order.
        track: the camera over the animation that the frames are of; by default the frames' own.
        settings: how disparity stands for distance; by default the frames' own.

    Raises:
        FramedriftError: a frame of another size or with values that are no numbers, which is named; or what the model
            says.
    """
    track = frames.track if track is None else track
    settings = frames.settings if settings is None else settings
    tracker, finder = DepthTracker(model.calibrated), CutFinder() if track is None else None
    last: Tensor | None = None
    for start in range(0, len(frames), _BATCH):
        items = range(start, min(start + _BATCH, len(frames)))
        images = torch.cat([_checked(frames, item) for item in items])
        for item, image, raw in zip(items, images, _estimated(model, images, items), strict=True):
            cut = item > 0 and _declared_cut(frames, item)
            if finder is not None:
                cut = finder.is_cut(image[None]) or cut
            predicted, valid = (None, None) if cut else (last, None)
            if predicted is not None and track is not None and not model.calibrated:
                before, now = frames.indices[item - 1], frames.indices[item]
                predicted, valid = moved_disparity(predicted, track, before, now, settings)
            last = tracker.update(raw[None], predicted, valid).cpu()
            yield last


def store_depths(
    disparities: Iterator[Tensor], like: Frames, folder: Path, on_frame: Callable[[int], None] | None = None
) -> DepthFrames:
    """Writes each disparity as a 16-bit PNG as it comes, and gives them as frames.

    Args:
        disparities: (1, 1, H, W) each, one for every frame.
        like: the frames that they are of: rate, size, indices, camera and cuts are theirs.
        folder: where a folder for them is made; it goes when the frames are no longer used.
        on_frame: called with the number of frames done; what it raises stops the work and leaves no file.

    Raises:
        FramedriftError: the disk is too full, or cannot be written to.
    """
    ensure_space(folder, len(like) * like.size[0] * like.size[1] * _BYTES_PER_PIXEL // 4)
    with readable_errors("write depth", folder):
        folder.mkdir(parents=True, exist_ok=True)
        own = Path(tempfile.mkdtemp(prefix="framedrift_depth_", dir=folder))
    try:
        for number, disparity in enumerate(disparities):
            with readable_errors(f"write the depth of frame {number}", own):
                _place(own, number).write_bytes(encode_png(grey_words(disparity)))
            if on_frame:
                on_frame(number + 1)
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)
        raise
    return DepthFrames(own, like)


class DepthFrames(Frames):
    """Depth pictures in a folder of 16-bit PNGs, which goes with the last use of these frames."""

    def __init__(self, folder: Path, like: Frames) -> None:
        """Takes the folder over."""
        self.fps, self.size, self.indices, self.num_frames = like.fps, like.size, like.indices, like.num_frames
        self.track, self.settings, self.cuts = like.track, like.settings, like.cuts
        self._folder = folder
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def __getitem__(self, item: int) -> Tensor:
        return self.disparity(item)[..., None].expand(-1, -1, 3)

    def disparity(self, item: int) -> Tensor:
        """The disparity of one item, (H, W) float32, 0..1."""
        words = decode_png(_place(self._folder, self.position(item)))
        return torch.from_numpy(words.astype("float32")).div_(65535)


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.png"


def _declared_cut(frames: Frames, item: int) -> bool:
    before, now = frames.indices[item - 1], frames.indices[item]
    return any(before < cut <= now for cut in frames.cuts)


def _checked(frames: Frames, item: int) -> Tensor:
    picture = frames[item]
    height, width = frames.size
    if picture.ndim != 3 or tuple(picture.shape[:2]) != (height, width):
        raise FramedriftError(
            f"frame {item} is {picture.shape[1]}x{picture.shape[0]}, the others are {width}x{height}; a clip must keep "
            "its size."
        )
    core = picture[..., :3].movedim(-1, 0)[None].float()
    core = core.expand(-1, 3, -1, -1) if core.shape[1] == 1 else core
    if not bool(torch.isfinite(core).all()):
        raise FramedriftError(
            f"frame {item} holds values that are no numbers (NaN or infinite). A VAE in half precision often makes "
            "them: start ComfyUI with --fp32-vae."
        )
    return core.contiguous()


def _estimated(model: DepthModel, images: Tensor, items: range) -> Tensor:
    try:
        return model.disparity(images)
    except FramedriftError as error:
        named = f"frame {items[0]}" if len(items) == 1 else f"frames {items[0]} to {items[-1]}"
        raise FramedriftError(f"{named}: {error}") from error
