"""Distributions, and colours that are brought to others'."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.feedback.hue import hue_map, hue_quantiles, least_turn
from framedrift.nodes.core.feedback.matching import color_quantiles, match_colors
from framedrift.nodes.core.feedback.spaces import SPACES, linear_from_srgb
from framedrift.nodes.core.feedback.tables import QUANTILES, mapped, quantiles_of

SIZE = (48, 64)


def picture(seed: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    """Noise, softened so that channels are neither independent nor even."""
    noise = torch.rand(1, 3, SIZE[0], SIZE[1], generator=torch.Generator().manual_seed(seed))
    soft = torch.nn.functional.avg_pool2d(noise, 3, stride=1, padding=1, count_include_pad=False)
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    return low + (high - low) * soft


def hues(*groups: tuple[float, float], saturation: float = 0.7, value: float = 0.8) -> torch.Tensor:
    """A picture whose pixels have these hues in degrees, each with its share of the pixels."""
    count = SIZE[0] * SIZE[1]
    colors = [colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value) for hue, _ in groups]
    ends = np.round(np.cumsum([share for _, share in groups]) * count).astype(int)
    assert ends[-1] == count
    flat = np.concatenate(
        [np.tile(color, (end - begin, 1)) for color, begin, end in zip(colors, [0, *ends], ends, strict=False)]
    )
    return torch.from_numpy(flat.reshape(*SIZE, 3).transpose(2, 0, 1)[None].astype(np.float32))


@pytest.mark.parametrize("space", ["rgb", "hsv", "lab"])
def test_a_space_and_back(space):
    pixels = np.random.default_rng(1).random((40, 50, 3), np.float32)
    pixels[0] = 0.5
    pixels[1] = np.eye(3)[np.arange(50) % 3]
    pixels[2], pixels[3] = 0, 1
    found = SPACES[space]
    assert np.abs(found.decode(found.encode(pixels)) - pixels).max() < 3e-4
    for c in range(3):
        encoded, grid = np.ascontiguousarray(found.encode(pixels)[..., c]), found.grid(c)
        near = grid[found.places(c, encoded)]
        away = np.abs(encoded - near)
        if c == found.circular:
            away = np.minimum(away, 360 - away)
        assert away.max() <= 0.5001 / found.steps[c], "every value lies on the grid's nearest point"


def test_lab_is_that_of_the_textbook():
    """White, the primaries (CIE, D65) and a dark grey, which is on the straight part of both curves."""
    pixels = np.array([[[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.02, 0.02, 0.02]]], np.float32)
    wanted = [[100, 0, 0], [53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [1.398, 0, 0]]
    assert np.abs(SPACES["lab"].encode(pixels)[0] - wanted).max() < 0.05


def test_light_from_srgb():
    values = np.array([0, 0.02, 0.04045, 0.2, 0.5, 1], np.float32)
    exact = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values.tolist()]
    assert np.abs(linear_from_srgb(values.reshape(1, 2, 3)).ravel() - exact).max() < 1e-6


def test_a_pixel_that_is_no_number_harms_no_other():
    image = picture(2)
    image[0, :, 3, 4] = float("nan")
    for space in SPACES:
        found = match_colors(image, color_quantiles(picture(3), space), space)
        assert torch.isnan(found).any(1).sum() <= 1
        found[0, :, 3, 4] = 0.5
        assert bool(torch.isfinite(found).all())


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40).filter(any))
def test_quantiles_are_numpys(counts):
    grid = np.arange(len(counts)) / 8 - 1
    wanted = np.quantile(np.repeat(grid, counts), np.linspace(0, 1, QUANTILES))
    assert np.abs(quantiles_of(grid, np.array(counts)) - wanted).max() < 1e-5


def test_a_run_of_equal_knots_goes_to_the_mean_of_its_values():
    """Half black, and the reference half less one: black stays black, it does not become grey."""
    knots, values = np.zeros(QUANTILES), np.zeros(QUANTILES)
    knots[513:], values[511:] = 100, 100
    black, between, white = mapped(np.array([0.0, 50.0, 100.0]), knots, values)
    assert black == pytest.approx(2 / 513 * 100)
    assert white == 100
    assert black <= between <= white


@pytest.mark.parametrize("space", ["rgb", "hsv", "lab"])
def test_a_picture_matched_to_itself_stays(space):
    image = picture(4)
    assert (match_colors(image, color_quantiles(image, space), space) - image).abs().max() < 1e-3


@pytest.mark.parametrize("space", ["rgb", "lab"])
def test_gain_and_offset_are_taken_back(space):
    image = picture(5, 0.2, 0.7)
    gain, offset = torch.tensor([0.9, 1.1, 1.2]).view(1, 3, 1, 1), torch.tensor([0.05, -0.1, 0.0]).view(1, 3, 1, 1)
    shifted = image * gain + offset
    back = match_colors(shifted, color_quantiles(image, space), space)
    assert (shifted - image).abs().mean() > 0.02
    # In LAB the channels are mixed and curved, so that it comes back nearly.
    assert (back - image).abs().mean() < (1e-3 if space == "rgb" else 0.02)


def test_value_and_saturation_come_back_in_hsv():
    image = picture(6, 0.2, 0.7)
    assert (match_colors(image * 1.3, color_quantiles(image, "hsv"), "hsv") - image).abs().max() < 2e-3


@pytest.mark.parametrize("space", ["rgb", "hsv", "lab"])
def test_holes_do_not_count_but_are_mapped(space):
    image = picture(7, 0.3, 0.7)
    table = color_quantiles(image, space)
    holed, holes = image.clone(), torch.zeros(1, 1, *SIZE)
    # Colours that the rest has too, but far more of one.
    holed[..., :20], holes[..., :20] = image[..., 20:21], 1
    counted = color_quantiles(image[..., 20:], space)
    assert (color_quantiles(holed, space, holes) - counted).abs().max() < 1e-3
    there = match_colors(holed, table, space, holes)[..., 20:]
    assert (there - match_colors(image[..., 20:], table, space)).abs().max() < 1e-3
    assert (there - match_colors(holed, table, space)[..., 20:]).abs().max() > 1e-2
    assert (match_colors(holed + 0.2 * holes, table, space, holes) - holed)[..., :20].abs().max() > 0.01
    everything = torch.ones(1, 1, *SIZE)
    assert torch.equal(match_colors(holed, table, space, everything), match_colors(holed, table, space))


@pytest.mark.parametrize("turn", [0, 25, -40, 100])
@pytest.mark.parametrize("start", [0, 60, 200, 350])
def test_hues_are_turned_back_wherever_they_lie(start, turn):
    groups = [(start - 20, 0.25), (start, 0.25), (start + 10, 0.5)]
    image, turned = hues(*groups), hues(*[(hue + turn, share) for hue, share in groups])
    back = match_colors(turned, color_quantiles(image, "hsv"), "hsv")
    assert (back - image).abs().max() < 0.01


def test_two_colours_in_slightly_other_shares_are_not_exchanged():
    """Blue and red, their shares now this and now that side of a half."""
    reference = color_quantiles(hues((230, 0.5), (10, 0.5)), "hsv")
    for share in (0.4375, 0.5625):
        image = hues((232, share), (8, 1 - share))
        found = match_colors(image, reference, "hsv")
        turned = SPACES["hsv"].encode(found[0].permute(1, 2, 0).numpy())[..., 0].ravel()
        ends = int(share * SIZE[0] * SIZE[1])
        assert abs(turned[ends // 2] - 230) < 25
        assert abs((turned[-1] + 180) % 360 - 180 - 10) < 25


def test_the_hue_of_greys_does_not_count():
    image = hues((120, 0.5), (140, 0.5))
    grey = image.clone()
    grey[:, :, :12] = 0.5
    assert torch.equal(color_quantiles(grey, "hsv")[0].unique(), color_quantiles(image, "hsv")[0].unique())
    # A grey picture has none at all, and matched to a grey one colours go.
    flat = torch.full((1, 3, *SIZE), 0.4)
    found = match_colors(image, color_quantiles(flat, "hsv"), "hsv")
    assert (found - 0.4).abs().max() < 2e-3
    assert bool(torch.isfinite(match_colors(flat, color_quantiles(image, "hsv"), "hsv")).all())


WEIGHTS = st.lists(st.integers(0, 9), min_size=24, max_size=24).filter(any)


@given(own=WEIGHTS, other=WEIGHTS)
def test_hues_keep_their_order_round_the_circle(own, other):
    grid, weights = np.arange(24) * 15.0, np.array(own, float)
    found = hue_map(grid, weights, hue_quantiles(grid, np.array(other, float)))[weights > 0]
    steps = np.diff(found, append=found[0]) % 360
    # Rounding to float32 may turn no step into one whole turn less a little.
    steps[steps > 360 - 1e-3] = 0
    assert steps.sum() < 360 + 1e-3


@given(own=WEIGHTS, other=WEIGHTS)
def test_hues_are_turned_no_farther_than_on_a_line(own, other):
    """Classic Deforum's way, from red to red, is one of those that the shortest is chosen from."""
    grid, both = np.arange(24) * 15.0, [np.array(weights, float) for weights in (own, other)]
    first, second = (hue_quantiles(grid, weights) for weights in both)
    move = least_turn(first, second)

    def cost(number: int) -> float:
        here, there = ((table[:-1] + table[1:]).astype(float) / 2 for table in (first, second))
        turns, place = np.divmod(np.arange(QUANTILES - 1) + number, QUANTILES - 1)
        return float(np.square(there[place] + 360 * turns - here).sum())

    others = [cost(number) for number in range(-2 * QUANTILES, 2 * QUANTILES, 41)]
    assert cost(move) <= min(others) * (1 + 1e-9) + 1e-6


@given(st.lists(st.integers(0, 9), min_size=36, max_size=36).filter(any))
def test_hues_matched_to_themselves_stay(weights):
    grid, counts = np.arange(36) * 10.0, np.array(weights, float)
    moves = (hue_map(grid, counts, hue_quantiles(grid, counts)) - grid + 180) % 360 - 180
    assert np.abs(moves[counts > 0]).max() < 1e-3


def test_tables_are_ascending_and_hue_spans_one_turn_at_most():
    for space in SPACES:
        table = color_quantiles(picture(8), space)
        assert table.shape == (3, QUANTILES)
        assert table.dtype == torch.float32
        assert bool((table.diff(dim=1) >= 0).all())
    assert float(color_quantiles(picture(8), "hsv")[0].diff().sum()) < 360
