"""Moves a picture in its plane: one resampling for any affine or projective matrix."""

import math

import numpy as np
import torch
from torch import Tensor

from ..camera.lens import check_fov
from ..errors import FramedriftError
from .sample import sample
from .types import BORDERS, SAMPLINGS, Warped, check_choice

# A target pixel whose source lies this near the frame's edge, in pixels, still belongs to the frame: rounding.
_EDGE = 1e-3
# Where a projective matrix's weight falls to this, its horizon lies, and behind it nothing.
_HORIZON = 1e-6


def motion_matrix(
    width: int,
    height: int,
    angle: float = 0,
    zoom: float = 1,
    translation_x: float = 0,
    translation_y: float = 0,
    transform_center_x: float = 0.5,
    transform_center_y: float = 0.5,
) -> np.ndarray:
    """One frame of Deforum's 2D motion, float64 (3, 3).

    Convention: takes source pixel indices (x, y, 1) to destination pixel indices. M = R T: first the translation,
    then turn and zoom about (width * transform_center_x, height * transform_center_y). Positive angle turns the picture
    counter-clockwise, zoom over 1 goes in, positive translation moves the picture right and down.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        angle: degrees.
        zoom: factor, above 0.
        translation_x: pixels.
        translation_y: pixels.
        transform_center_x: share of the width.
        transform_center_y: share of the height.

    Raises:
        FramedriftError: zoom is not above 0.
    """
    if not zoom > 0:
        raise FramedriftError(f"zoom: {zoom:g} leaves nothing of the picture; it must be above 0 (1 keeps the size)")
    center_x, center_y = width * transform_center_x, height * transform_center_y
    a, b = zoom * math.cos(math.radians(angle)), zoom * math.sin(math.radians(angle))
    turn = np.array(
        [
            [a, b, (1 - a) * center_x - b * center_y],
            [-b, a, b * center_x + (1 - a) * center_y],
            [0, 0, 1],
        ]
    )
    shift = np.array([[1, 0, translation_x], [0, 1, translation_y], [0, 0, 1]])
    return turn @ shift


def perspective_flip(
    width: int, height: int, theta: float = 0, phi: float = 0, gamma: float = 0, fv: float = 53
) -> np.ndarray:
    """Deforum's perspective flip, float64 (3, 3): the picture's plane turned in space, and seen through a lens.

    Convention: takes source pixel indices to destination pixel indices, and comes after `motion_matrix`: F M. The plane
    is turned by Rx(phi) Ry(gamma) Rz(theta) about the point (s / 2, s / 2), s = d / cos(fv / 2), d the picture's
    diagonal in pixels: classic Deforum's own pivot, which lies right of and below the middle. It is seen from
    d / (2 sin(fv / 2)) in front. x right, y down, z towards the viewer; all angles 0 change nothing.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        theta: degrees about z.
        phi: degrees about x.
        gamma: degrees about y.
        fv: field of view in degrees.

    Raises:
        FramedriftError: fv is no lens's, or the plane is seen from its edge.
    """
    half = math.radians(check_fov(fv, "perspective_flip_fv")) / 2
    diagonal = math.hypot(width, height)
    side, away = diagonal / math.cos(half), diagonal / (2 * math.sin(half))
    turn = np.eye(3)
    for angle, (row, column) in ((phi, (1, 2)), (gamma, (2, 0)), (theta, (0, 1))):
        about = np.eye(3)
        about[row, row] = about[column, column] = math.cos(math.radians(angle))
        about[row, column], about[column, row] = -math.sin(math.radians(angle)), math.sin(math.radians(angle))
        turn = turn @ about
    moved = np.column_stack([turn[:, 0], turn[:, 1], (0.0, 0.0, -away)])
    depth = -moved[2]
    across = side / 2 / math.tan(half)
    flip = np.stack([across * moved[0] + side / 2 * depth, across * moved[1] + side / 2 * depth, depth])
    flip = flip @ np.array([[1, 0, -side / 2], [0, 1, -side / 2], [0, 0, 1]])
    if abs(np.linalg.det(flip / away)) < 1e-9:
        raise FramedriftError(
            f"perspective_flip: phi {phi:g} and gamma {gamma:g} turn the picture's plane on its edge, where nothing is "
            "seen of it; keep both away from 90 degrees"
        )
    return flip / flip[2, 2] if abs(flip[2, 2]) > 1e-12 else flip


