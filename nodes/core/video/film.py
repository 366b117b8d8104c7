"""Films: H.264, H.265, AV1, VP9 and ProRes in their containers, tagged as what they are, with sound."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FramedriftError
from .formats import DEFAULT, FORMATS, encoder_named, padded_size
from .job import Job
from .picture import Picture, padded
from .sound import open_sound

if TYPE_CHECKING:
    from av.container import OutputContainer

# use_metadata_tags keeps `prompt` and `workflow`; faststart lets a browser play before it has the whole file.
MOVFLAGS = {"movflags": "use_metadata_tags+faststart"}
# The code points of ITU-T H.273 for BT.709, the same number for primaries, transfer and matrix.
BT709 = 1
# What the page plays in place of a file that it cannot: no larger than this where FFmpeg reads the file itself.
PREVIEW_SIDE = 640
# The block in which a converter writes, in pixels.
BLOCK = 32
# How many frames libx265 waits for before one that comes out of order.
REORDERED = 2
PREVIEW_OPTIONS = {"preset": "veryfast"}

log = logging.getLogger("framedrift")


class Film:
    """A file that is written frame by frame, each with the sound that goes with it beside it."""

    def __init__(self, path: Path, job: Job) -> None:
        """Opens the file; nothing is in it before the first frame."""
        import av

        # Its own lines would go to the console beside ComfyUI's.
        os.environ.setdefault("SVT_LOG", "1")
        known = job.format
        options = MOVFLAGS if known.container in ("mp4", "mov") else {}
        self._job = job
        self._sound = None
        self._written = 0
        self._container: OutputContainer = av.open(str(path), "w", format=known.container, options=options)
        try:
            texts = job.metadata
            if known.container == "webm":
                texts = {key: without_braces(value) for key, value in texts.items()}
            self._container.metadata.update(texts)
            self._stream = self._open_stream()
            if known.sound:
                self._sound = open_sound(self._container, job.audio, known.sound, job.audio_offset)
        except BaseException:
            self.abandon()
            raise

    def _open_stream(self) -> Any:
        from av.video.reformatter import ColorRange

        job, known = self._job, self._job.format
        name = encoder_named(known.encoders)
        stream: Any = self._container.add_stream(name or known.encoders[0], rate=job.rate)
        stream.height, stream.width = self._shown = job.scaled or padded_size(known, job.size)
        self._threads = threads_for(self._shown[1])
        stream.pix_fmt = self._pixels = pixel_format(job)
        stream.options = encoder_options(job, name or "")
        context = stream.codec_context
        context.time_base = 1 / job.rate
        # 0: as many threads as the encoder thinks best, which is what the ffmpeg command does.
        context.thread_count = 0
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = ColorRange.MPEG
        if known.encoders == ("libx265",):
            context.codec_tag = "hvc1"  # what Apple's players look for
        self._open(context)
        return stream

    def _open(self, context: Any) -> None:
        from av.error import FFmpegError

        job = self._job
        try:
            context.open()
        except FFmpegError as error:
            raise FramedriftError(
                f"frames: {job.format.codec} cannot take {job.size[1]}x{job.size[0]} at {float(job.rate):g} frames a "
                f"second ({error.strerror}). Another size, or another format, will do."
            ) from error

    def write(self, picture: Picture) -> None:
        """Encodes a frame."""
        import av

        job = self._job
        if job.scaled is not None:
            levels, kind = picture.over_black(), "rgb24"
        else:
            levels = padded(picture.pixels(job.alpha, job.deep), self._shown)
            kind = ("rgba64le" if job.alpha else "rgb48le") if job.deep else ("rgba" if job.alpha else "rgb24")
            levels = for_swscale(levels) if job.deep else levels
        frame = av.VideoFrame.from_ndarray(levels, format=kind)
        frame = frame.reformat(
            width=self._shown[1],
            height=self._shown[0],
            format=self._pixels,
            src_color_range="JPEG",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
            **self._threads,
        )
        frame.pts, frame.time_base = picture.number, 1 / job.rate
        self._container.mux(self._stream.encode(frame))
        self._written += 1
        if self._sound:
            self._sound.write(self._container, (picture.number + 1) / job.rate)

    def finish(self) -> None:
        """Brings out what the encoders hold, and closes the file."""
        packets = self._stream.encode(None)
        if self._written <= REORDERED:
            # libx265 takes the times at which so few are decoded from memory that it never wrote. None is out of order.
            for packet in packets:
                packet.dts = packet.pts
        self._container.mux(packets)
        if self._sound:
            self._sound.finish(self._container)
            self._sound.close()
        self._container.close()

    def abandon(self) -> None:
        """Closes a file that is thrown away."""
        try:
            if self._sound:
                self._sound.close()
            self._container.close()
        except (OSError, ValueError) as error:
            log.debug("an unfinished video could not be closed: %s", error)


def threads_for(width: int) -> dict[str, int]:
    """One thread to convert a picture, where more would spoil it.

    Rows are written in blocks of up to 32 pixels: where a row ends within one, its end runs over the beginning of the
    next row, which another thread may have written already. Older versions of PyAV know one thread only.
    """
    from av.video.reformatter import VideoReformatter

    if width % BLOCK == 0 or "threads" not in (VideoReformatter.reformat.__doc__ or ""):
        return {}
    return {"threads": 1}


def for_swscale(levels: np.ndarray) -> np.ndarray:
    """16-bit levels as FFmpeg's converter takes them: its white is 255 * 256, and whole alpha 65535."""
    scaled = levels - (levels >> 8)
    if levels.shape[2] == 4:
        scaled[..., 3] = levels[..., 3]
    return scaled


def pixel_format(job: Job) -> str:
    """The pixels that the encoder is given."""
    if job.alpha:
        return job.format.clear
    return job.format.deep if job.deep else job.format.pixels


def encoder_options(job: Job, encoder: str) -> dict[str, str]:
    """The encoder's own options; the quality among them where it has one."""
    options = dict(job.format.options.get(encoder, {})) | dict(job.options)
    if job.format.quality:
        options["crf"] = f"{job.format.quality(job.crf):g}"
    return options


def without_braces(text: str) -> str:
    """JSON that says the same without braces inside its strings: the page counts them to find the end in a WebM."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', lambda found: found[0].replace("{", r"\u007b").replace("}", r"\u007d"), text)


def preview_job(job: Job) -> Job:
    """An H.264 of the same frames: small where it is only for the page, whole where it also stands in for the file."""
    known = FORMATS[DEFAULT]
    height, width = padded_size(known, (max(2, job.size[0]), max(2, job.size[1])))
    scale = min(1, (PREVIEW_SIDE if job.format.reads else known.largest) / max(height, width))
    shown = tuple(max(2, round(length * scale / 2) * 2) for length in (height, width))
    return Job(
        known,
        job.rate,
        job.size,
        crf=23 if job.format.reads else job.crf,
        audio=job.audio if job.format.sound else None,
        audio_offset=job.audio_offset,
        scaled=(shown[0], shown[1]),
        options=PREVIEW_OPTIONS,
    )
