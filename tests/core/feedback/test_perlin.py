"""Perlin noise against its definition, its spread and its spectrum."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.feedback.perlin import DEVIATION, deviation, perlin

GOLDEN = [
    [-0.5557331, -0.0024682, 0.2423174, 0.0477984],
    [0.0688769, -0.1744018, -0.2590184, 0.2720213],
    [-0.3959861, 0.3553945, 0.5918896, 0.3188184],
]


def dice(seed=1):
    return torch.Generator().manual_seed(seed)


def by_definition(size, cells, seed):
    """One octave, point by point as Perlin wrote it down, over the lattice that `perlin` draws."""
    places = [[(i + 0.5) * cells[side] / size[side] for i in range(size[side])] for side in (0, 1)]
    angles = torch.rand([math.ceil(count) + 1 for count in cells], generator=dice(seed)) * (2 * math.pi)

    def fade(t):
        return 6 * t**5 - 15 * t**4 + 10 * t**3

    def value(y, x):
        j, i = math.floor(y), math.floor(x)

        def corner(dj, di):
            angle = float(angles[j + dj, i + di])
            return math.cos(angle) * (x - i - di) + math.sin(angle) * (y - j - dj)

        def mix(a, b, t):
            return a + (b - a) * t

        top, bottom = (mix(corner(dj, 0), corner(dj, 1), fade(x - i)) for dj in (0, 1))
        return math.sqrt(2) * mix(top, bottom, fade(y - j))

    return torch.tensor([[value(y, x) for x in places[1]] for y in places[0]])


@pytest.mark.parametrize(
    ("size", "cells"), [((12, 17), (3.0, 2.0)), ((9, 5), (0.1, 16.0)), ((7, 11), (2.7, 1.3)), ((1, 1), (8.0, 8.0))]
)
def test_an_octave_is_perlins(size, cells):
    torch.testing.assert_close(perlin(size, cells, dice(3)), by_definition(size, cells, 3), rtol=0, atol=2e-6)


def test_the_octaves_are_summed_with_their_weights():
    thrown = dice(4)
    parts = [perlin((20, 30), (2 * 2**k, 3 * 2**k), thrown) for k in range(3)]
    expected = parts[0] + 0.6 * parts[1] + 0.36 * parts[2]
    torch.testing.assert_close(perlin((20, 30), (2, 3), dice(4), 3, 0.6), expected, rtol=0, atol=1e-6)


def test_a_tiny_picture_is_what_it_was():
    golden = torch.tensor(GOLDEN)
    torch.testing.assert_close(perlin((3, 4), (1.5, 2.0), dice(7), 2, 0.5), golden, rtol=0, atol=2e-6)


@given(
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    down=st.floats(0.1, 16),
    across=st.floats(0.1, 16),
    octaves=st.integers(1, 4),
)
def test_it_is_the_same_field_at_any_size(height, width, down, across, octaves):
    small = perlin((height, width), (down, across), dice(), octaves)
    # A pixel's centre is that of the middle one of nine.
    large = perlin((3 * height, 3 * width), (down, across), dice(), octaves)
    torch.testing.assert_close(large[1::3, 1::3], small, rtol=0, atol=2e-5)
    assert small.shape == (height, width)
    assert bool(torch.isfinite(small).all())


def test_its_spread_is_what_is_said():
    thrown = dice(5)
    single = torch.stack([perlin((64, 48), (8, 6), thrown) for _ in range(300)])
    assert float(single.mean()) == pytest.approx(0, abs=0.01)
    assert float(single.std()) == pytest.approx(DEVIATION, rel=0.02)
    assert float(single.abs().max()) <= 1
    summed = torch.stack([perlin((64, 48), (4, 3), thrown, 3, 0.7) for _ in range(300)])
    assert float(summed.std()) == pytest.approx(deviation(3, 0.7), rel=0.03)


def mean_frequency(cells, axis, octaves=1, persistence=0.5):
    """Cycles across a side, on the average over the power of 24 fields."""
    thrown = dice(6)
    power = torch.zeros(128, 128)
    for _ in range(24):
        field = perlin((128, 128), cells, thrown, octaves, persistence)
        power += torch.fft.fft2(field).abs() ** 2
    cycles = torch.fft.fftfreq(128).abs() * 128
    along = power.sum(1 - axis)
    return float((along * cycles).sum() / along.sum())


def test_its_power_lies_at_its_cells():
    down = [mean_frequency((cells, 6), 0) for cells in (4, 8, 16)]
    assert down[1] / down[0] == pytest.approx(2, rel=0.12)
    assert down[2] / down[1] == pytest.approx(2, rel=0.12)
    # About one hill in two cells.
    assert all(0.3 < found / cells < 0.7 for found, cells in zip(down, (4, 8, 16), strict=True))
    assert mean_frequency((16, 4), 0) / mean_frequency((16, 4), 1) == pytest.approx(4, rel=0.15)
    assert mean_frequency((4, 4), 0, 4, 0.5) > 1.2 * mean_frequency((4, 4), 0)


def test_it_is_smooth():
    field = perlin((256, 256), (4, 4), dice(8))
    # No slope is steeper than a unit vector's, sqrt(2) by scale, but for the fade's 15/8 over a cell's diagonal.
    steepest = (field[1:] - field[:-1]).abs().max() * 64
    assert float(steepest) < math.sqrt(2) * (1 + 2 * 15 / 8)
    second = (field[2:] - 2 * field[1:-1] + field[:-2]).abs().max() * 64**2
    assert float(second) < 40  # a jump in value or slope would be thousands
