"""A video file as frames: decoded when they are asked for, at a constant rate, in memory that no length changes."""

from __future__ import annotations

import io
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import FramedriftError
from .encode import frame_rate
from .film import threads_for
from .frames import BatchFrames, Frames
from .packets import PacketIndex, read_index

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

log = logging.getLogger("framedrift")

# Frame threads each hold pictures; more than a few only cost memory.
_THREADS = 4
# So many frames are sooner decoded than jumped over.
_WORTH_A_JUMP = 12
# ITU-T H.273 for "unspecified".
_UNSPECIFIED = 2
_HD = 720
# swscale's BICUBIC, FULL_CHR_H_INT and ACCURATE_RND as a number, since older PyAV has no names for the latter two.
# (Bilinear is broken for 16 bits at widths that are no multiple of 16, in FFmpeg 8.)
_EXACT = 4 | 0x2000 | 0x40000


class VideoFrames(Frames):
    """A video seen as frames.

    Read one after the other, each frame is decoded once. Any other is found from the key frame before it, and is the
    very same. What plays at a changing rate is resampled to a constant one: a frame is shown until the next one's
    time. A file that is cut short counts up to there; what cannot be decoded within it shows the last whole frame
    before, as a player does, and the log says so. Colours come as the file's matrix and range say (BT.709 for HD and
    BT.601 below where it says nothing); high dynamic range is not converted. A phone's rotation is undone.

    Attributes:
        rate: `fps` as an exact fraction.
        path: of the file; None where it lies in memory.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | io.BytesIO,
        *,
        fps: float = 0.0,
        start_s: float = 0.0,
        duration_s: float = 0.0,
    ) -> None:
        """Opens a video and reads which frames it holds.

        Args:
            source: a file's path, or its bytes.
            fps: the rate that it is resampled to; 0 is its own.
            start_s: seconds from the first frame to begin at.
            duration_s: seconds to take at most; 0 is all.

        Raises:
            FramedriftError: no such file, no video, nothing in it that can be decoded, or nothing from `start_s` on.
        """
        self.path = None if isinstance(source, io.BytesIO) else Path(source)
        self.name = self.path.name if self.path else "the video"
        # The bytes are shared, not copied; the position in them is this reader's own.
        self._source = source.getvalue() if isinstance(source, io.BytesIO) else str(source)
        self._lock = threading.Lock()
        with _opened(self._source, self.name) as container:
            self._index = read_index(container, picture_stream(container, self.name), self.name)
        index = self._index
        first, last = index.trimmed(start_s, duration_s)
        if first >= last:
            length = float((index.times[-1] - index.times[0]) * index.time_base + 1 / index.rate)
            raise FramedriftError(
                f"start: {start_s:g} s for {duration_s:g} s holds no frame of {self.name}, which is {length:g} s long."
            )
        self.rate = frame_rate(fps) if fps else index.rate
        self._shown = index.paced(first, last, self.rate)
        self._decoder = _Decoder(self._source, index, self.name)
        self._last: tuple[int, torch.Tensor] | None = None
        picture = self._picture(int(self._shown[0]))
        self.fps = float(self.rate)
        self.size = (int(picture.shape[0]), int(picture.shape[1]))
        self.indices = tuple(range(len(self._shown)))
        self.num_frames = len(self._shown)

    def __getitem__(self, item: int) -> torch.Tensor:
        position = self.position(item)
        picture = self._picture(int(self._shown[position]))
        if tuple(picture.shape[:2]) != self.size:
            raise FramedriftError(
                f"video: frame {position} of {self.name} is {picture.shape[1]}x{picture.shape[0]}, the ones before "
                f"{self.size[1]}x{self.size[0]}; a video must keep its size."
            )
        return picture

    def close(self) -> None:
        """Closes the file; it is opened again when a frame is asked for."""
        with self._lock:
            self._decoder.close()

    def _picture(self, number: int) -> torch.Tensor:
        with self._lock:
            if self._last is None or self._last[0] != number:
                self._last = number, _pixels(self._decoder.at(int(self._index.times[number])))
            return self._last[1]


def frames_of_video(video: Any) -> Frames:
    """The frames of a VIDEO of ComfyUI, or of anything with its `get_stream_source`.

    One that was made of pictures is taken as them: it would have to be encoded first to be read as a file.

    Raises:
        FramedriftError: what VideoFrames says.
    """
    if _made_of_pictures(type(video)):
        parts = video.get_components()
        return BatchFrames(parts.images, float(parts.frame_rate))
    window = video.get_active_trim_window() if hasattr(video, "get_active_trim_window") else (0.0, 0.0)
    return VideoFrames(video.get_stream_source(), start_s=float(window[0]), duration_s=float(window[1]))


def _made_of_pictures(kind: type) -> bool:
    # The base class, whose get_components is abstract, encodes to give a source; whoever has a file overrides that.
    owner = next((base for base in kind.__mro__ if "get_stream_source" in vars(base)), kind)
    return getattr(vars(owner).get("get_components"), "__isabstractmethod__", False)


def picture_stream(container: InputContainer, name: str) -> VideoStream:
    """The first video stream that is no cover picture.

    Raises:
        FramedriftError: there is none, or no decoder for it.
    """
    from av.stream import Disposition

    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise FramedriftError(f"video: {name} has no pictures in it, only other streams.")
    if streams[0].codec_context is None:
        raise FramedriftError(f"video: this build of FFmpeg has no decoder for {name}; convert it to H.264.")
    return streams[0]


def _opened(source: str | bytes, name: str) -> InputContainer:
    import av
    from av.error import FFmpegError

    try:
        return av.open(io.BytesIO(source) if isinstance(source, bytes) else source, mode="r")
    except FileNotFoundError:
        raise FramedriftError(f"video: there is no file {source}.") from None
    except (FFmpegError, OSError) as error:
        raise FramedriftError(
            f"video: {name} cannot be read as a video ({error.strerror}); it may be damaged, cut short, or something "
            "else."
        ) from error


class _Decoder:
    """Decoded frames by their times: goes on from where it stands, or jumps to the key frame before."""

    def __init__(self, source: str | bytes, index: PacketIndex, name: str) -> None:
        self._source, self._index, self._name = source, index, name
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._frames: Iterator[VideoFrame] = iter(())
        self._last: VideoFrame | None = None
        self._following: VideoFrame | None = None
        self._complained = False

    def at(self, time: int) -> VideoFrame:
        """The frame that is shown at a time of the index."""
        if self._container is None or self._last is None or time < (self._last.pts or 0) or self._is_far(time):
            self._jump(time, 0)
        back = 0
        while not self._decode_to(time):
            # The jump landed behind it, as some containers' do.
            back += 1
            if not self._jump(time, back):
                break
        frame = self._last or self._following
        if frame is None:
            raise FramedriftError(f"video: nothing in {self._name} can be decoded; it is damaged.")
        if frame.pts != time:
            self._complain("what cannot be decoded shows the frame before")
        return frame

    def close(self) -> None:
        """Closes the file."""
        if self._container is not None:
            self._container.close()
        self._container = self._stream = self._last = self._following = None
        self._frames = iter(())

    def _is_far(self, time: int) -> bool:
        """Whether a key frame between here and there is worth a jump."""
        reached = self._last.pts if self._last is not None else None
        key = self._key(time, 0)
        if reached is None or key is None or key <= reached:
            return False
        here, there = np.searchsorted(self._index.times, [reached, key])
        return bool(there - here > _WORTH_A_JUMP)

    def _key(self, time: int, back: int) -> int | None:
        number = int(np.searchsorted(self._index.keys, time, side="right")) - 1 - back
        return int(self._index.keys[number]) if number > 0 else None

    def _jump(self, time: int, back: int) -> bool:
        """Goes to the key frame before a time, or to one further back; False where that has been tried already."""
        from av.error import FFmpegError

        key = self._key(time, back)
        if key is None and back and self._key(time, back - 1) is None:
            return False
        if self._container is not None and self._stream is not None and key is not None:
            try:
                self._container.seek(key, stream=self._stream)
            except FFmpegError as error:
                log.debug("%s cannot be searched (%s): read from its start", self._name, error)
                key = None
        if self._container is None or self._stream is None or key is None:
            self.close()
            self._container = _opened(self._source, self._name)
            self._stream = picture_stream(self._container, self._name)
            self._stream.thread_type = "AUTO"
            self._stream.codec_context.thread_count = min(_THREADS, os.cpu_count() or 1)
            if key is not None:
                self._container.seek(key, stream=self._stream)
        self._last = self._following = None
        self._frames = self._decoded(self._container, self._stream, key)
        return True

    def _decode_to(self, time: int) -> bool:
        """Decodes up to the frame that is shown at a time; False where decoding began behind it."""
        while self._last is None or self._last.pts != time:
            if self._following is None:
                self._following = next(self._frames, None)
            if self._following is None or (self._following.pts or 0) > time:
                return self._last is not None
            self._last, self._following = self._following, None
        return True

    def _decoded(self, container: InputContainer, stream: VideoStream, since: int | None) -> Iterator[VideoFrame]:
        from av.error import FFmpegError, InvalidDataError
        from av.video.frame import VideoFrame

        count = 0
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except InvalidDataError as error:
                    self._complain(str(error))
                    continue
                for frame in frames:
                    if not isinstance(frame, VideoFrame):
                        continue
                    if self._index.counted:
                        frame.pts = count
                        count += 1
                    # What comes before the key frame that was jumped to lacks what it was made from.
                    if frame.pts is not None and (since is None or frame.pts >= since):
                        yield frame
        except FFmpegError as error:
            self._complain(str(error))

    def _complain(self, what: str) -> None:
        if not self._complained:
            log.warning("%s is damaged: %s", self._name, what)
            self._complained = True


def _pixels(frame: VideoFrame) -> torch.Tensor:
    """(H, W, 3) float32, 0..1, turned as it is to be seen."""
    deep = max((part.bits for part in frame.format.components), default=8) > 8
    matrix = None
    if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
        matrix = "ITU709" if min(frame.height, frame.width) >= _HD else "ITU601"
    shown = frame.reformat(
        format="rgb48le" if deep else "rgb24",
        src_colorspace=matrix,
        dst_color_range="JPEG",
        interpolation=_EXACT,
        **threads_for(frame.width),
    )
    levels = np.rot90(shown.to_ndarray(), k=round(frame.rotation / 90))
    return torch.from_numpy(levels.astype(np.float32)).div_(65535 if deep else 255)
