"""Motions of the picture's plane as 3x3 matrices: taken apart, and turned into what can be scaled."""

import math

import numpy as np

from ..errors import FramedriftError

# A matrix this near the identity has a logarithm that a few terms of its series give in full.
_NEAR = 0.25
_TERMS = 12
# A motion that scales areas by less than this, or by more than one over it, is not one that can be undone.
_SMALLEST = 1e-250


def log_plane(matrix: np.ndarray) -> np.ndarray:
    """The logarithm, float64 (3, 3), of a motion of the picture's plane.

    `exp_plane(t * log_plane(m))` goes from rest (t = 0) to m (t = 1).

    Convention: takes points (x, y, 1) to points. Turns of up to half a turn either way; of a motion that is known but
    for a factor the one of determinant above 0 is taken, so that only the ratios of the result's exponential count.

    Raises:
        FramedriftError: the motion mirrors, or is one that no steady motion leads to.
    """
    if np.array_equal(matrix, np.eye(3)):
        return np.zeros((3, 3))
    if is_similarity(matrix):
        return _log_similarity(matrix)
    unit = matrix / np.cbrt(np.linalg.det(matrix))
    values = np.linalg.eigvals(unit)
    if np.any((values.real <= 0) & (np.abs(values.imag) < 1e-9 * np.abs(values))):
        raise FramedriftError("the 2D motion turns the picture's plane over, so that no steady motion leads there")
    doublings = 0
    while np.abs(unit - np.eye(3)).max() > _NEAR:
        unit = _square_root(unit)
        doublings += 1
    # log m = 2 artanh((m - 1) / (m + 1))
    ratio = (unit - np.eye(3)) @ np.linalg.inv(unit + np.eye(3))
    power, total = ratio, np.zeros((3, 3))
    for term in range(_TERMS):
        total = total + power / (2 * term + 1)
        power = power @ ratio @ ratio
    return total * 2.0 ** (doublings + 1)


def exp_plane(logarithm: np.ndarray) -> np.ndarray:
    """The motion (3, 3) of a logarithm: exactly the identity for 0."""
    size = float(np.abs(logarithm).max())
    halvings = max(math.ceil(math.log2(size / _NEAR)), 0) if size > 0 else 0
    small = logarithm / 2.0**halvings
    motion, term = np.eye(3), np.eye(3)
    for order in range(1, 2 * _TERMS):
        term = term @ small / order
        motion = motion + term
    for _ in range(halvings):
        motion = motion @ motion
    return motion


def is_similarity(matrix: np.ndarray) -> bool:
    """Whether a motion of the plane (3, 3) only turns, zooms and shifts."""
    (a, b, _), (c, d, _), low = matrix
    near = 1e-12 * max(abs(a), abs(b))
    upright = abs(a - d) <= near and abs(b + c) <= near
    return bool(upright and np.array_equal(low, (0, 0, 1)) and (a or b))


def check_plane(matrices: np.ndarray) -> None:
    """Raises FramedriftError that names the first frame (F, 3, 3) whose motion has no way back."""
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.abs(np.linalg.det(matrices))
    bad = np.flatnonzero(~((sizes > _SMALLEST) & (sizes < 1 / _SMALLEST)))
    if bad.size:
        raise FramedriftError(
            f"camera: by frame {bad[0]} the 2D motion has gone so far in or out that nothing can lead back from there; "
            "keep zoom nearer to 1, or let it go in and out by turns"
        )


def plane_curves(deltas: np.ndarray, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """What moved at every frame, in the schedules of 2D Camera about the picture's middle.

    Convention: `warp.motion_matrix` of a frame's values is the frame's motion, where that only turns, zooms and shifts;
    of any other it is what happens to the middle of the picture.

    Args:
        deltas: (F, 3, 3), every frame's motion against the one before, in pixel indices.
        size: (h, w) in pixels.
    """
    middle = np.array([size[1] / 2, size[0] / 2])
    found = np.tile([0.0, 1.0, 0.0, 0.0], (len(deltas), 1))
    for frame in range(1, len(deltas)):
        step = deltas[frame]
        if np.array_equal(step, np.eye(3)):
            continue
        weight = step[2] @ (*middle, 1)
        lands = step[:2] @ (*middle, 1) / weight
        slope = (step[:2, :2] - np.outer(lands, step[2, :2])) / weight
        # The nearest turn and zoom: those of the slope's part that is one.
        turn = np.array([slope[0, 0] + slope[1, 1], slope[0, 1] - slope[1, 0]]) / 2
        zoom = float(np.hypot(*turn)) or 1.0
        back = np.array([[turn[0], -turn[1]], [turn[1], turn[0]]]) / zoom**2
        found[frame] = (math.degrees(math.atan2(turn[1], turn[0])), zoom, *(back @ (lands - middle)))
    return dict(zip(("angle", "zoom", "translation_x", "translation_y"), found.T, strict=True))


def _log_similarity(matrix: np.ndarray) -> np.ndarray:
    # As complex numbers, z -> turn z + shift: that has a logarithm for every turn, half a turn included.
    turn, shift = complex(matrix[0, 0], matrix[1, 0]), complex(matrix[0, 2], matrix[1, 2])
    rate = complex(math.log(abs(turn)), math.atan2(turn.imag, turn.real))
    # The series, where the quotient would be one of roundings.
    near = abs(turn - 1) < 1e-5
    shift *= 1 - (turn - 1) / 2 + (turn - 1) ** 2 / 3 if near else rate / (turn - 1)
    return np.array([[rate.real, -rate.imag, shift.real], [rate.imag, rate.real, shift.imag], [0, 0, 0]])


def _square_root(matrix: np.ndarray) -> np.ndarray:
    # Denman and Beavers' iteration, which converges to the root of positive real part.
    root, inverse = matrix, np.eye(3)
    for _ in range(100):
        root, inverse, last = (root + np.linalg.inv(inverse)) / 2, (inverse + np.linalg.inv(root)) / 2, root
        if np.abs(root - last).max() <= 1e-14 * np.abs(root).max():
            break
    return root
