"""Turns a workflow as the page saves it (nodes, links and widget values by position) into a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .prompt import Problem, Prompt, PromptError

_WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
_NOTES = {"Note", "MarkdownNote"}
_ALWAYS, _MUTED, _BYPASSED = 0, 2, 4


def is_workflow(document: Any) -> bool:
    """Whether a JSON document is a workflow of the page, and not a prompt."""
    return isinstance(document, dict) and isinstance(document.get("nodes"), list)


@dataclass(frozen=True)
class _Link:
    source: str
    slot: int
    type: str


def workflow_to_prompt(workflow: dict[str, Any], schemas: Mapping[str, dict[str, Any]]) -> Prompt:
    """The prompt that the page would queue for this workflow.

    `schemas` gives for every node type what ComfyUI's /object_info serves (`GET_NODE_INFO_V1()`): its order of inputs
    is the order of the widget values. Muted nodes are left out, bypassed ones passed through by type; Reroute and
    Primitive nodes are resolved, notes ignored. Raises PromptError for subgraphs and node types not in `schemas`.
    """
    if (workflow.get("definitions") or {}).get("subgraphs"):
        raise PromptError("The workflow has subgraphs: unpack them first, or save it with 'Export (API)'.")
    nodes = {str(node["id"]): node for node in workflow["nodes"]}
    graph = _Graph(nodes, dict(_links(workflow.get("links") or [])), schemas)
    kept = [key for key, node in nodes.items() if graph.runs(node)]
    unknown = [key for key in kept if nodes[key]["type"] not in schemas]
    if unknown:
        raise PromptError(
            *(Problem(f"Node {key}", "", f"there is no node of the type {nodes[key]['type']} here.") for key in unknown)
        )
    return {key: graph.prompt_node(key) for key in kept}


def _links(entries: list) -> Iterator[tuple[int, _Link]]:
    for entry in entries:
        if isinstance(entry, dict):
            yield entry["id"], _Link(str(entry["origin_id"]), entry["origin_slot"], entry.get("type", "*"))
        else:
            yield entry[0], _Link(str(entry[1]), entry[2], entry[5] if len(entry) > 5 else "*")


@dataclass(frozen=True)
class _Graph:
    nodes: dict[str, dict[str, Any]]
    links: dict[int, _Link]
    schemas: Mapping[str, dict[str, Any]]

    def runs(self, node: dict[str, Any]) -> bool:
        virtual = node["type"] in _NOTES | {"Reroute", "PrimitiveNode"}
        return not virtual and node.get("mode", _ALWAYS) not in (_MUTED, _BYPASSED)

    def prompt_node(self, key: str) -> dict[str, Any]:
        node = self.nodes[key]
        schema = self.schemas[node["type"]]
        inputs = widget_values(schema, node.get("widgets_values"))
        for socket in node.get("inputs") or []:
            if socket.get("link") is None:
                continue
            name = (socket.get("widget") or {}).get("name") or socket["name"]
            source = self.source(self.links.get(socket["link"]))
            if source is not None:
                inputs[name] = source
        order = [name for group in ("required", "optional") for name in schema["input"].get(group, {})]
        inputs = {name: inputs[name] for name in sorted(inputs, key=order.index) if name in order}
        title = node.get("title") or schema.get("display_name") or node["type"]
        return {"inputs": inputs, "class_type": node["type"], "_meta": {"title": title}}

    def source(self, link: _Link | None) -> Any:
        """What feeds a link: [node id, output], a primitive's value, or None where it leads to nothing that runs."""
        seen = set()
        while link is not None and link.source in self.nodes and link.source not in seen:
            seen.add(link.source)
            node = self.nodes[link.source]
            mode = node.get("mode", _ALWAYS)
            if mode == _MUTED:
                return None
            if node["type"] == "PrimitiveNode" and mode != _BYPASSED:
                return (node.get("widgets_values") or [None])[0]
            if self.runs(node):
                return [link.source, link.slot]
            link = self._through(node, link)
        return None

    def _through(self, node: dict[str, Any], link: _Link) -> _Link | None:
        """The link that a bypassed node or a Reroute passes on: an input of its type, that at its place first."""
        sockets = node.get("inputs") or []
        if node["type"] == "Reroute":
            fitting = sockets[:1]
        else:
            here = sockets[link.slot : link.slot + 1]
            fitting = [socket for socket in [*here, *sockets] if socket.get("type") == link.type]
        return next((self.links.get(socket["link"]) for socket in fitting if socket.get("link") is not None), None)


def widget_values(schema: dict[str, Any], values: list | dict | None) -> dict[str, Any]:
    """The values of a node's widgets by input: a widget without a saved value has its default."""
    saved = values if isinstance(values, dict) else {}
    rest = list(values) if isinstance(values, list) else []
    result = {}
    for group in ("required", "optional"):
        uploads = 0
        for name, spec in schema["input"].get(group, {}).items():
            kind, options = spec[0], (spec[1] if len(spec) > 1 else {})
            if not has_widget(kind, options):
                continue
            default = options.get("default", _first_choice(kind, options))
            if rest:
                result[name] = rest.pop(0)
                uploads += _uploads(options)
                if _is_controlled(name, kind, options):
                    rest[:1] = []
            elif name in saved or default is not None:
                result[name] = saved.get(name, default)
        # The page puts the upload button behind the last input of the group.
        rest[:uploads] = []
    return result


def has_widget(kind: Any, options: dict[str, Any]) -> bool:
    """Whether the page gives this input a widget, and so a place in the node's widget values."""
    if options.get("forceInput"):
        return False
    return isinstance(kind, list) or options.get("widgetType", kind) in _WIDGETS


def _first_choice(kind: Any, options: dict[str, Any]) -> Any:
    choices = kind if isinstance(kind, list) else options.get("options") or []
    return choices[0] if choices else None


def _is_controlled(name: str, kind: Any, options: dict[str, Any]) -> bool:
    """Whether the page adds 'control after generate' behind this widget, which is no input."""
    return bool(options.get("control_after_generate", kind == "INT" and name in ("seed", "noise_seed")))


def _uploads(options: dict[str, Any]) -> bool:
    """Whether the page adds an upload button for this widget, which is no input."""
    return any(options.get(f"{what}_upload") for what in ("image", "audio", "video"))
