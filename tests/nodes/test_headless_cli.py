"""The command line, as a user meets it."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from framedrift.nodes.headless import cli
from framedrift.nodes.headless.prompt import PromptError

PROMPT = {
    "1": {"class_type": "A", "inputs": {"seed": 1, "text": "x"}},
    "2": {"class_type": "B", "inputs": {}},
    "3": {"class_type": "B", "inputs": {}},
}


@pytest.mark.parametrize(
    ("assignment", "node", "name", "value"),
    [
        ("1.seed=3", "1", "seed", 3),
        ('1.text="3"', "1", "text", "3"),
        ("1.text=0:(1), 30:(sin(t/10))", "1", "text", "0:(1), 30:(sin(t/10))"),
        ("1.text=a=b.c", "1", "text", "a=b.c"),
        ("1.text=", "1", "text", ""),
        ('2.image=["1", 0]', "2", "image", ["1", 0]),
        ("A.seed=4", "1", "seed", 4),
    ],
)
def test_set_changes_one_input_and_nothing_else(assignment, node, name, value):
    changed = cli.set_input(PROMPT, assignment)
    assert changed[node]["inputs"][name] == value
    changed[node]["inputs"][name] = PROMPT[node]["inputs"].get(name)
    assert PROMPT["1"]["inputs"] == {"seed": 1, "text": "x"}


@pytest.mark.parametrize("assignment", ["seed=3", "1.seed", "9.seed=1", "B.seed=1", ".x=1", "1.=2"])
def test_a_set_that_leads_nowhere_is_refused(assignment):
    with pytest.raises(PromptError, match="--set"):
        cli.set_input(PROMPT, assignment)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no file"),
        ("{", "no JSON"),
        ("[1]", "no workflow"),
        ("{}", "no nodes"),
        (json.dumps({"1": {"class_type": "Nope", "inputs": {}}}), "no node of the type Nope"),
        (json.dumps({"nodes": [{"id": 1, "type": "Nope"}], "links": []}), "no node of the type Nope"),
    ],
)
def test_an_error_is_one_readable_line_and_status_1(text, words, tmp_path, capsys):
    path = tmp_path / "prompt.json"
    if text is not None:
        path.write_text(text)
    assert cli.main(["render", str(path), "--output-dir", str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_debug_shows_where_an_error_came_from(tmp_path):
    with pytest.raises(PromptError):
        cli.main(["render", str(tmp_path / "none.json"), "--debug"])


def test_usage_errors_have_status_2():
    with pytest.raises(SystemExit) as stop:
        cli.main(["render"])
    assert stop.value.code == 2


@pytest.fixture
def flight(flight_prompt, tmp_path):
    """A whole workflow in little, as a file."""
    path = tmp_path / "flight.json"
    path.write_text(json.dumps(flight_prompt))
    return path


def command(*arguments):
    return [sys.executable, "-m", "framedrift.nodes.headless.cli", "render", *map(str, arguments)]


def test_standard_output_holds_the_paths_of_what_was_written_and_nothing_else(flight, tmp_path):
    done = subprocess.run(
        command(flight, "--output-dir", tmp_path / "out"), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'out' / 'film' / 'flight_00001_.mp4'}\n"
    assert done.stderr == ""
    assert (tmp_path / "out" / "film" / "flight_00001_.mp4").stat().st_size > 500
    assert len(list((tmp_path / "out" / "framedrift" / "flight_00001" / "frames").iterdir())) == 4


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_terminal_is_shown_progress_and_quiet_silences_it(flight, tmp_path, quiet):
    ours, theirs = pty.openpty()
    arguments = ["--output-dir", tmp_path / "out", "--set", "3.num_frames=2", *quiet]
    with subprocess.Popen(command(flight, *arguments), stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 4096):
                seen += piece
        except OSError:  # how Linux says that the other end of a terminal is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    assert seen == b"" if quiet else b"Frame Feedback Sampler" in seen


def frames_in(folder):
    return sorted(folder.glob("framedrift/*/frames/*.png"))


def test_ctrl_c_keeps_the_frames_and_the_next_run_goes_on_with_them(flight, tmp_path):
    out = tmp_path / "out"
    longer = ("--output-dir", out, "--set", "3.num_frames=8", "--set", "3.steps_schedule=0:(40)")
    process = subprocess.Popen(command(flight, *longer), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 90
    while len(frames_in(out)) < 2 and time.monotonic() < end and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said[0] == ""
    assert "kept" in said[1]
    made = {path: path.stat().st_mtime_ns for path in frames_in(out)}
    assert 2 <= len(made) < 8

    done = subprocess.run(command(flight, *longer), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(frames_in(out)) == 8
    assert {path: path.stat().st_mtime_ns for path in made} == made
