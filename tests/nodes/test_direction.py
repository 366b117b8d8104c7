"""Camera Direction, run as ComfyUI runs it."""

import numpy as np
import pytest

from framedrift.nodes.camera import Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.direction import CameraDirection

SIZE = (45, 80)
DEFAULTS = {
    "text": "slow push-in, slight handheld, drifting left",
    "distance": 3.0,
    "fov": 70.0,
    "strength": 1.0,
    "seed": 0,
}


def directed(**inputs):
    return CameraDirection.execute(**{**DEFAULTS, **inputs}).result


def track(camera, frames=31):
    return camera.track(frames, 10.0, 0, SIZE)


def test_a_sentence_is_a_camera_and_a_prompt():
    camera, text, missed = directed()
    right, down, forward = track(camera).poses()[-1][:3, 3]
    assert forward > 0.15
    assert right < -0.05
    assert abs(down) < 0.05
    assert text == "The camera slowly pushes in with a slight handheld shake while drifting to the left."
    assert missed == ""


def test_the_defaults_of_the_page_are_these():
    inputs = CameraDirection.INPUT_TYPES()["required"]
    assert {name: spec[1]["default"] for name, spec in inputs.items()} == DEFAULTS
    assert set(CameraDirection.INPUT_TYPES()["optional"]) == {"camera"}


def test_what_was_not_understood_is_an_output_and_a_warning(caplog):
    _, text, missed = directed(text="orbit left\nround the lighthouse, pan up quietly")
    assert missed == "lighthouse (column 22)\nquietly (column 41)"
    assert "not understood: lighthouse (column 22), quietly (column 41)" in caplog.text
    assert "lighthouse" not in text


def test_every_setting_counts():
    text = "orbit right 90 degrees"
    near, far = (track(directed(text=text, distance=distance)[0]).poses()[-1] for distance in (2.0, 5.0))
    np.testing.assert_allclose(near[:3, 3], (2, 0, 2), atol=1e-9)
    np.testing.assert_allclose(far[:3, 3], (5, 0, 5), atol=1e-9)
    half = track(directed(text=text, strength=0.5)[0]).poses()[-1]
    np.testing.assert_allclose(half[:3, 3], 3 * np.array([np.sin(np.pi / 4), 0, 1 - np.cos(np.pi / 4)]), atol=1e-9)
    assert set(track(directed(text=text, fov=40.0)[0]).fov_deg) == {40.0}
    one, other = (track(directed(text="handheld", seed=seed)[0]).views for seed in (1, 2))
    assert np.abs(one - other).max() > 1e-4
    assert directed(text=text, seed=5)[0].texts() == {
        "direction": text, "distance": 3.0, "fov_deg": 70.0, "strength": 1.0, "seed": 5,
    }  # fmt: skip


def test_it_rides_on_a_linked_camera():
    base = Camera3D.execute(translation_z="0:(10)", rotation_3d_y="0:(3)", fov_schedule="0:(50)").result[0]
    camera = directed(camera=base, text="rise 1 unit")[0]
    found, under, own = (track(one) for one in (camera, base, directed(text="rise 1 unit")[0]))
    np.testing.assert_allclose(found.views, own.views @ under.views, atol=1e-12)
    np.testing.assert_array_equal(found.fov_deg, under.fov_deg)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": ""}, "empty"),
        ({"text": "a lovely day"}, "no camera move"),
        ({"text": "pan left, pan right"}, "contradict"),
        ({"distance": 0.0}, "distance"),
        ({"fov": 180.0}, "fov"),
        ({"strength": -1.0}, "strength"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(given, words):
    answer = CameraDirection.validate_inputs(**{**DEFAULTS, **given})
    assert isinstance(answer, str)
    assert words in answer


def test_defaults_and_links_are_fine():
    assert CameraDirection.validate_inputs(**DEFAULTS) is True
    assert CameraDirection.validate_inputs(**dict.fromkeys(DEFAULTS)) is True


def test_a_linked_text_that_moves_nothing_stops_the_run():
    with pytest.raises(FramedriftError, match="no camera move"):
        directed(text="nothing to see")
