import math

import pytest
import torch

from framedrift.nodes.core.feedback.noise import add_noise, initial_noise, spherical_mix


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


SHAPE = (2, 4, 12, 20)


def drawn(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_without_a_sub_seed_the_noise_is_that_of_the_seed_bit_for_bit():
    before = torch.get_rng_state()
    assert torch.equal(initial_noise(SHAPE, 5), drawn(5))
    assert torch.equal(initial_noise(SHAPE, 5, 9, 0.0), drawn(5))
    assert torch.equal(initial_noise(SHAPE, 5, 9, 1.0), drawn(9))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_sub_seed_turns_the_noise_and_keeps_its_strength(share):
    mixed, first, second = initial_noise(SHAPE, 5, 9, share), drawn(5), drawn(9)
    assert mixed.dtype == torch.float32
    for one, a, b in zip(mixed.flatten(1), first.flatten(1), second.flatten(1), strict=True):
        whole = torch.acos(torch.cosine_similarity(a, b, 0))
        turned = torch.acos(torch.cosine_similarity(a, one, 0))
        # By the share of the angle, up to the noises' different lengths; and in their plane.
        assert float(turned / whole) == pytest.approx(share, abs=0.02)
        basis, _ = torch.linalg.qr(torch.stack([a, b], 1))
        torch.testing.assert_close(basis @ (basis.T @ one), one, rtol=1e-4, atol=1e-4)
        assert float(one.std()) == pytest.approx(1.0, abs=0.06)


def test_the_angle_is_that_of_each_sample():
    a = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
    b = torch.tensor([[[0.0, 1.0]], [[math.cos(0.6), math.sin(0.6)]]])
    mixed = spherical_mix(a, b, 0.5)
    torch.testing.assert_close(mixed[0, 0], torch.tensor([math.sqrt(0.5), math.sqrt(0.5)]))
    torch.testing.assert_close(mixed[1, 0], torch.tensor([math.cos(0.3), math.sin(0.3)]))


def test_noises_without_an_arc_between_them_mix_evenly():
    same = torch.ones(1, 3)
    torch.testing.assert_close(spherical_mix(same, same * 3, 0.25), same * 1.5)
    assert torch.isfinite(spherical_mix(same, -same, 0.5)).all()
    assert torch.isfinite(spherical_mix(same, same * 0, 0.5)).all()
    kept = same.clone()
    spherical_mix(same, torch.tensor([[1.0, 2.0, 3.0]]), 0.5)
    assert torch.equal(same, kept)
