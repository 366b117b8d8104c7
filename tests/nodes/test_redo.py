"""Redo as a node, and in whole runs, headless, on the Procedural Model; one VAE here fails when it is told to."""

import copy
import json
import math

import pytest
import torch
from PIL import Image

from framedrift.nodes.headless import folders, progress
from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.runner import NodeError, node_classes, run_prompt
from framedrift.nodes.host import io
from framedrift.nodes.redo import Redo

PROMPT = {
    "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
    "prompts": {
        "class_type": "FramedriftPromptSchedule",
        "inputs": {"clip": ["model", 1], "text": '{"0": "dawn sky"}', "blend": "linear", "negative": ""},
    },
    "redo": {"class_type": "FramedriftRedo", "inputs": {}},
    "sampler": {
        "class_type": "FramedriftFrameFeedbackSampler",
        "inputs": {
            "model": ["model", 0],
            "vae": ["model", 2],
            "prompts": ["prompts", 0],
            "options": ["redo", 0],
            "width": 96,
            "height": 64,
            "num_frames": 5,
            "seed": 7,
            "strength_schedule": "0:(0.6)",
            "steps_schedule": "0:(4)",
            "cfg_scale_schedule": "0:(3)",
            "noise_schedule": "0:(0.02)",
            "diffusion_cadence": 1,
        },
    },
}
PLAIN = {
    "diffusion_redo": 0,
    "optical_flow_redo_generation": "none",
    "redo_flow_factor_schedule": "0:(1)",
    "reroll_blank_frames": "reroll",
    "reroll_patience": 10,
}


def prompt(sampler=None, **redo):
    made = copy.deepcopy(PROMPT)
    defaults = {
        entry.id: entry.as_dict().get("default")
        for entry in node_classes()["FramedriftFrameFeedbackSampler"].GET_SCHEMA().inputs
        if entry.as_dict().get("default") is not None
    }
    made["sampler"]["inputs"] = defaults | made["sampler"]["inputs"] | (sampler or {})
    made["redo"]["inputs"] = PLAIN | redo
    return made


def without_redo():
    made = prompt()
    del made["redo"], made["sampler"]["inputs"]["options"]
    return made


def run(root, made, classes=None, **options):
    places = folders.Folders(output=root / "output", input=root / "input", temp=root / "temp", models=root / "models")
    return run_prompt(made, places, node_classes() | (classes or {}), **options)


def runs(root):
    return sorted(path for path in (root / "output" / "framedrift").iterdir() if path.is_dir())


def frames(root, number=0):
    return [Image.open(path).tobytes() for path in sorted((runs(root)[number] / "frames").glob("*.png"))]


def journal(root, number=0):
    return [json.loads(line) for line in (runs(root)[number] / "journal.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain")
    run(root, without_redo())
    return root


# The node


def test_it_chains():
    first = Redo.execute(options=None, **PLAIN).result[0]
    (option,) = first.parts
    assert option.diffusion_redo == 0
    assert option.schedules["redo_flow_factor_schedule"].sample(3, 0, 15.0).tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="two Redo nodes"):
        Redo.execute(options=first, **PLAIN)


