"""Scenes made up: their disparity is that of real planes before a pinhole camera."""

import pytest
import torch

from framedrift.nodes.core.depth.synthetic import KINDS, SyntheticDepth
from framedrift.nodes.core.errors import FramedriftError

H, W = 90, 160
IMAGE = torch.rand(2, 3, H, W, generator=torch.Generator().manual_seed(0))


def unproject(disparity: torch.Tensor, near: float, far: float, fov_deg: float) -> torch.Tensor:
    """Points (H, W, 3) of a disparity (H, W): x right, y down, z forward; vertical fov, square pixels."""
    h, w = disparity.shape
    z = 1.0 / (disparity.double() * (1 / near - 1 / far) + 1 / far)
    focal = 0.5 * h / torch.tan(torch.deg2rad(torch.tensor(fov_deg / 2, dtype=torch.float64)))
    v, u = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    return torch.stack([(u - w / 2) / focal * z, (v - h / 2) / focal * z, z], dim=-1)


def distance_from_plane(points: torch.Tensor) -> float:
    """The largest distance of points (N, 3) from the plane that fits them best, over their extent."""
    centred = points - points.mean(dim=0)
    normal = torch.linalg.svd(centred, full_matrices=False).Vh[-1]
    return float((centred @ normal).abs().max() / centred.norm(dim=1).max())


@pytest.mark.parametrize("kind", KINDS)
def test_shape_range_and_protocol(kind):
    model = SyntheticDepth(kind)
    out = model.disparity(IMAGE)
    assert out.shape == (2, 1, H, W)
    assert out.dtype == torch.float32
    assert float(out.min()) >= 0.0
    assert float(out.max()) <= 1.0
    assert model.calibrated is True
    assert model.name == kind
    assert kind in model.signature()


def test_plane_is_everywhere_the_same():
    assert torch.equal(SyntheticDepth("plane", nearness=0.25).disparity(IMAGE), torch.full((2, 1, H, W), 0.25))


@pytest.mark.parametrize("horizon", [-0.5, 0.0, 0.3, 0.5, 0.8])
def test_ground_disparity_is_linear_below_the_horizon(horizon):
    d = SyntheticDepth("ground", horizon=horizon).disparity(IMAGE)[0, 0]
    y = (torch.arange(H) + 0.5) / H
    expected = ((y - horizon) / (1 - horizon)).clamp(min=0)
    assert torch.allclose(d, expected[:, None].expand(H, W), atol=1e-6)
    assert (d[y < horizon] == 0).all()


@pytest.mark.parametrize(("near", "far", "fov"), [(1.0, 50.0, 70.0), (0.2, 1000.0, 40.0), (3.0, 7.0, 100.0)])
def test_ground_is_a_plane_for_every_camera(near, far, fov):
    d = SyntheticDepth("ground", horizon=0.4).disparity(IMAGE)[0, 0]
    points = unproject(d, near, far, fov)
    assert distance_from_plane(points[d > 0]) < 1e-5


def test_ground_falls_off_as_the_height_over_the_sine():
    """With far at infinity: z = h f / (y - y_h), h the camera's height, y in pixels."""
    horizon, near = 0.45, 1.0
    d = SyntheticDepth("ground", horizon=horizon).disparity(IMAGE)[0, 0, :, 0].double()
    below = d > 0
    z = 1.0 / (d[below] / near)
    rows = (torch.arange(H) + 0.5)[below].double()
    assert torch.allclose(z * (rows - horizon * H), torch.full_like(z, near * (1 - horizon) * H), rtol=1e-4)


@pytest.mark.parametrize("horizon", [0.5, 0.3])
def test_tunnel_has_four_flat_sides_that_meet(horizon):
    d = SyntheticDepth("tunnel", horizon=horizon).disparity(IMAGE)[0, 0]
    points = unproject(d, 1.0, 50.0, 70.0)
    y = ((torch.arange(H) + 0.5) / H)[:, None].expand(H, W)
    x = ((torch.arange(W) + 0.5) / W)[None].expand(H, W)
    floor, ceiling, wall = (y - horizon) / (1 - horizon), (horizon - y) / horizon, (2 * x - 1).abs()
    sides = [
        (floor > wall) & (floor > 0),
        (ceiling > wall) & (ceiling > 0),
        (wall >= floor) & (wall >= ceiling) & (x < 0.5),
        (wall >= floor) & (wall >= ceiling) & (x > 0.5),
    ]
    for side in sides:
        assert side.sum() > 50
        assert distance_from_plane(points[side]) < 1e-5
    # Nearest along all four edges, farthest where they vanish.
    assert min(d[0].min(), d[-1].min(), d[:, 0].min(), d[:, -1].min()) > 0.95
    assert d[int(horizon * H), W // 2] < 0.03


def test_nearness_scales_the_scene():
    full, half = (SyntheticDepth("tunnel", nearness=n).disparity(IMAGE) for n in (1.0, 0.5))
    assert torch.allclose(half, 0.5 * full, atol=1e-6)


def test_luminance_is_bright_near_and_smooth():
    image = torch.zeros(1, 3, 64, 96)
    image[..., 48:] = 1.0
    sharp = SyntheticDepth("luminance", blur=0.0).disparity(image)
    assert torch.allclose(sharp, image[:, :1], atol=1e-6)
    soft = SyntheticDepth("luminance", blur=0.05).disparity(image)
    row = soft[0, 0, 32]
    assert (row.diff() >= -1e-6).all()
    assert float(row[0]) < 1e-3
    assert float(row[-1]) > 0.999
    assert float(row[47] + row[48]) == pytest.approx(1.0, abs=1e-3)
    assert float(row.diff().max()) < 0.2
    green, blue = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    green[:, 1], blue[:, 2] = 1.0, 1.0
    weigh = SyntheticDepth("luminance", blur=0.0)
    assert float(weigh.disparity(green).mean()) > float(weigh.disparity(blue).mean())


def test_signature_tells_scenes_apart():
    models = [SyntheticDepth(kind) for kind in KINDS]
    models += [SyntheticDepth("ground", horizon=0.3), SyntheticDepth("plane", nearness=0.5)]
    models += [SyntheticDepth("luminance", blur=0.1)]
    assert len({m.signature() for m in models}) == len(models)
    # What has no effect does not make another run of it.
    assert SyntheticDepth("plane", horizon=0.2).signature() == SyntheticDepth("plane").signature()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_odd_sizes(kind, size):
    out = SyntheticDepth(kind).disparity(torch.rand(1, 3, *size))
    assert out.shape == (1, 1, *size)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "cave"}, "plane, ground"),
        ({"horizon": 1.0}, "horizon"),
        ({"kind": "tunnel", "horizon": 0.0}, "tunnel"),
        ({"nearness": 2.0}, "nearness"),
        ({"blur": -1.0}, "blur"),
    ],
)
def test_wrong_parameters_are_named(arguments, said):
    with pytest.raises(FramedriftError, match=said):
        SyntheticDepth(**arguments)


def test_an_image_that_is_no_numbers_is_refused():
    with pytest.raises(FramedriftError, match="no numbers"):
        SyntheticDepth("luminance").disparity(torch.full((1, 3, 4, 4), torch.nan))
