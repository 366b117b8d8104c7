"""One picture goes over into another, and both are never seen at once."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from framedrift.nodes.core.feedback.dissolve import dissolve, fine_share, with_layout

SIZE = (96, 144)


def stripes(upright, size=SIZE, period=8):
    h, w = size
    along = torch.arange(w if upright else h, dtype=torch.float32)
    wave = 0.5 + 0.5 * torch.sin(along * 2 * torch.pi / period)
    plane = wave[None, :].expand(h, w) if upright else wave[:, None].expand(h, w)
    return plane[None, None].expand(1, 3, h, w).contiguous()


def texture(seed, size=SIZE):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 9, generator=generator)
    smooth = functional.interpolate(coarse, size=size, mode="bicubic", align_corners=False)
    return (0.8 * smooth + 0.2 * torch.rand(1, 3, *size, generator=generator)).clamp(0, 1)


def one_way(image):
    """How far the lines at each spot run one way only, 0..1: the coherence of the structure tensor, by its energy."""
    grey = image.mean(1, keepdim=True)
    dx = functional.pad(grey[..., :, 2:] - grey[..., :, :-2], (1, 1))
    dy = functional.pad(grey[..., 2:, :] - grey[..., :-2, :], (0, 0, 1, 1))
    xx, yy, xy = (functional.avg_pool2d(product, 9, 1, 4) for product in (dx * dx, dy * dy, dx * dy))
    return float((((xx - yy) ** 2 + 4 * xy**2).sqrt().sum()) / (xx + yy).sum())


def low(image):
    return functional.adaptive_avg_pool2d(image, (4, 6))


def coarsest(image):
    return functional.adaptive_avg_pool2d(image, (1, 2))


def test_no_way_is_the_picture_and_all_of_it_the_guide():
    image, guide = texture(1), texture(2)
    assert dissolve(image, guide, 0.0) is image
    assert dissolve(image, guide, 0.4, before=0.4) is image
    assert torch.equal(dissolve(image, guide, 1.0), guide)


def test_what_is_written_is_new_and_within_range():
    image, guide = texture(1), texture(2)
    kept = image.clone(), guide.clone()
    mixed = dissolve(image, guide, 0.5)
    assert torch.equal(image, kept[0])
    assert torch.equal(guide, kept[1])
    assert 0 <= float(mixed.min()) <= float(mixed.max()) <= 1


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7, 0.8])
def test_half_way_there_is_no_double_exposure(share):
    across, upright = stripes(False), stripes(True)
    assert one_way(across) > 0.99
    faded = one_way(torch.lerp(across, upright, 0.5))
    assert faded < 0.2
    assert one_way(dissolve(across, upright, share)) > 0.7


def test_at_each_spot_the_detail_is_of_one_of_the_two():
    across, upright = stripes(False), stripes(True)
    mixed = dissolve(across, upright, 0.7)
    nearer = torch.minimum((mixed - across).abs(), (mixed - upright).abs()).mean()
    faded = torch.lerp(across, upright, 0.5)
    assert nearer < 0.6 * torch.minimum((faded - across).abs(), (faded - upright).abs()).mean()


def test_the_coarse_goes_before_the_fine():
    image, guide = texture(1), texture(2)
    mixed = dissolve(image, guide, 0.5)

    def left(part):
        return float((part(mixed) - part(guide)).abs().mean() / (part(image) - part(guide)).abs().mean())

    def fine(picture):
        return picture - functional.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)

    assert left(coarsest) < 0.66
    assert left(fine) > 0.74
    assert fine_share(0.5) == 0.25


def test_the_way_does_not_depend_on_the_steps():
    image, guide = texture(1), texture(2)
    at_once = dissolve(image, guide, 0.7)
    stepwise = image
    for share, before in ((0.2, 0.0), (0.45, 0.2), (0.7, 0.45)):
        stepwise = dissolve(stepwise, guide, share, before)
    assert (low(at_once) - low(stepwise)).abs().mean() < 0.25 * (low(image) - low(guide)).abs().mean()
    errors = [float((picture - guide).abs().mean()) for picture in (at_once, stepwise)]
    assert errors[1] == pytest.approx(errors[0], rel=0.2)


def test_each_step_comes_nearer():
    image, guide = texture(1), texture(2)
    shares = [0.0, 0.1, 0.25, 0.45, 0.7, 0.9, 1.0]
    apart = [float((image - guide).abs().mean())]
    for before, share in pairwise(shares):
        image = dissolve(image, guide, share, before)
        apart.append(float((image - guide).abs().mean()))
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] == 0


def test_where_the_guide_shows_nothing_the_detail_stays():
    image = 0.25 + 0.5 * stripes(True)
    guide = torch.full_like(image, 0.4)
    unseen = torch.zeros(1, 1, *SIZE)
    unseen[..., SIZE[1] // 2 :] = 1
    mixed = dissolve(image, guide, 1.0, unseen=unseen)
    own, other = mixed[..., 3 * SIZE[1] // 4 :], mixed[..., : SIZE[1] // 4]
    assert own.std() > 0.7 * image.std()
    assert other.std() < 0.1 * image.std()
    assert (other - 0.4).abs().mean() < 0.05


@pytest.mark.parametrize("size", [(5, 7), (8, 8), (33, 70), (64, 200)])
def test_any_size(size):
    image, guide = texture(1, size), texture(2, size)
    mixed = dissolve(image, guide, 0.6, 0.1)
    assert mixed.shape == image.shape
    assert 0 < (mixed - guide).abs().mean() < (image - guide).abs().mean()


def test_the_layout_is_taken_and_the_detail_kept():
    image, guide = 0.25 + 0.5 * stripes(True), 0.3 + 0.4 * stripes(False, period=192)
    made = with_layout(image, guide)
    assert (coarsest(made) - coarsest(guide)).abs().max() < 0.01
    assert (low(made) - low(guide)).abs().mean() < 0.03
    assert one_way(made) > 0.9
    assert made.std() > image.std()
