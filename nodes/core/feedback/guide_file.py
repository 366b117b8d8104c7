"""Guide images as files: what is taken, what is refused and in which words, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import FramedriftError

if TYPE_CHECKING:
    from PIL.Image import Image

#: Least short side and most long side, in pixels, and most bytes of the file.
SHORTEST, LONGEST, MOST_BYTES = 300, 8192, 100 * 2**20
#: What a file has to be, whatever it is called.
WANTED = "a JPG, PNG or WEBP"

_KINDS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
#: What others begin with, so that a message can name them.
_OTHERS = {b"GIF8": "a GIF", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"%PDF": "a PDF", b"8BPS": "a PSD"}
_BRANDS = {b"avif": "an AVIF", b"heic": "a HEIC", b"heix": "a HEIC", b"mif1": "a HEIC"}


def check_guide_file(path: Path) -> None:
    """Looks at a file's length, its first bytes and the size that it states; nothing is decoded.

    Raises:
        FramedriftError: over 100 MB, no JPG, PNG or WEBP by what it holds, damaged at its beginning, under 300 pixels
            on the short side or over 8192 on the long one. The sentence names the file and what would be right.
    """
    _open(path).close()


def read_guide_file(path: Path) -> tuple[Tensor, Tensor]:
    """A picture and its alpha, turned as its EXIF says.

    Returns:
        (1, 3, H, W) and (1, 1, H, W), float32, 0..1; alpha is 1 where the picture is opaque, everywhere if it has none.

    Raises:
        FramedriftError: as `check_guide_file`, or the file is damaged further on.
    """
    from PIL import ImageOps

    with _open(path) as opened:
        try:
            opened.load()
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise FramedriftError(f"image: {path.name} is damaged, or cut off ({error}); save it anew.") from error
        return _tensors(ImageOps.exif_transpose(opened))


def _open(path: Path) -> Image:
    from PIL import Image

    size = path.stat().st_size
    if size > MOST_BYTES:
        raise FramedriftError(
            f"image: {path.name} is {-(-size // 2**20)} MB; {MOST_BYTES // 2**20} MB is the most. Save it smaller."
        )
    with path.open("rb") as file:
        start = file.read(16)
    kind = _kind(start)
    if kind is None:
        raise FramedriftError(f"image: {path.name} is {_other(start)}; a guide has to be {WANTED}. Convert it.")
    try:
        opened = Image.open(path, formats=[kind])
    except Image.DecompressionBombError as error:
        raise FramedriftError(
            f"image: {path.name} is far too large; {LONGEST} pixels on the long side is the most. Scale it down."
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise FramedriftError(f"image: {path.name} begins as a {kind}, but is damaged; save it anew.") from error
    width, height = opened.size
    problem = _size_problem(path.name, width, height)
    if problem:
        opened.close()
        raise FramedriftError(problem)
    return opened


def _size_problem(name: str, width: int, height: int) -> str | None:
    if min(width, height) < SHORTEST:
        return (
            f"image: {name} is {width}x{height} pixels; its short side must be {SHORTEST} or more, or there is too "
            f"little in it to paint from. Take a larger one."
        )
    if max(width, height) > LONGEST:
        return (
            f"image: {name} is {width}x{height} pixels; its long side must be {LONGEST} or less. Scale it down first."
        )
    return None


def _kind(start: bytes) -> str | None:
    """What PIL calls a file that begins so; None where it is none that is taken."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for mark, kind in _KINDS.items() if start.startswith(mark)), None)


def _other(start: bytes) -> str:
    if not start:
        return "empty"
    if start[4:8] == b"ftyp":
        return _BRANDS.get(start[8:12], "a video or another container")
    return next((name for mark, name in _OTHERS.items() if start.startswith(mark)), "of a kind that is not known here")


def _tensors(picture: Image) -> tuple[Tensor, Tensor]:
    if picture.mode.startswith("I") or picture.mode == "F":
        # Grey of 16 bits: converted to RGB by PIL it would be cut off at 255.
        grey = torch.from_numpy(np.array(picture, dtype=np.float32) / 65535.0).clamp(0, 1)[None, None]
        return grey.expand(-1, 3, -1, -1).contiguous(), torch.ones_like(grey)
    image = torch.from_numpy(np.array(picture.convert("RGB"), dtype=np.float32) / 255.0).permute(2, 0, 1)[None]
    if not picture.has_transparency_data:
        return image.contiguous(), torch.ones_like(image[:, :1])
    alpha = np.array(picture.convert("RGBA").getchannel("A"), dtype=np.float32) / 255.0
    return image.contiguous(), torch.from_numpy(alpha)[None, None]
