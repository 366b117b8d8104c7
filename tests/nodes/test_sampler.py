"""The sampler in whole prompts, headless, on the Procedural Model."""

import copy
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from framedrift.nodes.core.run import RunStore
from framedrift.nodes.core.video.encode import encode_h264
from framedrift.nodes.headless import folders, progress
from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.runner import NodeError, run_prompt

SAMPLER = {
    "model": ["model", 0],
    "vae": ["model", 2],
    "prompts": ["prompts", 0],
    "camera": ["camera", 0],
    "depth_model": ["depth", 0],
    "width": 96,
    "height": 64,
    "num_frames": 9,
    "fps": 15.0,
    "diffusion_cadence": 2,
    "seed": 7,
    "seed_behavior": "iter",
    "seed_iter_N": 1,
    "strength_schedule": "0:(0.6)",
    "steps_schedule": "0:(6)",
    "cfg_scale_schedule": "0:(3)",
    "noise_schedule": "0:(0.02)",
    "sampler_name": "euler",
    "scheduler": "normal",
    "color_coherence": "LAB to frame 0",
    "projection": "pinhole",
    "near": 1.0,
    "far": 50.0,
    "border": "replicate",
    "sampling_mode": "bicubic",
    "hole_denoise": 1.0,
    "full_steps": False,
    "resume": "continue",
    "run_name": "animation",
}
PROMPT = {
    "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
    "prompts": {
        "class_type": "FramedriftPromptSchedule",
        "inputs": {"clip": ["model", 1], "text": '{"0": "dawn sky", "4": "storm"}', "blend": "linear", "negative": ""},
    },
    "camera": {
        "class_type": "FramedriftCamera3D",
        "inputs": {
            "translation_x": "0:(2)",
            "translation_y": "0:(0)",
            "translation_z": "0:(8)",
            "rotation_3d_x": "0:(0)",
            "rotation_3d_y": "0:(0)",
            "rotation_3d_z": "0:(1)",
            "fov_schedule": "0:(70)",
        },
    },
    "depth": {
        "class_type": "FramedriftSyntheticDepth",
        "inputs": {"kind": "luminance", "horizon": 0.5, "nearness": 1.0, "blur": 0.02},
    },
    "sampler": {"class_type": "FramedriftFrameFeedbackSampler", "inputs": SAMPLER},
}


def prompt(**changed):
    made = copy.deepcopy(PROMPT)
    made["sampler"]["inputs"] |= changed
    return made


def with_init(made, tmp_path, picture, **options):
    (tmp_path / "input").mkdir(exist_ok=True)
    picture.save(tmp_path / "input" / "init.png")
    made["init"] = {"class_type": "LoadImage", "inputs": {"image": "init.png"}}
    made["sampler"]["inputs"]["init_image"] = ["init", 0]
    return made


def places(tmp_path):
    return folders.Folders(
        output=tmp_path / "output", input=tmp_path / "input", temp=tmp_path / "temp", models=tmp_path / "models"
    )


def run(tmp_path, made, **options):
    return run_prompt(made, places(tmp_path), **options)


def runs(tmp_path):
    root = tmp_path / "output" / "framedrift"
    return sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []


def pixels(path: Path):
    return {
        p.name: np.asarray(Image.open(p)).tobytes() for f in ("frames", "depth") for p in sorted((path / f).glob("*"))
    }


def written(path: Path):
    return {p.name: p.stat().st_mtime_ns for p in (path / "frames").glob("*.png")}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run(folder, prompt())
    return runs(folder)[0]


def test_an_animation_is_a_folder_of_frames(unbroken):
    assert unbroken.name == "animation_00001"
    assert sorted(p.name for p in (unbroken / "frames").iterdir()) == [f"{i:06}.png" for i in (0, 2, 4, 6, 8)]
    manifest = json.loads((unbroken / "run.json").read_text())
    assert manifest["complete"] is True
    assert manifest["settings"]["strength_schedule"] == "0:(0.6)"
    assert manifest["settings"]["camera"]["translation_z"] == "0:(8)"
    picture = Image.open(unbroken / "frames" / "000004.png")
    assert picture.size == (96, 64)
    assert json.loads(picture.info["prompt"])["sampler"]["inputs"]["seed"] == 7


def test_its_pictures_have_colour_and_change(unbroken):
    first, last = (np.asarray(Image.open(unbroken / "frames" / f"{i:06}.png"), float) / 255 for i in (0, 8))
    assert first.std() > 0.03
    assert np.abs(first - last).mean() > 0.03


