"""Journal and state of a run, held against each other: what a kill left undone is done, what does not fit is said."""

from __future__ import annotations

from ..errors import FramedriftError
from .folder import Layout
from .journal import Journal, read_lines
from .state import StateMark, newest_state, read_mark


def mended(layout: Layout) -> Journal:
    """The journal, with the line that the newest state carries and a kill kept from it.

    Raises:
        FramedriftError: journal and state do not belong together.
    """
    lines, size = read_lines(layout.journal)
    missing = missing_line(layout, len(lines), lines[-1] if lines else "")
    journal = Journal(layout.journal, lines, size)
    if missing is not None:
        journal.add(missing)
        journal.flush()
    return journal


def missing_line(layout: Layout, frames: int, last: str) -> str | None:
    """The line that a journal of so many, with this last one, lacks of a committed frame; None where it lacks none.

    Nothing is written.

    Raises:
        FramedriftError: journal and state do not belong together.
    """
    path = newest_state(layout)
    mark = read_mark(path)
    position = mark.position if mark else 0
    if mark and frames == position - 1:
        return mark.line
    if frames != position or (mark and last != mark.line):
        raise misfit(layout, frames, path.relative_to(layout.path).as_posix(), mark)
    return None


def misfit(layout: Layout, lines: int, name: str, mark: StateMark | None) -> FramedriftError:
    """The error for a journal and a state that are not of the same moment."""
    state = f"follows {mark.position}, the last being frame {mark.index}" if mark else "is missing"
    return FramedriftError(
        f"Run {layout.path.name} does not fit together: {layout.journal.name} has {lines} frames, {name} {state}. Put "
        "the one that is wrong back from a copy, rewind the run to a frame before it, or start a new run; the pictures "
        "are not touched."
    )
