"""What is written is read back with the same meaning."""

import json
from pathlib import Path

import numpy as np
import pytest

from framedrift.nodes.core.camera import Camera2D, Camera3D, Combined
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.interop import deforum_settings, import_animation, parseq_manifest, sampler_settings
from framedrift.nodes.core.interop.defaults import DEFAULTS
from framedrift.nodes.core.schedule import parse_prompts, parse_schedule

DATA = Path(__file__).parent / "data"
FRAMES, FPS, SIZE = 40, 12.5, (320, 448)
SETTINGS = {
    "strength_schedule": "0:(0.6), 20:(0.4+0.1*sin(t))",
    "steps_schedule": "0:(20), 39:(30)",
    "cfg_scale_schedule": "0:(6.5)",
    "noise_schedule": "0:(0.03)",
    "seed": 123,
    "seed_behavior": "ladder",
    "seed_iter_N": 3,
    "diffusion_cadence": 3,
    "sampler_name": "dpmpp_2m",
    "scheduler": "karras",
    "color_coherence": "LAB to frame 0",
    "projection": "pinhole",
    "near": 0.5,
    "far": 90.0,
    "border": "reflect",
    "sampling_mode": "bicubic",
    "hole_denoise": 0.8,
    "full_steps": True,
    "subseed_schedule": "0:(5)",
    "subseed_strength_schedule": "0:(0.1)",
}
SCHEDULES = [name for name in SETTINGS if name.endswith("_schedule")]
CAMERAS = {
    "3D": Camera3D(translation_x="0:(sin(t/9))", translation_z="0:(1), 30:(4)", rotation_3d_y="0:(0.2)", fov="0:(55)"),
    "2D": Camera2D(angle="0:(t%4)", zoom="0:(1.01)", translation_y="0:(1), 10:(-3)", transform_center_x="0:(0.3)"),
    "flip": Camera2D(
        angle="0:(1)", zoom="0:(1)", perspective_flip=True, perspective_flip_phi="0:(t%3)", perspective_flip_fv="0:(40)"
    ),
    "aspect": Camera3D(translation_x="0:(2)", translation_z="0:(0)", aspect="0:(1), 20:(1.5)"),
    "in seconds": Camera3D(translation_z="0s:(1), 1.6s:(5)", rotation_3d_x="4b:(1), 6b:(2)"),
}
PROMPTS = {
    "plain": parse_prompts('{"0": "a cat --neg rain", "max_f/2": "a (dog:`t/9`)", "30": "a fox"}', "nsfw"),
    "lines": parse_prompts("0: a cat\n0.5: a dog"),
    "added": parse_prompts('{"0": "a cat --neg rain", "20": "a dog"}', "nsfw", pre_text="oil", style="{prompt}, soft"),
}


def same_camera(one, other):
    for mine, theirs in zip(vars(one).values(), vars(other).values(), strict=True):
        if isinstance(mine, bool):
            assert mine is theirs
            continue
        np.testing.assert_allclose(
            mine.sample(FRAMES, 123, FPS), theirs.sample(FRAMES, 123, FPS), rtol=1e-9, atol=1e-12
        )


def same_prompts(one, other):
    for frame in range(FRAMES):
        assert one.text_at(frame, FRAMES, 123) == other.text_at(frame, FRAMES, 123)


@pytest.mark.parametrize("words", PROMPTS)
@pytest.mark.parametrize("kind", CAMERAS)
def test_deforum_settings_come_back(kind, words):
    written = deforum_settings(PROMPTS[words], CAMERAS[kind], SETTINGS, FRAMES, FPS, SIZE, "smooth", 6)
    found = import_animation(json.dumps(written))
    assert (found.kind, found.num_frames, found.fps, found.size) == ("deforum", FRAMES, FPS, SIZE)
    assert (found.blend, found.overlap) == ("smooth", 6)
    same_camera(found.camera, CAMERAS[kind])
    same_prompts(found.prompts, PROMPTS[words])
    for name, value in SETTINGS.items():
        if name in SCHEDULES:
            mine, theirs = (parse_schedule(text).sample(FRAMES, 123, FPS) for text in (found.settings[name], value))
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)
        else:
            assert found.settings[name] == value, name
    again = deforum_settings(found.prompts, found.camera, found.settings, FRAMES, FPS, SIZE, "smooth", 6)
    assert import_animation(json.dumps(again)).settings == found.settings


