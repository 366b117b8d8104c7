"""Value schedules against classic Deforum's numbers, and by the rules that the design gives."""

import json
import logging
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.schedule import (
    Schedule,
    ScheduleError,
    as_schedule,
    parse_schedule,
    parse_string_schedule,
)

REFERENCE = json.loads((Path(__file__).parents[2] / "reference" / "schedules.json").read_text())


@pytest.mark.parametrize("case", REFERENCE["numeric"], ids=lambda case: case["schedule"][:40])
def test_numbers_are_those_of_deforum(case):
    sampled = parse_schedule(case["schedule"]).sample(case["max_frames"], case["seed"])
    assert sampled.shape == (case["max_frames"],)
    assert sampled.dtype == np.float64
    # The file's values are rounded to nine decimals.
    np.testing.assert_allclose(sampled, case["values"], rtol=1e-6, atol=5.1e-10)


@pytest.mark.parametrize("case", REFERENCE["string"], ids=lambda case: case["schedule"][:40])
def test_names_are_those_of_deforum(case):
    assert parse_string_schedule(case["schedule"]).sample(case["max_frames"]) == case["values"]


SAME = [
    ["0:(1), 4:(3)", "0: 1, 4: 3", "0:1,4:3,", '"0":"1","4":"3"', "0:('1'), 4:((3))", "4:(3), 0:(1)",
     "0:(1)\n4:(3)", "\n0:\n(1)\n,\n4:( 3.0 )\n", '"0:(1), 4:(3)"', "0:(9), 0:(1), 4:(3)", "2*2:(3), 0:+1",
     "max_f-5:(3), 0:(1)", "0.4s:(3), 0s:(1)", "0.8b:(3), 0b:(1)", "4.9:(3), 0:(01)", "0:(1), 4:(3), 99:(5), -3:(7)"],
    ["0:(t/2)", "t/2", "(t/2)", "0:t/2", "0: ( t / 2 )", "0:('t/2')", "3:(t/2), 0:(t/2)", "0:((t)/(2))"],
    ["0.65", "0:(0.65)", "0:(.65)", "  0.65 ", "(0.65)", "0:(0.65),", "7:(0.65)", "0:(+0.65)", "0:(13/20)"],
    ["0:(where(t<5,1,2))", "0: where(t<5,1,2)", "0:(where(t<5,1,2)), 9:(where(t<5,1,2))", "0:(1),5:(t*0+2),1:(t*0+1)"],
    ["0:(-(5)), 3:(1)", "0:(-5), 3:(1)", "0:(- 5), 3:(1)", "0:-5, 3:1"],
]  # fmt: skip


@pytest.mark.parametrize("texts", SAME, ids=lambda texts: texts[0])
def test_ways_to_write_the_same(texts):
    expected = parse_schedule(texts[0]).sample(10, fps=10.0)
    for text in texts[1:]:
        np.testing.assert_allclose(parse_schedule(text).sample(10, fps=10.0), expected, rtol=1e-12, err_msg=text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2:(5), 4:(7)", [5, 5, 5, 6, 7, 7, 7, 7]),  # a first key holds back to 0
        ("2:(t), 6:(0)", [2, 2, 2, 3, 4, 5, 0, 0]),  # a formula's value too, and its end is a step
        ("0:(0), 4:(t)", [0, 1, 2, 3, 4, 5, 6, 7]),  # a number runs to a formula's value at its key
        ("0:(1), 9:(100)", [1] * 8),  # a key outside shapes nothing
        ("-2:(9), 0:(1), 4:(5)", [1, 2, 3, 4, 5, 5, 5, 5]),
        ("20:(3), 30:(4)", [3] * 8),  # nothing but keys outside: the nearest
        ("-20:(3), -9:(t)", [-9] * 8),
        ("-2000000000:(t)", [-2e9] * 8),
        ("0:(1e-1), 4:(1)", [0.1] * 4 + [1] * 4),  # an exponent is a formula to Deforum
        ("0:(1.), 4:(2)", [1] * 4 + [2] * 4),
        ('"max_f/2":(4), 0:(1)', [1, 2, 3, 4, 4, 4, 4, 4]),  # 3.5 is frame 3
        ('"s-40":(1), 0:(0)', [0, 0.5, 1, 1, 1, 1, 1, 1]),
        ("0:(1), 3:(5), 3:(2), 6:(2)", [1, 4 / 3, 5 / 3, 2, 2, 2, 2, 2]),
    ],
)
def test_rules(text, values):
    np.testing.assert_allclose(parse_schedule(text).sample(8, seed=42), values, rtol=1e-12, atol=1e-12)


