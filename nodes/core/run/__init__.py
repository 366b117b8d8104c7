"""Runs on disk: settings, frames, journal and state of an animation, safe against a kill at any moment."""

from .files import ensure_space
from .folder import RunFrames
from .names import check_run_name, clean_name
from .run import Run
from .store import RunStore, RunSummary

__all__ = ["Run", "RunFrames", "RunStore", "RunSummary", "check_run_name", "clean_name", "ensure_space"]
