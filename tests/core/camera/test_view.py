"""The picture of a camera's path: where things lie in it, and that no camera is too odd for it."""

import math

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D, Track2D, Track3D
from framedrift.nodes.core.camera.view import plot_notice, plot_path

START, END = (92, 158, 230), (217, 164, 65)
SHAPE = (1, 3, 288, 480)
ABOVE, SIDE = slice(0, 238), slice(242, 480)


def space(num_frames=120, **schedules):
    return Camera3D(**{"translation_z": "0:(0)", **schedules}).track(num_frames, 15.0, 0, (90, 160))


def plane(num_frames=120, **schedules):
    return Camera2D(**{"zoom": "0:(1)", **schedules}).track(num_frames, 15.0, 0, (90, 160))


def pixels(picture, color, columns=slice(0, 480), rows=slice(28, 258)):
    """(n, 2) as x, y of the pixels of a colour, within a part of the picture."""
    near = (picture[0].movedim(0, -1) - torch.tensor(color) / 255).abs().amax(-1) < 0.12
    inside = torch.zeros_like(near)
    inside[rows, columns] = near[rows, columns]
    return inside.nonzero().flip(1).double().numpy()


def dot(picture, color, columns=slice(0, 480)):
    """Where the disc of a colour lies: the pixel with most of the colour about it."""
    places = pixels(picture, color, columns)
    near = [(np.abs(places - place).max(1) <= 4).sum() for place in places]
    return places[np.array(near) >= max(near) - 3].mean(0)


@pytest.mark.parametrize(
    ("schedules", "above", "side"),
    [
        ({"translation_x": "0:(2)"}, (1, 0), (0, 0)),
        ({"translation_y": "0:(2)"}, (0, 0), (0, -1)),
        ({"translation_z": "0:(2)"}, (0, -1), (1, 0)),
        ({"translation_x": "0:(-2)", "translation_z": "0:(-2)"}, (-1, 1), (-1, 0)),
    ],
    ids=["right", "up", "forward", "back and left"],
)
def test_the_end_lies_where_the_camera_has_gone(schedules, above, side):
    picture = plot_path(space(**schedules))
    assert picture.shape == SHAPE and picture.dtype == torch.float32
    for panel, direction in ((ABOVE, above), (SIDE, side)):
        if direction == (0, 0):
            continue
        run = dot(picture, END, panel) - dot(picture, START, panel)
        assert np.linalg.norm(run) > 60
        assert np.abs(run / np.abs(run).max() - direction).max() < 0.06


def test_both_panels_have_one_scale():
    picture = plot_path(space(translation_x="0:(1)", translation_z="0:(2)"))
    above = dot(picture, END, ABOVE) - dot(picture, START, ABOVE)
    side = dot(picture, END, SIDE) - dot(picture, START, SIDE)
    assert abs(-above[1] - side[0]) < 3
    assert abs(above[0] / -above[1] - 0.5) < 0.04


def test_the_frustum_opens_where_the_camera_looks_and_as_wide_as_its_lens():
    """Of a camera that stands still, the pyramid's far corners lie at the lens's half angle about its axis."""
    for fov in (20, 70, 120):
        places = pixels(plot_path(space(fov=f"0:({fov})")), START, SIDE)
        apex = np.array([361, 143])
        ends = places[places[:, 0] > places[:, 0].max() - 1.5] - apex
        half = math.atan2(np.abs(ends[:, 1]).max(), ends[:, 0].mean())
        assert abs(math.degrees(half) - fov / 2) < 4
    above = pixels(plot_path(space(rotation_3d_y="0:(0), 119:(0)")), START, ABOVE)
    assert above[:, 1].min() < 143 - 45 and above[:, 1].max() < 143 + 8


