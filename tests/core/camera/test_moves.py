"""Named moves: which way they go, what they keep in its place, when they begin, repeat and end."""

import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera3D, on_top
from framedrift.nodes.core.camera.lens import intrinsics
from framedrift.nodes.core.camera.moves import EASINGS, KINDS, PERS, REPEATS, TURNING, Move, move_pose, progress
from framedrift.nodes.core.errors import FramedriftError

SIZE = (90, 160)
SUBJECT = np.array([0.0, 0.0, 2.0, 1.0])


def track(move, frames=41, fps=20.0):
    return move.track(frames, fps, 0, SIZE)


def seen(path, frame, point):
    """Where a point of the first camera's world is in a frame's picture, in pixels."""
    camera = path.step(0, frame) @ point
    image = intrinsics(path.fov_deg[frame], SIZE) @ camera[:3]
    return image[:2] / image[2]


def shift(kind, amount, point=(0.0, 0.0, 3.0, 1.0)):
    path = track(Move(kind, amount, distance=2.0))
    return seen(path, 40, point) - seen(path, 0, point)


# In pixels, of the lens of 70 degrees.
FOCAL = 45 / math.tan(math.radians(35))


@pytest.mark.parametrize(
    ("kind", "amount", "point", "expected"),
    [
        # The picture goes the other way than the camera; pixels go right and down.
        ("truck", 100, (0.0, 0.0, 3.0, 1.0), (-0.5 / 3, 0)),
        ("pedestal", 100, (0.0, 0.0, 3.0, 1.0), (0, 0.5 / 3)),
        ("push in", 100, (0.3, -0.6, 3.0, 1.0), (0.3 / 2.5 - 0.3 / 3, -0.6 / 2.5 + 0.6 / 3)),
        ("pull back", 100, (0.3, -0.6, 3.0, 1.0), (0.3 / 3.5 - 0.3 / 3, -0.6 / 3.5 + 0.6 / 3)),
        ("pan", 10, (0.0, 0.0, 3.0, 1.0), (-math.tan(math.radians(10)), 0)),
        ("tilt", 10, (0.0, 0.0, 3.0, 1.0), (0, math.tan(math.radians(10)))),
        # A point on the right goes up: the picture turns counter-clockwise.
        ("roll", 90, (0.3, 0.0, 3.0, 1.0), (-0.1, -0.1)),
    ],
)
def test_which_way_the_picture_goes(kind, amount, point, expected):
    expected = FOCAL * np.array(expected)
    np.testing.assert_allclose(shift(kind, amount, point), expected, atol=1e-9)
    opposite = {"push in": "pull back", "pull back": "push in"}
    if kind in opposite:
        np.testing.assert_allclose(shift(opposite[kind], -amount, point), expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["truck", "pedestal", "pan", "tilt", "crane", "orbit", "arc", "drift"])
def test_a_negative_amount_goes_the_other_way(kind):
    point = (0.0, 0.0, 5.0, 1.0)
    there, back = shift(kind, 30, point), shift(kind, -30, point)
    axis = int(np.argmax(np.abs(there)))
    assert there[axis] * back[axis] < 0
    assert abs(there[axis]) > 0.2


def test_a_spiral_turns_and_goes_forward():
    path = track(Move("spiral", 360, easing="linear", distance=3))
    np.testing.assert_allclose(path.poses()[40, :3, 3], (0, 0, 3), atol=1e-12)
    quarter = path.poses()[10]
    np.testing.assert_allclose(quarter[:3, 3], (0, 0, 0.75), atol=1e-12)
    np.testing.assert_allclose(quarter[:3, 0], (0, 1, 0), atol=1e-12)
    backwards = track(Move("spiral", -90, distance=3)).poses()[40]
    np.testing.assert_allclose(backwards[:3, 0], (0, -1, 0), atol=1e-12)
    np.testing.assert_allclose(backwards[:3, 3], (0, 0, -0.75), atol=1e-12)


@pytest.mark.parametrize("kind", ["orbit", "arc"])
@pytest.mark.parametrize("amount", [360, -360, 75, -700])
@pytest.mark.parametrize("distance", [0.3, 2, 40])
def test_round_a_subject_it_stays_in_the_middle_and_as_far(kind, amount, distance):
    path = track(Move(kind, amount, 3, 37, distance=distance))
    for frame in range(41):
        found = path.step(0, frame) @ (0, 0, distance, 1)
        np.testing.assert_allclose(found[:3], (0, 0, distance), atol=1e-9)
    np.testing.assert_allclose(path.poses()[:, 1, 0], 0, atol=1e-12)  # a level horizon
    if abs(amount) == 360:
        np.testing.assert_allclose(path.views[-1], np.eye(4), atol=1e-9)


