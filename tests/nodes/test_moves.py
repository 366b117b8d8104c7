"""Camera Move and Camera Shake, run as ComfyUI runs them."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from framedrift.nodes.camera import Camera2D, Camera3D
from framedrift.nodes.core import camera as cameras
from framedrift.nodes.core.camera import moves, shake
from framedrift.nodes.core.camera.moves import TURNING, Move
from framedrift.nodes.core.camera.shake import Shake, Shaken
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.moves import NODES, CameraMove, CameraShake

SIZE = (45, 80)
DOCS = Path(__file__).resolve().parents[2] / "web" / "docs"


def defaults(node):
    """Every widget's default, as the page sends it."""
    known = node.INPUT_TYPES()
    listed = {**known.get("required", {}), **known.get("optional", {})}
    return {name: spec[1]["default"] for name, spec in listed.items() if "default" in spec[1]}


def made(node, **inputs):
    return node.execute(**{**defaults(node), **inputs}).result[0]


def options(node, name):
    return node.INPUT_TYPES()["required"][name][1]["options"]


def test_the_choices_are_those_of_the_core():
    for name, kind in (("move", moves.Kind), ("per", moves.Per), ("easing", moves.Easing), ("repeat", moves.Repeat)):
        assert tuple(options(CameraMove, name)) == get_args(kind)
    assert tuple(options(CameraShake, "shake")) == get_args(shake.Kind)


def test_the_amounts_unit_is_said_for_every_move():
    said = CameraMove.INPUT_TYPES()["required"]["amount"][1]["tooltip"]
    degrees, units = said.removeprefix("How far. Degrees for ").split("; Deforum units", 1)
    for kind in moves.KINDS:
        assert kind in (degrees if kind in TURNING else units)


def test_a_move_is_what_its_inputs_say():
    given = {"amount": -90.0, "start_frame": 4, "end_frame": 9, "easing": "linear", "repeat": "back and forth"}
    found = made(CameraMove, move="arc", distance=3.0, fov=50.0, per="second", **given)
    assert found == Move("arc", -90.0, 4, 9, "linear", "back and forth", 3.0, 50.0, "second")
    assert made(CameraMove) == Move("push in", 60.0)


def test_a_shake_is_what_its_inputs_say():
    found = made(CameraShake, shake="walking", amount=2.0, frequency=0.5, seed=7, loop=True, fov=50.0)
    assert found == Shake("walking", 2.0, 0.5, 7, True, 50.0)
    assert made(CameraShake) == Shake()


def test_a_linked_camera_is_ridden_on():
    base = made(Camera3D)
    panned = made(CameraMove, camera=base, move="pan", amount=30.0)
    assert panned == cameras.Combined(base, Move("pan", 30.0))
    assert made(CameraShake, camera=base) == Shaken(base, Shake())
    path = made(CameraShake, camera=panned).track(20, 15.0, 0, SIZE)
    np.testing.assert_array_equal(path.views[0], np.eye(4))
    # Forward 1.75 units a frame, and looking 30 degrees to the right in the end.
    assert path.poses()[19, 2, 3] == pytest.approx(19 * 1.75 / 200, abs=0.05)
    assert path.poses()[19, 0, 2] == pytest.approx(0.5, abs=0.05)


def test_a_2d_camera_is_shaken_in_its_plane_and_not_moved_in_space():
    flat = made(Camera2D)
    path = made(CameraShake, camera=flat).track(9, 15.0, 0, SIZE)
    assert isinstance(path, cameras.Track2D)
    assert not path.at_rest(3, 4)
    with pytest.raises(FramedriftError, match="2D Camera"):
        made(CameraMove, camera=flat).track(9, 15.0, 0, SIZE)


@pytest.mark.parametrize(
    ("node", "given", "words"),
    [
        (CameraMove, {"start_frame": 30, "end_frame": 30}, "end_frame is 30, but start_frame is 30"),
        (CameraMove, {"start_frame": 30, "end_frame": 0}, "end_frame is 0, but start_frame is 30"),
        (CameraMove, {"move": "whip"}, "move is 'whip'"),
        (CameraMove, {"distance": 0}, "distance"),
        (CameraMove, {"fov": 180}, "fov"),
        (CameraMove, {"end_frame": -2}, "end_frame"),
        (CameraShake, {"shake": "boat"}, "shake"),
        (CameraShake, {"frequency": 0}, "frequency"),
        (CameraShake, {"amount": -1}, "amount"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(node, given, words):
    answer = node.validate_inputs(**{**defaults(node), **given})
    assert isinstance(answer, str)
    assert words in answer


def test_linked_numbers_are_looked_at_when_it_runs():
    assert CameraMove.validate_inputs(**{**defaults(CameraMove), "start_frame": None, "end_frame": 3}) is True
    with pytest.raises(FramedriftError, match="end_frame is 3, but start_frame is 5"):
        made(CameraMove, start_frame=5, end_frame=3)


@pytest.mark.parametrize("node", NODES)
def test_defaults_and_links_are_fine(node):
    assert node.validate_inputs(**defaults(node)) is True
    assert node.validate_inputs(**dict.fromkeys(defaults(node))) is True


@pytest.mark.parametrize("node", NODES)
def test_help_names_every_input_and_kind(node):
    page = (DOCS / f"{node.GET_SCHEMA().node_id}.md").read_text()
    for name in (*defaults(node), "camera"):
        assert f"`{name}`" in page
    for kind in options(node, "move" if node is CameraMove else "shake"):
        assert f"`{kind}`" in page
