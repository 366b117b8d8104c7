"""Lenses: field of view to pixels."""

import math

import numpy as np

from ..errors import FramedriftError


def check_fov(fov_deg: float, name: str = "fov") -> float:
    """The field of view if a lens can have it.

    Raises:
        FramedriftError: it is not a number between 0 and 180 degrees, both excluded.
    """
    if not (math.isfinite(fov_deg) and 0.0 < fov_deg < 180.0):
        raise FramedriftError(
            f"{name}: a field of view of {fov_deg:g} degrees is no lens; it must lie between 0 and 180"
        )
    return float(fov_deg)


def focal_length(fov_deg: float, length: float) -> float:
    """Focal length in the unit of `length`, the extent that `fov_deg` covers."""
    return 0.5 * length / math.tan(math.radians(check_fov(fov_deg)) / 2)


def intrinsics(fov_deg: float, size: tuple[int, int]) -> np.ndarray:
    """Camera matrix of a lens in the middle of the picture, float64 (3, 3).

    Convention: `fov_deg` is the vertical field of view, pixels are square, `size` is (h, w), and the first pixel's
    centre is (0.5, 0.5), so that the principal point is (w / 2, h / 2).
    """
    h, w = size
    focal = focal_length(fov_deg, h)
    return np.array([[focal, 0.0, w / 2], [0.0, focal, h / 2], [0.0, 0.0, 1.0]])
