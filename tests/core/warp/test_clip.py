"""One picture and a camera become a clip."""

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.frames import Frames, Timeline, gather
from framedrift.nodes.core.warp import WarpedFrames, WarpSettings, warp, warp_pinhole

SIZE = (45, 80)


def picture(seed=0):
    return torch.rand((1, 3, *SIZE), generator=torch.Generator().manual_seed(seed))


def ramp(height=45, width=80):
    return torch.linspace(0, 1, height)[None, None, :, None].expand(1, 1, height, width).contiguous()


def track(camera, frames=12):
    return camera.track(frames, 24.0, 0, SIZE)


MOVING = Camera3D(translation_x="0:(4), 11:(-2)", translation_z=6, rotation_3d_y=0.4)


def test_it_is_frames_of_the_animation():
    clip = WarpedFrames(picture(), track(MOVING), disparity=ramp(), fps=24)
    assert isinstance(clip, Frames)
    assert (len(clip), clip.num_frames, clip.indices, clip.size, clip.fps) == (12, 12, tuple(range(12)), SIZE, 24.0)
    assert clip[3].shape == (*SIZE, 3)
    assert len(list(Timeline(clip))) == 12
    assert gather(clip, count=2).shape == (2, *SIZE, 3)
    assert torch.equal(clip[-1], clip[11])
    with pytest.raises(IndexError):
        clip[12]
    some = WarpedFrames(picture(), track(MOVING), 0, range(4, 10, 3), ramp())
    assert (some.indices, some.num_frames) == ((4, 7), 12)
    assert torch.equal(some[1], clip[7])


def test_each_frame_is_one_resampling_with_the_composed_pose():
    path, image = track(MOVING), picture()
    clip = WarpedFrames(image, path, 0, None, ramp(), WarpSettings(near=2, far=9))
    depth = 1 / (ramp() * (1 / 2 - 1 / 9) + 1 / 9)
    expected = warp_pinhole(image, depth, np.linalg.multi_dot([path.step(i, i + 1) for i in range(8, -1, -1)]), 70)
    found = clip.warped(9)
    assert torch.allclose(found.image, expected.image, atol=1e-4)
    assert torch.allclose(found.magnification, expected.magnification, rtol=1e-3)
    assert torch.equal(clip[9], found.image[0].movedim(0, -1))


@pytest.mark.parametrize("camera", [Camera2D(zoom=1.03, angle=2), MOVING])
@pytest.mark.parametrize("source", [0, 5])
def test_the_source_frame_is_the_picture_and_order_does_not_matter(camera, source):
    image = picture()
    clip = WarpedFrames(image, track(camera), source, disparity=ramp())
    assert torch.equal(clip[source], image[0].movedim(0, -1))
    assert not clip.warped(source).holes.any()
    forwards = list(clip)
    for item in (7, 2, 11, 0, 7):
        assert torch.equal(clip[item], forwards[item])
    assert torch.equal(forwards[8], warp(image, track(camera), source, 8, ramp()).image[0].movedim(0, -1))


def test_disparity_is_known_where_the_picture_stands():
    clip = WarpedFrames(picture(), track(MOVING), 2, disparity=ramp(20, 40))
    assert clip.disparity(2).shape == SIZE
    assert clip.disparity(3) is None
    assert WarpedFrames(picture(), track(MOVING)).disparity(0) is None


def test_what_it_holds_stays_as_it_is():
    image, depth = picture(), ramp()
    kept = image.clone(), depth.clone()
    list(WarpedFrames(image, track(MOVING), disparity=depth))
    assert torch.equal(image, kept[0])
    assert torch.equal(depth, kept[1])


def test_refusals():
    path, image = track(MOVING), picture()
    for given, words in [
        ({"image": torch.cat([image, image])}, "one picture"),
        ({"frames": []}, "frames"),
        ({"frames": [3, 3]}, "ascend"),
        ({"frames": range(10, 13)}, "12 frames"),
        ({"source": -1}, "12 frames"),
        ({"disparity": ramp()[0]}, "disparity"),
        ({"disparity": ramp().expand(2, -1, -1, -1)}, "disparity"),
        ({"fps": 0}, "fps"),
    ]:
        with pytest.raises(FramedriftError, match=words):
            WarpedFrames(**{"image": image, "track": path, **given})
