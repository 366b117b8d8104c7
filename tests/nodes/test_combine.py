"""Combine Cameras, Look At and Loop Camera, run as ComfyUI runs them."""

import math

import numpy as np
import pytest
import torch

from framedrift.nodes.combine import CombineCameras, LookAt, LoopCamera
from framedrift.nodes.core.camera import Camera2D, Camera3D, intrinsics
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.warp import DepthWarp

SIZE = (72, 128)
DOLLY = Camera3D(translation_z="0:(4)")
PAN = Camera3D(translation_z=0, rotation_3d_y="0:(2)")
TRUCK = Camera3D("0:(6)", 0, 0)
FLAT = Camera2D(zoom="0:(1.05)")


def defaults(node):
    """Every widget's default, as the page sends it."""
    known = node.INPUT_TYPES()
    listed = {**known.get("required", {}), **known.get("optional", {})}
    return {name: spec[1]["default"] for name, spec in listed.items() if len(spec) > 1 and "default" in spec[1]}


def run(node, **inputs):
    return node.execute(**{**defaults(node), **inputs}).result[0]


def track(camera, frames=30):
    return camera.track(frames, 15.0, 0, SIZE)


class TestCombineCameras:
    """Two to four cameras."""

    def test_the_modes(self):
        ways = {mode: track(run(CombineCameras, camera_1=DOLLY, camera_2=PAN, mode=mode, at_frame=10)) for mode in WAYS}
        assert ways["ride along"].poses()[20][:3, 3] == pytest.approx((0, 0, 20 * 4 / 200))
        steered = ways["add steps"].poses()[20]
        assert steered[0, 3] > 0.05
        one = ways["one after another"]
        assert one.poses()[20][:3, 3] == pytest.approx((0, 0, 10 * 4 / 200))
        assert math.degrees(math.asin(one.poses()[20][0, 2])) == pytest.approx(20)

    def test_the_third_and_the_fourth(self):
        roll = Camera3D(translation_z=0, rotation_3d_z="0:(1)")
        found = run(CombineCameras, camera_1=DOLLY, camera_2=PAN, camera_4=roll, mode="one after another", at_frame=10)
        steps = track(found)
        for start, expected in ((5, {"translation_z": 4}), (15, {"rotation_3d_y": 2}), (25, {"rotation_3d_z": 1})):
            values = {name: value for name, value in steps.values(start).items() if abs(value) > 1e-9}
            assert values == pytest.approx({**expected, "fov": 70})
        four = run(CombineCameras, camera_1=DOLLY, camera_2=DOLLY, camera_3=DOLLY, camera_4=DOLLY)
        assert track(four).values(3)["translation_z"] == pytest.approx(16)

    def test_2d_cameras(self):
        assert track(run(CombineCameras, camera_1=FLAT, camera_2=FLAT)).values(4)["zoom"] == pytest.approx(1.05**2)
        with pytest.raises(FramedriftError, match="first is a 2D Camera"):
            track(run(CombineCameras, camera_1=FLAT, camera_2=PAN))


WAYS = ("ride along", "add steps", "one after another")


class TestLookAt:
    """A thing that stays where it is."""

    def seen(self, found, x, y, distance):
        """Where what was at a pixel of the first frame is seen, (F, 2)."""
        ray = np.linalg.inv(intrinsics(70, SIZE)) @ (x + 0.5, y + 0.5, 1) * distance
        places = [intrinsics(70, SIZE) @ (view @ (*ray, 1))[:3] for view in found.views]
        return np.array([place[:2] / place[2] - 0.5 for place in places])

    @pytest.mark.parametrize("kind", ["image", "mask", "half"])
    def test_a_pixel_and_the_depth(self, kind):
        ramp = torch.linspace(0.2, 0.8, 128).expand(1, 72, 128)
        depth = {"image": ramp[..., None].expand(-1, -1, -1, 3), "mask": ramp, "half": ramp[:, ::2, ::2]}[kind]
        x, y = (20, 15) if kind == "half" else (40, 30)
        camera = run(LookAt, camera=TRUCK, x=x, y=y, depth=depth, near=1.0, far=20.0)
        disparity = 0.2 + 0.6 * 40 / 127
        place = (40.5, 30.5) if kind == "half" else (40, 30)
        found = self.seen(track(camera), *place, 1 / (disparity * 0.95 + 0.05))
        np.testing.assert_allclose(found, [place] * 30, atol=1e-4)

    def test_a_mask_takes_the_place_of_x_and_y(self):
        mask = torch.zeros(1, 72, 128)
        mask[:, 20:31, 60:71] = 1
        found = track(run(LookAt, camera=TRUCK, x=9999.0, y=9999.0, mask=mask, distance=3.0))
        np.testing.assert_allclose(self.seen(found, 65, 25, 3.0), [(65, 25)] * 30, atol=1e-6)

    def test_it_holds_in_the_warped_picture(self):
        """A near square before a far ground, looked at while the camera trucks: it stays, the ground goes."""
        image, depth = torch.zeros(1, *SIZE, 3), torch.zeros(1, *SIZE)
        image[:, 30:41, 50:61] = 1
        depth[:, 26:45, 46:65] = 1
        given = {"image": image, "depth": depth, "near": 2.0, "far": 30.0, "frame": 25, "from_frame": 0}
        mask = depth
        aimed = run(LookAt, camera=TRUCK, mask=mask, depth=depth, near=2.0, far=30.0)
        places = []
        for camera in (TRUCK, aimed):
            moved = DepthWarp.execute(**{**widgets(DepthWarp), **given, "camera": camera}).result[0][0, ..., 0]
            places.append(float((moved.sum(0) * torch.arange(128)).sum() / moved.sum()))
        assert abs(places[0] - 55) > 10
        assert abs(places[1] - 55) < 0.5

    def test_what_cannot_be_looked_at(self):
        with pytest.raises(FramedriftError, match="mask: it is empty"):
            run(LookAt, camera=TRUCK, mask=torch.zeros(1, 64, 64))
        with pytest.raises(FramedriftError, match="depth: at x 5, y 6 it is no finite number"):
            run(LookAt, camera=TRUCK, x=5, y=6, depth=torch.full((1, 20, 20), torch.nan))
        with pytest.raises(FramedriftError, match="30, 6 lies outside the first frame of 20x20"):
            run(LookAt, camera=TRUCK, x=30, y=6, depth=torch.zeros(1, 20, 20))
        with pytest.raises(FramedriftError, match="mask: it is 64x64, of another shape than the depth's 40x20"):
            run(LookAt, camera=TRUCK, mask=torch.ones(1, 64, 64), depth=torch.zeros(1, 20, 40))
        with pytest.raises(FramedriftError, match=r"256, 256 lies outside.*128x72"):
            track(run(LookAt, camera=TRUCK))
        with pytest.raises(FramedriftError, match="take 3D Camera"):
            track(run(LookAt, camera=FLAT, x=3, y=3))


