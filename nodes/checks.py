"""What can be said about a node's inputs before it runs, from its schema and the prompt that it stands in."""

from __future__ import annotations

import math
from typing import Any

from .core.errors import FramedriftError

_NUMBERS = {"INT": "a whole number", "FLOAT": "a number"}


def check_bounds(cls: Any, values: dict[str, Any]) -> str | None:
    """What ComfyUI would say about bounds and choices of `values`, or None where all is well.

    A node with a `validate_inputs(cls, **kwargs)` has to call this first: ComfyUI then leaves every check to it. Inputs
    that are linked are None or missing there, and are not looked at.
    """
    inputs = cls.INPUT_TYPES()
    for name, (kind, options, *_) in {**inputs.get("required", {}), **inputs.get("optional", {})}.items():
        value = values.get(name)
        if value is not None and (problem := check_value(name, kind, options, value)):
            return problem
    return None


def check_value(name: str, kind: str, options: dict[str, Any], value: Any) -> str | None:
    """The same for one input that has this value; `kind` is its io type ("INT", "STRING,FLOAT", ...)."""
    if "options" in options and kind == "COMBO":
        return _check_choice(name, options["options"], value)
    number = not isinstance(value, bool) and isinstance(value, int | float)
    if kind in _NUMBERS and (not number or (kind == "INT" and not float(value).is_integer())):
        return f"{name} is {value!r}, and must be {_NUMBERS[kind]}."
    if not number:
        return None
    low, high = options.get("min"), options.get("max")
    if math.isnan(value) or (low is not None and value < low) or (high is not None and value > high):
        return f"{name} is {value}, and must be {_range(low, high)}."
    return None


def _check_choice(name: str, choices: list, value: Any) -> str | None:
    if value in choices:
        return None
    if not choices:
        return f"{name} is {value!r}, but there is nothing to choose from: the folder that it lists is empty."
    listed = ", ".join(map(str, choices[:20])) + (f", ... ({len(choices)} in all)" if len(choices) > 20 else "")
    return f"{name} is {value!r}, and must be one of: {listed}."


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else "a number"


def is_link(value: Any) -> bool:
    """Whether a prompt's input value is a link, `[node id, output number]`."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and not isinstance(value[1], bool)
    )


def upstream_graph(prompt: dict[str, Any], node_id: str, inputs: list[str] | None = None) -> dict[str, Any]:
    """Everything upstream of a node, nested: equal for two prompts that compute the same there, and fit for JSON.

    A node is `{"class": ..., "inputs": {name: {"value": ...} | {"link": node, "output": number}}}` with its inputs in
    alphabetical order. Ids and titles leave no trace, so that a graph which was renumbered, or moved into a subgraph
    ("1:2:3"), stays the same. `inputs` are the node's own inputs that count, None for all. A node that is reached a
    second time is `{"again": k}`, k counting nodes in order of appearance, so that this stays as small as the graph.
    Raises FramedriftError where the prompt lacks a node or the links form a ring.
    """
    numbers: dict[str, int] = {}
    open_nodes: list[str] = []

    def describe(current: str, only: list[str] | None) -> dict[str, Any]:
        if current in open_nodes:
            ring = " -> ".join([*open_nodes[open_nodes.index(current) :], current])
            raise FramedriftError(f"The workflow's links form a ring: {ring}.")
        if current in numbers:
            return {"again": numbers[current]}
        if current not in prompt:
            raise FramedriftError(f"The workflow links to node {current}, which it does not have.")
        open_nodes.append(current)
        numbers[current] = len(numbers)
        described: dict[str, Any] = {}
        for name, value in sorted(prompt[current].get("inputs", {}).items()):
            if only is None or name in only:
                link = is_link(value)
                described[name] = {"link": describe(value[0], None), "output": value[1]} if link else {"value": value}
        open_nodes.pop()
        return {"class": prompt[current].get("class_type"), "inputs": described}

    return describe(node_id, inputs)
