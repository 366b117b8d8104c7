"""Texts that a node reads: a file of the input folder, or what was pasted."""

from __future__ import annotations

from pathlib import Path

from . import host
from .core.errors import FramedriftError

#: Largest file that is read as text, in bytes: a Parseq manifest of twenty thousand frames.
MAX_BYTES = 128 * 1024 * 1024


def source_text(file: str, text: str, kinds: str) -> str:
    """The text of the file in the input folder, or the pasted one; `kinds` says what either may be.

    Raises:
        FramedriftError: not exactly one is given, or the file cannot be read.
    """
    if not isinstance(file, str) or not isinstance(text, str):
        raise FramedriftError("file and text must be texts.")
    if file.strip() and text.strip():
        raise FramedriftError(f"file is {file[:80]!r} and text is filled in too: empty one of them.")
    if file.strip():
        return read_text(input_file(file))
    if not text.strip():
        raise FramedriftError(f"file and text are both empty: name a file in the input folder, or paste {kinds}.")
    return text


def input_file(name: str, field: str = "file") -> Path:
    """The file of this name in the input folder. Raises FramedriftError where it leads out of it, or is none.

    field: what messages call the input that names it.
    """
    root = host.input_directory().resolve()
    try:
        path = (root / name.strip()).resolve()
        inside = path.is_relative_to(root)
        there = inside and path.is_file()
    except (OSError, ValueError) as error:
        raise FramedriftError(f"{field} is {name[:80]!r}, which is no file's name.") from error
    if not inside:
        raise FramedriftError(f"{field} is {name[:80]!r}, and must lie in the input folder.")
    if not there:
        raise FramedriftError(f"{field} is {name[:80]!r}, and the input folder holds no file of this name.")
    return path


def read_text(path: Path) -> str:
    """A text file of at most MAX_BYTES, in UTF-8 or UTF-16 with its mark."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise FramedriftError(f"file {path.name} is {size // 2**20} MB; {MAX_BYTES // 2**20} MB is the most.")
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FramedriftError(f"file {path.name} is no text: byte {error.start} is not UTF-8.") from error
