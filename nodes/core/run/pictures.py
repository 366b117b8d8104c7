"""Frames and disparities as PNG files: 8-bit RGB rounded, 16-bit grey, text chunks as ComfyUI's savers write them."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from ..errors import FramedriftError

#: What the frames of a run are kept to: 256 steps to a level of the picture, which leaves the low part one byte.
STEPS = 255 * 256
SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def rgb_bytes(image: torch.Tensor) -> np.ndarray:
    """(1, 3, H, W) or (3, H, W), 0..1, to (H, W, 3) uint8, rounded to the nearest level."""
    return rounded(image.detach().reshape(image.shape[-3:]).permute(1, 2, 0), np.uint8)


def grey_words(disparity: torch.Tensor) -> np.ndarray:
    """(1, 1, H, W) or (H, W), 0..1, to (H, W) uint16, rounded to the nearest level."""
    return rounded(disparity.detach().reshape(disparity.shape[-2:]), np.uint16)


def rounded(values: torch.Tensor, kind: type[np.unsignedinteger]) -> np.ndarray:
    """0..1 to the whole range of an unsigned type, clipped and rounded to the nearest; numpy keeps it to one core."""
    levels = values.to("cpu", torch.float32).numpy() * np.float32(np.iinfo(kind).max)
    np.rint(levels, out=levels)
    return np.ascontiguousarray(np.clip(levels, 0, np.iinfo(kind).max, out=levels).astype(kind))


def storable(image: torch.Tensor) -> torch.Tensor:
    """The picture that a run can give back to the bit: rounded to 65280 steps, clipped to 0..1.

    Its 8-bit PNG and one byte a value beside it hold it exactly. The loop takes this before a frame is committed, so
    that what goes on in memory is what lies on disk.

    Args:
        image: (1, 3, H, W) float32; within 0..1 the result is at most 0.5/65280 away.
    """
    return from_steps(to_steps(image)).to(image.device)


def storable_disparity(disparity: torch.Tensor) -> torch.Tensor:
    """The disparity that its 16-bit PNG gives back to the bit; same shape, float32."""
    return from_words(grey_words(disparity)).reshape(disparity.shape).to(disparity.device)


def to_steps(image: torch.Tensor) -> np.ndarray:
    """0..1 to the nearest of 65280 steps, uint16 of the same shape."""
    steps = image.detach().to("cpu", torch.float32).numpy() * np.float32(STEPS)
    np.rint(steps, out=steps)
    return np.clip(steps, 0, STEPS, out=steps).astype(np.uint16)


def from_steps(steps: np.ndarray) -> torch.Tensor:
    """Steps to 0..1, float32. In numpy, whose division is the same everywhere."""
    return torch.from_numpy(steps.astype(np.float32) / np.float32(STEPS))


def from_words(words: np.ndarray) -> torch.Tensor:
    """(H, W) uint16 to 0..1, float32."""
    return torch.from_numpy(words.astype(np.float32) / np.float32(65535))


def split_steps(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps (1, 3, H, W) as a picture (H, W, 3) uint8, to the nearest level, and what that leaves, (3, H, W) int8."""
    planes = steps.reshape(steps.shape[-3:])
    # 65280 + 128 is still within 16 bits, and what is left of the level is the low byte with its sign.
    levels = ((planes + np.uint16(128)) >> 8).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0)), planes.astype(np.uint8).view(np.int8)


def join_steps(pixels: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Undoes `split_steps`: (1, 3, H, W) uint16."""
    # The sum wraps to what it was.
    return ((pixels.transpose(2, 0, 1).astype(np.uint16) << 8) + low.astype(np.uint16))[None]


def digest(pixels: np.ndarray) -> str:
    """sha256 of the raw pixels in rows, 16-bit ones as little endian: the same whatever the PNG was packed with."""
    little = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False))
    return hashlib.sha256(little.data).hexdigest()


def encode_png(pixels: np.ndarray, text: Mapping[str, str] | None = None) -> bytes:
    """(H, W, 3) uint8 RGB or (H, W) uint16 to the bytes of a PNG file, with text chunks in front of the pixels."""
    import cv2

    ordered = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    done, packed = cv2.imencode(".png", ordered, png_options(pixels.ndim == 3))
    if not done:
        raise FramedriftError(f"A picture of {pixels.shape[1]}x{pixels.shape[0]} could not be packed as PNG.")
    data = packed.tobytes()
    header = len(SIGNATURE) + 25
    chunks = b"".join(text_chunk(key, value) for key, value in (text or {}).items())
    return data[:header] + chunks + data[header:]


def png_options(is_rgb: bool) -> list[int]:
    """How OpenCV packs: of 108 combinations measured, these take half the time of level 1 alone, and less space."""
    import cv2

    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    if is_rgb:
        options += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # from OpenCV 4.11 on
        options += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
    return options


def text_chunk(key: str, value: str) -> bytes:
    """A tEXt chunk, or an iTXt one (UTF-8) where Latin-1 cannot say it."""
    name = key.encode("latin-1", "replace")[:79]
    try:
        kind, body = b"tEXt", name + b"\0" + value.encode("latin-1")
    except UnicodeEncodeError:
        kind, body = b"iTXt", name + b"\0\0\0\0\0" + value.encode("utf-8", "replace")
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def decode_png(path: Path) -> np.ndarray:
    """Reads (H, W, 3) uint8 RGB, or (H, W) uint16.

    Raises:
        FramedriftError: the file is missing, cut short, or no PNG.
    """
    import cv2

    packed = read_whole(path)
    pixels = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise FramedriftError(f"{path} is no PNG that can be read.")
    if pixels.ndim == 2:
        return pixels if pixels.dtype == np.uint16 else np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1])


def read_image(path: Path) -> torch.Tensor:
    """A picture file as (H, W, 3) float32, 0..1."""
    return torch.from_numpy(decode_png(path)).to(torch.float32).div_(255)


def read_whole(path: Path) -> bytes:
    """The bytes of a PNG whose first and last bytes are a PNG's."""
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        raise FramedriftError(f"{path} is missing.") from None
    if not packed.startswith(SIGNATURE):
        raise FramedriftError(f"{path} is no PNG picture.")
    if not packed.endswith(END):
        raise FramedriftError(f"{path} is cut short.")
    return packed


def check_whole(path: Path) -> str | None:
    """What is wrong with a PNG file at a glance (no pixel is read), as a phrase; None where it looks whole."""
    try:
        with path.open("rb") as file:
            start = file.read(len(SIGNATURE))
            file.seek(0, 2)
            length = file.tell()
            file.seek(max(0, length - len(END)))
            end = file.read()
    except FileNotFoundError:
        return "is missing"
    if start != SIGNATURE:
        return "is no PNG picture"
    return None if end == END else "is cut short"


def png_size(path: Path) -> tuple[int, int]:
    """(h, w) out of the header."""
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) < 24 or not head.startswith(SIGNATURE):
        raise FramedriftError(f"{path} is no PNG picture.")
    width, height = struct.unpack(">II", head[16:24])
    return height, width
