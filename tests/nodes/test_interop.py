"""Import Animation and Export Animation in whole prompts, headless, on the Procedural Model."""

import json
from pathlib import Path

import pytest

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.interop import import_animation, sampler_settings
from framedrift.nodes.files import input_file, source_text
from framedrift.nodes.headless import folders
from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.runner import NodeError, node_classes, run_prompt
from framedrift.nodes.interop import ImportAnimation
from framedrift.nodes.sampler import FrameFeedbackSampler, with_settings

DATA = Path(__file__).resolve().parents[1] / "core" / "interop" / "data"
KINDS = ["deforum_default.txt", "parseq.json", "fizz.txt", "astria.txt"]
IMPORT = {"class_type": "FramedriftImportAnimation", "inputs": {"clip": ["model", 1], "file": "", "text": ""}}


def small(name):
    """The fixture's text, in 3D where it is Deforum's, and in a length and sampler that take a moment."""
    text = (DATA / name).read_text()
    if name != "deforum_default.txt":
        return text
    return json.dumps(json.loads(text) | {"animation_mode": "3D", "steps": 4, "seed": 3})


def workflow(**given):
    """Import Animation into the sampler: four frames of 64 by 64."""
    classes = node_classes()
    sampler = {"model": ["model", 0], "vae": ["model", 2], "prompts": ["import", 0], "camera": ["import", 1]}
    sampler |= {"settings": ["import", 2], "fps": ["import", 4], "width": 64, "height": 64, "num_frames": 4}
    sampler |= {"steps_schedule": "0:(4)", "run_name": "imported"}
    for name, (_, options) in classes["FramedriftFrameFeedbackSampler"].INPUT_TYPES()["required"].items():
        if "default" in options or options.get("options"):
            sampler.setdefault(name, options.get("default", (options.get("options") or [None])[0]))
    return {
        "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
        "import": {"class_type": IMPORT["class_type"], "inputs": IMPORT["inputs"] | given},
        "sampler": {"class_type": "FramedriftFrameFeedbackSampler", "inputs": sampler},
    }


def places(tmp_path):
    (tmp_path / "input").mkdir(exist_ok=True)
    return folders.Folders(
        output=tmp_path / "output", input=tmp_path / "input", temp=tmp_path / "temp", models=tmp_path / "models"
    )


def made(tmp_path):
    return [json.loads(path.read_text()) for path in sorted((tmp_path / "output" / "framedrift").glob("*/run.json"))]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_feeds_the_sampler(tmp_path, name):
    done = run_prompt(workflow(text=small(name)), places(tmp_path))
    (run,) = made(tmp_path)
    folder = next((tmp_path / "output" / "framedrift").iterdir())
    assert len(list((folder / "frames").glob("*.png"))) >= 2
    found = import_animation(small(name))
    readable = run["settings"]
    for key, value in found.settings.items():
        if key in readable:
            assert readable[key] == value, key
    assert readable["prompts"] == found.prompts.text
    assert readable["camera"] == found.camera.texts()
    assert str(found.report) == done.shown["import"]["text"][0]


def test_a_file_of_the_input_folder_is_read_again_when_it_changes(tmp_path):
    folder = places(tmp_path)
    file = folder.input / "sub" / "astria.txt"
    file.parent.mkdir()
    file.write_text(small("astria.txt"), encoding="utf-8-sig")
    run_prompt(workflow(file="sub/astria.txt"), folder)
    assert made(tmp_path)[0]["settings"]["seed"] == 1
    with folders.using(folder):
        before = ImportAnimation.fingerprint_inputs(file="sub/astria.txt", text="", clip=None)
        assert before == ImportAnimation.fingerprint_inputs(file="sub/astria.txt", text="", clip=None)
        file.write_text(small("astria.txt").replace("seed=1", "seed=2"))
        assert before != ImportAnimation.fingerprint_inputs(file="sub/astria.txt", text="", clip=None)
    run_prompt(workflow(file="sub/astria.txt"), folder)
    assert [run["settings"]["seed"] for run in made(tmp_path)] == [1, 2]


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/passwd", "sub/../../secret.txt", "gone.txt", "sub", "a\0b", "x" * 5000]
)
def test_files_outside_the_input_folder_are_not_read(tmp_path, name):
    folder = places(tmp_path)
    (tmp_path / "secret.txt").write_text("seed=1\n0: a\n9: b")
    (folder.input / "sub").mkdir()
    with folders.using(folder), pytest.raises(FramedriftError, match=r"^file is"):
        input_file(name)


def test_a_link_out_of_the_input_folder_is_not_followed(tmp_path):
    folder = places(tmp_path)
    (tmp_path / "secret.txt").write_text("seed=1")
    (folder.input / "link.txt").symlink_to(tmp_path / "secret.txt")
    with folders.using(folder), pytest.raises(FramedriftError, match="input folder"):
        input_file("link.txt")


def test_one_of_file_and_text_is_wanted():
    with pytest.raises(FramedriftError, match="both empty"):
        source_text("", " ", "settings")
    with pytest.raises(FramedriftError, match="empty one of them"):
        source_text("a.txt", "seed=1", "settings")


