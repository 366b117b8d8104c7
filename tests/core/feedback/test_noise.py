import dataclasses
import math

import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import Options
from framedrift.nodes.core.feedback.noise import NOISE_TYPES, Noise, add_noise, initial_noise, spherical_mix, unit_noise
from framedrift.nodes.core.feedback.perlin import DEVIATION, deviation, perlin
from framedrift.nodes.core.random import generator
from framedrift.nodes.core.schedule import as_schedule


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


def kinds(**given):
    return [Noise(noise_type=kind, **given) for kind in NOISE_TYPES]


def test_without_settings_it_is_plain_gaussian_noise_bit_for_bit():
    image = torch.linspace(0, 1, 3 * 20 * 30).view(1, 3, 20, 30)
    white = torch.randn(image.shape, generator=generator(3, 4, "noise"))
    expected = (image + 0.5 * 0.3 * white).clamp(0, 1)
    assert torch.equal(add_noise(image, 0.3, 3, 4), expected)
    assert torch.equal(add_noise(image, 0.3, 3, 4, Noise()), expected)


@pytest.mark.parametrize(("kind", "spread"), [("gaussian", 1.0), ("uniform", 1.0), ("perlin", 0.53), ("clouds", 1.0)])
def test_mean_and_spread(kind, spread):
    drawn_ones = torch.cat([unit_noise((96, 80), 1, frame, Noise(noise_type=kind)) for frame in range(40)])
    assert float(drawn_ones.mean()) == pytest.approx(0, abs=0.02)
    assert float(drawn_ones.std()) == pytest.approx(spread, rel=0.04)


def kurtosis(values):
    return float((values**4).mean() / (values**2).mean() ** 2)


def test_each_kind_has_its_distribution():
    gaussian, uniform, patches, _ = (unit_noise((256, 256), 1, 2, settings) for settings in kinds())
    assert kurtosis(gaussian) == pytest.approx(3, abs=0.05)
    assert kurtosis(uniform) == pytest.approx(1.8, abs=0.02)
    assert float(uniform.abs().max()) <= math.sqrt(3) + 1e-6
    # Weaker in some places than in others: more of it is near 0, and far off.
    assert kurtosis(patches) > 3.5


def test_perlin_is_deforums_gaussian_noise_on_the_hills_of_one_field():
    settings = Noise(noise_type="perlin", perlin_w=3, perlin_h=5, perlin_octaves=2, perlin_persistence=0.4)
    field = perlin((40, 60), (5, 3), generator(1, 2, "perlin"), 2, 0.4)
    expected = unit_noise((40, 60), 1, 2) * (1 + field) / 2
    torch.testing.assert_close(unit_noise((40, 60), 1, 2, settings), expected)
    assert math.sqrt(0.25 * (1 + deviation(4, 0.5) ** 2)) == pytest.approx(0.53, abs=0.005)


def test_clouds_are_one_field_for_each_channel():
    settings = Noise(noise_type="clouds", perlin_w=3, perlin_h=5, perlin_octaves=1)
    made = unit_noise((40, 60), 1, 2, settings)
    first = perlin((40, 60), (5, 3), generator(1, 2, "perlin"))
    torch.testing.assert_close(made[0, 0], first / DEVIATION)
    assert abs(float(torch.corrcoef(made[0].flatten(1))[0, 1])) < 0.5


def high_share(values):
    """Share of the power over an eighth of the sampling frequency."""
    power = torch.fft.rfft2(values[0, 0] - values[0, 0].mean()).abs() ** 2
    rows, columns = torch.fft.fftfreq(values.shape[-2]).abs(), torch.fft.rfftfreq(values.shape[-1])
    return float(power[(rows[:, None] > 0.125) | (columns > 0.125)].sum() / power.sum())


def test_white_noise_is_white_and_clouds_are_not():
    gaussian, uniform, patches, clouds = (
        unit_noise((128, 128), 1, 2, settings) for settings in kinds(perlin_octaves=2)
    )
    # Both axes within an eighth: 1/16 of the plane.
    for white in (gaussian, uniform, patches):
        assert high_share(white) == pytest.approx(15 / 16, abs=0.02)
    assert high_share(clouds) < 0.02
    # How strong the patches are varies slowly.
    assert high_share(patches.abs()) < high_share(gaussian.abs()) - 0.03


