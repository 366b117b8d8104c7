"""Pluecker rays against rays worked out by hand, and the clip that VACE is given."""

import math

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D, Track3D, pose_delta, vace, wan
from framedrift.nodes.core.camera.pose import inverse_rigid, rotation_matrix
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.schedule import parse_schedule
from framedrift.nodes.core.warp import WarpedFrames

SIZE = (6, 10)
LENS = np.array([5.0, 4.0, 5.0, 3.0])


def pose(centre=(0, 0, 0), rotation_deg=(0, 0, 0)):
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = rotation_matrix(rotation_deg), centre
    return made


def path(frames):
    """A camera that does everything at once, and whose lens changes."""
    views = [np.eye(4)]
    for number in range(1, frames):
        views.append(pose_delta((3 + number, -5, 7), (0.5, -1.5 + number / 9, 2)) @ views[-1])
    return Track3D.from_views(np.array(views), np.linspace(50, 80, frames))


def rays(pose, lens=LENS, size=SIZE):
    return wan.plucker_embedding(pose[None], lens[None], size)[0].double()


def test_a_camera_at_the_origin_sees_along_its_pixels():
    found = rays(pose())
    assert found.shape == (6, *SIZE)
    assert found.dtype == torch.float64
    # Column 7, row 1: its centre is 2.5 pixels right of the middle and 1.5 above it.
    expected = np.array([2.5 / 5, -1.5 / 4, 1])
    assert found[3:, 1, 7].numpy() == pytest.approx(expected / np.linalg.norm(expected), abs=1e-7)
    assert not found[:3].any()


@pytest.mark.parametrize(
    ("rotation_deg", "ahead"),
    [((0, 90, 0), (1, 0, 0)), ((90, 0, 0), (0, -1, 0)), ((0, 0, 90), (0, 0, 1)), ((0, 180, 0), (0, 0, -1))],
)
def test_a_turned_camera_looks_where_it_was_turned(rotation_deg, ahead):
    """Yaw right looks along +x, tilt up along -y."""
    found = rays(pose(rotation_deg=rotation_deg), np.array([5.0, 4.0, 0.5, 0.5]))
    assert found[3:, 0, 0].numpy() == pytest.approx(ahead, abs=1e-7)


def test_a_roll_takes_the_right_hand_side_down():
    found = rays(pose(rotation_deg=(0, 0, 90)), np.array([1.0, 1.0, 0.5, 0.5]))
    assert found[3:, 0, 1].numpy() == pytest.approx(np.array([0, 1, 1]) / math.sqrt(2), abs=1e-7)


def test_the_moment_is_that_of_every_point_of_the_ray():
    centre = np.array([2.0, -3.0, 0.5])
    found = rays(pose(centre, (10, -20, 30))).numpy()
    moment, direction = found[:3].reshape(3, -1).T, found[3:].reshape(3, -1).T
    assert np.linalg.norm(direction, axis=1) == pytest.approx(1, abs=1e-6)
    for along in (0.0, 1.0, -4.0):
        assert np.abs(np.cross(centre + along * direction, direction) - moment).max() < 1e-6
    # One of them by hand: straight ahead from (2, -3, 0.5), the moment is (2, -3, 0.5) x (0, 0, 1).
    assert rays(pose(centre), np.array([5.0, 4.0, 0.5, 0.5]))[:3, 0, 0].tolist() == [-3, -2, 0]


