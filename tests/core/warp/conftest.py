"""An analytic scene: a textured wall, and a textured board in front of it, seen by any pinhole camera."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch


@dataclass(frozen=True)
class View:
    """What a camera sees, and where it sees it: world coordinates are the first camera's."""

    image: torch.Tensor
    depth: torch.Tensor
    world: np.ndarray
    board: np.ndarray


@dataclass(frozen=True)
class Scene:
    """A board, a square about (x, y) with half side `half`, at depth `near`; a wall behind it at `far`."""

    size: tuple[int, int] = (240, 320)
    fov_deg: float = 55.0
    near: float = 2.0
    far: float = 6.0
    board: tuple[float, float, float] = (0.15, -0.1, 0.55)

    def view(self, pose: np.ndarray) -> View:
        return self._view(pose.tobytes())

    @cache  # noqa: B019 - one scene a session, and a few poses
    def _view(self, pose_bytes: bytes) -> View:
        pose = np.frombuffer(pose_bytes).reshape(4, 4)
        samples = (np.arange(3) + 0.5) / 3
        image = sum(self._trace(pose, (dx, dy))[0] for dx in samples for dy in samples) / 9
        _, depth, world, board = self._trace(pose, (0.5, 0.5))
        return View(_tensor(image)[None], _tensor(depth)[None, None], world, board)

    def hidden_at_first(self, view: View) -> np.ndarray:
        """Where a view shows what the first camera does not see: outside its frame, or behind the board."""
        height, width = self.size
        focal = self._focal()
        x, y, z = np.moveaxis(view.world, -1, 0)
        column, row = x / z * focal + width / 2, y / z * focal + height / 2
        outside = (column < 0) | (column >= width) | (row < 0) | (row >= height)
        return outside | (~view.board & self._on_board(x * self.near / z, y * self.near / z))

    def _focal(self) -> float:
        return self.size[0] / 2 / math.tan(math.radians(self.fov_deg) / 2)

    def _on_board(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        center_x, center_y, half = self.board
        return (np.abs(x - center_x) < half) & (np.abs(y - center_y) < half)

    def _trace(self, pose: np.ndarray, at: tuple[float, float]):
        height, width = self.size
        x, y = np.meshgrid(
            (np.arange(width) + at[0] - width / 2) / self._focal(),
            (np.arange(height) + at[1] - height / 2) / self._focal(),
        )
        turn, shift = pose[:3, :3], pose[:3, 3]
        origin, ray = -turn.T @ shift, np.stack([x, y, np.ones_like(x)], -1) @ turn

        def meet(z: float):
            reach = (z - origin[2]) / ray[..., 2]
            return reach, origin + reach[..., None] * ray

        board_depth, on_board = meet(self.near)
        wall_depth, on_wall = meet(self.far)
        board = self._on_board(on_board[..., 0], on_board[..., 1]) & (board_depth > 0)
        world = np.where(board[..., None], on_board, on_wall)
        image = np.where(board, _texture(on_board, 2.2), 0.8 * _texture(on_wall, 1.0))
        return image, np.where(board, board_depth, wall_depth), world, board


def _texture(point: np.ndarray, rate: float) -> np.ndarray:
    u, v = point[..., 0] * rate, point[..., 1] * rate
    return np.stack(
        [
            0.5 + 0.25 * np.sin(9 * u) + 0.2 * np.cos(7 * v),
            0.5 + 0.4 * np.sin(6 * (u + v) + rate),
            0.5 + 0.4 * np.cos(5 * (u - 2 * v)),
        ]
    )


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).float()


@pytest.fixture(scope="session")
def scene() -> Scene:
    return Scene()
