"""Camera poses in files: JSON of camera-to-world matrices, and the text format of CameraCtrl and RealEstate10K."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import FramedriftError
from .pose import inverse_rigid
from .track import Track2D, Track3D

Format = Literal["auto", "json", "cameractrl"]
FORMATS: tuple[Format, ...] = get_args(Format)
VERSION = 1
MOST_POSES = 100_000
# What a rotation may be off by, in any number of R R^T - 1, and is then mended.
TOLERANCE = 1e-3
# Under this nothing is mended: what our own files come back with stays as it is.
_ROUNDING = 1e-12
# Numbers of a line: a time, fx fy cx cy, two unused ones, and 3x4 of the pose.
_COLUMNS = 19
# Centimetre lenses have up to 40 times the height as focal length; a file beyond is in pixels.
_MOST_FOCAL = 50.0
_OFF_CENTRE = 0.01


@dataclass(frozen=True, eq=False)
class PoseFile:
    """What a file of poses says.

    Attributes:
        poses: (N, 4, 4) float64, camera to world; x right, y down, z forward; in the file's unit.
        fov_deg: (N,) vertical field of view, or None where the file has none.
        fps: the rate that the file gives, or None.
        warnings: sentences about what was passed over.
    """

    poses: np.ndarray
    fov_deg: np.ndarray | None = None
    fps: float | None = None
    warnings: tuple[str, ...] = ()


def read_poses(text: str, format: Format = "auto") -> PoseFile:  # noqa: A002 - the input's name
    """The poses of a text in either format.

    Args:
        text: the file's text.
        format: "json", "cameractrl", or "auto": what begins with a bracket or a brace is JSON.

    Raises:
        FramedriftError: what is wrong, in which entry or line, and what would be right.
    """
    if format not in FORMATS:
        raise FramedriftError(f"format: {format!r} is not known; choose one of {', '.join(FORMATS)}")
    stripped = text.lstrip("\ufeff \t\r\n")
    if not stripped:
        raise FramedriftError("camera file: it is empty; it must hold JSON of 4x4 matrices, or lines of 19 numbers")
    if format == "json" or (format == "auto" and stripped[0] in "[{"):
        return _read_json(stripped)
    return _read_lines(text.lstrip("\ufeff"))


def write_poses(track: Track2D | Track3D, format: Format, fps: float, size: tuple[int, int]) -> str:  # noqa: A002
    """A track as the text of a file.

    Args:
        track: of a camera in space.
        format: "json" or "cameractrl".
        fps: frames a second.
        size: (h, w) of the frames.

    Raises:
        FramedriftError: the camera moves the picture in its plane.
    """
    if not isinstance(track, Track3D):
        raise FramedriftError(
            "camera: a 2D Camera moves the picture in its plane and has no poses in space; take 3D Camera or another"
        )
    return poses_cameractrl(track, fps, size) if format == "cameractrl" else poses_json(track, fps, size)


def poses_json(track: Track3D, fps: float, size: tuple[int, int]) -> str:
    """A track as this pack's JSON: a pose a line, camera to world, the numbers in full."""
    fov = [float(value) for value in track.fov_deg]
    head = {"version": VERSION, "fps": fps, "size": list(size), "fov_deg": fov[0] if len(set(fov)) == 1 else fov}
    lines = ",\n".join(f"  {json.dumps(pose)}" for pose in (track.poses() + 0.0).tolist())
    return f'{json.dumps(head)[:-1]}, "poses": [\n{lines}\n]}}\n'


def poses_cameractrl(track: Track3D, fps: float, size: tuple[int, int]) -> str:
    """A track as CameraCtrl reads it: a first line that is passed over, then a line a frame.

    Convention: time in microseconds, fx by the width and fy by the height, the centre, two zeros, and the first three
    rows of world to camera, row by row.
    """
    height, width = size
    lines = ["framedrift: time fx fy cx cy 0 0 and a 3x4 world-to-camera matrix by rows; x right, y down, z forward"]
    for frame, (view, fov) in enumerate(zip(track.views, track.fov_deg, strict=True)):
        fy = 0.5 / math.tan(math.radians(float(fov)) / 2)
        numbers = (fy * height / width, fy, 0.5, 0.5, 0, 0, *(view[:3] + 0.0).ravel())
        lines.append(f"{round(frame * 1e6 / fps)} " + " ".join(_plain(float(number)) for number in numbers))
    return "\n".join(lines) + "\n"


