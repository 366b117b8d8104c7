"""Guide Images and Load Guide Image, and animations that reach their guides."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.guides import Guides
from framedrift.nodes.core.feedback.options import Options
from framedrift.nodes.guides import GuideImages, LoadGuideImage
from framedrift.nodes.headless.folders import Folders, using
from framedrift.nodes.headless.runner import node_classes, run_prompt

CLASSES = node_classes()
# What the help page states, of 255.
ARRIVAL = 16
SCHEDULES = {
    "image_strength_schedule": "0:(0.75)",
    "tweening_frames_schedule": "0:(8)",
    "blendFactorMax": "0:(0.35)",
    "blendFactorSlope": "0:(0.25)",
    "color_correction_factor": "0:(0.075)",
}


@pytest.fixture
def places(tmp_path, write_guides):
    write_guides(tmp_path)
    return Folders(output=tmp_path / "output", input=tmp_path, temp=tmp_path / "temp")


def load(name, width=0, height=0, fit="crop"):
    inputs = {"image": name, "width": width, "height": height, "fit": fit}
    return {"class_type": "FramedriftLoadGuideImage", "inputs": inputs}


def guide_images(**inputs):
    return {"class_type": "FramedriftGuideImages", "inputs": {"keyframes": "", **SCHEDULES, **inputs}}


def animation(flight_prompt, nodes, last, **inputs):
    """The fixture's workflow with guides: 96x64, some frames, a camera that moves."""
    camera = dict.fromkeys(("translation_x", "translation_y", "rotation_3d_x", "rotation_3d_z"), "0:(0)")
    camera |= {"translation_z": "0:(2)", "rotation_3d_y": "0:(0.5)", "fov_schedule": "0:(70)"}
    flight_prompt["8"] = {
        "class_type": "FramedriftCamera3D",
        "inputs": camera | {"aspect_ratio_schedule": "0:(1)"},
    }
    flight_prompt["3"]["inputs"] |= {"steps_schedule": "0:(20)", "options": [last, 0], "camera": ["8", 0], **inputs}
    return flight_prompt | nodes


def frames_of(places):
    (run,) = (places.output / "framedrift").iterdir()
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    shown = {
        int(path.stem): np.asarray(Image.open(path).convert("RGB")).astype(int)
        for path in sorted((run / "frames").glob("*.png"))
    }
    return shown, {line["index"]: line for line in lines if "index" in line}


def file_at(places, name, size=(96, 64)):
    # The animation's shape is the pictures' own.
    return np.asarray(Image.open(places.input / name).convert("RGB").resize(size, Image.Resampling.BOX)).astype(int)


def apart(one, other):
    return float(abs(one - other).mean())


# ---------------------------------------------------------------- animations


def test_an_animation_starts_at_one_picture_and_ends_at_another(places, flight_prompt):
    nodes = {"5": load("start.png"), "6": load("end.png"), "7": guide_images(start_image=["5", 0], end_image=["6", 0])}
    prompt = animation(flight_prompt, nodes, "7", num_frames=18, diffusion_cadence=3)
    run_prompt(prompt, places)
    shown, journal = frames_of(places)
    assert sorted(shown) == [0, 3, 6, 9, 12, 15, 17]
    start, end = file_at(places, "start.png"), file_at(places, "end.png")
    assert apart(shown[0], start) < ARRIVAL
    assert apart(shown[17], end) < ARRIVAL
    on_the_way = [apart(shown[frame], end) for frame in (9, 12, 15, 17)]
    assert on_the_way == sorted(on_the_way, reverse=True)
    assert on_the_way[0] > 3 * ARRIVAL
    assert journal[0]["denoise"] == journal[17]["denoise"] == pytest.approx(0.25)
    assert journal[6]["denoise"] == pytest.approx(0.35)


