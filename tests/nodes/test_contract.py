"""The headless node API says of every node what ComfyUI's own says."""

import asyncio
import inspect
import json

import pytest

from framedrift.nodes.headless import io as headless_io
from framedrift.nodes.headless.runner import node_classes

pytestmark = pytest.mark.comfyui

# Where the two worlds differ by design: what there is to choose from.
HOSTS_OWN = {"sampler_name", "scheduler", "lora_name"}


def every_kind(io):
    """A node with every kind of input, output and option that the headless API has."""

    class EveryKind(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            thing = io.Custom("FRAMEDRIFT_TEST")
            return io.Schema(
                node_id="FramedriftEveryKind",
                display_name="Every Kind",
                category="Framedrift/test",
                description="One of each.",
                search_aliases=["all"],
                is_output_node=True,
                is_experimental=True,
                hidden=[io.Hidden.unique_id],
                inputs=[
                    io.Boolean.Input("flag", default=True, label_on="on", label_off="off", tooltip="A choice."),
                    io.Int.Input("bare"),
                    io.Int.Input(
                        "count", "Count", default=3, min=1, max=9, step=2, display_mode=io.NumberDisplay.slider
                    ),
                    io.Int.Input("seed", default=0, control_after_generate=True, advanced=True),
                    io.Float.Input("share", default=0.5, min=0.0, max=1.0, step=0.01, round=0.001),
                    io.Float.Input("wire", force_input=True, display_mode=io.NumberDisplay.number),
                    io.String.Input("text", default="", multiline=True, placeholder="here", dynamic_prompts=False),
                    io.String.Input("line", socketless=True, extra_dict={"note": 1}),
                    io.Combo.Input("choice", options=["a", "b"], default="b"),
                    io.Combo.Input("numbers", options=[1, 2], optional=True, lazy=True),
                    io.Combo.Input("enum", options=io.FolderType, default=io.FolderType.temp),
                    io.Combo.Input(
                        "file", options=[], upload=io.UploadType.image, image_folder=io.FolderType.output, optional=True
                    ),
                    io.Image.Input("image", tooltip="A picture."),
                    io.Mask.Input("mask", optional=True),
                    io.MultiType.Input(
                        io.String.Input("many", default="0:(1)", tooltip="Text.", multiline=True),
                        types=[thing, io.Float, io.Int],
                        tooltip="Not this one.",
                    ),
                    io.MultiType.Input("either", types=[io.Image, io.Video, io.Image], optional=True),
                    io.MultiType.Input(thing.Input("mine", optional=True), types=[io.Float], display_name="Mine"),
                    thing.Input("thing", optional=True, raw_link=True),
                    *(
                        getattr(io, name).Input(name.lower())
                        for name in ("Latent", "Conditioning", "Model", "Clip", "Vae", "ControlNet", "Audio", "Sigmas")
                    ),
                    io.AnyType.Input("anything", optional=True),
                ],
                outputs=[
                    io.Image.Output("image", tooltip="It."),
                    io.Mask.Output(display_name="holes"),
                    io.Video.Output(),
                    thing.Output("thing", "Thing", is_output_list=True),
                ],
            )

        @classmethod
        def execute(cls, **kwargs):
            return io.NodeOutput()

    return EveryKind


SNIPPET = (
    inspect.getsource(every_kind)
    + """
from comfy_api.latest import io
one = every_kind(io)
result = {cls.GET_SCHEMA().node_id: cls.GET_NODE_INFO_V1() for cls in [one, *node_list]}
"""
)


@pytest.fixture(scope="module")
def real(comfyui, tmp_path_factory):
    return comfyui.run(SNIPPET, tmp_path_factory.mktemp("contract"))


def comparable(info):
    """What /object_info serves, as JSON has it, without what the two hosts list differently."""
    info = json.loads(json.dumps(info))
    info.pop("python_module")
    for group in ("required", "optional"):
        for name, (kind, options) in info["input"].get(group, {}).items():
            if name in HOSTS_OWN or "image_upload" in options or (kind == "COMBO" and "model" in name):
                options.pop("options")
    return info


def test_every_kind_of_input_and_output_is_described_alike(real):
    assert comparable(every_kind(headless_io).GET_NODE_INFO_V1()) == comparable(real["FramedriftEveryKind"])


def test_the_order_of_inputs_is_the_same(real):
    mine = every_kind(headless_io).GET_NODE_INFO_V1()
    assert json.dumps(mine["input_order"]) == json.dumps(real["FramedriftEveryKind"]["input_order"])


def test_both_worlds_have_the_same_nodes(real):
    assert set(real) - {"FramedriftEveryKind"} == set(node_classes()) - {"LoadImage"}


@pytest.mark.parametrize("node_id", [name for name in node_classes() if name != "LoadImage"])
def test_every_node_is_described_alike(real, node_id):
    assert comparable(node_classes()[node_id].GET_NODE_INFO_V1()) == comparable(real[node_id])


def test_the_extension_lists_its_nodes():
    from framedrift import comfy_entrypoint

    extension = asyncio.run(comfy_entrypoint())
    listed = asyncio.run(extension.get_node_list())
    assert [cls.GET_SCHEMA().node_id for cls in listed] == [name for name in node_classes() if name != "LoadImage"]