def test_the_tooltips_name_every_choice():
    for entry in Redo.GET_SCHEMA().inputs:
        told = entry.as_dict()
        for choice in told.get("options") or []:
            assert choice in told["tooltip"] or choice == "none"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"diffusion_redo": 11}, "diffusion_redo"),
        ({"reroll_patience": 0}, "reroll_patience"),
        ({"redo_flow_factor_schedule": "0:(1"}, "redo_flow_factor_schedule"),
        ({"reroll_blank_frames": "again"}, "reroll_blank_frames"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(tmp_path, wrong, said):
    with pytest.raises(PromptError, match=said):
        run(tmp_path, prompt(**wrong))
    assert not (tmp_path / "output").exists()


def test_a_factor_out_of_bounds_is_named_with_its_frame(tmp_path):
    with pytest.raises(NodeError, match="redo_flow_factor_schedule is 12 at frame 3"):
        run(tmp_path, prompt(redo_flow_factor_schedule="0:(0), 3:(12)", optical_flow_redo_generation="dis"))


# Whole runs


def test_a_redo_that_asks_for_nothing_changes_nothing(tmp_path, plain):
    run(tmp_path, prompt())
    assert frames(tmp_path) == frames(plain)


@pytest.mark.parametrize(
    "redo",
    [{"diffusion_redo": 2}, {"optical_flow_redo_generation": "dis"}, {"optical_flow_redo_generation": "farneback"}],
    ids=["diffusion", "dis", "farneback"],
)
def test_all_but_the_first_frame_start_from_thrown_away_pictures(tmp_path, plain, redo):
    run(tmp_path / "whole", prompt(**redo))
    made = frames(tmp_path / "whole")
    assert len(made) == 5
    assert made[0] == frames(plain)[0]
    assert all(a != b for a, b in zip(made[1:], frames(plain)[1:], strict=True))
    assert [entry["seed"] for entry in journal(tmp_path / "whole")] == [e["seed"] for e in journal(plain)]

    def stop_half_way(node_id, name, value, total):
        if node_id == "sampler" and value >= total / 2:
            progress.interrupt()

    with pytest.raises(progress.Interrupted):
        run(tmp_path / "broken", prompt(**redo), watcher=stop_half_way)
    assert 0 < len(frames(tmp_path / "broken")) < 5
    run(tmp_path / "broken", prompt(**redo))
    assert len(runs(tmp_path / "broken")) == 1
    assert frames(tmp_path / "broken") == made


class Failing:
    """A VAE whose decoded pictures are of one value at some calls, counted from 1; "all" is every other one."""

    def __init__(self, vae, faults):
        self.vae, self.faults, self.calls = vae, faults, 0

    def __getattr__(self, name):
        return getattr(self.vae, name)

    def decode(self, *given, **options):
        self.calls += 1
        image = self.vae.decode(*given, **options)
        fault = self.faults.get(self.calls, self.faults.get("all"))
        return image if fault is None else torch.full_like(image, fault)


def failing(made, **faults):
    """The prompt with such a VAE between model and sampler, and the class that makes it."""
    faults = {int(name[1:]) if name[1:].isdigit() else name: value for name, value in faults.items()}

    class FailingVae(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema(
                node_id="FailingVae", display_name="Failing VAE", category="test", inputs=[io.Vae.Input("vae")],
                outputs=[io.Vae.Output("failing")],
            )  # fmt: skip

        @classmethod
        def execute(cls, vae):
            return io.NodeOutput(Failing(vae, faults))

    made["failing"] = {"class_type": "FailingVae", "inputs": {"vae": ["model", 2]}}
    made["sampler"]["inputs"]["vae"] = ["failing", 0]
    return made, {"FailingVae": FailingVae}


@pytest.mark.parametrize("fault", [0.0, 0.5, math.nan])
def test_failed_frames_are_made_again(tmp_path, plain, fault):
    """The third picture to be decoded fails, and so does the first retry of it."""
    run(tmp_path, *failing(prompt(), n3=fault, n4=fault))
    told = journal(tmp_path)
    assert [entry.get("rerolls") for entry in told] == [None, None, 2, None, None]
    seeds = [entry["seed"] for entry in journal(plain)]
    assert [entry["seed"] for entry in told[:2] + told[3:]] == seeds[:2] + seeds[3:]
    assert told[2]["seed"] != seeds[2]
    assert frames(tmp_path)[:2] == frames(plain)[:2]
    assert len(set(frames(tmp_path))) == 5


@pytest.mark.parametrize("redo", [{"reroll_blank_frames": "interrupt"}, {"reroll_patience": 2}])
def test_a_run_that_gives_up_hands_on_what_there_is_and_goes_on_later(tmp_path, plain, redo, caplog):
    run(tmp_path, *failing(prompt(**redo), n4=0.0, n5=0.0, n6=0.0))
    assert frames(tmp_path) == frames(plain)[:3]
    assert "Frame 3 came back blank" in caplog.text
    assert json.loads((runs(tmp_path)[0] / "run.json").read_text())["complete"] is False
    run(tmp_path, *failing(prompt(**redo)))
    assert len(runs(tmp_path)) == 1
    assert frames(tmp_path) == frames(plain)


def test_ignored_frames_stay_blank_and_broken_ones_are_left_out(tmp_path, plain, caplog):
    made, classes = failing(prompt(reroll_blank_frames="ignore", sampler={"noise_schedule": "0:(0)"}), n3=math.nan)
    run(tmp_path / "broken", made, classes)
    told = journal(tmp_path / "broken")
    assert ["lost" in entry for entry in told] == [False, False, True, False, False]
    assert frames(tmp_path / "broken")[2] == frames(tmp_path / "broken")[1], "the camera stands still"
    assert "Frame 2 came back" in caplog.text
    run(tmp_path / "blank", *failing(prompt(reroll_blank_frames="ignore"), n3=0.0))
    assert not any(frames(tmp_path / "blank")[2])
    assert len(frames(tmp_path / "blank")) == 5


def test_without_a_redo_a_broken_frame_is_an_error_that_says_what_helps(tmp_path):
    with pytest.raises(NodeError, match=r"Frame 2 .*--fp32-vae"):
        run(tmp_path, *failing(without_redo(), n3=math.nan))
    assert len(frames(tmp_path)) == 2
