"""Cameras put together: riding, step by step, one after the other."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera2D, Camera3D, Combined, on_top, pose_delta
from framedrift.nodes.core.camera.plane import exp_plane, is_similarity, log_plane, plane_curves
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp.affine import motion_matrix, perspective_flip

SIZE = (90, 160)
FRAMES = 14
STILL = Camera3D(translation_z=0)
WANDER = Camera3D("0:(5), 6:(-3)", "0:(2*t)", "0:(4)", "0:(0.5)", "0:(3*sin(t))", "0:(1)", "0:(70), 13:(50)")
TURN = Camera3D(translation_z=0, rotation_3d_y="0:(5)", fov="0:(40), 13:(60)", aspect="0:(2), 13:(3)")
FLAT = Camera2D("0:(3)", "0:(1.02)", "0:(4)", "0:(-t)", "0:(0.3)", "0:(0.6)")
SPIN = Camera2D("0:(-7)", 1, 0, 0)
WANDER_EVER = Camera3D("0:(5)", "0:(2*t)", "0:(4)", "0:(0.5)", "0:(3*sin(t))", "0:(1)")
TURN_EVER = Camera3D(translation_z=0, rotation_3d_y="0:(5)")


def track(camera, frames=FRAMES):
    return camera.track(frames, 15.0, 3, SIZE)


def spread(fov_deg):
    return np.tan(np.radians(fov_deg) / 2)


def test_the_second_rides_on_the_first():
    """A pan on a dolly looks aside while the dolly goes on straight ahead."""
    dolly, pan = Camera3D(translation_z="0:(20)"), Camera3D(translation_z=0, rotation_3d_y="0:(9)")
    found = track(Combined(dolly, pan))
    place = found.poses()[10]
    np.testing.assert_allclose(place[:3, 3], (0, 0, 10 * 20 / 200), atol=1e-12)
    np.testing.assert_allclose(place[:3, :3] @ (0, 0, 1), (1, 0, 0), atol=1e-12)
    # The other way round the dolly is steered by the pan.
    steered = track(Combined(pan, dolly)).poses()[10]
    assert steered[0, 3] == pytest.approx(1.0)


def test_steps_are_added_as_schedules_are():
    dolly, pan = Camera3D(translation_z="0:(20)"), Camera3D(translation_z=0, rotation_3d_y="0:(9)")
    both = track(Camera3D(translation_z="0:(20)", rotation_3d_y="0:(9)"))
    # A Deforum delta turns first and moves along the turned axes.
    np.testing.assert_allclose(track(Combined(pan, dolly, "steps")).views, both.views, atol=1e-12)
    moves = track(Combined(Camera3D(3, -2, 0), Camera3D(0, 5, 7), "steps"))
    np.testing.assert_allclose(moves.views, track(Camera3D(3, 3, 7)).views, atol=1e-12)
    flat = track(Combined(Camera2D(0, 1, 5, 0), Camera2D(0, 1, 0, -3), "steps"))
    np.testing.assert_allclose(flat.matrices, track(Camera2D(0, 1, 5, -3)).matrices, atol=1e-9)


@pytest.mark.parametrize("cameras", [(WANDER, TURN), (FLAT, SPIN)])
def test_then_goes_on_from_there(cameras):
    first, second = cameras
    found, before, after = track(Combined(first, second, "then", 5)), track(first), track(second, FRAMES - 5)
    for frame in range(5):
        np.testing.assert_allclose(found.step(frame, frame + 1), before.step(frame, frame + 1), atol=1e-10)
    for frame in range(8):
        np.testing.assert_allclose(found.step(frame + 5, frame + 6), after.step(frame, frame + 1), atol=1e-10)


@pytest.mark.parametrize("at", [FRAMES - 1, FRAMES, 10_000])
def test_an_animation_that_ends_before_has_the_first_camera_only(at):
    found, alone = track(Combined(WANDER, TURN, "then", at)), track(WANDER)
    np.testing.assert_array_equal(found.views, alone.views)
    np.testing.assert_array_equal(found.fov_deg, alone.fov_deg)
    np.testing.assert_array_equal(found.aspect, alone.aspect)


def test_focal_lengths_and_aspects_are_multiplied():
    base, top = track(WANDER), track(TURN)
    for mode in ("ride", "steps"):
        found = track(Combined(WANDER, TURN, mode))
        expected = spread(base.fov_deg) * spread(top.fov_deg) / spread(40)
        np.testing.assert_allclose(spread(found.fov_deg), expected, rtol=1e-12)
        np.testing.assert_allclose(found.aspect, top.aspect / 2, rtol=1e-12)
    later = track(Combined(WANDER, TURN, "then", 5))
    np.testing.assert_array_equal(later.fov_deg[:6], base.fov_deg[:6])
    after = track(TURN, FRAMES - 5)
    np.testing.assert_allclose(spread(later.fov_deg[5:]), spread(base.fov_deg[5]) * spread(after.fov_deg) / spread(40))
    np.testing.assert_allclose(later.aspect[5:], after.aspect / 2)
    assert np.array_equal(track(Combined(WANDER, STILL)).fov_deg, base.fov_deg)


def test_a_lens_beyond_180_degrees_is_none():
    wide = Camera3D(translation_z=0, fov="0:(1), 13:(179.9999999)")
    with pytest.raises(FramedriftError, match="fov: frame 13"):
        track(Combined(Camera3D(fov="0:(179.99999)"), wide))


@pytest.mark.parametrize("mode", ["ride", "steps", "then"])
def test_rest_is_exact(mode):
    """Both pause together from frame 6 on, at a pose whose inverse has rounding."""
    pause = ", 5:(1), 6:(0)"
    base = Camera3D("0:(1)" + pause, "0:(3)" + pause, "0:(2)" + pause, rotation_3d_x="0:(1)" + pause)
    top = Camera3D(0, 0, 0, rotation_3d_z="0:(7)" + pause, rotation_3d_y="0:(1)" + pause)
    found = track(Combined(base, top, mode, 2), 20)
    assert not found.at_rest(4, 5)
    assert found.at_rest(9, 19)
    flat = Camera2D("0:(7)" + pause, "0:(1.1), 5:(1.1), 6:(1)", "0:(3)" + pause, 0)
    assert track(Combined(flat, flat, mode, 2), 20).at_rest(9, 19)
    rest = track(Combined(STILL, STILL, mode, 3), 200)
    assert rest.at_rest(0, 199)
    assert np.array_equal(rest.views[199], np.eye(4))
    two = track(Combined(Camera2D(zoom=1), Camera2D(zoom=1), mode, 3), 200)
    assert two.at_rest(0, 199)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["ride", "steps", "then"]), st.integers(1, 12), st.integers(2, 20), st.integers(1, 20))
def test_a_longer_animation_starts_the_same(mode, at, frames, more):
    short, long = (track(Combined(WANDER_EVER, TURN_EVER, mode, at), count) for count in (frames, frames + more))
    np.testing.assert_array_equal(short.views, long.views[:frames])
    short, long = (track(Combined(FLAT, SPIN, mode, at), count) for count in (frames, frames + more))
    np.testing.assert_array_equal(short.matrices, long.matrices[:frames])


@pytest.mark.parametrize("mode", ["ride", "steps", "then"])
def test_journals_say_what_moves(mode):
    found = track(Combined(WANDER, TURN, mode, 4))
    for frame in range(1, FRAMES):
        value = found.values(frame)
        delta = pose_delta(
            tuple(value[f"translation_{axis}"] for axis in "xyz"),
            tuple(value[f"rotation_3d_{axis}"] for axis in "xyz"),
        )
        np.testing.assert_allclose(delta, found.step(frame - 1, frame), atol=1e-10)
        assert value["fov"] == found.fov_deg[frame]
    flat = track(Combined(FLAT, SPIN, mode, 4))
    for frame in range(1, FRAMES):
        delta = motion_matrix(160, 90, **flat.values(frame))
        np.testing.assert_allclose(delta, flat.step(frame - 1, frame), atol=1e-8)
    assert flat.values(0) == {"angle": 0, "zoom": 1, "translation_x": 0, "translation_y": 0}


@pytest.mark.parametrize("mode", ["ride", "steps", "then"])
def test_steps_stay_exact_however_long_a_zoom_goes_on(mode):
    """A thousand frames of zoom 1.05 make the picture 10^21 times as large: no quotient of such matrices is of use."""
    zoom = Camera2D(0, 1.05, 0, 0)
    found = track(Combined(zoom, Camera2D(0, 1, "0:(3*cos(t))", 0), mode, 500), 2000)
    expected = motion_matrix(160, 90, 0, 1 if mode == "then" else 1.05)
    for frame in (400, 1200, 1999) if mode != "then" else (1200, 1999):
        step = found.step(frame - 1, frame)
        np.testing.assert_allclose(step[:2, :2], expected[:2, :2], atol=1e-12)
        assert np.abs(step[:, 2] - expected[:, 2]).max() < 10
        np.testing.assert_allclose(found.step(frame, frame - 1) @ step, np.eye(3), atol=1e-10)
        assert found.values(frame)["zoom"] == pytest.approx(expected[0, 0])


def test_curves_of_a_perspective_flip_are_what_the_middle_does():
    flip = perspective_flip(160, 90, 5, 20, -10)
    step = motion_matrix(160, 90, 4, 1.1, 3, -2) @ flip
    curves = plane_curves(np.stack([np.eye(3), step]), SIZE)
    near = motion_matrix(160, 90, **{name: float(curve[1]) for name, curve in curves.items()})
    for matrix in (near, step):
        lands = matrix @ (80, 45, 1)
        assert lands[:2] / lands[2] == pytest.approx((near @ (80, 45, 1))[:2], abs=1e-9)


def test_texts_say_everything():
    combined = Combined(WANDER, Combined(FLAT, SPIN), "then", 7)
    texts = combined.texts()
    assert texts["combined"] == "then"
    assert texts["at"] == 7
    assert texts["base"] == WANDER.texts()
    assert texts["top"] == {"combined": "ride", "base": FLAT.texts(), "top": SPIN.texts()}
    assert on_top(None, FLAT) is FLAT
    assert on_top(FLAT, SPIN) == Combined(FLAT, SPIN)


def test_what_cannot_be_combined():
    with pytest.raises(FramedriftError, match=r"first is a 2D Camera, the second one that moves in space.*3D Camera"):
        track(Combined(FLAT, WANDER))
    with pytest.raises(FramedriftError, match="first is one that moves in space, the second a 2D Camera"):
        track(Combined(WANDER, FLAT, "then", 3))
    for zoom in (0.5, 2.0):
        with pytest.raises(FramedriftError, match=r"camera: by frame \d+ the 2D motion has gone so far"):
            track(Combined(SPIN, Camera2D(zoom=zoom)), 500)
    with pytest.raises(FramedriftError, match="mode: 'on'"):
        Combined(WANDER, TURN, "on")
    with pytest.raises(FramedriftError, match="at: 0"):
        Combined(WANDER, TURN, "then", 0)


@settings(max_examples=60, deadline=None)
@given(st.floats(-180, 180), st.floats(-2, 2), st.floats(-300, 300), st.floats(-300, 300))
def test_a_similarity_has_a_logarithm(angle, log_zoom, x, y):
    matrix = motion_matrix(160, 90, angle, math.exp(log_zoom), x, y)
    logarithm = log_plane(matrix)
    np.testing.assert_allclose(exp_plane(logarithm), matrix, atol=1e-9)
    half = exp_plane(logarithm / 2)
    np.testing.assert_allclose(half @ half, matrix, atol=1e-9)
    assert is_similarity(half) or abs(angle) == 180


@settings(max_examples=60, deadline=None)
@given(*[st.floats(-50, 50)] * 3, st.floats(-60, 60), st.floats(-1, 1))
@example(0.0, 0.0, 0.0, 0.0, 1.0)  # a plain zoom
def test_a_perspective_has_a_logarithm(theta, phi, gamma, angle, log_zoom):
    shape = np.array([[1 / 90, 0, -80 / 90], [0, 1 / 90, -0.5], [0, 0, 1]])
    matrix = perspective_flip(160, 90, theta, phi, gamma) @ motion_matrix(160, 90, angle, math.exp(log_zoom))
    matrix = shape @ matrix @ np.linalg.inv(shape)
    try:
        half = exp_plane(log_plane(matrix) / 2)
    except FramedriftError:
        values = np.linalg.eigvals(matrix / np.cbrt(np.linalg.det(matrix)))
        assert ((values.real < 0) & (abs(values.imag) < 1e-6)).any()
        return
    whole = half @ half  # known but for a factor
    whole = whole * np.cbrt(np.linalg.det(matrix) / np.linalg.det(whole))
    np.testing.assert_allclose(whole, matrix, atol=1e-9 * np.abs(matrix).max() + 1e-10)


def test_the_plane_at_rest_and_turned_over():
    assert not log_plane(np.eye(3)).any()
    assert np.array_equal(exp_plane(np.zeros((3, 3))), np.eye(3))
    with pytest.raises(FramedriftError, match="plane over"):
        log_plane(np.diag([1.0, -1.0, 1.0]))
