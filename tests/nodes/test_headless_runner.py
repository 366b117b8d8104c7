"""Prompts without ComfyUI: what is refused before it runs, what runs, and in which order."""

import weakref

import pytest
import torch
from PIL import Image

from framedrift.nodes.headless import io, progress, ui
from framedrift.nodes.headless.folders import Folders, current
from framedrift.nodes.headless.images import LoadImage
from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.runner import NodeError, run_prompt

RAN = []
ALIVE = {}


class Token:
    """Something whose life can be watched."""


def declare(node_id, inputs, outputs=(), hidden=(), output_node=False):
    return io.Schema(
        node_id=node_id,
        display_name=f"The {node_id}",
        inputs=list(inputs),
        outputs=list(outputs),
        hidden=list(hidden),
        is_output_node=output_node,
    )


class Source(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return declare(
            "Source",
            [io.Int.Input("value", min=0, max=9), io.Combo.Input("mode", options=["a", "b"], optional=True)],
            [io.Custom("THING").Output("thing"), io.Int.Output("number")],
        )

    @classmethod
    def execute(cls, value, mode="a"):
        RAN.append(f"source {value}")
        token = Token()
        ALIVE[value] = weakref.ref(token)
        return io.NodeOutput(token, value)


class Join(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        thing = io.Custom("THING")
        number = io.MultiType.Input(io.String.Input("text", default="x"), types=[io.Int, io.Float])
        return declare("Join", [thing.Input("a"), thing.Input("b", optional=True), number], [thing.Output("thing")])

    @classmethod
    def validate_inputs(cls, **kwargs):
        return "text is 'bad', and must be good." if kwargs.get("text") == "bad" else True

    @classmethod
    def execute(cls, a, text, b=None):
        RAN.append(f"join {text}")
        if text == "burn":
            raise RuntimeError("smoke")
        if text == "write to the class":
            cls.memory = 1
        return (Token(),)


class Save(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        hidden = [io.Hidden.unique_id]
        return declare("Save", [io.Custom("THING").Input("thing")], hidden=hidden, output_node=True)

    @classmethod
    def execute(cls, thing):
        RAN.append({value for value, alive in ALIVE.items() if alive() is not None})
        RAN.append((cls.hidden.unique_id, sorted(cls.hidden.prompt), cls.hidden.extra_pnginfo, cls.hidden.dynprompt))
        name = f"{cls.hidden.unique_id}.txt"
        path = current().output / "sub" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        bar = progress.Progress(2)
        bar.step(1)
        bar.step(5)
        progress.check_interrupted()
        preview = ui.SavedResult("preview.png", "", io.FolderType.temp)
        return io.NodeOutput(ui=ui.PreviewVideo([ui.SavedResult(name, "sub", io.FolderType.output), preview]))


CLASSES = {"Source": Source, "Join": Join, "Save": Save, "LoadImage": LoadImage}


@pytest.fixture(autouse=True)
def _fresh():
    RAN.clear()
    ALIVE.clear()


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def chain(**text):
    return {
        "9": node("Save", thing=["3", 0]),
        "3": node("Join", a=["1", 0], b=["2", 0], **({"text": "x"} | text)),
        "2": node("Source", value=2),
        "1": node("Source", value=1, mode="b"),
        "5": node("Source", value=5),
    }


def test_only_what_an_output_needs_runs_once_and_in_order(tmp_path):
    done = run_prompt(chain(), Folders(output=tmp_path), CLASSES, {"workflow": {"id": 1}})
    assert RAN[:3] == ["source 1", "source 2", "join x"]
    assert done.files == (tmp_path / "sub" / "9.txt",)
    assert done.files[0].read_text() == "x"
    assert done.shown["9"]["animated"] == (True,)


def test_outputs_go_when_nothing_reads_them_any_more(tmp_path):
    run_prompt(chain(), Folders(output=tmp_path), CLASSES)
    assert RAN[3] == set()


def test_hidden_inputs_are_what_the_node_asked_for(tmp_path):
    run_prompt(chain(), Folders(output=tmp_path), CLASSES, {"workflow": {"id": 1}})
    assert RAN[4] == ("9", ["1", "2", "3", "5", "9"], {"workflow": {"id": 1}}, None)


def test_a_shared_node_runs_once(tmp_path):
    prompt = chain() | {"3": node("Join", a=["1", 0], b=["1", 0], text="x"), "10": node("Save", thing=["1", 0])}
    run_prompt(prompt, Folders(output=tmp_path), CLASSES)
    assert RAN.count("source 1") == 1


def test_a_long_chain_does_not_end_in_a_recursion_error(tmp_path):
    prompt = {"0": node("Source", value=0)}
    prompt |= {str(k): node("Join", a=[str(k - 1), 0], text=str(k)) for k in range(1, 3000)}
    run_prompt(prompt | {"save": node("Save", thing=["2999", 0])}, Folders(output=tmp_path), CLASSES)
    assert RAN[2999] == "join 2999"


def test_progress_is_told_with_the_nodes_name(tmp_path):
    seen = []
    run_prompt(chain(), Folders(output=tmp_path), CLASSES, watcher=lambda *step: seen.append(step))
    name = 'Node 9 "The Save" (Save)'
    assert seen[-3:] == [("9", name, 0, 1), ("9", name, 1, 2), ("9", name, 2, 2)]


def broken(**changes):
    return {key: entry for key, entry in (chain() | changes).items() if entry is not None}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ({}, ["no nodes"]),
        ([], ["no nodes"]),
        ({"1": {"inputs": {}}}, ["Node 1", "class_type"]),
        ({"1": {"class_type": "Save"}}, ["Node 1", "no inputs"]),
        ({"1": node("Source", value=1)}, ["no output node"]),
        (broken(**{"3": node("Joint")}), ["Node 3 (Joint)", "no node of the type Joint", "Join"]),
        (broken(**{"2": node("Source")}), ['Node 2 "The Source" (Source)', "value is missing", "a whole number"]),
        (broken(**{"2": node("Source", value=10)}), ["value is 10", "between 0 and 9"]),
        (broken(**{"2": node("Source", value=1.5)}), ["value is 1.5", "whole number"]),
        (broken(**{"2": node("Source", value="many")}), ["value is 'many'", "whole number"]),
        (broken(**{"2": node("Source", value=1, mode="c")}), ["mode is 'c'", "a, b"]),
        (broken(**{"2": node("Source", value=1, size=3)}), ["no input size", "value, mode"]),
        (broken(**{"2": node("Source", value=["1", 0])}), ["value takes INT", "THING of node 1"]),
        (broken(**{"2": node("Source", value=["1", 7])}), ["output 7 of node 1", "which has 2"]),
        (broken(**{"2": node("Source", value=["8", 0])}), ["node 8", "does not have"]),
        (broken(**{"2": node("Source", value=["1", 0, 0])}), ["no link"]),
        (broken(**{"3": node("Join", a="thing", text="x")}), ["a is 'thing'", "link of type THING"]),
        (broken(**{"3": node("Join", a=["1", 0], text=["2", 0])}), ["text takes STRING or INT or FLOAT", "THING"]),
        (chain(text="bad"), ["must be good"]),
        (broken(**{"1": node("Join", a=["3", 0], text="x")}), ["feeds itself", "3 -> 1 -> 3"]),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(prompt, words, tmp_path):
    with pytest.raises(PromptError) as refusal:
        run_prompt(prompt, Folders(output=tmp_path), CLASSES)
    for word in words:
        assert word in str(refusal.value)
    assert RAN == []


def test_every_problem_is_found(tmp_path):
    prompt = broken(**{"1": node("Source", value=10), "2": node("Source")})
    with pytest.raises(PromptError, match="and 1 more") as refusal:
        run_prompt(prompt, Folders(output=tmp_path), CLASSES)
    assert len(refusal.value.problems) == 2


def test_values_are_taken_in_their_inputs_type(tmp_path):
    prompt = chain(text=["2", 1]) | {"2": node("Source", value=2.0), "1": node("Source", value="1")}
    run_prompt(prompt, Folders(output=tmp_path), CLASSES)
    assert RAN[:3] == ["source 1", "source 2", "join 2"]
    assert prompt["2"]["inputs"]["value"] == 2.0


def test_a_failing_node_is_named_with_its_reason(tmp_path):
    with pytest.raises(NodeError, match=r'Node 3 "The Join" \(Join\): RuntimeError: smoke') as failure:
        run_prompt(chain(text="burn"), Folders(output=tmp_path), CLASSES)
    assert isinstance(failure.value.__cause__, RuntimeError)


def test_a_node_that_writes_to_its_class_fails_here_too(tmp_path):
    with pytest.raises(NodeError, match="Cannot modify class attribute 'memory'"):
        run_prompt(chain(text="write to the class"), Folders(output=tmp_path), CLASSES)


def test_an_interrupt_stops_at_the_next_step_and_is_then_over(tmp_path):
    progress.interrupt()
    with pytest.raises(progress.Interrupted):
        run_prompt(chain(), Folders(output=tmp_path), CLASSES)
    run_prompt(chain(), Folders(output=tmp_path), CLASSES)


def picture(path, size=(6, 4), **kwargs):
    Image.new("RGBA", size, (255, 0, 51, 204)).save(path, **kwargs)


def load(name, root):
    from framedrift.nodes.headless.folders import using

    with using(Folders(input=root / "input", output=root / "output")):
        verdict = LoadImage.validate_inputs(image=name)
        return LoadImage.execute(image=name).args if verdict is True else verdict


def test_load_image_gives_colours_and_turns_transparency_into_a_mask(tmp_path):
    (tmp_path / "input").mkdir()
    picture(tmp_path / "input" / "a.png")
    image, mask = load("a.png", tmp_path)
    assert image.shape == (1, 4, 6, 3)
    assert torch.allclose(image[0, 0, 0], torch.tensor([1.0, 0.0, 0.2]))
    assert mask.shape == (1, 4, 6)
    assert torch.allclose(mask, torch.full((1, 4, 6), 0.2))


def test_load_image_turns_a_photograph_upright_and_its_mask_is_empty(tmp_path):
    (tmp_path / "output").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (6, 4)).save(tmp_path / "output" / "a.jpg", exif=exif)
    image, mask = load("a.jpg [output]", tmp_path)
    assert image.shape == (1, 6, 4, 3)
    assert mask.shape == (1, 64, 64)
    assert not mask.any()


def test_load_image_names_a_file_that_is_not_there(tmp_path):
    assert "b.png" in load("b.png", tmp_path)


def test_load_image_stays_in_its_folder(tmp_path):
    with pytest.raises(ValueError, match="must lie in the folder"):
        load("../../etc/passwd", tmp_path)
