import torch

from framedrift.nodes.core.feedback.coherence import lab_quantiles, match_lab
from framedrift.nodes.core.feedback.tables import QUANTILES


def picture(seed: int, low: float = 0.0, high: float = 1.0, size=(48, 64)) -> torch.Tensor:
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))
    return low + (high - low) * noise


def test_a_picture_matched_to_itself_stays():
    image = picture(1)
    assert (match_lab(image, lab_quantiles(image)) - image).abs().max() < 2e-3


def test_a_flat_picture_stays_flat_and_takes_the_reference_colour():
    reference = torch.full((1, 3, 48, 64), 0.5)
    reference[:, 0] = 0.8
    matched = match_lab(torch.full((1, 3, 48, 64), 0.2), lab_quantiles(reference))
    assert (matched - reference).abs().max() < 2e-3


def test_the_colours_become_those_of_the_reference():
    dark, bright = picture(2, 0.1, 0.3), picture(3, 0.6, 0.9)
    matched = match_lab(dark, lab_quantiles(bright))
    assert abs(float(matched.mean() - bright.mean())) < 0.01
    assert abs(float(matched.std() - bright.std())) < 0.01


def test_the_order_of_lightness_is_kept():
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 48, 64)
    matched = match_lab(ramp, lab_quantiles(picture(4, 0.2, 0.6)))
    steps = matched[0, :, 10].mean(0).diff()
    assert steps.min() >= -1e-4


def test_holes_do_not_count():
    image = picture(5, 0.4, 0.6)
    holed = image.clone()
    holes = torch.zeros(1, 1, 48, 64)
    holes[..., 32:] = 1
    holed[..., 32:] = 0
    reference = lab_quantiles(image)
    assert (match_lab(holed, reference, holes) - image)[..., :32].abs().max() < 0.02
    assert (match_lab(holed, reference) - image)[..., :32].abs().max() > 0.05


def test_a_reference_is_small_and_ascending():
    table = lab_quantiles(picture(6))
    assert table.shape == (3, QUANTILES)
    assert (table.diff(dim=1) >= 0).all()


def test_inputs_are_not_written():
    image, reference = picture(7), lab_quantiles(picture(8))
    before, table = image.clone(), reference.clone()
    match_lab(image, reference)
    assert torch.equal(image, before)
    assert torch.equal(reference, table)
