"""Camera paths as Wan's Fun Camera models read them: the ray through every pixel, as Pluecker coordinates."""

import numpy as np
import torch
from torch import Tensor

from ..errors import FramedriftError
from .lens import intrinsics
from .pose import inverse_rigid
from .track import Track2D, Track3D

# A video VAE of Wan packs this many frames into one, the first frame alone excepted; so a clip has 4m + 1 frames.
GROUP = 4
# Width and height of a clip are multiples of this: 8 by the VAE, 2 by the model.
MULTIPLE = 16
# Width over height of the footage whose poses trained CameraCtrl; ComfyUI's node scales its focal lengths by it.
_FOOTAGE = 1280 / 720
# The focal lengths that ComfyUI's node has by default, as shares of the footage's width and height.
_DEFAULT_FOCAL = 0.5
# How far a pose may be from a rotation and a translation.
_RIGID = 1e-4


def check_length(length: int) -> int:
    """The length of a clip, if it is one that Wan makes.

    Raises:
        FramedriftError: it is not 4m + 1; the nearest two that are get named.
    """
    if length >= 1 and length % GROUP == 1:
        return length
    below = max(1, (length - 1) // GROUP * GROUP + 1)
    raise FramedriftError(
        f"length: {length} frames are no clip that Wan makes: it must be a multiple of 4, and 1 more. Take {below} or "
        f"{below + GROUP}"
    )


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size (h, w) of a clip, if it is one that Wan makes.

    Raises:
        FramedriftError: a side is no multiple of 16, or none at all; the nearest that is gets named.
    """
    for name, side in zip(("height", "width"), size, strict=True):
        if side < 1 or side % MULTIPLE:
            near = max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)
            raise FramedriftError(f"{name}: {side} pixels; Wan makes multiples of {MULTIPLE}, take {near}")
    return size


def clip_poses(track: Track3D | Track2D, start: int, length: int, scale: float = 1.0) -> np.ndarray:
    """Camera to world of a clip out of an animation, (length, 4, 4) float64; its first frame is the world.

    Args:
        track: the whole animation's camera.
        start: frame of the animation that is the clip's first.
        length: frames of the clip.
        scale: what translations are multiplied by: scene units to those of the video model.

    Raises:
        FramedriftError: the camera moves in a plane, or the clip leads beyond the animation.
    """
    if not isinstance(track, Track3D):
        raise FramedriftError(
            "camera: a 2D camera moves the picture in its plane, and a video model wants to know where the camera is "
            "in space. Take 3D Camera: rotation_3d_z turns, translation_z and fov_schedule zoom"
        )
    if not 0 <= start <= len(track) - length:
        raise FramedriftError(
            f"start_frame: a clip of {length} frames from frame {start} on leads beyond the animation's {len(track)}, "
            f"0 to {len(track) - 1}. Raise num_frames to {start + length}, or set it to 0"
        )
    poses = track.poses()[start : start + length]
    relative = inverse_rigid(poses[0]) @ poses
    relative[0] = np.eye(4)
    relative[:, :3, 3] *= scale
    return relative


def lens_intrinsics(fov_deg: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The camera's own lens, (F, 4) float64: fx, fy, cx, cy in pixels.

    Convention: `fov_deg` (F,) is vertical, pixels are square, the first pixel's centre is (0.5, 0.5), size is (h, w).
    """
    matrices = [intrinsics(float(fov), size) for fov in fov_deg]
    return np.array([[matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]] for matrix in matrices])


def default_intrinsics(length: int, size: tuple[int, int]) -> np.ndarray:
    """The lens of ComfyUI's own WanCameraEmbedding at its defaults, (length, 4) float64: fx, fy, cx, cy in pixels.

    Convention: half of the width and half of the height of the 16:9 footage that covers the clip are its focal
    lengths, so that fx is 16/9 of fy and its pixels are not square. The first pixel's centre is (0.5, 0.5), size is
    (h, w).
    """
    h, w = size
    covering = (h, h * _FOOTAGE) if w / h < _FOOTAGE else (w / _FOOTAGE, w)
    return np.tile([_DEFAULT_FOCAL * covering[1], _DEFAULT_FOCAL * covering[0], w / 2, h / 2], (length, 1))


