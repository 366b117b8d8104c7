"""Checks a prompt (ComfyUI's API format) before anything runs, and says in which order its nodes run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..checks import check_value, is_link
from ..core.errors import FramedriftError

#: A prompt: node id to {"class_type": ..., "inputs": {...}, "_meta": {"title": ...}}.
Prompt = dict[str, dict[str, Any]]
Classes = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """What is wrong with one node; `field` is the input, or empty where it is the whole node."""

    node: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.node}: {self.message}"


class PromptError(FramedriftError):
    """A workflow that cannot run; `problems` holds everything that was found."""

    def __init__(self, *problems: Problem | str):
        self.problems = problems
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")


def label(prompt: Prompt, node_id: str, classes: Classes) -> str:
    """How a node is called in messages: `Node 7 "My title" (FramedriftCamera3D)`."""
    node = prompt[node_id]
    kind = node.get("class_type")
    title = (node.get("_meta") or {}).get("title")
    if not title and kind in classes:
        title = classes[kind].GET_SCHEMA().display_name
    return f"Node {node_id}" + (f' "{title}"' if title and title != kind else "") + (f" ({kind})" if kind else "")


def check_prompt(prompt: Any, classes: Classes) -> Prompt:
    """The prompt with every value in its input's type; `prompt` itself stays as it is.

    Raises PromptError with everything that is wrong: unknown nodes and inputs, missing inputs, links to nowhere or of
    the wrong type, values out of bounds, rings, what the nodes' own `validate_inputs` say, and no output node at all.
    """
    if not isinstance(prompt, dict) or not prompt:
        raise PromptError("The workflow has no nodes.")
    problems = [Problem(f"Node {key}", "", text) for key, node in prompt.items() if (text := _shape_problem(node))]
    if problems:
        raise PromptError(*problems)
    for node_id, node in prompt.items():
        kind = node["class_type"]
        if kind not in classes:
            message = f"there is no node of the type {kind} here; the command line knows {', '.join(sorted(classes))}."
            problems.append(Problem(label(prompt, node_id, classes), "", message))
    if problems:
        raise PromptError(*problems)

    needed = execution_order(prompt, classes)
    checked = {node_id: {**node, "inputs": dict(node["inputs"])} for node_id, node in prompt.items()}
    for node_id in needed:
        problems += _check_node(checked, node_id, classes)
    if problems:
        raise PromptError(*problems)
    return checked


def execution_order(prompt: Prompt, classes: Classes) -> list[str]:
    """The nodes that output nodes need, each after those that it links to. Raises PromptError for rings, or none."""
    outputs = [key for key, node in prompt.items() if classes[node["class_type"]].GET_SCHEMA().is_output_node]
    if not outputs:
        raise PromptError("The workflow has no output node, such as Video Combine: nothing would be written.")
    order: list[str] = []
    done: set[str] = set()
    for output in outputs:
        path: list[tuple[str, list[str]]] = [(output, links(prompt, output))] if output not in done else []
        while path:
            node_id, rest = path[-1]
            if not rest:
                path.pop()
                done.add(node_id)
                order.append(node_id)
                continue
            source = rest.pop(0)
            open_nodes = [entry[0] for entry in path]
            if source in open_nodes:
                ring = " -> ".join([*open_nodes[open_nodes.index(source) :], source])
                raise PromptError(Problem(label(prompt, source, classes), "", f"feeds itself: {ring}."))
            if source in prompt and source not in done:
                path.append((source, links(prompt, source)))
    return order


def links(prompt: Prompt, node_id: str) -> list[str]:
    """The nodes that a node's inputs are linked to, each once."""
    return list(dict.fromkeys(value[0] for value in prompt[node_id]["inputs"].values() if is_link(value)))


def _shape_problem(node: Any) -> str:
    if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
        return "has no class_type; save the workflow with 'Export (API)'."
    return "" if isinstance(node.get("inputs"), dict) else "has no inputs."


def _check_node(prompt: Prompt, node_id: str, classes: Classes) -> list[Problem]:
    cls = classes[prompt[node_id]["class_type"]]
    given = prompt[node_id]["inputs"]
    name = label(prompt, node_id, classes)
    types = cls.INPUT_TYPES()
    required, optional = types.get("required", {}), types.get("optional", {})
    known = {**required, **optional}
    problems = [
        Problem(name, key, f"has no input {key}; its inputs are {', '.join(known)}.")
        for key in given
        if key not in known
    ]
    for key, (kind, options, *_) in known.items():
        if key not in given:
            if key in required:
                problems.append(Problem(name, key, f"{key} is missing: it needs {_wanted(kind)}."))
        elif is_link(given[key]):
            if text := _link_problem(prompt, classes, key, kind, given[key]):
                problems.append(Problem(name, key, text))
        else:
            given[key] = _converted(kind, given[key])
            if text := _value_problem(cls, key, kind, options, given[key]):
                problems.append(Problem(name, key, text))
    if not problems and cls.overrides("validate_inputs"):
        values = {key: None if is_link(value) else value for key, value in given.items()}
        verdict = cls.validate_inputs(**values)
        if verdict is not True:
            problems.append(Problem(name, "", verdict or "does not accept its inputs."))
    return problems


def _wanted(kind: str) -> str:
    typed = {"INT": "a whole number", "FLOAT": "a number", "STRING": "a text", "COMBO": "a choice"}
    return typed.get(kind) or f"a link of type {' or '.join(kind.split(','))}"


def _link_problem(prompt: Prompt, classes: Classes, key: str, kind: str, link: list) -> str | None:
    source, slot = link
    if source not in prompt:
        return f"{key} is linked to node {source}, which the workflow does not have."
    given = [output.io_type for output in classes[prompt[source]["class_type"]].GET_SCHEMA().outputs]
    if not 0 <= slot < len(given):
        return f"{key} is linked to output {slot} of node {source}, which has {len(given)}."
    accepted, offered = set(kind.split(",")), set(given[slot].split(","))
    if "*" in accepted | offered or accepted & offered:
        return None
    return f"{key} takes {' or '.join(kind.split(','))}, and is linked to {given[slot]} of node {source}."


def _converted(kind: str, value: Any) -> Any:
    """A value in its input's type where nothing is lost; else as it is, for the check to speak of."""
    if isinstance(value, dict) and "__value__" in value:  # ComfyUI's way to write a list that is no link
        value = value["__value__"]
    if kind == "STRING" and not isinstance(value, str | list | dict):
        return str(value)
    if kind == "BOOLEAN" and value in (0, 1):
        return bool(value)
    if kind in ("INT", "FLOAT") and not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            number = float(value) if kind == "FLOAT" or isinstance(value, float) else int(value)
        except ValueError:
            return value
        return int(number) if kind == "INT" and float(number).is_integer() else number
    return value


def _value_problem(cls: Any, key: str, kind: str, options: dict[str, Any], value: Any) -> str | None:
    if isinstance(value, list):
        return f"{key} is {value!r}, which is no link: a link is [node id, output number]."
    widget = options.get("widgetType", kind)
    if widget not in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"):
        return f"{key} is {value!r}, and needs {_wanted(kind)}."
    if kind == "BOOLEAN" and not isinstance(value, bool):
        return f"{key} is {value!r}, and must be true or false."
    if widget == "COMBO" and "image_upload" in options and cls.overrides("validate_inputs"):
        return None  # files may come after the list was made, or from a subfolder: the node looks for itself
    return check_value(key, kind, options, value)
