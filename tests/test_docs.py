"""What the documentation says of nodes and keys is so."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from framedrift.nodes.core.interop import import_animation
from framedrift.nodes.headless.runner import node_classes

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "parameters.md").read_text()
KEYS = json.loads((ROOT / "tests" / "reference" / "deforum_settings.json").read_text())
INPUTS = {
    schema.display_name: {entry.id for entry in schema.inputs}
    for schema in (cls.GET_SCHEMA() for cls in node_classes().values())
}
# | `key` | `Node: input`, `Node: input` or a dash | a sentence |
ROW = re.compile(r"^\| `(?P<key>\w+)` \| (?P<where>[^|]*) \| (?P<said>[^|]*) \|$", re.MULTILINE)
ROWS = [match.groupdict() for match in ROW.finditer(PAGE)]


def test_every_key_of_a_settings_file_stands_in_the_table_once():
    assert Counter(row["key"] for row in ROWS) == Counter(KEYS.keys())
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(lines) == len(ROWS), "a row that cannot be read"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["key"])
def test_what_a_row_names_exists_or_it_says_why_not(row):
    places = re.findall(r"`([^`]+)`", row["where"])
    if not places:
        assert row["where"] == "–"
        assert len(row["said"]) > 8, "why is there none?"
    for place in places:
        node, _, name = place.partition(": ")
        assert node in INPUTS, f"there is no node {node}"
        assert name in INPUTS[node], f"{node} has no input {name}"


def test_the_numbers_in_the_text_are_counted():
    none = sum(row["where"] == "–" for row in ROWS)
    assert f"each of the {len(ROWS)} keys" in PAGE
    assert re.search(rf"\b{none}\s+have\s+none", PAGE)


@pytest.mark.parametrize("word", sorted(set(re.findall(r"\*([A-Z0-9][\w ]+)\*", PAGE))))
def test_the_nodes_that_the_text_names_exist(word):
    stock = {"Load Image", "Load Audio", "Load Upscale Model"}
    modes = {"Interpolation", "Video Input"}
    assert word in INPUTS.keys() | stock | modes


# Everything switched on, so that every key has something to say.
ON = {key: True for key, entry in KEYS.items() if isinstance(entry["default"], bool)} | {
    "prompts": {"0": "a"}, "hybrid_composite": "Normal", "hybrid_motion": "Affine", "color_coherence": "Image",
    "optical_flow_cadence": "RAFT", "optical_flow_redo_generation": "RAFT", "contrast_schedule": "0:(1.1)",
    "diffusion_redo": 1, "reroll_blank_frames": "reroll", "max_frames": 9, "aspect_ratio_use_old_formula": False,
}  # fmt: skip
SETTINGS = {key: entry["default"] for key, entry in KEYS.items()} | ON
REPORTS = [
    import_animation(json.dumps(SETTINGS | {"animation_mode": mode, "color_coherence": colours})).report
    for mode, colours in (("2D", "Image"), ("3D", "Video Input"))
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["key"])
def test_the_report_of_an_import_names_what_the_row_names(row):
    """Where the user has something to do, the report and the table say the same nodes."""
    nodes = {place.partition(": ")[0] for place in re.findall(r"`([^`]+)`", row["where"])}
    inputs = {place.partition(": ")[2] for place in re.findall(r"`([^`]+)`", row["where"])}
    entries = [report[row["key"]] for report in REPORTS]
    for entry in entries:
        assert not (entry.status in ("mapped", "unknown") and row["where"] == "–" and row["key"] != "legacy_colormatch")
        if nodes and entry.status in ("left out", "for another program"):
            sampler = "Frame Feedback Sampler" in nodes and "the sampler" in entry.sentence
            flat = "a 3D camera has no perspective flip" in entry.sentence
            named = any(node in entry.sentence for node in nodes) or any(name in entry.sentence for name in inputs)
            assert sampler or flat or named, entry.sentence
