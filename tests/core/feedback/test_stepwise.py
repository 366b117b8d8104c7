"""Which sampler steps a pixel takes part in."""

from itertools import pairwise

import pytest
import torch

from framedrift.nodes.core.feedback.stepwise import stepwise_mask

SIGMAS = torch.tensor([14.6, 7.0, 3.0, 1.0, 0.3, 0.0])  # five steps


def steps_taken(value, sigmas=SIGMAS):
    mask = torch.full((1, 1, 2, 3), value)
    return sum(float(stepwise_mask(sigma, mask, sigmas)[0, 0, 0, 0]) for sigma in sigmas[:-1])


@pytest.mark.parametrize(
    ("value", "steps"), [(0.0, 0), (0.1, 0), (0.2, 1), (0.39, 1), (0.4, 2), (0.6, 3), (0.79, 3), (0.8, 4), (1.0, 5)]
)
def test_a_pixel_takes_part_in_the_last_share_of_the_steps(value, steps):
    assert steps_taken(value) == steps


@pytest.mark.parametrize("steps", [1, 7, 20, 30])
def test_every_share_that_is_a_whole_number_of_steps_gives_that_many_in_float32(steps):
    sigmas = torch.linspace(10, 0, steps + 1)
    for k in range(steps + 1):
        assert steps_taken(k / steps, sigmas) == k


def test_a_pixel_once_taken_in_stays():
    mask = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    seen = [stepwise_mask(sigma, mask, SIGMAS) for sigma in SIGMAS[:-1]]
    for earlier, later in pairwise(seen):
        assert bool((later >= earlier).all())


@pytest.mark.parametrize(
    ("sigma", "same_as"), [(20.0, 14.6), (10.0, 14.6), (7.0001, 7.0), (6.9999, 7.0), (0.5, 1.0), (0.0, 0.3)]
)
def test_a_sigma_between_two_steps_belongs_to_the_earlier(sigma, same_as):
    mask = torch.linspace(0, 1, 21).view(1, 1, 3, 7)
    assert torch.equal(stepwise_mask(sigma, mask, SIGMAS), stepwise_mask(same_as, mask, SIGMAS))


def test_the_mask_is_left_as_it_is_and_its_dtype_kept():
    mask = torch.full((2, 1, 2, 2), 0.5, dtype=torch.float16)
    out = stepwise_mask(torch.tensor([3.0, 3.0]), mask, SIGMAS)
    assert out.dtype == torch.float16
    assert out.shape == mask.shape
    assert float(mask.mean()) == 0.5
