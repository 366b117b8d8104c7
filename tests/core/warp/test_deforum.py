"""Classic Deforum's projection, against what classic Deforum gave."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import pose_delta
from framedrift.nodes.core.depth.range import equalise
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import warp_deforum
from framedrift.nodes.core.warp.deforum import deforum_shift

REFERENCE = Path(__file__).parents[2] / "reference"
CASES = json.loads((REFERENCE / "warp3d_deforum.json").read_text())


def picture(height, width):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 127 + 60 * np.sin(x / 7.3) + 60 * np.cos(y / 5.1)
    green = 127 + 100 * np.sin((x + y) / 9.7)
    blue = 127.5 * x / (width - 1) + 127.5 * y / (height - 1)
    levels = np.stack([red, green, blue]).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(levels).float()[None] / 255


def depth_map(kind, height, width):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    maps = {
        "ramp": y / (height - 1),
        "bump": np.exp(-(((x - width / 2) / (width / 5)) ** 2 + ((y - height / 2) / (height / 5)) ** 2)),
        "waves": (np.sin(x / 11) + np.cos(y / 13)) / 4 + 0.5,
    }
    return torch.from_numpy(maps[kind]).float()[None, None] if kind in maps else None


@pytest.mark.parametrize("number", range(len(CASES)))
def test_warps_are_those_of_classic_deforum(number):
    case = CASES[number]
    given, (height, width) = case["params"], (case["height"], case["width"])
    moved = warp_deforum(
        picture(height, width),
        depth_map(case["depth"], height, width),
        translation=tuple(given[f"translation_{axis}"] for axis in "xyz"),
        rotation_deg=tuple(given[f"rotation_3d_{axis}"] for axis in "xyz"),
        fov_deg=given["fov"],
        sampling=case["sampling_mode"],
        padding=case["padding_mode"],
    )
    levels = (moved[0].movedim(0, -1) * 255).numpy()
    with np.load(REFERENCE / "warp3d_deforum.npz") as archive:
        expected = archive[f"out_{number}"].astype(np.float64)
    assert (np.abs(levels - expected).max(-1) <= 2).mean() >= 0.99


def test_at_rest_nothing_changes():
    image = picture(48, 70)
    for sampling in ("bilinear", "bicubic"):
        moved = warp_deforum(image, depth_map("waves", 48, 70), sampling=sampling)
        assert float((moved - image).abs().max()) < 2e-5


def test_the_aspect_divides_the_horizontal_scale():
    shift = {a: deforum_shift(pose_delta((20, 20, 0), (0, 0, 0)), None, (30, 50), 70, a) for a in (1.0, 2.0)}
    assert torch.allclose(shift[1.0][0], 2 * shift[2.0][0], atol=1e-6)
    assert torch.equal(shift[1.0][1], shift[2.0][1])
    assert float(shift[1.0][0].abs().min()) > 1


def test_a_camera_through_the_scene_gives_finite_pixels():
    moved = warp_deforum(picture(30, 40), depth_map("ramp", 30, 40), translation=(0, 0, 390))
    assert torch.isfinite(moved).all()


def test_a_batch_is_equalised_picture_by_picture():
    images = torch.cat([picture(40, 60), picture(40, 60).flip(-1)])
    depths = torch.cat([depth_map("ramp", 40, 60), depth_map("bump", 40, 60) * 7 + 3])
    together = warp_deforum(images, depths, (5, 3, 9), (1, 2, 3))
    for i in range(2):
        alone = warp_deforum(images[i : i + 1], depths[i : i + 1], (5, 3, 9), (1, 2, 3))
        assert torch.allclose(together[i], alone[0], atol=1e-6)


def test_scale_and_offset_of_the_disparity_do_not_matter():
    a = warp_deforum(picture(40, 60), depth_map("bump", 40, 60), (5, 3, 9))
    b = warp_deforum(picture(40, 60), depth_map("bump", 40, 60) * 64 - 16, (5, 3, 9))
    assert float((a - b).abs().max()) < 1e-3
    flat = warp_deforum(picture(40, 60), torch.full((1, 1, 40, 60), 0.3), (5, 3, 9))
    assert torch.equal(flat, warp_deforum(picture(40, 60), None, (5, 3, 9)))
    assert (equalise(torch.full((1, 1, 4, 6), 0.3)) == 1).all()


def test_refusals():
    image = picture(20, 30)
    with pytest.raises(FramedriftError, match="disparity"):
        warp_deforum(image, torch.zeros(1, 1, 20, 31))
    with pytest.raises(FramedriftError, match="fov"):
        warp_deforum(image, None, fov_deg=180)
    with pytest.raises(FramedriftError, match="aspect"):
        warp_deforum(image, None, aspect=0)
    with pytest.raises(FramedriftError, match=r"padding.*reflection"):
        warp_deforum(image, None, padding="wrap")
