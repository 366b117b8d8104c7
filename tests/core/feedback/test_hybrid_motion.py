"""A picture moved as an analytic texture moves: how far off, in pixels, and what is a hole."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.feedback.hybrid_motion import FlowSettings, move_by_flow, move_by_matrix, track_matrix

H, W = 176, 240
METHODS = ("dis", "farneback")
# A hole, a square.
HOLE = torch.zeros(1, 1, H, W)
HOLE[..., 60:90, 100:140] = 1


def plane():
    y, x = np.mgrid[0:H, 0:W].astype(float)
    return x, y


def texture(x, y, seed=3):
    """Forty waves of 8 to 60 pixels, (1, 3, H, W)."""
    draw = np.random.default_rng(seed)
    value = np.zeros_like(x)
    for _ in range(40):
        across, down = draw.uniform(-1, 1, 2) / draw.uniform(8, 60) * 2 * np.pi
        value += draw.uniform(0.3, 1) * np.sin(across * x + down * y + draw.uniform(0, 6.28))
    return torch.from_numpy(0.5 + 0.5 * np.tanh(value / 4)).float()[None, None].expand(1, 3, -1, -1).contiguous()


def shift(by_x, by_y):
    return np.array([[1, 0, by_x], [0, 1, by_y], [0, 0, 1.0]])


def turn(degrees, zoom, by_x=0.0, by_y=0.0):
    a, b = zoom * math.cos(math.radians(degrees)), zoom * math.sin(math.radians(degrees))
    about = np.array([[a, -b, by_x], [b, a, by_y], [0, 0, 1]])
    return shift(W / 2, H / 2) @ about @ shift(-W / 2, -H / 2)


TILT = np.array([[1.01, 0.012, -2.0], [-0.008, 0.99, 1.5], [6e-5, -4e-5, 1]])
MATRICES = {"shift": shift(4.3, -2.6), "turn": turn(2.5, 1.02, 1.2, -0.7), "tilt": TILT}


def seen_through(matrix):
    """Where each pixel of the moved picture was before: x, y."""
    x, y = plane()
    inverse = np.linalg.inv(matrix)
    weight = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
    return tuple((row[0] * x + row[1] * y + row[2]) / weight for row in inverse[:2])


def local(amount):
    """Every part moves for itself."""
    x, y = plane()
    return x - amount * np.sin(y / 40), y - amount * np.cos(x / 50)


def strayed(moved, was):
    """How far from where it was each pixel of a moved ramp was read, in pixels, where that lies well inside."""
    x, y = was
    off = np.hypot(moved[0, 0].numpy() * W - x, moved[0, 1].numpy() * H - y)
    return off[(x > 3) & (x < W - 4) & (y > 3) & (y < H - 4)]


def ramp():
    """A picture whose pixels tell their own place; what is read between two of them tells it too."""
    x, y = plane()
    return torch.from_numpy(np.stack([x / W, y / H, 0 * x])).float()[None]


def outside(was):
    x, y = was
    return (x < -0.5) | (x > W - 0.5) | (y < -0.5) | (y > H - 0.5)


MOTIONS = {name: seen_through(matrix) for name, matrix in MATRICES.items()} | {"local": local(2.5)}


@pytest.mark.parametrize("consistency", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MOTIONS)
def test_flow_finds_the_motion(name, method, consistency):
    was = MOTIONS[name]
    moved, holes = move_by_flow(
        ramp(), HOLE, texture(*plane()), texture(*was), 1.0, FlowSettings(method, consistency, 2.0)
    )
    off = strayed(moved, was)
    assert off.mean() < 0.2
    assert np.percentile(off, 95) < 0.6
    new = outside(was)
    assert holes[0, 0].numpy()[new].mean() > 0.9, "what came in from beyond the frame"
    # The hole that was there has moved along: its middle lies where the texture took it.
    x, y = was
    inside = (x > 102) & (x < 137) & (y > 62) & (y < 87)
    assert holes[0, 0].numpy()[inside].min() > 0.9
    away = ((x < 97) | (x > 142) | (y < 57) | (y > 92)) & (x > 4) & (x < W - 5) & (y > 4) & (y < H - 5)
    assert holes[0, 0].numpy()[away].mean() < (0.04 if consistency else 0.01), "doubt is little where all is well"


@pytest.mark.parametrize(
    ("name", "motion"), [(name, motion) for name in MATRICES for motion in ("perspective", "affine")][:-1]
)
def test_a_matrix_is_found(name, motion):
    was = MOTIONS[name]
    found = track_matrix(texture(*plane()), texture(*was), motion)
    assert found is not None
    x, y = seen_through(found)
    off = np.hypot(x - was[0], y - was[1])
    assert off.mean() < 0.1
    assert off.max() < 0.3, "in the farthest corner"
    moved, holes = move_by_matrix(ramp(), HOLE, found)
    assert strayed(moved, was).mean() < 0.1
    new = outside(was)
    assert holes[0, 0].numpy()[new].mean() > 0.95
    assert holes[0, 0].numpy()[~new & (HOLE[0, 0].numpy() == 0)].mean() < 0.05


def test_affine_has_four_free_numbers():
    found = track_matrix(texture(*plane()), texture(*MOTIONS["tilt"]), "affine")
    assert found is not None
    assert found[0, 0] == pytest.approx(found[1, 1])
    assert found[0, 1] == pytest.approx(-found[1, 0])
    assert found[2].tolist() == [0, 0, 1]


def test_most_corners_outvote_a_thing_that_moves_otherwise():
    x, y = MOTIONS["turn"]
    thing = np.zeros((H, W), bool)
    thing[30:110, 40:130] = True
    end = torch.where(torch.from_numpy(thing), texture(plane()[0] - 5, plane()[1] + 4), texture(x, y))
    for motion in ("perspective", "affine"):
        found = track_matrix(texture(*plane()), end, motion)
        assert found is not None
        here = seen_through(found)
        assert np.hypot(here[0] - x, here[1] - y).max() < 0.6


def test_the_same_pictures_give_the_same_motion_whatever_the_global_seed_is():
    start, end = texture(*plane()), texture(*MOTIONS["tilt"]) * 0.9
    found = []
    for seed in (0, 1, 12345):
        cv2.setRNGSeed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        matrices = [track_matrix(start, end, motion) for motion in ("perspective", "affine")]
        flows = [move_by_flow(start, HOLE, start, end, 1.0, FlowSettings(method, True)) for method in METHODS]
        assert torch.equal(torch.get_rng_state(), state)
        found.append((matrices, flows))
    for matrices, flows in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(matrices, found[0][0], strict=True))
        for one, other in zip(flows, found[0][1], strict=True):
            assert torch.equal(one[0], other[0])
            assert torch.equal(one[1], other[1])


@pytest.mark.parametrize("method", METHODS)
def test_half_the_factor_is_half_the_way(method):
    start, end = texture(*plane()), texture(*MOTIONS["shift"])
    x, y = plane()
    for factor in (0.5, 1.0, -1.0):
        moved, _ = move_by_flow(ramp(), HOLE, start, end, factor, FlowSettings(method))
        off = strayed(moved, (x - 4.3 * factor, y + 2.6 * factor))
        assert np.percentile(off, 90) < 0.2, factor


@pytest.mark.parametrize("consistency", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_nothing_moves_bit_for_bit(method, consistency):
    start, image = texture(*plane()), texture(*plane(), seed=9)
    settings = FlowSettings(method, consistency)
    moved, holes = move_by_flow(image, HOLE, start, texture(*MOTIONS["turn"]), 0.0, settings)
    assert torch.equal(moved, image)
    assert torch.equal(holes, HOLE)
    assert move_by_matrix(image, HOLE, np.eye(3)) == (image, HOLE)


def test_a_video_that_stands_still_moves_nothing_bit_for_bit():
    start, image = texture(*plane()), texture(*plane(), seed=9)
    for method in METHODS:
        moved, holes = move_by_flow(image, HOLE, start, start.clone(), 1.0, FlowSettings(method, True))
        assert torch.equal(moved, image)
        assert torch.equal(holes, HOLE)
    for motion in ("perspective", "affine"):
        assert np.array_equal(track_matrix(start, start.clone(), motion), np.eye(3))


def moving_thing(left):
    """A light, textured square on a dark texture that stands still."""
    x, y = plane()
    inside = (x >= left) & (x < left + 70) & (y >= 50) & (y < 120)
    thing, wall = 0.5 + 0.5 * texture(x - left, y, seed=5), 0.45 * texture(x, y)
    return torch.where(torch.from_numpy(inside), thing, wall), inside


@pytest.mark.parametrize("steps", [4, 12, 24])
def test_consistency_makes_a_hole_of_what_is_uncovered(steps):
    (start, was), (end, now) = moving_thing(70), moving_thing(70 + steps)
    none = torch.zeros(1, 1, H, W)
    moved, holes = move_by_flow(start, none, start, end, 1.0, FlowSettings("dis", True, 1.0))
    uncovered = torch.from_numpy(was & ~now)[None, None]
    found = holes > 0.5
    assert float(found[uncovered].float().mean()) > 0.9
    assert float(found[~uncovered].float().mean()) < 0.07
    # What is seen is right: the thing has moved along, and what stands still has stayed.
    off = (moved - end).abs().mean(1, keepdim=True)[~found & ~uncovered]
    assert float(off.mean()) < 0.01
    assert float((moved - start).abs()[..., :30].max()) < 0.1


@pytest.mark.parametrize("method", METHODS)
def test_without_consistency_only_the_frames_edge_makes_holes(method):
    (start, _), (end, now) = moving_thing(70), moving_thing(82)
    none = torch.zeros(1, 1, H, W)
    moved, holes = move_by_flow(start, none, start, end, 1.0, FlowSettings(method))
    assert float(holes[..., 20:-20, 20:-20].max()) == 0
    thing = torch.from_numpy(now)[None, None].clone()
    thing[..., :58, :], thing[..., 112:, :], thing[..., :90], thing[..., 144:] = False, False, False, False
    assert float((moved - end).abs().mean(1, keepdim=True)[thing].mean()) < 0.03


def test_blur_softens_where_doubt_begins():
    (start, _), (end, _) = moving_thing(70), moving_thing(82)
    none = torch.zeros(1, 1, H, W)

    def made(blur):
        return move_by_flow(start, none, start, end, 1.0, FlowSettings("dis", True, blur))

    steps = [float(made(blur)[1].diff(dim=-1).abs().max()) for blur in (0.0, 2.0, 8.0)]
    assert steps[0] > 2 * steps[1] > 4 * steps[2]
    assert torch.equal(made(0.0)[0], made(8.0)[0]), "the picture is moved alike"


def test_colours_are_doubted_only_where_they_can_be_compared():
    start, end = texture(*plane()), texture(*MOTIONS["shift"])
    none = torch.zeros(1, 1, H, W)

    def doubt(other, same):
        return move_by_flow(start, none, start, other, 1.0, FlowSettings("dis", True, 0.0, same))[1][..., 50:80, 70:110]

    # Redder, but as light as before, is no motion; and the same pictures, all brighter, are the same.
    recoloured = end.clone()
    recoloured[:, 0, 40:90, 60:120] += 0.3
    recoloured[:, 1, 40:90, 60:120] -= 0.3 * 0.299 / 0.587
    assert float(doubt(recoloured, True).mean()) > 0.8
    assert float(doubt(recoloured, False).mean()) < 0.3
    assert float(doubt(end * 0.9 + 0.1, True).mean()) < 0.2


@pytest.mark.parametrize("motion", ["perspective", "affine"])
def test_what_cannot_be_followed_gives_no_matrix(motion):
    start = texture(*plane())
    flat = torch.full((1, 3, H, W), 0.4)
    noise = torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(4))
    for a, b in ((start, flat), (flat, start), (start, noise), (start, texture(*plane(), seed=77))):
        assert track_matrix(a, b, motion) is None


def test_a_way_that_is_found_at_once_asks_for_nothing_between():
    def never():
        raise AssertionError("asked for")

    start, end = texture(*plane()), texture(*MOTIONS["turn"])
    move_by_flow(start, HOLE, start, end, 1.0, FlowSettings("dis", True), [never] * 3)
    assert track_matrix(start, end, "perspective", [never] * 3) is not None


@pytest.mark.parametrize("method", METHODS)
def test_a_long_way_is_found_in_steps(method):
    steps = [texture(plane()[0] - 16 * n, plane()[1]) for n in range(6)]
    between = [lambda n=n: steps[n] for n in range(1, 5)]
    inner = (slice(10, -10), slice(96, -12))
    off = []
    for way in (between, ()):
        moved, _ = move_by_flow(ramp(), HOLE, steps[0], steps[5], 1.0, FlowSettings(method), way)
        off.append(np.abs(moved[0, 0].numpy() * W - (plane()[0] - 80))[inner].mean())
    assert off[1] > 5, "80 px of 240 are too many at once"
    assert off[0] < 1


@pytest.mark.parametrize("motion", ["perspective", "affine"])
def test_a_long_way_is_followed_in_steps(motion):
    matrices = [np.linalg.matrix_power(turn(9.0, 1.0), n) for n in range(5)]
    steps = [texture(*seen_through(matrix)) for matrix in matrices]
    assert track_matrix(steps[0], steps[4], motion) is None
    found = track_matrix(steps[0], steps[4], motion, [lambda n=n: steps[n] for n in (1, 2, 3)])
    assert found is not None
    x, y = seen_through(found)
    was = seen_through(matrices[4])
    assert np.hypot(x - was[0], y - was[1]).mean() < 1, "of up to 90"


@pytest.mark.parametrize("size", [(8, 8), (9, 40), (33, 17), (64, 500)])
def test_any_size(size):
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    holes = torch.zeros(1, 1, *size)
    for method in METHODS:
        moved, now = move_by_flow(picture, holes, picture, picture.roll(1, -1), 1.0, FlowSettings(method, True))
        assert moved.shape == picture.shape
        assert now.shape == holes.shape
        assert bool(moved.isfinite().all())
    found = track_matrix(picture, picture.roll(1, -1), "perspective")
    assert found is None or np.isfinite(found).all()


@settings(max_examples=12, deadline=None)
@given(
    degrees=st.floats(-3, 3), zoom=st.floats(0.97, 1.03), by_x=st.floats(-5, 5), by_y=st.floats(-5, 5),
)  # fmt: skip
def test_any_small_motion_is_found(degrees, zoom, by_x, by_y):
    was = seen_through(turn(degrees, zoom, by_x, by_y))
    found = track_matrix(texture(*plane()), texture(*was), "affine")
    assert found is not None
    x, y = seen_through(found)
    assert np.hypot(x - was[0], y - was[1]).max() < 0.25
