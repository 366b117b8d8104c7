"""Every sign of the design's table, seen in a picture: where a spot goes when a camera moves."""

import math

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D, intrinsics
from framedrift.nodes.core.warp import WarpSettings, motion_matrix, warp

SIZES = {"4:3": (90, 120), "16:9": (72, 128), "9:16": (128, 72)}
DISTANCE = 4.0
# Left of the middle and above it: what goes away from the middle goes left and up.
SPOT = (0.33, 0.36)
LEFT, RIGHT, UP, DOWN, SAME = -1, 1, -1, 1, 0
# One frame's motion, and where the spot goes: across, down.
SPACE = {
    "translation_x right": ({"translation_x": 40}, (LEFT, SAME)),
    "translation_x left": ({"translation_x": -40}, (RIGHT, SAME)),
    "translation_y up": ({"translation_y": 40}, (SAME, DOWN)),
    "translation_y down": ({"translation_y": -40}, (SAME, UP)),
    "translation_z forward": ({"translation_z": 120}, (LEFT, UP)),
    "translation_z back": ({"translation_z": -120}, (RIGHT, DOWN)),
    "rotation_3d_x tilts up": ({"rotation_3d_x": 3}, (SAME, DOWN)),
    "rotation_3d_x tilts down": ({"rotation_3d_x": -3}, (SAME, UP)),
    "rotation_3d_y yaws right": ({"rotation_3d_y": 3}, (LEFT, SAME)),
    "rotation_3d_y yaws left": ({"rotation_3d_y": -3}, (RIGHT, SAME)),
    "rotation_3d_z rolls clockwise": ({"rotation_3d_z": 5}, (LEFT, DOWN)),
    "rotation_3d_z rolls back": ({"rotation_3d_z": -5}, (RIGHT, UP)),
}
LENS = {
    "fov wider": ({"fov": "0:(60), 1:(70)"}, (RIGHT, DOWN)),
    "fov narrower": ({"fov": "0:(60), 1:(50)"}, (LEFT, UP)),
    "dolly zoom": ({"fov": "0:(60), 1:(75)", "translation_z": 80}, (RIGHT, DOWN)),
}
PLANE = {
    "angle counter-clockwise": ({"angle": 5}, (LEFT, DOWN)),
    "angle clockwise": ({"angle": -5}, (RIGHT, UP)),
    "zoom in": ({"zoom": 1.2}, (LEFT, UP)),
    "zoom out": ({"zoom": 0.8}, (RIGHT, DOWN)),
    "translation_x right": ({"translation_x": 4}, (RIGHT, SAME)),
    "translation_x left": ({"translation_x": -4}, (LEFT, SAME)),
    "translation_y down": ({"translation_y": 4}, (SAME, DOWN)),
    "translation_y up": ({"translation_y": -4}, (SAME, UP)),
    "centre left": ({"zoom": 1.2, "transform_center_x": 0}, (RIGHT, UP)),
    "centre right": ({"zoom": 1.2, "transform_center_x": 1}, (LEFT, UP)),
    "centre at the top": ({"zoom": 1.2, "transform_center_y": 0}, (LEFT, DOWN)),
    "centre at the bottom": ({"zoom": 1.2, "transform_center_y": 1}, (LEFT, UP)),
    "turned about the left edge": ({"angle": 5, "transform_center_x": 0, "transform_center_y": 0.36}, (SAME, UP)),
}
every_size = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)


def spot(size, share=SPOT):
    """A round white spot on black, and its pixel."""
    x, y = round(share[0] * size[1]), round(share[1] * size[0])
    row, column = torch.arange(size[0])[:, None], torch.arange(size[1])
    light = torch.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 2.0**2))
    return light[None, None].expand(1, 3, -1, -1), np.array([x, y])


def centre(image):
    weight = image[0, 0].double()
    weight = torch.where(weight > 0.05, weight, 0.0)
    x = (weight.sum(0) * torch.arange(weight.shape[1])).sum() / weight.sum()
    y = (weight.sum(1) * torch.arange(weight.shape[0])).sum() / weight.sum()
    return np.array([float(x), float(y)])