def plucker_embedding(poses: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> Tensor:
    """The ray of every pixel of every frame, (F, 6, H, W) float32: its moment t x D, then its direction D.

    Convention: D is the unit vector from the camera's centre t through the pixel's centre (u + 0.5, v + 0.5), both in
    the coordinates that `poses` lead to; axes are x right, y down, z forward. size is (h, w).

    Args:
        poses: (F, 4, 4), camera to world.
        intrinsics: (F, 4), fx, fy, cx, cy in pixels.
        size: of the frames.

    Raises:
        FramedriftError: a pose that is no rotation and translation, a focal length that is not over 0, or different
            numbers of both.
    """
    _check(poses, intrinsics)
    embedding = torch.empty(len(poses), 6, *size)
    _fill(list(embedding), poses, intrinsics, size)
    return embedding


def wan_embedding(poses: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> Tensor:
    """What WanCameraImageToVideo takes as camera_conditions, (1, 24, (F + 3) / 4, H, W) float32.

    The first frame's rays stand four times, so that frames come in groups of four; channel 4c + k of a group is channel
    c (`plucker_embedding`) of its frame k. It is filled in place: nothing else of its size is made.

    Args:
        poses: (F, 4, 4), camera to world, the first frame the identity; F is 4m + 1.
        intrinsics: (F, 4), fx, fy, cx, cy in pixels.
        size: (h, w) of the frames.

    Raises:
        FramedriftError: what `plucker_embedding` says, or a length that is not 4m + 1.
    """
    _check(poses, intrinsics)
    check_length(len(poses))
    groups = (len(poses) + GROUP - 1) // GROUP
    embedding = torch.empty(1, 6 * GROUP, groups, *size)
    slots = embedding.view(6, GROUP, groups, *size)
    first = GROUP - 1
    places = [slots[:, (frame + first) % GROUP, (frame + first) // GROUP] for frame in range(len(poses))]
    _fill(places, poses, intrinsics, size)
    slots[:, :first, 0] = slots[:, first:, 0]
    return embedding


def _fill(places: list[Tensor], poses: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> None:
    lens, rays = None, torch.empty(0)
    for place, pose, now in zip(places, np.asarray(poses, np.float64), intrinsics, strict=True):
        if lens is None or not np.array_equal(lens, now):
            lens, rays = now, _camera_rays(now, size)
        turn, (x, y, z) = pose[:3, :3], pose[:3, 3]
        moment = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]) @ turn
        # Both halves are linear in the camera's own rays.
        both = torch.from_numpy(np.concatenate([moment, turn])).float()
        place.copy_((both @ rays).view(6, *size))


def _camera_rays(lens: np.ndarray, size: tuple[int, int]) -> Tensor:
    # Unit vectors through the pixels' centres in the camera's own axes, (3, H W) float32.
    (h, w), (fx, fy, cx, cy) = size, (float(value) for value in lens)
    rays = torch.ones(3, h, w, dtype=torch.float64)
    rays[0] = (torch.arange(w, dtype=torch.float64) + 0.5 - cx) / fx
    rays[1] = ((torch.arange(h, dtype=torch.float64) + 0.5 - cy) / fy)[:, None]
    rays /= rays.norm(dim=0)
    return rays.view(3, h * w).float()


def _check(poses: np.ndarray, intrinsics: np.ndarray) -> None:
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not len(poses) or intrinsics.shape != (len(poses), 4):
        raise FramedriftError(
            f"camera: poses {poses.shape} and intrinsics {intrinsics.shape}; there must be (F, 4, 4) and (F, 4)"
        )
    turns = poses[:, :3, :3]
    error = np.abs(turns @ np.swapaxes(turns, 1, 2) - np.eye(3)).max((1, 2)) + np.abs(np.linalg.det(turns) - 1)
    bad = np.flatnonzero(~((error < _RIGID) & np.isfinite(poses).all((1, 2))))
    if bad.size:
        raise FramedriftError(f"camera: the pose of frame {bad[0]} is no rotation and translation")
    bad = np.flatnonzero(~((intrinsics[:, :2] > 0).all(1) & np.isfinite(intrinsics).all(1)))
    if bad.size:
        raise FramedriftError(f"lens: frame {bad[0]} has focal lengths that are not over 0")