def test_the_same_graph_goes_on_and_makes_nothing_twice(tmp_path):
    run(tmp_path, prompt())
    before = written(runs(tmp_path)[0])
    run(tmp_path, prompt(fps=30.0))
    assert len(runs(tmp_path)) == 1, "the frame rate shapes no picture"
    assert written(runs(tmp_path)[0]) == before


def test_an_interrupted_animation_goes_on_bit_for_bit(tmp_path, unbroken):
    def stop_half_way(node_id, name, value, total):
        if node_id == "sampler" and value >= total / 2:
            progress.interrupt()

    with pytest.raises(progress.Interrupted):
        run(tmp_path, prompt(), watcher=stop_half_way)
    made = written(runs(tmp_path)[0])
    assert 0 < len(made) < 5
    run(tmp_path, prompt())
    assert len(runs(tmp_path)) == 1
    again = written(runs(tmp_path)[0])
    assert {name: again[name] for name in made} == made
    assert pixels(runs(tmp_path)[0]) == pixels(unbroken)


def test_a_killed_animation_goes_on_bit_for_bit(tmp_path, unbroken):
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps(prompt()))
    command = [sys.executable, "-m", "framedrift.nodes.headless.cli", "render", str(file), "--output-dir", "output"]
    child = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 120
    while not list(tmp_path.glob("output/framedrift/*/frames/000002.png")):
        assert child.poll() is None, child.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    run(tmp_path, prompt())
    assert len(runs(tmp_path)) == 1
    assert pixels(runs(tmp_path)[0]) == pixels(unbroken)


@pytest.mark.parametrize(
    "change",
    [{"seed": 8}, {"strength_schedule": "0:(0.5)"}, {"num_frames": 11}, {"near": 2.0}, {"color_coherence": "none"}],
)
def test_what_shapes_a_picture_begins_a_run_of_its_own(tmp_path, change):
    short = {"num_frames": 3, "diffusion_cadence": 2}
    run(tmp_path, prompt(**short))
    run(tmp_path, prompt(**(short | change)))
    assert len(runs(tmp_path)) == 2