def test_seconds_and_beats():
    text = "0:(0), 2s:(60), 8b:(0)"
    sampled = parse_schedule(text).sample(200, fps=30.0, bpm=120.0)
    assert sampled[60] == 60
    assert sampled[120] == 0
    assert sampled[90] == 30
    slow = parse_schedule(text).sample(200, fps=15.0, bpm=60.0)
    assert (slow[30], slow[120], slow[75]) == (60, 0, 30)
    # 0.29 s at 100 fps lies a rounding error before frame 29.
    assert parse_schedule("0:(0), 0.29s:(29)").sample(40, fps=100.0)[28:30].tolist() == [28, 29]


def test_a_dropped_key_is_said_once(caplog):
    with caplog.at_level(logging.WARNING, "framedrift"):
        parse_schedule("0:(1), 50:(2), 60:(2)", "zoom").sample(10)
    assert [record.getMessage() for record in caplog.records] == [
        "zoom: key 50 is frame 50, outside the animation's frames 0 to 9, and is left out (and 1 more)."
    ]


@pytest.mark.parametrize(
    ("text", "key", "column", "words"),
    [
        ("0:(1), 30:(sni(t))", "30", 12, "did you mean sin"),
        ("0:(1), 30:(2*(t+1)", "30", 11, "not closed"),
        ("0:(1)), 30:(2)", "0", 6, "closes no bracket"),
        ("0:(1) 30:(2)", "0", 9, "comma"),
        ("0:(1),, 30:(2)", None, 7, "two commas"),
        ("0:(1), (2)", None, 8, "no key"),
        ("0:(1), :(2)", None, 8, "frame is missing"),
        ("0:", "0", 3, "no value"),
        ("0:()", "0", 4, "no value"),
        ("x:(1)", "x", 1, "'x' is not known"),
        ("0:(1), t:(1)", "t", 8, "cannot depend on t"),
        ("0:(1), 1/0:(2)", "1/0", 8, "divides by zero"),
        ("0:('1)", None, 4, "quote"),
        ("0:(1); 3:(2)", "0", 9, "comma"),
        ("", None, None, "empty"),
        (" \n ", None, None, "empty"),
        (",", None, 1, "two commas"),
        ("0:(1)," * 30_000, None, None, "more than 20000 keys"),
        ("0:(" + "9" * 5000 + ")", "0", 3, "5002 characters"),
        ("0:(" + "9" * 400 + ")", "0", 4, "too large"),
        ("0:(1)," * 200_000, None, None, "characters long"),
        ("{0:1}", "{0", 1, "cannot stand"),
        ("hello", "0", 1, "not known"),
    ],
)
def test_errors_name_schedule_key_and_column(text, key, column, words):
    with pytest.raises(ScheduleError, match=words) as caught:
        parse_schedule(text, "translation_z").sample(40)
    assert (caught.value.name, caught.value.key, caught.value.column) == ("translation_z", key, column)
    assert str(caught.value).startswith("translation_z")


def test_a_value_without_a_number_names_the_frame():
    with pytest.raises(ScheduleError, match=r"zoom, key 5, column 10: \(1/\(t-7\)\) is infinite at frame 7") as caught:
        parse_schedule("0:(1), 5:1/(t-7)", "zoom").sample(20)
    assert caught.value.key == "5"
    # Where the formula does not stand at that frame, all is well.
    assert parse_schedule("0:(1), 8:(1/(t-7))").sample(10)[8] == 1


@pytest.mark.parametrize("options", [{"num_frames": 0}, {"num_frames": -3}, {"num_frames": 9, "fps": 0.0}])
def test_bounds_of_sampling(options):
    with pytest.raises(ScheduleError):
        parse_schedule("0:(1)").sample(**options)


def test_names_with_brackets_survive():
    text = '0: ("my model (v2), final.safetensors"), 4: (it\'s (a) mix.ckpt), 6: Euler a, 8: ("C:\\\\x (1)")'
    assert parse_string_schedule(text).sample(9)[::2] == [
        *["my model (v2), final.safetensors"] * 2, "it's (a) mix.ckpt", "Euler a", "C:\\\\x (1)",
    ]  # fmt: skip
    lora = parse_string_schedule("0: (<lora:film (70s):0.8>), 3: (C:/x (2)/m.ckpt), 4: ((a) and (b))").sample(5)
    assert lora[2:] == ["<lora:film (70s):0.8>", "C:/x (2)/m.ckpt", "(a) and (b)"]
    assert parse_string_schedule("euler").sample(2) == ["euler", "euler"]
    assert parse_string_schedule("3:(b), 9:(c)").sample(5) == ["b"] * 5
    assert parse_string_schedule('"max_f/2":("b"), 0:("a")').sample(5) == ["a", "a", "b", "b", "b"]


