"""What is answered about one run: its state and journal, its pictures, a video of them, and commands to it."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np

from . import host
from .core.errors import FramedriftError
from .core.run import ACTIONS, RunStatus, RunStore, give
from .core.run.edits import ARGUMENTS
from .core.run.names import MANIFEST
from .job import run_store
from .routes import Answer, RefusedError, Request, as_json

#: What of run.json goes to the page: not the graph, nor what a run is recognised by.
SHOWN = ("framedrift", "settings", "node")
KINDS = {dict: "an object", int: "a whole number", str: "a text"}
WIDTHS = (16, 4096)
JPEG_QUALITY = 85
_encoding = threading.Lock()


def list_runs(request: Request) -> Answer:
    """All runs by name; a damaged one with its problem."""
    return as_json({"runs": [_summary(status) for status in run_store().statuses()]})


def _summary(status: RunStatus) -> dict[str, Any]:
    said = {key: getattr(status, key) for key in ("name", "state", "created", "frames", "last_frame", "num_frames")}
    return said | ({"problem": status.problem} if status.state == "damaged" else {"node": status.node})


def show_run(request: Request) -> Answer:
    """A run's state, its settings, and its journal unless ?journal=0."""
    store, path = _place(request)
    said = store.status(path).as_dict()
    if said["state"] != "damaged":
        manifest = store.read_manifest(path)
        said |= {key: manifest[key] for key in SHOWN if key in manifest}
        if request.query.get("journal", "1") != "0":
            said["journal"] = store.journal(path)
    return as_json(said)


def frame(request: Request) -> Answer:
    """A diffused frame as it lies in the run, or its depth (?depth=1); with ?width= a small JPEG of it."""
    from .core.run.folder import Layout, load_checked

    store, path = _place(request)
    with _damage_is_conflict():
        entry = _entry(store.journal(path), request.index, path.name)
        depth = request.query.get("depth", "0") != "0"
        if depth and not entry.get("depth_sha256"):
            raise RefusedError(HTTPStatus.NOT_FOUND, f"Frame {request.index} of run {path.name} has no depth.")
        file = Layout(path).depth(request.index) if depth else Layout(path).frame(request.index)
        if file.resolve() != file:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"Frame {request.index} of run {path.name} is a link.")
        pixels = load_checked(file, entry, "depth_sha256" if depth else "sha256")
    if "width" not in request.query:
        return Answer(HTTPStatus.OK, "image/png", file)
    return Answer(HTTPStatus.OK, "image/jpeg", _small(pixels, request.query["width"]))


@contextmanager
def _damage_is_conflict() -> Iterator[None]:
    """What cannot be read of a run is its state's fault, not that of what was asked."""
    try:
        yield
    except FramedriftError as error:
        raise RefusedError(HTTPStatus.CONFLICT, str(error)) from error


def _entry(journal: list[dict[str, Any]], index: int, name: str) -> dict[str, Any]:
    """The journal's line of a frame. Raises RefusedError, which names the nearest ones, where there is none."""
    for entry in journal:
        if entry["index"] == index:
            return entry
    before = [entry["index"] for entry in journal if entry["index"] < index][-1:]
    after = [entry["index"] for entry in journal if entry["index"] > index][:1]
    near = " and ".join(map(str, before + after))
    what = f"the nearest that were diffused are {near}" if near else "it has none yet"
    raise RefusedError(HTTPStatus.NOT_FOUND, f"Run {name} has no diffused frame {index}: {what}.")


def _small(pixels: np.ndarray, width: str) -> bytes:
    """A JPEG so many pixels wide, never larger than the picture; 16-bit grey is brought to 8."""
    from PIL import Image

    low, high = WIDTHS
    if not re.fullmatch(r"[0-9]{1,6}", width) or not low <= int(width) <= high:
        reason = f"width is {width[:20]!r}, and must be a whole number from {low} to {high}."
        raise RefusedError(HTTPStatus.BAD_REQUEST, reason)
    picture = Image.fromarray(pixels if pixels.ndim == 3 else (pixels >> 8).astype(np.uint8))
    picture.thumbnail((int(width), picture.height))
    packed = io.BytesIO()
    picture.save(packed, "JPEG", quality=JPEG_QUALITY)
    return packed.getvalue()


# ---------------------------------------------------------------- what changes something


