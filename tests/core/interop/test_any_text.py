"""Whatever is pasted: an animation, or an error that says why, and soon."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.interop import ImportedAnimation, import_animation
from framedrift.nodes.core.interop.defaults import DEFAULTS

DATA = Path(__file__).parent / "data"
FILES = [(DATA / name).read_text() for name in ("deforum_default.txt", "parseq.json", "fizz.txt", "astria.txt")]
EXAMPLES = int(os.environ.get("INTEROP_EXAMPLES", "60"))
SOAK = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)

PIECES = st.sampled_from(
    ['"0": "a cat", ', "0:(", ")", "{", "}", "[", '"', "'", "\n", ":", ",", "=", "`", "--neg ", "max_f", "1e999",
     "null", "seed=1\n", "0: a cat\n",
     "25: b\n", "translation_z=", "0:(sin(t))", '"rendered_frames": ', '"W": 512', "\ufeff"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | PIECES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def outcome(text):
    try:
        found = import_animation(text)
    except FramedriftError as error:
        assert str(error).strip()
        assert len(str(error)) < 2000
        return None
    assert isinstance(found, ImportedAnimation)
    assert str(found.report)
    assert found.num_frames >= 1
    found.prompts.text.encode()
    found.camera.texts()
    return found


@SOAK
@given(st.text(max_size=200) | st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join))
def test_random_texts(text):
    outcome(text)


@SOAK
@given(st.sampled_from(FILES), st.data())
def test_files_with_a_piece_put_in_or_cut_out(text, data):
    at = data.draw(st.integers(0, len(text)))
    end = min(len(text), at + data.draw(st.integers(0, 40)))
    outcome(text[:at] + data.draw(PIECES | st.text(max_size=6)) + text[end:])


@SOAK
@given(st.dictionaries(st.sampled_from([*DEFAULTS, "prompts", "framedrift", "scale", "scheduler"]), JSON, max_size=4))
def test_settings_with_other_values(changed):
    values = json.loads(FILES[0]) | {"max_frames": 20} | changed
    if isinstance(values["max_frames"], int) and values["max_frames"] > 1000:
        values["max_frames"] = 1000
    outcome(json.dumps(values))


@SOAK
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["frame", "strength", "zoom_delta", "deforum_prompt", "seed"]), JSON),
        max_size=4,
    ),
    st.dictionaries(st.sampled_from(["meta", "options", "prompts", "managedFields"]), JSON),
)
def test_manifests_with_other_values(rows, more):
    outcome(json.dumps({"rendered_frames": [{"frame": 0}, *rows], **more}))


MEGABYTE = 1_000_000
LARGE = {
    "letters": "a" * MEGABYTE,
    "brackets": "(" * MEGABYTE,
    "braces": "{" * MEGABYTE,
    "quotes": '"' * MEGABYTE,
    "colons": "0:" * (MEGABYTE // 2),
    "blanks": " " * MEGABYTE,
    "lines": "\n" * MEGABYTE,
    "equals": "a=" * (MEGABYTE // 2),
    "astria lines": "seed=1\n" + "1: a\n" * (MEGABYTE // 5),
    "astria prompts": "seed=1\n" + "".join(f"{n}: cat\n" for n in range(90_000)),
    "fizz": ", ".join(f'"{n}": "a cat"' for n in range(60_000)),
    "settings": json.dumps({**json.loads(FILES[0]), "zoom": "0:(1), " * 140_000}),
    "unknown keys": json.dumps({"W": 512, **{f"k{n}": n for n in range(60_000)}}),
    "a long prompt": json.dumps({"W": 512, "prompts": {"0": "a " * 500_000}}),
    "backticks": json.dumps({"W": 512, "prompts": {"0": "`t` " * 100_000}}),
    "a long key": json.dumps({"x" * MEGABYTE: 1}),
}


@pytest.mark.parametrize("what", LARGE)
def test_a_megabyte_takes_bounded_time(what):
    begun = time.process_time()
    outcome(LARGE[what])
    assert time.process_time() - begun < 10


def test_a_long_table_is_read():
    rows = [
        {
            "frame": n,
            "strength": 0.5 + (n % 7) / 100,
            "translation_z_delta": n / 100,
            "deforum_prompt": f"a {'cat ' * 30}{n}",
        }
        for n in range(5000)
    ]
    begun = time.process_time()
    found = outcome(json.dumps({"rendered_frames": rows}))
    assert time.process_time() - begun < 10
    assert found.num_frames == 5000
    assert found.prompts.text_at(4321, 5000)[0].endswith("4321")
