"""Runs a prompt without ComfyUI: what output nodes need, each node once, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks import is_link
from ..core.errors import FramedriftError
from . import folders as folder_state
from . import progress
from .io import ComfyNode, Hidden, HiddenHolder, NodeOutput
from .prompt import Classes, Prompt, check_prompt, execution_order, label, links

#: Told of a node's steps: (node id, its label, value, total). A node that starts is at 0 of 1.
Watcher = Callable[[str, str, int, int], None]


class NodeError(FramedriftError):
    """A node failed; the message says which one and why, and the cause is attached."""


@dataclass(frozen=True)
class Rendered:
    """What a run left: the files that its nodes name as results, in order, and what each node showed."""

    files: tuple[Path, ...]
    shown: dict[str, dict[str, Any]]


def node_classes() -> dict[str, type[ComfyNode]]:
    """Every node that runs here by its id: the pack's own, and ComfyUI's Load Image."""
    from ..extension import NODES
    from .images import LoadImage

    return {node.GET_SCHEMA().node_id: node for node in (*NODES, LoadImage)}


def run_prompt(
    prompt: Prompt,
    folders: folder_state.Folders | None = None,
    classes: Classes | None = None,
    extra_pnginfo: dict[str, Any] | None = None,
    watcher: Watcher | None = None,
) -> Rendered:
    """Checks the whole prompt, then runs it.

    `folders` are the folders it reads and writes, `extra_pnginfo` what goes into files besides the prompt (the
    workflow). Raises PromptError before the first node runs, NodeError when a node fails, Interrupted when stopped.
    """
    classes = node_classes() if classes is None else classes
    with folder_state.using(folders or folder_state.current()) as places:
        checked = check_prompt(prompt, classes)
        order = execution_order(checked, classes)
        uses = Counter(source for node_id in order for source in links(checked, node_id))
        outputs: dict[str, tuple] = {}
        shown: dict[str, dict[str, Any]] = {}
        for node_id in order:
            result = _run_node(checked, node_id, classes, outputs, extra_pnginfo, watcher)
            outputs[node_id] = result.result or ()
            if result.ui is not None:
                shown[node_id] = result.ui if isinstance(result.ui, dict) else result.ui.as_dict()
            uses.subtract(links(checked, node_id))
            # A finished node's outputs may be large: they go as soon as nothing is left that reads them.
            for spent in [key for key in outputs if uses[key] <= 0]:
                del outputs[spent]
        return Rendered(_written(shown, places), shown)


def _run_node(
    prompt: Prompt,
    node_id: str,
    classes: Classes,
    outputs: dict[str, tuple],
    extra_pnginfo: dict[str, Any] | None,
    watcher: Watcher | None,
) -> NodeOutput:
    cls = classes[prompt[node_id]["class_type"]]
    name = label(prompt, node_id, classes)
    listener = (lambda value, total, preview: watcher(node_id, name, value, total)) if watcher else None
    progress.check_interrupted()
    try:
        with progress.listening(listener):
            if listener:
                listener(0, 1, None)
            values = {
                key: outputs[value[0]][value[1]] if is_link(value) else value
                for key, value in prompt[node_id]["inputs"].items()
            }
            result = cls.locked(_hidden(cls, prompt, node_id, extra_pnginfo)).execute(**values)
    except progress.Interrupted:
        raise
    except FramedriftError as error:
        raise NodeError(f"{name}: {error}") from error
    except Exception as error:
        raise NodeError(f"{name}: {type(error).__name__}: {error}") from error
    if isinstance(result, NodeOutput):
        return result
    return NodeOutput() if result is None else NodeOutput(*result)


def _hidden(cls: Any, prompt: Prompt, node_id: str, extra_pnginfo: dict[str, Any] | None) -> HiddenHolder:
    told = {Hidden.unique_id: node_id, Hidden.prompt: prompt, Hidden.extra_pnginfo: extra_pnginfo}
    return HiddenHolder(**{kind.name: told.get(kind) for kind in cls.GET_SCHEMA().hidden})


def _written(shown: dict[str, dict[str, Any]], places: folder_state.Folders) -> tuple[Path, ...]:
    files = []
    for entries in shown.values():
        for values in entries.values():
            for value in values if isinstance(values, list | tuple) else ():
                if isinstance(value, dict) and "filename" in value and value.get("type") == "output":
                    files.append(places.output / value.get("subfolder", "") / value["filename"])
    return tuple(dict.fromkeys(files))
