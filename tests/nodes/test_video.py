"""Video Combine and Frames to Images, run as prompts without ComfyUI."""

import dataclasses
import json

import av
import numpy as np
import pytest
import torch

from framedrift.nodes import host, sockets
from framedrift.nodes.core.video import BatchFrames
from framedrift.nodes.core.video.formats import FORMATS
from framedrift.nodes.headless import progress
from framedrift.nodes.headless.folders import Folders
from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.runner import NodeError, run_prompt
from framedrift.nodes.host import io
from framedrift.nodes.video import NODES

COMBINE, TO_IMAGES = (node.GET_SCHEMA().node_id for node in NODES)
GIVEN = {}


def source(node_id, output):
    """A node that hands on what the test put into GIVEN under its id."""

    class Source(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema(node_id=node_id, category="test", inputs=[], outputs=[output])

        @classmethod
        def execute(cls):
            return io.NodeOutput(GIVEN[node_id])

    return Source


class Keep(io.ComfyNode):
    """Ends a prompt, and keeps what came."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="Keep", category="test", is_output_node=True, inputs=[io.Image.Input("images")])

    @classmethod
    def execute(cls, images):
        GIVEN["kept"] = images
        return io.NodeOutput()


SOURCES = [
    source("Images", io.Image.Output("images")),
    source("Frames", sockets.Frames.Output("frames")),
    source("Audio", io.Audio.Output("audio")),
    source("Video", io.Video.Output("video")),
]
CLASSES = {node.GET_SCHEMA().node_id: node for node in (*NODES, *SOURCES, Keep)}
DEFAULTS = {"frame_rate": 0.0, "crf": 19, "filename_prefix": "video/framedrift", "save_output": True}


@pytest.fixture
def folders(tmp_path):
    GIVEN.clear()
    return Folders(tmp_path / "output", tmp_path / "input", tmp_path / "temp", tmp_path / "models")


def batch(count=6, size=(32, 48), channels=3):
    levels = torch.linspace(0, 1, count)[:, None, None, None]
    return levels.expand(count, *size, channels).clone()


def combine(folders, kind="Images", sound=None, extra=None, watcher=None, **inputs):
    prompt = {
        "1": {"class_type": kind, "inputs": {}},
        "2": {"class_type": COMBINE, "inputs": {**DEFAULTS, "frames": ["1", 0], **inputs}},
    }
    if sound:
        prompt["3"] = {"class_type": sound, "inputs": {}}
        prompt["2"]["inputs"]["audio"] = ["3", 0]
    return prompt, run_prompt(prompt, folders, CLASSES, extra, watcher)


def described(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        shown = [frame.to_ndarray(format="gray").mean() for frame in container.decode(stream)]
        return stream.average_rate, (stream.height, stream.width), shown, dict(container.metadata)


def test_an_image_batch_becomes_a_video_with_its_workflow(folders):
    GIVEN["Images"] = batch()
    steps = []
    extra = {"workflow": {"nodes": [{"id": 1}]}}
    prompt, done = combine(folders, extra=extra, watcher=lambda *step: steps.append(step))
    (path,) = done.files
    assert path == folders.output / "video/framedrift_00001_.mp4"
    rate, size, shown, metadata = described(path)
    assert (rate, size, len(shown)) == (15, (32, 48), 6)
    assert shown == sorted(shown)
    assert json.loads(metadata["prompt"]) == prompt
    assert json.loads(metadata["workflow"]) == extra["workflow"]
    assert done.shown["2"]["images"] == [{"filename": "framedrift_00001_.mp4", "subfolder": "video", "type": "output"}]
    assert done.shown["2"]["animated"] == (True,)
    assert [value for node, _, value, total in steps if node == "2" and total == 6] == [1, 2, 3, 4, 5, 6]


def test_metadata_can_be_forbidden(folders):
    GIVEN["Images"] = batch()
    quiet = Folders(folders.output, folders.input, folders.temp, folders.models, metadata=False)
    _, done = combine(quiet, extra={"workflow": {}})
    assert not {"prompt", "workflow"} & set(described(done.files[0])[3])


def test_frames_keep_their_own_rate_and_time(folders):
    GIVEN["Frames"] = BatchFrames(batch(3), 12.5, indices=(0, 2, 5))
    _, done = combine(folders, "Frames")
    rate, _, shown, _ = described(done.files[0])
    assert rate == 12.5
    assert np.allclose(np.round(np.array(shown) / 127), [0, 0, 1, 1, 1, 2])
    _, done = combine(folders, "Frames", frame_rate=29.97)
    assert done.files[0].name == "framedrift_00002_.mp4"
    assert float(described(done.files[0])[0]) == pytest.approx(30_000 / 1001)


def test_sound_goes_along(folders):
    GIVEN["Images"] = batch(30)
    GIVEN["Audio"] = {"waveform": torch.zeros(1, 1, 16_000 * 5), "sample_rate": 16_000}
    _, done = combine(folders, sound="Audio")
    with av.open(str(done.files[0])) as container:
        assert container.streams.audio[0].rate == 16_000
        assert container.duration / av.time_base == pytest.approx(2, abs=0.1)


def test_a_look_goes_to_the_temp_folder(folders):
    GIVEN["Images"] = batch()
    _, done = combine(folders, save_output=False)
    assert not done.files, "it is no result"
    assert (folders.temp / "video/framedrift_00001_.mp4").exists()
    assert done.shown["2"]["images"][0]["type"] == "temp"


@pytest.mark.parametrize("prefix", ["../out", "/etc/x", "a/../../x", "", "folder/"])
def test_a_prefix_that_climbs_out_is_refused_before_anything_runs(folders, prefix):
    GIVEN.clear()
    with pytest.raises(PromptError, match="filename_prefix"):
        combine(folders, filename_prefix=prefix)


@pytest.mark.parametrize(("name", "value"), [("crf", 52), ("frame_rate", -1.0), ("frame_rate", 1000.0)])
def test_values_out_of_range_are_refused_before_anything_runs(folders, name, value):
    with pytest.raises(PromptError, match=name):
        combine(folders, **{name: value})


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (torch.zeros(0, 32, 48, 3), "the batch is empty"),
        (torch.full((2, 32, 48, 3), float("nan")), "number 1 of 2 .*NaN"),
    ],
)
def test_frames_that_cannot_be_written_are_named(folders, frames, words):
    GIVEN["Images"] = frames
    with pytest.raises(NodeError, match=f"Video Combine.*: frames: {words}"):
        combine(folders)
    assert not [path for path in folders.output.rglob("*") if path.is_file()]


def test_an_interrupt_stops_at_the_next_frame_and_leaves_no_file(folders):
    GIVEN["Images"] = batch(50)
    seen = []

    def watch(node, _, value, total):
        if node == "2" and total == 50:
            seen.append(value)
            if value == 3:
                progress.interrupt()

    with pytest.raises(progress.Interrupted):
        combine(folders, watcher=watch)
    assert seen == [1, 2, 3]
    assert not [path for path in folders.output.rglob("*") if path.is_file()]


PLAYED = {"mp4 (H.264)", "mp4 (AV1)", "webm (VP9)"}


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_plays_in_the_node_and_names_its_file(folders, name):
    GIVEN["Images"] = batch(4, (64, 96))
    extra, steps = {"workflow": {"nodes": []}}, []
    _, done = combine(folders, format=name, extra=extra, ping_pong=True, watcher=lambda *step: steps.append(step))
    shown = done.shown["2"]
    known = FORMATS[name]
    assert shown["animated"] == (True,)
    (played,) = shown["images"]
    if name in PLAYED:
        assert "video" not in shown
        path = folders.output / "video" / f"framedrift_00001_.{known.extension}"
        assert played == {"filename": path.name, "subfolder": "video", "type": "output"}
    else:
        sequence = known.kind == "sequence"
        assert played == {"filename": "framedrift_preview_00001_.mp4", "subfolder": "video", "type": "temp"}
        assert len(described(folders.temp / "video" / played["filename"])[2]) == 6
        path = folders.output / "video" / ("framedrift_00001_" if sequence else f"framedrift_00001_.{known.extension}")
        file = path / "000000.png" if sequence else path
        assert done.files == (file,)
        assert path.exists()
    total = 6 * known.passes
    assert [value for node, _, value, most in steps if node == "2" and most == total] == list(range(1, total + 1))
    # What was written before counts, a folder too.
    _, again = combine(folders, format=name)
    assert "framedrift_00002_" in str(again.files[0])


def test_the_first_frame_and_the_words_about_what_was_left_out(folders):
    GIVEN["Images"] = batch(4, channels=4)
    GIVEN["Audio"] = {"waveform": torch.zeros(1, 1, 8_000), "sample_rate": 8_000}
    prompt, done = combine(folders, format="gif", sound="Audio", save_first_frame=True, bit_depth="10 bit")
    assert [path.name for path in done.files] == ["framedrift_00001_.gif", "framedrift_00001_first.png"]
    assert [note.split(":")[0] for note in done.shown["2"]["text"]] == [
        "gif has 8 bits; H.265, AV1 and ProRes have 10.",
        "gif has no sound",
    ]
    assert json.dumps(prompt).encode() in done.files[1].read_bytes()
    _, done = combine(folders, format="png sequence", save_first_frame=True, save_output=False)
    assert not done.files
    assert (folders.temp / "video/framedrift_00001_first.png").exists()
    assert done.shown["2"]["first_frame"][0]["subfolder"] == "video"


def test_the_sound_of_a_video_goes_along(folders):
    GIVEN["Images"] = batch(30)
    GIVEN["Audio"] = {"waveform": torch.ones(1, 1, 16_000) / 2, "sample_rate": 16_000}
    _, done = combine(folders, sound="Audio")
    GIVEN["Video"] = host.video_from_file(done.files[0])
    _, done = combine(folders, sound="Video", format="webm (VP9)", audio_offset=0.5)
    with av.open(str(done.files[0])) as container:
        assert container.streams.audio[0].codec_context.name == "opus"
        assert container.duration / av.time_base == pytest.approx(2, abs=0.1)


def test_what_fits_no_format_is_refused_before_anything_runs(folders, monkeypatch):
    with pytest.raises(PromptError, match="format is 'avi', and must be one of: mp4"):
        combine(folders, format="avi")
    with pytest.raises(PromptError, match="audio_offset"):
        combine(folders, audio_offset=1e6)
    lacking = dataclasses.replace(FORMATS["gif"], encoders=("gif3",))
    monkeypatch.setitem(FORMATS, "gif", lacking)
    with pytest.raises(PromptError, match=r"no GIF encoder \(gif3\). It can write mp4"):
        combine(folders, format="gif")


def images_of(folders, kind="Frames", **inputs):
    chosen = {"start": 0, "count": 0, "every_nth": 1, "max_gib": 16.0, **inputs}
    prompt = {
        "1": {"class_type": kind, "inputs": {}},
        "2": {"class_type": TO_IMAGES, "inputs": {"frames": ["1", 0], **chosen}},
        "3": {"class_type": "Keep", "inputs": {"images": ["2", 0]}},
    }
    run_prompt(prompt, folders, CLASSES)
    return GIVEN["kept"]


def test_frames_become_images(folders):
    GIVEN["Frames"] = BatchFrames(batch(8), 15)
    assert torch.equal(images_of(folders), batch(8))
    assert torch.equal(images_of(folders, start=1, count=2, every_nth=3), batch(8)[[1, 4]])


def test_too_many_images_are_refused(folders):
    GIVEN["Images"] = torch.zeros(1, 64, 64, 3).expand(5000, 64, 64, 3)
    with pytest.raises(NodeError, match=r"5000 images of 64x64 take 0\.23 GiB, more than max_gib \(0\.10\)"):
        images_of(folders, "Images", max_gib=0.1)


@pytest.mark.parametrize("node", NODES)
def test_every_number_has_bounds_and_everything_a_tooltip(node):
    schema = node.GET_SCHEMA()
    for entry in schema.inputs:
        assert entry.tooltip, entry.id
        if isinstance(entry, io.Float.Input | io.Int.Input):
            assert None not in (entry.min, entry.max, entry.step), entry.id
    assert schema.description
    assert schema.search_aliases
    assert host.IN_COMFYUI is False