def warp_plane(image: Tensor, matrix: np.ndarray, border: str = "replicate", sampling: str = "bicubic") -> Warped:
    """The picture moved by a matrix, in one resampling.

    Convention: `matrix` (3, 3) takes source pixel indices to target pixel indices, as `motion_matrix`.

    Holes are the target pixels whose source lies outside the frame. With "replicate" they show the smeared edge and
    with "zeros" black, and both are there to be diffused anew; with "wrap" and "reflect" the border is a picture, and
    nothing is a hole but what lies behind the horizon of a projective matrix.

    Args:
        image: (B, C, H, W), 0..1.
        matrix: 3x3, invertible.
        border: one of `types.BORDERS`.
        sampling: one of `types.SAMPLINGS`.

    Raises:
        FramedriftError: the matrix takes the picture's plane to a line, or an unknown border or sampling.
    """
    check_choice("border", border, BORDERS)
    check_choice("sampling", sampling, SAMPLINGS)
    matrix = np.asarray(matrix, dtype=np.float64)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        raise FramedriftError("the 2D motion leaves nothing of the picture; zoom must stay above 0")
    batch, _, height, width = image.shape
    dx, dy, weight = _displacements(np.linalg.inv(matrix), (height, width), image.device)
    moved = sample(image, dx, dy, sampling, border)
    shape = (batch, 1, height, width)
    holes = torch.zeros((1, height, width), dtype=torch.bool, device=image.device)
    if border in ("replicate", "zeros"):
        holes = outside_frame(dx, dy, (height, width))
    grown = abs(float(np.linalg.det(matrix)))
    if weight is None:
        magnification = torch.full(shape, grown / abs(matrix[2, 2]) ** 3, device=image.device)
    else:
        holes |= weight <= _HORIZON
        magnification = weight.abs().pow(3).mul_(grown)[:, None].expand(shape).contiguous()
    return Warped(moved, holes.float()[:, None].expand(shape).contiguous(), magnification)


def outside_frame(dx: Tensor, dy: Tensor, size: tuple[int, int]) -> Tensor:
    """Where a pixel, displaced by (dx, dy), lies beyond the outer edge of a frame of `size` (h, w)."""
    height, width = size
    x = torch.arange(width, device=dx.device) - (width - 1) / 2
    y = torch.arange(height, device=dx.device)[:, None] - (height - 1) / 2
    return ((dx + x).abs_() > width / 2 + _EDGE) | ((dy + y).abs_() > height / 2 + _EDGE)


def _displacements(
    inverse: np.ndarray, size: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    # Where each target pixel reads, less its own place: that keeps float32's precision where the motion is small, so
    # that a shift by whole pixels is exact. The third is a projective matrix's weight, for an affine one None.
    height, width = size
    column = torch.arange(width, dtype=torch.float64)[None, None, :]
    row = torch.arange(height, dtype=torch.float64)[None, :, None]

    def plane(of_column: Tensor, of_row: Tensor) -> Tensor:
        # Ramps are made in float64 where every device has it.
        return of_column.float().to(device) + of_row.float().to(device)

    if not inverse[2, :2].any() and inverse[2, 2] > 0:
        (a, b, c), (d, e, f) = (inverse[:2] / inverse[2, 2]).tolist()
        return plane((a - 1) * column + c, b * row), plane(d * column, (e - 1) * row + f), None
    (a, b, c), (d, e, f), (g, h, i) = inverse.tolist()
    weight = plane(g * column, h * row + i)
    move_x = plane((a - i) * column + c - g * column**2, b * row)
    move_y = plane(d * column, (e - i) * row + f - h * row**2)
    x, y = column.float().to(device), row.float().to(device)
    nearer = weight.clamp(min=_HORIZON).reciprocal_()
    move_x.addcmul_(x, y, value=-h).mul_(nearer)
    move_y.addcmul_(x, y, value=-g).mul_(nearer)
    return move_x, move_y, weight
