"""The page's own file format as a prompt."""

import copy

import pytest

from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.workflow import workflow_to_prompt


def schema(required, optional=None, name="N"):
    return {"input": {"required": required, "optional": optional or {}}, "display_name": name}


SCHEMAS = {
    "Loader": schema({"file": (["a", "b"], {"image_upload": True}), "size": ("INT", {"default": 8})}, name="Load"),
    "Sampler": schema(
        {
            "model": ("MODEL", {}),
            "seed": ("INT", {"default": 0, "control_after_generate": True}),
            "strength": ("STRING,SCHEDULE,FLOAT", {"default": "0:(1)", "widgetType": "STRING"}),
            "fps": ("FLOAT", {"default": 15.0, "forceInput": True}),
            "sampler": ("COMBO", {"options": ["euler", "ddim"]}),
        },
        {"image": ("IMAGE", {}), "note": ("STRING", {"default": "n"})},
        "Sample",
    ),
    "Pass": schema({"image": ("IMAGE", {}), "model": ("MODEL", {})}),
    "Save": schema({"image": ("IMAGE", {})}),
}


def sockets(**links):
    return [{"name": name, "type": kind, "link": link} for name, (kind, link) in links.items()]


def graph():
    return {
        "nodes": [
            {"id": 1, "type": "Loader", "mode": 0, "widgets_values": ["b", 16, "image"], "inputs": []},
            {
                "id": 2,
                "type": "Sampler",
                "title": "My sampler",
                "mode": 0,
                "inputs": [
                    *sockets(model=("MODEL", 10), image=("IMAGE", None)),
                    {"name": "strength", "type": "STRING,SCHEDULE,FLOAT", "link": 12, "widget": {"name": "strength"}},
                ],
                "widgets_values": [7, "randomize", "0:(0.5)", "ddim"],
            },
            {"id": 3, "type": "Save", "mode": 0, "inputs": sockets(image=("IMAGE", 11)), "widgets_values": []},
            {"id": 4, "type": "MarkdownNote", "mode": 0, "widgets_values": ["read me"]},
            {"id": 5, "type": "PrimitiveNode", "mode": 0, "widgets_values": [0.25, "fixed"], "outputs": []},
        ],
        "links": [[10, 1, 0, 2, 0, "MODEL"], [11, 2, 0, 3, 0, "IMAGE"], [12, 5, 0, 2, 2, "FLOAT"]],
    }


def test_widgets_are_read_by_position_and_links_go_before_them():
    prompt = workflow_to_prompt(graph(), SCHEMAS)
    assert prompt == {
        "1": {"class_type": "Loader", "inputs": {"file": "b", "size": 16}, "_meta": {"title": "Load"}},
        "2": {
            "class_type": "Sampler",
            "inputs": {"model": ["1", 0], "seed": 7, "strength": 0.25, "sampler": "ddim", "note": "n"},
            "_meta": {"title": "My sampler"},
        },
        "3": {"class_type": "Save", "inputs": {"image": ["2", 0]}, "_meta": {"title": "N"}},
    }


def test_an_input_added_since_the_file_was_saved_has_its_default():
    assert workflow_to_prompt(graph(), SCHEMAS)["2"]["inputs"]["note"] == "n"


def test_links_may_be_objects_and_widget_values_named():
    other = graph()
    other["links"] = [
        {"id": i, "origin_id": s, "origin_slot": so, "target_id": t, "target_slot": to, "type": kind}
        for i, s, so, t, to, kind in other["links"]
    ]
    other["nodes"][0]["widgets_values"] = {"file": "b", "size": 16}
    assert workflow_to_prompt(other, SCHEMAS) == workflow_to_prompt(graph(), SCHEMAS)


def through(mode):
    """The loader's model goes through node 6 before it comes to the sampler."""
    changed = graph()
    changed["nodes"].append(
        {"id": 6, "type": "Pass", "mode": mode, "inputs": sockets(image=("IMAGE", None), model=("MODEL", 20))}
    )
    changed["links"][0] = [10, 6, 0, 2, 0, "MODEL"]
    changed["links"].append([20, 1, 0, 6, 1, "MODEL"])
    return workflow_to_prompt(changed, SCHEMAS)


def test_a_node_in_between_is_kept_bypassed_or_muted():
    assert through(0)["2"]["inputs"]["model"] == ["6", 0]
    assert through(4) == workflow_to_prompt(graph(), SCHEMAS)
    muted = through(2)
    assert "6" not in muted
    assert "model" not in muted["2"]["inputs"]


def test_reroutes_are_followed():
    changed = graph()
    for key in (6, 7):
        changed["nodes"].append({"id": key, "type": "Reroute", "inputs": sockets(**{"": ("*", key + 20)})})
    changed["links"][0] = [10, 6, 0, 2, 0, "MODEL"]
    changed["links"] += [[26, 7, 0, 6, 0, "*"], [27, 1, 0, 7, 0, "*"]]
    assert workflow_to_prompt(changed, SCHEMAS) == workflow_to_prompt(graph(), SCHEMAS)


def test_the_workflow_is_not_written_into():
    original = graph()
    before = copy.deepcopy(original)
    workflow_to_prompt(original, SCHEMAS)
    assert original == before


def test_subgraphs_and_unknown_nodes_are_named():
    with pytest.raises(PromptError, match="subgraphs"):
        workflow_to_prompt(graph() | {"definitions": {"subgraphs": [{"id": "x"}]}}, SCHEMAS)
    changed = graph()
    changed["nodes"][2]["type"] = "Safe"
    with pytest.raises(PromptError, match="Node 3: there is no node of the type Safe"):
        workflow_to_prompt(changed, SCHEMAS)
