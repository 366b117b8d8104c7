"""Floors and walls seen at grazing angles: neighbouring rows differ much, and are one surface all the same."""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import pose_delta
from framedrift.nodes.core.warp import warp_pinhole
from framedrift.nodes.core.warp.slope import slopes, steepest_stretch
from framedrift.nodes.core.warp.splat import Reprojection

SIZES = {"4:3": (240, 320), "9:16": (320, 180), "16:9": (216, 384)}
BOARD = (-0.25, 0.2, -0.6, 0.25, 1.6)
MOVES = {
    "rises": ((0, 50, 0), (0, 0, 0)),
    "rises high": ((0, 120, 0), (0, 0, 0)),
    "sinks": ((0, -50, 0), (0, 0, 0)),
    "pushes in": ((0, 0, 60), (0, 0, 0)),
    "pulls back": ((0, 0, -60), (0, 0, 0)),
    "tilts down while it rises": ((0, 60, 0), (-8, 0, 0)),
    "tilts up while it rises": ((0, 60, 0), (6, 0, 0)),
    "trucks": ((60, 0, 0), (0, 0, 0)),
    "trucks and rises": ((40, 30, 20), (2, -4, 3)),
}


@dataclass(frozen=True)
class Room:
    """Planes about the camera, each seen from inside, and a board in the room: (x from, to, y from, to, z).

    A plane's inverse depth in the first view is linear in the image's place: a x + b y + c for the ray (x, y, 1). The
    nearest plane along a ray is the one of the greatest inverse depth, so a room has no hidden places but those behind
    the board.
    """

    size: tuple[int, int]
    planes: tuple[tuple[float, float, float], ...]
    board: tuple[float, float, float, float, float] | None = None
    fov_deg: float = 70.0
    wave: tuple[float, ...] = field(default=(3.0, 4.0, 5.0))

    @property
    def focal(self) -> float:
        return self.size[0] / 2 / math.tan(math.radians(self.fov_deg) / 2)

    def view(self, pose):
        """Image (1, 3, h, w), inverse depth (h, w), world points (h, w, 3) and where the board is, of a camera."""
        samples = (np.arange(2) + 0.5) / 2
        image = sum(self._trace(pose, (x, y))[0] for x in samples for y in samples) / 4
        _, inverse, world, board = self._trace(pose, (0.5, 0.5))
        return torch.from_numpy(image).float()[None], inverse, world, board

    def _trace(self, pose, at):
        height, width = self.size
        x, y = np.meshgrid(
            (np.arange(width) + at[0] - width / 2) / self.focal, (np.arange(height) + at[1] - height / 2) / self.focal
        )
        origin, ray = -pose[:3, :3].T @ pose[:3, 3], np.stack([x, y, np.ones_like(x)], -1) @ pose[:3, :3]
        found = np.stack([ray @ np.array(n) / (1 - np.dot(n, origin)) for n in self.planes])
        which, inverse = found.argmax(0), found.max(0)
        world = origin + ray / inverse[..., None]
        board = np.zeros(self.size, bool)
        if self.board:
            reach = (self.board[4] - origin[2]) / ray[..., 2]
            met = origin + reach[..., None] * ray
            board = self._on_board(met[..., 0], met[..., 1]) & (1 / reach > inverse)
            inverse, world = np.where(board, 1 / reach, inverse), np.where(board[..., None], met, world)
        # What lies far off has no detail, as in a picture: it would be finer than a pixel.
        flat = world * np.where(board, 6.0, 1.0)[..., None] / (1 + 0.3 * np.linalg.norm(world, axis=-1))[..., None]
        level = np.where(board, 0.8, 0.4 + 0.05 * which)
        colours = [
            level + 0.2 * np.sin(w * flat[..., 0] + c) * np.cos(w * (flat[..., 1] + flat[..., 2]))
            for c, w in enumerate(self.wave)
        ]
        return np.stack(colours), inverse, world, board

    def _on_board(self, x, y):
        left, right, top, bottom, _ = self.board
        return (x > left) & (x < right) & (y > top) & (y < bottom)

    def unseen_at_first(self, world, board):
        """Where a view shows what lies outside the first camera's frame, or behind its board."""
        height, width = self.size
        x, y, z = np.moveaxis(world, -1, 0)
        column, row = x / z * self.focal + width / 2, y / z * self.focal + height / 2
        unseen = (z <= 0) | (column < 0) | (column >= width) | (row < 0) | (row >= height)
        if self.board:
            share = self.board[4] / z
            unseen |= ~board & (share < 1) & self._on_board(x * share, y * share)
        return unseen