@pytest.mark.parametrize("words", PROMPTS)
@pytest.mark.parametrize("kind", ["3D", "in seconds"])
def test_a_parseq_table_comes_back(kind, words):
    settings = {**SETTINGS, "seed_behavior": "schedule", "seed_schedule": "0:(s), 20:(s+5)"}
    table = parseq_manifest(PROMPTS[words], CAMERAS[kind], settings, FRAMES, FPS)
    found = import_animation(json.dumps(table))
    assert (found.kind, found.num_frames, found.fps) == ("parseq", FRAMES, FPS)
    same_camera(found.camera, CAMERAS[kind])
    same_prompts(found.prompts, PROMPTS[words])
    assert found.settings["diffusion_cadence"] == 3
    for name in ("strength_schedule", "noise_schedule", "cfg_scale_schedule", "seed_schedule", "subseed_schedule"):
        mine = parse_schedule(found.settings[name]).sample(FRAMES)
        np.testing.assert_allclose(mine, parse_schedule(settings[name]).sample(FRAMES, 123, FPS), rtol=1e-9, atol=1e-12)


def test_a_2d_parseq_table_comes_back():
    found = import_animation(json.dumps(parseq_manifest(PROMPTS["plain"], CAMERAS["2D"], SETTINGS, FRAMES, FPS)))
    assert isinstance(found.camera, Camera2D)
    for name in ("angle", "zoom", "translation_x", "translation_y"):
        mine, theirs = (getattr(camera, name).sample(FRAMES, 123, FPS) for camera in (found.camera, CAMERAS["2D"]))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["deforum_default.txt", "parseq.json", "fizz.txt", "astria.txt"])
def test_what_was_imported_is_exported_and_imported_again(name):
    first = import_animation((DATA / name).read_text())
    text = json.dumps(
        deforum_settings(
            first.prompts, first.camera, first.settings, first.num_frames, first.fps, first.size, first.blend
        )
    )
    second = import_animation(text)
    assert (second.num_frames, second.fps, second.size, second.blend) == (
        first.num_frames, first.fps, first.size, first.blend,
    )  # fmt: skip
    assert type(second.camera) is type(first.camera)
    for key, value in first.settings.items():
        assert second.settings[key] == value, key
    for frame in range(0, first.num_frames, 3):
        assert second.prompts.text_at(frame, first.num_frames) == first.prompts.text_at(frame, first.num_frames)


def test_a_camera_that_keeps_still():
    found = import_animation(
        json.dumps(deforum_settings(PROMPTS["lines"], None, sampler_settings({}), 9, 15, (64, 64)))
    )
    assert found.camera.track(9, 15.0, 0, (64, 64)).at_rest(0, 8)


def test_a_2d_parseq_table_with_a_flip_comes_back():
    found = import_animation(json.dumps(parseq_manifest(PROMPTS["plain"], CAMERAS["flip"], SETTINGS, FRAMES, FPS)))
    same_camera(found.camera, CAMERAS["flip"])


def test_any_camera_in_space_is_exported_as_deltas():
    """Deforum's schedules can say every motion in space, one delta a frame."""
    camera = Combined(
        CAMERAS["3D"], Camera3D(translation_z="0:(0)", rotation_3d_z="0:(2*cos(t))", fov="0:(70), 39:(60)")
    )
    truth = camera.track(FRAMES, FPS, 123, SIZE)
    for written in (
        deforum_settings(PROMPTS["plain"], camera, SETTINGS, FRAMES, FPS, SIZE),
        parseq_manifest(PROMPTS["plain"], camera, SETTINGS, FRAMES, FPS, SIZE),
    ):
        found = import_animation(json.dumps(written)).camera.track(FRAMES, FPS, 123, SIZE)
        np.testing.assert_allclose(found.views, truth.views, atol=1e-9)
        np.testing.assert_allclose(found.fov_deg, truth.fov_deg, rtol=1e-9)


def test_a_combined_2d_camera_is_not_exported_as_something_else():
    camera = Combined(CAMERAS["2D"], CAMERAS["flip"])
    with pytest.raises(FramedriftError, match="Export 2D Camera without"):
        deforum_settings(PROMPTS["plain"], camera, SETTINGS, FRAMES, FPS, SIZE)


def test_options_go_out_and_come_back():
    given = dict(DEFAULTS) | {
        "prompts": {"0": "a fox"}, "color_coherence": "HSV", "contrast_schedule": "0:(1.1)", "diffusion_redo": 1,
        "enable_sampler_scheduling": True, "sampler_schedule": '0: ("Euler a"), 9: ("DPM++ 2M Karras")',
        "enable_clipskip_scheduling": True, "distilled_cfg_scale_schedule": "0:(3.5)", "color_force_grayscale": True,
        "enable_ancestral_eta_scheduling": True, "enable_checkpoint_scheduling": True,
    }  # fmt: skip
    first = import_animation(json.dumps(given))
    out = deforum_settings(
        first.prompts, first.camera, first.settings, 12, 15, (512, 512), first.blend, 0, first.options
    )
    again = import_animation(json.dumps(out))
    assert again.options.signature() == first.options.signature()
    one, two = (found.options.sample(12, 0, 15.0) for found in (first, again))
    assert one.names == two.names
    assert {name: values.tolist() for name, values in one.numbers.items()} == {
        name: values.tolist() for name, values in two.numbers.items()
    }