def test_colours_kept_to_frame_0_do_not_keep_a_guide_from_being_reached(places, flight_prompt):
    nodes = {"5": load("start.png"), "6": load("end.png"), "7": guide_images(start_image=["5", 0], end_image=["6", 0])}
    coherent = {"num_frames": 10, "diffusion_cadence": 3, "color_coherence": "LAB to frame 0"}
    run_prompt(animation(flight_prompt, nodes, "7", **coherent), places)
    shown, _ = frames_of(places)
    assert apart(shown[9], file_at(places, "end.png")) < 1.25 * ARRIVAL


def test_the_frame_of_a_guide_is_diffused_and_reached_between_others(places, flight_prompt):
    nodes = {"5": load("end.png"), "7": guide_images(images=["5", 0], keyframes="7")}
    run_prompt(animation(flight_prompt, nodes, "7", num_frames=16, diffusion_cadence=5), places)
    shown, _ = frames_of(places)
    assert {0, 7, 15} <= set(shown)
    end = file_at(places, "end.png")
    assert apart(shown[7], end) < ARRIVAL
    assert apart(shown[0], end) > 3 * ARRIVAL


def test_frames_far_from_a_guide_are_as_without_it(places, flight_prompt, tmp_path):
    nodes = {"5": load("end.png"), "7": guide_images(end_image=["5", 0])}
    prompt = animation(flight_prompt, nodes, "7", num_frames=12, diffusion_cadence=2)
    run_prompt(prompt, places)
    guided, _ = frames_of(places)
    prompt["3"]["inputs"].pop("options")
    alone = Folders(output=tmp_path / "alone", input=tmp_path, temp=tmp_path / "temp")
    run_prompt(prompt, alone)
    free, _ = frames_of(alone)
    # Its way begins eight frames before it.
    assert all(np.array_equal(guided[frame], free[frame]) for frame in (0, 2))
    assert apart(guided[4], free[4]) > 0
    assert apart(guided[11], free[11]) > ARRIVAL


def test_an_image_strength_of_1_shows_the_guide_itself(places, flight_prompt):
    nodes = {
        "5": load("end.png", 96, 64),
        "7": guide_images(end_image=["5", 0], image_strength_schedule="0:(1)", color_correction_factor="0:(0)"),
    }
    run_prompt(animation(flight_prompt, nodes, "7", num_frames=4, noise_schedule="0:(0)"), places)
    shown, _ = frames_of(places)
    assert apart(shown[3], file_at(places, "end.png")) < 1.5


def test_two_nodes_with_one_frame_are_refused_before_anything_is_painted(places, flight_prompt):
    nodes = {
        "5": load("end.png"),
        "6": guide_images(images=["5", 0], keyframes="max_f"),
        "7": guide_images(end_image=["5", 0], options=["6", 0]),
    }
    with pytest.raises(FramedriftError, match="frame 3 has two pictures"):
        run_prompt(animation(flight_prompt, nodes, "7"), places)
    assert not (places.output / "framedrift").exists()


# ---------------------------------------------------------------- Guide Images


def test_the_node_chains_what_it_was_given():
    first = GuideImages.execute(start_image=torch.rand(1, 40, 60, 4), **SCHEDULES).result[0]
    both = GuideImages.execute(options=first, images=torch.rand(2, 40, 60, 3), keyframes="2, 4", **SCHEDULES).result[0]
    assert isinstance(both, Options)
    parts = both.all(Guides)
    assert [part.keyframes(9, 0, 15.0) for part in parts] == [{0}, {2, 4}]
    assert parts[0].start_image.shape == (1, 3, 40, 60)
    assert set(both.sample(9, 0, 15.0).numbers) == {f"guides_{n}_{name}" for n in (1, 2) for name in SCHEDULES}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"keyframes": "24, x"}, "keyframes, 'x'"),
        ({"blendFactorMax": "0:("}, "blendFactorMax"),
        ({"tweening_frames_schedule": ""}, "tweening_frames_schedule"),
    ],
)
def test_wrong_texts_are_said_before_anything_runs(given, words):
    assert words in GuideImages.validate_inputs(**(SCHEDULES | {"keyframes": ""} | given))
    assert GuideImages.validate_inputs(**SCHEDULES, images=None, keyframes="12, max_f/2") is True


