from itertools import pairwise

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
