"""Whole animations from the command line: killed at random moments and gone on with, and long."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from framedrift.nodes.core.run import RunStore
from framedrift.nodes.core.run.folder import Layout
from framedrift.nodes.core.run.state import newest_state

QUICKSTART = Path(__file__).resolve().parents[2] / "workflows" / "api" / "quickstart.json"
SAMPLER = "FramedriftFrameFeedbackSampler"
RUNS, FRAMES = 20, 30


def prompt_of(**inputs):
    """The quickstart up to its sampler, with these inputs."""
    prompt = json.loads(QUICKSTART.read_text())
    kept = {key: node for key, node in prompt.items() if "Cadence" not in node["class_type"]}
    kept = {key: node for key, node in kept.items() if "Combine" not in node["class_type"]}
    (sampler,) = [node for node in kept.values() if node["class_type"] == SAMPLER]
    sampler["inputs"] |= {"diffusion_cadence": 1, "noise_schedule": "0:(0.02)", "resume": "new run", **inputs}
    return kept


def start(*arguments, output):
    command = [
        sys.executable,
        "-m",
        "framedrift.nodes.headless.cli",
        *arguments,
        "--output-dir",
        str(output),
        "--quiet",
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def ended(process):
    """The process' exit status; what it complained of is an error of the test."""
    _, complaint = process.communicate(timeout=600)
    assert process.returncode in (0, -signal.SIGKILL), complaint
    return process.returncode


def render(tmp_path, name, **inputs):
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps(prompt_of(run_name=name, **inputs)))
    return start("render", str(file), output=tmp_path)


def whole(store, name):
    """Everything that a run is, but for its name and its times."""
    journal = (store.path_of(name) / "journal.jsonl").read_bytes()
    with store.open(name) as run:
        # The pictures' pixels are what the journal says.
        run.verify()
        states = [
            {key: (tensor.shape, tensor.contiguous().numpy().tobytes()) for key, tensor in run.state_at(index).items()}
            for index in range(run.last_index + 1)
        ]
        depths = [file.read_bytes() for file in sorted((run.path / "depth").iterdir())]
    return journal, states, depths


@pytest.mark.soak
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_twenty_killed_runs_are_bit_identical_to_the_unbroken_one(tmp_path, capsys):
    store = RunStore(tmp_path / "framedrift")
    settings = {
        "num_frames": FRAMES, "width": 64, "height": 64, "steps_schedule": "0:(4)", "color_coherence": "LAB to frame 0",
    }  # fmt: skip
    assert ended(render(tmp_path, "whole", **settings)) == 0
    expected = whole(store, "whole_00001")
    assert len(expected[1]) == FRAMES
    times = [file.stat().st_mtime for file in (store.root / "whole_00001" / "frames").iterdir()]
    span = max(times) - min(times)
    rng = random.Random(5)
    kills, reached, identical, looks = 0, [], 0, 0
    for number in range(RUNS):
        name, process = f"k{number:02d}", None
        while True:
            runs = [status for status in store.statuses() if status.name.startswith(name)]
            assert len(runs) <= 1, "a killed run is gone on with, and none is begun beside it"
            if runs and runs[0].state == "complete":
                break
            process = start("resume", runs[0].name, output=tmp_path) if runs else render(tmp_path, name, **settings)
            # Once in four, at any moment from the start of the process on; else while it renders.
            anywhere = rng.random() < 0.25
            while not anywhere and process.poll() is None:
                looks += 1
                held = [run for run in store.statuses() if run.name.startswith(name)]
                if held and held[0].state == "running":
                    break
                time.sleep(0.02)
            try:
                process.wait(rng.uniform(0, span * (3 if anywhere else 0.6)))
            except subprocess.TimeoutExpired:
                process.kill()
            kills += ended(process) != 0
            (last,) = [run for run in store.statuses() if run.name.startswith(name)] or [None]
            assert last is None or last.state in ("interrupted", "complete"), last
            reached.append(-1 if last is None else last.last_frame)
        identical += whole(store, f"{name}_00001") == expected
    assert all(status.state == "complete" for status in store.statuses())
    with capsys.disabled():
        print(f"\n{RUNS} runs, {kills} kills, at frames {sorted(reached)}; {identical} of {RUNS} bit-identical")
    assert identical == RUNS
    assert kills >= 2 * RUNS
    assert len({frame for frame in reached if 0 <= frame < FRAMES - 1}) >= FRAMES // 2, "kills all over the run"


def memory(pid, what):
    """VmRSS or VmHWM of a process in MiB; None when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(what)), None)


@pytest.mark.soak
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_three_thousand_frames_take_no_more_memory_than_three_hundred(tmp_path, capsys):
    frames = 3000
    begun = time.monotonic()
    process = render(tmp_path, "long", num_frames=frames, width=256, height=256, steps_schedule="0:(2)")
    store, early, peak = RunStore(tmp_path / "framedrift"), None, 0.0
    while process.poll() is None:
        time.sleep(0.1)
        folder = store.root / "long_00001"
        if (highest := memory(process.pid, "VmHWM")) is None or not folder.exists():
            continue
        peak = max(peak, highest)
        newest = newest_state(Layout(folder))
        if early is None and newest.exists() and int(newest.stem) >= 300:
            early = highest
    assert ended(process) == 0
    status = store.status("long_00001")
    assert (status.state, status.frames) == ("complete", frames)
    with capsys.disabled():
        size = store.size_of("long_00001") / frames
        print(
            f"\n{frames} frames in {time.monotonic() - begun:.0f} s: peak {early:.0f} MiB at frame 300, {peak:.0f} MiB "
            f"in the end, {size / 1e3:.0f} kB a frame on disk"
        )
    assert early is not None
    assert peak - early < 50


def test_the_pictures_of_the_test_are_not_all_the_same(tmp_path):
    """What the soak test compares is an animation: its frames differ, and so do their states."""
    assert ended(render(tmp_path, "short", num_frames=3, width=64, height=64, steps_schedule="0:(4)")) == 0
    journal, states, depths = whole(RunStore(tmp_path / "framedrift"), "short_00001")
    assert len(depths) == len({state["image"] for state in states}) == journal.count(b"\n") == 3
    assert torch.frombuffer(bytearray(states[0]["image"][1]), dtype=torch.float32).std() > 0.01
