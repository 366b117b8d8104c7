"""Composite masks: each step exactly, and the equaliser against Pillow's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from framedrift.nodes.core.feedback.hybrid_mask import (
    Toning,
    auto_contrasted,
    blend_mask,
    contrasted,
    difference_mask,
    equalized,
)
from framedrift.nodes.core.luma import luma


def mask(*values):
    return torch.tensor(values).view(1, 1, 1, -1)


def listed(tensor):
    return pytest.approx(tensor.flatten().tolist(), abs=1e-6)


def colours(*rgb):
    return torch.tensor(rgb).T.reshape(1, 3, 1, -1)


def test_lightness_is_rec_601():
    red_green_blue_white = colours([1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1])
    assert listed(luma(red_green_blue_white)) == [0.299, 0.587, 0.114, 1]


def test_blend_mixes_both_lightnesses_by_the_videos_share():
    image, video = colours([0.2, 0.2, 0.2], [1.0, 0, 0]), colours([0.6, 0.6, 0.6], [0, 1.0, 0])
    assert listed(blend_mask(image, video, 0)) == [0.2, 0.299]
    assert listed(blend_mask(image, video, 1)) == [0.6, 0.587]
    assert listed(blend_mask(image, video, 0.25)) == [0.3, 0.371]


def test_difference_is_that_of_the_lightness():
    image, video = colours([0.2, 0.2, 0.2], [1.0, 0, 0]), colours([0.6, 0.6, 0.6], [0, 0, 1.0])
    assert listed(difference_mask(image, video)) == [0.4, 0.185]
    assert torch.equal(difference_mask(image, video), difference_mask(video, image))


def test_contrast_is_about_the_mean():
    given_mask = mask(0.2, 0.4, 0.6)
    assert listed(contrasted(given_mask, 2)) == [0.0, 0.4, 0.8]
    assert listed(contrasted(given_mask, 0)) == [0.4, 0.4, 0.4]
    assert listed(contrasted(given_mask, 0.5)) == [0.3, 0.4, 0.5]
    assert listed(contrasted(given_mask, 10)) == [0.0, 0.4, 1.0]


def test_auto_contrast_stretches_between_two_percentiles():
    given_mask = mask(0.2, 0.3, 0.4, 0.5, 0.6)
    assert listed(auto_contrasted(given_mask, 0, 100)) == [0, 0.25, 0.5, 0.75, 1]
    assert listed(auto_contrasted(given_mask, 25, 75)) == [0, 0, 0.5, 1, 1]
    assert listed(auto_contrasted(given_mask, 75, 25)) == [0, 0, 0.5, 1, 1], "the lower of the two is the low one"
    assert listed(auto_contrasted(given_mask, 0, 75)) == [0, 1 / 3, 2 / 3, 1, 1]


@pytest.mark.parametrize("tone", [equalized, lambda values: auto_contrasted(values, 0, 100)])
def test_a_mask_of_one_level_stays(tone):
    assert torch.equal(tone(mask(0.3, 0.3, 0.3)), mask(0.3, 0.3, 0.3))


def test_equalising_gives_the_share_that_lies_below():
    assert listed(equalized(mask(0.1, 0.2, 0.2, 0.7, 0.75))) == [0, 0.25, 0.25, 0.75, 1.0]
    assert listed(equalized(mask(0.5, 0.51))) == [0, 1]


def test_equalising_is_pillows_where_both_see_the_same_levels():
    levels = np.random.default_rng(2).beta(2, 5, (300, 340))
    eight = (levels * 255).round().astype(np.uint8)
    theirs = np.asarray(ImageOps.equalize(Image.fromarray(eight))) / 255
    ours = equalized(torch.from_numpy(eight / 255).float()[None, None])[0, 0].numpy()
    assert np.abs(ours - theirs).max() < 2 / 255, "theirs is rounded twice, and counts in whole steps"


@given(st.lists(st.integers(0, 4095), min_size=2, max_size=40))
def test_equalising_keeps_the_order_and_does_nothing_the_second_time(levels):
    given_mask = mask(*[level / 4095 for level in levels])
    even = equalized(given_mask)
    order = torch.argsort(given_mask.flatten(), stable=True)
    assert bool((even.flatten()[order].diff() >= 0).all())
    assert (even.flatten().unique().numel()) == len(set(levels))
    assert torch.allclose(equalized(even), even, atol=1e-6)


def test_steps_come_in_deforums_order():
    given_mask = mask(0.1, 0.2, 0.2, 0.7, 0.75)
    cutoffs = (10.0, 90.0)
    by_hand = equalized(auto_contrasted(contrasted(equalized(1 - given_mask), 1.7), *cutoffs))
    assert torch.equal(Toning(True, "both", 1.7, cutoffs)(given_mask), by_hand)
    before = auto_contrasted(contrasted(equalized(given_mask), 1.7), *cutoffs)
    assert torch.equal(Toning(False, "before", 1.7, cutoffs)(given_mask), before)
    after = equalized(contrasted(given_mask, 0.5))
    assert torch.equal(Toning(False, "after", 0.5, None)(given_mask), after)
    assert Toning()(given_mask) is given_mask


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30), st.booleans(),
    st.sampled_from(["none", "before", "after", "both"]), st.floats(0, 255),
    st.none() | st.tuples(st.floats(0, 100), st.floats(0, 100)),
)  # fmt: skip
def test_any_toning_stays_within_0_and_1_and_writes_nothing(values, inverse, equalize, contrast, cutoffs):
    given_mask = mask(*values)
    kept = given_mask.clone()
    toned = Toning(inverse, equalize, contrast, cutoffs)(given_mask)
    assert torch.equal(given_mask, kept)
    assert toned.shape == given_mask.shape
    assert bool(((toned >= 0) & (toned <= 1)).all())
