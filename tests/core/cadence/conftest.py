"""A scene that can be drawn exactly at any frame: a textured wall, a textured disc before it, a known camera."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
import torch

NEAR, FAR = 1.0, 50.0
WALL_Z, DISC_Z, DISC_RADIUS = 6.0, 3.0, 0.75


def _texture(x: np.ndarray, y: np.ndarray, seed: int, finest: float) -> np.ndarray:
    """Twenty sine waves a channel, between coarse and `finest` cycles a unit, amplitudes falling with frequency."""
    rng = np.random.default_rng(seed)
    x, y = x.astype(np.float32), y.astype(np.float32)
    channels = []
    for _ in range(3):
        value = np.zeros_like(x)
        for frequency in np.geomspace(0.15, finest, 20):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            along, across = (float(2 * np.pi * frequency * part) for part in (np.cos(angle), np.sin(angle)))
            value += np.sin(along * x + across * y + float(phase)) * float(frequency**-0.5)
        channels.append(value)
    return 0.5 + 0.04 * np.stack(channels)


@dataclass(frozen=True, eq=False)
class Scene:
    """Draws frames of the scene under a pose track (world to camera, OpenCV axes, vertical field of view)."""

    views: np.ndarray
    fov_deg: float
    size: tuple[int, int]
    drawn: dict = field(default_factory=dict)

    def _rays(self, frame: int, samples: int):
        h, w = self.size
        ys, xs = np.mgrid[0 : h * samples, 0 : w * samples] / samples + 0.5 / samples
        focal = 0.5 * h / np.tan(np.radians(self.fov_deg) / 2)
        rays = np.stack([(xs - w / 2) / focal, (ys - h / 2) / focal, np.ones_like(xs)])
        rotation, translation = self.views[frame][:3, :3], self.views[frame][:3, 3]
        return np.einsum("ij,jhw->ihw", rotation.T, rays), -rotation.T @ translation

    def _hit(self, frame: int, samples: int, z: float):
        rays, origin = self._rays(frame, samples)
        t = (z - origin[2]) / rays[2]
        return origin[0] + t * rays[0], origin[1] + t * rays[1], t

    def picture(self, frame: int, details: int = 0) -> torch.Tensor:
        """(H, W, 3). `details` other than 0 draws half of the texture anew, as a diffusion would."""
        if (frame, details) not in self.drawn:
            self.drawn[frame, details] = self._draw(frame, details)
        return self.drawn[frame, details]

    def _draw(self, frame: int, details: int) -> torch.Tensor:
        wall = self._paint(self._hit(frame, 2, WALL_Z), 1, 5.0, details)
        x, y, t = self._hit(frame, 2, DISC_Z)
        disc = self._paint((x, y, t), 2, 9.0, details)
        inside = np.hypot(x, y) < DISC_RADIUS
        drawn = np.where(inside, disc * [[[1.0]], [[0.7]], [[0.4]]] + [[[0.2]], [[0.1]], [[0.0]]], wall)
        h, w = self.size
        drawn = drawn.reshape(3, h, 2, w, 2).mean(axis=(2, 4)).clip(0, 1)
        return torch.from_numpy(drawn.transpose(1, 2, 0).astype(np.float32))

    @staticmethod
    def _paint(hit, seed: int, finest: float, details: int) -> np.ndarray:
        x, y, _ = hit
        coarse = _texture(x, y, seed, finest)
        if not details:
            return coarse
        return 0.5 * coarse + 0.5 * _texture(x, y, seed + 100 * details, finest)

    def disparity(self, frame: int) -> torch.Tensor:
        """(H, W), 0 at FAR and 1 at NEAR; `t` along rays of z 1 is the camera's z."""
        x, y, disc = self._hit(frame, 1, DISC_Z)
        wall = self._hit(frame, 1, WALL_Z)[2]
        z = np.where(np.hypot(x, y) < DISC_RADIUS, disc, wall)
        return torch.from_numpy(((1 / z - 1 / FAR) / (1 / NEAR - 1 / FAR)).astype(np.float32))


def moved(translation=(0.0, 0.0, 0.0), yaw_deg=0.0, roll_deg=0.0, num_frames: int = 13) -> np.ndarray:
    """World-to-camera poses of a camera that moves by the same scene units and degrees each frame."""
    a, b = np.radians(yaw_deg), np.radians(roll_deg)
    step = np.eye(4)
    yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    step[:3, :3] = (yaw @ [[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]]).T
    step[:3, 3] = -np.asarray(translation)
    return np.stack([np.linalg.matrix_power(step, frame) for frame in range(num_frames)])


@pytest.fixture(scope="session")
def make_scene():
    """Scenes by their camera's motion; the same one is drawn once."""

    @cache
    def make(
        translation=(0.0, 0.0, 0.0), yaw_deg=0.0, roll_deg=0.0, num_frames=13, size=(120, 160), fov_deg=60.0
    ) -> Scene:
        return Scene(moved(translation, yaw_deg, roll_deg, num_frames), fov_deg, size)

    return make
