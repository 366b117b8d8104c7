"""The way to a guide: how far, how strong, in which colours, and whether it arrives."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.feedback.course import Course, Guide, blend_factors, nearer_colors
from framedrift.nodes.core.feedback.options import Values
from framedrift.nodes.core.feedback.plan import FramePlan
from framedrift.nodes.core.warp.types import Warped

SIZE = (48, 72)
DEFAULTS = {
    "blendFactorMax": 0.35,
    "blendFactorSlope": 0.25,
    "tweening_frames_schedule": 20.0,
    "image_strength_schedule": 0.75,
    "color_correction_factor": 0.075,
}


def picture(seed):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + 0.3 * torch.rand(1, 3, 1, 1, generator=generator) + 0.4 * torch.rand(1, 3, *SIZE, generator=generator)


def course(*frames, num_frames=61, **numbers):
    values = Values({name: np.broadcast_to(value, num_frames) for name, value in (DEFAULTS | numbers).items()})
    return Course([Guide(frame, picture(frame), f"guide {frame}") for frame in frames], values, num_frames)


def plan(frame):
    return FramePlan(frame, 0, 0.65, 20, 5.0, 0.0)


def walked(way, frames, image=None):
    """Pictures by frame, drawn towards the guides and never diffused."""
    shown, before = {}, None
    image = picture(1000) if image is None else image
    for frame in frames:
        image = way.blended(image, plan(frame), since=before)
        shown[frame], before = image, frame
    return shown


# ---------------------------------------------------------------- the course


def test_the_blend_is_classic_deforums():
    # With its defaults over 20 frames: 0.35 - 0.25 * cos((frame % 20) / (20 / 2)).
    frames = np.arange(20)
    classic = [0.35 - 0.25 * np.cos((frame % 20) / (20 / 2)) for frame in frames]
    assert blend_factors(np.full(20, 0.35), np.full(20, 0.25), frames / 20) == pytest.approx(classic)
    assert blend_factors(np.full(20, 0.35), np.full(20, 0.25), frames / 20)[0] == pytest.approx(0.1)
    assert blend_factors(np.ones(1), np.ones(1), np.ones(1)).max() <= 1


def test_what_a_frame_takes_in_is_the_blend():
    way = course(60)
    left = 1 - np.array([way.share(frame) for frame in range(40, 60)])
    taken = 1 - left[1:] / left[:-1]
    assert taken == pytest.approx(blend_factors(np.full(19, 0.35), np.full(19, 0.25), np.arange(1, 20) / 20))


def test_shares_rise_before_a_guide_and_are_nothing_elsewhere():
    way = course(0, 60)
    shares = [way.share(frame) for frame in range(61)]
    assert shares[0] == shares[60] == 1
    assert shares[1:41] == [0.0] * 40
    assert all(0 < low < high for low, high in pairwise(shares[41:61]))


@given(
    st.sets(st.integers(0, 60), min_size=1, max_size=12),
    st.floats(1, 100),
    st.floats(0, 1),
    st.floats(-1, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_any_course_keeps_within_its_limits(frames, tweening, most, slope, strength, own):
    way = course(
        *frames,
        tweening_frames_schedule=tweening,
        blendFactorMax=most,
        blendFactorSlope=slope,
        image_strength_schedule=strength,
    )
    assert way.frames == tuple(sorted(frames))
    for frame in range(61):
        assert 0 <= way.share(frame) <= 1
        assert 0 <= way.strength(frame, own) <= 1
        if frame in frames:
            assert way.share(frame) == 1
            assert way.strength(frame, own) == strength
    far = [frame for frame in range(61) if not any(0 <= guide - frame < tweening for guide in frames)]
    assert all(way.share(frame) == 0 and way.strength(frame, own) == own for frame in far)


def test_guides_closer_than_the_tweening_share_the_frames_between_them():
    way = course(10, 16)
    assert [way.share(frame) > 0 for frame in range(18)] == [False, *[True] * 16, False]
    assert way.share(11) < way.share(12) < 1


def test_the_middle_of_the_way_is_given_more_denoise():
    way = course(60)
    denoise = [1 - way.strength(frame, 0.65) for frame in range(61)]
    assert denoise[:41] == [pytest.approx(0.35)] * 41
    assert denoise[60] == pytest.approx(0.25)
    assert max(denoise) == pytest.approx(max(denoise[44:52]))
    assert 0.42 < max(denoise) < 0.6


def test_a_cut_on_the_way_stays_one():
    way = course(60)
    assert way.strength(50, 0.0) == 0
    assert way.strength(60, 0.0) == 0.75


def test_a_way_begins_after_the_last_cut():
    values = Values({name: np.broadcast_to(value, 61) for name, value in DEFAULTS.items()})
    one = Guide(60, picture(60), "guide")
    whole, cut = Course([one], values, 61), Course([one], values, 61, cuts=[20, 45, 50, 60])
    assert [frame for frame in range(61) if cut.share(frame) > 0] == list(range(51, 61))
    assert whole.share(50) > 0
    first = cut.blended(picture(7), plan(51), since=50)
    assert not torch.equal(first, picture(7)), "the frame at the cut has taken in nothing yet"
    assert torch.equal(
        Course([one], values, 61, cuts=[20]).blended(picture(7), plan(51)), whole.blended(picture(7), plan(51))
    )


# ---------------------------------------------------------------- pictures


def test_frame_0_starts_from_the_guide_that_stands_there():
    assert torch.equal(course(0, 60).first_picture(), picture(0))
    assert course(60).first_picture() is None


def test_a_frame_far_from_any_guide_is_untouched():
    way, image = course(0, 60), picture(1000)
    for frame in range(1, 41):
        assert way.blended(image, plan(frame)) is image
        assert way.finished(image, plan(frame)) is image


def test_the_guides_own_frame_is_painted_from_the_guide():
    assert torch.equal(course(60).blended(picture(1000), plan(60)), picture(60))


@pytest.mark.parametrize("cadence", [3, 5, 15])
def test_the_way_does_not_depend_on_the_cadence(cadence):
    way = course(60)
    whole = walked(way, range(30, 61))
    some = walked(way, range(30, 61, cadence))
    for frame in (45, 60):
        apart = float((whole[frame] - picture(60)).abs().mean())
        assert float((some[frame] - picture(60)).abs().mean()) == pytest.approx(apart, rel=0.15)


def test_every_frame_of_the_way_comes_nearer():
    shown = walked(course(60), range(40, 61))
    apart = [float((image - picture(60)).abs().mean()) for image in shown.values()]
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] == 0
    assert apart[-2] < 0.1 * apart[0]


def test_the_way_to_the_next_guide_begins_anew():
    way, image = course(10, 20), picture(10)
    fresh = course(20, tweening_frames_schedule=10.0).blended(image, plan(12), since=10)
    assert torch.equal(way.blended(image, plan(12), since=10), fresh)


def test_a_guide_is_drawn_in_as_the_camera_sees_it():
    asked = []

    def seen(guide, source, target):
        asked.append((source, target))
        holes = torch.zeros(1, 1, *SIZE)
        return Warped(guide.roll(12, -1), holes, holes + 1)

    way, image = course(60), picture(1000)
    moved = way.blended(image, plan(58), seen, since=50)
    assert asked == [(60, 58)]
    errors = [float((moved - picture(60).roll(shift, -1)).abs().mean()) for shift in (12, 0)]
    assert errors[0] < 0.3 * errors[1]
    assert torch.equal(way.blended(image, plan(60), seen), picture(60))
    assert len(asked) == 1


# ---------------------------------------------------------------- colours


def test_colours_are_drawn_by_the_factor_and_wholly_at_the_guide():
    way, image = course(60), picture(1000)
    goal, own = picture(60).mean((2, 3)), image.mean((2, 3))

    def done(shown):
        return float(((shown.mean((2, 3)) - own).abs() / (goal - own).abs()).mean())

    assert done(way.finished(image, plan(42))) == pytest.approx(0.075, abs=0.02)
    assert done(way.finished(image, plan(44), since=40)) == pytest.approx(1 - 0.925**4, abs=0.04)
    assert 0.7 < done(way.finished(image, plan(59))) < 1.1
    assert done(way.finished(image, plan(60))) == pytest.approx(1, abs=0.03)


def test_a_factor_of_0_leaves_the_colours():
    way, image = course(60, color_correction_factor=0.0), picture(1000)
    assert way.finished(image, plan(50)) is image
    assert way.finished(image, plan(60)) is image


def test_a_flat_guide_tears_nothing_into_bands():
    # Two flat colours: matching whole histograms would leave the picture only these two.
    flat = torch.full((1, 3, *SIZE), 0.2)
    flat[..., SIZE[1] // 2 :] = 0.8
    ramp = torch.linspace(0.3, 0.7, SIZE[1]).expand(1, 3, *SIZE).contiguous()
    moved = nearer_colors(ramp, Guide(0, flat, "").colors, 1.0)
    assert float(moved[..., 1:].sub(moved[..., :-1]).max()) < 2.5 * (0.4 / SIZE[1])
    assert moved.std() > 1.5 * ramp.std()


def test_grey_stays_grey():
    grey = torch.full((1, 3, *SIZE), 0.5)
    moved = nearer_colors(grey, Guide(0, picture(3), "").colors, 1.0)
    assert bool(moved.isfinite().all())
    assert moved.std((2, 3)).max() < 0.01
