"""Value Schedule and Schedule at Frame: what they hand on, and what they show."""

import pytest
import torch
from PIL import Image

from framedrift.nodes.headless import folders
from framedrift.nodes.schedule import ScheduleAtFrame, ValueSchedule

VALUES = {"text": "0:(t*2)", "num_frames": 4, "fps": 10.0, "bpm": 120.0, "seed": 3}


@pytest.fixture(autouse=True)
def temp(tmp_path):
    with folders.using(folders.Folders(temp=tmp_path)):
        yield


def test_value_schedule_gives_the_schedule_and_a_list():
    made, values, _ = ValueSchedule.execute(**VALUES).result
    assert values == [0.0, 2.0, 4.0, 6.0]
    assert all(type(value) is float for value in values)
    assert made.sample(3).tolist() == [0, 2, 4]
    assert made.text == VALUES["text"]


def test_value_schedule_keeps_its_beats_where_another_node_samples_it():
    made, values, _ = ValueSchedule.execute(**VALUES | {"text": "0:(0), 2b:(20)", "bpm": 60.0, "num_frames": 30}).result
    assert values[20] == 20
    assert values[10] == 10
    assert made.sample(30, fps=5.0)[10] == 20


def test_the_curve_is_shown_and_given_as_an_image(tmp_path):
    done = ValueSchedule.execute(**VALUES | {"text": "0:(0), 3:(6)"}, interpolation="hold")
    (shown,) = done.ui.as_dict()["images"]
    assert shown["type"] == "temp"
    assert Image.open(tmp_path / shown["filename"]).size == (640, 360)
    made, values, preview = done.result
    assert values == [0.0, 0.0, 0.0, 6.0]
    assert made.interpolation == "hold"
    assert preview.shape == (1, 360, 640, 3)
    curve = (preview[0] - torch.tensor([217, 164, 65]) / 255).abs().amax(-1) < 0.1
    rows = curve.nonzero()[:, 0].float()
    columns = curve.nonzero()[:, 1].float()
    # Held at the bottom for two thirds of the width, then up at once.
    assert (rows[columns < 400] > 250).all() and rows[columns > 610].min() < 80


AT_FRAME = {"schedule": "0:(0), 10:(5)", "frame": 3, "num_frames": 11, "fps": 10.0, "seed": 0}


@pytest.mark.parametrize(
    ("changed", "value", "whole"),
    [
        ({}, 1.5, 1),
        ({"schedule": "0:(0), 10:(-5)"}, -1.5, -1),
        ({"schedule": "0:(0), 10:(10)", "frame": 7}, 7.0, 7),
        ({"schedule": "max_f + s", "seed": 4}, 14.0, 14),
        ({"schedule": "0:(0), 0.5s:(5)"}, 3.0, 3),
        ({"schedule": 2.75}, 2.75, 2),
        ({"schedule": [1.0, 2.0]}, 2.0, 2),
        ({"schedule": {"points": [[0, 0], [1, 10]], "interpolation": "linear"}}, 3.0, 3),
    ],
)
def test_schedule_at_frame(changed, value, whole):
    assert ScheduleAtFrame.execute(**AT_FRAME | changed).result == (pytest.approx(value), whole)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"frame": 11}, "frame is 11, and must be less than num_frames, which is 11"),
        ({"schedule": "0:(1/(t-3))"}, "infinite at frame 3"),
        ({"schedule": "0:(x)"}, "'x' is not known"),
        ({"frame": -1}, "between 0 and"),
    ],
)
def test_schedule_at_frame_says_what_is_wrong(changed, words):
    assert words in ScheduleAtFrame.validate_inputs(**AT_FRAME | changed)
    assert ScheduleAtFrame.validate_inputs(**AT_FRAME | {"frame": None, "schedule": None}) is True


def test_values_are_the_same_with_an_old_prompt_and_a_new_one():
    text = "0:(0), 2:(4)"
    old = ValueSchedule.execute(**VALUES | {"text": text}).result
    assert ValueSchedule.execute(**VALUES | {"text": text}, interpolation="linear").result[:2] == old[:2]


def test_an_interpolation_that_is_none_is_refused():
    assert "interpolation is 'bounce'" in ValueSchedule.validate_inputs(**VALUES, interpolation="bounce")
    assert ValueSchedule.validate_inputs(**VALUES, interpolation="cubic") is True


@pytest.mark.comfyui
def test_comfyui_shows_the_curve_and_links_its_own_curves(rendering):
    points = {"points": [[0.0, 0.0], [0.5, 1.0], [1.0, 0.0]], "interpolation": "linear"}
    at_frame = AT_FRAME | {"schedule": ["2", 0], "frame": 5}
    prompt = {
        "1": {"class_type": "FramedriftValueSchedule", "inputs": VALUES | {"interpolation": "cubic"}},
        "2": {"class_type": "CurveEditor", "inputs": {"curve": points}},
        "3": {"class_type": "FramedriftScheduleAtFrame", "inputs": at_frame},
        "4": {"class_type": "FramedriftScheduleAtFrame", "inputs": at_frame | {"schedule": ["1", 1], "frame": 2}},
        "5": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
        "6": {"class_type": "PreviewAny", "inputs": {"source": ["4", 1]}},
    }
    shown = rendering.queue(prompt)
    (picture,) = shown["1"]["images"]
    assert (rendering.base / "temp" / picture["filename"]).exists() and picture["type"] == "temp"
    assert (shown["5"]["text"], shown["6"]["text"]) == (["1.0"], ["4"])
