"""Moves pictures as the camera moves."""

from .affine import motion_matrix, perspective_flip, warp_plane
from .clip import WarpedFrames
from .deforum import warp_deforum
from .move import warp
from .project import warp_pinhole
from .types import Warped, WarpSettings

__all__ = [
    "WarpSettings",
    "Warped",
    "WarpedFrames",
    "motion_matrix",
    "perspective_flip",
    "warp",
    "warp_deforum",
    "warp_pinhole",
    "warp_plane",
]
