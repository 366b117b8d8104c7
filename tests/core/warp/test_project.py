"""The pinhole warp against an analytic scene: exact where it sees, honest where it cannot."""

import math

import cv2
import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import pose_delta
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import warp_pinhole
from framedrift.nodes.core.warp.sample import sample
from framedrift.nodes.core.warp.splat import Reprojection

MOVES = {
    "sideways": ((60, 0, 0), (0, 0, 0)),
    "dolly": ((0, 0, 100), (0, 0, 0)),
    "dolly back": ((0, 0, -100), (0, 0, 0)),
    "crane and turn": ((-50, 30, 60), (2, -5, 4)),
}


def focal(height: int, fov_deg: float) -> float:
    return height / 2 / math.tan(math.radians(fov_deg) / 2)


def backward_warp(image, depth, step, fov_deg):
    """What most warps do: the source's depth taken for the target's."""
    size = image.shape[-2:]
    length = focal(size[0], fov_deg)
    back = Reprojection(np.linalg.inv(step), length, length, size, image.device)
    dx, dy, _ = back(1 / depth[:, 0])
    return sample(image, dx, dy)


def texture(height, width, seed=0):
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(seed))


def smooth_texture(height, width):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([0.5 + 0.3 * torch.sin(x / 5 + c) * torch.cos(y / 7 - c) for c in range(3)])[None]


def grown(mask):
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


@pytest.mark.parametrize("name", MOVES)
def test_error_is_at_most_a_fifth_of_a_backward_warps(scene, name):
    step = pose_delta(*MOVES[name])
    first, second = scene.view(np.eye(4)), scene.view(step)
    visible = ~scene.hidden_at_first(second)

    def error(image):
        return float((image[0] - second.image[0]).abs().mean(0).numpy()[visible].mean())

    ours = error(warp_pinhole(first.image, first.depth, step, scene.fov_deg).image)
    assert ours <= error(backward_warp(first.image, first.depth, step, scene.fov_deg)) / 5
    assert ours < 0.004


@pytest.mark.parametrize("name", ["sideways", "dolly back", "crane and turn"])
def test_holes_are_where_the_first_camera_saw_nothing(scene, name):
    step = pose_delta(*MOVES[name])
    first, second = scene.view(np.eye(4)), scene.view(step)
    truth = scene.hidden_at_first(second)
    found = warp_pinhole(first.image, first.depth, step, scene.fov_deg).holes[0, 0].numpy() > 0
    assert (found & grown(truth)).sum() / found.sum() >= 0.95
    assert (truth & grown(found)).sum() / truth.sum() >= 0.85


def test_a_dolly_into_the_scene_uncovers_nothing(scene):
    first = scene.view(np.eye(4))
    warped = warp_pinhole(first.image, first.depth, pose_delta((0, 0, 100), (0, 0, 0)), scene.fov_deg)
    assert not warped.holes.any()


def test_holes_are_filled_from_the_wall_and_not_from_the_board(scene):
    """The board is white and the wall grey: no white may stand in what the board has uncovered."""
    first = scene.view(np.eye(4))
    board = torch.from_numpy(first.board)
    image = torch.where(board, 1.0, 0.3).float().expand(1, 3, -1, -1)
    for name in ("sideways", "dolly back", "crane and turn"):
        warped = warp_pinhole(image, first.depth, pose_delta(*MOVES[name]), scene.fov_deg)
        # A pixel beside the board's edge mixes both in the source already.
        inner = cv2.erode(warped.holes[0, 0].numpy(), np.ones((3, 3))) > 0
        assert inner.any()
        assert np.abs(warped.image[0, 0].numpy()[inner] - 0.3).max() < 0.02, name


def test_step_identity_returns_the_same_pixels():
    image = texture(37, 53)
    warped = warp_pinhole(image, torch.rand(1, 1, 37, 53) + 0.5, np.eye(4), 60)
    assert torch.equal(warped.image, image)
    assert not warped.holes.any()
    assert (warped.magnification == 1).all()


