"""The ways from key to key: what they are at the ends, in the middle, and beside formulas."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.schedule import INTERPOLATIONS, ScheduleError, parse_schedule
from framedrift.nodes.core.schedule.easing import monotone_slopes

QUARTERS = {
    "linear": [0, 1, 2, 3, 4],
    "hold": [0, 0, 0, 0, 4],
    "ease_in": [0, 0.25, 1, 2.25, 4],
    "ease_out": [0, 1.75, 3, 3.75, 4],
    "ease_in_out": [0, 0.625, 2, 3.375, 4],
    "cubic": [0, 1, 2, 3, 4],  # between two points alone, a cubic is their line
}


@pytest.mark.parametrize("way", INTERPOLATIONS)
def test_from_one_number_to_the_next(way):
    sampled = parse_schedule("2:(0), 6:(4)", "zoom", way).sample(12)
    np.testing.assert_allclose(sampled, [0, 0, *QUARTERS[way], 4, 4, 4, 4, 4], atol=1e-12)


@pytest.mark.parametrize("way", INTERPOLATIONS)
def test_a_formula_holds_whatever_the_way(way):
    sampled = parse_schedule("0:(0), 4:(t), 8:(1), 10:(3)", "", way).sample(12)
    np.testing.assert_allclose(sampled[:4], QUARTERS[way][:4], atol=1e-12)  # towards the formula's value at its key
    assert sampled[4:8].tolist() == [4, 5, 6, 7]
    assert sampled[8] == 1
    assert sampled[10:].tolist() == [3, 3]


def test_a_cubic_is_smooth_and_a_formula_parts_it():
    sampled = parse_schedule("0:(0), 10:(1), 30:(4), 40:(4)", "", "cubic").sample(41)
    steps = np.diff(sampled)
    assert (steps >= -1e-12).all()
    assert np.abs(np.diff(steps)).max() < 0.03  # no corner; the line's are up to 0.15
    assert sampled[[0, 10, 30, 40]].tolist() == [0, 1, 4, 4]
    parted = parse_schedule("0:(0), 10:(1), 20:(5+0*t), 30:(4), 40:(9)", "", "cubic").sample(41)
    np.testing.assert_allclose(parted[30:], np.linspace(4, 9, 11))


numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.dictionaries(st.integers(0, 60), numbers, min_size=2, max_size=12), st.sampled_from(INTERPOLATIONS))
@settings(max_examples=150, deadline=None)
def test_every_way_meets_the_keys_and_leaves_their_range_nowhere(keys, way):
    text = ", ".join(f"{frame}:({np.format_float_positional(value, trim='0')})" for frame, value in keys.items())
    sampled = parse_schedule(text, "", way).sample(61)
    for frame, value in keys.items():
        assert sampled[frame] == pytest.approx(value, rel=1e-9, abs=1e-9)
    frames = sorted(keys)
    for begin, end in pairwise(frames):
        low, high = sorted((keys[begin], keys[end]))
        span = sampled[begin : end + 1]
        slack = 1e-9 * max(1.0, abs(low), abs(high))
        assert low - slack <= span.min() and span.max() <= high + slack
        direction = np.sign(keys[end] - keys[begin])
        assert (np.diff(span) * direction >= -slack).all()


def test_slopes_against_an_independent_pchip_bound():
    scipy = pytest.importorskip("scipy.interpolate")
    x, y = np.array([0.0, 1, 3, 4, 9]), np.array([0.0, 2, 3, 3, -5])
    slopes = monotone_slopes(x, y)
    # Another monotone rule has other slopes, but the same signs and flat places.
    other = scipy.PchipInterpolator(x, y).derivative()(x)
    assert np.sign(slopes).tolist()[1:] == np.sign(other).tolist()[1:]


def test_an_unknown_way_is_refused():
    with pytest.raises(ScheduleError, match=r"zoom: interpolation is 'bounce', and must be one of: linear, hold"):
        parse_schedule("0:(1)", "zoom", "bounce")


def test_the_way_is_part_of_the_value():
    held = parse_schedule("0:(1), 9:(2)", "zoom", "hold")
    assert held != parse_schedule("0:(1), 9:(2)", "zoom")
    assert held == parse_schedule("0:(1), 9:(2)", "zoom", "hold")


def test_too_steep_a_way_names_the_frame():
    high = "9" * 308
    with pytest.raises(ScheduleError, match="too steep for a number at frame 0"):
        parse_schedule(f"0:({high}), 9:(-{high})", "zoom", "ease_in").sample(10)


def test_shares_of_the_animation_lie_between_frames():
    sampled = parse_schedule("0%:(0), 50%:(1), 100%:(0)").sample(4)
    np.testing.assert_allclose(sampled, [0, 2 / 3, 2 / 3, 0])
    assert parse_schedule("0%:(0), 50%:(t)").sample(4).tolist() == pytest.approx([0, 4 / 3, 2, 3])
    assert parse_schedule("0:(1), 100%:(5)").sample(1).tolist() == [1]
