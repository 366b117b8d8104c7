"""Runs on disk: settings, frames, journal and state of an animation, safe against a kill at any moment."""

from .control import ACTIONS, Controls, attend, give
from .files import ensure_space
from .frames import RunFrames
from .mailbox import Command
from .names import check_run_name, clean_name
from .pictures import storable, storable_disparity
from .run import Run
from .status import STATES, RunStatus
from .store import RunStore, RunSummary

__all__ = [
    "ACTIONS",
    "STATES",
    "Command",
    "Controls",
    "Run",
    "RunFrames",
    "RunStatus",
    "RunStore",
    "RunSummary",
    "attend",
    "check_run_name",
    "clean_name",
    "ensure_space",
    "give",
    "storable",
    "storable_disparity",
]
