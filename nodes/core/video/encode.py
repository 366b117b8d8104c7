"""Frames to a file: streamed, tagged, and under its final name only when whole."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from ..errors import FramedriftError
from ..run.files import beside, readable_errors, write_atomic
from .animated import Apng, Sequence, WebP, png_bytes
from .film import Film, preview_job
from .formats import DEFAULT, Format, check_size, check_writable, format_of, padded_size
from .gif import LEAST_TICKS, TICKS, Gif
from .job import Dither, Job, Writer
from .leftovers import beside_folder, sweep_dead
from .picture import Picture
from .sound import SoundFile
from .spool import Spool

log = logging.getLogger("framedrift")


def encode(
    frames: Iterable[torch.Tensor],
    path: Path,
    fps: float | Fraction,
    size: tuple[int, int],
    *,
    format: str | Format = DEFAULT,  # noqa: A002 - the node's own word
    crf: float = 19,
    deep: bool = False,
    loop_count: int = 0,
    ping_pong: bool = False,
    dither: Dither = "diffusion",
    audio: Mapping[str, Any] | SoundFile | None = None,
    audio_offset: float = 0.0,
    metadata: Mapping[str, str] | None = None,
    preview: Path | None = None,
    first_frame: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> tuple[str, ...]:
    """Writes frames to one file, or for a PNG sequence to one folder.

    Each frame is asked for once, and memory does not depend on how many there are: what must be seen twice (a GIF's
    frames, and those of a ping-pong) waits on disk. Colours are BT.709 in limited range, and tagged so, wherever they
    are not RGB. Alpha is kept where the first frame and the format have it. A size that the codec cannot take is
    padded by repeating the last row or column.

    Args:
        frames: (H, W, C) pictures, 0..1, any device; C is 1 (grey), 3, or 4 with straight alpha.
        path: where the file goes, or the folder of a sequence; the folder around it exists. A file that lies there
            is replaced in one step, at the end; a folder is not.
        fps: frames per second; 23.976, 29.97 and their like become n * 1000/1001.
        size: (h, w) of every frame.
        format: a name of `FORMATS`.
        crf: quality on x264's scale, 0 (the best) to 51.
        deep: 10 bits, where the format has them.
        loop_count: how often a GIF, WebP or APNG plays; 0 for ever.
        ping_pong: forth and back again, with neither end twice.
        dither: a GIF's.
        audio: sound: AUDIO or a file; cut at the video's end, and silent before it begins and after it ends.
        audio_offset: seconds into the video at which it begins; below 0 so much of it is left out.
        metadata: texts for the file, `prompt` and `workflow` as JSON.
        preview: where an H.264 of the same frames goes, for a page that cannot play the file.
        first_frame: where a PNG of the first frame goes, with the same texts.
        on_frame: called with the number of frames done, `frame_steps` of them in all; what it raises stops the
            encoding and leaves no file.

    Returns:
        What is not as it was asked for, a sentence each; the log has them too.

    Raises:
        FramedriftError: no frames, a frame of another size or with NaN or infinity (its number is named), a rate,
            quality or size out of range, unusable audio, an encoder that this build of FFmpeg lacks (with those it
            has), or a full disk.
    """
    known = format_of(format)
    if not 0 <= crf <= 51:
        raise FramedriftError(f"crf: must be from 0 (best) to 51 (worst), is {crf:g}.")
    check_writable(known)
    check_size(known, size)
    rate = frame_rate(fps)
    pictures = (Picture(source, size, number) for number, source in enumerate(frames))
    first = next(pictures, None)
    if first is None:
        raise FramedriftError("frames: there are none, so there is no video to write.")
    job = Job(known, rate, size, crf, dither=dither, loop_count=loop_count, metadata=dict(metadata or {}),
              alpha=first.has_alpha and known.keeps_alpha, deep=(deep and bool(known.deep)) or is_deep(known),
              audio=audio, audio_offset=audio_offset)  # fmt: skip
    notes = tuple(said(job, first.has_alpha, deep, ping_pong))
    for note in notes:
        log.warning(note)
    sweep_dead(path.parent)
    progress = Progress(on_frame)
    with readable_errors(f"write the video {path.name}", path.parent), ExitStack() as files:
        place = beside_folder if known.kind == "sequence" else beside
        # The preview is renamed first, and the first frame written last: neither is there without the file.
        temporary = files.enter_context(place(path))
        shown = files.enter_context(beside(preview)) if preview else None
        with Writers() as writers:
            writers.add(lambda: open_writer(temporary, job, progress.step))
            if shown:
                writers.add(lambda: Film(shown, preview_job(job)))
            still = None
            back = writers.files.enter_context(Spool(path.parent)) if ping_pong else None
            for picture in forth_and_back(first, pictures, job, back):
                if first_frame and still is None:
                    still = png_bytes(picture.pixels(picture.has_alpha), job.metadata)
                writers.write(picture)
                del picture
                progress.step()
            writers.finish()
        for written in (temporary, shown):
            if written and written.is_file():
                with written.open("rb+") as file:
                    os.fsync(file.fileno())
    if first_frame and still:
        with readable_errors(f"write the first frame {first_frame.name}", first_frame.parent, len(still)):
            write_atomic(first_frame, still)
    return notes


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
    """Writes frames to an MP4 in H.264; see `encode`."""
    encode(frames, path, fps, size, crf=crf, audio=audio, metadata=metadata, on_frame=on_frame)


def frame_steps(frames: int, format: str | Format, ping_pong: bool = False) -> int:  # noqa: A002
    """How many steps `encode` reports for so many frames."""
    return shown_frames(frames, ping_pong) * format_of(format).passes


def shown_frames(frames: int, ping_pong: bool) -> int:
    """How many frames the video has."""
    return max(frames, 2 * frames - 2) if ping_pong else frames


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


def is_deep(known: Format) -> bool:
    """Whether a format has no fewer than 10 bits."""
    return bool(known.deep) and known.deep == known.pixels


def said(job: Job, has_alpha: bool, deep: bool, ping_pong: bool) -> Iterator[str]:
    """What is not as it was asked for."""
    known = job.format
    height, width = padded_size(known, job.size)
    if (height, width) != job.size:
        yield f"{known.codec} needs even sizes: {job.size[1]}x{job.size[0]} is padded to {width}x{height}."
    if has_alpha and not job.alpha:
        yield f"{known.name} has no alpha: it is dropped. WebM, ProRes 4444, WebP, APNG, PNG and GIF keep it."
    if deep and not job.deep:
        yield f"{known.name} has 8 bits; H.265, AV1 and ProRes have 10."
    if job.audio is not None and not known.sound:
        yield f"{known.name} has no sound: the audio is left out."
    if known.kind == "gif" and job.rate > TICKS // LEAST_TICKS:
        most = TICKS // LEAST_TICKS
        yield f"A GIF shows at most {most} frames a second: of {float(job.rate):g} some are left out."


def open_writer(path: Path, job: Job, step: Callable[[], None]) -> Writer:
    """What writes the format."""
    if job.format.kind == "gif":
        return Gif(path, job, step)
    return {"film": Film, "webp": WebP, "apng": Apng, "sequence": Sequence}[job.format.kind](path, job)


def forth_and_back(first: Picture, rest: Iterable[Picture], job: Job, back: Spool | None) -> Iterator[Picture]:
    """The first and then the rest, without holding on to any; where there is a spool, back again from there."""
    for picture in chained(first, rest):
        if back is not None:
            back.append(picture.pixels(picture.has_alpha, job.deep))
        yield picture
        del picture
    if back is not None:
        for number, item in enumerate(range(len(back) - 2, 0, -1), len(back)):
            yield Picture(back[item], job.size, number)


def chained(first: Picture, rest: Iterable[Picture]) -> Iterable[Picture]:
    """The first and then the rest, without holding on to the first."""
    yield first
    del first
    yield from rest


class Progress:
    """Counts the frames that are done."""

    def __init__(self, on_frame: Callable[[int], None] | None) -> None:
        self._on_frame = on_frame
        self._done = 0

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._on_frame:
            self._on_frame(self._done)


class Writers:
    """The files that the same frames go to; thrown away where something goes wrong."""

    def __init__(self) -> None:
        self.files = ExitStack()
        self._all: list[Writer] = []

    def __enter__(self) -> Writers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None:
                for writer in self._all:
                    writer.abandon()
        finally:
            self.files.close()

    def add(self, opened: Callable[[], Writer]) -> None:
        """Opens one more."""
        self._all.append(opened())

    def write(self, picture: Picture) -> None:
        """Gives the frame to each."""
        for writer in self._all:
            writer.write(picture)

    def finish(self) -> None:
        """Makes each whole."""
        for writer in self._all:
            writer.finish()
