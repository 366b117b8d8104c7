"""Rigid motions: taken apart, scaled and put together again."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera.pose import (
    angles_deg,
    deltas,
    exp_pose,
    inverse_rigid,
    log_pose,
    pose_delta,
    rotation_matrix,
    step_between,
    turn_between,
)

quick = settings(max_examples=60, deadline=None)
TRIPLE = st.tuples(*[st.floats(-170, 170)] * 3)
SMALL_TRIPLE = st.tuples(*[st.floats(-80, 80)] * 3)
DIRECTION = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.05)


def hat(twist):
    """The 4x4 that a twist stands for; its matrix exponential is the motion."""
    x, y, z = twist[3:]
    matrix = np.zeros((4, 4))
    matrix[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    matrix[:3, 3] = twist[:3]
    return matrix


def series(matrix):
    """The matrix exponential by its definition, halved often enough for the series to end."""
    small, total, term = matrix / 1024, np.eye(4), np.eye(4)
    for order in range(1, 20):
        term = term @ small / order
        total = total + term
    return np.linalg.matrix_power(total, 1024)


@quick
@given(TRIPLE, TRIPLE)
def test_the_inverse_is_exact_enough_and_rigid(move, turn):
    pose = pose_delta(move, turn)
    np.testing.assert_allclose(inverse_rigid(pose) @ pose, np.eye(4), atol=1e-14)
    assert inverse_rigid(np.stack([pose, np.eye(4)])).shape == (2, 4, 4)
    np.testing.assert_array_equal(inverse_rigid(np.stack([pose, np.eye(4)]))[0], inverse_rigid(pose))


@quick
@given(TRIPLE, st.floats(-89.9, 89.9), st.floats(-179, 179), st.floats(-179, 179))
def test_deltas_are_what_pose_delta_was_given(move, yaw, tilt, roll):
    views = np.stack([np.eye(4), pose_delta((4, 5, 6), (7, 8, 9)), np.eye(4)])
    views[2] = pose_delta(move, (tilt, yaw, roll)) @ views[1]
    moves, turns = deltas(views)
    np.testing.assert_allclose(moves[2], move, atol=1e-9)
    np.testing.assert_allclose(turns[2], (tilt, yaw, roll), atol=1e-9)
    np.testing.assert_allclose(moves[1], (4, 5, 6), atol=1e-12)
    assert not moves[0].any() and not turns[0].any()


@quick
@given(TRIPLE, st.sampled_from([0.0, 90.0, -90.0, 180.0, 135.0]))
def test_angles_of_any_turn_make_that_turn(turn, yaw):
    for given_turn in (turn, (turn[0], yaw, turn[2])):
        matrix = rotation_matrix(given_turn)
        np.testing.assert_allclose(rotation_matrix(angles_deg(matrix)), matrix, atol=1e-9)
        assert abs(angles_deg(matrix)[1]) <= 90


def test_rest_is_exact():
    view = pose_delta((3, -7, 11), (20, 30, 40))
    assert np.array_equal(step_between(view, view.copy()), np.eye(4))
    moves, turns = deltas(np.stack([np.eye(4), view, view]))
    assert not moves[2].any() and not turns[2].any()
    np.testing.assert_allclose(step_between(np.eye(4), view), view, atol=1e-15)


@quick
@given(DIRECTION, DIRECTION)
def test_the_turn_between_directions_is_the_smallest(start, end):
    turn = turn_between(start, end)
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    np.testing.assert_allclose(turn @ a, b, atol=1e-13)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-13)
    assert np.linalg.det(turn) == pytest.approx(1)
    angle = math.atan2(np.linalg.norm(np.cross(a, b)), a @ b)
    assert np.linalg.norm(log_pose(np.block([[turn, np.zeros((3, 1))], [0, 0, 0, 1]]))[3:]) == pytest.approx(
        angle, abs=1e-9
    )


@pytest.mark.parametrize("off", [0.0, 1e-15, 1e-12, 1e-8, 1e-6, 1e-3])
@pytest.mark.parametrize("axis", [(0, 0, 1), (0.3, -0.5, 0.8), (1, 0, 0)])
def test_turns_of_nearly_nothing_and_of_nearly_half(axis, off):
    start = np.array(axis, float) / np.linalg.norm(axis)
    aside = np.cross(start, (0.2, 0.9, 0.1))
    for sign in (1, -1):
        end = sign * start + off * aside
        turn = turn_between(start, end)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-13)
        assert np.linalg.det(turn) == pytest.approx(1)
        np.testing.assert_allclose(turn @ start, end / np.linalg.norm(end), atol=2e-14)
    assert np.array_equal(turn_between(start, 3 * start), np.eye(3))


@quick
@given(st.tuples(*[st.floats(-5, 5)] * 3), DIRECTION, st.floats(0, math.pi - 1e-9))
def test_logarithm_and_exponential_are_each_others_inverse(velocity, axis, angle):
    twist = np.concatenate([velocity, axis / np.linalg.norm(axis) * angle])
    pose = exp_pose(twist)
    np.testing.assert_allclose(pose, series(hat(twist)), atol=1e-11)
    np.testing.assert_allclose(log_pose(pose), twist, atol=1e-8 if angle > 3.1 else 1e-9)
    np.testing.assert_allclose(exp_pose(log_pose(pose)), pose, atol=1e-12)


@pytest.mark.parametrize("angle", [0, 1e-12, 1e-8, 1e-6, 1e-5, 1e-3, 1, 3, math.pi - 1e-6, math.pi - 1e-12, math.pi])
def test_every_angle_comes_back(angle):
    for axis in ((0, 0, 1), (1, 0, 0), (0.6, -0.8, 0), (0.48, 0.6, -0.64)):
        pose = exp_pose(np.array([1.0, -2.0, 3.0, *(angle * np.array(axis))]))
        np.testing.assert_allclose(exp_pose(log_pose(pose)), pose, atol=1e-14)
        assert np.linalg.norm(log_pose(pose)[3:]) == pytest.approx(angle, abs=1e-12)


def test_half_the_twist_is_half_the_way():
    pose = pose_delta((30, -20, 50), (10, 70, -30))
    half = exp_pose(log_pose(pose) / 2)
    np.testing.assert_allclose(half @ half, pose, atol=1e-14)
    assert np.array_equal(exp_pose(log_pose(np.eye(4))), np.eye(4))
