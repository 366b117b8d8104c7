"""Where frames may change: masks as they are given, adjusted, at their frame, and what is put back."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.denoise import denoise_map, keep_untouched, plan_diffusion
from framedrift.nodes.core.feedback.masks import Masks, blurred, brightness, masked_denoise
from framedrift.nodes.core.video.frames import BatchFrames

SIZE = (24, 40)


def half(size=SIZE):
    """1 in the right half, 0 in the left."""
    mask = torch.zeros(1, 1, *size)
    mask[..., size[1] // 2 :] = 1
    return mask


def ramp(size=SIZE, low=0.0, high=1.0):
    return torch.linspace(low, high, size[0] * size[1]).view(1, 1, *size)


def greys(count, size=SIZE, channels=3):
    """A clip whose frame n is all n / 10."""
    return (torch.arange(count) / 10)[:, None, None, None].expand(count, *size, channels).contiguous()


def test_a_still_is_the_same_at_every_frame_and_its_values_count():
    masks = Masks(still=ramp()).fitted(15.0, SIZE)
    assert torch.equal(masks.at(0, SIZE), ramp())
    assert torch.equal(masks.at(99, SIZE), ramp())
    assert masks.length() is None


def test_inverted():
    torch.testing.assert_close(Masks(still=ramp(), invert_mask=True).at(0, SIZE), 1 - ramp())


@pytest.mark.parametrize(("brightness", "contrast"), [(1.0, 1.7), (1.4, 1.0), (0.5, 2.0), (1.3, 0.4), (1.0, 0.0)])
def test_brightness_and_contrast_are_pillows_as_in_deforum(brightness, contrast):
    mask = ramp(low=0.1, high=0.8)
    picture = Image.fromarray((mask[0, 0].numpy() * 255).round().astype(np.uint8))
    picture = ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(brightness)).enhance(contrast)
    expected = torch.from_numpy(np.asarray(picture) / 255.0).float()[None, None]
    made = Masks(still=mask, mask_brightness_adjust=brightness, mask_contrast_adjust=contrast).at(0, SIZE)
    # Pillow rounds to levels three times, and its mean too.
    torch.testing.assert_close(made, expected, rtol=0, atol=(2 + 2 * contrast) / 255)


def test_the_inversion_comes_after_brightness_and_contrast():
    given = {"still": ramp(low=0.1, high=0.6), "mask_brightness_adjust": 1.5, "mask_contrast_adjust": 1.5}
    torch.testing.assert_close(Masks(**given, invert_mask=True).at(0, SIZE), 1 - Masks(**given).at(0, SIZE))


def test_the_blur_is_a_gaussian_of_so_many_pixels():
    mask = half((9, 80))
    soft = blurred(mask, 4.0)
    distance = torch.arange(80) + 0.5 - 40
    expected = torch.tensor([0.5 * (1 + math.erf(float(d) / (4.0 * math.sqrt(2)))) for d in distance])
    # Its tails are cut off at 2.5 deviations.
    torch.testing.assert_close(soft[0, 0, 4], expected, rtol=0, atol=0.015)
    assert torch.equal(soft[..., :30], mask[..., :30])
    assert torch.equal(soft[..., 50:], mask[..., 50:])
    assert torch.equal(Masks(still=mask, mask_blur=4.0).at(0, (9, 80)), soft)
    assert blurred(mask, 0.0) is mask


def test_the_edge_of_the_picture_does_not_darken_the_blur():
    assert torch.allclose(blurred(torch.ones(1, 1, 20, 20), 5.0), torch.ones(1, 1, 20, 20), atol=1e-6)


def test_a_mask_of_the_same_shape_is_resized():
    masks = Masks(still=half((48, 80)), noise_still=half((12, 20))).fitted(15.0, SIZE)
    made = masks.at(3, SIZE)
    torch.testing.assert_close(made[..., :19], half()[..., :19])
    torch.testing.assert_close(made[..., 21:], half()[..., 21:])
    noise = masks.noise_at(3, SIZE)
    assert noise is not None and noise.shape == (1, 1, *SIZE)
    # 1920x1080, rounded to what a model takes.
    assert Masks(still=half((1080, 1920))).fitted(15.0, (544, 960)).at(0, (544, 960)).shape == (1, 1, 544, 960)


@pytest.mark.parametrize(("field", "named"), [("still", "mask"), ("noise_still", "noise_mask")])
def test_a_mask_of_another_shape_is_refused_with_both_sizes(field, named):
    with pytest.raises(FramedriftError, match=f"{named}: it is 32x32.*40x24"):
        Masks(**{field: torch.ones(1, 1, 32, 32)}).fitted(15.0, SIZE)


def test_a_clip_masks_each_frame_at_its_own_rate_and_limits_the_length():
    masks = Masks(clip=greys(8)).fitted(15.0, SIZE)
    assert masks.length() == 8
    for frame in (0, 3, 7):
        torch.testing.assert_close(masks.at(frame, SIZE), torch.full((1, 1, *SIZE), frame / 10))
    with pytest.raises(FramedriftError, match="8 frames, there is none for frame 8"):
        masks.at(8, SIZE)
    slower = Masks(clip=BatchFrames(greys(8), fps=7.5)).fitted(15.0, SIZE)
    assert slower.length() == 15
    torch.testing.assert_close(slower.at(12, SIZE), torch.full((1, 1, *SIZE), 0.6))


def test_a_clip_of_another_shape_is_cropped():
    wide = half((24, 80)).permute(0, 2, 3, 1).expand(2, -1, -1, 3)
    torch.testing.assert_close(Masks(clip=wide).fitted(15.0, SIZE).at(1, SIZE), half())
    with pytest.raises(FramedriftError, match="not at the animation's size"):
        Masks(clip=wide).at(0, SIZE)


def test_brightness_of_a_colour_is_bt_601_without_alpha():
    picture = torch.zeros(1, 4, 4)
    picture[0, 0, 0] = picture[0, 1, 1] = picture[0, 2, 2] = 1
    picture[0, 3, 3] = 1
    torch.testing.assert_close(brightness(picture)[0, 0, 0], torch.tensor([0.299, 0.587, 0.114, 0.0]))
    torch.testing.assert_close(brightness(ramp().permute(2, 3, 0, 1)[..., 0]), ramp())


def test_the_base_is_put_back_where_the_mask_is_0():
    base, image = torch.zeros(1, 3, *SIZE), torch.ones(1, 3, *SIZE)
    hard = Masks(still=half(), mask_overlay_blur=0.0)
    assert torch.equal(hard.overlaid(base, image, 0), half().expand(1, 3, *SIZE))
    soft = Masks(still=half(), mask_overlay_blur=2.0).overlaid(base, image, 0)
    assert torch.equal(soft[..., :15], base[..., :15])
    assert torch.equal(soft[..., 25:], image[..., 25:])
    # Half of the edge on each side, one as the other.
    torch.testing.assert_close(soft, 1 - soft.flip(-1), rtol=0, atol=1e-5)
    assert 0.3 < float(soft[0, 0, 5, 19]) < 0.5


def test_without_a_base_or_an_overlay_the_frame_stays():
    image = torch.rand(1, 3, *SIZE)
    assert Masks(still=half()).overlaid(None, image, 0) is image
    assert Masks(still=half(), overlay_mask=False).overlaid(torch.zeros_like(image), image, 0) is image


def test_the_noise_follows_the_mask_or_its_own_and_never_piles_up_where_nothing_is_diffused():
    grey = half() * 0.5
    torch.testing.assert_close(Masks(still=grey).noise_at(0, SIZE), half())
    torch.testing.assert_close(Masks(still=grey, noise_mask=True).noise_at(0, SIZE), grey)
    inverted = Masks(still=half(), noise_mask=True, invert_mask=True)
    torch.testing.assert_close(inverted.noise_at(0, SIZE), 1 - half())
    own = Masks(still=grey, noise_mask=True, noise_still=ramp())
    torch.testing.assert_close(own.noise_at(0, SIZE), ramp() * half())
    only = Masks(noise_still=ramp()).fitted(15.0, SIZE)
    assert torch.equal(only.noise_at(5, SIZE), ramp())
    assert torch.equal(only.at(0, SIZE), torch.ones(1, 1, *SIZE))


def test_the_denoise_is_multiplied_but_what_was_uncovered_is_diffused():
    holes = torch.zeros(1, 1, *SIZE)
    holes[..., :4, :] = 1
    denoise = denoise_map(holes, torch.ones_like(holes), 0.4)
    grey = torch.full_like(half(), 0.5)
    kept = masked_denoise(denoise, half(), holes)
    assert kept.dtype == denoise.dtype
    assert float(kept[0, 0, 0, 0]) == 1.0  # a hole, in the part that stays
    assert float(kept[0, 0, 10, 0]) == 0.0
    assert float(kept[0, 0, 10, 39]) == pytest.approx(0.4)
    covered = masked_denoise(denoise, half(), holes, keeps_holes=True)
    assert float(covered[0, 0, 0, 0]) == 0.0
    assert float(covered[0, 0, 0, 39]) == 1.0
    assert float(masked_denoise(denoise, grey, holes)[0, 0, 10, 0]) == pytest.approx(0.2)


def test_a_black_mask_diffuses_nothing_and_half_a_mask_leaves_the_rest_untouched():
    none = torch.zeros(1, 1, 32, 64)
    denoise = denoise_map(none, none + 1, 0.5)
    assert plan_diffusion(masked_denoise(denoise, none, none), 20, 8) is None
    diffusion = plan_diffusion(masked_denoise(denoise, half((32, 64)), none), 20, 8)
    assert diffusion is not None and diffusion.steps == 10
    assert torch.equal(diffusion.mask, half((4, 8)))
    image, diffused = torch.zeros(1, 3, 32, 64), torch.ones(1, 3, 32, 64)
    kept = keep_untouched(image, diffused, diffusion.mask)
    assert torch.equal(kept[..., :27], image[..., :27])
    assert torch.equal(kept[..., 32:], diffused[..., 32:])


def test_a_mask_that_stops_everything_is_said(caplog):
    Masks(still=torch.ones(1, 1, *SIZE)).fitted(15.0, SIZE)
    assert not caplog.records
    Masks(still=torch.ones(1, 1, *SIZE), invert_mask=True).fitted(15.0, SIZE)
    assert "0 everywhere" in caplog.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "there is none"),
        ({"still": half(), "clip": greys(2)}, "one of them"),
        ({"still": torch.ones(1, 1, 4)}, "shape"),
        ({"still": torch.ones(2, 1, 4, 4)}, "shape"),
        ({"still": torch.full((1, 1, 4, 4), math.nan)}, "^mask: .*NaN"),
        ({"noise_still": torch.full((1, 1, 4, 4), math.inf)}, "^noise_mask: "),
        ({"still": half(), "mask_blur": -1.0}, "mask_blur is -1"),
        ({"still": half(), "mask_contrast_adjust": math.nan}, "mask_contrast_adjust is nan"),
        ({"still": half(), "mask_overlay_blur": math.inf}, "mask_overlay_blur is inf"),
    ],
)
def test_what_cannot_be_is_said(given, said):
    with pytest.raises(FramedriftError, match=said):
        Masks(**given)


def test_a_clip_with_values_that_are_no_numbers_is_named_with_its_frame():
    clip = greys(4)
    clip[2, 1, 1] = math.nan
    masks = Masks(clip=clip).fitted(15.0, SIZE)
    masks.at(1, SIZE)
    with pytest.raises(FramedriftError, match=r"mask_video, frame 2: .*NaN"):
        masks.at(2, SIZE)


def test_a_clip_without_frames_or_of_another_type_is_refused():
    with pytest.raises(FramedriftError, match=r"mask_video: .*there are none"):
        Masks(clip=torch.zeros(0, 8, 8, 3)).fitted(15.0, SIZE)
    with pytest.raises(FramedriftError, match=r"mask_video: .*needs FRAMES"):
        Masks(clip="mask.mp4").fitted(15.0, SIZE)


def test_the_signature_holds_what_shapes_pictures():
    plain = Masks(still=half())
    others = [
        {"still": ramp()},
        {"still": None, "clip": greys(2)},
        {"still": None, "clip": greys(3)},
        {"invert_mask": True},
        {"mask_brightness_adjust": 2.0},
        {"mask_contrast_adjust": 2.0},
        {"mask_blur": 2.0},
        {"overlay_mask": False},
        {"mask_overlay_blur": 2.0},
        {"noise_mask": True},
        {"noise_still": half()},
        {"noise_still": ramp()},
    ]
    made = [plain, *(dataclasses.replace(plain, **other) for other in others)]
    signatures = [str(masks.fitted(15.0, SIZE).signature()) for masks in made]
    assert len(set(signatures)) == len(signatures)
    assert str(Masks(still=half().clone()).fitted(15.0, SIZE).signature()) == signatures[0]


def test_nothing_that_is_given_is_written_into():
    mask, base, image = ramp(), torch.rand(1, 3, *SIZE), torch.rand(1, 3, *SIZE)
    kept = mask.clone(), base.clone(), image.clone()
    masks = Masks(still=mask, invert_mask=True, mask_contrast_adjust=2.0, mask_brightness_adjust=1.2, mask_blur=3.0)
    masks.fitted(15.0, SIZE).overlaid(base, image, 0)
    assert all(torch.equal(now, before) for now, before in zip((mask, base, image), kept, strict=True))


def test_blur_is_pillows_too():
    mask = half((30, 30))
    picture = Image.fromarray((mask[0, 0].numpy() * 255).astype(np.uint8))
    expected = np.asarray(picture.filter(ImageFilter.GaussianBlur(3))) / 255.0
    # Pillow's is three box blurs.
    assert np.abs(blurred(mask, 3.0)[0, 0].numpy() - expected).max() < 0.04
