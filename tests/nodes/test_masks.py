"""The Masks node as ComfyUI calls it."""

import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.masks import Masks as MasksOption
from framedrift.nodes.core.video.encode import encode_h264
from framedrift.nodes.headless.video import VideoFile
from framedrift.nodes.masks import Masks

SIZE = (16, 32)
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
    assert Masks.validate_inputs(**GIVEN) is True
    assert "mask_blur" in str(Masks.validate_inputs(**GIVEN | {"mask_blur": -1.0}))
    assert "mask_contrast_adjust" in str(Masks.validate_inputs(**GIVEN | {"mask_contrast_adjust": 11.0}))


def test_two_nodes_in_a_chain_are_refused():
    (options,) = Masks.execute(**GIVEN, mask=right()).args
    with pytest.raises(FramedriftError, match="two Masks nodes"):
        Masks.execute(options=options, **GIVEN, mask=right())