def widgets(node):
    return {"projection": "pinhole", "border": "replicate", "sampling_mode": "bicubic"} | defaults(node)


class TestLoopCamera:
    """Out and back, or on and on."""

    def test_closed_by_default_over_the_whole_animation(self):
        found = track(run(LoopCamera, camera=DOLLY))
        assert np.array_equal(found.views[0], np.eye(4))
        assert found.poses()[15][2, 3] == pytest.approx(15 * 4 / 200)
        assert abs(found.poses()[29][2, 3]) < 0.02
        assert found.values(29)["translation_z"] > 0

    def test_periodic(self):
        eased = Camera3D(translation_z="0:(t)")
        found = track(run(LoopCamera, camera=eased, mode="periodic", length=10))
        assert [found.values(frame)["translation_z"] for frame in (1, 10, 11, 25)] == pytest.approx([1, 10, 1, 5])

    def test_a_length_of_its_own(self):
        found = track(run(LoopCamera, camera=FLAT, length=10))
        np.testing.assert_array_equal(found.matrices[3], found.matrices[23])


@pytest.mark.parametrize(
    ("node", "given", "words"),
    [
        (CombineCameras, {"mode": "together"}, "mode is 'together'"),
        (CombineCameras, {"at_frame": 0}, "at_frame is 0"),
        (LookAt, {"near": 5.0, "far": 2.0}, "near is 5"),
        (LookAt, {"strength": 2.0}, "strength is 2"),
        (LookAt, {"x": -1.0}, "x is -1"),
        (LoopCamera, {"mode": "periodic"}, "length is 0"),
        (LoopCamera, {"length": -1}, "length is -1"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(node, given, words):
    answer = node.validate_inputs(**{**defaults(node), **given})
    assert isinstance(answer, str)
    assert words in answer


@pytest.mark.parametrize("node", [CombineCameras, LookAt, LoopCamera])
def test_defaults_and_links_are_fine(node):
    assert node.validate_inputs(**defaults(node)) is True
    assert node.validate_inputs(**dict.fromkeys(defaults(node))) is True


@pytest.mark.comfyui
def test_a_chain_of_cameras_runs_in_comfyui_and_shows_its_paths(rendering, flight_prompt):
    """A flight with a pan on top, looped and looked at, through the sampler."""
    flight_prompt |= {
        "20": {
            "class_type": "FramedriftCamera3D",
            "inputs": {**dict.fromkeys(SCHEDULES, "0:(0)"), "rotation_3d_y": "0:(1)", "fov_schedule": "0:(70)"},
        },
        "21": {
            "class_type": "FramedriftCombineCameras",
            "inputs": {"camera_1": ["20", 0], "camera_2": ["20", 0], "mode": "add steps", "at_frame": 3},
        },
        "22": {
            "class_type": "FramedriftLoopCamera",
            "inputs": {"camera": ["21", 0], "mode": "closed", "length": 0},
        },
        "23": {
            "class_type": "FramedriftLookAt",
            "inputs": {
                "camera": ["22", 0],
                "x": 20.0,
                "y": 30.0,
                "distance": 1.0,
                "near": 1.0,
                "far": 50.0,
                "strength": 1.0,
            },
        },
    }
    flight_prompt["3"]["inputs"] |= {"num_frames": 4, "camera": ["23", 0]}
    shown = rendering.queue(flight_prompt)
    assert {"20", "21", "22", "23"} <= set(shown)
    assert len(sorted((rendering.base / "output").glob("framedrift/flight_*/frames/*.png"))) == 4


SCHEDULES = (*(f"translation_{axis}" for axis in "xyz"), *(f"rotation_3d_{axis}" for axis in "xyz"))
