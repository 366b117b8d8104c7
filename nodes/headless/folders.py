"""Where a headless run reads and writes: ComfyUI's folders, under the working directory unless told otherwise."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import FramedriftError


@dataclass(frozen=True)
class Folders:
    """The four places that ComfyUI knows. `models` holds a folder for each kind of model (checkpoints, vae, ...)."""

    output: Path = Path("output")
    input: Path = Path("input")
    temp: Path = Path("temp")
    models: Path = Path("models")
    metadata: bool = True


_DEFAULT = Folders()
_current: ContextVar[Folders] = ContextVar("framedrift_folders")


def current() -> Folders:
    """The folders of the run at hand."""
    return _current.get(_DEFAULT)


@contextmanager
def using(folders: Folders) -> Iterator[Folders]:
    """Within this block, nodes read from and write to these folders."""
    token = _current.set(folders)
    try:
        yield folders
    finally:
        _current.reset(token)


def save_image_path(prefix: str, root: Path, size: tuple[int, int]) -> tuple[Path, str, int, str]:
    """Folder, file name, next free counter and subfolder for a filename prefix, the way ComfyUI's savers do it.

    `size` is (h, w), for %height% and %width%; the date's tokens are %year% %month% %day% %hour% %minute% %second%.
    Raises FramedriftError for a prefix that leaves `root`.
    """
    now = time.localtime()
    tokens = {
        "width": str(size[1]),
        "height": str(size[0]),
        "year": f"{now.tm_year}",
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    filled = re.sub("%(" + "|".join(tokens) + ")%", lambda found: tokens[found[1]], prefix)
    path = root / filled
    if "\0" in filled or not path.resolve().is_relative_to(root.resolve()) or path.resolve() == root.resolve():
        raise FramedriftError(f"leaves the output folder {root}")
    path.parent.mkdir(parents=True, exist_ok=True)
    counted = re.compile(re.escape(path.name) + r"_(\d+)([_.].*)?", re.IGNORECASE)
    taken = [int(found[1]) for entry in path.parent.iterdir() if (found := counted.fullmatch(entry.name))]
    subfolder = path.parent.resolve().relative_to(root.resolve())
    return path.parent, path.name, max(taken, default=0) + 1, "" if subfolder == Path() else subfolder.as_posix()
