"""Frames to an H.264 file: streamed, tagged, and under its final name only when whole."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import FramedriftError
from ..run.files import beside, readable_errors
from .sound import Sound, open_sound

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

# use_metadata_tags keeps `prompt` and `workflow`; faststart lets a browser play before it has the whole file.
MP4_OPTIONS = {"movflags": "use_metadata_tags+faststart"}
# The code points of ITU-T H.273 for BT.709, the same number for primaries, transfer and matrix.
BT709 = 1

log = logging.getLogger("framedrift")


def encode_h264(
    frames: Iterable[torch.Tensor],
    path: Path,
    fps: float | Fraction,
    size: tuple[int, int],
    crf: float = 19,
    audio: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Writes frames to an MP4: H.264, yuv420p, BT.709 in limited range, with the moov atom in front.

    Memory does not depend on the length. H.264 with 4:2:0 needs even sizes: an odd height or width is made even by
    repeating the last row or column, and the log says so.

    Args:
        frames: (H, W, C) pictures, 0..1, any device; alpha is dropped, one channel is taken for grey.
        path: where the file goes; its folder exists. What lies there is replaced in one step, at the end.
        fps: frames per second; 23.976, 29.97 and their like become n * 1000/1001.
        size: (h, w) of every frame.
        crf: x264's quality, 0 (lossless, which browsers don't play) to 51; 19 looks as the frames do.
        audio: `waveform` (B, C, T), -1..1, of which the first of the batch is used, and `sample_rate`; cut at the
            video's end, and silent where it is shorter.
        metadata: tags of the file, `prompt` and `workflow` as JSON.
        on_frame: called with the number of frames done; what it raises stops the encoding and leaves no file.

    Raises:
        FramedriftError: no frames, a frame of another size or with NaN or infinity (its number is named), a rate or
            quality out of range, unusable audio, no H.264 encoder in this build of FFmpeg, or a full disk.
    """
    import av

    if not 0 <= crf <= 51:
        raise FramedriftError(f"crf: must be from 0 (best) to 51 (worst), is {crf:g}.")
    if min(size) < 2:
        raise FramedriftError(f"frames: {size[1]}x{size[0]} is too small for a video; 2x2 is the least.")
    rate = frame_rate(fps)
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise FramedriftError("frames: there are none, so there is no video to write.")
    with readable_errors(f"write the video {path.name}", path.parent), beside(path) as temporary:
        container = av.open(str(temporary), "w", format="mp4", options=MP4_OPTIONS)
        try:
            container.metadata.update(metadata or {})
            stream = open_video(container, rate, size, crf)
            sound = open_sound(container, audio)
            write_frames(container, stream, sound, first, pictures, size, on_frame)
        except BaseException:
            abandon(container)
            raise
        container.close()
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())


def frame_rate(fps: float | Fraction) -> Fraction:
    """A rate as an exact fraction: 15 is 15, 23.976 and 23.98 are 24000/1001, 12.5 is 25/2.

    Raises:
        FramedriftError: it is not above 0, or above 1000.
    """
    if not 0 < fps <= 1000:
        raise FramedriftError(f"frame_rate: must be above 0 and at most 1000, is {float(fps):g}.")
    if isinstance(fps, Fraction):
        return fps
    ntsc = Fraction(round(fps) * 1000, 1001)
    if fps > 10 and fps != round(fps) and abs(fps - ntsc) < 0.005:
        return ntsc
    return Fraction(fps).limit_denominator(1001)


def open_video(container: OutputContainer, rate: Fraction, size: tuple[int, int], crf: float) -> VideoStream:
    """Adds the video stream."""
    from av.codec.codec import UnknownCodecError
    from av.video.reformatter import ColorRange

    try:
        stream = container.add_stream("libx264", rate=rate)
    except UnknownCodecError as error:
        raise FramedriftError(
            "This build of FFmpeg has no H.264 encoder (libx264); `pip install --force-reinstall av` brings one."
        ) from error
    height, width = even(size)
    if (height, width) != size:
        log.info("H.264 needs even sizes: %dx%d is padded to %dx%d", size[1], size[0], width, height)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {"crf": f"{crf:g}"}
    context = stream.codec_context
    context.time_base = 1 / rate
    # 0: as many threads as x264 thinks best, which is what the ffmpeg command does.
    context.thread_count = 0
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = ColorRange.MPEG
    return stream


def write_frames(
    container: OutputContainer,
    stream: VideoStream,
    sound: Sound | None,
    first: torch.Tensor,
    rest: Iterable[torch.Tensor],
    size: tuple[int, int],
    on_frame: Callable[[int], None] | None,
) -> None:
    """Encodes the pictures, and after each the sound that goes with it, so that both lie side by side in the file."""
    import av

    rate = Fraction(stream.codec_context.framerate)
    for number, picture in enumerate(chained(first, rest)):
        frame = av.VideoFrame.from_ndarray(padded(to_bytes(picture, size, number)), format="rgb24")
        frame = frame.reformat(
            format="yuv420p",
            src_color_range="JPEG",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
        )
        frame.pts, frame.time_base = number, 1 / rate
        container.mux(stream.encode(frame))
        if sound:
            sound.write(container, (number + 1) / rate)
        if on_frame:
            on_frame(number + 1)
    container.mux(stream.encode(None))
    if sound:
        sound.finish(container)


def chained(first: torch.Tensor, rest: Iterable[torch.Tensor]) -> Iterable[torch.Tensor]:
    """The first and then the rest, without holding on to the first."""
    yield first
    del first
    yield from rest


def to_bytes(picture: torch.Tensor, size: tuple[int, int], number: int) -> np.ndarray:
    """One (H, W, C) picture, 0..1, as (H, W, 3) uint8, rounded."""
    if picture.ndim != 3 or tuple(picture.shape[:2]) != tuple(size):
        is_size = "x".join(str(length) for length in (picture.shape[1], picture.shape[0])) if picture.ndim == 3 else "?"
        raise FramedriftError(f"frames: frame {number} is {is_size}, but the video is {size[1]}x{size[0]}.")
    levels = picture[..., :3].detach().to("cpu", torch.float32).numpy() * np.float32(255)
    # Two quick passes find NaN, infinity and whether there is anything to clip.
    low, high = levels.min(), levels.max()
    if not np.isfinite(low) or not np.isfinite(high):
        raise FramedriftError(
            f"frames: frame {number} holds values that are no numbers (NaN or infinity). A VAE in half precision often "
            "makes them."
        )
    np.rint(levels, out=levels)
    if low < 0 or high > 255:
        np.clip(levels, 0, 255, out=levels)
    pixels = levels.astype(np.uint8)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def even(size: tuple[int, int]) -> tuple[int, int]:
    """The least even size that holds it."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def padded(pixels: np.ndarray) -> np.ndarray:
    """Repeats the last row or column where there is an odd number of them."""
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(pixels)


def abandon(container: OutputContainer) -> None:
    """Closes a file that is thrown away."""
    try:
        container.close()
    except (OSError, ValueError) as error:
        log.debug("an unfinished video could not be closed: %s", error)
