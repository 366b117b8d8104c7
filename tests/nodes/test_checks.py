"""Bounds, choices and the graph above a node."""

import pytest

from framedrift.nodes.checks import check_bounds, upstream_graph
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.headless import io


class Knobs(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Knobs",
            inputs=[
                io.Int.Input("width", min=64, max=512),
                io.Float.Input("share", min=0.0),
                io.Float.Input("top", max=2.5, optional=True),
                io.Combo.Input("mode", options=["2D", "3D"]),
                io.Combo.Input("file", options=[]),
                io.String.Input("text"),
            ],
        )

    @classmethod
    def execute(cls, **kwargs):
        return io.NodeOutput()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"width": 513}, ["width", "513", "between 64 and 512"]),
        ({"width": 63}, ["width", "63", "between 64 and 512"]),
        ({"width": "wide"}, ["width", "'wide'", "whole number"]),
        ({"width": True}, ["width", "True", "whole number"]),
        ({"width": 64.5}, ["width", "64.5", "whole number"]),
        ({"share": -0.1}, ["share", "-0.1", "at least 0"]),
        ({"share": float("nan")}, ["share", "nan"]),
        ({"top": 3}, ["top", "3", "at most 2.5"]),
        ({"mode": "4D"}, ["mode", "'4D'", "2D, 3D"]),
        ({"file": "a.png"}, ["file", "'a.png'", "empty"]),
    ],
)
def test_a_value_out_of_bounds_is_named_with_its_bounds(given, words):
    said = check_bounds(Knobs, given)
    assert said is not None
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    "given", [{}, {"width": None, "mode": None}, {"width": 64}, {"width": 512, "top": 2.5, "mode": "3D", "text": "x"}]
)
def test_what_is_in_bounds_linked_or_missing_passes(given):
    assert check_bounds(Knobs, given) is None


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": f"a {kind}"}}


PROMPT = {
    "1": node("Model"),
    "2": node("Text", text="sky", clip=["1", 1]),
    "3": node("Sampler", seed=3, model=["1", 0], prompts=["2", 0], size=[1, 2, 3]),
}


def renamed(prompt, names):
    moved = {}
    for key, entry in reversed(prompt.items()):
        inputs = {
            name: [names[value[0]], value[1]] if isinstance(value, list) and len(value) == 2 else value
            for name, value in reversed(entry["inputs"].items())
        }
        moved[names[key]] = {"class_type": entry["class_type"], "inputs": inputs}
    return moved


def test_the_graph_above_a_node_does_not_depend_on_ids_titles_or_order():
    other = renamed(PROMPT, {"1": "7:2:1", "2": "40", "3": "7:1"})
    assert upstream_graph(PROMPT, "3") == upstream_graph(other, "7:1")


@pytest.mark.parametrize(
    "change",
    [
        {"2": node("Text", text="sea", clip=["1", 1])},
        {"2": node("Text", text="sky", clip=["1", 0])},
        {"1": node("OtherModel")},
        {"3": node("Sampler", seed=4, model=["1", 0], prompts=["2", 0], size=[1, 2, 3])},
        # Two of the same are not the same one twice: a model may keep state.
        {"4": node("Model"), "2": node("Text", text="sky", clip=["4", 1])},
    ],
)
def test_the_graph_above_a_node_changes_with_what_feeds_it(change):
    assert upstream_graph(PROMPT, "3") != upstream_graph({**PROMPT, **change}, "3")


def test_only_the_inputs_asked_for_count():
    changed = {**PROMPT, "3": node("Sampler", seed=99, model=["1", 0], prompts=["2", 0])}
    assert upstream_graph(PROMPT, "3", ["model", "prompts"]) == upstream_graph(changed, "3", ["model", "prompts"])


def test_a_graph_with_many_diamonds_stays_small():
    prompt = {"0": node("Source")}
    for k in range(1, 40):
        prompt[str(k)] = node("Join", a=[str(k - 1), 0], b=[str(k - 1), 1])
    assert len(str(upstream_graph(prompt, "39"))) < 10_000


def test_a_ring_and_a_missing_node_are_named():
    with pytest.raises(FramedriftError, match="ring: 1 -> 2 -> 1"):
        upstream_graph({"1": node("A", x=["2", 0]), "2": node("B", x=["1", 0])}, "1")
    with pytest.raises(FramedriftError, match="node 9"):
        upstream_graph({"1": node("A", x=["9", 0])}, "1")
