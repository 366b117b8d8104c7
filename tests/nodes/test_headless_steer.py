"""`framedrift runs`, `resume` and `control`, as a user meets them."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from framedrift.nodes.core.run import Controls, RunStore, attend, storable
from framedrift.nodes.headless import cli

SAMPLER = "FramedriftFrameFeedbackSampler"


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "output" / "framedrift")


@pytest.fixture
def command(tmp_path, capsys):
    """Runs a command line; gives its status, lines and complaint."""

    def run(name, *arguments, out="output"):
        status = cli.main([name, *arguments, "--output-dir", str(tmp_path / out)])
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err

    return run


@pytest.fixture
def made(store):
    manifest = {"num_frames": 8, "fps": 12.0, "width": 24, "height": 16, "editable": {"strength_schedule": "0:(0.5)"}}
    with store.create("sky", manifest, "print") as run:
        for index in range(4):
            image = storable(torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(index)))
            run.commit(index, image, None, {}, {"image": image})
    return run.name


def test_runs_are_listed_and_none_is_said(command, store, made):
    (store.root / "bad_00001").mkdir()
    (store.root / "bad_00001/run.json").write_text("{")
    status, lines, complaint = command("runs")
    assert (status, complaint) == (0, "")
    assert [line.split()[0] for line in lines[:3]] == ["run", "bad_00001", "sky_00001"]
    assert [cell.strip() for cell in lines[2].split("  ") if cell.strip()][1:6] == [
        "interrupted", "4/8", "4", "24x16", "0.0 MB",
    ]  # fmt: skip
    assert "run.json is damaged" in lines[3]
    shutil.rmtree(store.root)
    assert command("runs")[1] == [f"There are no runs in {store.root}."]
    assert json.loads("\n".join(command("runs", "--json")[1])) == []


def test_runs_for_programs(command, store, made):
    (found,) = json.loads("\n".join(command("runs", "--json")[1]))
    assert found | store.status(made).as_dict() == found
    assert found["bytes"] == store.size_of(made) > 4 * 3 * 16 * 24


def test_control_gives_its_command(command, store, made):
    assert command("control", made, "extend", "frames=4") == (
        0, ["sky_00001: extend. It waits until the run is gone on with."], "",
    )  # fmt: skip
    answer = json.loads(command("control", made, "edit", "strength_schedule=0:(0.5), 9:(t==3)", "--json")[1][0])
    assert answer["command"] == store.status(made).pending[1]["id"]
    assert store.status(made).pending[1]["arguments"] == {"changes": {"strength_schedule": "0:(0.5), 9:(t==3)"}}
    assert "interrupted, 2 waiting" in command("runs")[1][1]
    assert command("control", made, "rewind", "frame=1")[1] == [
        "sky_00001: rewind. sky_00002 goes on from there when it is queued."
    ]
    assert store.status("sky_00002").last_frame == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["control", "nope_00001", "stop"], "there is no run nope_00001"),
        (["control", "sky_00001", "dance"], "action: 'dance' is none"),
        (["control", "sky_00001", "pause"], "sky_00001 is not running"),
        (["control", "sky_00001", "rewind", "20"], "'20' must be NAME=VALUE"),
        (["control", "sky_00001", "rewind", "frame=20"], "frame: 20 cannot be rewound to"),
        (["control", "sky_00001", "edit"], "changes: name at least one"),
        (["control", "sky_00001", "edit", "strength_schedule=0:("], "strength_schedule"),
        (["resume", "nope_00001"], "there is no run nope_00001"),
        (["resume", "../.."], "outside of the output folder"),
        (["resume", "sky_00001"], "does not hold the workflow"),
    ],
)
def test_an_error_is_one_readable_line(command, made, arguments, words):
    status, lines, complaint = command(*arguments)
    assert (status, lines, complaint.count("\n")) == (1, [], 1)
    assert complaint.startswith("framedrift: ")
    assert words in complaint


def test_a_damaged_run_is_not_resumed(command, store, made):
    (store.root / made / "state/000003.safetensors").unlink()
    status, _, complaint = command("resume", made)
    assert status == 1
    assert "does not fit together" in complaint
    assert command("control", made, "rewind", "frame=2")[0] == 0


def test_control_reaches_a_run_that_is_being_rendered(command, store, made):
    with store.open(made) as run:
        controls, told = Controls(run), []
        paused = threading.Event()

        def report(state):
            told.append(state)
            paused.set()

        command("control", made, "pause")
        waiting = threading.Thread(target=attend, args=(run, controls, lambda: None, report))
        waiting.start()
        assert paused.wait(10)
        assert "paused" in command("runs")[1][1]
        assert command("control", made, "resume")[1] == ["sky_00001: resume. It takes effect before the next frame."]
        waiting.join(10)
    assert told == ["paused", "running"]


def quickstart(tmp_path, frames):
    """The quickstart's workflow, small."""
    prompt = json.loads((Path(__file__).parents[2] / "workflows/api/quickstart.json").read_text())
    (sampler,) = [node for node in prompt.values() if node["class_type"] == SAMPLER]
    sampler["inputs"] |= {"num_frames": frames, "width": 64, "height": 64, "steps_schedule": "0:(4)", "run_name": "q"}
    sampler["inputs"] |= {"diffusion_cadence": 1}
    file = tmp_path / "quickstart.json"
    file.write_text(json.dumps(prompt))
    return file


def test_a_run_goes_on_after_an_extension_and_an_edit(command, store, tmp_path):
    """And branches of it, before the edit and after, paint the same pictures again."""
    file = quickstart(tmp_path, 4)
    assert command("render", str(file))[0] == 0
    assert store.status("q_00001").state == "complete"
    before = [entry["sha256"] for entry in store.journal("q_00001")]
    assert command("control", "q_00001", "extend", "frames=3")[0] == 0
    assert command("control", "q_00001", "edit", "strength_schedule=0:(0.2)")[0] == 0
    status, files, complaint = command("resume", "q_00001")
    assert (status, complaint) == (0, "")
    assert files
    found = store.status("q_00001")
    assert (found.state, found.last_frame, found.num_frames, found.pending) == ("complete", 6, 7, ())
    assert [entry["sha256"] for entry in store.journal("q_00001")][:4] == before
    assert store.journal("q_00001")[4]["denoise"] == pytest.approx(0.8)
    assert command("resume", "q_00001")[0] == 0, "a run that is done only renders what follows it"
    assert len(store.journal("q_00001")) == 7
    assert command("control", "q_00001", "rewind", "frame=2")[0] == 0
    assert command("resume", "q_00002")[0] == 0
    assert [entry["sha256"] for entry in store.journal("q_00002")] == before, "the edits came after that frame"
    assert command("control", "q_00001", "rewind", "frame=4")[0] == 0
    assert command("resume", "q_00003")[0] == 0
    assert store.journal("q_00003") == store.journal("q_00001"), "the journal replays to the same pictures"


def test_who_reads_only_the_beginning_gets_no_complaint(store, made):
    """As `framedrift runs | head -0` does."""
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "framedrift.nodes.headless.cli", "runs", "--output-dir", str(store.root.parent)]
    ended = subprocess.run(line, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_no_name_is_no_run(command, made):
    for name in ("", " "):
        assert f"there is no run {name!r} in" in command("resume", name)[2]
