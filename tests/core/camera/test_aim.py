"""Looking at a thing: where it is in the picture, frame after frame."""

import logging
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera2D, Camera3D, intrinsics
from framedrift.nodes.core.camera.aim import Aimed, Target, find_target
from framedrift.nodes.core.camera.loop import Looped
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import warp_pinhole

FRAMES = 120
SIZES = {"4:3": (90, 120), "16:9": (72, 128), "9:16": (128, 72)}
# What the camera does in 120 frames, round a thing 4 scene units ahead.
MOVES = {
    "truck": Camera3D("0:(5)", 0, 0),
    "orbit": Camera3D("0:(6)", 0, 0, 0, "0:(-0.43)", 0),
    "dolly": Camera3D(0, 0, "0:(4)"),
    "pull back": Camera3D(0, 0, "0:(-6)"),
    "crane": Camera3D("0:(2)", "0:(4)", "0:(1)", "0:(0.1*sin(t/9))", 0, "0:(0.2)"),
    "zoom": Camera3D("0:(3)", "0:(-2)", "0:(-3)", 0, 0, 0, "0:(70), 119:(35)"),
}
DISTANCE = 4.0


def track(camera, size=(90, 160), frames=FRAMES):
    return camera.track(frames, 15.0, 0, size)


def pixels(found, point, size):
    """Where a point of the first camera's space is seen, (F, 2) pixel indices."""
    seen = []
    for view, fov in zip(found.views, found.fov_deg, strict=True):
        x, y, w = intrinsics(fov, size) @ (view @ (*point, 1))[:3]
        seen.append((x / w - 0.5, y / w - 0.5))
        assert w > 0
    return np.array(seen)


def unproject(target, size, fov=70):
    ray = np.linalg.inv(intrinsics(fov, size)) @ (target.x + 0.5, target.y + 0.5, 1)
    return ray * target.distance


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("move", MOVES)
def test_the_target_stays_at_its_pixel(move, size):
    target = Target(0.31 * size[1], 0.68 * size[0], DISTANCE)
    base, found = track(MOVES[move], size), track(Aimed(MOVES[move], target), size)
    seen = pixels(found, unproject(target, size), size)
    np.testing.assert_allclose(seen, [(target.x, target.y)] * FRAMES, atol=1e-9)
    np.testing.assert_allclose(found.poses()[:, :3, 3], base.poses()[:, :3, 3], atol=1e-12)
    assert np.array_equal(found.views[0], np.eye(4))
    # Without it the thing goes away; else this would show nothing.
    away = (base.views[-1] @ (*unproject(target, size), 1))[:3]
    x, y, w = intrinsics(base.fov_deg[-1], size) @ away
    assert w <= 0 or math.hypot(x / w - 0.5 - target.x, y / w - 0.5 - target.y) > 3


def spot(size, x, y, width=2.5):
    """A round white spot on black."""
    row, column = torch.arange(size[0])[:, None], torch.arange(size[1])
    return torch.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * width**2))[None, None].expand(1, 3, -1, -1)


def centre(image):
    weight = image[0, 0].double().clamp(min=0)
    weight = torch.where(weight > 0.05, weight, 0.0)
    total = weight.sum()
    x = (weight.sum(0) * torch.arange(weight.shape[1])).sum() / total
    y = (weight.sum(1) * torch.arange(weight.shape[0])).sum() / total
    return np.array([float(x), float(y)])


def wall(view, fov, size):
    """Depth of the wall z = DISTANCE of the first camera's space, seen from a view: exact, (1, 1, h, w)."""
    h, w = size
    inverse = np.linalg.inv(intrinsics(fov, size))
    column, row = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    rays = np.stack([column, row, np.ones_like(row)], -1) @ inverse.T
    normal = view[:3, :3] @ (0, 0, 1)
    offset = DISTANCE + normal @ view[:3, 3]
    facing = rays @ normal
    return torch.from_numpy(np.where(facing > 1e-3, offset / np.maximum(facing, 1e-3), 1e6)).float()[None, None]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("move", ["orbit", "dolly", "crane", "zoom"])