def test_an_orbit_is_level_and_goes_to_the_right_turning_left():
    pose = move_pose("orbit", 0.25, 360, 2)
    np.testing.assert_allclose(pose[:3, 3], (2, 0, 2), atol=1e-12)
    np.testing.assert_allclose(pose[:3, 2], (-1, 0, 0), atol=1e-12)


def test_an_arc_rises_to_either_side_and_is_a_circle():
    places = np.stack([move_pose("arc", share, 360, 2)[:3, 3] for share in np.linspace(-0.5, 0.5, 41)])
    assert (np.diff(-places[:21, 1]) < 0).all() and (np.diff(-places[20:, 1]) > 0).all()
    np.testing.assert_allclose(-places[:, 1], places[:, 2] * math.tan(math.radians(30)), atol=1e-12)
    # The farthest point: 60 degrees above the subject, behind it.
    np.testing.assert_allclose(places[40], (0, -math.sqrt(3), 3), atol=1e-12)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    # It begins as an orbit does.
    begun = move_pose("arc", 1e-4, 360, 2)[:3, 3] / 1e-4
    np.testing.assert_allclose(begun, (2 * math.cos(math.radians(30)) * 2 * math.pi, 0, 0), atol=0.01)


@pytest.mark.parametrize("amount", [150, -400])
def test_a_crane_goes_straight_up_and_keeps_its_subject_in_the_middle(amount):
    path = track(Move("crane", amount, distance=2))
    for frame in range(41):
        np.testing.assert_allclose(seen(path, frame, SUBJECT), (80, 45), atol=1e-9)
    places = path.poses()[:, :3, 3]
    np.testing.assert_allclose(places[:, (0, 2)], 0, atol=1e-12)
    assert places[-1, 1] == pytest.approx(-amount / 200)


@pytest.mark.parametrize("amount", [300, -900])
@pytest.mark.parametrize("base", [None, Camera3D(translation_z=0, fov=35)])
def test_a_dolly_zoom_keeps_its_subjects_size(amount, base):
    path = on_top(base, Move("dolly zoom", amount, distance=2)).track(41, 20.0, 0, SIZE)
    size = [seen(path, frame, (0.2, 0.1, 2.0, 1.0)) for frame in range(41)]
    np.testing.assert_allclose(size, np.tile(size[0], (41, 1)), atol=1e-9)
    assert path.poses()[-1, 2, 3] == pytest.approx(amount / 200)
    # What is behind the subject does change.
    behind = (0.2, 0.1, 6.0, 1.0)
    assert np.abs(seen(path, 40, behind) - seen(path, 0, behind)).max() > 0.5


def test_a_dolly_zoom_that_reaches_its_subject_names_the_frame():
    with pytest.raises(FramedriftError, match=r"frame 20 .*200 units.*distance 1 scene"):
        track(Move("dolly zoom", 400, easing="linear", distance=1))


def test_a_drift_floats_and_half_follows_its_subject():
    for side in (1, -1):
        path = track(Move("drift", side * 100, easing="linear", distance=2))
        places = path.poses()[:, :3, 3]
        np.testing.assert_allclose(places[40], (side * 0.5, 0, 0.075), atol=1e-12)
        np.testing.assert_allclose(places[10, 1], -0.05, atol=1e-12)
        np.testing.assert_allclose(places[30, 1], 0.05, atol=1e-12)
        yaw = math.atan2(*path.poses()[40][(0, 2), 2])
        assert yaw == pytest.approx(-side * math.atan2(0.5, 2 - 0.075) / 3)


def test_between_start_and_end_only():
    path = track(Move("pan", 40, 10, 30))
    assert path.at_rest(0, 10) and path.at_rest(30, 40)
    assert not path.at_rest(10, 11) and not path.at_rest(29, 30)
    for kind in KINDS:
        assert track(Move(kind, 33.3, 10, 30)).at_rest(30, 40), kind
    np.testing.assert_array_equal(path.views[0], np.eye(4))
    turned = math.degrees(math.atan2(*path.poses()[30][(0, 2), 2]))
    assert turned == pytest.approx(40)


def test_minus_one_is_the_last_frame_and_else_a_longer_animation_changes_nothing():
    assert track(Move("truck", 100)).poses()[-1, 0, 3] == pytest.approx(0.5)
    for move in (Move("truck", 100, 5, 60), Move("orbit", 50, 5, 22, "ease_in", "back and forth")):
        np.testing.assert_array_equal(track(move, 80).views[:41], track(move, 41).views)


