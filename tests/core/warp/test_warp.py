"""The one function that the loop, the tweens and the node call."""

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import WarpSettings, motion_matrix, warp, warp_deforum, warp_pinhole, warp_plane

SIZE = (45, 80)


def texture(seed=0):
    return torch.rand((1, 3, *SIZE), generator=torch.Generator().manual_seed(seed))


def ramp(height=45, width=80):
    return torch.linspace(0, 1, height)[None, None, :, None].expand(1, 1, height, width).contiguous()


def track(camera, frames=10):
    return camera.track(frames, 15.0, 0, SIZE)


@pytest.mark.parametrize("camera", [Camera2D(zoom=1), Camera3D(translation_z=0)])
@pytest.mark.parametrize("projection", ["pinhole", "deforum"])
def test_two_hundred_warps_at_rest_change_nothing(camera, projection):
    image = texture()
    path, moved = track(camera, 201), image
    for frame in range(200):
        warped = warp(moved, path, frame, frame + 1, ramp(), WarpSettings(projection))
        moved = warped.image
    assert torch.equal(moved, image)
    assert not warped.holes.any()
    assert (warped.magnification == 1).all()


def test_each_projection_is_its_own_function():
    image = texture()
    plane = track(Camera2D(angle=3, zoom=1.1, translation_x=4))
    expected = warp_plane(image, motion_matrix(80, 45, 3, 1.1, 4))
    assert torch.allclose(warp(image, plane, 2, 3).image, expected.image, atol=1e-6)

    space = track(Camera3D(5, 3, 9, 1, 2, 3, 65))
    classic = warp(image, space, 0, 1, ramp(), WarpSettings("deforum"))
    expected_image = warp_deforum(image, ramp(), (5, 3, 9), (1, 2, 3), 65)
    assert torch.allclose(classic.image, expected_image, atol=1e-4)

    depth = 1 / (ramp() * (1 / 2 - 1 / 9) + 1 / 9)
    pinhole = warp(image, space, 2, 5, ramp(), WarpSettings(near=2, far=9))
    expected = warp_pinhole(image, depth, space.step(2, 5), 65)
    assert torch.allclose(pinhole.image, expected.image, atol=1e-5)
    assert torch.equal(pinhole.holes, expected.holes)


@pytest.mark.parametrize("border", ["replicate", "wrap", "reflect", "zeros"])
@pytest.mark.parametrize("camera", [Camera2D(angle=8, zoom=0.8), Camera3D(40, 30, -60, 2, 5, 8)])
@pytest.mark.parametrize("projection", ["pinhole", "deforum"])
def test_shapes_ranges_and_holes_of_every_combination(border, camera, projection):
    image = torch.cat([texture(1), texture(2)])
    warped = warp(image, track(camera), 1, 2, ramp(), WarpSettings(projection, border=border))
    assert warped.image.shape == (2, 3, *SIZE)
    assert warped.holes.shape == warped.magnification.shape == (2, 1, *SIZE)
    assert set(warped.holes.unique().tolist()) <= {0.0, 1.0}
    assert torch.isfinite(warped.image).all()
    assert torch.isfinite(warped.magnification).all()
    assert (warped.magnification >= 0).all()
    if border in ("replicate", "zeros"):
        assert warped.holes.any()
    elif isinstance(camera, Camera2D) or projection == "deforum":
        assert not warped.holes.any()


@pytest.mark.parametrize("projection", ["pinhole", "deforum"])
def test_magnification_follows_the_motion(projection):
    near = warp(texture(), track(Camera3D(translation_z=20, fov=90)), 0, 1, None, WarpSettings(projection))
    back = warp(texture(), track(Camera3D(translation_z=-20, fov=90)), 0, 1, None, WarpSettings(projection))
    assert near.magnification.mean() == pytest.approx(1 / 0.9**2, rel=0.06)
    assert back.magnification.mean() == pytest.approx(1 / 1.1**2, rel=0.06)


def test_disparity_of_another_size_is_resized_and_what_is_no_number_is_far():
    path = track(Camera3D(30, 0, 0))
    exact = warp(texture(), path, 0, 1, torch.full((1, 1, *SIZE), 0.4))
    small = warp(texture(), path, 0, 1, torch.full((1, 1, 14, 28), 0.4))
    assert torch.allclose(exact.image, small.image, atol=1e-5)
    broken = torch.full((1, 1, *SIZE), 0.4)
    broken[..., 5:9, 5:9] = torch.nan
    for projection in ("pinhole", "deforum"):
        assert torch.isfinite(warp(texture(), path, 0, 1, broken, WarpSettings(projection)).image).all()


def test_without_depth_the_scene_is_a_plane_at_near():
    path = track(Camera3D(0, 0, 100))
    assert warp(texture(), path, 0, 1, settings=WarpSettings(near=2)).magnification.mean() == pytest.approx(16 / 9)


def test_a_lens_that_zooms_is_no_rest():
    warped = warp(texture(), track(Camera3D(translation_z=0, fov="0:(70), 9:(40)")), 0, 9)
    assert warped.magnification.mean() == pytest.approx(
        (np.tan(np.pi * 35 / 180) / np.tan(np.pi * 20 / 180)) ** 2, rel=1e-4
    )
    assert not warped.holes.any()


def test_refusals():
    with pytest.raises(FramedriftError, match=r"80x45.*81x45"):
        warp(torch.rand(1, 3, 45, 81), track(Camera2D()), 0, 1)
    with pytest.raises(FramedriftError, match="10 frames"):
        warp(texture(), track(Camera3D()), 0, 10)
    with pytest.raises(FramedriftError, match="disparity"):
        warp(texture(), track(Camera3D()), 0, 1, torch.zeros(45, 80))
    for wrong in ({"near": 5, "far": 5}, {"border": "mirror"}, {"projection": "fisheye"}, {"sampling": "cubic"}):
        with pytest.raises(FramedriftError, match=next(iter(wrong))):
            WarpSettings(**wrong)