@pytest.mark.parametrize("frames", [1, 5, 9])
def test_frames_come_in_groups_of_four_and_the_first_fills_its_own(frames):
    track = path(frames)
    poses, lens = track.poses(), wan.lens_intrinsics(track.fov_deg, SIZE)
    single = wan.plucker_embedding(poses, lens, SIZE)
    found = wan.wan_embedding(poses, lens, SIZE)
    assert found.shape == (1, 24, (frames + 3) // 4, *SIZE)
    assert found.dtype == torch.float32
    for channel in range(6):
        for k in range(4):
            for group in range(found.shape[2]):
                frame = max(0, 4 * group + k - 3)
                assert torch.equal(found[0, 4 * channel + k, group], single[frame, channel]), (channel, k, group)


def test_only_the_embedding_itself_and_little_more_is_in_memory():
    frames, size = 21, (64, 96)
    track = path(frames)
    lens = wan.lens_intrinsics(track.fov_deg, size)
    frame = 6 * size[0] * size[1] * 4
    # Torch's tensors lie outside of what Python counts; what is made at once is what the profiler saw.
    with torch.profiler.profile(profile_memory=True) as seen:
        found = wan.wan_embedding(track.poses(), lens, size)
    held = peak = 0
    for event in sorted(seen.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    output = found.numel() * 4
    assert output <= peak <= output + 3 * frame


def test_a_clip_starts_where_the_camera_is():
    track = path(12)
    poses = wan.clip_poses(track, 3, 5)
    assert np.array_equal(poses[0], np.eye(4))
    for number in range(5):
        assert np.allclose(poses[number], inverse_rigid(track.step(3, 3 + number)), atol=1e-12)
    scaled = wan.clip_poses(track, 3, 5, scale=2.5)
    assert np.allclose(scaled[:, :3, 3], poses[:, :3, 3] * 2.5)
    assert np.array_equal(scaled[:, :3, :3], poses[:, :3, :3])


def test_deforums_units_and_signs_reach_the_rays():
    """200 units to the right and up are one scene unit to +x and to -y."""
    ways = {"x": 200, "y": 100, "z": 0}
    camera = Camera3D(**{f"translation_{axis}": parse_schedule(f"0:({way})") for axis, way in ways.items()})
    track = camera.track(2, 16.0, 0, SIZE)
    poses = wan.clip_poses(track, 0, 2)
    assert poses[1, :3, 3] == pytest.approx((1, -0.5, 0))


def test_the_lens_of_the_camera_has_square_pixels():
    lens = wan.lens_intrinsics(np.array([60.0, 90.0]), (480, 832))
    assert lens[0] == pytest.approx([240 * math.sqrt(3), 240 * math.sqrt(3), 416, 240])
    assert lens[1] == pytest.approx([240, 240, 416, 240])


@pytest.mark.parametrize(
    ("size", "focal"),
    [
        # Narrower than 16:9: the height counts, and half of 16/9 of it across.
        ((480, 832), (480 * 16 / 9 / 2, 240)),
        ((640, 640), (640 * 16 / 9 / 2, 320)),
        # Wider: the width counts.
        ((448, 896), (448, 896 * 9 / 16 / 2)),
        ((720, 1280), (640, 360)),
    ],
)
def test_the_lens_of_comfyuis_own_node(size, focal):
    lens = wan.default_intrinsics(3, size)
    assert lens.shape == (3, 4)
    assert lens[1] == pytest.approx([*focal, size[1] / 2, size[0] / 2])


@pytest.mark.parametrize(
    ("length", "words"), [(80, "77 or 81"), (82, "81 or 85"), (0, "1 or 5"), (4, "1 or 5"), (-3, "1 or 5")]
)
def test_lengths_that_wan_does_not_make(length, words):
    with pytest.raises(FramedriftError, match=f"length.*{words}"):
        wan.check_length(length)


def test_sizes_that_wan_does_not_make():
    assert wan.check_size((480, 832)) == (480, 832)
    with pytest.raises(FramedriftError, match=r"width: 830 pixels.*832"):
        wan.check_size((480, 830))
    with pytest.raises(FramedriftError, match=r"height: 7 pixels.*16"):
        wan.check_size((7, 832))


def test_what_is_no_clip_is_refused():
    track = path(9)
    with pytest.raises(FramedriftError, match=r"start_frame.*num_frames to 10"):
        wan.clip_poses(track, 5, 5)
    with pytest.raises(FramedriftError, match="2D camera"):
        wan.clip_poses(Camera2D(zoom=parse_schedule("0:(1.1)")).track(9, 15, 0, SIZE), 0, 5)
    poses, lens = track.poses(), wan.lens_intrinsics(track.fov_deg, SIZE)
    with pytest.raises(FramedriftError, match="8 frames are no clip"):
        wan.wan_embedding(poses[:8], lens[:8], SIZE)
    poses[4, 0, 0] += 0.1
    with pytest.raises(FramedriftError, match="frame 4 is no rotation"):
        wan.plucker_embedding(poses, lens, SIZE)
    poses[2] = np.diag([1.0, 1.0, -1.0, 1.0])
    with pytest.raises(FramedriftError, match="frame 2 is no rotation"):
        wan.plucker_embedding(poses, lens, SIZE)
    lens[7, 1] = 0
    with pytest.raises(FramedriftError, match="frame 7 has focal"):
        wan.plucker_embedding(track.poses(), lens, SIZE)
    with pytest.raises(FramedriftError, match="must be"):
        wan.plucker_embedding(track.poses(), lens[:3], SIZE)


# ---------------------------------------------------------------- VACE


def two_layers():
    """A near square in the middle of a far wall, and what it is drawn with."""
    image = torch.rand(1, 3, 40, 64, generator=torch.Generator().manual_seed(5)) * 0.4
    disparity = torch.zeros(1, 1, 40, 64)
    disparity[..., 14:26, 24:40] = 1
    image[..., 14:26, 24:40] += 0.6
    return image, disparity


def sideways(frames=5, units=20):
    return Camera3D(translation_x=parse_schedule(f"0:({units})"), translation_z=parse_schedule("0:(0)")).track(
        frames, 16, 0, (40, 64)
    )


def test_the_control_clip_shows_what_is_known_and_masks_what_is_not():
    image, disparity = two_layers()
    clip = WarpedFrames(image, sideways(), disparity=disparity)
    done = []
    video, masks = vace.control_clip(clip, grow=3, on_frame=done.append)
    assert video.shape == (5, 40, 64, 3)
    assert masks.shape == (5, 40, 64)
    assert done == [1, 2, 3, 4, 5]
    assert torch.equal(video[0], image[0].movedim(0, -1))
    assert not masks[0].any()
    warped = clip.warped(4)
    hidden = warped.holes[0, 0].bool()
    assert hidden.any()
    assert (masks[4][hidden] == 1).all()
    assert set(masks.unique().tolist()) == {0, 1}
    assert (video[4][masks[4] == 1] == 0.5).all()
    kept = masks[4] == 0
    assert torch.equal(video[4][kept], warped.image[0].movedim(0, -1).clamp(0, 1)[kept])
    # Near things go left when the camera goes right, so that the wall appears at their right.
    assert masks[4, 20, 40 - 5] == 1
    assert masks[4, 5, 20] == 0


def test_filled_holes_show_the_background():
    image, disparity = two_layers()
    clip = WarpedFrames(image, sideways(), disparity=disparity)
    video, masks = vace.control_clip(clip, "filled", grow=0)
    assert torch.equal(video[3], clip.warped(3).image[0].movedim(0, -1).clamp(0, 1))
    assert torch.equal(masks[3], clip.warped(3).holes[0, 0])
    with pytest.raises(FramedriftError, match="holes: 'black'"):
        vace.control_clip(clip, "black")


def test_the_frame_of_the_picture_is_kept_wherever_it_is_in_the_animation():
    image, disparity = two_layers()
    clip = WarpedFrames(image, sideways(9), 4, range(4, 9), disparity)
    video, masks = vace.control_clip(clip)
    assert torch.equal(video[0], image[0].movedim(0, -1))
    assert masks.flatten(1).any(1).tolist() == [False, True, True, True, True]


def test_holes_grow_by_whole_pixels_on_every_side():
    holes = torch.zeros(1, 1, 9, 12)
    holes[..., 4, 5] = 1
    assert torch.equal(vace.grown(holes, 0), holes)
    found = vace.grown(holes, 2)[0, 0]
    expected = torch.zeros(9, 12)
    expected[2:7, 3:8] = 1
    assert torch.equal(found, expected)


def test_a_picture_covers_the_clip_and_is_cut_evenly():
    ramp = torch.linspace(0, 1, 96)[None, None, None].expand(1, 3, 48, 96)
    found = vace.cover(ramp, (32, 32))
    assert found.shape == (1, 3, 32, 32)
    # 48 rows become 32, and of the 64 columns the middle 32 stay: a third of the way to two thirds... of the ramp.
    assert found.mean() == pytest.approx(0.5, abs=1e-3)
    assert float(found[..., 0].mean()) == pytest.approx((24.75 - 0.5) / 95, abs=0.01)
    assert float(found[..., -1].mean()) == pytest.approx((71.25 - 0.5) / 95, abs=0.01)
    tall = vace.cover(ramp.transpose(-1, -2), (16, 48))
    assert tall.shape == (1, 3, 16, 48)
    assert tall.mean() == pytest.approx(0.5, abs=1e-3)
    assert vace.cover(ramp, (48, 96)) is ramp