def test_a_camera_that_turns_is_a_fan_and_one_at_rest_a_single_frustum():
    still, fan = plot_path(space()), plot_path(space(rotation_3d_y="0:(1)"))
    assert len(pixels(still, END, rows=slice(28, 258))) == 0
    # It has yawed to the right, and the last frustum is the yellow one.
    assert pixels(fan, END, ABOVE)[:, 0].mean() > pixels(fan, START, ABOVE)[:, 0].mean() + 10
    assert not torch.equal(still, fan)
    assert torch.equal(still, plot_path(space(fov="0:(70)")))
    assert not torch.equal(still, plot_path(space(fov="0:(70), 119:(30)")))


def test_the_window_on_the_first_picture_is_the_inverse_of_the_motion():
    """Zoomed in twice, the frame's window is half as wide; shifted right, the window goes left."""
    picture = plot_path(plane(3, zoom=str(math.sqrt(2))))
    first, last = pixels(picture, START), pixels(picture, END)
    assert np.ptp(last, 0) == pytest.approx(np.ptp(first, 0) / 2, abs=4)
    shifted = plot_path(plane(11, translation_x="4", translation_y="-2"))
    run = dot(shifted, END) - dot(shifted, START)
    assert run[0] < -20 and run[1] / run[0] == pytest.approx(-0.5, abs=0.08)


def test_lines_end_at_the_horizon():
    """A plane turned so far that part of the frame looks over its edge: what is drawn stays before the horizon."""
    picture = plot_path(plane(60, perspective_flip=True, perspective_flip_phi="0:(1.3)"))
    assert torch.isfinite(picture).all() and len(pixels(picture, START))


def far(distance):
    views = np.tile(np.eye(4), (5, 1, 1))
    views[1:, 2, 3] = [distance / 4, distance / 2, distance, distance]
    return Track3D(views, np.full(5, 60.0))


ODD = {
    "one frame": space(1),
    "one frame in the plane": plane(1),
    "two frames": space(2, translation_x="0:(1)"),
    "1e300 away": far(1e300),
    "1e90 away": far(1e90),
    "1e-5 away": far(1e-5),
    "1e-9 away": far(1e-9),
    "infinitely far": far(math.inf),
    "nowhere": Track3D(np.full((3, 4, 4), np.nan), np.full(3, 60.0)),
    "widest lens": space(30, fov="0:(179.999)", translation_z="0:(5)"),
    "longest lens": space(30, fov="0:(0.001)", translation_z="0:(5)"),
    "endless zoom in": plane(600, zoom="0:(1.2)"),
    "endless zoom out": plane(600, zoom="0:(0.8)", translation_x="0:(1e6)"),
    "no way back": Track2D(np.stack([np.eye(3), np.zeros((3, 3)), np.full((3, 3), np.inf)]), (3, 5000)),
    "to a point": Track2D(np.stack([np.eye(3), np.diag([1e-200, 1e-200, 1.0])]), (1, 1)),
    "horizon": Track2D(np.stack([np.eye(3), np.array([[1, 0, 0], [0, 1, 0], [0, -1, 40.0]])]), (90, 160)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("track", ODD.values(), ids=ODD)
def test_any_camera_can_be_shown(track):
    picture = plot_path(track, 23.976, "assumed")
    assert picture.shape == SHAPE
    assert picture.min() >= 0 and picture.max() <= 1 and picture.std() > 0.01


def test_a_hundred_thousand_frames_are_drawn_as_their_outline():
    turn = np.linspace(0, 2 * math.pi, 100_000)
    views = np.tile(np.eye(4), (100_000, 1, 1))
    views[:, 0, 3], views[:, 2, 3] = np.sin(turn), 1 - np.cos(turn)
    picture = plot_path(Track3D(views, np.full(100_000, 60.0)))
    assert np.linalg.norm(dot(picture, START, ABOVE) - dot(picture, END, ABOVE)) < 14


@pytest.mark.parametrize("text", ["", "short", "many words " * 60, "x" * 500])
def test_a_notice_of_any_length(text):
    assert plot_notice(text).shape == SHAPE
