"""3D Camera, 2D Camera, Depth Warp and Image to Clip, run as ComfyUI runs them."""

import pytest
import torch

from framedrift.nodes import warp as warp_nodes
from framedrift.nodes.camera import Camera2D, Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import motion_matrix, warp_plane
from framedrift.nodes.headless import progress
from framedrift.nodes.warp import DepthWarp, ImageToClip

SIZE = (45, 80)


def picture(batch=1):
    return torch.rand((batch, *SIZE, 3), generator=torch.Generator().manual_seed(batch))


def defaults(node):
    """Every widget's default, as the page sends it."""
    known = node.INPUT_TYPES()
    listed = {**known.get("required", {}), **known.get("optional", {})}
    found = {name: spec[1]["default"] for name, spec in listed.items() if len(spec) > 1 and "default" in spec[1]}
    choices = {name: spec[1]["options"][0] for name, spec in listed.items() if len(spec) > 1 and "options" in spec[1]}
    return choices | found


def camera(node, **schedules):
    return node.execute(**{**defaults(node), **schedules}).result[0]


def moved(**inputs):
    return DepthWarp.execute(**{**defaults(DepthWarp), **inputs}).result


def test_the_2d_camera_moves_the_picture_as_its_matrix_says():
    image = picture()
    path = camera(Camera2D, angle="0:(4)", zoom=1.1, translation_x="0:(t)")
    found, holes = moved(image=image, camera=path, frame=5)
    expected = warp_plane(image.movedim(-1, 1), motion_matrix(80, 45, 4, 1.1, 5))
    assert torch.allclose(found, expected.image.movedim(1, -1), atol=1e-5)
    assert torch.equal(holes, expected.holes[:, 0])


@pytest.mark.parametrize("projection", ["pinhole", "deforum"])
def test_near_things_move_more(projection):
    """A white spot on the near side goes farther left than one on the far side, when the camera goes right."""
    image = torch.zeros(1, *SIZE, 3)
    image[:, 10, 40] = 1
    image[:, 35, 40] = 1
    depth = torch.full((1, *SIZE), 0.05)
    depth[:, 22:] = 0.95
    path = camera(Camera3D, translation_x="0:(4)", translation_z="0:(0)")
    found, _ = moved(image=image, camera=path, frame=6, from_frame=0, depth=depth, projection=projection)
    columns = torch.arange(80)
    far, near = ((found[0, rows, :, 0].sum(0) * columns).sum() / found[0, rows, :, 0].sum() for rows in ([10], [35]))
    assert near < far - 1
    assert far < 40.01


def test_depth_as_image_mask_or_of_another_size_is_the_same():
    image = picture(2)
    path = camera(Camera3D, translation_x="0:(20)")
    ramp = torch.linspace(0, 1, 90)[None, :, None].expand(1, 90, 160)
    mask, _ = moved(image=image, camera=path, depth=ramp)
    rgb, _ = moved(image=image, camera=path, depth=ramp[..., None].expand(-1, -1, -1, 3))
    assert mask.shape == (2, *SIZE, 3)
    assert torch.allclose(mask, rgb, atol=1e-6)


def test_frame_0_and_the_same_frame_are_left_alone():
    image, path = picture(), camera(Camera3D)
    for frames in ({"frame": 0}, {"frame": 7, "from_frame": 7}):
        found, holes = moved(image=image, camera=path, **frames)
        assert torch.equal(found, image)
        assert not holes.any()


