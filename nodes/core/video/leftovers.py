"""What a killed encoder left behind, and folders that appear whole."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import FramedriftError
from ..run.files import TEMPORARY, replace, sync_folder

# As `run.files.beside` and `beside_folder` name what is not whole yet: .name.process-thread.tmp.mp4, .name.process.tmp
UNFINISHED = re.compile(rf"\..+\.(\d+)(-\d+)?{re.escape(TEMPORARY)}(\.\w+)?")
# On a shared disk the process may be alive on another machine; then it writes now and again.
UNTOUCHED_SECONDS = 600
# After this long the number may belong to another process by now.
ABANDONED_SECONDS = 24 * 3600

log = logging.getLogger("framedrift")


def sweep_dead(folder: Path, now: float | None = None) -> None:
    """Removes unfinished files whose process is gone and that were not written to for ten minutes, or for a day."""
    now = time.time() if now is None else now
    for entry in folder.glob(f".*{TEMPORARY}*"):
        found = UNFINISHED.fullmatch(entry.name)
        try:
            if not found:
                continue
            age = now - entry.stat().st_mtime
            if age < UNTOUCHED_SECONDS or (age < ABANDONED_SECONDS and is_alive(int(found[1]))):
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError as error:
            log.debug("%s could not be removed: %s", entry, error)
        else:
            log.info("Removed %s, which a process that has ended left unfinished.", entry)


def is_alive(process: int) -> bool:
    """Whether a process of this number runs here. On Windows, where asking may end it, every one counts as alive."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextlib.contextmanager
def beside_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, renamed to it if the block ends well, and removed with all in it if it does not.

    Raises:
        FramedriftError: something lies at `path` already.
    """
    if path.exists():
        raise FramedriftError(f"{path} exists already; a sequence is never written into another.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        sync_folder(temporary)
        replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(path.parent)