# ---------------------------------------------------------------- Load Guide Image


def loaded(places, *given):
    with using(places):
        return LoadGuideImage.execute(*given).result


def test_a_picture_is_loaded_as_it_is(places):
    image, mask = loaded(places, "start.png", 0, 0, "crop")
    assert image.shape == (1, 320, 480, 3)
    assert torch.equal(mask, torch.zeros(1, 320, 480))
    assert torch.equal(
        (image[0] * 255).round().byte(), torch.from_numpy(np.array(Image.open(places.input / "start.png")))
    )


@pytest.mark.parametrize(
    ("width", "height", "fit", "size"),
    [
        (240, 0, "crop", (160, 240)),
        (0, 160, "stretch", (160, 240)),
        (64, 64, "crop", (64, 64)),
        (64, 64, "pad", (64, 64)),
    ],
)
def test_it_is_fitted(places, width, height, fit, size):
    image, mask = loaded(places, "end.png", width, height, fit)
    assert image.shape == (1, *size, 3)
    assert mask.shape == (1, *size)
    if fit == "pad":
        # 480x320 in 64x64 is 64x43: above and below is nothing of it.
        assert mask[0, :9].min() == mask[0, -9:].min() == 1
        assert mask[0, 12:-12].max() < 1e-5
        assert image[0, :9].max() == 0


def test_what_is_clear_is_the_mask(places):
    picture = Image.new("RGBA", (400, 300), (200, 100, 50, 255))
    picture.paste((200, 100, 50, 0), (0, 0, 100, 300))
    picture.save(places.input / "clear.webp", lossless=True)
    _, mask = loaded(places, "clear.webp", 0, 0, "crop")
    assert mask[0, :, :100].min() == 1
    assert mask[0, :, 100:].max() == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../secret.png", "must lie in the input folder"),
        ("/etc/passwd", "must lie in the input folder"),
        ("none.png", "holds no file of this name"),
        ("small.png", "small.png is 299x400 pixels; its short side must be 300 or more"),
        ("a.gif", "a.gif is a GIF; a guide has to be a JPG, PNG or WEBP"),
        ("a\0b.png", "no file's name"),
    ],
)
def test_what_is_no_guide_is_refused_before_anything_runs(places, name, words):
    Image.new("RGB", (299, 400)).save(places.input / "small.png")
    Image.new("RGB", (400, 400)).save(places.input / "a.gif")
    (places.input.parent / "secret.png").touch()
    with using(places):
        assert words in LoadGuideImage.validate_inputs(image=name, width=0, height=0, fit="crop")
        with pytest.raises(FramedriftError, match=words.replace("?", ".")):
            LoadGuideImage.execute(name, 0, 0, "crop")


def test_a_file_in_a_subfolder_and_one_with_its_folders_name_are_taken(places):
    (places.input / "sub").mkdir()
    Image.new("RGB", (300, 300)).save(places.input / "sub" / "a.jpg")
    for name in ("sub/a.jpg", "sub/a.jpg [input]"):
        assert loaded(places, name, 0, 0, "crop")[0].shape == (1, 300, 300, 3)


def test_a_file_that_was_replaced_is_read_again(places):
    with using(places):
        before = LoadGuideImage.fingerprint_inputs("start.png", width=0)
        assert LoadGuideImage.fingerprint_inputs("start.png", width=0) == before
        Image.new("RGB", (333, 444)).save(places.input / "start.png")
        assert LoadGuideImage.fingerprint_inputs("start.png", width=0) != before


def test_the_pictures_of_the_input_folder_are_offered(places):
    (places.input / "notes.txt").touch()
    with using(places):
        assert LoadGuideImage.INPUT_TYPES()["required"]["image"][1]["options"] == ["end.png", "start.png"]