def test_a_picture_is_no_settings_file(tmp_path):
    folder = places(tmp_path)
    (folder.input / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xff")
    with folders.using(folder), pytest.raises(FramedriftError, match="not UTF-8"):
        source_text("a.png", "", "settings")


@pytest.mark.parametrize(
    "text", ["", "hello", '{"animation_mode": "3D", }', small("astria.txt").replace("0:(-0.5)", "0:(x)")]
)
def test_what_cannot_be_imported_is_said_before_anything_runs(tmp_path, text):
    with pytest.raises(PromptError):
        run_prompt(workflow(text=text), places(tmp_path))
    assert not (tmp_path / "output" / "framedrift").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strength_schedule": "0:(foo)"}, "strength_schedule"),
        ({"strength_schedule": "0:(1.5)"}, "strength"),
        ({"sampler_name": "nobody"}, "sampler_name"),
        ({"diffusion_cadence": 0}, "diffusion_cadence"),
        ({"full_steps": 1}, "full_steps"),
        ({"seed": True}, "seed"),
        ({"model": 1}, "model"),
        ({"colour": "LAB"}, "colour"),
    ],
)
def test_settings_are_checked_as_if_they_were_typed(tmp_path, settings, said, monkeypatch):
    text = json.dumps({"W": 64, "H": 64, "max_frames": 4, "framedrift": {"version": 1, "settings": settings}})
    with pytest.raises(NodeError, match=said):
        run_prompt(workflow(text=text), places(tmp_path))
    assert made(tmp_path) == []


def test_settings_take_the_place_of_widgets():
    inputs = {"seed": 1, "near": 2.0, "settings": sampler_settings({"seed": 9})}
    assert with_settings(FrameFeedbackSampler, inputs) == {"seed": 9, "near": 2.0}
    assert inputs["seed"] == 1
    assert with_settings(FrameFeedbackSampler, {"seed": 1, "settings": None}) == {"seed": 1}


def test_other_settings_are_another_run(tmp_path):
    text = small("astria.txt")
    run_prompt(workflow(text=text), places(tmp_path))
    run_prompt(workflow(text=text.replace("0.50", "0.60")), places(tmp_path))
    run_prompt(workflow(text=text), places(tmp_path))
    assert len(made(tmp_path)) == 2


def test_an_animation_goes_out_and_comes_back(tmp_path):
    prompt = workflow(text=small("deforum_default.txt"))
    del prompt["sampler"]
    inputs = {"prompts": ["import", 0], "camera": ["import", 1], "settings": ["import", 2], "num_frames": ["import", 3]}
    inputs |= {"fps": ["import", 4], "width": ["import", 5], "height": ["import", 6], "filename_prefix": "out/a"}
    prompt["export"] = {"class_type": "FramedriftExportAnimation", "inputs": inputs}
    done = run_prompt(prompt, places(tmp_path))
    first = import_animation(small("deforum_default.txt"))
    assert [path.name for path in done.files] == ["a_00001_.txt", "a_00001_.json"]
    settings, table = (import_animation(path.read_text()) for path in done.files)
    assert (settings.kind, table.kind) == ("deforum", "parseq")
    assert settings.settings == first.settings
    assert settings.camera.texts() == table.camera.texts() | settings.camera.texts() == first.camera.texts()
    for found in (settings, table):
        assert (found.num_frames, found.fps) == (first.num_frames, first.fps)
        for frame in (0, 59, 60, 119):
            assert found.prompts.text_at(frame, 120) == first.prompts.text_at(frame, 120)
    again = run_prompt(prompt, places(tmp_path))
    assert [path.name for path in again.files] == ["a_00002_.txt", "a_00002_.json"]


def test_files_do_not_leave_the_output_folder(tmp_path):
    prompt = workflow(text=small("astria.txt"))
    del prompt["sampler"]
    inputs = {"prompts": ["import", 0], "num_frames": 9, "fps": 15.0, "width": 64, "height": 64}
    prompt["export"] = {"class_type": "FramedriftExportAnimation", "inputs": inputs | {"filename_prefix": "../../x"}}
    with pytest.raises(NodeError, match="filename_prefix"):
        run_prompt(prompt, places(tmp_path))


def test_imported_options_shape_the_pictures_and_are_exported(tmp_path):
    """Deforum's defaults: Perlin noise, a little sharpening, and a stronger noise in the latent."""
    prompt = workflow(text=small("deforum_default.txt"))
    prompt["sampler"]["inputs"] |= {"options": ["import", 8]}
    inputs = {"prompts": ["import", 0], "settings": ["import", 2], "options": ["import", 8], "num_frames": 4}
    inputs |= {"fps": 15.0, "width": 64, "height": 64, "filename_prefix": "out/a"}
    prompt["export"] = {"class_type": "FramedriftExportAnimation", "inputs": inputs}
    done = run_prompt(prompt, places(tmp_path))
    run_prompt(workflow(text=small("deforum_default.txt")), places(tmp_path))
    runs = sorted((tmp_path / "output" / "framedrift").iterdir())
    frames = [sorted(run.glob("frames/*.png"))[1].read_bytes() for run in runs]
    assert len(frames) == 2
    assert frames[0] != frames[1]
    written = json.loads(next(path for path in done.files if path.suffix == ".txt").read_text())
    assert (written["noise_type"], written["noise_multiplier_schedule"]) == ("perlin", "0: (1.05)")
    assert (written["amount_schedule"], written["color_coherence"]) == ("0: (0.1)", "LAB")


@pytest.mark.comfyui
def test_every_kind_feeds_the_sampler_in_comfyui(rendering):
    for name in KINDS:
        prompt = workflow(text=small(name))
        prompt["sampler"]["inputs"]["resume"] = "new run"
        shown = rendering.queue(prompt)
        assert shown["import"]["text"][0] == str(import_animation(small(name)).report)