@pytest.mark.parametrize("settings", kinds(), ids=NOISE_TYPES)
def test_every_kind_repeats_and_no_two_frames_or_seeds_are_alike(settings):
    made = unit_noise((64, 64), 1, 2, settings)
    assert torch.equal(made, unit_noise((64, 64), 1, 2, settings))
    for seed, frame in ((1, 3), (2, 2), (2**63, 2)):
        other = unit_noise((64, 64), seed, frame, settings)
        alike = float(torch.corrcoef(torch.stack([made.flatten(), other.flatten()]))[0, 1])
        # Clouds have a few hundred independent places, the others 12288.
        assert abs(alike) < (0.25 if settings.noise_type == "clouds" else 0.05)


@pytest.mark.parametrize("size", [(1, 1), (97, 61), (2, 300)])
@pytest.mark.parametrize("settings", kinds(perlin_w=16, perlin_h=0.1), ids=NOISE_TYPES)
def test_any_size_will_do_and_the_picture_is_left_as_it_is(settings, size):
    image = torch.full((1, 3, *size), 0.5)
    noisy = add_noise(image, 0.2, 1, 2, settings)
    assert noisy.shape == image.shape
    assert noisy.dtype == torch.float32
    assert bool(torch.isfinite(noisy).all())
    assert not torch.equal(noisy, image)
    assert torch.equal(image, torch.full_like(image, 0.5))


@pytest.mark.parametrize("settings", [None, *kinds()], ids=["none", *NOISE_TYPES])
def test_a_mask_keeps_the_noise_off(settings):
    image = torch.full((1, 3, 16, 24), 0.5)
    mask = torch.zeros(1, 1, 16, 24)
    mask[..., 8:16], mask[..., 16:] = 0.5, 1
    noisy = add_noise(image, 0.1, 1, 2, settings, mask)
    whole = add_noise(image, 0.1, 1, 2, settings)
    assert torch.equal(noisy[..., :8], image[..., :8])
    assert torch.equal(noisy[..., 16:], whole[..., 16:])
    torch.testing.assert_close(noisy[..., 8:16], (image + whole)[..., 8:16] / 2, rtol=0, atol=1e-6)


def test_a_mask_of_another_size_is_named():
    with pytest.raises(FramedriftError, match=r"24x16.*12x16"):
        add_noise(torch.zeros(1, 3, 16, 12), 0.1, 1, 2, None, torch.ones(1, 1, 16, 24))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("noise_type", "simplex"),
        ("perlin_w", 0.0),
        ("perlin_w", float("nan")),
        ("perlin_h", 17.0),
        ("perlin_octaves", 0),
        ("perlin_octaves", 8),
        ("perlin_persistence", 1.1),
        ("perlin_persistence", -0.1),
    ],
)
def test_what_is_out_of_range_is_named(field, value):
    with pytest.raises(FramedriftError, match=field):
        Noise(**{field: value})


def test_the_signature_holds_what_shapes_pictures():
    assert Noise().signature() == Noise(perlin_w=3).signature()
    perlins = Noise(noise_type="perlin")
    changed = [perlins, Noise(), Noise(noise_type="uniform"), Noise(noise_type="clouds")]
    for change in ({"perlin_w": 3.0}, {"perlin_h": 3.0}, {"perlin_octaves": 2}, {"perlin_persistence": 0.2}):
        changed.append(dataclasses.replace(perlins, **change))
    signatures = [str(option.signature()) for option in changed]
    assert len(set(signatures)) == len(signatures)


def test_the_multiplier_is_a_schedule_within_bounds():
    def chain(text):
        name = "noise_multiplier_schedule"
        return Options().with_part(Noise(schedules={name: as_schedule(text, name)}))

    assert chain("0:(1), 10:(2)").sample(11, 0, 15.0).at(5)[0] == {"noise_multiplier_schedule": 1.5}
    with pytest.raises(FramedriftError, match="noise_multiplier_schedule is 11 at frame 3"):
        chain("0:(1), 3:(11)").sample(5, 0, 15.0)


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