def test_schedules_are_values():
    one, other = parse_schedule("0:(1)", "zoom"), parse_schedule("0:(1)", "zoom")
    assert one == other
    assert hash(one) == hash(other)
    assert one != parse_schedule("0:(1)", "angle")
    first = one.sample(3)
    first[:] = 9
    assert one.sample(3).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (0.65, [0.65] * 4),
        (3, [3] * 4),
        (1e-9, [1e-9] * 4),
        ("0:(1), 3:(4)", [1, 2, 3, 4]),
        ("0.5", [0.5] * 4),
        ([1, 5, 2], [1, 5, 2, 2]),
        ((1e-7, -2.5, 1e20, 0, 9), [1e-7, -2.5, 1e20, 0]),
        (np.array([[1], [2]], np.float32), [1, 2, 2, 2]),
        (np.float32(0.5), [0.5] * 4),
    ],
)
def test_as_schedule(value, values):
    schedule = as_schedule(value, "zoom")
    assert schedule.name == "zoom"
    np.testing.assert_array_equal(schedule.sample(4), values)
    np.testing.assert_array_equal(parse_schedule(schedule.text).sample(4), values)


def test_as_schedule_of_tensors_and_schedules():
    import torch

    assert as_schedule(torch.tensor([1.0, 2.0], dtype=torch.bfloat16)).sample(2).tolist() == [1, 2]
    assert as_schedule(torch.tensor(2.0, requires_grad=True)).sample(1).tolist() == [2]
    schedule = parse_schedule("0:(1)", "text")
    assert as_schedule(schedule, "zoom") == Schedule("0:(1)", "zoom")
    assert as_schedule(schedule, "zoom").sample(2).tolist() == [1, 1]


@pytest.mark.parametrize("value", [None, True, [], [1.0, float("nan")], float("inf"), np.zeros((2, 2)), {}, ["a"]])
def test_as_schedule_refuses(value):
    with pytest.raises(ScheduleError, match="zoom"):
        as_schedule(value, "zoom")


def test_twenty_keys_over_5000_frames_are_sampled_in_no_time():
    keys = ", ".join(f"{250 * i}:({i}.02+0.02*sin(2*3.14*t/{20 + i}))" for i in range(20))
    schedule = parse_schedule(keys)
    schedule.sample(5000)
    times = []
    for _ in range(5):
        start = time.process_time()
        schedule.sample(5000)
        times.append(time.process_time() - start)
    assert min(times) < 0.2


PIECES = [
    *("0", "5", "12", "max_f", "t", "s", "2.5s", "8b", ":", ":", ",", ",", "(", ")", "(1)", "(t*2)", "'", '"', "\n"),
    *(" ", "-", "+", ".", "1e3", "sin(t)", "where(t<2,1,2)", "{", "}", "é", "\x00", "1/0", "99999999999", "0:(1),"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join) | st.text(max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_curve_or_our_error(text):
    for parse in (parse_schedule, parse_string_schedule):
        try:
            sampled = parse(text, "zoom").sample(7, 3)
        except ScheduleError as error:
            assert error.name == "zoom"
            assert error.column is None or 1 <= error.column <= len(text) + 1
        else:
            assert len(sampled) == 7


@given(st.dictionaries(st.integers(0, 40), st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1), st.randoms())
@settings(max_examples=100, deadline=None)
def test_numbers_are_interpolated_between_their_keys(keys, random):
    items = list(keys.items())
    random.shuffle(items)
    text = ", ".join(f"{frame}:({np.format_float_positional(value, trim='0')})" for frame, value in items)
    expected = np.interp(np.arange(41), sorted(keys), [keys[frame] for frame in sorted(keys)])
    np.testing.assert_allclose(parse_schedule(text).sample(41), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("piece", ["0:(1),", "'", '"', "(", ")", ":", ",", "\n", "0:1\n", "x,", "0:' ", " "])
def test_half_a_megabyte_of_anything_ends_soon(piece):
    text = piece * (400_000 // len(piece)) if piece != "0:(1)," else piece * 10_000
    start = time.process_time()
    try:
        parse_schedule(text).sample(5)
    except ScheduleError as error:
        assert len(str(error)) < 300
    assert time.process_time() - start < 40


def test_the_frames_of_the_keys():
    schedule = parse_schedule("0:(1), 1s:(2), 50%:(t), max_f:(4), 200:(5), 10:(3)")
    assert schedule.keyframes(41, fps=10.0) == [0, 10, 20, 40]
    assert schedule.keyframes(11, fps=30.0) == [0, 5, 10]