def entries(tmp_path, number=0):
    lines = (runs(tmp_path)[number] / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_schedule_of_seeds(tmp_path):
    short = {"num_frames": 5, "diffusion_cadence": 1, "seed_behavior": "schedule"}
    run(tmp_path, prompt(**short, seed_schedule="0:(s), 1:(20), 3:(25), 4:(-1)"))
    seeds = [entry["seed"] for entry in entries(tmp_path)]
    assert seeds[:4] == [7, 20, 22, 25]
    assert 0 <= seeds[4] < 2**32
    assert json.loads((runs(tmp_path)[0] / "run.json").read_text())["settings"]["seed_schedule"].startswith("0:(s)")
    # Deforum's default, where an older prompt has none.
    run(tmp_path, prompt(**short))
    assert [entry["seed"] for entry in entries(tmp_path, 1)][::4] == [7, 7]


def test_which_frames_are_diffused(tmp_path):
    """By the cadence, by a cadence over time, or so that keyframes are among them."""
    short = {"num_frames": 13, "diffusion_cadence": 6, "steps_schedule": "1", "strength_schedule": "0:(0.6), 4:(0.5)"}
    wanted = {
        (): [0, 6, 12],
        ("cadence_schedule", "0:(2), 6:(2), 7:(5)"): [0, 2, 4, 6, 8, 12],
        ("cadence_schedule", " "): [0, 6, 12],
        ("align_to_keyframes", "strength"): [0, 4, 12],
        ("align_to_keyframes", "all"): [0, 3, 4, 12],
    }
    made = dict.fromkeys(wanted)
    for given in wanted:
        changed = prompt(**short, **dict([given] if given else []))
        changed["prompts"]["inputs"]["text"] = '{"0": "dawn", "3": "storm"}'
        run(tmp_path, changed)
    folders_ = runs(tmp_path)
    made = [[int(path.stem) for path in sorted((folder / "frames").glob("*.png"))] for folder in folders_]
    # An empty schedule is none: no run of its own.
    assert made == [indices for given, indices in wanted.items() if given != ("cadence_schedule", " ")]


def test_a_loop_is_closed_by_tweens_and_prompts(tmp_path):
    short = {"num_frames": 12, "diffusion_cadence": 2, "steps_schedule": "1", "loop_frames": 4}
    changed = prompt(**short)
    changed["prompts"]["inputs"] |= {"text": '{"0": "dawn", "4": "storm"}', "blend": "linear"}
    run(tmp_path, changed)
    made = entries(tmp_path)
    assert [entry["index"] for entry in made] == [0, 2, 4, 6, 8]
    assert made[0]["prompt"] == "dawn"
    assert "dawn" in made[4]["prompt"]
    assert "0.5" in made[4]["prompt"], "half way back from frame 4 to frame 12"
    frames = RunStore(tmp_path / "output" / "framedrift").read(runs(tmp_path)[0])
    assert frames.loops
    assert frames.num_frames == 12
    with pytest.raises(NodeError, match="loop_frames is 12, and must be less than num_frames"):
        run(tmp_path, prompt(**(short | {"loop_frames": 12})))


def test_a_sub_seed_shapes_the_picture_by_its_strength(tmp_path):
    short = {"num_frames": 2, "diffusion_cadence": 1, "noise_schedule": "0"}
    run(tmp_path, prompt(**short))
    run(tmp_path, prompt(**short, subseed_schedule="0:(9)", subseed_strength_schedule="0:(0)", seed_schedule="0:(5)"))
    assert len(runs(tmp_path)) == 1, "what is not used begins no run of its own"
    assert "subseed" not in entries(tmp_path)[0]
    run(tmp_path, prompt(**short, subseed_schedule="0:(9)", subseed_strength_schedule="0:(0.3), 1:(0)"))
    run(tmp_path, prompt(**short, subseed_schedule="0:(10)", subseed_strength_schedule="0:(0.3), 1:(0)"))
    run(tmp_path, prompt(**short, subseed_schedule="0:(9)", subseed_strength_schedule="0:(1), 1:(0)"))
    assert len(runs(tmp_path)) == 4
    assert [(e.get("subseed"), e.get("subseed_strength")) for e in entries(tmp_path, 1)] == [(9, 0.3), (None, None)]
    first = [pixels(path)["000000.png"] for path in runs(tmp_path)]
    assert len(set(first)) == 4
    run(tmp_path, prompt(**(short | {"seed": 9})))
    assert pixels(runs(tmp_path)[4])["000000.png"] == first[3], "at full strength it is the other seed's noise"


def test_the_fingerprint_of_an_older_prompt_stays(tmp_path):
    made = prompt(num_frames=1)
    for name in ("camera", "depth_model"):
        del made["sampler"]["inputs"][name]
    run(tmp_path, made)
    assert (
        json.loads((runs(tmp_path)[0] / "run.json").read_text())["fingerprint"]
        == "8afb93289008ccdcbf8ef2b000c07587a98f8eb9ee268f5601af21dc4719c819"
    )


def test_new_run_and_named_run(tmp_path):
    short = {"num_frames": 3}
    run(tmp_path, prompt(**short))
    run(tmp_path, prompt(**short, resume="new run"))
    assert [p.name for p in runs(tmp_path)] == ["animation_00001", "animation_00002"]
    assert pixels(runs(tmp_path)[0]) == pixels(runs(tmp_path)[1])
    run(tmp_path, prompt(**short, resume="named run", run_name="animation_00001"))
    assert len(runs(tmp_path)) == 2
    with pytest.raises(NodeError, match=r"animation_00001.*other settings.*seed"):
        run(tmp_path, prompt(**short, resume="named run", run_name="animation_00001", seed=9))
    with pytest.raises(NodeError, match=r"run_name.*nobody"):
        run(tmp_path, prompt(**short, resume="named run", run_name="nobody_00001"))


def test_a_cut_is_diffused_whatever_the_cadence_is(tmp_path):
    run(tmp_path, prompt(num_frames=6, diffusion_cadence=4, strength_schedule="0:(0.6), 3:(0), 4:(0.6)"))
    assert sorted(int(p.stem) for p in (runs(tmp_path)[0] / "frames").iterdir()) == [0, 3, 4, 5]
    with RunStore(tmp_path / "output" / "framedrift").open("animation_00001") as opened:
        assert opened.frames().cuts == {3}


def test_an_init_image_is_frame_0_at_strength_1(tmp_path):
    ramp = np.linspace(0, 255, 64 * 96 * 3).reshape(64, 96, 3).astype(np.uint8)
    made = with_init(
        prompt(num_frames=1, strength_schedule="0:(1)", noise_schedule="0"), tmp_path, Image.fromarray(ramp)
    )
    run(tmp_path, made)
    assert np.array_equal(np.asarray(Image.open(runs(tmp_path)[0] / "frames" / "000000.png")), ramp)


def test_another_init_image_of_the_same_name_is_another_animation(tmp_path):
    for value in (60, 200):
        picture = Image.fromarray(np.full((64, 96, 3), value, np.uint8))
        run(tmp_path, with_init(prompt(num_frames=1), tmp_path, picture))
    assert len(runs(tmp_path)) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strength_schedule": "0:(0.65), 30:(sin(t/10)"}, r"strength_schedule.*30"),
        ({"strength_schedule": "0:(0.65), 30:(sine(t))"}, r"strength_schedule.*sine"),
        ({"strength_schedule": "0:(1.5)"}, r"strength.*1\.5.*frame 0.*between 0 and 1"),
        ({"num_frames": 0}, r"num_frames.*0.*1"),
        ({"width": 513}, r"width.*513.*512.*520"),
        ({"run_name": "../../climb"}, r"run_name.*climb"),
        ({"sampler_name": "nothing"}, r"sampler_name.*nothing.*euler"),
        ({"near": 60.0}, r"near"),
        ({"seed_behavior": "schedule", "seed_schedule": "0:(1/t)"}, r"seed_schedule.*infinite at frame 0"),
        ({"subseed_strength_schedule": "0:(0), 4:(2)"}, r"subseed_strength_schedule is 1.* at frame.*between 0 and 1"),
        ({"subseed_schedule": "0:(sni(t))"}, r"subseed_schedule.*sin"),
    ],
)
def test_bad_input_is_refused_before_the_first_frame(tmp_path, change, words):
    with pytest.raises((PromptError, NodeError), match=words):
        run(tmp_path, prompt(**change))
    assert runs(tmp_path) == []


