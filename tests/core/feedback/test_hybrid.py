"""Hybrid video: what is taken of the clip for a frame, and what is asked of it."""

import logging
from dataclasses import replace

import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.hybrid import Hybrid
from framedrift.nodes.core.feedback.plan import FramePlan
from framedrift.nodes.core.video.frames import BatchFrames

H, W = 48, 70
VALUES = {
    "hybrid_comp_alpha_schedule": 0.5,
    "hybrid_comp_mask_blend_alpha_schedule": 0.5,
    "hybrid_comp_mask_contrast_schedule": 1.0,
    "hybrid_comp_mask_auto_contrast_cutoff_low_schedule": 0.0,
    "hybrid_comp_mask_auto_contrast_cutoff_high_schedule": 100.0,
    "hybrid_flow_factor_schedule": 1.0,
}


def plan(frame, **values):
    named = {f"hybrid_{name}_schedule": value for name, value in values.items()}
    return FramePlan(frame, 0, 0.6, 10, 5.0, 0.0, values=VALUES | named)


def noise(seed, size=(H, W)):
    small = torch.rand(1, 3, size[0] // 5, size[1] // 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, size=size, mode="bicubic").clamp(0, 1)


def wandering(length=6, step=3, size=(H, W)):
    """A texture that wanders to the right, `step` px a frame, (length, H, W, 3)."""
    wide = noise(1, (size[0], size[1] + 40))
    pictures = [wide[..., 30 - step * n : 30 - step * n + size[1]] for n in range(length)]
    return torch.cat(pictures).permute(0, 2, 3, 1).contiguous()


class Watched(BatchFrames):
    """Notes which frames were asked for."""

    def __init__(self, images):
        super().__init__(images)
        self.asked = []

    def __getitem__(self, item):
        self.asked.append(item)
        return super().__getitem__(item)


@pytest.fixture
def clip():
    return Watched(wandering())


def hybrid(clip, **settings):
    return Hybrid(video=clip, **settings).fitted(clip.fps, clip.size)


IMAGE = noise(7)
HOLES = torch.zeros(1, 1, H, W)


def shown(clip, frame):
    return BatchFrames.__getitem__(clip, frame).permute(2, 0, 1)[None]


# ---------------------------------------------------------------- composite


@pytest.mark.parametrize("composite", ["normal", "before motion", "after generation"])
def test_alpha_is_the_videos_share(clip, composite):
    option = hybrid(clip, composite=composite)
    for alpha in (0.0, 0.25, 1.0):
        mixed = option.composed(IMAGE, plan(2, comp_alpha=alpha), None)
        assert torch.allclose(mixed, IMAGE + alpha * (shown(clip, 2) - IMAGE), atol=1e-6)
    assert torch.equal(option.composed(IMAGE, plan(2, comp_alpha=1.0), None), shown(clip, 2))
    assert option.composed(IMAGE, plan(2, comp_alpha=0.0), None) is IMAGE


def test_none_mixes_nothing_and_asks_for_nothing(clip):
    option = hybrid(clip, composite="none", mask_type="depth")
    clip.asked.clear()
    assert option.composed(IMAGE, plan(2), None) is IMAGE
    assert option.moved(IMAGE, HOLES, 0, plan(2)) == (IMAGE, HOLES)
    assert clip.asked == []
    assert not option.needs_depth


def luma(image):
    return 0.299 * image[:, :1] + 0.587 * image[:, 1:2] + 0.114 * image[:, 2:]


def test_a_light_mask_keeps_the_animations_picture(clip):
    video = shown(clip, 3)
    masks = {
        "blend": 0.7 * luma(IMAGE) + 0.3 * luma(video),
        "difference": (luma(IMAGE) - luma(video)).abs(),
        "depth": IMAGE[:, :1],
        "video depth": video[:, :1],
    }
    for name, kept in masks.items():
        for inverse in (False, True):
            option = hybrid(clip, composite="normal", mask_type=name, mask_inverse=inverse)
            values = {"comp_alpha": 0.8, "comp_mask_blend_alpha": 0.3}
            mixed = option.composed(IMAGE, plan(3, **values), lambda picture: picture[:, :1])
            share = 0.8 * (kept if inverse else 1 - kept)
            assert torch.allclose(mixed, IMAGE + share * (video - IMAGE), atol=1e-5), (name, inverse)


def test_the_masks_tones_come_from_the_schedules(clip):
    option = hybrid(clip, composite="normal", mask_type="depth", mask_auto_contrast=True)
    ramp = torch.linspace(0.2, 0.6, W).expand(1, 1, H, W)
    values = {"comp_alpha": 1.0, "comp_mask_auto_contrast_cutoff_low": 50, "comp_mask_contrast": 1.0}
    mixed = option.composed(IMAGE, plan(1, **values), lambda picture: ramp)
    assert torch.allclose(mixed[..., : W // 2], shown(clip, 1)[..., : W // 2], atol=1e-5)
    assert torch.allclose(mixed[..., -1:], IMAGE[..., -1:], atol=1e-5)
    even = option.composed(IMAGE, plan(1, **values | {"comp_mask_contrast": 0.0}), lambda picture: ramp)
    assert torch.allclose(even, torch.lerp(IMAGE, shown(clip, 1), 0.6), atol=1e-5), "an even mask of the mean, 0.4"


@pytest.mark.parametrize("name", ["depth", "video depth"])
def test_a_mask_of_depth_without_a_model_says_what_to_link(clip, name):
    option = hybrid(clip, composite="normal", mask_type=name)
    assert option.needs_depth
    with pytest.raises(FramedriftError, match=f"hybrid_comp_mask_type: '{name}' needs a depth model; link one"):
        option.composed(IMAGE, plan(1), None)


# ---------------------------------------------------------------- motion


@pytest.mark.parametrize("motion", ["optical flow", "perspective", "affine"])
@pytest.mark.parametrize(("source", "frame"), [(0, 1), (1, 4)])
def test_the_picture_moves_as_the_video_from_the_last_diffused_frame(motion, source, frame):
    clip = Watched(wandering(step=4, size=(96, 140)))
    option = hybrid(clip, motion=motion)
    clip.asked.clear()
    ramp = torch.arange(140).div(140).expand(1, 3, 96, 140)
    moved, holes = option.moved(ramp, torch.zeros(1, 1, 96, 140), source, plan(frame))
    assert sorted(clip.asked) == [source, frame], "the two pictures, and no other"
    way = 4 * (frame - source)
    off = moved[0, 0, 10:-10, 40:-20] * 140 - (torch.arange(40, 120) - way)
    assert float(off.abs().mean()) < 0.15
    assert float(holes[..., 10:-10, : way - 2].mean()) > 0.85
    assert float(holes[..., 10:-10, way + 2 :].mean()) < 0.01


@pytest.mark.parametrize("motion", ["optical flow", "perspective"])
def test_too_long_a_way_is_gone_in_steps_through_the_clip(motion):
    still = noise(3, (96, 140))
    jumping = torch.cat([noise(20 + n, (96, 140)) for n in range(4)]).permute(0, 2, 3, 1)
    for own in (False, True):
        clip = Watched(jumping)
        option = hybrid(clip, motion=motion, use_prev_img=own)
        clip.asked.clear()
        option.moved(still, torch.zeros(1, 1, 96, 140), 0, plan(3))
        if own:
            assert clip.asked == [3], "nothing lies between the animation's picture and the video's"
        else:
            assert {0, 3} < set(clip.asked), "what lies between was asked for"


def test_factor_0_and_1(clip):
    option = hybrid(clip, motion="optical flow")
    clip.asked.clear()
    assert option.moved(IMAGE, HOLES, 0, plan(1, flow_factor=0.0)) == (IMAGE, HOLES)
    assert clip.asked == []
    whole, _ = option.moved(IMAGE, HOLES, 0, plan(1))
    assert not torch.equal(whole, IMAGE)


def test_the_motion_may_start_from_the_animations_picture(clip):
    option = hybrid(clip, motion="optical flow", use_prev_img=True)
    clip.asked.clear()
    # The animation shows the video's frame 1 where the video is at 3: it has to catch up.
    own, _ = option.moved(shown(clip, 1), HOLES, 2, plan(3))
    assert clip.asked == [3]
    caught_up = (own - shown(clip, 3)).abs()[..., 4:-4, 12:-4]
    behind = (shown(clip, 1) - shown(clip, 3)).abs()[..., 4:-4, 12:-4]
    assert float(caught_up.mean()) < 0.15 * float(behind.mean())


def test_what_cannot_be_followed_is_said_and_moves_nothing(caplog):
    flat = BatchFrames(torch.full((3, H, W, 3), 0.3) + torch.arange(3).view(3, 1, 1, 1) * 0.1)
    option = hybrid(flat, motion="perspective")
    with caplog.at_level(logging.WARNING, logger="framedrift"):
        assert option.moved(IMAGE, HOLES, 0, plan(2)) == (IMAGE, HOLES)
    assert "Frame 2: too little of the hybrid video could be followed from frame 0" in caplog.text


def test_nothing_is_remembered(clip):
    option = hybrid(clip, composite="normal", mask_type="difference", motion="optical flow", flow_consistency=True)

    def made(one, frame):
        image, holes = one.moved(IMAGE, HOLES, frame - 1, plan(frame))
        return one.composed(image, plan(frame), None), holes

    in_order = [made(option, frame) for frame in range(1, 6)]
    alone = made(hybrid(Watched(wandering()), composite="normal", mask_type="difference", motion="optical flow",
                        flow_consistency=True), 4)  # fmt: skip
    assert torch.equal(in_order[3][0], alone[0])
    assert torch.equal(in_order[3][1], alone[1])
    assert torch.equal(IMAGE, noise(7)), "and nothing given is written to"


# ---------------------------------------------------------------- the clip


def test_the_clip_is_brought_to_rate_and_size():
    option = Hybrid(video=BatchFrames(torch.rand(9, 40, 60, 3), 30.0), composite="normal").fitted(10.0, (20, 30))
    assert option.length() == 3
    assert option.first_picture() is None
    first = replace(option, use_first_frame=True).first_picture()
    assert first is not None
    assert first.shape == (1, 3, 20, 30)


def test_each_frame_is_decoded_once(clip):
    option = hybrid(clip, composite="normal", motion="optical flow")
    clip.asked.clear()
    for frame in range(1, 6):
        image, _ = option.moved(IMAGE, HOLES, frame - 1, plan(frame))
        option.composed(image, plan(frame), None)
    assert clip.asked == [0, 1, 2, 3, 4, 5]


def test_a_frame_beyond_the_clip_is_named(clip):
    with pytest.raises(FramedriftError, match="frame 6 is asked for, and the video has 6 frames"):
        hybrid(clip, composite="normal").composed(IMAGE, plan(6), None)


def test_a_frame_of_the_clip_that_holds_no_numbers_is_named():
    broken = wandering()
    broken[2, 3, 4] = float("nan")
    with pytest.raises(FramedriftError, match="frame 2 of the video has pixels that are no numbers"):
        hybrid(BatchFrames(broken), composite="after generation").composed(IMAGE, plan(2), None)


def test_alpha_channels_are_left_out():
    option = hybrid(BatchFrames(torch.rand(2, H, W, 4)), composite="normal", use_first_frame=True)
    assert option.composed(IMAGE, plan(1), None).shape == IMAGE.shape
    first = option.first_picture()
    assert first is not None
    assert first.shape[1] == 3


def test_the_signature_tells_what_shapes_pictures(clip):
    def mark(images=None, **settings):
        return hybrid(BatchFrames(wandering() if images is None else images), **settings).signature()

    assert mark() == mark()
    assert mark(mask_type="blend", flow_method="farneback") == mark(), "both are switched off"
    assert mark(wandering(length=5)) != mark()
    assert mark(1 - wandering()) != mark()
    assert mark(use_first_frame=True) != mark()
    on = {"composite": "normal", "motion": "optical flow"}
    changes = [
        {"composite": "before motion"},
        {"mask_type": "blend"},
        {"mask_inverse": True},
        {"mask_equalize": "both"},
        {"mask_auto_contrast": True},
        {"motion": "affine"},
        {"flow_method": "farneback"},
        {"flow_consistency": True},
        {"consistency_blur": 3.0},
        {"use_prev_img": True},
    ]
    marks = [mark(**on), *(mark(**on | change) for change in changes)]
    assert all(one not in marks[:place] for place, one in enumerate(marks))
