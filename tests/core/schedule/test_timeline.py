"""The timeline format: what it means, that nothing of it is lost, and what is said of one that is wrong."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.schedule import (
    INTERPOLATIONS,
    Timeline,
    TimelineError,
    parse_prompts,
    parse_schedule,
    parse_string_schedule,
    parse_timeline,
    timeline_from_schedules,
)
from framedrift.nodes.core.schedule.timeline import KINDS, Key, Marker, PromptSpan, Track

ROOT = Path(__file__).parents[3]
PAGE = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "timeline.md").read_text(), re.DOTALL)[1]
SMALL = {"format": "framedrift-timeline", "version": 1, "length": 20}


def timeline(**entries):
    return json.dumps(SMALL | entries)


def track(keys, **entries):
    return parse_timeline(timeline(tracks=[{"name": "zoom", "keys": keys, **entries}]))


def test_the_pages_example_means_what_the_page_says():
    read = parse_timeline(PAGE)
    z = read.schedule("translation_z").sample(read.length, 0, read.fps)
    assert (z[0], z[30], z[60], z[119]) == (1.5, 8, 2 + np.sin(6), 2 + np.sin(11.9))  # the last key is switched off
    assert read.held("sampler_schedule")[59:61] == ["euler", "dpmpp_2m"]  # eight beats are four seconds
    assert read.held("seed_schedule") == [42] * 120
    assert read.schedule("seed_schedule").sample(3).tolist() == [42] * 3
    assert read.strings("style") is None and read.held("style") is None
    assert [read.prompt_mix(frame) for frame in (49, 50, 70)] == [
        ((1.0, ("a meadow", "people")),), ((1.0, ("a meadow", "people")),), ((1.0, ("a forest", "")),),
    ]  # fmt: skip
    assert read.prompt_mix(60) == ((0.5, ("a meadow", "people")), (0.5, ("a forest", "")))
    assert parse_prompts(read.prompts_text()).text_at(60, 120) == ("a forest", "")
    assert read.markers == (Marker("16b", "drop"),)
    assert parse_timeline(read.to_json()) == read


def test_a_disabled_key_moves_no_other():
    keys = [{"frame": 0, "value": 0}, {"frame": 5, "value": 9}, {"frame": 10, "value": 10}]
    two = [{"name": name, "keys": json.loads(json.dumps(keys))} for name in ("a", "b")]
    two[0]["keys"][1]["enabled"] = False
    read = parse_timeline(timeline(tracks=two))
    assert read.schedule("a").sample(11).tolist() == list(range(11))
    assert read.schedule("b").sample(11)[5] == 9
    two[0]["enabled"] = False
    assert parse_timeline(timeline(tracks=two)).schedule("a") is None
    assert parse_timeline(timeline(tracks=two)).schedule("b") == read.schedule("b")


def test_easing_key_by_key():
    keys = [{"frame": 0, "value": 0, "easing": "hold"}, {"frame": 4, "value": 4}, {"frame": 8, "value": 0}]
    read = track(keys, interpolation="ease_in").schedule("zoom")
    assert read.sample(9).tolist() == [0, 0, 0, 0, 4, 3.75, 3, 1.75, 0]
    assert read != track([{**key, "easing": "linear"} for key in keys]).schedule("zoom")


def test_a_number_as_an_expression_holds():
    read = track([{"frame": 0, "expression": "5"}, {"frame": 10, "value": 7}]).schedule("zoom")
    assert read.sample(11).tolist() == [5.0] * 10 + [7.0]
    assert parse_schedule(read.text).sample(11).tolist() == read.sample(11).tolist()


def test_large_seeds_are_exact():
    keys = [{"frame": 0, "value": 2**64 - 1}, {"frame": 2, "expression": "t*2"}, {"frame": "4", "value": 2**53 + 1}]
    read = track(keys, kind="seed")
    assert read.held("zoom")[:6] == [2**64 - 1, 2**64 - 1, 4, 6, 2**53 + 1, 2**53 + 1]
    assert parse_timeline(read.to_json()) == read


def test_what_is_not_known_is_kept():
    data = json.loads(PAGE) | {"editor": {"zoom": 2, "open": [1, 2]}}
    data["tracks"][0] |= {"colour": "#123"}
    data["tracks"][0]["keys"][1] |= {"note": "é", "handles": [0, 1]}
    data["prompts"][0] |= {"lane": 2}
    data["markers"][0] |= {"colour": "red"}
    written = json.loads(parse_timeline(json.dumps(data)).to_json())
    assert written["editor"] == data["editor"]
    assert written["tracks"][0]["colour"] == "#123"
    assert written["tracks"][0]["keys"][1] == data["tracks"][0]["keys"][1]
    assert written["prompts"][0]["lane"] == 2
    assert written["markers"][0] == data["markers"][0]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("", "", "no JSON"),
        ("{", "", "line 1, column 2"),
        ("[]", "", "an object in braces is wanted, not a list"),
        ("{}", "", "format is missing"),
        (timeline(format="deforum"), "format", 'framedrift-timeline" is wanted, not "deforum"'),
        (timeline(version=2), "version", "version 2, and this Framedrift reads versions up to 1: update it"),
        (timeline(version="1"), "version", "whole number"),
        (timeline(length=0), "length", "from 1 to"),
        (timeline(length=10**12), "length", "from 1 to"),
        (timeline(fps=0), "fps", "above 0"),
        (timeline(tracks={}), "tracks", "a list is wanted, not an object"),
        (timeline(tracks=[{"keys": []}]), "tracks[0]", "name is missing"),
        (timeline(tracks=[{"name": "a"}, {"name": "a"}]), "tracks[1].name", "already"),
        (timeline(tracks=[{"name": "a", "kind": "colour"}]), "tracks[0].kind", "number, seed, text, choice, image"),
        (timeline(tracks=[{"name": "a", "enabled": 1}]), "tracks[0].enabled", "true or false"),
        (
            timeline(tracks=[{"name": "a", "kind": "text", "interpolation": "cubic"}]),
            "tracks[0].interpolation", "a track of text holds",
        ),
        (timeline(tracks=[{"name": "a", "keys": [{"value": 1}]}]), "tracks[0].keys[0]", "frame is missing"),
        (timeline(tracks=[{"name": "a", "keys": [{"frame": 1.5, "value": 1}]}]), "tracks[0].keys[0].frame", "whole"),
        (timeline(tracks=[{"name": "a", "keys": [{"frame": "t", "value": 1}]}]), "tracks[0].keys[0].frame", "on t"),
        (timeline(tracks=[{"name": "a", "keys": [{"frame": 1}]}]), "tracks[0].keys[0]", "a value or an expression"),
        (timeline(tracks=[{"name": "a", "keys": [{"frame": 1, "value": "x"}]}]), "tracks[0].keys[0].value", "number"),
        (
            timeline(tracks=[{"name": "a", "keys": [{"frame": 1, "expression": "sni(t)"}]}]),
            "tracks[0].keys[0].expression, column 1", "did you mean sin",
        ),
        (
            timeline(tracks=[{"name": "a", "kind": "seed", "keys": [{"frame": 1, "value": -1}]}]),
            "tracks[0].keys[0].value", "from 0",
        ),
        (
            timeline(tracks=[{"name": "a", "keys": [{"frame": 1, "value": 1, "easing": "bounce"}]}]),
            "tracks[0].keys[0].easing", "one of linear",
        ),
        (timeline(prompts=[{"start": 0}]), "prompts[0]", "text is missing"),
        (timeline(markers=[{"frame": None}]), "markers[0].frame", "a frame"),
        ('{"format": "framedrift-timeline", "version": 1, "version": 2}', "", "'version' stands twice"),
        (timeline(fps=15).replace("15", "NaN"), "", "NaN is no number"),
        (timeline(fps=15).replace("15", "9" * 5000), "", "a number that is too long"),
        ("[" * 100_000, "", "nested"),
        (timeline(editor=json.loads("[" * 80 + "]" * 80)), "", "nested more than 64 deep"),
        (" " * 9_000_000, "", "characters long"),
        (timeline(markers=[{"frame": 0}] * 20_001), "markers", "20001 entries"),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else None,
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text, path, words):
    start = time.process_time()
    with pytest.raises(TimelineError, match=re.escape(words)) as caught:
        parse_timeline(text)
    assert caught.value.path == path
    assert len(str(caught.value)) < 400
    assert time.process_time() - start < 10


def test_a_track_that_is_not_there():
    read = parse_timeline(PAGE)
    with pytest.raises(TimelineError, match="did you mean translation_z"):
        read.schedule("translation_zz")
    with pytest.raises(TimelineError, match="not of numbers"):
        read.schedule("style")


# ---- there and back


SCHEDULES = [
    "0:(0), 20:(5), 40:(sin(t/9)), 50:(2)", '"max_f/2":(1e-1), 2.5s:(3), 8b:(-4.25), 50%:(.5)', "t/2", "0.65",
    "4.9:(1), 4:(2), 4:(3), 99:(7)", "0:(1.0025+0.002*sin(1.25*3.14*t/30))", "0:(where(t<5,1,2)), 30:(+(7))",
]  # fmt: skip


@pytest.mark.parametrize("way", ["linear", "cubic"])
@pytest.mark.parametrize("text", SCHEDULES)
def test_schedules_come_back_as_they_went(text, way):
    schedule = parse_schedule(text, "zoom", way)
    made = timeline_from_schedules({"zoom": schedule}, 60, 15.0, 90.0)
    back = parse_timeline(made.to_json()).schedule("zoom")
    np.testing.assert_array_equal(back.sample(60, 3, 15.0), schedule.sample(60, 3, 15.0))
    np.testing.assert_array_equal(parse_schedule(back.text, "", way).sample(60, 3, 15.0, 90.0), back.sample(60, 3))


def test_names_and_prompts_come_back_too():
    names = parse_string_schedule('0: ("a (v2), b"), "max_f/2": ("it\'s"), 9b: (c)')
    prompts = parse_prompts("0: a cat --neg rain\n20: a `t*2` dog\nmax_f-5: end", "blur")
    made = parse_timeline(timeline_from_schedules({"checkpoint": names}, 60, prompts=prompts).to_json())
    assert made.held("checkpoint") == names.sample(60)
    for frame in range(60):
        expected = prompts.text_at(frame, 60)
        assert made.prompt_mix(frame) == ((1.0, expected),)
        assert parse_prompts(made.prompts_text()).text_at(frame, 60) == expected


words = st.text(max_size=12)
floats = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | words, st.lists, max_leaves=4)
extras = st.dictionaries(words.map(lambda word: f"x-{word}"), plain, max_size=2)
times = st.integers(-50, 90) | st.sampled_from(["2.5s", "8b", "50%", "max_f/2", "4.9", "s%7"])
formulas = st.sampled_from(["t", "sin(t/3)+s", "5", "where(t < 5, 1, 2)"])
easings = st.sampled_from(["", *INTERPOLATIONS])


@st.composite
def tracks(draw, name):
    kind = draw(st.sampled_from(KINDS))
    value = {"number": floats, "seed": st.integers(0, 2**64 - 1)}.get(kind, words)
    keys = []
    for _ in range(draw(st.integers(0, 5))):
        formula = draw(formulas) if kind in ("number", "seed") and draw(st.booleans()) else ""
        easing = draw(easings if kind == "number" else st.sampled_from(["", "hold"]))
        keys.append(
            Key(draw(times), None if formula else draw(value), formula, easing, draw(st.booleans()), draw(extras))
        )
    way = draw(easings if kind == "number" else st.sampled_from(["", "hold"]))
    return Track(name, kind, tuple(keys), way, draw(st.booleans()), draw(extras))


spans = st.builds(PromptSpan, times, words, st.none() | times, words, st.booleans(), extras)
timelines = st.builds(
    Timeline,
    st.integers(1, 80),
    st.floats(0.1, 240),
    st.floats(1, 999),
    st.tuples(tracks("a"), tracks("b ☂")),
    st.lists(spans, max_size=3).map(tuple),
    st.lists(st.builds(Marker, times, words, extras), max_size=3).map(tuple),
    extras,
)


@given(timelines)
@settings(max_examples=150, deadline=None)
def test_a_file_says_all_that_a_timeline_does(made):
    written = made.to_json()
    read = parse_timeline(written)
    assert read == made
    assert read.to_json() == written
    for one in made.tracks:
        if one.kind == "number" and (schedule := made.schedule(one.name)) is not None:
            again = timeline_from_schedules({one.name: schedule}, made.length, made.fps, made.bpm).schedule(one.name)
            assert again == schedule and again.keys == schedule.keys


def problems(data):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "web" / "timeline.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


@given(timelines)
@settings(max_examples=30, deadline=None)
def test_what_is_written_fits_the_schema(made):
    assert problems(json.loads(made.to_json())) == []


@pytest.mark.parametrize("data", [json.loads(PAGE), SMALL], ids=["page", "smallest"])
def test_examples_fit_the_schema_and_are_read(data):
    assert problems(data) == []
    parse_timeline(json.dumps(data))


@pytest.mark.parametrize(
    "entries",
    [
        {"version": 2},
        {"format": "x"},
        {"length": 0},
        {"fps": 0},
        {"tracks": [{"name": ""}]},
        {"tracks": [{"name": "a", "kind": "x"}]},
        {"tracks": [{"name": "a", "kind": "text", "interpolation": "cubic"}]},
        {"tracks": [{"name": "a", "kind": "text", "keys": [{"frame": 0, "value": 1}]}]},
        {"tracks": [{"name": "a", "kind": "image", "keys": [{"frame": 0, "value": "a", "easing": "linear"}]}]},
        {"tracks": [{"name": "a", "keys": [{"frame": 0, "value": "1"}]}]},
        {"tracks": [{"name": "a", "keys": [{"frame": 0}]}]},
        {"tracks": [{"name": "a", "keys": [{"frame": 0, "value": 1, "expression": "t"}]}]},
        {"tracks": [{"name": "a", "keys": [{"frame": 0.5, "value": 1}]}]},
        {"tracks": [{"name": "a", "kind": "seed", "keys": [{"frame": 0, "value": 1.5}]}]},
        {"prompts": [{"start": 0}]},
        {"markers": [{}]},
    ],
    ids=json.dumps,
)
def test_schema_and_reader_refuse_the_same(entries):
    assert problems(SMALL | entries)
    with pytest.raises(TimelineError):
        parse_timeline(timeline(**entries))