@pytest.mark.parametrize(("size", "words"), [((32, 32), r"init_image.*32x32.*96x64"), ((96, 64), None)])
def test_an_init_image_of_another_size_is_refused(tmp_path, size, words):
    made = with_init(prompt(num_frames=1), tmp_path, Image.new("RGB", size, (90, 120, 30)))
    if words is None:
        run(tmp_path, made)
    else:
        with pytest.raises(NodeError, match=words):
            run(tmp_path, made)
        assert runs(tmp_path) == []


def test_a_missing_input_is_named(tmp_path):
    made = prompt()
    del made["sampler"]["inputs"]["prompts"]
    with pytest.raises(PromptError, match=r"Frame Feedback Sampler.*prompts"):
        run(tmp_path, made)


def test_a_clip_is_stylised_and_its_length_counts(tmp_path):
    """Frames start from the clip's, at the animation's rate and size, and there are no more of them."""
    (tmp_path / "input").mkdir()
    greys = (torch.full((64, 96, 3), 0.1 + 0.8 * frame / 12) for frame in range(13))
    encode_h264(greys, tmp_path / "input" / "clip.mp4", 30.0, (64, 96), crf=1)
    made = prompt(num_frames=99, diffusion_cadence=3, strength_schedule="1", noise_schedule="0", width=64)
    made["clip"] = {
        "class_type": "FramedriftLoadVideoFrames",
        "inputs": {
            "file": "clip.mp4", "start": 0, "end": -1, "every_nth": 1, "fps": 0.0,
            "width": 0, "height": 0, "fit": "crop",
        },
    }  # fmt: skip
    for name in ("camera", "depth_model"):
        del made["sampler"]["inputs"][name]
    made["sampler"]["inputs"] |= {"video_input": ["clip", 0], "color_coherence": "none"}
    run(tmp_path, made)
    frames = RunStore(tmp_path / "output" / "framedrift").read(runs(tmp_path)[0])
    assert frames.num_frames == 7, "every other frame of 13, at 15 of 30 frames a second"
    assert frames.indices == (0, 3, 6)
    assert frames.size == (64, 64)
    np.testing.assert_allclose([float(frame.mean()) for frame in frames], [0.1, 0.5, 0.9], atol=0.02)
    encode_h264((torch.zeros(64, 96, 3) for _ in range(13)), tmp_path / "input" / "clip.mp4", 30.0, (64, 96))
    run(tmp_path, made)
    assert len(runs(tmp_path)) == 2, "another clip of the same name is another animation"
