"""What a headless run tells while it goes, and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

#: (value, total, preview): told of every step of the node at hand; preview is a core image (1,3,H,W) or None.
Listener = Callable[[int, int, "torch.Tensor | None"], None]

_listener: ContextVar[Listener | None] = ContextVar("framedrift_progress", default=None)
_stop = threading.Event()


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """The run was asked to stop; what it wrote stays."""


class Progress:
    """Steps of one node, out of `total`."""

    def __init__(self, total: int):
        self.total = total

    def step(self, value: int, preview: torch.Tensor | None = None) -> None:
        """Says that `value` steps of the total are done."""
        listener = _listener.get()
        if listener is not None:
            listener(min(value, self.total), self.total, preview)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Within this block, the listener is told of every step."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def interrupt() -> None:
    """Asks the run at hand to stop at its next step; may be called from any thread or a signal handler."""
    _stop.set()


def check_interrupted() -> None:
    """Raises Interrupted once for every `interrupt`."""
    if _stop.is_set():
        _stop.clear()
        raise Interrupted("The run was stopped.")
