"""The command line, as a user meets it."""

import json

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
