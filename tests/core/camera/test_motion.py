"""Schedules to poses: signs, composition and exactness."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera2D, Camera3D, Track2D, Track3D, pose_delta, rotation_matrix
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import motion_matrix

STILL_3D = Camera3D(translation_z="0:(0)")
SIZE = (90, 160)
TRIPLE = st.tuples(*[st.floats(-60, 60)] * 3)


def track(camera, frames=12, size=SIZE, seed=3, fps=15.0):
    return camera.track(frames, fps, seed, size)


@pytest.mark.parametrize(
    ("turn", "axis", "goes_to"),
    [
        ((90, 0, 0), (0, 0, 1), (0, -1, 0)),
        ((0, 90, 0), (0, 0, 1), (1, 0, 0)),
        ((0, 0, 90), (1, 0, 0), (0, 1, 0)),
    ],
    ids=["x tilts forward up", "y yaws forward right", "z rolls right down: clockwise"],
)
def test_signs_of_rotation(turn, axis, goes_to):
    np.testing.assert_allclose(rotation_matrix(turn) @ axis, goes_to, atol=1e-12)


@pytest.mark.parametrize(
    ("move", "seen_at"),
    [((200, 0, 0), (-1, 0, 5)), ((0, 200, 0), (0, 1, 5)), ((0, 0, 200), (0, 0, 4))],
    ids=["right: goes left", "up: goes down", "forward: comes nearer"],
)
def test_signs_of_translation(move, seen_at):
    """Where a point five units ahead is after a move of 200 Deforum units, which are one scene unit."""
    np.testing.assert_allclose(pose_delta(move, (0, 0, 0)) @ (0, 0, 5, 1), (*seen_at, 1), atol=1e-12)


def test_an_orbit_keeps_its_subject_in_the_middle():
    depth = 4.0
    turn = math.atan(-30 / (200 * depth))
    point = pose_delta((30, 0, 0), (0, math.degrees(turn), 0)) @ (0, 0, depth / math.cos(turn), 1)
    assert point[0] == pytest.approx(0, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(TRIPLE, TRIPLE)
def test_a_delta_is_rigid(move, turn):
    delta = pose_delta(move, turn)
    np.testing.assert_allclose(delta[:3, :3] @ delta[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(delta) == pytest.approx(1)


def test_defaults_are_deforums():
    forward = track(Camera3D())
    assert forward.step(4, 5)[2, 3] == pytest.approx(-1.75 / 200)
    assert forward.fov_deg.tolist() == [70.0] * 12
    zoom = track(Camera2D()).values(7)
    assert zoom["zoom"] == pytest.approx(1.0025 + 0.002 * math.sin(1.25 * 3.14 * 7 / 30))
    assert {k: v for k, v in zoom.items() if k != "zoom"} == {
        "angle": 0,
        "translation_x": 0,
        "translation_y": 0,
        "transform_center_x": 0.5,
        "transform_center_y": 0.5,
    }


def test_views_are_the_product_of_the_deltas_from_frame_one_on():
    camera = Camera3D("0:(5), 6:(-3)", "0:(2*t)", "0:(1)", "0:(0.5)", "0:(sin(t))", "0:(1)", "0:(70), 11:(50)")
    found = track(camera)
    assert isinstance(found, Track3D)
    assert found.views.dtype == np.float64
    view = np.eye(4)
    np.testing.assert_array_equal(found.views[0], view)
    for frame in range(1, 12):
        value = found.values(frame)
        move = tuple(value[f"translation_{axis}"] for axis in "xyz")
        turn = tuple(value[f"rotation_3d_{axis}"] for axis in "xyz")
        view = pose_delta(move, turn) @ view
        np.testing.assert_allclose(found.views[frame], view, atol=1e-14)
    assert found.fov_deg[11] == 50


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 11), st.integers(0, 11), st.integers(0, 11))
def test_steps_compose_in_both_directions(i, j, k):
    cameras = (
        Camera3D("0:(5), 6:(-3)", "0:(2*t)", "0:(1)", "0:(0.5)", "0:(sin(t))", "0:(1)"),
        Camera2D("0:(2)", "0:(1.02)", "0:(3*cos(t))", "0:(-1)", "0:(0.3)", "0:(0.6)"),
    )
    for camera in cameras:
        found = track(camera)
        np.testing.assert_allclose(found.step(j, k) @ found.step(i, j), found.step(i, k), atol=1e-9)
        np.testing.assert_allclose(found.step(i, j) @ found.step(j, i), np.eye(len(found.step(i, j))), atol=1e-9)
        assert np.array_equal(found.step(i, i), np.eye(len(found.step(i, i))))


def test_one_step_in_the_plane_is_the_motion_matrix():
    found = track(Camera2D("0:(2)", "0:(1.02)", "0:(3)", "0:(-1)", "0:(0.3)", "0:(0.6)"))
    assert isinstance(found, Track2D)
    assert found.size == SIZE
    np.testing.assert_allclose(found.step(6, 7), motion_matrix(160, 90, 2, 1.02, 3, -1, 0.3, 0.6), atol=1e-10)


def test_a_long_zoom_keeps_its_steps_exact():
    """At frame 2000 the picture is 10^42 times as large as at first; its steps are still those of the schedule."""
    found = track(Camera2D("0:(1)", "0:(1.05)", "0:(2)", "0:(0.5*t)"), 2001)
    for frame in (300, 600, 1000, 2000):
        expected = motion_matrix(160, 90, 1, 1.05, 2, 0.5 * frame)
        np.testing.assert_array_equal(found.step(frame - 1, frame), expected)
        np.testing.assert_allclose(found.step(frame, frame - 1), np.linalg.inv(expected), atol=1e-12)
    np.testing.assert_allclose(found.step(990, 993) @ found.step(993, 990), np.eye(3), atol=1e-9)
    assert not found.at_rest(1999, 2000)
    assert track(Camera2D(0, "0:(1.05), 1500:(1.05), 1501:(1)", 0, 0), 2001).at_rest(1501, 2000)


def test_a_camera_at_rest_rests_exactly():
    for camera in (STILL_3D, Camera2D(zoom=1)):
        found = track(camera, 200)
        assert found.at_rest(0, 199)
        assert np.array_equal(found.step(0, 199), np.eye(len(found.step(0, 0))))
    pause = track(Camera3D(translation_z="0:(5), 4:(5), 5:(0)", rotation_3d_y="0:(1), 4:(1), 5:(0)"))
    assert not pause.at_rest(0, 6)
    assert pause.at_rest(5, 11)
    assert pause.at_rest(7, 7)
    lens = track(Camera3D(translation_z=0, fov="0:(70), 11:(60)"))
    assert not lens.at_rest(0, 1)
    assert np.array_equal(lens.step(0, 1), np.eye(4))


def test_schedules_are_sampled_once():
    class Counted:
        text, name, calls = "counted", "translation_x", 0

        def sample(self, num_frames, seed=0, fps=15.0):
            Counted.calls += 1
            assert (seed, fps) == (3, 15.0)
            return np.full(num_frames, 2.0)

    found = track(Camera3D(translation_x=Counted(), translation_z=0))
    found.step(3, 9)
    found.values(4)
    assert Counted.calls == 1
    assert found.step(0, 1)[0, 3] == -0.01


def test_texts_are_what_the_user_typed():
    texts = Camera3D(translation_z="0: (1.75), 30:( 2*t )").texts()
    assert texts["translation_z"] == "0: (1.75), 30:( 2*t )"
    assert set(texts) == {
        *(f"translation_{axis}" for axis in "xyz"),
        *(f"rotation_3d_{axis}" for axis in "xyz"),
        "fov",
        "aspect",
    }


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (lambda: Camera2D(zoom="0:(1), 10:(-0.25)"), "zoom.*frame 8"),
        (lambda: Camera3D(fov="0:(70), 10:(180)"), "fov.*frame 10"),
        (lambda: Camera3D(fov="0:(0)"), "fov.*frame 0"),
        (lambda: Camera3D(translation_x="0:(1"), "translation_x"),
    ],
)
def test_an_error_names_schedule_and_frame(camera, words):
    with pytest.raises(FramedriftError, match=words):
        track(camera())


def test_frames_outside_the_track():
    found = track(STILL_3D)
    for frames in ((0, 12), (-1, 0)):
        with pytest.raises(FramedriftError, match="12 frames"):
            found.step(*frames)
    with pytest.raises(FramedriftError, match="num_frames"):
        track(STILL_3D, 0)
