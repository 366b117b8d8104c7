import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.cadence import diffused_frames
from framedrift.nodes.core.errors import FramedriftError


@pytest.mark.parametrize(
    ("num_frames", "cadence", "expected"),
    [
        (1, 1, (0,)),
        (1, 7, (0,)),
        (2, 5, (0, 1)),
        (5, 1, (0, 1, 2, 3, 4)),
        (9, 4, (0, 4, 8)),
        (10, 4, (0, 4, 8, 9)),
        (72, 100, (0, 71)),
        (12, 11, (0, 11)),
    ],
)
def test_every_cadence_th_frame_and_the_last(num_frames, cadence, expected):
    assert diffused_frames(num_frames, cadence) == expected


@given(num_frames=st.integers(1, 3000), cadence=st.integers(1, 4000))
def test_no_gap_is_longer_than_the_cadence(num_frames, cadence):
    frames = diffused_frames(num_frames, cadence)
    gaps = [b - a for a, b in pairwise(frames)]
    assert frames[0] == 0
    assert frames[-1] == num_frames - 1
    assert all(1 <= gap <= cadence for gap in gaps)
    assert all(gap == cadence for gap in gaps[:-1])


@pytest.mark.parametrize(("num_frames", "cadence", "field"), [(0, 1, "num_frames"), (5, 0, "diffusion_cadence")])
def test_numbers_that_cannot_work_are_named(num_frames, cadence, field):
    with pytest.raises(FramedriftError, match=field):
        diffused_frames(num_frames, cadence)


@given(num_frames=st.integers(1, 400), data=st.data())
def test_a_schedule_is_followed_frame_by_frame(num_frames, data):
    cadence = np.array(data.draw(st.lists(st.floats(1, 50), min_size=num_frames, max_size=num_frames)))
    frames = diffused_frames(num_frames, cadence)
    assert (frames[0], frames[-1]) == (0, num_frames - 1)
    assert all(b - a == int(cadence[a]) for a, b in pairwise(frames[:-1]))
    assert num_frames == 1 or frames[-1] - frames[-2] <= cadence[frames[-2]]


def test_a_schedule_of_one_number_is_that_number():
    assert diffused_frames(50, np.full(50, 4.9)) == diffused_frames(50, 4)
    assert diffused_frames(50, np.full(50, 4.0), [7, 31]) == diffused_frames(50, 4, [7, 31])
    assert diffused_frames(5, np.full(5, 1e300)) == (0, 4)


def least_longest_gap(marks, budget):
    """The shortest that the longest gap can be: by trying every length."""
    for longest in range(1, marks[-1] + 1):
        if 1 + sum(-(-(b - a) // longest) for a, b in pairwise(marks)) <= budget:
            return longest
    raise AssertionError("the keyframes alone are over the budget")


def test_keyframes_over_4000_random_sets():
    """No key is lost, first and last are there, the budget is used and no more, and no gap could be shorter."""
    draw = random.Random(7)
    within, checked = 0, 0
    for _ in range(4000):
        num_frames, cadence = draw.randint(2, 240), draw.randint(1, 24)
        keys = [draw.randrange(num_frames) for _ in range(draw.randint(0, 12))]
        frames = diffused_frames(num_frames, cadence, keys)
        assert {0, num_frames - 1, *keys} <= set(frames)
        assert list(frames) == sorted(set(frames))
        marks = sorted({0, num_frames - 1, *keys})
        budget = 1 + num_frames // cadence
        assert len(frames) == max(len(marks), min(budget, num_frames))
        longest = max(b - a for a, b in pairwise(frames))
        if len(marks) <= budget:
            least = least_longest_gap(marks, budget)
            assert longest == least
            if least <= 1.3 * cadence:
                within += 1
                assert longest <= 1.3 * cadence
            checked += 1
    assert checked > 1500
    assert within > 0.3 * checked


def test_gaps_follow_a_schedule_between_keyframes():
    """Where the cadence is 2 frames lie three times as close as where it is 6."""
    cadence = np.where(np.arange(121) < 60, 2.0, 6.0)
    frames = diffused_frames(121, cadence, [60])
    assert 60 in frames
    assert len(frames) == 1 + 40
    first, second = ([b - a for a, b in pairwise(frames) if a < 60], [b - a for a, b in pairwise(frames) if a >= 60])
    assert set(first) == {2}
    assert set(second) <= {5, 6, 7}


def test_keyframes_outside_do_not_count():
    assert diffused_frames(9, 4, [-3, 9, 100]) == (0, 4, 8)


@pytest.mark.parametrize("value", [0.5, math.nan])
def test_a_schedule_below_one_is_named_with_its_frame(value):
    with pytest.raises(FramedriftError, match=r"cadence_schedule is .* at frame 2"):
        diffused_frames(5, np.array([1, 1, value, 1, 1]))
