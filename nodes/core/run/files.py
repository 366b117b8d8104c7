"""Writing files so that a kill, a crash or a full disk at any moment leaves the old file or the new one, never half."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import FramedriftError

TEMPORARY = ".tmp"
FULL_DISK = frozenset({errno.ENOSPC, errno.EFBIG, *([errno.EDQUOT] if hasattr(errno, "EDQUOT") else [])})
# Folders cannot be synced on Windows and on some network drives; there the rename alone has to do.
NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM})
MIB = 1024 * 1024


def write_atomic(path: Path, data: bytes) -> None:
    """Puts `data` at `path`: written beside it, synced, renamed over it, and the folder synced.

    Raises:
        OSError: as the system said it; nothing is left behind then, and what was at `path` still is.
    """
    with beside(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, renamed to `path` if the block ends well and removed if it does not.

    The temporary name ends as `path` does, because encoders choose the format by it, starts with a dot, and is this
    thread's own. The block syncs what it wrote if it must outlive a power cut.
    """
    owner = f"{os.getpid()}-{threading.get_ident()}"
    temporary = path.with_name(f".{path.stem}.{owner}{TEMPORARY}{path.suffix}")
    try:
        yield temporary
        replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def replace(source: Path, target: Path) -> None:
    """Renames over what is there."""
    patiently(lambda: os.replace(source, target))  # noqa: PTH105 - what the crash tests stand on


def patiently(change: Callable[[], object]) -> None:
    """Renames or removes a file; on Windows a viewer or virus scanner that has it open is given a moment."""
    for pause in (0.02, 0.1, 0.5):
        try:
            change()
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(pause)
    change()


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Removes what a killed writer left beside its place."""
    for name in folder.glob(f".*{TEMPORARY}*"):
        name.unlink(missing_ok=True)


def free_bytes(path: Path) -> int:
    """Free bytes on the disk that holds `path`, which need not exist yet."""
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def ensure_space(path: Path, bytes_needed: int) -> None:
    """Refuses work that cannot fit.

    Raises:
        FramedriftError: naming the folder, what is needed and what is free, in MB.
    """
    free = free_bytes(path)
    if free < bytes_needed:
        raise FramedriftError(
            f"The disk that holds {path} is too full: about {megabytes(bytes_needed)} MB are needed, "
            f"{free // MIB} MB are free. Make room there, or choose another folder."
        )


def megabytes(count: int) -> int:
    """Whole MB, rounded up, at least 1."""
    return max(1, -(-count // MIB))


@contextlib.contextmanager
def readable_errors(action: str, place: Path, needed: int = 0) -> Iterator[None]:
    """Turns what the system says of a file into a sentence: what could not be done, where, and what helps.

    Args:
        action: as `write frame 3 of run x`.
        place: the folder.
        needed: the bytes that it takes.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK or getattr(error, "winerror", None) in (39, 112):
            wanted = f"about {megabytes(needed)} MB are needed, " if needed else ""
            reason = (
                f"the disk is full or a limit is reached ({wanted}{free_bytes(place) // MIB} MB are free). "
                "Make room and queue again"
            )
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            reason = f"writing there is not allowed ({error})"
        else:
            reason = str(error)
        raise FramedriftError(f"Could not {action} in {place}: {reason}; what was there before is kept.") from error
