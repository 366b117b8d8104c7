"""What holds for the whole repository, whoever changes it next."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from framedrift.nodes.headless.runner import node_classes

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = sorted([ROOT / "__init__.py", *(ROOT / "nodes").rglob("*.py")])
NODES = {name: cls for name, cls in node_classes().items() if name != "LoadImage"}
# Ids that saved workflows hold. UPDATE_NODE_IDS=1 adds new ones; what is there is never taken out.
NODE_IDS = ROOT / "tests" / "node_ids.json"
COMFYUI = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "folder_paths", "latent_preview", "server"}
# Where the name to import is not the name to install.
DISTRIBUTIONS = {"cv2": "opencv-python-headless", "PIL": "pillow", "huggingface_hub": "huggingface-hub"}


def name_of(path):
    return str(path.relative_to(ROOT))


def imports(path):
    """Every module that a file imports, at any depth, as (level, dotted name)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from ((node.level, f"{base}.{alias.name}".strip(".")) for alias in node.names)


def test_every_package_is_installed():
    found = {"framedrift"} | {
        ".".join(("framedrift", *path.parent.relative_to(ROOT).parts)) for path in (ROOT / "nodes").rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found
    folders = {path.parent for path in SOURCES}
    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    declared = {re.split(r"[<>=!~\s\[]", line)[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    declared -= {"", "#"}
    imported = {name.split(".")[0] for path in SOURCES for level, name in imports(path) if level == 0}
    others = imported - set(sys.stdlib_module_names) - COMFYUI
    assert {DISTRIBUTIONS.get(name, name) for name in others} == declared


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_sources_keep_the_rules(path):
    tree = ast.parse(path.read_text())
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    forbidden = {"eval", "exec", "compile", "__import__"} | ({"print"} if path.name != "cli.py" else set())
    assert called & forbidden == set()
    modules = {name.split(".")[0] for level, name in imports(path) if level == 0}
    assert modules & {"pickle", "marshal", "shelve", "framedrift"} == set()
    assert path == ROOT / "nodes" / "host.py" or modules & COMFYUI == set()
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", path.read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "nodes" / "core").rglob("*.py")), ids=name_of)
def test_core_knows_no_host(path):
    depth = len(path.relative_to(ROOT / "nodes" / "core").parts)
    outside = [name for level, name in imports(path) if level > depth]
    assert outside == []


PLANTED = [f"import {name}\n" for name in sorted(COMFYUI)] + ["from comfy.utils import ProgressBar\n"]


@pytest.mark.parametrize(
    ("place", "caught"), [("nodes/core/x.py", True), ("nodes/sampler.py", True), ("nodes/host.py", False)]
)
def test_ruff_lets_only_the_seam_import_comfyui(place, caught):
    for line in PLANTED:
        done = subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--stdin-filename", place, "-"],
            input=line, capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        assert ("TID251" in done.stdout) is caught, (place, line, done.stdout + done.stderr)


def test_the_repository_holds_sources_only():
    listing = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    files = [line.split(maxsplit=3) for line in listing.stdout.splitlines()]
    assert [name for mode, _, _, name in files if mode in ("120000", "160000")] == []
    refused = (".pyc", ".pyo", ".so", ".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".egg-info")
    assert [name for *_, name in files if name.endswith(refused)] == []
    large = [name for *_, name in files if (ROOT / name).exists() and (ROOT / name).stat().st_size > 4_000_000]
    assert large == []


def schema_inputs(schema):
    """(input, its io type, the options that the page is given) for every input."""
    return [(entry, entry.get_io_type(), entry.as_dict()) for entry in schema.inputs]


@pytest.mark.parametrize("name", NODES)
def test_every_node_explains_itself(name):
    schema = NODES[name].GET_SCHEMA()
    assert name.startswith("Framedrift")
    assert schema.display_name
    assert schema.category.startswith("Framedrift/")
    assert len(schema.description) > 20
    assert schema.search_aliases
    for entry, kind, options in schema_inputs(schema):
        assert options.get("tooltip"), f"{entry.id} has no tooltip"
        if kind in ("INT", "FLOAT"):
            missing = {"min", "max", "step", "default"} - set(options)
            assert not missing, f"{entry.id} has no {', '.join(sorted(missing))}"
            assert options["min"] <= options["default"] <= options["max"], entry.id
        if kind == "COMBO" and options.get("options"):
            assert options.get("default", options["options"][0]) in options["options"], entry.id
    for output in NODES[name].define_schema().outputs:
        assert output.id, "an output has no id of its own"
        assert output.tooltip, f"output {output.id} has no tooltip"


@pytest.mark.parametrize("name", NODES)
def test_every_node_has_a_help_page_that_names_every_input_and_output(name):
    page = ROOT / "web" / "docs" / f"{name}.md"
    assert page.exists(), f"{name_of(page)} is missing"
    text = page.read_text()
    schema = NODES[name].GET_SCHEMA()
    named = [entry.id for entry in (*schema.inputs, *schema.outputs)]
    assert [entry for entry in named if not re.search(rf"\b{re.escape(entry)}\b", text)] == []


def test_no_help_page_is_left_over():
    assert {page.stem for page in (ROOT / "web" / "docs").glob("*.md")} == set(NODES)


def current_ids():
    schemas = {name: cls.GET_SCHEMA() for name, cls in sorted(NODES.items())}
    return {
        name: {
            "inputs": [[entry.id, entry.get_io_type()] for entry in schema.inputs],
            "outputs": [[output.id, output.io_type] for output in schema.outputs],
        }
        for name, schema in schemas.items()
    }


def test_ids_are_permanent():
    """Saved workflows hold node and input ids, and widget values and outputs by position: new ones come at the end."""
    released, now = json.loads(NODE_IDS.read_text()), current_ids()
    for name, sockets in released.items():
        assert name in now, f"{name} is gone, and with it every workflow that has one"
        for side, entries in sockets.items():
            kept = now[name][side][: len(entries)]
            assert [entry for entry, _ in kept] == [entry for entry, _ in entries], (
                f"{side} of {name} were moved or removed"
            )
            # An input may come to take more types than it did: every saved link still fits.
            for (entry, old), (_, new) in zip(entries, kept, strict=True):
                fits = set(old.split(",")) <= set(new.split(",")) if side == "inputs" else old == new
                assert fits, f"{entry} of {name} was {old} and is {new}"
    if os.environ.get("UPDATE_NODE_IDS"):
        NODE_IDS.write_text(json.dumps(now, indent=1) + "\n")
    assert json.loads(NODE_IDS.read_text()) == now, "new ids: keep them with UPDATE_NODE_IDS=1 make test"


def test_the_registry_is_told_what_the_pack_is():
    comfy = PROJECT["tool"]["comfy"]
    assert PROJECT["project"]["name"] == "framedrift"
    assert comfy["DisplayName"] == "Framedrift"
    assert comfy["requires-comfyui"] == ">=0.33.0"
    assert PROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    headings = re.findall(r"^## \[?([\w.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", PROJECT["project"]["version"])


def test_every_workflow_has_its_picture_and_its_links():
    for path in (ROOT / "workflows").glob("*.json"):
        assert path.with_suffix(".jpg").exists(), f"{name_of(path)} has no picture"
    for path in (ROOT / "workflows" / "api").glob("*.json"):
        for key, node in json.loads(path.read_text()).items():
            assert set(node) >= {"class_type", "inputs"}, f"{path.name}: node {key}"