def test_the_picture_of_the_target_stays_too(move, size):
    """Warped at once from the first frame to the last ones."""
    target = Target(round(0.42 * size[1]), round(0.55 * size[0]), DISTANCE)
    found = track(Aimed(MOVES[move], target), size)
    image = spot(size, target.x, target.y)
    for frame in (30, 75, 119):
        warped = warp_pinhole(
            image, wall(np.eye(4), 70, size), found.step(0, frame), 70, float(found.fov_deg[frame]), "zeros"
        )
        # A spot on a slanted wall is seen a little off the centre of its outline, however exact the camera.
        assert np.abs(centre(warped.image) - (target.x, target.y)).max() < 0.5


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("move", ["orbit", "dolly", "crane"])
def test_it_stays_when_frames_are_warped_from_those_before(move, size):
    """Two frames at a time: 59 warps on top of each other."""
    target = Target(round(0.42 * size[1]), round(0.55 * size[0]), DISTANCE)
    found = track(Aimed(MOVES[move], target), size)
    image, seen = spot(size, target.x, target.y), []
    for frame in range(2, FRAMES, 2):
        fov, fov_to = float(found.fov_deg[frame - 2]), float(found.fov_deg[frame])
        depth = wall(found.views[frame - 2], fov, size)
        image = warp_pinhole(image, depth, found.step(frame - 2, frame), fov, fov_to, "zeros").image
        if frame % 10 == 8:
            seen.append(centre(image))
    assert np.abs(np.array(seen) - (target.x, target.y)).max() < 1.0


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 159), st.floats(0, 89), st.floats(0.5, 30), *[st.floats(-1, 1)] * 3, *[st.floats(-20, 20)] * 3)
def test_any_way_and_any_turn(x, y, distance, dx, dy, dz, tilt, yaw, roll):
    size, target = (90, 160), Target(x, y, distance)
    base = Camera3D(*(200 * d / 20 for d in (dx, dy, dz)), tilt, yaw, roll)
    try:
        found = track(Aimed(base, target), size, 5)
    except FramedriftError as error:
        assert "reaches" in str(error)
        return
    np.testing.assert_allclose(pixels(found, unproject(target, size), size), [(x, y)] * 5, atol=1e-7)


def test_the_roll_of_the_base_is_kept():
    base = Camera3D("0:(2)", 0, 0, 0, 0, "0:(0.5)")
    found = track(Aimed(base, Target(79.5, 44.5, DISTANCE)))
    # The world's vertical, as the picture shows it at its middle.
    down = found.views[60][:3, :3] @ (0, 1, 0)
    assert math.degrees(math.atan2(down[0], down[1])) == pytest.approx(30, abs=0.5)


def test_strength_is_a_share_of_the_turn():
    base, middle = MOVES["truck"], Target(79.5, 44.5, DISTANCE)
    turned = [track(Aimed(base, middle, strength)).poses()[100][:3, :3] for strength in (0, 0.25, 0.5, 1)]
    angles = [math.degrees(math.acos(min(turn[2, 2], 1))) for turn in turned]
    whole = math.degrees(math.atan2(5 * 100 / 200, DISTANCE))
    assert angles == pytest.approx([0, whole / 4, whole / 2, whole], abs=1e-5)


def test_a_camera_at_rest_stays_at_rest():
    pause = "0:(3), 5:(3), 6:(0)"
    still = track(Aimed(Camera3D(0, 0, 0), Target(13, 71, 3.7)))
    assert still.at_rest(0, FRAMES - 1)
    assert np.array_equal(still.views[7], np.eye(4))
    assert track(Aimed(Camera3D(pause, pause, pause), Target(13, 71, 3.7), 0.3)).at_rest(6, FRAMES - 1)


def test_a_longer_animation_starts_the_same():
    camera = Aimed(MOVES["crane"], Target(13, 71, 3.7))
    np.testing.assert_array_equal(track(camera, frames=40).views, track(camera, frames=90).views[:40])


def test_a_loop_that_is_looked_at_still_closes():
    """And its thing stays in its place too."""
    target = Target(30, 60, DISTANCE)
    found = track(Aimed(Looped(MOVES["crane"], length=40), target), frames=41)
    np.testing.assert_allclose(found.views[40], np.eye(4), atol=1e-12)
    np.testing.assert_allclose(pixels(found, unproject(target, (90, 160)), (90, 160)), [(30, 60)] * 41, atol=1e-9)


@pytest.mark.parametrize("start", [1.0, 1.01])
def test_reaching_the_target_is_an_error_that_names_the_frame(start):
    """Also where the point is passed between two frames."""
    base = Camera3D(0, 0, "0:(10)")
    with pytest.raises(FramedriftError, match=r"frame 2[01] it reaches what it looks at, 1(\.01)? scene units"):
        track(Aimed(base, Target(79.5, 44.5, start)))
    assert len(track(Aimed(base, Target(83.0, 44.5, start))).views) == FRAMES


