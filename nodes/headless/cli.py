"""The command line: workflows run without ComfyUI, and the runs that they make are listed, gone on with and steered."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

# Read once, when torch is loaded: without it, threads that wait for each other spin, and on a machine with other work
# each small step takes a time slice.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from ..core.errors import FramedriftError
from . import progress
from .folders import Folders
from .prompt import Prompt, PromptError
from .runner import node_classes, run_prompt
from .steer import add_commands, control_run, list_runs, resumed_prompt
from .workflow import is_workflow, workflow_to_prompt

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status.

    Standard output holds what was asked for and nothing else: for render and resume the paths of the files written.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.ERROR if getattr(options, "quiet", False) else logging.WARNING,
        stream=sys.stderr,
        format="%(levelname)s: %(message)s",
    )
    try:
        for line in COMMANDS[options.command](options):
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has enough, as `head` has; nothing more is to be written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (KeyboardInterrupt, progress.Interrupted):
        print("Stopped. The frames that were made are kept.", file=sys.stderr)
        return INTERRUPTED
    except (FramedriftError, OSError) as error:
        if options.debug:
            raise
        print(f"framedrift: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="framedrift", description="Deforum animation without ComfyUI's page.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    places = _places()
    render = commands.add_parser(
        "render",
        parents=[places],
        help="run a workflow",
        description="Runs a workflow; prints one path a line for every file written.",
    )
    render.add_argument("prompt", type=Path, metavar="PROMPT.json", help="a workflow, in API or page format")
    render.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NODE.INPUT=JSON",
        help="give an input another value; NODE is the node's id, or its type where there is one of it",
    )
    add_commands(commands, places)
    return parser


def _places() -> argparse.ArgumentParser:
    """The options of every command that renders."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--output-dir", type=Path, default=Path("output"), metavar="DIR", help="default: output")
    parser.add_argument("--models-dir", type=Path, default=Path("models"), metavar="DIR", help="default: models")
    parser.add_argument("--input-dir", type=Path, default=Path("input"), metavar="DIR", help="default: input")
    parser.add_argument("--quiet", action="store_true", help="no progress and no warnings")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def _render(options: argparse.Namespace) -> Iterable[Path]:
    classes = node_classes()
    prompt, workflow = load_prompt(options.prompt, classes)
    for assignment in options.set:
        prompt = set_input(prompt, assignment)
    return _files(prompt, classes, options, {"workflow": workflow} if workflow else None)


def _resume(options: argparse.Namespace) -> Iterable[Path]:
    return _files(resumed_prompt(options), node_classes(), options)


def _files(
    prompt: Prompt, classes: dict[str, Any], options: argparse.Namespace, extra: dict[str, Any] | None = None
) -> Iterable[Path]:
    with (
        tempfile.TemporaryDirectory(prefix="framedrift-") as temp,
        _stop_on_signal(),
        _progress_line(sys.stderr, options.quiet) as watcher,
    ):
        folders = Folders(options.output_dir, options.input_dir, Path(temp), options.models_dir)
        return run_prompt(prompt, folders, classes, extra, watcher).files


def load_prompt(path: Path, classes: dict[str, Any]) -> tuple[Prompt, dict[str, Any] | None]:
    """The prompt in a file, and the page's workflow where the file held one. Raises PromptError where it is neither."""
    if not path.is_file():
        raise PromptError(f"There is no file {path}.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PromptError(f"{path} is no JSON: {error}.") from error
    if is_workflow(document):
        return workflow_to_prompt(document, {name: cls.GET_NODE_INFO_V1() for name, cls in classes.items()}), document
    if isinstance(document, dict) and isinstance(document.get("prompt"), dict):
        return document["prompt"], None
    if not isinstance(document, dict):
        raise PromptError(f"{path} is no workflow: save one with 'Export (API)'.")
    return document, None


def set_input(prompt: Prompt, assignment: str) -> Prompt:
    """The prompt with one input changed by `NODE.INPUT=JSON`; a value that is no JSON is taken as text."""
    target, equals, text = assignment.partition("=")
    node, _, name = target.rpartition(".")
    if not equals or not node or not name:
        raise PromptError(f"--set {assignment!r} must be NODE.INPUT=VALUE, such as 7.seed=3.")
    if node not in prompt:
        of_type = [key for key, entry in prompt.items() if isinstance(entry, dict) and entry.get("class_type") == node]
        if len(of_type) != 1:
            known = ", ".join(f"{key} ({entry.get('class_type')})" for key, entry in prompt.items())
            raise PromptError(f"--set {assignment!r}: there is no node {node}; the workflow has {known}.")
        node = of_type[0]
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    changed = {**prompt[node], "inputs": {**prompt[node].get("inputs", {}), name: value}}
    return {**prompt, node: changed}


@contextmanager
def _stop_on_signal() -> Iterator[None]:
    """The first Ctrl-C asks the run to stop at its next step, a second one stops at once."""

    def stop(signum: int, frame: Any) -> None:
        progress.interrupt()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress_line(stream: TextIO, quiet: bool) -> Iterator[Any]:
    """A watcher that rewrites one line of a terminal; None where there is nobody to see it."""
    if quiet or not stream.isatty():
        yield None
        return

    def show(node_id: str, name: str, value: int, total: int) -> None:
        stream.write(f"\r\x1b[K{name}: {value}/{total}")
        stream.flush()

    try:
        yield show
    finally:
        stream.write("\r\x1b[K")
        stream.flush()


COMMANDS = {"render": _render, "resume": _resume, "runs": list_runs, "control": control_run}

if __name__ == "__main__":
    sys.exit(main())
