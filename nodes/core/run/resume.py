"""Which run a queued animation goes on with."""

import hashlib
import json
import logging
from typing import Any

import numpy as np
import torch

from ..errors import FramedriftError
from ..video.frames import Frames
from .store import Run, RunStore

log = logging.getLogger("framedrift")

CONTINUE, NEW_RUN, NAMED_RUN = "continue", "new run", "named run"
RESUME_CHOICES = (CONTINUE, NEW_RUN, NAMED_RUN)
#: Settings that say which run is meant, not what it shows.
PLACING = frozenset({"resume", "run_name"})


def fingerprint(shaping: dict[str, Any]) -> str:
    """A hash of everything that shapes the pictures: equal for two queued graphs that make the same animation.

    Args:
        shaping: JSON values only; what does not change a picture (a file name, the frame rate) stays out.
    """
    text = json.dumps(shaping, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest(*tensors: torch.Tensor | np.ndarray) -> str:
    """A hash of numbers: shapes, types and every bit."""
    found = hashlib.sha256()
    for tensor in tensors:
        array = np.ascontiguousarray(tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else tensor)
        found.update(f"{array.shape}{array.dtype.str}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def clip_mark(clip: Frames | None) -> list | None:
    """What a clip is known by: its length, and a hash of its first, middle and last picture. None is none."""
    if clip is None:
        return None
    shown = [clip[frame] for frame in sorted({0, len(clip) // 2, len(clip) - 1})]
    return [len(clip), digest(*shown)]


def choose_run(store: RunStore, choice: str, name: str, manifest: dict[str, Any], mark: str) -> Run:
    """The run to go on with, held by this process; made where there is none.

    Args:
        choice: "continue" takes the newest run with the same fingerprint, finished or not, and else begins one;
            "new run" always begins one; "named run" takes the run of that name.
        name: what a new run is called, or which one is meant.
        manifest: the settings, JSON values; stored with a new run.
        mark: the ``fingerprint`` of this animation.

    Raises:
        FramedriftError: there is no run of that name, it was made with other settings (they are named), it is damaged,
            or another process writes it.
    """
    if choice == NAMED_RUN:
        name = name.strip()
        found = store.read_manifest(name)
        if found["fingerprint"] != mark:
            raise FramedriftError(
                f"run_name: the run {name!r} was made with other settings ({_differences(found, manifest)}). "
                f"Put them back, or choose '{NEW_RUN}'."
            )
        return store.open(name)
    path = store.newest(mark) if choice == CONTINUE else None
    if path is not None:
        log.info("going on with the run %s", path)
        return store.open(path)
    if choice == CONTINUE:
        for run in store.list():
            if run.problem is not None:
                log.warning("A new run is begun; %s may be the one to go on with, but: %s", run.name, run.problem)
    return store.create(name, manifest, mark)


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    before, now = found.get("settings", {}), wanted.get("settings", {})
    names = sorted(k for k in {*before, *now} - PLACING if before.get(k) != now.get(k))
    return ", ".join(names) or "another model, picture or clip"
