"""Rigid motions as 4x4 matrices: made, taken apart, and turned into what can be scaled."""

import math

import numpy as np

# How many Deforum units of translation are one scene unit.
UNITS = 200.0
# Angles under this are treated by their series: the exact formulas divide by them.
_SMALL = 1e-6
# Directions closer than this are the same: what is left of float64 after a few products.
_ROUNDING = 1e-14


def rotation_matrix(rotation_deg: tuple[float, float, float]) -> np.ndarray:
    """Rx(x) Ry(y) Rz(z), float64 (3, 3).

    Convention: degrees, right-handed about x right, y down, z forward; it takes camera axes to world axes, so +x tilts
    the camera up, +y yaws it right and +z rolls it clockwise.
    """
    x, y, z = (math.radians(angle) for angle in rotation_deg)
    about_x = np.array([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_z = np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def pose_delta(translation: tuple[float, float, float], rotation_deg: tuple[float, float, float]) -> np.ndarray:
    """One frame's motion as a 4x4 from the old camera's coordinates to the new one's, float64.

    Convention: translation in Deforum units (200 are one scene unit), +x right, +y up, +z forward, along the axes of
    the turned camera; rotation as in `rotation_matrix`. E = [R^T | (-tx, +ty, -tz) / 200].
    """
    x, y, z = translation
    delta = np.eye(4)
    delta[:3, :3] = rotation_matrix(rotation_deg).T
    delta[:3, 3] = (-x / UNITS, y / UNITS, -z / UNITS)
    return delta


def inverse_rigid(pose: np.ndarray) -> np.ndarray:
    """The inverse of rigid motions (..., 4, 4): exact where a general inverse would leave rounding."""
    inverse = np.zeros_like(pose)
    turn = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse[..., :3, :3] = turn
    inverse[..., :3, 3] = -(turn @ pose[..., :3, 3:])[..., 0]
    inverse[..., 3, 3] = 1.0
    return inverse


def step_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The motion from one view (4, 4) to another, target source^-1: exactly none where they are the same."""
    if np.array_equal(source, target):
        return np.eye(4)
    return target @ inverse_rigid(source)


def deltas(views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The motion of every frame against the one before, in Deforum's numbers: what `pose_delta` takes.

    Convention: the first frame moves nothing. A yaw of more than 90 degrees in one frame comes back as another triple
    of angles of the same turn.

    Args:
        views: (F, 4, 4), world to camera.

    Returns:
        translation: (F, 3) in Deforum units, right, up, forward.
        rotation_deg: (F, 3), tilt up, yaw right, roll clockwise.
    """
    moves, turns = np.zeros((len(views), 3)), np.zeros((len(views), 3))
    for frame in range(1, len(views)):
        if np.array_equal(views[frame], views[frame - 1]):
            continue
        step = views[frame] @ inverse_rigid(views[frame - 1])
        moves[frame] = step[:3, 3] * (-UNITS, UNITS, -UNITS)
        turns[frame] = angles_deg(step[:3, :3].T)
    return moves, turns


def angles_deg(turn: np.ndarray) -> tuple[float, float, float]:
    """The angles (x, y, z) in degrees of a rotation (3, 3) = Rx(x) Ry(y) Rz(z), y within 90 degrees of 0."""
    flat = math.hypot(turn[0, 0], turn[0, 1])
    y = math.atan2(turn[0, 2], flat)
    if flat < _SMALL:
        # Straight up the pole x and z turn about one axis: all of it is said to be x.
        return math.degrees(math.atan2(turn[2, 1], turn[1, 1])), math.degrees(y), 0.0
    x, z = math.atan2(-turn[1, 2], turn[2, 2]), math.atan2(-turn[0, 1], turn[0, 0])
    return math.degrees(x), math.degrees(y), math.degrees(z)


def turn_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that takes the direction `start` (3,) to the direction `end` (3,).

    Directions that differ by no more than rounding give exactly the identity. Between opposite directions any half
    turn is smallest; one of them is given.
    """
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    cross, dot = np.cross(a, b), float(a @ b)
    if dot < 0:
        # More than a right angle: a half turn to the opposite of a, then the small rest. One formula for it all would
        # divide by next to nothing near the half turn.
        if np.linalg.norm(cross) < _ROUNDING:
            cross = np.cross(a, np.eye(3)[int(np.argmin(np.abs(a)))])
        axis = cross / np.linalg.norm(cross)
        axis -= a * (a @ axis)
        axis /= np.linalg.norm(axis)
        return turn_between(-a, b) @ (2 * np.outer(axis, axis) - np.eye(3))
    if np.linalg.norm(cross) < _ROUNDING:
        return np.eye(3)
    skew = _skew(cross)
    return np.eye(3) + skew + skew @ skew / (1 + dot)


def log_pose(pose: np.ndarray) -> np.ndarray:
    """The twist (6,) of a rigid motion (4, 4): velocity (3), then rotation vector in radians (3), at most pi long.

    `exp_pose(t * log_pose(p))` goes from rest (t = 0) to p (t = 1) at constant speed, on a screw.
    """
    vector = _log_turn(pose[:3, :3])
    angle = float(np.linalg.norm(vector))
    skew = _skew(vector)
    factor = 1 / 12 if angle < _SMALL else (1 - angle / 2 / math.tan(angle / 2)) / angle**2
    velocity = (np.eye(3) - skew / 2 + factor * skew @ skew) @ pose[:3, 3]
    return np.concatenate([velocity, vector])


def exp_pose(twist: np.ndarray) -> np.ndarray:
    """The rigid motion (4, 4) of a twist (6,): velocity, then rotation vector in radians."""
    velocity, vector = twist[:3], twist[3:]
    angle = float(np.linalg.norm(vector))
    skew = _skew(vector)
    if angle < _SMALL:
        a, b, c = 1.0, 0.5, 1 / 6
    else:
        # 1 - cos is written by the half angle: it would be rounding where the angle is small.
        a, b, c = math.sin(angle) / angle, 2 * (math.sin(angle / 2) / angle) ** 2, (angle - math.sin(angle)) / angle**3
    pose = np.eye(4)
    pose[:3, :3] += a * skew + b * skew @ skew
    pose[:3, 3] = velocity + b * skew @ velocity + c * skew @ (skew @ velocity)
    return pose


def _log_turn(turn: np.ndarray) -> np.ndarray:
    # By way of the quaternion (w, x, y, z), of which four multiples can be read off the matrix: the largest is exact
    # at every angle, up to the half turn, where the difference of a matrix and its transpose says nothing.
    (a, b, c), (d, e, f), (g, h, i) = turn
    multiples = np.array(
        [
            [1 + a + e + i, h - f, c - g, d - b],
            [h - f, 1 + a - e - i, b + d, c + g],
            [c - g, b + d, 1 - a + e - i, f + h],
            [d - b, c + g, f + h, 1 - a - e + i],
        ]
    )
    quaternion = multiples[int(np.argmax(np.diag(multiples)))]
    quaternion = quaternion / np.linalg.norm(quaternion)
    if quaternion[0] < 0:
        quaternion = -quaternion
    sine = float(np.linalg.norm(quaternion[1:]))
    if sine < _SMALL:
        return 2 * quaternion[1:]
    return quaternion[1:] * (2 * math.atan2(sine, quaternion[0]) / sine)


def _skew(vector: np.ndarray) -> np.ndarray:
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
