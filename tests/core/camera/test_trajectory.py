"""Pose files: read, written, refused, and followed."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.camera.pose import inverse_rigid, pose_delta, rotation_matrix
from framedrift.nodes.core.camera.posefile import MOST_POSES, read_poses, write_poses
from framedrift.nodes.core.camera.trajectory import Trajectory, resampled
from framedrift.nodes.core.errors import FramedriftError

SIZE = (40, 96)
LINE = "0 0.5 0.9 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 0"


def flight(count=7):
    """Camera-to-world poses that turn and go all ways, from an origin that is not the first."""
    poses = [inverse_rigid(pose_delta((200, -60, 90), (20, 130, -40)))]
    for frame in range(count - 1):
        poses.append(poses[-1] @ inverse_rigid(pose_delta((9 + frame, 5, 40 - frame), (3, -7 + frame, 11))))
    return np.stack(poses)


def camera(poses, fov_deg=50.0, **options):
    return Trajectory(poses, np.full(len(poses), fov_deg), **options)


def track(camera, frames, size=SIZE):
    return camera.track(frames, 15.0, 0, size)


def text_line(view, time=0, fx=0.5, fy=0.9, cx=0.5, cy=0.5):
    return " ".join(map(repr, [time, fx, fy, cx, cy, 0, 0, *map(float, view[:3].ravel())]))


@pytest.mark.parametrize(
    "given_as",
    [
        lambda poses: poses,
        lambda poses: [pose[:3] for pose in poses],
        lambda poses: np.reshape(poses, (-1, 16)).tolist(),
        lambda poses: np.reshape(np.array(poses)[:, :3], (-1, 12)).tolist(),
        lambda poses: {"poses": poses},
        lambda poses: {"version": 1, "fps": 24, "size": [40, 96], "poses": poses},
    ],
)
def test_every_shape_of_json_is_the_same_poses(given_as):
    found = read_poses(json.dumps(given_as(flight().tolist())))
    np.testing.assert_allclose(found.poses, flight(), atol=1e-15)
    assert found.fov_deg is None


def test_the_text_format_is_world_to_camera_by_rows():
    """A camera one unit to the right of the origin that looks left: a point in the world is where it must be."""
    pose = np.eye(4)
    pose[:3, :3] = rotation_matrix((0, -90, 0))
    pose[:3, 3] = (1, 0, 0)
    view = inverse_rigid(pose)
    found = read_poses(f"https://example.com/watch?v=1\n{text_line(view)}\n\n{text_line(np.eye(4), 33333)}\n")
    np.testing.assert_allclose(found.poses[0], pose, atol=1e-12)
    # Three units to the left of the camera, hence straight ahead of it.
    np.testing.assert_allclose(inverse_rigid(found.poses[0]) @ (-2, 0, 0, 1), (0, 0, 3, 1), atol=1e-12)
    np.testing.assert_allclose(found.fov_deg, math.degrees(2 * math.atan(0.5 / 0.9)))


def test_a_file_without_a_title_keeps_its_first_pose():
    assert len(read_poses(f"{LINE}\n{LINE}").poses) == 2
    assert len(read_poses(f"a title\n{LINE}\n{LINE}").poses) == 2
    assert len(read_poses("\ufeff" + LINE.replace(" ", ",")).poses) == 1


@pytest.mark.parametrize("kind", ["json", "cameractrl"])
@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-90, 90)] * 6), min_size=1, max_size=4), st.floats(5, 150))
def test_round_trips(kind, steps, fov):
    views = [np.eye(4)]
    for step in steps:
        views.append(pose_delta(tuple(10 * one for one in step[:3]), step[3:]) @ views[-1])
    start = camera(inverse_rigid(np.stack(views)), fov)
    written = write_poses(track(start, len(views)), kind, 15.0, SIZE)
    found = read_poses(written)
    back = track(Trajectory(found.poses, found.fov_deg), len(views))
    bound = 1e-9 if kind == "json" else 1e-6
    np.testing.assert_allclose(back.poses(), track(start, len(views)).poses(), atol=bound)
    np.testing.assert_allclose(back.fov_deg, fov, atol=bound)
    assert not found.warnings


def test_written_text_has_the_columns_that_readers_count():
    path = Camera3D(translation_z="0:(10)", rotation_3d_y="0:(2)", fov="0:(60)").track(3, 24.0, 0, SIZE)
    head, *lines = write_poses(path, "cameractrl", 24.0, SIZE).splitlines()
    assert head.startswith("framedrift")
    rows = [[float(word) for word in line.split(" ")] for line in lines]
    assert [len(row) for row in rows] == [19] * 3
    assert [row[0] for row in rows] == [0, 41667, 83333]
    fy = 0.5 / math.tan(math.radians(30))
    np.testing.assert_allclose(rows[1][1:7], (fy * 40 / 96, fy, 0.5, 0.5, 0, 0))
    np.testing.assert_allclose(np.reshape(rows[2][7:], (3, 4)), path.views[2][:3], atol=1e-11)


def test_json_lenses():
    poses = flight(2).tolist()
    assert read_poses(json.dumps({"poses": poses, "fov_deg": 40})).fov_deg.tolist() == [40, 40]
    assert read_poses(json.dumps({"poses": poses, "fov_deg": [40, 60.5]})).fov_deg.tolist() == [40, 60.5]
    once = read_poses(json.dumps({"poses": poses, "intrinsics": [0.4, 0.5, 0.5, 0.5]}))
    np.testing.assert_allclose(once.fov_deg, [90, 90])
    each = read_poses(json.dumps({"poses": poses, "intrinsics": [[0.4, 0.5, 0.5, 0.5], [1, 1, 0.5, 0.53]]}))
    np.testing.assert_allclose(each.fov_deg, [90, math.degrees(2 * math.atan(0.5))])
    (warning,) = each.warnings
    assert '"intrinsics" 1' in warning
    assert "0.53" in warning


def with_pose(change, index=1):
    poses = flight(3)
    poses[index] = change(poses[index])
    return json.dumps(poses.tolist())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("[]", "holds no pose"),
        ("a title\n", "holds no pose"),
        ("{}", '"poses"'),
        ("[1, 2", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[[1, 2, 3]]", "pose 0 is 3 numbers"),
        ("[5]", "pose 0 is 5"),
        ("[[]]", "pose 0 is 0 numbers"),
        ("[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]", "3 rows of 3 numbers"),
        ('[["a", 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]]', "'a' where a number"),
        ("[[true, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]]", "True where a number"),
        ("[[NaN, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]]", "no finite numbers"),
        ("[[1, 0, 0, " + "9" * 400 + ", 0, 1, 0, 0, 0, 0, 1, 0]]", "no finite numbers"),
        (with_pose(lambda pose: 1.5 * pose + np.diag([0, 0, 0, -0.5])), "pose 1 is no rotation"),
        (with_pose(lambda pose: pose @ np.diag([1, 1.002, 1, 1])), "pose 1 is no rotation"),
        (with_pose(lambda pose: pose @ np.diag([1, -1, 1, 1])), "pose 1 is mirrored"),
        (with_pose(np.transpose, 2), "pose 2.*transposed"),
        (f"title\n{LINE}\n{LINE} 0", "line 3 has 20 numbers; it must have 19"),
        (f"title\n{LINE}\n0 x", "line 3 has 'x'"),
        (f"1 2 3\n{LINE}", "line 1 has 3 numbers"),
        (LINE.replace("0.9", "960"), "line 1 has the focal length fy 960.*shares of the height"),
        (LINE.replace("0.9", "0"), "fy 0"),
        (LINE.replace("0.9", "nan"), "fy nan"),
        (f"{LINE}\n{LINE[:-1]}inf", "line 2 holds values that are no finite"),
        (f"{LINE}\n{LINE.replace('1 0 0 0 0 1', '1 0 0 0 0 2')}", "line 2 is no rotation"),
        ('{"poses": [[1,0,0,0,0,1,0,0,0,0,1,0]], "fov_deg": [50, 60]}', "2 values for 1 poses"),
        ('{"poses": [[1,0,0,0,0,1,0,0,0,0,1,0]], "fov_deg": 180}', "between 0 and 180"),
        ('{"poses": [[1,0,0,0,0,1,0,0,0,0,1,0]], "version": 2}', '"version" is 2'),
        ('{"poses": [[1,0,0,0,0,1,0,0,0,0,1,0]], "fps": 0}', '"fps" is 0'),
        ('{"poses": [[1,0,0,0,0,1,0,0,0,0,1,0]], "intrinsics": [[1, 2], [3]]}', '"intrinsics" has 2'),
    ],
)  # fmt: skip
def test_what_is_no_trajectory_is_named(text, words):
    with pytest.raises(FramedriftError, match=words):
        read_poses(text)


def test_too_many_poses():
    with pytest.raises(FramedriftError, match=f"more than {MOST_POSES}"):
        read_poses("[" + "0," * MOST_POSES + "0]")


def test_rounded_rotations_are_mended():
    rounded = np.round(flight(), 4)
    found = read_poses(json.dumps(rounded.tolist())).poses
    turns = found[:, :3, :3]
    np.testing.assert_allclose(turns @ np.swapaxes(turns, 1, 2), np.tile(np.eye(3), (7, 1, 1)), atol=1e-14)
    np.testing.assert_allclose(found, rounded, atol=2e-4)
    assert np.abs(rounded[:, :3, :3] - turns).max() > 1e-6


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60) | st.text('[]{}0123456789.,-e \n"', max_size=60))
def test_any_text_gives_poses_or_our_error(text):
    try:
        assert read_poses(text).poses.shape[1:] == (4, 4)
    except FramedriftError as error:
        assert str(error).startswith("camera file:")


def test_poses_begin_at_the_first_and_scale():
    found = track(camera(flight(), scale=2.5), 7)
    np.testing.assert_array_equal(found.views[0], np.eye(4))
    expected = inverse_rigid(flight()[0]) @ flight()[3]
    np.testing.assert_allclose(found.poses()[3][:3, :3], expected[:3, :3], atol=1e-12)
    np.testing.assert_allclose(found.poses()[3][:3, 3], 2.5 * expected[:3, 3], atol=1e-12)


def test_lengths():
    with pytest.raises(FramedriftError, match=r"7 poses.*12 frames.*stretch.*hold"):
        track(camera(flight()), 12)
    whole = track(camera(flight()), 7).views
    held = track(camera(flight(), length="hold"), 12).views
    np.testing.assert_array_equal(held[:7], whole)
    np.testing.assert_array_equal(held[7:], np.repeat(whole[6:], 5, axis=0))
    np.testing.assert_array_equal(track(camera(flight(), length="hold"), 3).views, whole[:3])
    stretched = track(camera(flight(), length="stretch"), 13).views
    np.testing.assert_allclose(stretched[::2], whole, atol=1e-12)
    assert len(track(camera(flight(1), length="stretch"), 5)) == 5
    assert len(track(camera(flight(), length="stretch"), 1)) == 1


def test_an_even_motion_stays_even_when_stretched():
    """Constant speed and constant turn: at every share between, position and rotation are known exactly."""
    poses = np.stack([np.eye(4)] * 5)
    for frame in range(5):
        poses[frame, :3, :3] = rotation_matrix((0, 50.0 * frame, 0))
        poses[frame, :3, 3] = (3 * frame, -frame, 2 * frame)
    at = np.linspace(0, 4, 11)
    for place, pose in zip(at, resampled(poses, at), strict=True):
        np.testing.assert_allclose(pose[:3, :3], rotation_matrix((0, 50.0 * place, 0)), atol=1e-12)
        np.testing.assert_allclose(pose[:3, 3], (3 * place, -place, 2 * place), atol=1e-12)


def test_a_stretched_way_has_no_kinks():
    """Speeds a hair before and after a pose agree, in place and in turn."""
    hair = 1e-5
    for pose in (1, 3, 5):
        before, at, after = resampled(flight(), np.array([pose - hair, pose, pose + hair]))
        np.testing.assert_allclose((at - before) / hair, (after - at) / hair, atol=2e-3)
        assert np.abs(after - at).max() / hair > 0.1


def test_settings_hold_the_poses_and_tell_others_apart():
    said = camera(flight()).texts()["trajectory"]
    json.dumps(said)
    np.testing.assert_array_equal(said["poses"], flight())
    assert said["fov_deg"] == 50.0
    other = flight()
    other[3, 0, 3] += 1e-12
    assert camera(other).texts()["trajectory"]["sha256"] != said["sha256"]
    many = camera(np.tile(np.eye(4), (10_001, 1, 1))).texts()["trajectory"]
    assert many["poses"] == 10_001


def test_what_is_no_camera():
    with pytest.raises(FramedriftError, match="scale"):
        camera(flight(), scale=0.0)
    with pytest.raises(FramedriftError, match="length"):
        camera(flight(), length="loop")
    with pytest.raises(FramedriftError, match="2D Camera"):
        write_poses(Camera2D().track(3, 15.0, 0, SIZE), "json", 15.0, SIZE)
