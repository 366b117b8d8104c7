"""Frames in and out, as ComfyUI runs them."""

import pytest
import torch

from framedrift.nodes import clips
from framedrift.nodes.core.camera import Camera2D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import RunStore
from framedrift.nodes.core.video.encode import encode_h264
from framedrift.nodes.core.warp import WarpSettings
from framedrift.nodes.headless import folders
from framedrift.nodes.headless.video import VideoFile
from framedrift.nodes.runs import LoadRun


def defaults(node):
    known = node.INPUT_TYPES()
    listed = {**known.get("required", {}), **known.get("optional", {})}
    return {name: spec[1]["default"] for name, spec in listed.items() if len(spec) > 1 and "default" in spec[1]} | {
        name: spec[1]["options"][0]
        for name, spec in listed.items()
        if len(spec) > 1 and "options" in spec[1] and "default" not in spec[1]
    }


def run(node, **inputs):
    return node.execute(**{**defaults(node), **inputs}).args


def batch(length=6, size=(32, 48)):
    return torch.linspace(0.1, 0.9, length)[:, None, None, None].expand(length, *size, 3).contiguous()


def greys(frames):
    return [round(float(picture.mean()), 2) for picture in frames]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "input").mkdir()
    encode_h264(iter(batch(9)), tmp_path / "input" / "clip.mp4", 20.0, (32, 48), crf=1)
    with folders.using(folders.Folders(output=tmp_path / "output", input=tmp_path / "input", temp=tmp_path / "temp")):
        yield tmp_path


def test_a_video_is_read_by_name_or_by_link(place):
    whole = run(clips.LoadVideoFrames, file="clip.mp4")
    assert whole[1:5] == (20.0, 9, 48, 32)
    assert greys(whole[0]) == pytest.approx([0.1 * n for n in range(1, 10)], abs=0.02)
    part = run(
        clips.LoadVideoFrames, video=VideoFile(place / "input" / "clip.mp4"), file="", start=2, end=-3, height=16
    )
    assert part[1:5] == (20.0, 5, 24, 16)
    assert greys(part[0]) == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7], abs=0.02)
    slow = run(clips.LoadVideoFrames, file="clip.mp4", fps=10.0, every_nth=2)
    assert slow[1:3] == (5.0, 3)
    assert greys(slow[0]) == pytest.approx([0.1, 0.5, 0.9], abs=0.02)


@pytest.mark.parametrize("name", ["../clip.mp4", "/etc/passwd", "missing.mp4"])
def test_a_file_outside_or_missing_is_said_before_anything_runs(place, name):
    assert "file" in clips.LoadVideoFrames.validate_inputs(**{**defaults(clips.LoadVideoFrames), "file": name})


def test_exactly_one_source_is_asked_for(place):
    with pytest.raises(FramedriftError, match="both missing"):
        run(clips.LoadVideoFrames)
    with pytest.raises(FramedriftError, match="both given"):
        run(clips.LoadVideoFrames, video=VideoFile(place / "input" / "clip.mp4"), file="clip.mp4")
    known = defaults(clips.LoadVideoFrames)
    assert "both missing" in clips.LoadVideoFrames.validate_inputs(**known)
    assert "both given" in clips.LoadVideoFrames.validate_inputs(**known | {"file": "clip.mp4", "video": None})
    assert clips.LoadVideoFrames.validate_inputs(**known | {"file": " ", "video": None}) is True
    assert clips.LoadVideoFrames.validate_inputs(**known | {"file": "clip.mp4"}) is True


def test_a_file_that_is_no_video_is_named(place):
    (place / "input" / "text.mp4").write_text("no video")
    with pytest.raises(FramedriftError, match=r"^file: text\.mp4 cannot be read"):
        run(clips.LoadVideoFrames, file="text.mp4")


def test_a_side_that_goes_with_the_other_has_its_limit(place):
    assert clips.asked_size((20, 40), 0, 8) == (8, 16)
    with pytest.raises(FramedriftError, match=r"^height: .* 40x8000, and would be 204800; 16384 is the most"):
        clips.asked_size((8000, 40), 1024, 0)
    with pytest.raises(FramedriftError, match=r"^width: .*would be 204800"):
        clips.asked_size((40, 8000), 0, 1024)


def broken(pictures):
    return pictures.masked_fill(torch.arange(len(pictures))[:, None, None, None] == 1, float("nan"))


@pytest.mark.parametrize(
    ("node", "name", "more"),
    [
        (clips.TrimFrames, "frames", {}),
        (clips.ReverseFrames, "frames", {}),
        (clips.RetimeFrames, "frames", {"speed": 0.5}),
        (clips.LastFrame, "frames", {}),
        (clips.UpscaleFrames, "frames", {"upscale_model": None}),
        (clips.JoinClips, "clip_2", {"clip_1": batch()}),
        (clips.JoinClips, "clip_4", {"clip_1": batch(), "clip_2": batch()}),
        (clips.ImagesToFrames, "images", {}),
    ],
)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (batch(0), "the batch is empty"),
        (batch()[..., :2], "48x32 pixels with 2 channels are no picture"),
        (batch()[..., 0], "pictures are wanted"),
        (broken(batch()), "number 2 of 6 has pixels that are no numbers"),
    ],
)
def test_links_that_hold_no_pictures_are_named(node, name, more, given, words):
    with pytest.raises(FramedriftError, match=f"^{name}: {words}"):
        run(node, **more | {name: given})


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        (batch()[..., 0].masked_fill(batch()[..., 0] > 0.8, float("nan")), "number 6 of 6 has pixels"),
        (batch(5), "5 pictures of 48x32 for 6 images"),
        ("near", "a MASK is wanted"),
    ],
)
def test_a_depth_that_does_not_fit_is_named(depth, words):
    with pytest.raises(FramedriftError, match=f"^depth: {words}"):
        run(clips.ImagesToFrames, images=batch(), depth=depth)


