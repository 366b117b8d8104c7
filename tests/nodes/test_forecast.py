"""Camera Preview, run as ComfyUI runs it."""

import av
import pytest
import torch

from framedrift.nodes.camera import Camera2D, Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.frames import Frames
from framedrift.nodes.forecast import CameraPreview
from framedrift.nodes.headless import folders, progress

SIZE = (72, 128)


@pytest.fixture(autouse=True)
def places(tmp_path):
    with folders.using(folders.Folders(*(tmp_path / name for name in ("output", "input", "temp", "models")))) as here:
        yield here


def defaults(node):
    known = node.INPUT_TYPES()
    listed = {**known.get("required", {}), **known.get("optional", {})}
    found = {name: spec[1]["default"] for name, spec in listed.items() if len(spec) > 1 and "default" in spec[1]}
    choices = {name: spec[1]["options"][0] for name, spec in listed.items() if len(spec) > 1 and "options" in spec[1]}
    return choices | found


def camera(node, **schedules):
    return node.execute(**{**defaults(node), **schedules}).result[0]


def preview(**inputs):
    image = torch.rand((1, *SIZE, 3), generator=torch.Generator().manual_seed(1))
    given = {"image": image, "num_frames": 9, "preview_size": 64, **inputs}
    return CameraPreview.execute(**{**defaults(CameraPreview), **given})


def test_it_gives_frames_a_plot_and_a_report_and_plays_in_the_node(places):
    steps = []
    depth = torch.linspace(0, 1, 36)[None, :, None].expand(1, 36, 64)
    with progress.listening(lambda value, total, _: steps.append((value, total))):
        answer = preview(camera=camera(Camera3D), depth=depth, diffusion_cadence=4, fps=12.5)
    frames, plot, report = answer.result
    assert isinstance(frames, Frames) and len(frames) == 9
    assert frames.size == (36, 64) and frames.fps == 12.5
    assert plot.shape == (1, 400, 640, 3)
    assert report.startswith("Nothing is off the scale.\n9 frames, 3 of them diffused.")
    assert steps == [(number, 11) for number in range(1, 12)]
    shown = answer.ui.as_dict()
    assert shown["animated"] == (True,)
    (entry,) = shown["images"]
    assert entry["type"] == "temp"
    with av.open(str(places.temp / entry["subfolder"] / entry["filename"])) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert video.streams.video[0].average_rate == 12.5
    assert len(pictures) == 9 and pictures[0].shape == (36 + 190, 320, 3)


def test_what_is_off_the_scale_is_reported():
    report = preview(camera=camera(Camera2D, zoom="0:(where(t==4,2,1))")).result[2]
    assert report.splitlines()[0].startswith("Frames 3 to 4: magnified up to 4 times")
    assert "magnified 4 times (frame 4)" in report.splitlines()[-1]


def test_the_size_of_the_preview_changes_no_measure_of_a_2d_camera():
    path = camera(Camera2D, translation_x="0:(3)", zoom="0:(1)")
    lines = [preview(camera=path, preview_size=size).result[2].split("moved")[-1] for size in (64, 128)]
    assert lines[0] == lines[1] and "2.34 %" in lines[0]


def test_it_can_be_stopped(places):
    path = camera(Camera3D)
    progress.interrupt()
    with pytest.raises(progress.Interrupted):
        preview(camera=path)
    assert not list(places.temp.rglob("*.mp4"))


def nan():
    depth = torch.zeros(1, *SIZE)
    depth[0, 5, 7] = torch.nan
    return depth


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"depth": nan()}, "depth: 1 of .* x 7, y 5"),
        ({"depth": torch.zeros(1, 72, 72)}, "depth: it is 72x72"),
        ({"depth": torch.zeros(3, *SIZE)}, "depth: 3 pictures"),
        ({"image": torch.zeros(2, *SIZE, 3)}, "image: 2 pictures"),
        ({"image": torch.full((1, *SIZE, 3), torch.nan)}, "no numbers"),
        ({"near": 5.0, "far": 2.0}, "near"),
    ],
    ids=["NaN", "other shape", "too many", "a batch", "NaN image", "near and far"],
)
def test_bad_input_is_named(given, words):
    with pytest.raises(FramedriftError, match=words):
        preview(camera=camera(Camera3D), **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"near": 5.0, "far": 2.0}, "near is 5"),
        ({"num_frames": 0}, "num_frames"),
        ({"diffusion_cadence": 0}, "cadence"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(given, words):
    assert words in CameraPreview.validate_inputs(**{**defaults(CameraPreview), **given})
    assert CameraPreview.validate_inputs(**defaults(CameraPreview)) is True
    assert CameraPreview.validate_inputs(**dict.fromkeys(defaults(CameraPreview))) is True


@pytest.mark.comfyui
def test_it_plays_in_comfyui(rendering):
    """The camera's view and the preview, through ComfyUI's own execution."""
    inputs = defaults(CameraPreview)
    inputs |= {"image": ["1", 0], "camera": ["2", 0], "num_frames": 5}
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 128, "height": 72, "batch_size": 1, "color": 0x6080A0}},
        "2": {"class_type": "FramedriftCamera3D", "inputs": defaults(Camera3D)},
        "3": {"class_type": "FramedriftCameraPreview", "inputs": inputs},
    }
    shown = rendering.queue(prompt)
    (view,), (video,) = shown["2"]["images"], shown["3"]["images"]
    assert view["type"] == video["type"] == "temp"
    assert view["filename"].endswith(".png") and video["filename"].endswith(".mp4")