def test_a_back_turned_on_the_target_is_made_good_with_a_warning(caplog):
    base = Camera3D(0, 0, 0, 0, "0:(10)", 0)
    target = Target(79.5, 44.5, 3.0)
    with caplog.at_level(logging.WARNING):
        found = track(Aimed(base, target), frames=30)
    np.testing.assert_allclose(pixels(found, unproject(target, (90, 160)), (90, 160)), [(79.5, 44.5)] * 30, atol=1e-9)
    assert "frame 18" in caplog.text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Target(math.nan, 3, 1), "x and y: nan"),
        (lambda: Target(3, 3, 0), "distance: 0 scene units"),
        (lambda: Target(3, 3, math.inf), "distance: inf"),
        (lambda: Target(160, 3, 1, (90, 160)), "160, 3 lies outside the first frame of 160x90"),
        (lambda: track(Aimed(MOVES["truck"], Target(20, 95, 1))), "20, 95 lies outside.*160x90"),
        (lambda: Aimed(MOVES["truck"], Target(0, 0, 1), 1.5), "strength: 1.5"),
        (lambda: track(Aimed(Camera2D(), Target(0, 0, 1))), "2D camera.*take 3D Camera"),
    ],
)
def test_what_cannot_be_looked_at(make, words):
    with pytest.raises(FramedriftError, match=words):
        make()


def test_pixels_of_another_picture_are_shares_of_it():
    whole, half = Target(95, 31, 2.0), Target(47.25, 15.25, 2.0, (45, 80))
    one, other = (track(Aimed(MOVES["crane"], target)) for target in (whole, half))
    np.testing.assert_allclose(one.views, other.views, atol=1e-12)


def test_texts_tell_targets_apart():
    texts = Aimed(MOVES["truck"], Target(1, 2, 3.0, (45, 80)), 0.5).texts()
    assert texts["look_at"] == {"x": 1, "y": 2, "distance": 3.0, "size": [45, 80]}
    assert texts["strength"] == 0.5
    assert texts["base"] == MOVES["truck"].texts()


class TestFindTarget:
    """A pixel or a mask, and what lies there."""

    depth = (torch.arange(60)[:, None] / 100 + torch.arange(80) / 400).float()

    def distance(self, d):
        return 1 / (d * (1 / 2 - 1 / 20) + 1 / 20)

    def test_a_pixel(self):
        found = find_target(30, 20, 9.0, disparity=self.depth, near=2, far=20)
        assert (found.x, found.y, found.size) == (30, 20, (60, 80))
        assert found.distance == pytest.approx(self.distance(0.2 + 30 / 400), rel=1e-6)
        assert find_target(30, 20, 9.0) == Target(30, 20, 9.0)

    def test_an_odd_pixel_does_not_count(self):
        odd = self.depth.clone()
        odd[20, 30] = 1.0
        found = find_target(30, 20, 9.0, disparity=odd, near=2, far=20)
        assert found.distance == pytest.approx(self.distance(0.275), rel=1e-2)

    def test_the_corners(self):
        for x, y in ((0, 0), (79, 59), (-0.5, 59.5), (79.5, -0.5)):
            assert find_target(x, y, 9.0, disparity=self.depth).distance > 1
        assert find_target(0, 0, 9.0, disparity=torch.ones(1, 1), near=2, far=20).distance == pytest.approx(2)

    def test_a_mask(self):
        mask = torch.zeros(60, 80)
        mask[10:21, 40:61] = 1
        found = find_target(0, 0, 9.0, mask, self.depth, 2, 20)
        assert (found.x, found.y) == pytest.approx((50, 15))
        assert found.distance == pytest.approx(self.distance(0.15 + 0.125), rel=1e-3)
        alone = find_target(0, 0, 9.0, mask)
        assert (alone.x, alone.y) == pytest.approx((50, 15))
        assert (alone.distance, alone.size) == (9.0, (60, 80))

    def test_a_mask_of_another_size(self):
        mask = torch.zeros(120, 160)
        mask[20:42, 80:122] = 1
        found = find_target(0, 0, 9.0, mask, self.depth, 2, 20)
        assert ((found.x + 0.5) / 160, (found.y + 0.5) / 120) == pytest.approx((50.5 / 80, 15.5 / 60))
        assert found.distance == pytest.approx(self.distance(0.15 + 0.125), rel=1e-2)
        faint = find_target(0, 0, 9.0, mask * 0.01, self.depth, 2, 20)
        assert faint.distance == found.distance

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"mask": torch.zeros(60, 80)}, "mask: it is empty"),
            ({"mask": torch.full((60, 80), math.nan)}, "mask: 4800 of 4800"),
            ({"mask": torch.ones(80, 80), "disparity": depth}, "80x80, of another shape than the depth's 80x60"),
            ({"mask": torch.ones(60, 80), "disparity": torch.full((60, 80), math.nan)}, "no finite number under"),
            ({"disparity": torch.full((60, 80), math.nan)}, "depth: at x 30, y 20"),
            ({"disparity": torch.zeros(10, 20)}, "30, 20 lies outside the first frame of 20x10"),
            ({"disparity": depth, "near": 5, "far": 2}, "near and far"),
        ],
    )
    def test_what_is_wrong(self, given, words):
        with pytest.raises(FramedriftError, match=words):
            find_target(30, 20, 9.0, **given)