def floor(size, horizon=0.8, near=1.0, far=20.0, board=None, tunnel=False):
    """What `SyntheticDepth` makes of a ground or a tunnel, as planes."""
    height, width = size
    focal = size[0] / 2 / math.tan(math.radians(70) / 2)
    rise, flat = 1 / near - 1 / far, 1 / far

    def slope(share_at_zero, share_at_one, axis, length):
        # Inverse depth that is flat at one share of the picture's side and flat + rise at another.
        per_share = rise / (share_at_one - share_at_zero)
        plane = [0.0, 0.0, flat + per_share * (0.5 - share_at_zero)]
        plane[axis] = per_share * focal / length
        return tuple(plane)

    ground = slope(horizon, 1.0, 1, height)
    if not tunnel:
        return Room(size, (ground, (0.0, 0.0, flat)), board)
    others = slope(horizon, 0.0, 1, height), slope(0.5, 0.0, 0, width), slope(0.5, 1.0, 0, width)
    return Room(size, (ground, *others, (0.0, 0.0, flat)), board)


def grown(mask, radius=1):
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)) > 0


def judge(room, move, blur=0.0):
    """Precision and recall of the holes within a pixel, and the mean error over what both cameras see."""
    step = pose_delta(*move)
    image, inverse, _, _ = room.view(np.eye(4))
    wanted, _, world, board = room.view(step)
    if blur:
        inverse = cv2.GaussianBlur(inverse, (0, 0), blur)
    depth = torch.from_numpy(1 / inverse).float()[None, None]
    warped = warp_pinhole(image, depth, step, room.fov_deg, sampling="bilinear")
    truth, found = room.unseen_at_first(world, board), warped.holes[0, 0].numpy() > 0
    precision = (found & grown(truth)).sum() / found.sum() if found.any() else 1.0
    recall = (truth & grown(found)).sum() / truth.sum() if truth.any() else 1.0
    error = (warped.image - wanted)[0].abs().mean(0).numpy()
    return precision, recall, float(error[~grown(truth)].mean())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MOVES)
def test_a_floor_at_a_grazing_angle_has_holes_only_outside_the_frame(size, name):
    precision, recall, error = judge(floor(SIZES[size]), MOVES[name])
    assert precision >= 0.95
    assert recall >= 0.95
    assert error < 0.002


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["rises high", "tilts down while it rises", "pushes in"])
def test_a_floor_whose_rows_are_drawn_five_times_apart(size, name):
    precision, recall, error = judge(floor(SIZES[size], horizon=0.9), MOVES[name])
    assert precision >= 0.95
    assert recall >= 0.95
    assert error < 0.002


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["trucks", "trucks and rises", "pushes in", "rises high"])
def test_a_tunnel_has_holes_only_outside_the_frame(size, name):
    precision, recall, error = judge(floor(SIZES[size], horizon=0.5, tunnel=True), MOVES[name])
    assert precision >= 0.95
    assert recall >= 0.95
    assert error < 0.002


@pytest.mark.parametrize("blur", [0.0, 1.0])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["rises", "rises high", "trucks", "pulls back", "trucks and rises"])
def test_a_board_before_the_floor_still_leaves_its_hole(size, name, blur):
    room = floor(SIZES[size], horizon=0.6, board=BOARD)
    precision, recall, error = judge(room, MOVES[name], blur)
    assert precision >= 0.95
    assert recall >= 0.85
    assert error < 0.003


def test_a_blurred_horizon_does_not_tear():
    for name in ("rises", "pushes in", "tilts up while it rises"):
        assert judge(floor(SIZES["4:3"]), MOVES[name], blur=1.2)[0] >= 0.95, name


def test_the_slope_of_a_plane_goes_up_to_its_edge_and_a_step_is_none():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    plane = 0.02 * x + 0.03 * y
    both = torch.stack([torch.where(x < 12, plane, 2.0), plane])
    every = torch.arange(both.numel())
    slope_x, slope_y = (found.view(2, 20, 30) for found in slopes(both, every))
    wanted = (x < 12).float()
    assert torch.allclose(slope_x[0], 0.02 * wanted, atol=1e-5)
    assert torch.allclose(slope_y[0], 0.03 * wanted, atol=1e-5)
    assert torch.allclose(slope_x[1], torch.tensor(0.02), atol=1e-5)
    assert torch.allclose(slope_y[1], torch.tensor(0.03), atol=1e-5)
    assert all(not found.any() for found in slopes(torch.rand(3, 1, 1), torch.arange(3)))


@pytest.mark.parametrize(("move", "stretch"), [((0, 50, 0), 1 + 0.25 * 200 * 0.01), ((0, -50, 0), 1), ((50, 0, 0), 1)])
def test_only_a_motion_along_the_slope_draws_it_apart(move, stretch):
    source = (0.05 + 0.01 * torch.arange(60.0))[None, :, None].expand(1, 60, 80)
    forward = Reprojection(pose_delta(move, (0, 0, 0)), 200.0, 200.0, (60, 80), source.device)
    assert steepest_stretch(source, forward) == pytest.approx(stretch, rel=1e-5)
