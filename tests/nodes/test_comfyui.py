"""The pack in a running ComfyUI: how it loads, what it offers, and every API workflow through /prompt."""

import json
import re
import subprocess
import time
from pathlib import Path

import av
import numpy as np
import pytest

from framedrift.nodes.headless.runner import node_classes

pytestmark = pytest.mark.comfyui

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / "workflows" / "api").glob("*.json"))
OWN = [name for name in node_classes() if name != "LoadImage"]
IMPORT_SECONDS = 0.5

# A whole workflow in little: what matters here is that it runs, not how long the animation is.
SMALL = {"num_frames": 5, "width": 64, "height": 64, "steps_schedule": "0:(4)"}
CLIP_FRAMES = 12


def test_it_loads_quickly_and_without_a_word(server):
    # What other tests do to the server stands behind this.
    log = server.log_text().partition("To see the GUI")[0]
    seconds = re.search(r"([\d.]+) seconds(?P<failed> \(IMPORT FAILED\))?: \S*custom_nodes/framedrift\b", log)
    assert seconds and not seconds["failed"], log
    assert float(seconds[1]) < IMPORT_SECONDS
    lines = [line for line in log.splitlines() if "framedrift" in line.lower()]
    assert [line for line in lines if re.search("warn|error|exception|traceback", line, re.IGNORECASE)] == []


def test_every_node_is_listed_with_its_help(server):
    offered = server.get("/object_info")
    for name in OWN:
        assert offered[name]["display_name"]
        assert offered[name]["category"].startswith("Framedrift/")
        assert offered[name]["python_module"] == "custom_nodes.framedrift"
    assert {name for name in offered if name.startswith("Framedrift")} == set(OWN)


def test_the_pages_files_are_served(server):
    served = server.get("/extensions")
    assert "/extensions/framedrift/framedrift.js" in served


def missing_models(prompt, offered):
    """Choices of a workflow that this ComfyUI does not have, models first of all."""
    for node in prompt.values():
        inputs = offered[node["class_type"]]["input"]
        for name, spec in {**inputs.get("required", {}), **inputs.get("optional", {})}.items():
            choices = spec[0] if isinstance(spec[0], list) else spec[1].get("options") if spec[0] == "COMBO" else None
            value = node["inputs"].get(name)
            if choices is not None and isinstance(value, str) and value not in choices:
                yield value


def small(prompt, **other):
    """The same workflow with few small frames; what is linked stays so, and a loop stays one."""
    for node in prompt.values():
        inputs = node["inputs"]
        few = {**SMALL, "loop_frames": min(inputs.get("loop_frames", 0), 2), **other}
        inputs |= {name: few[name] for name in few if name in inputs and not isinstance(inputs[name], list)}
    return prompt


def workflow(name):
    return json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text())


def files_of(server, shown):
    """The files that nodes showed."""
    return [
        server.base / entry["type"] / entry["subfolder"] / entry["filename"]
        for outputs in shown.values()
        for entries in outputs.values()
        for entry in entries
        if isinstance(entry, dict) and "filename" in entry
    ]


def film_of(server, shown):
    (film,) = (file for file in files_of(server, shown) if file.suffix == ".mp4")
    return film


def pictures(film):
    with av.open(str(film)) as file:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in file.decode(video=0)]


@pytest.fixture
def prepared(rendering, write_clip, write_guides):
    """What some workflows begin with: a clip and two pictures in the input folder, and an animation."""
    write_clip(rendering.base / "input" / "clip.mp4")
    write_guides(rendering.base / "input")
    rendering.queue(small(workflow("quickstart")))
    return rendering


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_api_workflow_runs(prepared, path):
    prompt = json.loads(path.read_text())
    missing = sorted(set(missing_models(prompt, prepared.get("/object_info"))))
    if missing:
        pytest.skip(f"this ComfyUI has no {', '.join(missing)}")
    files = files_of(prepared, prepared.queue(small(prompt)))
    assert files
    assert all(file.stat().st_size > 0 for file in files)


