"""Names of runs: safe on every system, and never out of the root folder."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath

from ..errors import FramedriftError

DEFAULT_NAME = "animation"
LONGEST_PART = 80
FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
COUNTED = re.compile(r"(.*)_(\d{5,})")
MANIFEST = "run.json"
#: Where the runs lie below the output folder.
RUN_FOLDER = "framedrift"


def clean_name(name: str) -> PurePosixPath:
    """A run's name as a relative path; subfolders are allowed, climbing is not.

    Characters that some system forbids become `_`. An empty name becomes `animation`.

    Raises:
        FramedriftError: the name is absolute or climbs with `..`.
    """
    text = unicodedata.normalize("NFC", name).strip().replace("\\", "/")
    if text.startswith("/") or re.match(r"[A-Za-z]:", text):
        raise FramedriftError(
            f"run_name: {name!r} is an absolute path; give a name, or subfolder/name, below the output folder."
        )
    parts = []
    for part in text.split("/"):
        if part.strip() == "..":
            raise FramedriftError(
                f"run_name: {name!r} climbs out of the output folder with '..'; give a name, or subfolder/name."
            )
        cleaned = FORBIDDEN.sub("_", part).strip().rstrip(". ")[:LONGEST_PART].rstrip(". ")
        if cleaned:
            parts.append(f"_{cleaned}" if RESERVED.fullmatch(cleaned) else cleaned)
    return PurePosixPath(*parts) if parts else PurePosixPath(DEFAULT_NAME)


def check_run_name(name: str) -> None:
    """Raises FramedriftError, naming `run_name`, where `clean_name` would."""
    clean_name(name)


def inside(root: Path, path: Path) -> Path:
    """`path` resolved, if it lies below `root` and in no other run's folder.

    Raises:
        FramedriftError: it does not, by a link for example.
    """
    resolved, top = path.resolve(), root.resolve()
    if top not in resolved.parents:
        raise FramedriftError(f"run_name: {path} lies outside of the output folder {top}.")
    for folder in resolved.parents:
        if folder == top:
            break
        if (folder / MANIFEST).exists():
            raise FramedriftError(f"run_name: {path} would lie inside of the run {folder}; choose another subfolder.")
    return resolved


def claim_folder(root: Path, name: str) -> Path:
    """Makes `<name>_00001`, or the next number that is free; no two processes are ever given the same."""
    wanted = clean_name(name)
    parent = inside(root, root / wanted).parent
    parent.mkdir(parents=True, exist_ok=True)
    taken = [
        int(found[2])
        for entry in parent.iterdir()
        if (found := COUNTED.fullmatch(entry.name)) and found[1] == wanted.name
    ]
    number = max(taken, default=0) + 1
    while True:
        folder = parent / f"{wanted.name}_{number:05d}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder
