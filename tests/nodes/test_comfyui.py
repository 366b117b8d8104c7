"""The pack in a running ComfyUI: how it loads, what it offers, and every API workflow through /prompt."""

import json
import re
import time
from pathlib import Path

import pytest

from framedrift.nodes.headless.runner import node_classes

pytestmark = pytest.mark.comfyui

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / "workflows" / "api").glob("*.json"))
OWN = [name for name in node_classes() if name != "LoadImage"]
IMPORT_SECONDS = 0.5

# A whole workflow in little: what matters here is that it runs, not how long the animation is.
SMALL = {"num_frames": 5, "width": 64, "height": 64, "steps_schedule": "0:(4)"}


def test_it_loads_quickly_and_without_a_word(server):
    log = server.log_text()
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


def small(prompt):
    """The same workflow with few small frames."""
    for node in prompt.values():
        for name, value in SMALL.items():
            if name in node["inputs"]:
                node["inputs"][name] = value
    return prompt


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_api_workflow_runs(rendering, path):
    prompt = json.loads(path.read_text())
    offered = rendering.get("/object_info")
    missing = sorted(set(missing_models(prompt, offered)))
    if missing:
        pytest.skip(f"this ComfyUI has no {', '.join(missing)}")
    shown = rendering.queue(small(prompt))
    files = [
        rendering.base / entry["type"] / entry["subfolder"] / entry["filename"]
        for outputs in shown.values()
        for entries in outputs.values()
        for entry in entries
        if isinstance(entry, dict) and "filename" in entry
    ]
    assert files
    assert all(file.stat().st_size > 0 for file in files)


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
