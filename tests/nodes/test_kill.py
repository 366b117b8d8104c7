"""Whole animations from the command line: killed at random moments and gone on with, and long."""

import json
import os
import random
import select
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
#: Imports once, and forks a process for every command line that it is sent; says its id, and how it ended.
HATCHERY = """
import json, os, sys
from framedrift.nodes.headless import cli
import cv2, torch
torch.set_num_threads(1)
cv2.setNumThreads(0)
assert cli.main(json.loads(sys.stdin.readline())) == 0
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os._exit(cli.main(json.loads(line)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
ALONE = {**os.environ, "OMP_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1"}


def prompt_of(**inputs):
    """The quickstart up to its sampler, with these inputs."""
    prompt = json.loads(QUICKSTART.read_text())
    kept = {key: node for key, node in prompt.items() if "Cadence" not in node["class_type"]}
    kept = {key: node for key, node in kept.items() if "Combine" not in node["class_type"]}
    (sampler,) = [node for node in kept.values() if node["class_type"] == SAMPLER]
    sampler["inputs"] |= {"diffusion_cadence": 1, "noise_schedule": "0:(0.02)", "resume": "new run", **inputs}
    return kept


def line_of(*arguments, output):
    """The command line's arguments."""
    return [*arguments, "--output-dir", str(output), "--quiet"]


def start(*arguments, output):
    """A command in a process of its own."""
    command = [sys.executable, "-m", "framedrift.nodes.headless.cli", *line_of(*arguments, output=output)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ALONE)


class Hatched:
    """A command in a process that was forked from one which had everything imported."""

    def __init__(self, hatchery, arguments):
        hatchery.stdin.write(json.dumps(arguments).encode() + b"\n")
        self._answer, self.status = hatchery.stdout, None
        self.child = int(self._answer.readline())

    def over(self):
        if self.status is None and select.select([self._answer], [], [], 0)[0]:
            self.status = int(self._answer.readline())
        return self.status is not None

    def killed_after(self, seconds):
        """Whether the process had to be killed; it may end before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.over():
            time.sleep(0.002)
        if not self.over():
            os.kill(self.child, signal.SIGKILL)
            self.status = int(self._answer.readline())
        assert self.status in (0, -signal.SIGKILL)
        return self.status != 0


@pytest.fixture
def hatchery(tmp_path):
    file = written(tmp_path, "warm", num_frames=2, width=64, height=64, steps_schedule="0:(1)")
    command = [sys.executable, "-c", HATCHERY]
    # Unbuffered, so that `select` sees every line that was not read yet.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=ALONE)
    process.stdin.write(json.dumps(line_of("render", str(file), output=tmp_path / "warm")).encode() + b"\n")
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.stdin.close()
    assert process.wait(30) == 0


def ended(process):
    """The process' exit status; what it complained of is an error of the test."""
    _, complaint = process.communicate(timeout=600)
    assert process.returncode == 0, complaint
    return process.returncode


def written(tmp_path, name, **inputs):
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps(prompt_of(run_name=name, **inputs)))
    return file


def render(tmp_path, name, **inputs):
    return start("render", str(written(tmp_path, name, **inputs)), output=tmp_path)


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
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_twenty_killed_runs_are_bit_identical_to_the_unbroken_one(tmp_path, hatchery, capsys):
    store = RunStore(tmp_path / "framedrift")
    settings = {
        "num_frames": FRAMES, "width": 64, "height": 64, "steps_schedule": "0:(4)", "color_coherence": "LAB to frame 0",
    }  # fmt: skip
    begun = time.monotonic()
    first = line_of("render", str(written(tmp_path, "whole", **settings)), output=tmp_path)
    assert not Hatched(hatchery, first).killed_after(600)
    span = time.monotonic() - begun
    expected = whole(store, "whole_00001")
    assert len(expected[1]) == FRAMES
    rng = random.Random(5)
    kills, reached, identical = 0, [], 0
    for number in range(RUNS):
        name = f"k{number:02d}"
        first = line_of("render", str(written(tmp_path, name, **settings)), output=tmp_path)
        while True:
            found = [status for status in store.statuses() if status.name.startswith(name)]
            assert len(found) <= 1, "a killed run is gone on with, and none is begun beside it"
            assert not found or found[0].state in ("interrupted", "complete"), found
            if found and found[0].state == "complete":
                break
            line = line_of("resume", found[0].name, output=tmp_path) if found else first
            if Hatched(hatchery, line).killed_after(rng.uniform(0, 0.7 * span)):
                kills += 1
                reached.append(
                    max((run.last_frame for run in store.statuses() if run.name.startswith(name)), default=-1)
                )
        identical += whole(store, f"{name}_00001") == expected
    assert all(status.state == "complete" for status in store.statuses())
    with capsys.disabled():
        print(f"\n{RUNS} runs, {kills} kills, at frames {sorted(reached)}; {identical} of {RUNS} bit-identical")
    assert identical == RUNS
    assert kills >= RUNS
    assert len(set(reached) - {-1, FRAMES - 1}) >= FRAMES // 2, "kills all over the run"


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
