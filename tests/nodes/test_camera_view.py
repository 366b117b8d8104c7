"""The view in a camera's node: how long the animation is, and that it never stands in the way."""

import numpy as np
import pytest
from PIL import Image

from framedrift.nodes.camera import Camera2D, Camera3D
from framedrift.nodes.camera_view import Animation, camera_output, find_animation
from framedrift.nodes.core.camera import Camera2D as Plane
from framedrift.nodes.core.camera import Camera3D as Space
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.headless import folders
from framedrift.nodes.headless.io import HiddenHolder

ASSUMED = Animation()


@pytest.fixture
def places(tmp_path):
    with folders.using(folders.Folders(*(tmp_path / name for name in ("output", "input", "temp", "models")))) as here:
        yield here


def link(node, slot=0):
    return [node, slot]


def prompt(**nodes):
    """A prompt of nodes, each a class's name without the pack's and its inputs."""
    return {key: {"class_type": f"Framedrift{kind}", "inputs": inputs} for key, (kind, inputs) in nodes.items()}


SAMPLER = {"num_frames": 48, "fps": 24.0, "seed": 7, "width": 640, "height": 360}


def test_the_node_that_the_camera_goes_to_says_how_long_it_is():
    found = find_animation(
        prompt(a=("Camera3D", {}), b=("FrameFeedbackSampler", {"camera": link("a"), **SAMPLER})), "a"
    )
    assert found == Animation(48, 24.0, 7, 640, 360, found=True)


def test_it_is_found_behind_other_cameras_and_in_subgraphs():
    end = ("DepthWarp", {"camera": link("4:2"), **SAMPLER})
    nodes = {"4:1:2": ("Camera3D", {}), "4:2": ("CameraMove", {"camera": link("4:1:2")}), "9": end}
    assert find_animation(prompt(**nodes), "4:1:2").num_frames == 48
    # What is no camera any more says nothing about this one.
    nodes["4:2"] = ("NoSuchNode", {"camera": link("4:1:2")})
    assert find_animation(prompt(**nodes), "4:1:2") == ASSUMED


def test_the_nearest_counts():
    nodes = {
        "far": ("DepthWarp", {"camera": link("move"), "num_frames": 7}),
        "move": ("CameraMove", {"camera": link("a")}),
        "near": ("DepthWarp", {"camera": link("a"), "num_frames": 31, "fps": 12}),
        "a": ("Camera3D", {}),
    }
    assert find_animation(prompt(**nodes), "a") == Animation(31, 12.0, found=True)


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        prompt(a=("Camera3D", {})),
        prompt(b=("DepthWarp", {"camera": link("a"), "num_frames": 9})),
        prompt(a=("Camera3D", {}), b=("DepthWarp", {"camera": link("x"), "num_frames": 9})),
        prompt(a=("Camera3D", {}), b=("DepthWarp", {"camera": link("a"), "num_frames": link("c")})),
        prompt(a=("Camera3D", {}), b=("DepthWarp", {"camera": link("a", 3), "num_frames": 9})),
        prompt(a=("Camera3D", {"camera": link("a")})),
        {"a": {}, "b": {"class_type": 5}},
    ],
    ids=str,
)
def test_otherwise_a_length_is_assumed(given):
    assert find_animation(given, "a") == ASSUMED


def test_a_clip_of_wan_has_its_length_in_another_widget():
    inputs = {"camera": link("a"), "num_frames": 0, "start_frame": 8, "length": 81, "width": 832, "height": 480}
    found = find_animation(prompt(a=("Camera2D", {}), b=("CameraToWan", inputs)), "a")
    assert (found.num_frames, found.width, found.height) == (89, 832, 480)


def run(camera, hidden):
    return camera_output(type("Node", (), {"hidden": hidden}), camera, "text")


def shown(result, places):
    """The picture that the page is told of."""
    (entry,) = result.ui.as_dict()["images"]
    assert entry["type"] == "temp"
    return np.asarray(Image.open(places.temp / entry["subfolder"] / entry["filename"]))


@pytest.mark.parametrize("camera", [Space(translation_z="0:(3)"), Plane(angle="0:(2)")], ids=["space", "plane"])
def test_the_picture_is_drawn_for_that_length(camera, places):
    nodes = prompt(a=("Camera3D", {}), b=("FrameFeedbackSampler", {"camera": link("a"), **SAMPLER}))
    one = run(camera, HiddenHolder(unique_id="a", prompt=nodes))
    other = run(camera, HiddenHolder(unique_id="a"))
    assert one.result == (camera, "text")
    first, second = shown(one, places), shown(other, places)
    assert first.shape == second.shape == (288, 480, 3)
    assert not np.array_equal(first, second)


def test_a_camera_of_another_length_is_no_error(places, caplog):
    class Short:
        def texts(self):
            return {}

        def track(self, num_frames, fps, seed, size):
            raise FramedriftError("file: it holds 48 frames, and the animation has 120")

    caplog.set_level("DEBUG", "framedrift")
    result = run(Short(), HiddenHolder(unique_id="a"))
    assert shown(result, places).std() > 5
    assert "48 frames" in caplog.text
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]


def test_nothing_is_written_where_there_is_no_page(places):
    assert run(Space(), HiddenHolder()).ui is None
    assert run(Space(), None).ui is None
    assert not places.temp.exists()


@pytest.mark.parametrize("node", [Camera2D, Camera3D])
def test_every_camera_node_asks_for_what_it_needs(node):
    assert {kind.name for kind in node.GET_SCHEMA().hidden} >= {"prompt", "unique_id"}
    assert not node.GET_SCHEMA().is_output_node
