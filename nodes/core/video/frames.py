"""Frames as a lazy sequence: what flows between the nodes instead of one growing tensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from ..errors import FramedriftError

if TYPE_CHECKING:
    from ..camera import Track
    from ..warp import WarpSettings

DEFAULT_FPS = 15.0


class Frames(ABC):
    """A sequence of pictures that are read, or made, when they are asked for.

    Attributes:
        fps: frames per second of the finished animation.
        size: (h, w) of every picture.
        indices: the animation frame that each item is, ascending; a run at cadence 2 holds 0, 2, 4 ...
        num_frames: length of the finished animation, at least `len(frames)`.
        track: the camera's poses over `num_frames`, or None where there is no camera.
        settings: how the frames were warped, or None.
        cuts: animation frames at which nothing of the past was kept; no tween looks across one.
        loops: whether frame 0 comes again after the last: what lies between the last item and it is tweened as well.

    `frames[i]` takes the item's number (negative from the end, IndexError outside), not the animation frame, and
    gives a (H, W, C) float32 tensor on the CPU, 0..1, which the caller may keep but must not write into.
    """

    fps: float
    size: tuple[int, int]
    indices: tuple[int, ...]
    num_frames: int
    track: Track | None = None
    settings: WarpSettings | None = None
    cuts: frozenset[int] = frozenset()
    loops: bool = False

    def __len__(self) -> int:
        return len(self.indices)

    @abstractmethod
    def __getitem__(self, item: int) -> torch.Tensor:
        """The picture of one item, (H, W, C) float32, 0..1, CPU."""

    def __iter__(self) -> Iterator[torch.Tensor]:
        for item in range(len(self)):
            yield self[item]

    def disparity(self, item: int) -> torch.Tensor | None:
        """The disparity of one item, (H, W) float32, 0..1, larger is nearer; None where none is kept."""
        self.position(item)
        return None

    def position(self, item: int) -> int:
        """The item's number counted from 0; IndexError where there is no such item."""
        length = len(self)
        if not -length <= item < length:
            raise IndexError(f"there is no frame {item}: the sequence holds {length}")
        return item + length if item < 0 else item


class BatchFrames(Frames):
    """An IMAGE batch (B, H, W, C) seen as frames; nothing is copied until a frame is asked for."""

    def __init__(
        self,
        images: torch.Tensor,
        fps: float = DEFAULT_FPS,
        *,
        indices: Sequence[int] | None = None,
        num_frames: int | None = None,
        track: Track | None = None,
        settings: WarpSettings | None = None,
        cuts: frozenset[int] = frozenset(),
        disparities: torch.Tensor | None = None,
        loops: bool = False,
    ) -> None:
        """Wraps a batch.

        Args:
            images: (B, H, W, C), 0..1, any device and floating type.
            fps: frames per second, over 0.
            indices: the animation frame of each image, ascending; by default 0, 1, 2 ...
            num_frames: length of the finished animation; by default one past the last index.
            track: the camera's poses, where known.
            settings: how the frames were warped, where known.
            cuts: animation frames at which nothing of the past was kept.
            disparities: (B, H, W), 0..1, larger is nearer, where known.
            loops: whether the first picture comes again after the last frame.
        """
        if images.ndim != 4:
            raise FramedriftError(f"frames: an IMAGE batch has four axes (B, H, W, C), this has {tuple(images.shape)}")
        if not fps > 0:
            raise FramedriftError(f"fps: must be over 0, is {fps:g}")
        chosen = tuple(range(images.shape[0])) if indices is None else tuple(int(i) for i in indices)
        if len(chosen) != images.shape[0] or any(a >= b for a, b in pairwise(chosen)):
            raise FramedriftError(f"indices: need {images.shape[0]} ascending frame numbers, are {chosen}")
        if disparities is not None and disparities.shape[0] != images.shape[0]:
            raise FramedriftError(f"disparities: {disparities.shape[0]} for {images.shape[0]} images")
        self._images = images
        self._disparities = disparities
        self.fps = float(fps)
        self.size = (int(images.shape[1]), int(images.shape[2]))
        self.indices = chosen
        self.num_frames = num_frames if num_frames is not None else (chosen[-1] + 1 if chosen else 0)
        self.track = track
        self.settings = settings
        self.cuts = frozenset(cuts)
        self.loops = loops

    def __getitem__(self, item: int) -> torch.Tensor:
        return self._images[self.position(item)].to("cpu", torch.float32)

    def disparity(self, item: int) -> torch.Tensor | None:
        """The disparity given for the image, or None."""
        position = self.position(item)
        return None if self._disparities is None else self._disparities[position].to("cpu", torch.float32)


