import pytest
import torch

from framedrift.nodes.core.feedback.anchor import color_statistics, moved_anchor, pull, pulled


def picture(seed: int, mean=(0.4, 0.5, 0.6), spread=(0.05, 0.08, 0.1), size=(48, 64)) -> torch.Tensor:
    """Of these very means and standard deviations, and within 0..1."""
    noise = torch.rand(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    noise = (noise - noise.mean((2, 3), keepdim=True)) / noise.std((2, 3), keepdim=True, correction=0)
    mu, sigma = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (mean, spread))
    return (noise * sigma + mu).float()


def test_statistics_are_those_of_the_channels():
    assert torch.allclose(
        color_statistics(picture(1)), torch.tensor([[0.4, 0.5, 0.6], [0.05, 0.08, 0.1]]).double(), atol=1e-6
    )


def test_holes_count_in_no_statistics():
    image = picture(2)
    holes = torch.zeros(1, 1, 48, 64)
    holes[..., 40:] = 1
    whole = color_statistics(image[..., :40].contiguous())
    image[..., 40:] = 0
    assert torch.allclose(color_statistics(image, holes), whole)
    assert color_statistics(image, torch.ones(1, 1, 48, 64)).equal(color_statistics(image)), "nothing but holes"
    pulled_by = [pulled(image, whole, holes)[..., :40], pulled(image[..., :40].contiguous(), whole)]
    assert torch.allclose(*pulled_by, atol=1e-6)


def test_the_pull_is_the_formula():
    anchor = torch.tensor([[0.41, 0.45, 0.9], [0.055, 0.04, 0.1]], dtype=torch.float64)
    image = picture(3)
    found = color_statistics(pulled(image, anchor))
    # Red: within the limits. Green: at the lower ones. Blue: brightness at the upper one, contrast as it is.
    gain = torch.tensor([(0.055 / 0.05) ** 0.15, 0.97, 1.0], dtype=torch.float64)
    shift = torch.tensor([0.15 * 0.01, 0.15 * -0.05, 0.01], dtype=torch.float64)
    assert torch.allclose(found[1], torch.tensor([0.05, 0.08, 0.1]).double() * gain, atol=1e-6)
    assert torch.allclose(found[0], torch.tensor([0.4, 0.5, 0.6]).double() + shift, atol=1e-6)
    assert pulled(image, color_statistics(image)).sub(image).abs().max() < 1e-6


@pytest.mark.parametrize(("own", "wanted", "gain"), [(0.1, 0.2, 1.03), (0.2, 0.1, 0.97), (0.1, 0.11, 1.1**0.15)])
def test_the_gain_is_limited(own, wanted, gain):
    statistics = torch.tensor([[0.5] * 3, [own] * 3], dtype=torch.float64)
    anchor = torch.tensor([[0.5] * 3, [wanted] * 3], dtype=torch.float64)
    gains, offsets = pull(statistics, anchor)
    assert gains.tolist() == pytest.approx([gain] * 3)
    assert (gains * 0.5 + offsets).tolist() == pytest.approx([0.5] * 3), "the mean stays where it is"


def test_a_flat_picture_keeps_its_flatness():
    anchor = torch.tensor([[0.5] * 3, [0.2] * 3], dtype=torch.float64)
    flat = torch.full((1, 3, 8, 8), 0.3)
    assert pulled(flat, anchor).sub(0.31).abs().max() < 1e-6
    gone = torch.tensor([[0.3] * 3, [0.0] * 3], dtype=torch.float64)
    assert pulled(flat, gone).sub(0.3).abs().max() < 1e-6


def test_contrast_that_fades_a_little_every_frame_settles():
    """At 1 % a frame it would be gone; it stops where the pull makes up for it: at 93.5 % before it, 94.5 % after."""
    image = picture(4)
    anchor = color_statistics(image)
    for _ in range(200):
        mean = image.mean((2, 3), keepdim=True)
        image = pulled((image - mean) * 0.99 + mean, anchor)
    ratio = color_statistics(image)[1] / anchor[1]
    assert ratio.tolist() == pytest.approx([0.99 ** (1 / 0.15) / 0.99] * 3, abs=1e-3)


def test_the_anchor_goes_two_percent_of_the_way_a_frame():
    anchor = torch.tensor([[0.5] * 3, [0.2] * 3], dtype=torch.float64)
    colors = torch.tensor([[0.0, 0.2, 0.4], [0.2, 0.2, 1.0]], dtype=torch.float64)
    # A gradient's spread: an even distribution from one colour to the other.
    goal = torch.tensor([[0.1, 0.2, 0.7], [0.2 / 12**0.5, 0.0, 0.6 / 12**0.5]], dtype=torch.float64)
    once = moved_anchor(anchor, colors, 1)
    assert torch.allclose(once, anchor + 0.02 * (goal - anchor))
    assert torch.allclose(moved_anchor(anchor, colors, 3), moved_anchor(moved_anchor(once, colors, 1), colors, 1))
    assert torch.equal(moved_anchor(anchor, colors, 0), anchor)
    assert torch.allclose(moved_anchor(anchor, colors, 2000), goal)


def test_a_palette_is_a_gradient_from_colour_to_colour():
    colors = torch.tensor([[0.0, 0.1, 1.0], [1.0, 0.5, 0.2], [0.4, 0.5, 0.9]], dtype=torch.float64)
    way = torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None]
    shades = torch.cat([colors[0] + way * (colors[1] - colors[0]), colors[1] + way * (colors[2] - colors[1])])
    found = moved_anchor(torch.zeros(2, 3, dtype=torch.float64), colors, 5000)
    assert torch.allclose(found, torch.stack([shades.mean(0), shades.std(0, correction=0)]), atol=1e-3)


def test_a_single_colour_moves_the_mean_alone():
    anchor = torch.tensor([[0.5] * 3, [0.2] * 3], dtype=torch.float64)
    found = moved_anchor(anchor, torch.tensor([[1.0, 0.5, 0.0]], dtype=torch.float64), 1)
    assert found[0].tolist() == pytest.approx([0.51, 0.5, 0.49])
    assert found[1].tolist() == [0.2] * 3