@pytest.mark.parametrize(("easing", "quarter"), [("linear", 0.25), ("ease_in", 0.0625), ("ease_out", 0.4375)])
def test_easing(easing, quarter):
    assert track(Move("truck", 200, easing=easing)).poses()[10, 0, 3] == pytest.approx(quarter)


@pytest.mark.parametrize("easing", EASINGS)
def test_repeats(easing):
    frames = np.arange(51)
    once, on, forth = (progress(frames, 10, 20, easing, repeat) for repeat in REPEATS)
    for found in (once, on, forth):
        np.testing.assert_array_equal(found[:21], once[:21])
        assert not found[:11].any() and found[20] == 1
    assert (once[20:] == 1).all()
    np.testing.assert_array_equal(on[[30, 40, 50]], (2, 3, 4))
    np.testing.assert_allclose(on[20:31], 1 + on[10:21], atol=1e-12)
    np.testing.assert_array_equal(forth[[30, 40, 50]], (0, 1, 0))
    np.testing.assert_allclose(forth[20:31], 1 - forth[10:21], atol=1e-12)
    np.testing.assert_allclose(forth[30:51], forth[10:31], atol=1e-12)


def test_a_move_that_goes_on_goes_as_far_again():
    path = track(Move("truck", 20, 0, 10, "linear", "continue"))
    np.testing.assert_allclose(path.poses()[:, 0, 3], np.arange(41) * 0.01, atol=1e-12)
    path = track(Move("orbit", 90, 0, 10, "ease_in_out", "continue"))
    np.testing.assert_allclose(path.views[40], np.eye(4), atol=1e-9)


def test_a_speed_is_for_as_long_as_the_move():
    # 20 frames are a second.
    assert track(Move("truck", 100, per="second")).poses()[-1, 0, 3] == pytest.approx(1.0)
    assert track(Move("truck", 100, 5, 15, per="second")).poses()[-1, 0, 3] == pytest.approx(0.25)


@pytest.mark.parametrize("start", [40, 41, 500])
def test_a_move_beyond_the_animation_keeps_still_with_a_warning(start, caplog):
    with caplog.at_level(logging.WARNING, "framedrift"):
        assert track(Move("pan", 30, start)).at_rest(0, 40)
    assert f"frame {start}" in caplog.text and "frame 40" in caplog.text


def test_one_frame_is_at_rest_without_a_warning(caplog):
    assert len(track(Move("orbit", 30), 1)) == 1
    assert not caplog.records


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "whip"}, "kind: 'whip'"),
        ({"amount": math.nan}, "amount"),
        ({"distance": 0}, "distance: 0"),
        ({"distance": math.inf}, "distance"),
        ({"start": -1}, "start: frame -1"),
        ({"start": 30, "end": 30}, "frame 30, but begins at frame 30"),
        ({"start": 30, "end": 12}, "frame 12, but begins at frame 30"),
        ({"easing": "hold"}, "easing: 'hold'"),
        ({"repeat": "twice"}, "repeat"),
        ({"per": "hour"}, "per"),
        ({"fov_deg": 180}, "180"),
    ],
)
def test_what_is_no_move(given, words):
    with pytest.raises(FramedriftError, match=words):
        Move(**{"kind": "pan", "amount": 10.0, **given})
    with pytest.raises(FramedriftError, match="num_frames: 0"):
        track(Move("pan", 3), 0)


def test_texts_say_it_all():
    assert Move("crane", 20, end=9).texts() == {
        "move": "crane",
        "amount": 20,
        "start": 0,
        "end": 9,
        "easing": "ease_in_out",
        "repeat": "once",
        "distance": 2.0,
        "fov_deg": 70.0,
        "per": "move",
    }
    assert set(KINDS) > TURNING


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.floats(-2000, 2000),
    st.integers(0, 30),
    st.integers(1, 40),
    st.sampled_from(EASINGS),
    st.sampled_from(REPEATS),
    st.floats(0.01, 1000),
    st.sampled_from(PERS),
)
def test_any_move_is_rigid_and_begins_at_rest(kind, amount, start, span, easing, repeat, distance, per):
    move = Move(kind, amount, start, start + span, easing, repeat, distance, 60, per)
    try:
        path = track(move, 33)
    except FramedriftError as error:
        assert kind == "dolly zoom" and "frame" in str(error)
        return
    np.testing.assert_array_equal(path.views[0], np.eye(4))
    assert np.isfinite(path.views).all()
    turns = path.views[:, :3, :3]
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), np.tile(np.eye(3), (33, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1)
    assert path.at_rest(0, start) if start < 33 else path.at_rest(0, 32)
