"""The commands for runs: list them, go on with one, and steer one that another process renders."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import FramedriftError
from .prompt import Prompt, PromptError

if TYPE_CHECKING:
    from ..core.run import RunStatus, RunStore

COLUMNS = ("run", "state", "reached", "diffused", "size", "on disk", "created (UTC)")


def add_commands(commands: argparse._SubParsersAction, places: argparse.ArgumentParser) -> None:
    """Adds `runs`, `resume` and `control` to the parser; `places` holds the options for rendering."""
    runs = commands.add_parser("runs", help="list the runs", description="Lists the runs, a line for each.")
    resume = commands.add_parser(
        "resume",
        parents=[places],
        help="go on with a run",
        description="Renders the workflow that a run was made by, going on where the run ends, with the edits and "
        "extensions that wait; prints one path a line for every file written.",
    )
    control = commands.add_parser(
        "control",
        help="steer a run",
        description="Gives a command to a run, which another process may be rendering: pause, resume, stop, cancel, "
        "edit (strength_schedule=0:(0.5) ...), rewind (frame=20) or extend (frames=48).",
    )
    for parser in (resume, control):
        parser.add_argument("run", metavar="RUN", help="the run's name, as `framedrift runs` shows it")
    control.add_argument("action", metavar="ACTION", help="what the run is to do")
    control.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="what the action needs to know")
    for parser in (runs, control):
        parser.add_argument("--output-dir", type=Path, default=Path("output"), metavar="DIR", help="default: output")
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument("--debug", action="store_true", help="show where an error came from")


def run_store(output: Path) -> RunStore:
    """The runs in an output folder, where the sampler puts them."""
    from ..core.run import RunStore
    from ..core.run.names import RUN_FOLDER

    return RunStore(output / RUN_FOLDER)


def list_runs(options: argparse.Namespace) -> Iterator[str]:
    """The lines of `framedrift runs`."""
    store = run_store(options.output_dir)
    statuses = store.statuses()
    if options.json:
        yield json.dumps([{**status.as_dict(), "bytes": store.size_of(status.path)} for status in statuses], indent=2)
        return
    if not statuses:
        yield f"There are no runs in {store.root}."
        return
    rows = [COLUMNS, *(_row(status, store.size_of(status.path)) for status in statuses)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for status in statuses:
        if status.problem:
            yield f"{status.name}: {status.problem}"


def _row(status: RunStatus, size: int) -> tuple[str, ...]:
    length = "?" if status.num_frames is None else str(status.num_frames)
    pixels = f"{status.width}x{status.height}" if status.width and status.height else "?"
    state = f"{status.state}, {len(status.pending)} waiting" if status.pending else status.state
    created = status.created[:16].replace("T", " ")
    reached = f"{status.last_frame + 1}/{length}"
    return status.name, state, reached, str(status.frames), pixels, f"{size / 1e6:.1f} MB", created


def control_run(options: argparse.Namespace) -> Iterator[str]:
    """Gives the command of `framedrift control`, and the line that says what comes of it."""
    from ..core.run import give

    arguments: dict[str, object] = {}
    for assignment in options.arguments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise FramedriftError(f"{assignment!r} must be NAME=VALUE, such as frame=20 or strength_schedule=0:(0.5).")
        arguments[name] = value
    if options.action == "edit":
        arguments = {"changes": arguments}
    answer = give(run_store(options.output_dir), options.run, options.action, **arguments)
    yield json.dumps(answer) if options.json else f"{answer['run']}: {answer['action']}. {answer['note']}"


def resumed_prompt(options: argparse.Namespace) -> Prompt:
    """The workflow that a run was made by, its sampler told to go on with that run.

    Raises:
        PromptError: the run was made by a version that did not keep its workflow, or in another way.
    """
    store = run_store(options.output_dir)
    # Checked first: what is wrong with the run is said before anything is loaded.
    status = store.status(options.run)
    manifest = store.read_manifest(options.run)
    if status.problem:
        raise FramedriftError(status.problem)
    prompt, node = manifest.get("prompt"), str(manifest.get("node"))
    if not isinstance(prompt, dict) or node not in prompt:
        raise PromptError(
            f"Run {status.name} does not hold the workflow that it was made by. Render its workflow with "
            f'--set FramedriftFrameFeedbackSampler.resume="named run" --set '
            f"FramedriftFrameFeedbackSampler.run_name={status.name}."
        )
    from ..core.run.resume import NAMED_RUN

    inputs = {**prompt[node].get("inputs", {}), "resume": NAMED_RUN, "run_name": status.name}
    return {**prompt, node: {**prompt[node], "inputs": inputs}}