@pytest.mark.parametrize("size", [(48, 64), (45, 80), (80, 45)])
@pytest.mark.parametrize(("right", "down"), [(7, 0), (0, -5), (-3, 4)])
def test_a_shift_by_whole_pixels_reproduces_them(size, right, down):
    height, width = size
    image, depth = smooth_texture(height, width), 2.0
    length = focal(height, 70)
    step = np.eye(4)
    step[:2, 3] = right * depth / length, down * depth / length
    warped = warp_pinhole(image, torch.full((1, 1, height, width), depth), step, 70)
    moved = torch.roll(image, (down, right), (-2, -1))
    seen = warped.holes[0, 0] == 0
    assert int((~seen).sum()) == height * width - (height - abs(down)) * (width - abs(right))
    assert float((warped.image - moved).abs()[..., seen].max()) < 1e-5


@pytest.mark.parametrize("size", [(60, 80), (45, 80), (80, 45)])
@pytest.mark.parametrize(
    ("move", "turn", "expected"),
    [
        ((20, 0, 0), (0, 0, 0), (-1, 0)),
        ((0, 20, 0), (0, 0, 0), (0, 1)),
        ((0, 0, 0), (5, 0, 0), (0, 1)),
        ((0, 0, 0), (0, 5, 0), (-1, 0)),
    ],
    ids=["right", "up", "tilt up", "yaw right"],
)
def test_signs_of_the_camera(size, move, turn, expected):
    """A spot in the middle goes against the camera: left when it moves or turns right, down when up."""
    height, width = size
    image = torch.zeros(1, 3, height, width)
    image[..., height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2] = 1
    warped = warp_pinhole(image, torch.ones(1, 1, height, width), pose_delta(move, turn), 70)
    offset = np.subtract(centre_of_mass(warped.image[0, 0]), centre_of_mass(image[0, 0]))[::-1]
    wanted = np.array(expected)
    assert offset @ wanted > 2
    assert np.abs(offset - (offset @ wanted) * wanted).max() < 0.2


