"""Reading between pixels: what OpenCV does on the CPU is what torch does elsewhere."""

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import pose_delta
from framedrift.nodes.core.warp import sample as sampling
from framedrift.nodes.core.warp import splat, spline, warp_pinhole
from framedrift.nodes.core.warp.sample import sample

BORDERS = ["replicate", "wrap", "reflect", "zeros"]
SAMPLINGS = ["bicubic", "bilinear", "nearest", "spline"]
SIZES = [(37, 53), (1, 1), (1, 29), (31, 1), (8, 4096)]


def texture(*size, batch=1):
    return torch.rand((batch, 3, *size), generator=torch.Generator().manual_seed(sum(size)))


def shifts(size, reach):
    generator = torch.Generator().manual_seed(3)
    return [(torch.rand((1, *size), generator=generator) * 2 - 1) * reach for _ in range(2)]


def elsewhere(monkeypatch):
    monkeypatch.setattr(sampling, "_opencv_is_exact", lambda: False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", SAMPLINGS)
@pytest.mark.parametrize("border", BORDERS)
def test_both_ways_to_read_agree(size, mode, border, monkeypatch):
    image, (dx, dy) = texture(*size), shifts(size, 9.0)
    here = sample(image, dx, dy, mode, border)
    elsewhere(monkeypatch)
    there = sample(image, dx, dy, mode, border)
    assert here.shape == image.shape
    # A wide picture's positions are rounded to 2^-12 of a pixel, in both.
    apart = (here - there).abs()
    assert float(apart.max()) < (3e-3 if size[1] > 1000 else 1e-4) or mode == "nearest"
    assert float(apart.mean()) < 1e-4


@pytest.mark.parametrize("mode", SAMPLINGS)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("reach", [300.0, 1e12])
def test_far_outside_is_the_border(mode, border, reach):
    image = texture(17, 23)
    away = torch.full((1, 17, 23), reach)
    found = sample(image, away, -away, mode, border)
    assert torch.isfinite(found).all()
    if border == "zeros":
        assert not found.any()
    if border == "replicate":
        assert torch.allclose(found, image[..., :1, -1:].expand_as(found), atol=1e-6)


def test_positions_are_finer_than_a_32nd_of_a_pixel():
    ramp = torch.linspace(0, 1, 65)[None, None, None].expand(1, 1, 9, 65)
    dx = torch.full((1, 9, 65), 0.01)
    moved = sample(ramp, dx, torch.zeros_like(dx), "bilinear")
    assert torch.allclose(moved[..., 5:60], ramp[..., 5:60] + 0.01 / 64, atol=1e-6)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", SIZES)
def test_a_spline_passes_through_the_pixels(border, size):
    image, still = texture(*size, batch=2), torch.zeros(1, *size)
    assert (sample(image, still, still, "spline", border) - image).abs().max() < (3e-3 if size[1] > 1000 else 3e-4)


@pytest.mark.parametrize(("waves", "least"), [(0.1, 0.999), (0.25, 0.97), (0.33, 0.88)])
def test_a_spline_keeps_more_of_fine_waves_than_bicubic(waves, least):
    """Read half a pixel further; `waves` a pixel."""
    x = torch.arange(96.0)
    picture, truth = (0.5 + 0.4 * torch.sin(2 * torch.pi * waves * (x + by)) for by in (0, 0.5))
    half, still = torch.full((1, 9, 96), 0.5), torch.zeros(1, 9, 96)
    image = picture.expand(1, 1, 9, 96)
    off = {
        mode: float((sample(image, half, still, mode)[0, 0, 4] - truth)[16:80].abs().max())
        for mode in ("bicubic", "spline")
    }
    assert off["spline"] < 0.4 * (1 - least + 1e-3)
    assert off["spline"] < 0.5 * off["bicubic"]
    upright = sample(image.mT.contiguous(), still.mT, half.mT, "spline")
    assert torch.allclose(upright.mT, sample(image, half, still, "spline"), atol=1e-5)


def test_both_ways_to_filter_agree():
    planes, taps = torch.rand(2, 1, 40, 57, generator=torch.Generator().manual_seed(6)), torch.rand(21) / 10
    here, there = spline._filtered_by_opencv(planes, taps), spline._filtered_by_torch(planes, taps)
    assert here.shape == there.shape == (2, 1, 20, 37)
    assert torch.allclose(here, there, atol=1e-5)


def test_a_batch_and_one_displacement_for_all():
    images, (dx, dy) = texture(20, 30, batch=3), shifts((20, 30), 4.0)
    together = sample(images, dx, dy)
    for number in range(3):
        assert torch.equal(together[number], sample(images[number : number + 1], dx, dy)[0])


@pytest.mark.parametrize("size", [(20, 30), (1, 1), (1, 7), (7, 1)])
@pytest.mark.parametrize("radius", [1, 3])
def test_both_ways_to_find_extremes_agree(size, radius):
    values = torch.rand((2, *size), generator=torch.Generator().manual_seed(1))
    assert torch.equal(splat.grow(values, radius), splat._extreme_anywhere(values, radius, torch.maximum))
    assert torch.equal(splat.shrink(values, radius), splat._extreme_anywhere(values, radius, torch.minimum))


def test_the_pinhole_warp_is_the_same_without_opencvs_reading(scene, monkeypatch):
    first, step = scene.view(np.eye(4)), pose_delta((-50, 30, 60), (2, -5, 4))
    here = warp_pinhole(first.image, first.depth, step, scene.fov_deg)
    elsewhere(monkeypatch)
    there = warp_pinhole(first.image, first.depth, step, scene.fov_deg)
    assert float((here.holes != there.holes).float().mean()) < 1e-4
    assert float((here.image - there.image).abs().mean()) < 1e-5