@pytest.mark.parametrize(
    ("node", "given", "words"),
    [
        (Camera3D, {"translation_z": "0:(1", "rotation_3d_x": "0:(0)"}, "translation_z"),
        (Camera3D, {"fov_schedule": "0:(foo)"}, "fov_schedule"),
        (Camera2D, {"zoom": "what"}, "zoom"),
        (DepthWarp, {"frame": 120, "num_frames": 120}, "frame is 120"),
        (DepthWarp, {"near": 5.0, "far": 2.0}, "near is 5"),
        (DepthWarp, {"projection": "fisheye"}, "projection"),
        (DepthWarp, {"frame": 100, "num_frames": 120, "count": 21}, "count is 21"),
        (ImageToClip, {"near": 5.0, "far": 2.0}, "near is 5"),
        (ImageToClip, {"num_frames": 0}, "num_frames"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(node, given, words):
    answer = node.validate_inputs(**{**defaults(node), **given})
    assert isinstance(answer, str)
    assert words in answer


@pytest.mark.parametrize("node", [Camera2D, Camera3D, DepthWarp, ImageToClip])
def test_defaults_and_links_are_fine(node):
    assert node.validate_inputs(**defaults(node)) is True
    assert node.validate_inputs(**dict.fromkeys(defaults(node))) is True


def test_depth_that_does_not_fit():
    path = camera(Camera3D)
    with pytest.raises(FramedriftError, match=r"depth.*80x80"):
        moved(image=picture(), camera=path, depth=torch.zeros(1, 80, 80))
    with pytest.raises(FramedriftError, match=r"depth.*3 pictures"):
        moved(image=picture(2), camera=path, depth=torch.zeros(3, *SIZE))
    with pytest.raises(FramedriftError, match="zoom: frame 0"):
        moved(image=picture(), camera=camera(Camera2D, zoom="0:(-1)"))


def test_a_range_of_frames_is_a_batch_of_them():
    image, path = picture(), camera(Camera3D, translation_x="0:(6)", translation_z="0:(9)")
    depth = torch.linspace(0, 1, 45)[None, :, None].expand(1, *SIZE)
    given = {"image": image, "camera": path, "depth": depth, "from_frame": 0, "num_frames": 9}
    steps = []
    with progress.listening(lambda value, total, preview: steps.append((value, total))):
        images, holes = moved(**given, frame=3, count=4)
    assert images.shape == (4, *SIZE, 3)
    assert holes.shape == (4, *SIZE)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for number in range(4):
        one, hole = moved(**given, frame=3 + number)
        assert torch.equal(images[number], one[0])
        assert torch.equal(holes[number], hole[0])
    assert torch.equal(moved(**given, frame=3, count=0)[0][:4], images)
    assert len(moved(**given, frame=3, count=0)[0]) == 6
    assert len(moved(**given, frame=8, count=0)[0]) == 1


def test_a_range_without_from_frame_starts_one_before_it():
    image, path = picture(), camera(Camera2D, zoom="0:(1.05)")
    chain, _ = moved(image=image, camera=path, frame=3, count=3)
    expected, _ = moved(image=image, camera=path, frame=5, from_frame=2)
    assert torch.equal(chain[2], expected[0])


def test_an_old_prompt_without_count_makes_one_frame():
    inputs = {**defaults(DepthWarp), "image": picture(), "camera": camera(Camera2D)}
    del inputs["count"]
    assert DepthWarp.execute(**inputs).result[0].shape == (1, *SIZE, 3)


def test_a_range_can_be_stopped_and_is_bounded(monkeypatch):
    given = {"image": picture(), "camera": camera(Camera2D, zoom="0:(1.05)")}
    progress.interrupt()
    with pytest.raises(progress.Interrupted):
        moved(**given, count=5)
    with pytest.raises(FramedriftError, match=r"image: 2 pictures.*count"):
        moved(**{**given, "image": picture(2)}, count=2)
    assert len(moved(**{**given, "image": picture(2)}, count=1)[0]) == 2
    monkeypatch.setattr(warp_nodes, "_MOST_BYTES", 4 * 4 * 45 * 80 * 4)
    assert len(moved(**given, count=4)[0]) == 4
    with pytest.raises(FramedriftError, match=r"count: 5 images of 80x45.*Image to Clip"):
        moved(**given, count=5)


@pytest.mark.parametrize("projection", ["pinhole", "deforum"])
def test_image_to_clip_is_lazy_and_the_same_as_depth_warp(projection):
    image, path = picture(), camera(Camera3D, translation_x="0:(6)", fov_schedule="0:(60)")
    depth = torch.linspace(0, 1, 45)[None, :, None].expand(1, *SIZE)
    given = {"image": image, "camera": path, "depth": depth, "projection": projection}
    frames = ImageToClip.execute(**{**defaults(ImageToClip), **given, "num_frames": 50_000, "fps": 24.0}).result[0]
    assert (len(frames), frames.fps, frames.size) == (50_000, 24.0, SIZE)
    assert torch.equal(frames[0], image[0])
    expected, _ = moved(**given, frame=7, from_frame=0)
    assert torch.equal(frames[7], expected[0])
    with pytest.raises(FramedriftError, match="2 pictures"):
        ImageToClip.execute(**{**defaults(ImageToClip), **given, "image": picture(2)})


@pytest.mark.parametrize("node", [DepthWarp, ImageToClip])
def test_depth_with_values_that_are_no_numbers_is_refused(node):
    depth = torch.full((1, *SIZE), 0.5)
    depth[0, 7, 5:9] = torch.nan
    depth[0, 9, 2] = torch.inf
    with pytest.raises(FramedriftError, match=r"depth: 5 of 3600 pixels.*x 5, y 7"):
        node.execute(**{**defaults(node), "image": picture(), "camera": camera(Camera3D), "depth": depth})
