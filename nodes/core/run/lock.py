"""Who writes to a run: one process at a time, by a lock that the system frees when the process ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import FramedriftError
from .folder import Layout

try:
    import fcntl
except ImportError:
    # Windows.
    fcntl = None

if TYPE_CHECKING:
    from filelock import BaseFileLock

# Whoever only asks whether a run is held has its lock for less than a millisecond: a writer waits longer than that,
# and so does, on Windows, who asks at the same time.
PATIENCE = 0.5
LOOK = 0.02


def hold(layout: Layout) -> BaseFileLock:
    """Takes the folder's lock.

    Raises:
        FramedriftError: somebody else has it.
    """
    from filelock import FileLock, Timeout

    # Not bound to a thread: ComfyUI may close a run from another one than opened it.
    lock = FileLock(layout.lock, timeout=PATIENCE, thread_local=False)
    try:
        lock.acquire(poll_interval=0.01)
    except Timeout as error:
        raise FramedriftError(
            f"Run {layout.path.name} is being written by another process or another queue. Wait until it is done or "
            "stop it, or start a new run."
        ) from error
    return lock


def is_held(layout: Layout) -> bool:
    """Whether a process, this one or another, writes to the run. Nothing is changed, and no writer is turned away."""
    from filelock import FileLock, Timeout

    if not layout.lock.exists():
        return False
    try:
        if fcntl is not None:
            # What any number can have who look at the same time, on a disk that cannot be written to as well.
            with layout.lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        with FileLock(layout.lock, timeout=LOOK, thread_local=False).acquire(poll_interval=0.002):
            return False
    except FileNotFoundError:
        return False
    except (BlockingIOError, Timeout):
        return True
