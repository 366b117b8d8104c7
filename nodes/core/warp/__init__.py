"""Moves pictures as the camera moves."""

from .affine import motion_matrix
from .deforum import warp_deforum
from .types import Warped, WarpSettings

__all__ = ["WarpSettings", "Warped", "motion_matrix", "warp_deforum"]