def test_a_seamless_loop_comes_back_to_its_first_frame(rendering):
    film = pictures(film_of(rendering, rendering.queue(small(workflow("seamless_loop"), num_frames=14, loop_frames=6))))
    assert len(film) == 14
    steps = [abs(one - other).mean() for one, other in zip(film, [*film[1:], film[0]], strict=True)]
    assert steps[-1] <= 1.3 * sorted(steps)[len(steps) // 2]


def test_a_clip_is_painted_over_in_its_rhythm_and_keeps_its_sound(prepared):
    film = film_of(prepared, prepared.queue(small(workflow("video_input"), num_frames=100)))
    assert len(pictures(film)) == CLIP_FRAMES
    with av.open(str(film)) as file:
        tone = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert abs(len(tone) / 44_100 - CLIP_FRAMES / 15) < 0.06
    assert 0.25 < np.sqrt(np.mean(tone**2)) < 0.45


def test_an_animation_is_extended(rendering):
    first = small(workflow("quickstart"), crf=1, run_name="to_be_extended", seed=time.time_ns() % 1_000_000)
    before = pictures(film_of(rendering, rendering.queue(first)))
    film = pictures(film_of(rendering, rendering.queue(small(workflow("extend"), crf=1))))
    # The frame that both have is there once.
    assert len(film) == len(before) + SMALL["num_frames"] - 1
    for one, other in zip(before, film, strict=False):
        assert abs(one - other).mean() < 1.5


def test_a_wrong_value_is_refused_with_its_name(server):
    prompt = {
        "1": {"class_type": "FramedriftProceduralModel", "inputs": {}},
        "2": {"class_type": "FramedriftFrameFeedbackSampler", "inputs": {"num_frames": 0}},
    }
    status, answer = server.post("/prompt", {"prompt": prompt})
    assert status == 400
    assert "num_frames" in json.dumps(answer)


def frames_in(server):
    return sorted((server.base / "output").glob("framedrift/interrupted_*/frames/*.png"))


def test_an_interrupted_animation_keeps_its_frames_and_goes_on_with_them(rendering, flight_prompt):
    flight_prompt["3"]["inputs"] |= {"num_frames": 8, "steps_schedule": "0:(40)", "run_name": "interrupted"}
    queued = rendering.submit(flight_prompt)
    end = time.monotonic() + 90
    while len(frames_in(rendering)) < 2 and time.monotonic() < end and not rendering.get(f"/history/{queued}"):
        time.sleep(0.05)
    rendering.post("/interrupt", {})
    stopped = rendering.wait(queued)
    assert "execution_interrupted" in [kind for kind, _ in stopped["status"]["messages"]]
    made = {path: path.stat().st_mtime_ns for path in frames_in(rendering)}
    assert 2 <= len(made) < 8

    rendering.queue(flight_prompt)
    assert len(frames_in(rendering)) == 8
    assert {path: path.stat().st_mtime_ns for path in made} == made


SMALL_ESRGAN = """
import importlib, sys, torch
from safetensors.torch import save_file
torch.manual_seed(0)
network = importlib.import_module("spandrel.architectures.ESRGAN.__arch.RRDB").RRDBNet(num_filters=8, num_blocks=1)
save_file({name: value.contiguous() for name, value in network.state_dict().items()}, sys.argv[1])
"""


def test_frames_are_upscaled_one_by_one_as_the_stock_node_does_it(rendering, comfyui):
    place = rendering.base / "models" / "upscale_models" / "small_esrgan.safetensors"
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([comfyui.python, "-c", SMALL_ESRGAN, str(place)], check=True, timeout=120)

    def node(kind, **inputs):
        return {"class_type": kind, "inputs": inputs}

    film = {"filename_prefix": "up/film", "crf": 1, "frame_rate": 0.0, "save_output": True}
    prompt = {
        "1": node("EmptyImage", width=48, height=32, batch_size=3, color=0x4080C0),
        "2": node("UpscaleModelLoader", model_name=place.name),
        "3": node("FramedriftUpscaleFrames", frames=["1", 0], upscale_model=["2", 0], width=0, height=0),
        "4": node("FramedriftVideoCombine", frames=["3", 0], **film),
        "5": node("ImageUpscaleWithModel", upscale_model=["2", 0], image=["1", 0]),
        "6": node("FramedriftVideoCombine", frames=["5", 0], **(film | {"filename_prefix": "up/stock"})),
    }
    shown = rendering.queue(prompt)
    ours, stock = (pictures(film_of(rendering, {key: shown[key]})) for key in ("4", "6"))
    assert [picture.shape for picture in ours] == [(128, 192, 3)] * 3
    assert all(abs(one - other).max() <= 2 for one, other in zip(ours, stock, strict=True))


def test_an_animation_is_steered_from_outside_and_the_same_graph_goes_on(rendering, flight_prompt):
    """Paused, answered meanwhile, edited, stopped, queued again: ComfyUI's cache does not hand on the half of it."""
    flight_prompt["3"]["inputs"] |= {"num_frames": 12, "run_name": "told"}
    at = "/framedrift/runs/told_00001"

    def command(action, **arguments):
        status, answer = rendering.post(f"{at}/commands", {"action": action, **arguments})
        assert status == 200, answer

    def until(holds, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            runs = {run["name"]: run for run in rendering.get("/framedrift/runs")["runs"]}
            if "told_00001" in runs and holds(runs["told_00001"]):
                return runs["told_00001"]
            time.sleep(0.02)
        raise AssertionError("it never came to that")

    prompt_id = rendering.submit(flight_prompt)
    until(lambda run: run["frames"] >= 2)
    command("pause")
    made = until(lambda run: run["state"] == "paused")["frames"]
    for _ in range(5):
        rendering.get("/system_stats")
    time.sleep(0.3)
    assert until(lambda run: True)["frames"] == made < 12
    command("edit", changes={"prompts": "0: a green forest"})
    command("stop")
    assert rendering.wait(prompt_id)["status"]["status_str"] == "success"
    assert until(lambda run: run["state"] == "stopped")["frames"] == made

    rendering.queue(flight_prompt)
    assert until(lambda run: run["state"] == "complete")["frames"] == 12
    journal = rendering.get(at)["journal"]
    assert [entry["prompt"] for entry in journal] == ["a red sky"] * made + ["a green forest"] * (12 - made)
    again = rendering.wait(rendering.submit(flight_prompt))
    cached = [data["nodes"] for kind, data in again["status"]["messages"] if kind == "execution_cached"]
    assert sorted(cached[0]) == sorted(flight_prompt), "nothing is made twice"
