"""What the headless node API promises by itself; that it is ComfyUI's is test_contract's matter."""

import pytest

from framedrift.nodes.headless import io, ui


def node(*inputs, outputs=(), **schema):
    class Made(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema(node_id="Made", inputs=list(inputs), outputs=list(outputs), **schema)

    return Made


def test_inputs_are_described_as_the_page_reads_them():
    described = node(
        io.Float.Input("zoom", default=1.0, min=0.5, max=2.0, step=0.01, tooltip="Factor."),
        io.Combo.Input("border", options=["wrap", "zeros"], optional=True),
        io.MultiType.Input(io.String.Input("angle", default="0:(0)"), types=[io.Custom("S"), io.Float]),
    ).INPUT_TYPES()
    assert described["required"]["zoom"] == (
        "FLOAT",
        {"tooltip": "Factor.", "default": 1.0, "min": 0.5, "max": 2.0, "step": 0.01},
    )
    assert described["optional"] == {"border": ("COMBO", {"multiselect": False, "options": ["wrap", "zeros"]})}
    kind, options = described["required"]["angle"]
    assert kind == "STRING,S,FLOAT"
    assert options == {"default": "0:(0)", "multiline": False, "widgetType": "STRING"}


def test_output_nodes_are_told_the_prompt():
    info = node(is_output_node=True, hidden=[io.Hidden.unique_id]).GET_NODE_INFO_V1()
    assert info["input"]["hidden"] == {
        "unique_id": ("UNIQUE_ID",),
        "prompt": ("PROMPT",),
        "extra_pnginfo": ("EXTRA_PNGINFO",),
    }


def test_an_output_without_an_id_is_given_one_and_its_type_as_name():
    made = node(outputs=[io.Image.Output(), io.Mask.Output("holes")])
    assert [output.id for output in made.GET_SCHEMA().outputs] == ["_0_IMAGE_", "holes"]
    assert made.GET_NODE_INFO_V1()["output_name"] == ["IMAGE", "holes"]


@pytest.mark.parametrize(
    "twice", [{"inputs": [io.Int.Input("a"), io.Mask.Input("a")]}, {"outputs": [io.Image.Output("b")] * 2}]
)
def test_ids_must_be_unique(twice):
    with pytest.raises(ValueError, match="must be unique"):
        node(*twice.get("inputs", ()), outputs=twice.get("outputs", ())).GET_SCHEMA()


def test_an_option_that_a_kind_does_not_have_is_refused():
    with pytest.raises(TypeError, match="multiline"):
        io.Int.Input("count", multiline=True)


def test_types_are_told_apart():
    one, other = io.Custom("ONE"), io.Custom("OTHER")
    assert one.Input("x").io_type == "ONE"
    assert other.Output("x").io_type == "OTHER"
    assert io.Image.Input("x").get_io_type() == "IMAGE"


def test_a_locked_class_carries_its_hidden_inputs_and_cannot_be_written_to():
    made = node()
    locked = made.locked(io.HiddenHolder(unique_id="7"))
    assert locked.hidden.unique_id == "7"
    assert made.hidden.unique_id is None
    with pytest.raises(AttributeError, match="locked"):
        locked.memory = 1


def test_a_node_without_execute_says_so():
    with pytest.raises(NotImplementedError, match="execute"):
        node().execute()
    with pytest.raises(NotImplementedError, match="define_schema"):
        io.ComfyNode.define_schema()


def test_outputs_are_read_by_position():
    output = io.NodeOutput(1, 2, ui={"text": ("x",)})
    assert output.result == (1, 2)
    assert output[1] == 2
    assert io.NodeOutput().result is None


def test_files_are_shown_as_the_page_reads_them():
    saved = ui.SavedResult("a.png", "sub", io.FolderType.temp)
    assert saved == {"filename": "a.png", "subfolder": "sub", "type": "temp"}
    assert (saved.filename, saved.subfolder, saved.type) == ("a.png", "sub", io.FolderType.temp)
    assert ui.SavedImages([saved]).as_dict() == {"images": [saved]}
    assert ui.SavedImages([saved], is_animated=True).as_dict()["animated"] == (True,)
    assert ui.PreviewVideo([saved]).as_dict() == {"images": [saved], "animated": (True,)}
    assert ui.PreviewText("x").as_dict() == {"text": ("x",)}