def _plain(number: float) -> str:
    # Without exponents, which not every reader knows, and without a tail of zeros.
    return f"{number:.12f}".rstrip("0").rstrip(".") if number else "0"


def _read_json(text: str) -> PoseFile:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FramedriftError(f"camera file: it is no JSON that can be read ({error})") from error
    if isinstance(value, list):
        value = {"poses": value}
    if not isinstance(value, dict) or not isinstance(value.get("poses"), list):
        raise FramedriftError(
            'camera file: it must be a list of 4x4 matrices, or an object with such a list as "poses"'
        )
    entries = value["poses"]
    _check_count(len(entries))
    version = value.get("version", VERSION)
    if version != VERSION or isinstance(version, bool):
        raise FramedriftError(f'camera file: "version" is {_short(version)}; this pack reads version {VERSION}')
    poses = np.stack([_matrix(entry, f"pose {index}") for index, entry in enumerate(entries)])
    fps = None if value.get("fps") is None else _number(value["fps"], '"fps"')
    if fps is not None and fps <= 0:
        raise FramedriftError(f'camera file: "fps" is {fps:g}; it must be above 0')
    fov_deg, warnings = _json_lens(value, len(poses))
    return PoseFile(poses, fov_deg, fps, warnings)


def _json_lens(value: dict[str, Any], count: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    given = value.get("fov_deg")
    if given is not None:
        values = given if isinstance(given, list) else [given] * count
        if len(values) != count:
            raise FramedriftError(
                f'camera file: "fov_deg" has {len(values)} values for {count} poses; give one or {count}'
            )
        fov_deg = np.array([_number(fov, f'"fov_deg" {index}') for index, fov in enumerate(values)])
        bad = np.flatnonzero(~((fov_deg > 0) & (fov_deg < 180)))
        if bad.size:
            raise FramedriftError(
                f'camera file: "fov_deg" {bad[0]} is {fov_deg[bad[0]]:g}; it must lie between 0 and 180 degrees'
            )
        return fov_deg, ()
    given = value.get("intrinsics")
    if given is None:
        return None, ()
    if isinstance(given, list) and len(given) == 4 and not any(isinstance(item, list) for item in given):
        given = [given] * count
    if not isinstance(given, list) or len(given) != count:
        found = f"has {len(given)} entries" if isinstance(given, list) else f"is {_short(given)}"
        raise FramedriftError(f'camera file: "intrinsics" {found}; it must be [fx, fy, cx, cy] once, or {count} times')
    lenses = []
    for index, entry in enumerate(given):
        if not isinstance(entry, list) or len(entry) != 4:
            raise FramedriftError(f'camera file: "intrinsics" {index} is {_short(entry)}; it must be [fx, fy, cx, cy]')
        lenses.append([_number(item, f'"intrinsics" {index}') for item in entry])
    return _lens(np.array(lenses), [f'"intrinsics" {index}' for index in range(count)])


def _read_lines(text: str) -> PoseFile:
    rows: list[list[float]] = []
    names: list[str] = []
    first = True
    for number, line in enumerate(text.splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        values = [value for value in map(_parsed, words) if value is not None]
        # A title or an address; CameraCtrl passes over the first line whatever it holds.
        title, first = first and len(values) < len(words), False
        if title:
            continue
        if len(values) < len(words):
            word = next(word for word in words if _parsed(word) is None)
            raise FramedriftError(f"camera file: line {number} has {_short(word)} where a number should be")
        if len(values) != _COLUMNS:
            raise FramedriftError(
                f"camera file: line {number} has {len(values)} numbers; it must have {_COLUMNS}: a time, fx, fy, cx, "
                "cy, 0, 0, and 12 of a 3x4 world-to-camera matrix"
            )
        rows.append(values)
        names.append(f"line {number}")
        if len(rows) > MOST_POSES:
            break
    _check_count(len(rows))
    table = np.array(rows, np.float64)
    views = np.stack([_rigid(row[7:].reshape(3, 4), name) for row, name in zip(table, names, strict=True)])
    fov_deg, warnings = _lens(table[:, 1:5], names)
    return PoseFile(inverse_rigid(views), fov_deg, None, warnings)


def _lens(intrinsics: np.ndarray, names: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The field of view (N,) of fx, fy, cx, cy (N, 4) in shares of width and height, and what is passed over."""
    focal = intrinsics[:, 1]
    bad = np.flatnonzero(~((focal > 0) & (focal <= _MOST_FOCAL)))
    if bad.size:
        raise FramedriftError(
            f"camera file: {names[bad[0]]} has the focal length fy {focal[bad[0]]:g}; it must be in shares of the "
            f"height (pixels divided by the picture's height), above 0 and at most {_MOST_FOCAL:g}"
        )
    warnings = ()
    off = np.abs(intrinsics[:, 2:] - 0.5).max(1)
    if off.max() > _OFF_CENTRE:
        index = int(np.argmax(off > _OFF_CENTRE))
        x, y = intrinsics[index, 2:]
        warnings = (
            f"camera file: {names[index]} has its lens centred on {x:g}, {y:g} of the picture; it is taken as centred "
            "on 0.5, 0.5",
        )
    return np.degrees(2 * np.arctan(0.5 / focal)), warnings


def _matrix(entry: Any, name: str) -> np.ndarray:
    """A pose (4, 4) from 3 or 4 rows of 4 numbers, or from 12 or 16 numbers."""
    rows = entry if isinstance(entry, list) else [entry]
    if isinstance(entry, list) and entry and all(isinstance(row, list) for row in entry):
        if len(entry) not in (3, 4) or any(len(row) != 4 for row in entry):
            lengths = sorted({len(row) for row in entry})
            raise FramedriftError(
                f"camera file: {name} has {len(entry)} rows of {' or '.join(map(str, lengths[:4]))} numbers; it must "
                "have 3 or 4 rows of 4"
            )
        rows = [number for row in entry for number in row]
    if len(rows) not in (12, 16) or not isinstance(entry, list):
        found = f"{len(rows)} numbers" if isinstance(entry, list) else _short(entry)
        raise FramedriftError(
            f"camera file: {name} is {found}; it must be a 4x4 or 3x4 matrix, or its 16 or 12 numbers by rows"
        )
    matrix = np.array([_number(number, name) for number in rows]).reshape(-1, 4)
    if len(matrix) == 4 and np.abs(matrix[3] - (0, 0, 0, 1)).max() > TOLERANCE:
        hint = "; it looks transposed" if np.abs(matrix[:, 3] - (0, 0, 0, 1)).max() <= TOLERANCE else ""
        row = ", ".join(f"{number:g}" for number in matrix[3])
        raise FramedriftError(f"camera file: {name} has the last row {row}; it must be 0, 0, 0, 1{hint}")
    return _rigid(matrix[:3], name)


def _rigid(matrix: np.ndarray, name: str) -> np.ndarray:
    """A rotation and a translation (3, 4) as (4, 4), the rotation mended where it is off by rounding."""
    if not np.isfinite(matrix).all():
        raise FramedriftError(f"camera file: {name} holds values that are no finite numbers")
    turn = matrix[:, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(turn @ turn.T - np.eye(3)).max()
    if not off <= TOLERANCE:
        raise FramedriftError(
            f"camera file: {name} is no rotation: its axes are off unit length or right angles by {off:.2g} "
            f"(at most {TOLERANCE:g}); scale and shear must be taken out of the matrix"
        )
    if np.linalg.det(turn) < 0:
        raise FramedriftError(
            f"camera file: {name} is mirrored (its determinant is -1); axes must be x right, y down, z forward, and "
            "two of them must change sign together"
        )
    pose = np.eye(4)
    pose[:3] = matrix
    if off > _ROUNDING:
        left, _, right = np.linalg.svd(turn)
        pose[:3, :3] = left @ right
    return pose


def _check_count(count: int) -> None:
    if not count:
        raise FramedriftError("camera file: it holds no pose; it must hold one or more")
    if count > MOST_POSES:
        raise FramedriftError(f"camera file: it holds more than {MOST_POSES} poses; cut it into parts")


def _parsed(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FramedriftError(f"camera file: {name} holds {_short(value)} where a number should be")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise FramedriftError(f"camera file: {name} holds values that are no finite numbers")
    return number


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
