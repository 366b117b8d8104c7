"""What must not happen over an animation, and what odd input gives."""

import logging

import cv2
import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D, pose_delta
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import (
    WarpedFrames,
    WarpSettings,
    motion_matrix,
    perspective_flip,
    warp,
    warp_pinhole,
    warp_plane,
)

PROJECTIONS = ["pinhole", "deforum"]
SIZES = [(1, 1), (1, 40), (40, 1), (2, 3), (8, 4096)]


def even_noise(height=144, width=192, detail=1.2):
    """Noise of details `detail` pixels wide, but of the same mean everywhere, so that going in leaves it."""
    fine = torch.randn((1, 3, height, width), generator=torch.Generator().manual_seed(5)).numpy()[0]
    bands = [cv2.GaussianBlur(c, (0, 0), detail) - cv2.GaussianBlur(c, (0, 0), 3 * detail) for c in fine]
    noise = torch.from_numpy(np.stack(bands))[None]
    return 0.45 + 0.12 * noise / noise.std()


def hills(height=144, width=192):
    """Ground that rises towards the camera, a ball on it, and a far wall with a slant."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1.3, 1.3, width), indexing="ij")
    ball = (0.15 - (x - 0.3).square() - y.square()).clamp(min=0)
    return torch.maximum(0.1 + 0.05 * x + 0.7 * y.clamp(min=0), torch.where(ball > 0, 0.55 + ball, 0.0))[None, None]


@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("depth", [None, hills(240, 320)], ids=["flat", "hills"])
@pytest.mark.parametrize("sampling", ["bicubic", "bilinear"])
def test_sixty_frames_of_deforums_default_keep_the_mean_brightness(projection, depth, sampling):
    # Classic Deforum's bicubic sharpens along a chain until fine details are black and white: that is its look.
    image = even_noise(240, 320, detail=2.0 if (projection, sampling) == ("deforum", "bicubic") else 1.2)
    path = Camera3D(translation_z=1.75).track(61, 15.0, 0, (240, 320))
    settings, moved, worst = WarpSettings(projection, near=1, far=20, sampling=sampling), image, 0.0
    for frame in range(60):
        moved = warp(moved, path, frame, frame + 1, depth, settings).image
        worst = max(worst, abs(float(moved.mean() / image.mean()) - 1))
    assert worst < 0.005


@pytest.mark.parametrize("camera", [Camera2D(angle=0.7, zoom=1, translation_x=0.3), Camera3D(translation_x=0.4)])
def test_bicubic_sharpens_nothing_along_a_chain(camera):
    image = moved = even_noise()
    path = camera.track(61, 15.0, 0, (144, 192))
    for frame in range(60):
        moved = warp(moved, path, frame, frame + 1, settings=WarpSettings(border="wrap")).image
    assert 0.5 < float(moved.std() / image.std()) < 1.0


@pytest.mark.parametrize("camera", [Camera2D(zoom=1), Camera3D(translation_z=0)])
@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("border", ["replicate", "wrap", "reflect", "zeros"])
def test_two_hundred_warps_at_rest_change_nothing_with_any_border(camera, projection, border):
    image = moved = even_noise(36, 64)
    path = camera.track(201, 15.0, 0, (36, 64))
    for frame in range(200):
        moved = warp(moved, path, frame, frame + 1, hills(36, 64), WarpSettings(projection, border=border)).image
    assert float((moved - image).abs().max()) == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("border", ["replicate", "wrap", "reflect", "zeros"])
@pytest.mark.parametrize("sampling", ["bicubic", "bilinear", "nearest"])
def test_tiny_and_very_wide_pictures(size, projection, border, sampling):
    image = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(0))
    depth = torch.rand((1, 1, *size), generator=torch.Generator().manual_seed(1))
    for camera in (Camera3D(3, 2, 9, 1, 2, 3), Camera2D(angle=5, zoom=1.1, translation_x=2)):
        warped = warp(
            image, camera.track(2, 15.0, 0, size), 0, 1, depth, WarpSettings(projection, 1, 9, border, sampling)
        )
        assert warped.image.shape == image.shape
        for values in (warped.image, warped.holes, warped.magnification):
            assert torch.isfinite(values).all()
        assert float(warped.image.min()) >= 0
        assert float(warped.image.max()) <= 1


# ---------------------------------------------------------------- perspective flip


def flip_by_corners(width, height, theta, phi, gamma, fv):
    """The same by way of space: the plane's corners turned, seen by a camera, and the matrix of those four points."""
    half = np.radians(fv) / 2
    diagonal = np.hypot(width, height)
    side, away = diagonal / np.cos(half), diagonal / (2 * np.sin(half))
    turns = [
        cv2.Rodrigues(np.radians(angle) * axis)[0] for angle, axis in zip((phi, gamma, theta), np.eye(3), strict=True)
    ]
    world = np.eye(4)
    world[:3, :3] = turns[0] @ turns[1] @ turns[2]
    world[2, 3] = -away
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    flat = np.column_stack([corners - side / 2, np.zeros(4), np.ones(4)])
    seen = flat @ world.T
    lens = 1 / np.tan(half)
    landed = (lens * seen[:, :2] / -seen[:, 2:3] + 1) * side / 2
    return cv2.getPerspectiveTransform(corners, landed.astype(np.float32))


