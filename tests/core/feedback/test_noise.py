import pytest
import torch

from framedrift.nodes.core.feedback.noise import add_noise


def test_none_is_the_same_picture():
    image = torch.full((1, 3, 8, 8), 0.5)
    assert add_noise(image, 0.0, 1, 2) is image


def test_the_amount_is_deforums():
    image = torch.full((1, 3, 256, 256), 0.5)
    assert float((add_noise(image, 0.065, 1, 2) - image).std()) == pytest.approx(0.0325, rel=0.02)


def test_it_repeats_by_seed_and_frame_and_touches_no_global_generator():
    image = torch.full((1, 3, 16, 16), 0.5)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = add_noise(image, 0.1, 1, 2)
    assert torch.equal(first, add_noise(image, 0.1, 1, 2))
    assert not torch.equal(first, add_noise(image, 0.1, 1, 3))
    assert not torch.equal(first, add_noise(image, 0.1, 2, 2))
    assert torch.equal(before, torch.get_rng_state())


def test_it_stays_in_range():
    noisy = add_noise(torch.ones(1, 3, 64, 64), 1.0, 1, 2)
    assert float(noisy.min()) >= 0 and float(noisy.max()) <= 1
