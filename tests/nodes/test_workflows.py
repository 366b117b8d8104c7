"""The workflows that the pack brings along: the page's file and the API's are the same graph."""

import json
from pathlib import Path

import pytest

from framedrift.nodes.headless.prompt import check_prompt
from framedrift.nodes.headless.runner import node_classes
from framedrift.nodes.headless.workflow import workflow_to_prompt

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
CLASSES = node_classes()
PAGES = sorted(WORKFLOWS.glob("*.json"))


def graph(prompt):
    """What of a prompt shapes its result: titles do not."""
    return {key: (node["class_type"], node["inputs"]) for key, node in prompt.items()}


def kinds(path):
    return {node["type"] for node in json.loads(path.read_text())["nodes"]} - {"Note", "MarkdownNote"}


def compare(path, schemas):
    made = workflow_to_prompt(json.loads(path.read_text()), schemas)
    assert graph(made) == graph(json.loads((WORKFLOWS / "api" / path.name).read_text()))


@pytest.mark.parametrize("path", [path for path in PAGES if kinds(path) <= set(CLASSES)], ids=lambda path: path.stem)
def test_the_pages_file_is_the_apis(path):
    compare(path, {name: cls.GET_NODE_INFO_V1() for name, cls in CLASSES.items()})


@pytest.mark.comfyui
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_pages_file_is_the_apis_in_comfyui(path, server):
    compare(path, server.get("/object_info"))


def test_every_page_has_an_api_twin():
    assert {path.name for path in PAGES} == {path.name for path in (WORKFLOWS / "api").glob("*.json")}


def test_the_quickstart_passes_every_check():
    check_prompt(json.loads((WORKFLOWS / "api" / "quickstart.json").read_text()), CLASSES)