@pytest.mark.parametrize("size", [(64, 48), (80, 45), (45, 80)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (12, 0, 0), (0, 25, 0), (0, 0, -30), (10, -20, 15)])
@pytest.mark.parametrize("fv", [30, 53, 90])
def test_perspective_flip_against_corners_in_space(size, angles, fv):
    expected = flip_by_corners(*size, *angles, fv)
    np.testing.assert_allclose(perspective_flip(*size, *angles, fv), expected, rtol=2e-3, atol=2e-4 * max(size))


def test_a_matrix_whose_horizon_crosses_the_picture():
    """What lies behind the horizon is a hole with every border, and what lies before it is where the matrix says."""
    size = (60, 80)
    y, x = torch.meshgrid(torch.arange(60.0), torch.arange(80.0), indexing="ij")
    image = torch.stack([x / 79, y / 59, torch.full_like(x, 0.5)])[None]
    inverse = np.array([[1.0, 0, -10], [0, 1, -5], [0, 0.05, -1]])  # weight 0 at row 20
    for border in ("replicate", "wrap", "reflect", "zeros"):
        warped = warp_plane(image, np.linalg.inv(inverse), border, "bilinear")
        assert torch.isfinite(warped.image).all()
        assert torch.isfinite(warped.magnification).all()
        assert (warped.holes[..., :21, :] == 1).all(), border
        for row, column in ((45, 30), (59, 60), (50, 20)):
            source = inverse @ (column, row, 1)
            source = source[:2] / source[2]
            assert 0 <= source[0] < 79
            assert 0 <= source[1] < 59
            assert float(warped.holes[0, 0, row, column]) == 0
            found = warped.image[0, :2, row, column].numpy() * (79, 59)
            assert found == pytest.approx(source, abs=1e-2), (border, row, column)
    assert (warped.image.shape[-2:]) == size


# ---------------------------------------------------------------- bad input


def picture():
    return torch.rand((1, 3, 30, 40), generator=torch.Generator().manual_seed(4))


def track(frames=4, **motion):
    return Camera3D(**motion).track(frames, 15.0, 0, (30, 40))


@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_disparity_that_is_no_number_counts_as_far_and_is_told(projection, value, caplog):
    depth = torch.full((1, 1, 30, 40), 0.4)
    far = depth.clone()
    depth[..., 5:9, 5:9], far[..., 5:9, 5:9] = value, 0.0
    path = track(translation_x=10)
    with caplog.at_level(logging.WARNING):
        found = warp(picture(), path, 0, 1, depth, WarpSettings(projection))
    assert "16 of 1200" in caplog.text
    assert torch.equal(found.image, warp(picture(), path, 0, 1, far, WarpSettings(projection)).image)


