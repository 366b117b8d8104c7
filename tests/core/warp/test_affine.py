"""The 2D warp: Deforum's matrices, its signs, and one resampling for any border and sampling."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import motion_matrix, warp_plane

REFERENCE = Path(__file__).parents[2] / "reference"
SIZES = [(60, 80), (45, 80), (80, 45)]
PARAMETERS = {
    "angle": st.floats(-90, 90),
    "zoom": st.floats(0.5, 2),
    "translation_x": st.floats(-50, 50),
    "translation_y": st.floats(-50, 50),
    "transform_center_x": st.floats(0, 1),
    "transform_center_y": st.floats(0, 1),
}


def texture(height, width, channels=3):
    return torch.rand((1, channels, height, width), generator=torch.Generator().manual_seed(height * width))


def smooth_texture(height, width):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([0.5 + 0.3 * torch.sin(x / 5 + c) * torch.cos(y / 7 - c) for c in range(3)])[None]


def spot(size, x, y):
    """A round spot whose centre of mass is at the pixel index (x, y)."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    return torch.from_numpy(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)).float()[None, None]


def centre(picture):
    total = picture.double().sum()
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in picture.shape), indexing="ij")
    return float((picture * columns).sum() / total), float((picture * rows).sum() / total)


def test_matrices_are_those_of_classic_deforum():
    cases = json.loads((REFERENCE / "warp2d_matrices.json").read_text())
    for case in cases:
        matrix = motion_matrix(case["width"], case["height"], **case["params"])
        assert matrix.dtype == np.float64
        np.testing.assert_allclose(matrix, case["matrix"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("motion", "sign"),
    [({"translation_x": 6}, (1, 0)), ({"translation_y": 5}, (0, 1)), ({"translation_x": -4}, (-1, 0))],
)
def test_translation_moves_the_picture_right_and_down(size, motion, sign):
    middle = (size[1] / 2, size[0] / 2)
    moved = warp_plane(spot(size, *middle), motion_matrix(size[1], size[0], **motion)).image
    offset = np.subtract(centre(moved[0, 0]), middle)
    assert offset == pytest.approx(np.multiply(sign, abs(next(iter(motion.values())))), abs=0.02)


@pytest.mark.parametrize("size", SIZES)
def test_positive_angle_turns_the_picture_counter_clockwise(size):
    height, width = size
    moved = warp_plane(spot(size, width / 2 + 12, height / 2), motion_matrix(width, height, angle=30)).image
    x, y = np.subtract(centre(moved[0, 0]), (width / 2, height / 2))
    assert math.degrees(math.atan2(-y, x)) == pytest.approx(30, abs=0.5)


@pytest.mark.parametrize("size", SIZES)
def test_zoom_over_one_goes_in_about_the_centre(size):
    height, width = size
    matrix = motion_matrix(width, height, zoom=1.5, transform_center_x=0.25, transform_center_y=0.75)
    warped = warp_plane(spot(size, width / 4 + 6, height * 0.75 - 4), matrix)
    offset = np.subtract(centre(warped.image[0, 0]), (width / 4, height * 0.75))
    assert offset == pytest.approx((9, -6), abs=0.1)
    assert torch.allclose(warped.magnification, torch.tensor(1.5**2))


@pytest.mark.parametrize("seed", range(6))
def test_bilinear_agrees_with_a_direct_evaluation(seed):
    """Against OpenCV's inner pixels at its own 1/32 pixel grid: same convention, finer positions."""
    random = np.random.default_rng(seed)
    height, width = 61, 83
    matrix = motion_matrix(width, height, *random.uniform([-20, 0.8, -9, -9, 0, 0], [20, 1.3, 9, 9, 1, 1]))
    image = smooth_texture(height, width)
    ours = warp_plane(image, matrix, sampling="bilinear")
    array = image[0].movedim(0, -1).contiguous().numpy()
    theirs = cv2.warpPerspective(
        array, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inner = ours.holes[0, 0].numpy() == 0
    assert np.abs(ours.image[0].movedim(0, -1).numpy() - theirs)[inner].max() < 0.004


@pytest.mark.parametrize("border", ["replicate", "wrap", "reflect", "zeros"])
@pytest.mark.parametrize("sampling", ["nearest", "bilinear", "bicubic"])
def test_a_shift_by_whole_pixels_is_exact_with_every_border(border, sampling):
    image = texture(37, 53)
    warped = warp_plane(image, motion_matrix(53, 37, translation_x=6, translation_y=-4), border, sampling)
    mode = {"replicate": "edge", "wrap": "wrap", "reflect": "symmetric", "zeros": "constant"}[border]
    wide = np.pad(image[0].numpy(), ((0, 0), (10, 10), (10, 10)), mode=mode)
    expected = wide[:, 14 : 14 + 37, 4 : 4 + 53]
    assert np.abs(warped.image[0].numpy() - expected).max() < 1e-4
    outside = np.zeros((37, 53))
    outside[:, :6] = 1
    outside[-4:] = 1
    if border in ("wrap", "reflect"):
        outside[:] = 0
    np.testing.assert_array_equal(warped.holes[0, 0].numpy(), outside)


@pytest.mark.parametrize("sampling", ["nearest", "bilinear", "bicubic"])
def test_wrap_has_no_seam(sampling):
    """A picture that repeats is the same wherever it is shifted to."""
    x = torch.arange(64) * (2 * math.pi / 64)
    image = (0.5 + 0.4 * torch.sin(x)[None, None, None, :] * torch.cos(2 * x)[None, None, :, None]).contiguous()
    moved = warp_plane(image, motion_matrix(64, 64, translation_x=100.25, translation_y=-70.5), "wrap", sampling).image
    shifted = 0.5 + 0.4 * torch.sin(x - 100.25 * 2 * math.pi / 64)[None, :] * torch.cos(
        2 * (x + 70.5 * 2 * math.pi / 64)[:, None]
    )
    assert float((moved[0, 0] - shifted).abs().max()) < {"nearest": 0.06, "bilinear": 0.01, "bicubic": 0.01}[sampling]


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries(PARAMETERS), st.fixed_dictionaries(PARAMETERS))
def test_composed_motion_takes_points_as_one_after_the_other(first, second):
    a, b = motion_matrix(320, 200, **first), motion_matrix(320, 200, **second)
    points = np.array([[0, 0, 1], [319, 0, 1], [100, 150, 1]], float).T
    np.testing.assert_allclose((b @ a) @ points, b @ (a @ points), atol=1e-8)
    assert np.linalg.det(a) == pytest.approx(first["zoom"] ** 2, rel=1e-9)


def test_one_resampling_of_the_composed_matrix_keeps_what_a_chain_loses():
    rough = texture(96, 128)
    step = motion_matrix(128, 96, angle=0.7, translation_x=0.3)
    total = np.linalg.matrix_power(step, 20)
    chained = rough
    for _ in range(20):
        chained = warp_plane(chained, step, "wrap", "bilinear").image
    once = warp_plane(rough, total, "wrap", "bilinear").image
    assert float(once.std()) > 1.8 * float(chained.std())


def test_a_projective_matrix_has_a_horizon():
    image = texture(40, 60)
    tilt = np.array([[1, 0, 0], [0, 1, 0], [0, 0.05, 0.2]])
    warped = warp_plane(image, np.linalg.inv(tilt))
    assert torch.isfinite(warped.image).all()
    beyond = np.linalg.inv(np.array([[1, 0, 0], [0, 1, 0], [0, 0.05, -0.5]]))
    holes = warp_plane(image, beyond, "wrap").holes[0, 0]
    assert (holes[:10] == 1).all()
    assert (holes[12:] == 0).all()


def test_bicubic_does_not_leave_the_range():
    image = (texture(40, 60) > 0.5).float()
    moved = warp_plane(image, motion_matrix(60, 40, angle=13)).image
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 500)])
@pytest.mark.parametrize("border", ["replicate", "wrap", "reflect", "zeros"])
def test_tiny_and_very_wide_pictures(size, border):
    matrix = motion_matrix(size[1], size[0], angle=7, zoom=1.1, translation_x=3)
    assert torch.isfinite(warp_plane(texture(*size), matrix, border).image).all()


def test_refusals():
    with pytest.raises(FramedriftError, match="zoom"):
        motion_matrix(10, 10, zoom=0)
    with pytest.raises(FramedriftError, match="zoom"):
        warp_plane(texture(4, 4), np.zeros((3, 3)))
    with pytest.raises(FramedriftError, match=r"border.*replicate"):
        warp_plane(texture(4, 4), np.eye(3), "mirror")
    with pytest.raises(FramedriftError, match=r"sampling.*bicubic"):
        warp_plane(texture(4, 4), np.eye(3), sampling="lanczos")
