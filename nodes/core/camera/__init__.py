"""From camera schedules to poses."""

from .lens import intrinsics
from .motion import Camera2D, Camera3D, Track, Track2D, Track3D, pose_delta, rotation_matrix

__all__ = ["Camera2D", "Camera3D", "Track", "Track2D", "Track3D", "intrinsics", "pose_delta", "rotation_matrix"]
