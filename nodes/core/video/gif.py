"""GIF: one palette for the whole animation, found on a first pass over the frames and used on a second."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FramedriftError
from .job import Job
from .picture import Picture
from .spool import Spool

# A GIF counts in hundredths of a second, and browsers show a frame of less than two of them for ten.
TICKS = 100
LEAST_TICKS = 2
# The side to which a frame is thinned out to count its colours. The count takes memory for every colour that it meets:
# after so many, 64 levels a channel are told apart, which bounds it. Drawings, whose flat areas must stay flat, have
# fewer.
COUNTED_SIDE = 256
EXACT_COLOURS = 200_000
COUNTED_LEVELS = np.rint((np.arange(256) >> 2) * (255 / 63)).astype(np.uint8)
OPAQUE = 128
DITHERS = {"diffusion": "sierra2_4a", "ordered": "bayer:bayer_scale=2", "none": "none"}

log = logging.getLogger("framedrift")


class Gif:
    """Counts the colours of the frames as they come and keeps them on disk; `finish` writes the file from there."""

    def __init__(self, path: Path, job: Job, step: Callable[[], None]) -> None:
        """Writes nothing yet; `step` is called for every frame of the second pass."""
        if job.dither not in DITHERS:
            raise FramedriftError(f"dither: {job.dither!r} is not known. It can be {', '.join(DITHERS)}.")
        self._path = path
        self._job = job
        self._step = step
        self._stepped = 0
        self._palette = Palette(job)
        self._open = ExitStack()
        self._spool = self._open.enter_context(Spool(path.parent))

    def write(self, picture: Picture) -> None:
        """Counts a frame's colours and keeps it."""
        pixels = picture.pixels(self._job.alpha)
        self._palette.count(pixels)
        self._spool.append(pixels)

    def finish(self) -> None:
        """Writes the file."""
        import av

        # -1 stands for no loop at all; otherwise the file says how often it is shown again.
        loop = {0: 0, 1: -1}.get(self._job.loop_count, self._job.loop_count - 1)
        moments = list(shown_at(len(self._spool), self._job.rate))
        last = round(len(self._spool) * TICKS / self._job.rate) - moments[-1][1]
        options = {"loop": str(loop), "final_delay": str(max(LEAST_TICKS, last))}
        container: Any = av.open(str(self._path), "w", format="gif", options=options)
        self._open.callback(container.close)
        stream = container.add_stream("gif", rate=TICKS)
        stream.height, stream.width = self._job.size
        stream.pix_fmt = "pal8"
        stream.codec_context.time_base = Fraction(1, TICKS)
        for frame in self._mapped(self._palette.found(), moments):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        self._open.close()
        add_comments(self._path, self._job)

    def abandon(self) -> None:
        """Closes what is open."""
        self._open.close()

    def _mapped(self, palette: Any, moments: list[tuple[int, int]]) -> Iterator[Any]:
        """The frames in the palette's colours."""
        import av
        from av.filter import Graph

        height, width = self._job.size
        pixel_format = "rgba" if self._job.alpha else "rgb24"
        graph: Any = Graph()
        beat = Fraction(1, TICKS)
        frames = graph.add_buffer(width=width, height=height, format=pixel_format, time_base=beat)
        colours = graph.add_buffer(width=16, height=16, format=palette.format.name, time_base=beat)
        use = graph.add("paletteuse", f"dither={DITHERS[self._job.dither]}:alpha_threshold={OPAQUE}")
        sink = graph.add("buffersink")
        frames.link_to(use, 0, 0)
        colours.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        palette.pts, palette.time_base = 0, beat
        colours.push(palette)
        colours.push(None)
        for number, at in moments:
            self._step_to(number)
            frame = av.VideoFrame.from_ndarray(self._spool[number], format=pixel_format)
            frame.pts, frame.time_base = at, beat
            frames.push(frame)
            yield from pulled(sink)
        frames.push(None)
        yield from pulled(sink)
        self._step_to(len(self._spool) - 1)

    def _step_to(self, number: int) -> None:
        for _ in range(self._stepped, number + 1):
            self._step()
        self._stepped = number + 1


class Palette:
    """Finds the 256 colours, or 255 and one that is clear, that a whole animation needs."""

    def __init__(self, job: Job) -> None:
        """Opens FFmpeg's palettegen for the thinned out size."""
        from av.filter import Graph

        self._apart = max(1, -(-max(job.size) // COUNTED_SIDE))
        height, width = (-(-length // self._apart) for length in job.size)
        self._graph: Any = Graph()
        self._source = self._graph.add_buffer(width=width, height=height, format="rgb24", time_base=Fraction(1, TICKS))
        count = self._graph.add("palettegen", f"max_colors=256:reserve_transparent={int(job.alpha)}:stats_mode=full")
        self._sink = self._graph.add("buffersink")
        self._source.link_to(count)
        count.link_to(self._sink)
        self._graph.configure()
        self._size = (height, width)
        self._exact = EXACT_COLOURS
        self._frames = 0

    def count(self, pixels: np.ndarray) -> None:
        """Adds the colours of (H, W, 3 or 4) uint8; what is clear has none."""
        thinned = pixels[:: self._apart, :: self._apart]
        colours = np.ascontiguousarray(thinned[..., :3])
        if self._exact > 0:
            self._exact -= len(np.unique(colours.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)))
        if self._exact <= 0:
            colours = COUNTED_LEVELS[colours]
        if thinned.shape[2] == 4:
            clear = thinned[..., 3] < OPAQUE
            if clear.all():
                return
            if clear.any():
                colours[clear] = np.resize(colours[~clear], (int(clear.sum()), 3))
        self._push(colours)

    def found(self) -> Any:
        """The palette, as a frame of 16x16."""
        if not self._frames:
            self._push(np.zeros((*self._size, 3), np.uint8))
        self._source.push(None)
        return next(pulled(self._sink))

    def _push(self, colours: np.ndarray) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(colours), format="rgb24")
        frame.pts, frame.time_base = self._frames, Fraction(1, TICKS)
        self._source.push(frame)
        # Asking for the palette, which is not there yet, is what makes the filter take the frame and let go of it.
        if list(pulled(self._sink)):
            raise FramedriftError("frames: FFmpeg gave a GIF's palette before it had seen all of them.")
        self._frames += 1


def pulled(sink: Any) -> Iterator[Any]:
    """What a filter has ready."""
    while True:
        try:
            yield sink.pull()
        except (BlockingIOError, EOFError):
            return


def shown_at(count: int, rate: Fraction) -> Iterator[tuple[int, int]]:
    """(frame, hundredths of a second) of the frames that a GIF can show: at over 50 a second not every one."""
    last: int | None = None
    for number in range(count):
        at = round(number * TICKS / rate)
        if last is None or at - last >= LEAST_TICKS:
            yield number, at
            last = at


def add_comments(path: Path, job: Job) -> None:
    """Puts the texts into comment blocks at the file's end, each as `key:text`; the page does not look there."""
    if not job.metadata:
        return
    with path.open("r+b") as file:
        file.seek(-1, 2)
        for key, value in job.metadata.items():
            text = f"{key}:{value}".encode()
            blocks = (text[start : start + 255] for start in range(0, len(text), 255))
            file.write(b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0")
        file.write(b"\x3b")
