"""Any text at all: a value, or the parser's own error with a place, and nothing else. `make soak` takes 10,000 each."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.schedule import (
    INTERPOLATIONS,
    ScheduleError,
    TimelineError,
    parse_schedule,
    parse_string_schedule,
    parse_timeline,
)
from framedrift.nodes.core.schedule.errors import ExpressionError
from framedrift.nodes.core.schedule.expression import parse_expression

WORDS = [
    *("0", "5", "12", "30", "-3", "99999999999", "1e3", ".5", "1.", "1e-400", "9" * 330, "0x1f", "1_0", "٣", "½"),
    *("t", "s", "max_f", "pi", "e", "sin", "sni", "where", "min(", "clip(t,0,1)", "sin(t)", "sqrt(-1)", "log(0)"),
    *("2.5s", "8b", "50%", "max_f/2", "1/0", "t/0", "0/0", "t**t", "9**9**9", "2**0.5", "(-1)**0.5", "1<<70", "t>>2"),
    *(":", ":", ",", ",", "(", "(", ")", ")", "'", '"', "\n", "\t", " ", ";", "{", "}", "[", "]", "\\", "`", "#", "//"),
    *("+", "-", "*", "/", "%", "**", "<", ">", "==", "!=", "&", "|", "^", "~", "=", "!", "@", "?", ".", "->", ":="),
    *("and", "or", "not", "if", "else", "lambda", "for", "in", "is", "True", "None", "__import__('os')", "t.__class__"),
    *("0:(1),", "30:(sin(t/10))", "é", "\x00", "\ud800", "\u2028", "\U0001f600", "()", "(())", "0:", "0:(", "eval("),
]
texts = st.lists(st.sampled_from(WORDS), max_size=14).map("".join) | st.text(max_size=60)
counts = pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.soak)])


def run(check, strategy, count):
    given(strategy)(settings(max_examples=count, deadline=None, database=None)(check))()


def placed(error, text):
    assert error.name == "zoom"
    assert error.column is None or 1 <= error.column <= len(text) + 1
    # The text as a whole is meant only where there is nothing in it to point to.
    assert error.column is not None or error.key is not None or not text.strip() or "too steep" in str(error)
    assert len(str(error)) < 500


@counts
def test_value_schedules(count):
    def check(case):
        text, way = case
        try:
            sampled = parse_schedule(text, "zoom", way).sample(9, 3)
        except ScheduleError as error:
            placed(error, text)
        else:
            assert sampled.shape == (9,) and sampled.dtype == np.float64 and np.isfinite(sampled).all()

    run(check, st.tuples(texts, st.sampled_from(INTERPOLATIONS)), count)


@counts
def test_schedules_of_names(count):
    def check(text):
        try:
            sampled = parse_string_schedule(text, "zoom").sample(9, 3)
        except ScheduleError as error:
            placed(error, text)
        else:
            assert len(sampled) == 9 and all(isinstance(name, str) for name in sampled)

    run(check, texts, count)


@counts
def test_formulas(count):
    def check(text):
        try:
            values = parse_expression(text).sample(np.arange(9), 3, 8)
        except ExpressionError as error:
            assert error.column is None or 1 <= error.column <= len(text) + 1
        else:
            assert np.isfinite(values).all()

    run(check, texts, count)


small = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([*WORDS[:40], *INTERPOLATIONS, "seed"])
)
names = st.sampled_from(
    [
        "name",
        "kind",
        "keys",
        "frame",
        "value",
        "expression",
        "easing",
        "enabled",
        "text",
        "start",
        "end",
        "interpolation",
    ]
)
values = st.recursive(small, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner), max_leaves=12)
entries = st.dictionaries(names, values)
files = st.fixed_dictionaries(
    {
        "format": st.just("framedrift-timeline"),
        "version": st.sampled_from([1, 1, 1, 2]),
        "length": st.sampled_from([9, 0]),
    },
    optional={
        "fps": values,
        "bpm": small,
        "tracks": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["a", "b"])},
                optional={
                    "keys": st.lists(st.fixed_dictionaries({"frame": small}, optional={"value": small})) | values
                },
            )
            | entries,
            max_size=2,
        ),
        "prompts": st.lists(entries, max_size=2),
        "markers": st.lists(entries, max_size=2) | values,
    },
)


@counts
def test_timelines(count):
    def check(text):
        try:
            made = parse_timeline(text)
        except TimelineError as error:
            assert len(str(error)) < 500
            return
        assert parse_timeline(made.to_json()) == made
        for track in made.tracks:
            # Whether a formula has a value at every frame shows where it is sampled, and a prompt's where it is read.
            with suppress(FramedriftError):
                schedule = made.schedule(track.name) if track.kind in ("number", "seed") else made.strings(track.name)
                assert schedule is None or len(schedule.sample(made.length, 3, made.fps)) == made.length
        with suppress(FramedriftError):
            assert sum(weight for weight, _ in made.prompt_mix(4)) == pytest.approx(
                float(any(span.enabled for span in made.prompts))
            )

    run(check, files.map(json.dumps) | texts, count)
