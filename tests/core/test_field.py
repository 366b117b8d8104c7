"""The demo model is the denoiser that it says it is, and its pictures have the look that it was asked for."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn, idctn

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.field import (
    LATENT_SCALE,
    axis_powers,
    cosine_transform,
    decode_picture,
    denoise,
    encode_picture,
    inverse_cosine_transform,
    mean_picture,
    spectrum,
)
from framedrift.nodes.core.palette import (
    CONTRAST,
    NEUTRAL,
    VECTOR_SIZE,
    palette_from,
    palette_vector,
    palettes_from,
)
from framedrift.nodes.core.words import COLOURS, SCENES, weighted_words

SIZE = (40, 56)


def palette(text="sunset over the ocean"):
    return palette_from(palette_vector(text))


def powers(look, size):
    axes, power = axis_powers(look, size, torch.arange(size[0])[:, None], torch.arange(size[1])[None])
    return axes.numpy(), power.numpy()


def draw(look, size, count, seed=0):
    """Samples of the field, by scipy's transform and not by the module's own."""
    axes, power = powers(look, size)
    field = idctn(
        np.random.default_rng(seed).standard_normal((count, 3, *size)) * np.sqrt(power), axes=(-2, -1), norm="ortho"
    )
    return torch.tensor(np.einsum("ji,bjhw->bihw", axes, field)).float() + mean_picture(look, size[0])


@pytest.mark.parametrize("size", [(8, 12), (7, 9), (5, 6), (6, 5), (1, 3), (1, 1), (64, 2)])
def test_cosine_transform_inverts_and_holds_scipys_numbers(size):
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    packed = cosine_transform(x)
    torch.testing.assert_close(inverse_cosine_transform(packed, size), x, atol=2e-6, rtol=0)
    ours = np.sort(np.abs(packed[0, 0].numpy()).ravel())
    theirs = np.abs(dctn(x[0, 0].numpy(), norm=None)).ravel() / 4
    for value in theirs:
        assert np.min(np.abs(ours - value)) < 1e-4


def test_denoiser_is_the_wiener_filter_in_double_precision():
    look, sigma = palette(), 0.4
    x = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(2))
    axes, power = powers(look, SIZE)
    mean = mean_picture(look, SIZE[0]).numpy()
    rotated = np.einsum("ij,jhw->ihw", axes, x[0].numpy() - mean)
    gain = power / (power + sigma**2)
    filtered = idctn(gain * dctn(rotated, axes=(-2, -1), norm="ortho"), axes=(-2, -1), norm="ortho")
    expected = np.einsum("ji,jhw->ihw", axes, filtered) + mean
    np.testing.assert_allclose(denoise(x, torch.tensor(sigma), [look])[0].numpy(), expected, atol=3e-6)


def test_no_other_strength_of_filtering_has_a_smaller_error():
    look, sigma = palette("aurora over snow"), torch.tensor(0.3)
    clean = draw(look, SIZE, 24)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    noisy = clean + sigma * noise

    def error(assumed):
        return float((denoise(noisy, sigma * assumed, [look] * 24) - clean).square().mean())

    best = error(1.0)
    assert best < error(0.9) and best < error(1.1)
    assert best < 0.4 * float((noisy - clean).square().mean())


def test_its_error_is_the_analytic_one():
    look, sigma = palette("storm"), 0.5
    clean = draw(look, SIZE, 48, seed=4)
    noisy = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(5))
    found = float((denoise(noisy, torch.tensor(sigma), [look] * 48) - clean).square().mean())
    power = powers(look, SIZE)[1]
    expected = float((power * sigma**2 / (power + sigma**2)).mean())
    assert found == pytest.approx(expected, rel=0.04)


def test_no_noise_leaves_the_picture_and_endless_noise_leaves_the_mean():
    look = palette()
    x = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(6)) * 0.1
    torch.testing.assert_close(denoise(x, torch.tensor(0.0), [look] * 2), x, atol=1e-6, rtol=0)
    mean = mean_picture(look, SIZE[0]).expand(2, 3, *SIZE)
    torch.testing.assert_close(denoise(x, torch.tensor(1e12), [look] * 2), mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(denoise(x, torch.tensor(math.inf), [look] * 2), mean, atol=1e-6, rtol=0)


def test_each_of_a_batch_has_its_own_palette_and_sigma():
    x = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(7))
    looks, sigmas = [palette("fire"), palette("ice")], torch.tensor([0.2, 2.0])
    together = denoise(x.expand(2, -1, -1, -1), sigmas, looks)
    for i in range(2):
        alone = denoise(x, sigmas[i], [looks[i]])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-6, rtol=0)
    assert (together[0] - together[1]).abs().max() > 0.01


def test_inputs_are_left_alone():
    x = torch.randn(1, 3, *SIZE)
    before = x.clone()
    denoise(x, torch.tensor(1.0), [palette()])
    assert torch.equal(x, before)


def test_spectrum_falls_with_its_slope_and_the_variance_is_the_palettes():
    power = spectrum((256, 384), 3.2, 1.0, 2.0)
    # Along the diagonal of equal frequency steps: index 2f down, 2f * 1.5 across.
    fine, finer = power[40, 60], power[160, 240]
    assert math.log(float(finer / fine)) / math.log(4) == pytest.approx(-3.2, abs=0.1)
    assert float(power[:, 1:].sum() / (256 * 384)) == pytest.approx(LATENT_SCALE**2, rel=1e-6)


def test_shapes_do_not_depend_on_the_resolution():
    small, large = spectrum((128, 192), 3.2, 1.6, 2.0), spectrum((256, 384), 3.2, 1.6, 2.0)
    ratio = large[1:60, 1:60] / small[1:60, 1:60]
    assert float(ratio.std() / ratio.mean()) < 1e-6
    assert float(ratio.mean()) == pytest.approx(4, rel=0.03)


def test_shapes_are_wider_than_tall():
    power = spectrum((256, 256), 3.2, 2.0, 2.0)
    assert power[40, 1] > 2 * power[1, 40]


def test_borders_do_not_wrap_around():
    """A bright left edge spreads over its own side alone, however strong the filter."""
    x = torch.zeros(1, 3, 64, 64)
    x[..., :4] = 1.0
    look = palette_from(torch.zeros(VECTOR_SIZE))
    out = denoise(x, torch.tensor(0.5), [look]) - mean_picture(look, 64)
    assert out[..., :4].mean() > 8 * out[..., -4:].mean().abs()


def test_decoding_an_encoded_picture_gives_it_back():
    levels = torch.arange(256) / 255
    picture = torch.stack((*torch.meshgrid(levels, levels[::5], indexing="ij"), torch.full((256, 52), 0.3)))[None]
    assert (decode_picture(encode_picture(picture)) - picture).abs().max() < 1 / 512


def test_encoding_a_decoded_latent_gives_it_back():
    latent = torch.linspace(-2, 2, 300).reshape(1, 3, 10, 10) * LATENT_SCALE
    torch.testing.assert_close(encode_picture(decode_picture(latent)), latent, atol=2e-6, rtol=1e-5)


def test_encoding_stays_finite_outside_the_range():
    assert torch.isfinite(
        encode_picture(torch.tensor([-1.0, 0.0, 1.0, 7.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2))
    ).all()


# ---------------------------------------------------------------- palettes


def test_the_empty_prompt_is_zero_a_grey_sky_to_paint_and_neutral_to_avoid():
    for text in ("", "  \n"):
        assert not palette_vector(text).any()
    grey = np.array(palette_from(torch.zeros(VECTOR_SIZE)).stops)
    assert (grey.max(axis=1) - grey.min(axis=1)).max() < 0.5
    assert palettes_from(torch.zeros(1, 1, VECTOR_SIZE), [True]) == [NEUTRAL]


def test_different_prompts_have_different_palettes():
    texts = ["sunset", "storm", "aurora", "a calm dawn sky", "zxqv", "blorp", "!?", "…", "green", "red", "12", "雪"]
    vectors = torch.stack([palette_vector(text) for text in texts])
    distances = torch.cdist(vectors, vectors) + 10 * torch.eye(len(texts))
    assert distances.min() > 0.1


def test_unknown_words_are_the_same_every_time():
    assert torch.equal(palette_vector("blorp"), palette_vector("blorp"))


def test_colours_are_those_of_the_words():
    def sky(text):
        return palette(text).stops[0]

    assert sky("day sky")[2] > sky("day sky")[0]
    assert palette("lava").stops[1][0] > palette("lava").stops[1][2]
    assert sum(palette("night").stops[0]) < sum(palette("morning").stops[0]) - 1


@pytest.mark.parametrize(
    "same", [("clouds", "cloud"), ("STORM", "storm"), ("a storm", "storm"), ("(storm:1.0)", "storm")]
)
def test_groups_of_texts_that_mean_the_same(same):
    torch.testing.assert_close(palette_vector(same[0]), palette_vector(same[1]))


def test_weights_weigh():
    words = [(word, round(weight, 6)) for word, weight, _ in weighted_words("a (red fire:1.5) ((sky)) \\(x\\) (y:2")]
    assert words == [("a", 1.0), ("red", 1.5), ("fire", 1.5), ("sky", 1.21), ("x", 1.0), ("y", 1.0)]
    plain, heavy, alone = (palette_vector(t) for t in ("night fire", "night (fire:4)", "fire"))
    assert (heavy - alone).norm() < (plain - alone).norm()


def test_what_the_sky_is_over_lies_on_the_ground():
    """The snow brightens the ground and leaves the night above it dark."""
    night, mixed, over = palette("night"), palette("night, snow"), palette("night over snow, night")
    assert sum(over.stops[2]) > sum(night.stops[2]) + 1
    assert sum(over.stops[0]) < sum(mixed.stops[0]) - 0.5
    assert [below for _, _, below in weighted_words("sky over the sea, gold")] == [False, True, True, True, False]


def test_every_word_of_the_vocabulary_has_colours():
    for word in [*SCENES, *COLOURS]:
        look = palette(word)
        assert np.isfinite(look.stops).all()
    assert len(SCENES) >= 60


def test_a_blend_moves_evenly_from_one_look_to_the_other():
    start, end = palette_vector("dawn"), palette_vector("aurora")
    looks = [palette_from(torch.lerp(start, end, i / 8)) for i in range(9)]
    stops = torch.tensor([look.stops for look in looks]).flatten(1)
    steps = (stops[1:] - stops[:-1]).norm(dim=1)
    torch.testing.assert_close(steps, steps.mean().expand(8), rtol=1e-3, atol=1e-4)
    covariances = torch.tensor([look.covariance for look in looks])
    away = (covariances - covariances[0]).flatten(1).norm(dim=1)
    assert (away[1:] >= away[:-1] - 1e-6).all()
    assert torch.linalg.eigvalsh(covariances).min() > 0


def test_all_palettes_share_the_contrast_of_their_main_axis():
    for text in ("storm", "neon city", "blorp", "", "green and violet"):
        assert np.linalg.eigvalsh(np.array(palette(text).covariance))[-1] == pytest.approx(CONTRAST**2, rel=1e-4)


def test_a_negative_prompt_keeps_the_neutral_variances():
    away = palettes_from(palette_vector("fire")[None, None], [True])[0]
    assert away.covariance == NEUTRAL.covariance and away.band == NEUTRAL.band
    assert away.stops[1][0] > 0 > away.stops[1][2]


def test_another_models_conditioning_is_refused_in_words():
    with pytest.raises(FramedriftError, match=r"768.*CLIP that the Procedural Model node gives"):
        palette_from(torch.zeros(77, 768))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="()[]:.\\-+0123456789 fire,", max_size=60))
def test_any_text_gives_a_palette(text):
    vector = palette_vector(text)
    assert vector.shape == (VECTOR_SIZE,) and torch.isfinite(vector).all()
    look = palette_from(vector)
    assert np.linalg.eigvalsh(np.array(look.covariance))[0] > 0
    assert np.abs(look.stops).max() <= 3


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32), min_size=VECTOR_SIZE, max_size=VECTOR_SIZE))
def test_any_numbers_give_a_palette(numbers):
    look = palette_from(torch.tensor(numbers))
    assert np.isfinite(look.covariance).all() and np.isfinite(look.stops).all()
    assert 2 <= look.slope <= 4.5 and look.stretch > 0
