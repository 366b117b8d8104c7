"""Cameras that go round: closed without a seam, or repeated for ever."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera2D, Camera3D, Combined
from framedrift.nodes.core.camera.loop import Looped, closed, closed_plane, closed_values
from framedrift.nodes.core.camera.plane import log_plane
from framedrift.nodes.core.camera.pose import log_pose
from framedrift.nodes.core.errors import FramedriftError

SIZE = (90, 160)
ROUND = 48
STILL = Camera3D(translation_z=0)
PUSH = Camera3D()
EASED = Camera3D(translation_z="0:(6*sin(pi*t/max_f)**2)")
JERKY = Camera3D("0:(9*sin(7*t))", "0:(4*cos(11*t*t))", "0:(5+5*sin(3*t))", "0:(sin(5*t))", "0:(2*cos(t*t))", "0:(0.5)")
SPACE = {
    "push in": PUSH,
    "push in, pan and roll": Camera3D(0, 0, "0:(4)", 0, "0:(1)", "0:(0.7)"),
    "faster and faster": Camera3D("0:(0), 48:(8)", 0, "0:(t/6)", "0:(0), 48:(-1)", 0, 0),
    "eased": EASED,
    "late": Camera3D("0:(0), 40:(0), 44:(9), 48:(0)", 0, 0),
    "early": Camera3D("0:(0), 4:(9), 8:(0)", 0, 0),
    "jerky": JERKY,
    "nearly half a turn": Camera3D(0, 0, "0:(3)", 0, "0:(180/48)", 0),
    "over half a turn": Camera3D("0:(2)", 0, 0, 0, "0:(270/48)", 0),
    "several turns": Camera3D("0:(2)", 0, "0:(1)", "0:(1)", "0:(25)", "0:(9)"),
}
PLANE = {
    "zoom": Camera2D(),
    "zoom, turn and shift": Camera2D("0:(1)", "0:(1.04)", "0:(3)", "0:(-2)", "0:(0.3)"),
    "half a turn": Camera2D("0:(180/48)", 1, "0:(2)", 0),
    "faster and faster": Camera2D("0:(0), 48:(3)", "0:(1), 48:(1.03)", "0:(t/8)", 0),
    "jerky": Camera2D("0:(3*sin(7*t))", "0:(1.02+0.02*cos(5*t))", "0:(6*cos(t*t))", "0:(1)"),
    "perspective": Camera2D(
        "0:(0.5)",
        "0:(1.01)",
        perspective_flip_theta="0:(0.5)",
        perspective_flip_phi="0:(0.3)",
        perspective_flip=True,
    ),
}


def track(camera, frames=ROUND, size=SIZE):
    return camera.track(frames, 15.0, 3, size)


def speeds(found, length=ROUND):
    """The twist of every step of the loop, the one from its last frame to its first as the last, (P, ...)."""
    log = log_pose if hasattr(found, "views") else lambda step: log_plane(step).ravel()
    return np.array([log(found.step(frame, (frame + 1) % length)) for frame in range(length)])


def jolts(found, length=ROUND):
    """How much each step differs from the one before, (P,); the first and the last are those at the seam."""
    turning = speeds(found, length)
    # Pixels against shares, and radians against scene units: each number against its own largest.
    turning = turning / np.maximum(np.abs(turning).max(0), 1e-9)
    return np.linalg.norm(turning - np.roll(turning, 1, axis=0), axis=1)


@pytest.mark.parametrize("name", SPACE)
def test_a_closed_loop_comes_back_and_its_speed_has_no_step(name):
    base, found = track(SPACE[name], ROUND + 1), track(Looped(SPACE[name]))
    ended = closed(base.views)
    np.testing.assert_allclose(ended[-1], np.eye(4), atol=1e-12)
    np.testing.assert_allclose(found.views, ended[:-1], atol=1e-12)
    turns = ended[:, :3, :3]
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)
    change = jolts(found)
    assert max(change[0], change[1], change[-1]) <= change[2:-1].max() + 1e-9


@pytest.mark.parametrize("name", PLANE)
def test_so_it_is_in_the_plane(name):
    base, found = track(PLANE[name], ROUND + 1), track(Looped(PLANE[name]))
    ended = closed_plane(base.matrices, SIZE)
    np.testing.assert_allclose(ended[-1], np.eye(3), atol=1e-8)
    np.testing.assert_allclose(found.matrices, ended[:-1], atol=1e-8)
    change = jolts(found)
    assert max(change[0], change[1], change[-1]) <= change[2:-1].max() + 1e-9


@pytest.mark.parametrize("name", SPACE)
def test_it_goes_on_moving(name):
    """Taking a push-in's rest off evenly would leave nothing of it."""
    base, found = track(SPACE[name], ROUND + 1), track(Looped(SPACE[name]))
    way = sum(np.linalg.norm(log_pose(base.step(n, n + 1))) for n in range(ROUND))
    kept = np.linalg.norm(speeds(found), axis=1).sum()
    assert 0.6 * way < kept < 3 * way