def video(request: Request) -> Answer:
    """Makes a video of the frames so far, as Cadence Blend and Video Combine would, into the output folder."""
    from .core.run.folder import Layout
    from .core.video.edit import gapless, trimmed
    from .core.video.encode import encode
    from .core.video.formats import DEFAULT, format_of

    said = _known(request.json(), {"format": str, "crf": int, "filename_prefix": str}, "a video")
    store, path = _place(request)
    known = format_of(said.get("format", DEFAULT))
    if known.kind == "sequence":
        raise FramedriftError("format: the frames lie in the run's folder as PNG files already; choose another.")
    prefix = said.get("filename_prefix", f"video/{store.status(path).name}")
    host.check_prefix(prefix)
    with _damage_is_conflict():
        frames = store.read(path)
    if not len(frames):
        raise RefusedError(HTTPStatus.CONFLICT, f"Run {path.name} has no frames yet.")
    # What follows the last diffused frame is tweened only where nothing more comes: at the end of a loop.
    whole = gapless(frames) if store.status(path).state == "complete" else trimmed(frames, 0, frames.indices[-1])
    if not _encoding.acquire(blocking=False):
        raise RefusedError(HTTPStatus.CONFLICT, "Another video is being made; ask again when it is done.")
    try:
        file, saved = host.save_path(prefix, known.extension, whole.size)
        texts = _texts(Layout(path).frame(frames.indices[-1]))
        encode(whole, file, whole.fps, whole.size, format=known, crf=said.get("crf", 19), metadata=texts)
    finally:
        _encoding.release()
    return as_json(dict(saved))


def _texts(picture: Path) -> dict[str, str]:
    """The workflow that a frame carries, for the video to carry too; nothing where that is not allowed."""
    from PIL import Image

    if not host.metadata_allowed():
        return {}
    with Image.open(picture) as opened:
        opened.load()
        return {str(key): value for key, value in opened.info.items() if isinstance(value, str)}


def command(request: Request) -> Answer:
    """Gives a run a command, and answers what became of it."""
    from .core.run.mailbox import MOMENTARY

    said = request.json()
    action = said.pop("action", None)
    if not isinstance(action, str) or action not in ACTIONS:
        raise FramedriftError(f"action is {action!r}, and must be one of: {', '.join(ACTIONS)}.")
    takes = dict([ARGUMENTS[action]]) if action in ARGUMENTS else {}
    arguments = _known(said, takes, action)
    if missing := [name for name in takes if name not in arguments]:
        raise FramedriftError(f"{action} needs {', '.join(missing)}.")
    store, path = _place(request)
    status = store.status(path)
    if status.state not in ("running", "paused") and action in MOMENTARY:
        reason = f"Run {status.name} is {status.state}: {action} is for one that is being made."
        raise RefusedError(HTTPStatus.CONFLICT, reason)
    if status.state == "damaged" and action != "rewind":
        raise RefusedError(HTTPStatus.CONFLICT, f"Run {status.name} is damaged: {status.problem}")
    return as_json(give(store, path, action, **arguments))


def _known(said: dict[str, Any], kinds: Mapping[str, type], what: str) -> dict[str, Any]:
    """The entries, if they are known and of their kinds."""
    for name, value in said.items():
        if name not in kinds:
            takes = ", ".join(kinds) or "nothing"
            raise FramedriftError(f"{name[:80]!r} is not known: {what} takes {takes}.")
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise FramedriftError(f"{name} must be {KINDS[kinds[name]]}.")
    return said


# ---------------------------------------------------------------- which run


def _place(request: Request) -> tuple[RunStore, Path]:
    """The runs, and the folder of the one that is meant.

    Raises:
        RefusedError: the name is no name (it climbs, or is absolute), or no run is called so.
    """
    store, parts = run_store(), request.name.replace("\\", "/").split("/")
    if any(part.strip() in ("", ".", "..") for part in parts) or ":" in parts[0]:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{request.name[:200]!r} is no run's name, such as animation_00001.")
    try:
        path = store.path_of("/".join(parts))
        if (path / MANIFEST).is_file():
            return store, path
    except (FramedriftError, OSError):
        pass
    last = ", ".join(run.name for run in store.list()[-5:]) or "none"
    raise RefusedError(HTTPStatus.NOT_FOUND, f"There is no run {request.name[:200]!r} (the last ones: {last}).")
