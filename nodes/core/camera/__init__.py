"""From camera schedules to poses."""

from .compose import Combined, on_top
from .lens import intrinsics
from .motion import Camera2D, Camera3D
from .pose import pose_delta, rotation_matrix
from .track import Camera, Track, Track2D, Track3D

__all__ = [
    "Camera",
    "Camera2D",
    "Camera3D",
    "Combined",
    "Track",
    "Track2D",
    "Track3D",
    "intrinsics",
    "on_top",
    "pose_delta",
    "rotation_matrix",
]