def test_flat_depth_is_a_plane():
    path = track(translation_x=10, translation_z=20)
    for value in (0.0, 0.3, 1.0):
        flat = torch.full((1, 1, 30, 40), value)
        classic = warp(picture(), path, 0, 1, flat, WarpSettings("deforum"))
        assert torch.equal(classic.image, warp(picture(), path, 0, 1, None, WarpSettings("deforum")).image)
        distance = 1 / (value * (1 / 2 - 1 / 9) + 1 / 9)
        lens = warp(picture(), path, 0, 1, flat, WarpSettings(near=2, far=9))
        plane = warp(picture(), path, 0, 1, None, WarpSettings(near=distance, far=99))
        assert torch.allclose(lens.image, plane.image, atol=1e-4)


@pytest.mark.parametrize("motion", [{"translation_z": 400}, {"rotation_3d_y": 60}], ids=["through it", "away"])
def test_a_camera_that_sees_nothing_of_the_picture_is_told(motion, caplog):
    path = track(translation_x=0, **({"translation_z": 0} | motion))
    with caplog.at_level(logging.WARNING):
        warped = warp(picture(), path, 0, 3, torch.full((1, 1, 30, 40), 0.5))
    assert "Frame 3" in caplog.text
    assert "sees nothing" in caplog.text
    assert (warped.holes == 1).all()
    for values in (warped.image, warped.magnification):
        assert torch.isfinite(values).all()


def test_a_clip_says_once_that_a_frame_shows_nothing(caplog):
    clip = WarpedFrames(picture(), track(12, translation_z=100), disparity=torch.full((1, 1, 30, 40), 1.0))
    with caplog.at_level(logging.WARNING):
        assert all(torch.isfinite(frame).all() for frame in clip)
    assert caplog.text.count("sees nothing") == 1


def test_deforum_composed_over_a_long_way_folds_and_a_clip_says_so(caplog):
    depth, image = hills(), even_noise()
    path = Camera3D(translation_z=4).track(41, 15.0, 0, (144, 192))
    with caplog.at_level(logging.WARNING):
        WarpedFrames(image, path, 0, None, depth, WarpSettings("deforum"))[1]
        warp(image, path, 5, 6, depth, WarpSettings("deforum"))
    assert not caplog.text
    with caplog.at_level(logging.WARNING):
        list(WarpedFrames(image, path, 0, range(30, 41), depth, WarpSettings("deforum")))
    assert caplog.text.count("folds") == 1


@pytest.mark.parametrize("fov", [0, 180, 200, -20, float("nan")])
def test_a_field_of_view_that_is_none_names_its_frame(fov):
    with pytest.raises(FramedriftError, match=r"fov.*frame 0"):
        track(fov=fov)


def test_a_projective_motion_that_leaves_nothing():
    with pytest.raises(FramedriftError, match="zoom"):
        warp_plane(picture(), motion_matrix(40, 30) * 0.0)
    with pytest.raises(FramedriftError, match="perspective_flip"):
        perspective_flip(40, 30, 0, 90, 0)


def test_what_is_made_up_far_from_the_background_is_soft(scene):
    """Lines on the wall are mirrored into the hole, and fade on the way to the thing that uncovered it."""
    first, step = scene.view(np.eye(4)), pose_delta((160, 0, 0), (0, 0, 0))
    lines = (torch.arange(scene.size[1]) % 6 < 2).float() * 0.6 + 0.2
    image = torch.where(torch.from_numpy(first.board), 1.0, lines).expand(1, 3, -1, -1)
    warped = warp_pinhole(image, first.depth, step, scene.fov_deg)
    row = warped.image[0, 0, 100].numpy()
    hole = np.flatnonzero(warped.holes[0, 0, 100].numpy()[: scene.size[1] * 3 // 4])
    # The camera goes right, and the board left: what it uncovers begins at the board and ends at the wall.
    assert len(hole) > 60
    at_the_board, at_the_wall = row[hole[3:23]], row[hole[-8:]]
    assert np.ptp(at_the_wall) > 0.4
    assert np.ptp(at_the_board) < 0.3 * np.ptp(at_the_wall)
    assert at_the_board.mean() == pytest.approx(float(lines.mean()), abs=0.06)
