"""The Noise node as ComfyUI calls it, and in whole animations."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import Options
from framedrift.nodes.core.feedback.masks import Masks as MasksOption
from framedrift.nodes.core.feedback.noise import MOST_CELLS, MOST_OCTAVES, NOISE_TYPES
from framedrift.nodes.core.feedback.noise import Noise as NoiseOption
from framedrift.nodes.core.schedule import parse_schedule
from framedrift.nodes.headless import folders
from framedrift.nodes.headless.runner import run_prompt
from framedrift.nodes.noise import Noise

GIVEN = {
    "noise_type": "gaussian",
    "perlin_w": 8.0,
    "perlin_h": 8.0,
    "perlin_octaves": 4,
    "perlin_persistence": 0.5,
    "noise_multiplier_schedule": "0:(1.0)",
}


def known():
    listed = Noise.INPUT_TYPES()
    return {**listed.get("required", {}), **listed.get("optional", {})}


def test_its_inputs_are_deforums_and_reach_the_option():
    assert {name for name in known() if name != "options"} == set(GIVEN)
    given = {"noise_type": "perlin", "perlin_w": 3.0, "perlin_h": 5.0, "perlin_octaves": 2, "perlin_persistence": 0.3}
    (options,) = Noise.execute(**GIVEN | given).args
    made = options.only(NoiseOption)
    assert {name: getattr(made, name) for name in given} == given
    assert options.sample(3, 0, 15.0).at(2)[0] == {"noise_multiplier_schedule": 1.0}


def test_what_it_offers_is_what_core_takes():
    listed = known()
    assert listed["noise_type"][1]["options"] == list(NOISE_TYPES)
    assert listed["perlin_octaves"][1]["max"] == MOST_OCTAVES
    assert listed["perlin_w"][1]["max"] == listed["perlin_h"][1]["max"] == MOST_CELLS
    for name in ("perlin_w", "perlin_h", "perlin_octaves", "perlin_persistence"):
        for end in ("min", "max"):
            Noise.execute(**GIVEN | {name: listed[name][1][end]})


def test_a_linked_schedule_counts():
    (options,) = Noise.execute(**GIVEN | {"noise_multiplier_schedule": parse_schedule("0:(1), 10:(2)")}).args
    assert options.sample(11, 0, 15.0).at(5)[0] == {"noise_multiplier_schedule": 1.5}


def test_it_chains_behind_others_and_only_once():
    before = Options().with_part(MasksOption(still=torch.ones(1, 1, 8, 8)))
    (options,) = Noise.execute(options=before, **GIVEN).args
    assert [type(part) for part in options.parts] == [MasksOption, NoiseOption]
    with pytest.raises(FramedriftError, match="two Noise nodes"):
        Noise.execute(options=options, **GIVEN)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("perlin_w", 0.0, "perlin_w"),
        ("perlin_octaves", 8, "perlin_octaves"),
        ("perlin_persistence", 2.0, "perlin_persistence"),
        ("noise_multiplier_schedule", "0:(1", "noise_multiplier_schedule"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(name, value, said):
    assert Noise.validate_inputs(**GIVEN) is True
    assert said in str(Noise.validate_inputs(**GIVEN | {name: value}))


def made(place, prompt, **noise):
    """Two frames as float arrays (H, W, 3)."""
    if noise:
        prompt["noise"] = {"class_type": "FramedriftNoise", "inputs": GIVEN | noise}
        prompt["3"]["inputs"]["options"] = ["noise", 0]
    prompt["3"]["inputs"] |= {"num_frames": 2, "color_coherence": "none", "noise_schedule": "0:(0.1)"}
    run_prompt(prompt, folders.Folders(place / "output", place, place / "temp", place / "models"))
    pictures = []
    for path in sorted((place / "output").rglob("frames/*.png")):
        with Image.open(path) as opened:
            pictures.append(np.asarray(opened, float) / 255)
    return pictures


@pytest.mark.parametrize(
    "noise",
    [{"noise_type": "perlin"}, {"noise_type": "clouds"}, {"noise_multiplier_schedule": "0:(1.5)"}],
    ids=["perlin", "clouds", "multiplier"],
)
def test_frames_that_start_from_a_picture_differ_by_it_and_text_to_image_does_not(tmp_path, flight_prompt, noise):
    plain = made(tmp_path / "plain", copy.deepcopy(flight_prompt))
    same = made(tmp_path / "same", copy.deepcopy(flight_prompt), noise_type="gaussian")
    other = made(tmp_path / "other", copy.deepcopy(flight_prompt), **noise)
    assert len(plain) == len(same) == len(other) == 2
    assert all(np.array_equal(a, b) for a, b in zip(plain, same, strict=True))
    assert np.array_equal(plain[0], other[0])
    assert np.abs(plain[1] - other[1]).mean() > 0.002
