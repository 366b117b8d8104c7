"""The Masks node as ComfyUI calls it, and in whole animations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.masks import Masks as MasksOption
from framedrift.nodes.core.video.encode import encode_h264
from framedrift.nodes.headless import folders
from framedrift.nodes.headless.runner import node_classes, run_prompt
from framedrift.nodes.headless.video import VideoFile
from framedrift.nodes.masks import Masks

SIZE = (16, 32)
SD15 = Path("checkpoints", "tiny_sd15_all.safetensors")
GIVEN = {
    "invert_mask": False,
    "mask_contrast_adjust": 1.0,
    "mask_brightness_adjust": 1.0,
    "mask_blur": 0.0,
    "overlay_mask": True,
    "mask_overlay_blur": 4.0,
    "use_noise_mask": False,
}


def made(**given):
    (options,) = Masks.execute(**GIVEN | given).args
    return options.only(MasksOption)


def right(count=1):
    mask = torch.zeros(count, *SIZE)
    mask[..., 16:] = 1
    return mask


def test_its_inputs_reach_the_option():
    listed = Masks.INPUT_TYPES()
    names = {**listed.get("required", {}), **listed.get("optional", {})}
    assert set(names) == set(GIVEN) | {"options", "mask", "image", "mask_video", "noise_mask"}
    given = {
        "invert_mask": True,
        "mask_contrast_adjust": 1.5,
        "mask_brightness_adjust": 0.7,
        "mask_blur": 2.0,
        "overlay_mask": False,
        "mask_overlay_blur": 1.0,
    }
    masks = made(mask=right(), use_noise_mask=True, **given)
    assert {name: getattr(masks, name) for name in given} == given
    assert masks.noise_mask
    assert {name: getattr(made(mask=right()), name) for name in given} == {name: GIVEN[name] for name in given}


@pytest.mark.parametrize("mask", [right(), right()[0], right()[:, None], right().double()])
def test_a_mask_is_a_still(mask):
    assert torch.equal(made(mask=mask).at(0, SIZE), right()[None])


def test_masks_one_a_frame_are_a_clip():
    batch = torch.stack([right()[0], 1 - right()[0]])
    masks = made(mask=batch).fitted(15.0, SIZE)
    assert masks.length() == 2
    assert torch.equal(masks.at(1, SIZE), 1 - right()[None])


def test_the_alpha_of_an_image_is_a_mask_and_opaque_changes():
    image = torch.rand(1, *SIZE, 4)
    image[..., 3] = right()
    assert torch.equal(made(image=image).at(0, SIZE), right()[None])
    clip = torch.cat([image, image.flip(2)])
    assert torch.equal(made(image=clip).fitted(15.0, SIZE).at(1, SIZE), 1 - right()[None])


def test_a_video_is_a_mask_for_every_frame(tmp_path):
    frames = [right()[0, ..., None].expand(-1, -1, 3) * shade for shade in (1.0, 0.75, 0.5, 0.25)]
    encode_h264(iter(frames), tmp_path / "mask.mp4", 15.0, SIZE, crf=1)
    masks = made(mask_video=VideoFile(tmp_path / "mask.mp4")).fitted(15.0, SIZE)
    assert masks.length() == 4
    for frame, shade in enumerate((1.0, 0.75, 0.5, 0.25)):
        inside = masks.at(frame, SIZE)[..., 18:]
        assert float(inside.mean()) == pytest.approx(shade, abs=0.03)
        assert float(masks.at(frame, SIZE)[..., :14].max()) < 0.05


def test_the_noises_own_mask_may_stand_alone():
    masks = made(noise_mask=right())
    assert torch.equal(masks.noise_at(0, SIZE), right()[None])
    assert torch.equal(masks.at(0, SIZE), torch.ones(1, 1, *SIZE))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "there is none"),
        ({"mask": right(), "mask_video": torch.rand(2, *SIZE, 3)}, "mask and mask_video are linked"),
        ({"mask": right(), "image": torch.rand(1, *SIZE, 4)}, "mask and image are linked"),
        ({"image": torch.rand(1, *SIZE, 3)}, "3 channels, so no alpha"),
        ({"noise_mask": right(3)}, "noise_mask: 3 masks"),
        ({"mask": torch.zeros(0, *SIZE)}, "mask: a mask has the axes"),
    ],
)
def test_links_that_do_not_fit_are_named(given, said):
    with pytest.raises(FramedriftError, match=said):
        made(**given)


def test_what_is_out_of_range_is_said_before_anything_runs():
    assert Masks.validate_inputs(**GIVEN, mask=None) is True
    assert "mask_blur" in str(Masks.validate_inputs(**GIVEN | {"mask_blur": -1.0}))
    assert "mask_contrast_adjust" in str(Masks.validate_inputs(**GIVEN | {"mask_contrast_adjust": 11.0}))


def test_two_nodes_in_a_chain_are_refused():
    (options,) = Masks.execute(**GIVEN, mask=right()).args
    with pytest.raises(FramedriftError, match="two Masks nodes"):
        Masks.execute(options=options, **GIVEN, mask=right())


def masked(prompt, place, **masks):
    """The prompt with a picture to start from, of whose right half alone a mask lets change; (its pictures, it)."""
    rows, columns = np.mgrid[:64, :96]
    picture = np.stack([columns / 95, rows / 63, 0.5 + 0.4 * np.sin(columns / 5) * np.sin(rows / 5)], -1)
    Image.fromarray((picture * 255).round().astype(np.uint8)).save(place / "init.png")
    clear = np.full((64, 96, 4), 255, np.uint8)
    clear[:, 48:, 3] = 0
    Image.fromarray(clear).save(place / "mask.png")
    Image.new("RGBA", (64, 64)).save(place / "square.png")
    for name in ("init", "mask", "square"):
        prompt[name] = {"class_type": "LoadImage", "inputs": {"image": f"{name}.png"}}
    prompt["masks"] = {"class_type": "FramedriftMasks", "inputs": GIVEN | {"mask": ["mask", 1]} | masks}
    sampler = {"init_image": ["init", 0], "options": ["masks", 0], "color_coherence": "none", "num_frames": 3}
    sampler |= {"steps_schedule": "0:(6)", "strength_schedule": "0:(0.5)", "noise_schedule": "0:(0.1)"}
    prompt["3"]["inputs"] |= sampler
    with Image.open(place / "init.png") as opened:
        return np.asarray(opened, float) / 255, prompt


def frames_below(place):
    made = []
    for path in sorted(place.rglob("frames/*.png")):
        with Image.open(path) as opened:
            made.append(np.asarray(opened, float) / 255)
    return made


def animation(prompt, place, **masks):
    (place / "input").mkdir(parents=True)
    given, made = masked(prompt, place / "input", **masks)
    run_prompt(made, folders.Folders(place / "output", place / "input", place / "temp", place / "models"))
    frames = frames_below(place / "output")
    assert len(frames) == 3
    return given, frames


@pytest.mark.parametrize("overlay", [True, False])
def test_what_the_mask_keeps_stays_and_the_rest_changes(tmp_path, flight_prompt, overlay):
    given, frames = animation(flight_prompt, tmp_path, overlay_mask=overlay, mask_overlay_blur=0.0)
    for frame in frames:
        # Without the overlay a seam of a few pixels is mixed, so that it does not show.
        assert np.abs(frame - given)[:, : 48 if overlay else 40].max() == 0
        assert np.abs(frame - given)[:, 56:].mean() > 0.05
    assert np.abs(frames[1] - frames[2])[:, 56:].mean() > 0.01


def test_a_soft_overlay_lets_the_picture_show_inside_the_edge(tmp_path, flight_prompt):
    changes = []
    for name, blur in (("hard", 0.0), ("soft", 2.0)):
        given, frames = animation(flight_prompt, tmp_path / name, mask_overlay_blur=blur)
        changes.append(np.abs(frames[0] - given).sum((0, 2)))
    share = changes[1][48:] / changes[0][48:]
    # Half a pixel inside the edge of a Gaussian of two: 0.6 of the change is left.
    assert share[0] == pytest.approx(0.6, abs=0.03)
    assert bool((np.diff(share[:5]) > 0).all())
    assert share[6:] == pytest.approx(1)
    assert changes[1][:43].max() == 0


def test_inverted_it_is_the_other_half(tmp_path, flight_prompt):
    given, frames = animation(flight_prompt, tmp_path, invert_mask=True, mask_overlay_blur=0.0)
    assert np.abs(frames[2] - given)[:, 48:].max() == 0
    assert np.abs(frames[2] - given)[:, :40].mean() > 0.05


def test_the_overlay_puts_back_the_guide_that_the_animation_starts_from(tmp_path, flight_prompt):
    (tmp_path / "input").mkdir()
    given, prompt = masked(flight_prompt, tmp_path / "input", mask_overlay_blur=0.0)
    del prompt["3"]["inputs"]["init_image"]
    prompt["guides"] = {"class_type": "FramedriftGuideImages", "inputs": {"start_image": ["init", 0], "keyframes": ""}}
    declared = node_classes()["FramedriftGuideImages"].INPUT_TYPES()["required"]
    prompt["guides"]["inputs"] |= {name: spec[1]["default"] for name, spec in declared.items() if name != "keyframes"}
    prompt["masks"]["inputs"]["options"] = ["guides", 0]
    run_prompt(prompt, folders.Folders(tmp_path / "output", tmp_path / "input", tmp_path / "temp", tmp_path / "models"))
    frames = frames_below(tmp_path / "output")
    assert len(frames) == 3
    for frame in frames:
        assert np.abs(frame - given)[:, :48].max() == 0
        assert np.abs(frame - given)[:, 56:].mean() > 0.01


def test_a_mask_of_another_shape_is_refused_before_the_first_frame(tmp_path, flight_prompt):
    with pytest.raises(FramedriftError, match=r"mask: it is 64x64.*96x64"):
        animation(flight_prompt, tmp_path, mask=["square", 1])
    assert not list(tmp_path.rglob("frames/*.png"))


def test_an_animation_is_no_longer_than_its_mask_clip(tmp_path, flight_prompt, write_clip):
    (tmp_path / "input").mkdir()
    write_clip(tmp_path / "input" / "mask.mp4")
    _, prompt = masked(flight_prompt, tmp_path / "input")
    del prompt["masks"]["inputs"]["mask"]
    prompt["clip"] = {"class_type": "FramedriftLoadVideoFrames", "inputs": {"file": "mask.mp4", "start": 0, "end": -1}}
    prompt["clip"]["inputs"] |= {"every_nth": 1, "fps": 0.0, "width": 0, "height": 0, "fit": "crop"}
    prompt["masks"]["inputs"] |= {"mask_video": ["clip", 0], "mask_overlay_blur": 0.0}
    prompt["3"]["inputs"] |= {"num_frames": 40, "diffusion_cadence": 5}
    run_prompt(prompt, folders.Folders(tmp_path / "output", tmp_path / "input", tmp_path / "temp", tmp_path / "models"))
    assert [path.stem for path in sorted(tmp_path.rglob("frames/*.png"))] == ["000000", "000005", "000010", "000011"]


@pytest.mark.comfyui
def test_in_comfyui_a_stock_model_changes_what_the_mask_lets(rendering, comfyui, flight_prompt):
    if not (comfyui.models / SD15).is_file():
        pytest.skip(f"no {SD15} among ComfyUI's models")
    given, prompt = masked(flight_prompt, rendering.base / "input", overlay_mask=False)
    prompt["1"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": SD15.name}}
    noise = {"noise_type": "perlin", "perlin_w": 4.0, "perlin_h": 4.0, "perlin_octaves": 3, "perlin_persistence": 0.5}
    noise |= {"noise_multiplier_schedule": "0:(1.05)", "options": ["masks", 0]}
    prompt["noise"] = {"class_type": "FramedriftNoise", "inputs": noise}
    prompt["3"]["inputs"] |= {"options": ["noise", 0], "run_name": "masked"}
    rendering.queue(prompt)
    frames = frames_below(next((rendering.base / "output" / "framedrift").glob("masked_*")))
    assert len(frames) == 3
    for frame in frames:
        # A latent pixel is eight wide, and its edge is softened.
        assert np.abs(frame - given)[:, :40].max() == 0
        assert np.abs(frame - given)[:, 56:].mean() > 0.05