def test_a_push_in_goes_out_and_comes_back():
    base, found = track(PUSH, ROUND + 1), track(Looped(PUSH))
    ahead, steady = found.poses()[:, 2, 3], base.poses()[:ROUND, 2, 3]
    np.testing.assert_allclose(ahead[: ROUND // 2 + 1], steady[: ROUND // 2 + 1], atol=1e-12)
    assert ahead.max() < 0.6 * steady[-1]
    assert ahead.min() > -0.06 * steady[-1]
    assert np.abs(np.diff(ahead)).max() < 2.8 * 1.75 / 200


def test_a_pan_takes_the_shorter_way():
    there_and_back, on_and_on = (
        np.unwrap([math.atan2(*pose[[0, 2], 2]) for pose in track(Looped(Camera3D(0, 0, 0, 0, pan))).poses()])
        for pan in ("0:(170/48)", "0:(270/48)")
    )
    assert math.degrees(there_and_back.max()) < 110
    assert abs(math.degrees(there_and_back[-1])) < 10
    assert 345 < math.degrees(on_and_on[-1]) < 360


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.tuples(*[st.floats(-9, 9)] * 6))
def test_any_steady_motion_closes(length, motion):
    ended = closed(track(Camera3D(*motion), length + 1).views)
    np.testing.assert_allclose(ended[-1], np.eye(4), atol=1e-9)
    assert len(track(Looped(Camera3D(*motion), length=length), 7)) == 7


def test_what_is_closed_stays_as_it_is():
    orbit = Camera3D("0:(6)", 0, 0, 0, "0:(-360/48)", 0)
    np.testing.assert_allclose(track(Looped(orbit)).views, track(orbit).views, atol=1e-12)
    rest = track(Looped(STILL), 100)
    assert rest.at_rest(0, 99)
    assert np.array_equal(rest.views[50], np.eye(4))
    assert track(Looped(Camera2D(zoom=1)), 100).at_rest(0, 99)


def test_lenses_close_too():
    camera = Camera3D(0, 0, "0:(2)", fov="0:(40), 48:(80)", aspect="0:(1), 48:(2)")
    found = track(Looped(camera, length=ROUND), ROUND + 2)
    assert found.fov_deg[ROUND] == pytest.approx(40)
    assert found.aspect[ROUND] == pytest.approx(1)
    assert 55 < found.fov_deg.max() < 80
    change = np.abs(np.diff(np.log(np.tan(np.radians(found.fov_deg) / 2)), 2))
    assert change[-2:].max() <= change[:-2].max() * 1.05
    steady = track(Looped(PUSH)).fov_deg
    assert (steady == 70).all()


def test_plain_numbers_close():
    values = closed_values(np.arange(21.0) ** 2, 0.5)
    assert values[-1] == pytest.approx(values[0])
    assert values[1] - values[0] == pytest.approx(values[-1] - values[-2], abs=5)


def test_a_loop_goes_round_and_round():
    found = track(Looped(JERKY, length=10), 35)
    for frame in range(25):
        np.testing.assert_array_equal(found.views[frame], found.views[frame + 10])
    assert track(Looped(JERKY, length=10), 4).at_rest(0, 0)
    np.testing.assert_array_equal(track(Looped(JERKY, length=10), 4).views, found.views[:4])
    one = track(Looped(JERKY, length=1), 5)
    assert one.at_rest(0, 4)
    assert len(track(Looped(JERKY), 1)) == 1


@pytest.mark.parametrize("base", [JERKY, PLANE["zoom, turn and shift"], Combined(EASED, JERKY)])
def test_a_periodic_motion_is_repeated_from_wherever_it_is(base):
    alone, found = track(base, 11), track(Looped(base, "periodic", 10), 45)
    for frame in range(1, 45):
        place = (frame - 1) % 10 + 1
        np.testing.assert_allclose(found.step(frame - 1, frame), alone.step(place - 1, place), atol=1e-9)
    poses, first = (getattr(found, "views", None), getattr(alone, "views", None))
    if poses is not None:
        np.testing.assert_array_equal(poses[:11], first)


def test_periodic_lenses_and_rests_repeat():
    base = Camera3D("0:(3), 4:(3), 5:(0)", 0, 0, rotation_3d_z="0:(7), 4:(7), 5:(0)", fov="0:(50), 5:(60), 10:(50)")
    found = track(Looped(base, "periodic", 10), 45)
    assert found.fov_deg[[0, 5, 10, 15, 20, 25]].tolist() == [50, 60, 50, 60, 50, 60]
    assert np.array_equal(found.step(25, 30), np.eye(4))
    assert not np.array_equal(found.step(30, 31), np.eye(4))


def test_journals_say_what_moves():
    found = track(Looped(PUSH))
    assert found.values(3)["translation_z"] == pytest.approx(1.75)
    assert found.values(ROUND - 8)["translation_z"] < 0
    flat = track(Looped(Camera2D("0:(2)", 1)))
    assert flat.values(3) == pytest.approx({"angle": 2, "zoom": 1, "translation_x": 0, "translation_y": 0}, abs=1e-9)


def test_what_is_no_loop():
    with pytest.raises(FramedriftError, match="mode: 'open'"):
        Looped(PUSH, "open")
    with pytest.raises(FramedriftError, match="length: -1"):
        Looped(PUSH, length=-1)
    with pytest.raises(FramedriftError, match="say how many frames a round has"):
        Looped(PUSH, "periodic")
    with pytest.raises(FramedriftError, match="num_frames: 0"):
        track(Looped(PUSH, length=5), 0)
    with pytest.raises(FramedriftError, match=r"by frame \d+ the 2D motion has gone so far"):
        track(Looped(Camera2D(zoom=0.5), length=500))
    assert track(Looped(Camera2D(zoom=1.05), "periodic", 500), 1600).values(1599)["zoom"] == pytest.approx(1.05)
    tipped = Camera2D(0, 1, perspective_flip_phi="0:(100)", perspective_flip=True)
    with pytest.raises(FramedriftError, match="plane over"):
        track(Looped(tipped, length=2), 4)
    assert Looped(PUSH, "periodic", 9).texts() == {"loop": "periodic", "length": 9, "base": PUSH.texts()}