def moved(camera, size, projection="pinhole", share=SPOT):
    """Where the spot is before and after the first step, in pixels."""
    image, place = spot(size, share)
    track = camera.track(2, 15.0, 0, size)
    settings = WarpSettings(projection, near=DISTANCE, border="zeros")
    found = centre(warp(image, track, 0, 1, settings=settings).image)
    np.testing.assert_allclose(centre(image), place, atol=0.01)
    return place, found, track


def still(**schedules):
    return Camera3D(**({"translation_z": 0} | schedules))


def check_directions(way, directions):
    for part, direction in zip(way, directions, strict=True):
        if direction == SAME:
            assert abs(part) < 0.4 * np.abs(way).max()
        else:
            assert part * direction > 0.25


@every_size
@pytest.mark.parametrize(("motion", "directions"), [*SPACE.values(), *LENS.values()], ids=[*SPACE, *LENS])
def test_pinhole_goes_where_the_table_says_and_as_far_as_the_lens_says(motion, directions, size):
    camera = still(**({"fov": "0:(60)"} | motion))
    place, found, track = moved(camera, size)
    check_directions(found - place, directions)
    start, end = (intrinsics(fov, size) for fov in track.fov_deg)
    point = DISTANCE * np.linalg.inv(start) @ (*(place + 0.5), 1)
    x, y, w = end @ (track.step(0, 1) @ (*point, 1))[:3]
    np.testing.assert_allclose(found, (x / w - 0.5, y / w - 0.5), atol=0.12)


@every_size
@pytest.mark.parametrize(("motion", "directions"), SPACE.values(), ids=SPACE)
def test_deforum_goes_the_same_ways(motion, directions, size):
    # There a flat scene is one unit away.
    nearer = {name: value / DISTANCE if name.startswith("translation") else value for name, value in motion.items()}
    place, found, _ = moved(still(**nearer), size, "deforum")
    check_directions(found - place, directions)


@every_size
def test_deforums_lens_and_aspect_say_how_far(size):
    """There a lens says how much a motion moves, and alone moves nothing; the aspect divides what goes sideways."""
    place, plain, _ = moved(still(translation_x=10, translation_y=10), size, "deforum")
    _, longer, _ = moved(still(translation_x=10, translation_y=10, fov=50), size, "deforum")
    _, wider, _ = moved(still(translation_x=10, translation_y=10, aspect=2), size, "deforum")
    assert (np.abs(longer - place) > 1.3 * np.abs(plain - place)).all()
    assert wider[0] - place[0] == pytest.approx((plain[0] - place[0]) / 2, abs=0.1)
    assert wider[1] == pytest.approx(plain[1], abs=0.05)
    _, alone, _ = moved(still(fov="0:(60), 1:(70)"), size, "deforum")
    np.testing.assert_allclose(alone, place, atol=0.01)


@every_size
@pytest.mark.parametrize(("motion", "directions"), PLANE.values(), ids=PLANE)
def test_the_plane_goes_where_the_table_says(motion, directions, size):
    place, found, _ = moved(Camera2D(**({"zoom": 1} | motion)), size)
    check_directions(found - place, directions)
    expected = motion_matrix(size[1], size[0], **motion) @ (*place, 1)
    np.testing.assert_allclose(found, expected[:2], atol=0.05)


@every_size
@pytest.mark.parametrize("sideways", [-60, 60])
@pytest.mark.parametrize(("projection", "distance"), [("pinhole", DISTANCE), ("deforum", 1.0)])
def test_a_subject_stays_in_the_middle_where_the_yaw_undoes_the_truck(sideways, projection, distance, size):
    """tan(ry) = -tx / (200 z). A flat scene is one unit away in the deforum projection."""
    sideways *= distance / DISTANCE
    yaw = math.degrees(math.atan(-sideways / (200 * distance)))
    middle = (0.5, 0.5)
    for angle, drift in ((0, "away"), (yaw, "stays"), (-yaw, "farther")):
        place, found, _ = moved(still(translation_x=sideways, rotation_3d_y=angle), size, projection, middle)
        gone = abs(found[0] - place[0])
        assert gone < 0.35 if drift == "stays" else gone > 2, drift