def as_frames(value: Any, fps: float = DEFAULT_FPS) -> Frames:
    """Takes what a frames input may carry.

    Args:
        value: Frames, as they are; an IMAGE batch (B, H, W, C), which plays at `fps`; or a VIDEO, which is
            decoded as it is read.
        fps: of an IMAGE batch.

    Raises:
        FramedriftError: it is something else, or a video that cannot be read.
    """
    if isinstance(value, Frames):
        return value
    if isinstance(value, torch.Tensor):
        return BatchFrames(value, fps)
    if hasattr(value, "get_stream_source"):
        from .decode import frames_of_video

        return frames_of_video(value)
    raise FramedriftError(f"frames: needs FRAMES, IMAGE or VIDEO, got {type(value).__name__}")


class Timeline:
    """Frames at the pace of their animation: an item is shown until the next one's time.

    The frames of a run at cadence 3 are 0, 3, 6 ...; played one after the other they would run three times too fast
    and out of step with sound. Iterating gives a (H, W, C) picture for every animation frame from the first item's to
    the last one's; each item is loaded once.
    """

    def __init__(self, frames: Frames) -> None:
        """Takes the frames; FramedriftError where there are none."""
        if not len(frames):
            raise FramedriftError("frames: there are none.")
        self._frames = frames
        self.fps = frames.fps
        self.size = frames.size

    def __len__(self) -> int:
        return self._frames.indices[-1] - self._frames.indices[0] + 1

    def __iter__(self) -> Iterator[torch.Tensor]:
        indices = self._frames.indices
        for item, (index, following) in enumerate(pairwise((*indices, indices[-1] + 1))):
            picture = self._frames[item]
            for _ in range(index, following):
                yield picture


def gather(
    frames: Frames,
    start: int = 0,
    count: int = 0,
    every_nth: int = 1,
    max_bytes: int | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> torch.Tensor:
    """Loads frames into one batch (B, H, W, 3), float32, 0..1.

    Args:
        frames: where they come from.
        start: the first item.
        count: how many at most; 0 for all.
        every_nth: one item of every so many.
        max_bytes: the largest batch that is made.
        on_frame: called with the number of frames loaded.

    Raises:
        FramedriftError: no frame is chosen (naming `start`), or the batch would be larger than `max_bytes`.
    """
    items = range(start, len(frames), every_nth)[: count or None]
    if not items:
        raise FramedriftError(f"start: is {start}, but there are {len(frames)} frames, counted from 0.")
    height, width = frames.size
    needed = len(items) * height * width * 3 * 4
    if max_bytes is not None and needed > max_bytes:
        raise FramedriftError(
            f"frames: {len(items)} images of {width}x{height} take {needed / 2**30:.2f} GiB, more than max_gib "
            f"({max_bytes / 2**30:.2f}). Take fewer with count or every_nth, or raise max_gib."
        )
    batch = torch.empty(len(items), height, width, 3)
    for number, item in enumerate(items):
        picture = frames[item]
        if tuple(picture.shape[:2]) != (height, width):
            raise FramedriftError(
                f"frames: frame {item} is {picture.shape[1]}x{picture.shape[0]}, the others are {width}x{height}."
            )
        batch[number] = picture[..., :3]
        if on_frame:
            on_frame(number + 1)
    return batch
