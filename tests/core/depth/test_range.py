"""Disparity to distance, and Deforum's equalised depth."""

import numpy as np
import pytest
import torch

from framedrift.nodes.core.depth.range import disparity_to_depth, equalise
from framedrift.nodes.core.errors import FramedriftError


def reference(values, bins=1024):
    """The same in numpy's own histogram and interpolation."""
    unit = (values - values.min()) / (values.max() - values.min())
    counts, edges = np.histogram(unit, bins, (0, 1))
    share = counts.cumsum() / counts.sum()
    return np.interp(unit, edges[:-1], share)


def test_white_is_at_near_and_black_at_far():
    depth = disparity_to_depth(torch.tensor([1.0, 0.0, 0.5, -1.0, 2.0]), near=2, far=50)
    assert depth.tolist() == pytest.approx([2, 50, 1 / (0.5 * (0.5 + 0.02)), 50, 2], rel=1e-5)


@pytest.mark.parametrize(("near", "far"), [(2, 2), (3, 1), (0, 5), (-1, 5), (float("nan"), 5)])
def test_a_range_that_is_none(near, far):
    with pytest.raises(FramedriftError, match="near"):
        disparity_to_depth(torch.zeros(1), near, far)


@pytest.mark.parametrize("seed", range(4))
def test_equalised_as_numpy_does_it(seed):
    random = np.random.default_rng(seed)
    values = random.normal(3, 2, (1, 1, 37, 53)) ** (seed + 1)
    found = equalise(torch.from_numpy(values).float())
    assert np.abs(found.numpy() - reference(values.astype(np.float32).astype(np.float64))).max() < 2e-3


def test_equalised_spreads_evenly_and_keeps_the_order():
    values = torch.rand((1, 1, 200, 300), generator=torch.Generator().manual_seed(1)) ** 3
    found = equalise(values)
    assert torch.quantile(found.flatten(), 0.5) == pytest.approx(0.5, abs=0.01)
    order = values.flatten().argsort()
    assert (found.flatten()[order].diff() >= -1e-6).all()


def test_flat_is_one_and_what_is_no_number_is_farthest():
    assert (equalise(torch.full((2, 1, 5, 7), 0.25)) == 1).all()
    values = torch.rand((1, 1, 20, 30), generator=torch.Generator().manual_seed(2))
    values[..., 3, 4] = torch.nan
    found = equalise(values)
    assert torch.isfinite(found).all()
    assert found[..., 3, 4] == found.min()
    assert (equalise(torch.full((1, 1, 2, 2), torch.nan)) == 1).all()