@pytest.mark.parametrize("size", [(60, 80), (45, 80), (80, 45)])
def test_forward_magnifies_and_roll_turns_the_picture_against_the_camera(size):
    height, width = size
    image = torch.zeros(1, 1, height, width)
    top = (height - 3) // 2 if height % 2 else (height - 4) // 2
    image[..., top : height - top, width // 2 + 10 : width // 2 + 14] = 1
    depth = torch.ones(1, 1, height, width)
    x0 = centre_of_mass(image[0, 0])[1]
    closer = warp_pinhole(image, depth, pose_delta((0, 0, 40), (0, 0, 0)), 70)
    y, x = centre_of_mass(closer.image[0, 0])
    middle = (width - 1) / 2
    assert x - middle == pytest.approx((x0 - middle) / 0.8, abs=0.05)
    assert closer.magnification.mean() == pytest.approx(1 / 0.8**2, rel=1e-3)
    rolled = warp_pinhole(image, depth, pose_delta((0, 0, 0), (0, 0, 10)), 70)
    y, x = centre_of_mass(rolled.image[0, 0])
    assert math.degrees(math.atan2(y - (height - 1) / 2, x - middle)) == pytest.approx(-10, abs=0.5)


def centre_of_mass(picture):
    total = picture.double().sum()
    y = (picture.double().sum(1) * torch.arange(picture.shape[0])).sum() / total
    x = (picture.double().sum(0) * torch.arange(picture.shape[1])).sum() / total
    return float(y), float(x)


@pytest.mark.parametrize("closer", [0.05, 0.1, 0.3, 0.6, 0.8])
def test_zooming_in_leaves_no_cracks(closer):
    height, width = 90, 120
    image = smooth_texture(height, width)
    tilted = torch.linspace(3, 2, height)[None, None, :, None].expand(1, 1, height, width)
    step = np.eye(4)
    step[2, 3] = -2 * closer
    assert not warp_pinhole(image, tilted, step, 60).holes.any()


def test_nothing_shows_through_a_near_thing_that_comes_closer(scene):
    """The board's cracks, magnified twofold, show no wall."""
    first = scene.view(np.eye(4))
    image = torch.from_numpy(first.board).float()[None, None]
    step = pose_delta((0, 0, 200), (0, 0, 0))
    warped = warp_pinhole(image, first.depth, step, scene.fov_deg)
    inner = cv2.erode(scene.view(step).board.astype(np.uint8), np.ones((5, 5))) > 0
    assert warped.image[0, 0].numpy()[inner].min() > 0.99
    assert not warped.holes[0, 0].numpy()[inner].any()


def test_a_zooming_lens_magnifies():
    image, depth = smooth_texture(64, 96), torch.rand(1, 1, 64, 96) + 1
    factor = focal(64, 40) / focal(64, 60)
    warped = warp_pinhole(image, depth, np.eye(4), 60, fov_to_deg=40)
    assert not warped.holes.any()
    assert torch.allclose(warped.magnification, torch.tensor(factor**2), rtol=1e-4)
    assert torch.equal(warp_pinhole(image, depth, np.eye(4), 60, fov_to_deg=60).image, image)


def test_magnification_is_the_ratio_of_areas():
    """Against the projected area of each pixel's corners, for a wall seen by a camera that moves and turns."""
    height, width, depth = 60, 80, 2.0
    step = pose_delta((30, -20, 70), (6, -8, 11))
    warped = warp_pinhole(texture(height, width), torch.full((1, 1, height, width), depth), step, 65)
    length = focal(height, 65)

    def source(x, y):
        ray = np.array([(x + 0.5 - width / 2) / length, (y + 0.5 - height / 2) / length, 1.0])
        back = np.linalg.inv(step)
        direction, origin = back[:3, :3] @ ray, back[:3, 3]
        point = origin + direction * (depth - origin[2]) / direction[2]
        return point[:2] / point[2] * length

    for x, y in [(40, 30), (20, 12), (55, 44)]:
        across = source(x + 0.01, y) - source(x - 0.01, y)
        down = source(x, y + 0.01) - source(x, y - 0.01)
        area = abs(across[0] * down[1] - across[1] * down[0]) / 0.02**2
        assert float(warped.magnification[0, 0, y, x]) == pytest.approx(1 / area, rel=2e-3)


def test_going_and_coming_back_is_the_same_place():
    image = smooth_texture(90, 120)
    depth = torch.full((1, 1, 90, 120), 3.0)
    step = pose_delta((30, 20, 0), (0, 0, 0))
    there = warp_pinhole(image, depth, step, 60)
    back = warp_pinhole(there.image, depth, np.linalg.inv(step), 60)
    inner = (slice(None), slice(None), slice(20, -20), slice(20, -20))
    assert float((back.image - image)[inner].abs().max()) < 2e-3


def test_sixty_frames_of_deforums_default_keep_the_brightness():
    image = 0.2 + 0.6 * smooth_texture(64, 80)
    depth = 1 / torch.linspace(0.1, 0.9, 64)[None, None, :, None].expand(1, 1, 64, 80)
    step = pose_delta((0, 0, 1.75), (0, 0, 0))
    moved = image
    for _ in range(60):
        moved = warp_pinhole(moved, depth, step, 70).image
    still = warp_pinhole(image, depth, pose_delta((0, 0, 0.01), (0, 0, 0)), 70).image
    assert float(still.mean()) == pytest.approx(float(image.mean()), rel=1e-3)
    flat = torch.full_like(image, 0.4)
    for _ in range(60):
        flat = warp_pinhole(flat, depth, step, 70).image
    assert float((flat - 0.4).abs().max()) < 1e-4
    assert float(moved.min()) > 0.15


def test_what_is_behind_the_camera_or_has_no_depth_is_a_hole():
    image = texture(40, 60)
    depth = torch.full((1, 1, 40, 60), 2.0)
    gone = warp_pinhole(image, depth, pose_delta((0, 0, 500), (0, 0, 0)), 60)
    assert (gone.holes == 1).all()
    assert torch.isfinite(gone.image).all()
    assert torch.isfinite(gone.magnification).all()
    depth[..., 10:20, 20:30] = torch.nan
    depth[..., 25:30, 20:30] = -1
    depth[..., 0:4, 0:4] = torch.inf
    some = warp_pinhole(image, depth, pose_delta((0.01, 0, 0), (0, 0, 0)), 60)
    assert (some.holes[..., 12:18, 22:28] == 1).all()
    assert (some.holes[..., 26:29, 22:28] == 1).all()
    assert (some.holes[..., 1:3, 1:3] == 0).all()
    assert torch.isfinite(some.image).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_tiny_pictures(size):
    warped = warp_pinhole(texture(*size), torch.ones(1, 1, *size), pose_delta((3, 2, 9), (1, 2, 3)), 60)
    assert warped.image.shape == (1, 3, *size)
    assert torch.isfinite(warped.image).all()


def test_borders_beyond_the_frame():
    height, width = 40, 60
    image = smooth_texture(height, width)
    depth, length = 2.0, focal(height, 60)
    step = np.eye(4)
    step[0, 3] = -10 * depth / length
    flat = torch.full((1, 1, height, width), depth)
    results = {b: warp_pinhole(image, flat, step, 60, border=b) for b in ("replicate", "wrap", "reflect", "zeros")}
    right = (slice(None), slice(None), slice(None), slice(width - 10, width))
    assert torch.allclose(results["replicate"].image[right], image[..., -1:].expand(-1, -1, -1, 10), atol=1e-4)
    assert torch.allclose(results["wrap"].image[right], image[..., :10], atol=1e-4)
    assert torch.allclose(results["reflect"].image[right], image[..., -10:].flip(-1), atol=1e-4)
    assert float(results["zeros"].image[right].abs().max()) < 1e-4
    for border, count in {"replicate": 10, "zeros": 10, "wrap": 0, "reflect": 0}.items():
        assert int(results[border].holes.sum()) == count * height


def test_a_batch_is_its_pictures_one_by_one():
    images = torch.cat([texture(30, 40, seed) for seed in range(3)])
    depths = torch.rand((3, 1, 30, 40), generator=torch.Generator().manual_seed(9)) + 1
    step = pose_delta((20, 5, -30), (1, 2, 3))
    together = warp_pinhole(images, depths, step, 60)
    for i in range(3):
        alone = warp_pinhole(images[i : i + 1], depths[i : i + 1], step, 60)
        assert torch.allclose(together.image[i], alone.image[0], atol=1e-6)
        assert torch.equal(together.holes[i], alone.holes[0])


def test_inputs_stay_as_they_are():
    image, depth = texture(30, 40), torch.rand(1, 1, 30, 40) + 1
    kept = image.clone(), depth.clone()
    warp_pinhole(image, depth, pose_delta((20, 5, -30), (1, 2, 3)), 60)
    assert torch.equal(image, kept[0])
    assert torch.equal(depth, kept[1])


def test_refusals():
    image, depth = texture(20, 30), torch.ones(1, 1, 20, 30)
    with pytest.raises(FramedriftError, match="depth"):
        warp_pinhole(image, torch.ones(1, 1, 20, 31), np.eye(4), 60)
    for fov in (0, 180, math.nan):
        with pytest.raises(FramedriftError, match="fov"):
            warp_pinhole(image, depth, np.eye(4), fov)
    with pytest.raises(FramedriftError, match="rotation"):
        warp_pinhole(image, depth, np.diag([2.0, 2, 2, 1]), 60)
    with pytest.raises(FramedriftError, match="border"):
        warp_pinhole(image, depth, np.eye(4), 60, border="mirror")


@pytest.mark.parametrize("size", [(96, 128), (128, 72)])
def test_what_lies_far_away_does_not_tear(size):
    # Far down a tunnel the distance differs by large shares from pixel to pixel, and nothing moves apart for it.
    height, width = size
    x = (torch.arange(width) + 0.5) / width * 2 - 1
    y = (torch.arange(height) + 0.5) / height * 2 - 1
    disparity = torch.maximum(x.abs()[None, :], y.abs()[:, None])[None, None]
    depth = 1 / (disparity * (1 - 1 / 50) + 1 / 50)
    step = np.eye(4)
    step[:3, 3] = (-0.01, 0, -0.04)
    warped = warp_pinhole(torch.rand(1, 3, height, width), depth, step, 70.0)
    assert float(warped.holes.sum()) == 0
