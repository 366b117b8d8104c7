"""Animated PNG and WebP, and PNG files one by one: packed frame by frame, so that memory does not grow."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from ..errors import FramedriftError
from ..run.pictures import END, SIGNATURE, encode_png, text_chunk
from .job import Job
from .picture import Picture

NUMBER_MOST = 0xFFFF
# Below this crf a WebP is written without loss.
LOSSLESS_CRF = 2
WEBP_METHOD = 4
# Where ComfyUI's own savers put the texts in a WebP: TIFF's Model, and from Make downwards.
PROMPT_TAG = 0x0110
OTHER_TAGS = 0x010F


class Apng:
    """An animated PNG: whole frames, each at its exact time."""

    def __init__(self, path: Path, job: Job) -> None:
        """Opens the file."""
        # A frame's time is a fraction of two 16-bit numbers.
        rate = job.rate.limit_denominator(NUMBER_MOST)
        if max(rate.numerator, rate.denominator) > NUMBER_MOST:
            raise FramedriftError(f"frame_rate: APNG cannot say {float(job.rate):g} frames a second.")
        self._delay = struct.pack(">HH", rate.denominator, rate.numerator)
        self._job = job
        self._file = path.open("wb")
        self._count_at = 0
        self._frames = 0
        self._order = 0

    def write(self, picture: Picture) -> None:
        """Adds a frame."""
        chunks = list(png_chunks(png_bytes(picture.pixels(self._job.alpha))))
        if not self._frames:
            self._file.write(SIGNATURE + packed(b"IHDR", chunks[0][1]))
            self._file.write(b"".join(text_chunk(key, value) for key, value in self._job.metadata.items()))
            self._count_at = self._file.tell()
            self._file.write(self._count())
        height, width = self._job.size
        place = struct.pack(">IIIII", self._next(), width, height, 0, 0)
        # Disposal 0 and blending 0: each frame takes the place of the one before, alpha and all.
        self._file.write(packed(b"fcTL", place + self._delay + b"\0\0"))
        for kind, data in chunks:
            if kind == b"IDAT" and not self._frames:
                self._file.write(packed(kind, data))
            elif kind == b"IDAT":
                self._file.write(packed(b"fdAT", struct.pack(">I", self._next()) + data))
        self._frames += 1

    def finish(self) -> None:
        """Says at the front how many frames there are."""
        self._file.write(END)
        self._file.seek(self._count_at)
        self._file.write(self._count())
        self._file.close()

    def abandon(self) -> None:
        """Closes the file."""
        self._file.close()

    def _count(self) -> bytes:
        return packed(b"acTL", struct.pack(">II", self._frames, self._job.loop_count))

    def _next(self) -> int:
        self._order += 1
        return self._order - 1


class WebP:
    """An animated WebP: whole frames, in milliseconds that do not drift."""

    def __init__(self, path: Path, job: Job) -> None:
        """Opens the file."""
        height, width = job.size
        flags = 0x02 | (0x10 if job.alpha else 0) | (0x08 if job.metadata else 0)
        self._job = job
        self._frames = 0
        self._file = path.open("wb")
        self._file.write(b"RIFF\0\0\0\0WEBP")
        self._file.write(riff(b"VP8X", struct.pack("<I", flags) + three_bytes(width - 1, height - 1)))
        self._file.write(riff(b"ANIM", struct.pack("<IH", 0, min(job.loop_count, NUMBER_MOST))))

    def write(self, picture: Picture) -> None:
        """Adds a frame."""
        from PIL import Image

        buffer = BytesIO()
        crf = self._job.crf
        quality = self._job.format.quality
        Image.fromarray(picture.pixels(self._job.alpha)).save(
            buffer,
            "WEBP",
            quality=round(quality(crf)) if quality else 80,
            lossless=crf < LOSSLESS_CRF,
            method=WEBP_METHOD,
        )
        shown = [round(number * 1000 / self._job.rate) for number in (self._frames, self._frames + 1)]
        height, width = self._job.size
        # 2: in place of the frame before, not blended over it.
        place = three_bytes(0, 0, width - 1, height - 1, shown[1] - shown[0]) + b"\x02"
        self._file.write(riff(b"ANMF", place + b"".join(webp_picture(buffer.getvalue()))))
        self._frames += 1

    def finish(self) -> None:
        """Adds the texts, and says at the front how long the file is."""
        if self._job.metadata:
            self._file.write(riff(b"EXIF", exif(self._job.metadata)))
        length = self._file.tell() - 8
        if length >= 2**32 - 16:
            raise FramedriftError("frames: they make a WebP of over 4 GiB, and there is none. Raise crf, or cut it.")
        self._file.seek(4)
        self._file.write(struct.pack("<I", length))
        self._file.close()

    def abandon(self) -> None:
        """Closes the file."""
        self._file.close()


class Sequence:
    """PNG files 000000.png, 000001.png ... in a folder, each whole under its name, with the texts in each."""

    def __init__(self, folder: Path, job: Job) -> None:
        """Takes a folder that is there."""
        self._folder = folder
        self._job = job

    def write(self, picture: Picture) -> None:
        """Writes a file."""
        with (self._folder / f"{picture.number:06}.png").open("xb") as file:
            file.write(png_bytes(picture.pixels(self._job.alpha), self._job.metadata))
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """All is there."""

    def abandon(self) -> None:
        """Nothing is open."""


def png_bytes(pixels: np.ndarray, text: Mapping[str, str] | None = None) -> bytes:
    """(H, W, 3 or 4) uint8 to a PNG file."""
    # The encoder turns the channels' order round, and alpha must be the last then.
    return encode_png(pixels[..., (3, 0, 1, 2)] if pixels.shape[2] == 4 else pixels, text)


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each chunk."""
    at = len(SIGNATURE)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def packed(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def riff(kind: bytes, content: bytes) -> bytes:
    """A RIFF chunk, of an even length."""
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def three_bytes(*values: int) -> bytes:
    """Numbers of 24 bits."""
    return b"".join(value.to_bytes(3, "little") for value in values)


def webp_picture(data: bytes) -> Iterator[bytes]:
    """The chunks of a still WebP that hold its picture."""
    at = 12
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        after = at + 8 + length + length % 2
        if data[at : at + 4] in (b"ALPH", b"VP8 ", b"VP8L"):
            yield data[at:after]
        at = after


def exif(texts: Mapping[str, str]) -> bytes:
    """Texts as TIFF strings `key:text`, under the tags at which ComfyUI's savers put them and its page finds them."""
    entries, other = {}, OTHER_TAGS
    for key, value in texts.items():
        if key == "prompt":
            tag = PROMPT_TAG
        else:
            tag, other = other, other - 1
        # A text of four bytes or less would stand in the entry itself, where the page does not look.
        entries[tag] = f"{key}:{value}".encode().ljust(4, b" ") + b"\0"
    at = 8 + 2 + 12 * len(entries) + 4
    head, body = struct.pack("<2sHIH", b"II", 42, 8, len(entries)), b""
    for tag in sorted(entries):
        head += struct.pack("<HHII", tag, 2, len(entries[tag]), at + len(body))
        body += entries[tag]
    return head + b"\0\0\0\0" + body