@pytest.mark.parametrize("node", [clips.TrimFrames, clips.ReverseFrames, clips.RetimeFrames, clips.ImagesToFrames])
def test_one_channel_becomes_three(node):
    name = "images" if node is clips.ImagesToFrames else "frames"
    (frames,) = run(node, **{name: batch()[..., :1]})
    assert frames[0].shape == (32, 48, 3)


def test_another_file_of_the_same_name_is_read_again(place):
    before = clips.LoadVideoFrames.fingerprint_inputs(file="clip.mp4")
    encode_h264(iter(batch(4)), place / "input" / "clip.mp4", 20.0, (32, 48))
    assert clips.LoadVideoFrames.fingerprint_inputs(file="clip.mp4") != before


def test_images_become_frames_with_a_camera():
    (frames,) = run(clips.ImagesToFrames, images=batch(3), spacing=4, camera=Camera2D(), border="wrap")
    assert (frames.indices, frames.num_frames, frames.fps) == ((0, 4, 8), 9, 15.0)
    assert len(frames.track) == 9
    assert frames.settings == WarpSettings(border="wrap")
    (loop,) = run(clips.ImagesToFrames, images=batch(3), spacing=4, loop_frames=6)
    assert (loop.num_frames, loop.loops) == (14, True)
    with pytest.raises(FramedriftError, match="depth: 2 pictures of 48x32 for 3 images of 48x32"):
        run(clips.ImagesToFrames, images=batch(3), depth=torch.zeros(2, 32, 48))


def test_every_node_takes_batches_and_videos(place):
    video = VideoFile(place / "input" / "clip.mp4")
    assert greys(run(clips.TrimFrames, frames=batch(6), start=-2)[0]) == [0.74, 0.9]
    assert len(run(clips.TrimFrames, frames=video, end=3)[0]) == 4
    assert greys(run(clips.ReverseFrames, frames=video)[0])[0] == pytest.approx(0.9, abs=0.02)
    assert len(run(clips.ReverseFrames, frames=batch(4), mode="ping-pong")[0]) == 6
    assert len(run(clips.RetimeFrames, frames=video, speed=0.5)[0]) == 17
    joined = run(clips.JoinClips, clip_1=video, clip_2=batch(3, (64, 48)), clip_4=video)[0]
    assert (joined.fps, joined.size) == (20.0, (32, 48))
    assert len(joined) == 9 + 3 + 9, "15 frames a second are brought to 20"
    (last,) = run(clips.LastFrame, frames=video)
    assert tuple(last.shape) == (1, 32, 48, 3)
    assert float(last.mean()) == pytest.approx(0.9, abs=0.02)


class Doubled:
    """What an upscale model is to the node."""

    scale = 2

    def __init__(self):
        self.calls = 0

    def __call__(self, image):
        self.calls += 1
        return torch.nn.functional.interpolate(image, scale_factor=2)


def test_frames_are_upscaled_one_by_one_when_they_are_asked_for():
    model = Doubled()
    (frames,) = run(clips.UpscaleFrames, frames=batch(5), upscale_model=model)
    assert (frames.size, len(frames), model.calls) == ((64, 96), 5, 0)
    assert tuple(frames[3].shape) == (64, 96, 3)
    assert model.calls == 1
    (sized,) = run(clips.UpscaleFrames, frames=batch(5), upscale_model=model, width=72)
    assert (sized.size, tuple(sized[0].shape)) == ((48, 72), (48, 72, 3))


@pytest.fixture
def stored(place):
    store = RunStore(place / "output" / "framedrift")
    settings = {"strength_schedule": "0:(0.5)", "seed": 3, "width": 48, "prompts": "0: a cat", "camera": None}
    manifest = {"settings": settings, "fps": 12.0, "num_frames": 5}
    with store.create("cat", manifest, "mark") as run_:
        run_.keep_track(Camera2D().track(5, 12.0, 0, (32, 48)))
        for frame in (0, 4):
            run_.commit(frame, torch.full((1, 3, 32, 48), frame / 8), None, {}, {})
    return store


@pytest.mark.parametrize("name", ["", "cat_00001"])
def test_a_run_comes_back_as_frames_and_settings(stored, name):
    frames, settings, last, num_frames, fps, width, height, prompts = run(LoadRun, run=name)
    assert (frames.indices, num_frames, fps, width, height, prompts) == ((0, 4), 5, 12.0, 48, 32, "0: a cat")
    assert len(frames.track) == 5
    assert dict(settings) == {"strength_schedule": "0:(0.5)", "seed": 3}
    assert float(last.mean()) == pytest.approx(0.5, abs=0.01)


def test_a_run_that_grows_is_read_again(stored):
    before = LoadRun.fingerprint_inputs(run="cat_00001")
    with stored.open("cat_00001") as run_:
        run_.commit(6, torch.zeros(1, 3, 32, 48), None, {}, {})
    assert LoadRun.fingerprint_inputs(run="cat_00001") != before


@pytest.mark.parametrize("name", ["dog_00001", "../cat_00001"])
def test_a_run_that_is_not_there_is_said_before_anything_runs(stored, name):
    assert LoadRun.validate_inputs(run=name) is not True


def test_a_run_without_frames_is_named(place):
    RunStore(place / "output" / "framedrift").create("empty", {}, "mark").close()
    with pytest.raises(FramedriftError, match="empty_00001 has no frames yet"):
        run(LoadRun, run="")
