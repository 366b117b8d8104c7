"""H.264 files: exact colours, exact times, sound, metadata, and never half a file."""

import json
import math
import os
import subprocess
import sys
import weakref
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.encode import encode_h264, frame_rate

COLOURS = torch.tensor(
    [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 1],
        [0, 0, 0],
        [0.5, 0.5, 0.5],
        [1, 1, 0],
        [0, 1, 1],
        [1, 0, 1],
        [0.2, 0.6, 0.9],
    ]
)


def grey(count, size=(32, 48)):
    for number in range(count):
        yield torch.full((*size, 3), (number % 10) / 10)


def decoded(path):
    """Frames as (F, H, W, 3) levels, read as what the file says it is: BT.709, limited range."""
    with av.open(str(path)) as container:
        return np.stack(
            [
                frame.reformat(
                    format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG"
                ).to_ndarray()
                for frame in container.decode(video=0)
            ]
        )


def times(path, kind):
    """(start, end) in seconds of a stream's packets."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.get({kind: 0})) if p.pts is not None]
        base = packets[0].time_base
        return float(min(p.pts for p in packets) * base), float(max(p.pts + p.duration for p in packets) * base)


def test_flat_colours_come_back(tmp_path):
    path = tmp_path / "a.mp4"
    encode_h264((colour.expand(64, 96, 3) for colour in COLOURS), path, 15, (64, 96), crf=5)
    wanted = COLOURS.mul(255).round().numpy()[:, None, None]
    assert np.abs(decoded(path) - wanted).max() <= 3
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 96, 64)
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)


def test_the_tags_are_in_the_container_too(tmp_path):
    encode_h264(grey(3), tmp_path / "a.mp4", 15, (32, 48))
    # colr box, type nclx: primaries, transfer and matrix 1, limited range.
    assert b"colrnclx" + bytes([0, 1, 0, 1, 0, 1, 0]) in (tmp_path / "a.mp4").read_bytes()


def test_a_picture_is_where_it_was(tmp_path):
    image = torch.zeros(64, 96, 3)
    image[:32, :48, 0], image[:32, 48:, 1], image[32:, :48, 2] = 1, 1, 1
    encode_h264([image] * 3, tmp_path / "a.mp4", 15, (64, 96), crf=10)
    wanted = image.mul(255).numpy()
    shown = decoded(tmp_path / "a.mp4")[1]
    for rows in (slice(4, 28), slice(36, 60)):
        for columns in (slice(4, 44), slice(52, 92)):
            assert np.abs(shown[rows, columns] - wanted[rows, columns]).max() <= 6


@pytest.mark.parametrize(
    ("fps", "exact"),
    [(15, 15), (15.0, 15), (12.5, Fraction(25, 2)), (23.976, Fraction(24000, 1001)), (23.98, Fraction(24000, 1001)),
     (29.97, Fraction(30000, 1001)), (59.94, Fraction(60000, 1001)), (0.5, Fraction(1, 2)),
     (Fraction(7, 3), Fraction(7, 3))],
)  # fmt: skip
def test_rates_are_exact(fps, exact):
    assert frame_rate(fps) == exact


@pytest.mark.parametrize("fps", [0, -1, 1001, float("nan")])
def test_rates_out_of_range_are_refused(fps):
    with pytest.raises(FramedriftError, match="frame_rate"):
        frame_rate(fps)


@pytest.mark.parametrize("fps", [15, 23.976])
def test_every_frame_has_its_time(tmp_path, fps):
    done = []
    encode_h264(grey(50), tmp_path / "a.mp4", fps, (32, 48), on_frame=done.append)
    assert done == list(range(1, 51))
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate) == (50, frame_rate(fps))
        shown = [frame.pts * stream.time_base for frame in container.decode(stream)]
        assert shown == [number / frame_rate(fps) for number in range(50)]
        assert container.duration / av.time_base == pytest.approx(50 / fps, abs=0.002)


@pytest.mark.parametrize("size", [(33, 48), (32, 47), (31, 45)])
def test_odd_sizes_are_padded_by_their_own_edge(tmp_path, caplog, size):
    caplog.set_level("INFO", "framedrift")
    image = torch.zeros(*size, 3)
    image[-1], image[:, -1] = 1, 1
    encode_h264([image] * 3, tmp_path / "a.mp4", 15, size, crf=1)
    shown = decoded(tmp_path / "a.mp4")[0]
    height, width = size
    assert shown.shape == (height + height % 2, width + width % 2, 3)
    assert f"{width}x{height} is padded to {shown.shape[1]}x{shown.shape[0]}" in caplog.text
    assert np.abs(shown[-1].astype(int) - shown[height - 1]).max() <= 4
    assert np.abs(shown[:, -1].astype(int) - shown[:, width - 1]).max() <= 4


def tone(seconds, rate, channels=2):
    wave = 0.5 * torch.sin(torch.arange(int(seconds * rate)) * (2 * math.pi * 440 / rate))
    return {"waveform": wave.expand(1, channels, -1), "sample_rate": rate}


@pytest.mark.parametrize(
    ("rate", "kept"), [(44100, 44100), (48000, 48000), (22051, 24000), (7000, 8000), (192_000, 96_000)]
)
def test_sound_is_cut_at_the_end_of_the_video(tmp_path, rate, kept):
    encode_h264(grey(30), tmp_path / "a.mp4", 15, (32, 48), audio=tone(5, rate))
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == ("aac", kept, 2)
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], 1)[0]
    assert times(tmp_path / "a.mp4", "audio")[1] == pytest.approx(2, abs=2048 / kept)
    assert times(tmp_path / "a.mp4", "video")[1] == pytest.approx(2, abs=0.001)
    middle = samples[kept // 2 : kept // 2 + kept]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(int(spectrum.argmax()) - 440) <= 1, "the tone is the tone"
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / math.sqrt(2), rel=0.02)


def test_shorter_sound_goes_on_in_silence_and_lies_between_the_pictures(tmp_path):
    encode_h264(grey(300), tmp_path / "a.mp4", 15, (32, 48), audio=tone(12, 32000, channels=1))
    assert times(tmp_path / "a.mp4", "audio")[1] == pytest.approx(20, abs=0.07)
    assert times(tmp_path / "a.mp4", "video")[1] == pytest.approx(20, abs=0.001)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.audio[0].channels == 1
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], 1)[0]
    assert np.abs(samples[32000:383_000]).max() > 0.4
    assert np.abs(samples[385_000:]).max() < 0.001
    with av.open(str(tmp_path / "a.mp4")) as container:
        order = [p.stream.type for p in sorted((p for p in container.demux() if p.pos), key=lambda p: p.pos)]
    first_sound, last_sound = order.index("audio"), len(order) - order[::-1].index("audio")
    assert first_sound < 20
    assert order[:last_sound].count("video") > 150, "side by side, not one after the other"


def test_sound_and_picture_stay_in_step(tmp_path):
    """A click and a white frame every second for 20 s at 23.976: within a frame at each."""
    fps, rate, seconds = 24000 / 1001, 44100, 20
    wave = torch.zeros(1, 1, rate * seconds)
    flashes = {round(second * fps) for second in range(1, seconds)}
    for flash in flashes:
        at = round(flash / fps * rate)
        wave[..., at : at + 200] = 0.9
    frames = (torch.full((32, 48, 3), float(number in flashes)) for number in range(int(seconds * fps)))
    encode_h264(frames, tmp_path / "a.mp4", fps, (32, 48), audio={"waveform": wave, "sample_rate": rate})
    with av.open(str(tmp_path / "a.mp4")) as container:
        lit = [frame.time for frame in container.decode(video=0) if frame.to_ndarray(format="gray").mean() > 128]
    with av.open(str(tmp_path / "a.mp4")) as container:
        chunks = [(frame.time, frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    clicks = [t + int(np.abs(c).argmax()) / rate for t, c in chunks if np.abs(c).max() > 0.4]
    assert len(lit) == len(flashes)
    for moment in lit:
        assert min(abs(moment - click) for click in clicks) < 0.5 / fps


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        ({"waveform": torch.zeros(2, 100), "sample_rate": 44100}, "waveform"),
        ({"waveform": torch.zeros(1, 2, 100), "sample_rate": 0}, "sample_rate"),
        ({"waveform": torch.full((1, 2, 100), float("nan")), "sample_rate": 8000}, "NaN"),
    ],
)
def test_unusable_sound_is_refused(tmp_path, audio, words):
    with pytest.raises(FramedriftError, match=f"audio.*{words}"):
        encode_h264(grey(3), tmp_path / "a.mp4", 15, (32, 48), audio=audio)
    assert not list(tmp_path.iterdir())


def test_empty_sound_is_none(tmp_path, caplog):
    encode_h264(
        grey(3), tmp_path / "a.mp4", 15, (32, 48), audio={"waveform": torch.zeros(1, 2, 0), "sample_rate": 8000}
    )
    assert "audio is empty" in caplog.text


def test_the_workflow_is_in_the_file_and_the_index_in_front(tmp_path):
    metadata = {"prompt": json.dumps({"1": {"text": "é \" '"}}), "workflow": json.dumps({"nodes": ["x" * 100_000]})}
    encode_h264(grey(10), tmp_path / "a.mp4", 15, (32, 48), metadata=metadata)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert {key: container.metadata[key] for key in metadata} == metadata
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_alpha_is_dropped_and_grey_taken(tmp_path):
    for channels in (1, 4):
        encode_h264([torch.full((32, 48, channels), 0.5)] * 2, tmp_path / "a.mp4", 15, (32, 48))
        assert np.abs(decoded(tmp_path / "a.mp4").astype(int) - 128).max() <= 2


def test_frames_are_let_go_one_by_one(tmp_path):
    alive = weakref.WeakSet()
    most = 0

    def counted():
        nonlocal most
        for frame in grey(80):
            alive.add(frame)
            most = max(most, len(alive))
            yield frame

    encode_h264(counted(), tmp_path / "a.mp4", 15, (32, 48))
    assert most <= 3


def bad_frames(kind):
    yield from grey(20)
    if kind == "nan":
        yield torch.full((32, 48, 3), float("nan"))
    if kind == "size":
        yield torch.zeros(48, 32, 3)
    raise {"error": RuntimeError("no"), "interrupt": KeyboardInterrupt()}[kind]


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("nan", FramedriftError, "frame 20 .*NaN"),
        ("size", FramedriftError, "frame 20 is 32x48, but the video is 48x32"),
        ("error", RuntimeError, "no"),
        ("interrupt", KeyboardInterrupt, None),
    ],
)
def test_what_goes_wrong_leaves_no_file_and_keeps_the_old_one(tmp_path, kind, error, words):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(error, match=words):
        encode_h264(bad_frames(kind), path, 15, (32, 48))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]
    assert path.read_bytes() == b"old"


def test_stopping_from_the_callback_leaves_no_file(tmp_path):
    class StopNow(BaseException):
        pass

    def stop(number):
        assert not (tmp_path / "a.mp4").exists(), "the final name is for whole files"
        if number == 7:
            raise StopNow

    with pytest.raises(StopNow):
        encode_h264(grey(20), tmp_path / "a.mp4", 15, (32, 48), on_frame=stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frames": []}, "there are none"),
        ({"crf": 52}, "crf"),
        ({"size": (1, 48)}, "48x1 is too small"),
        ({"fps": 0}, "frame_"),
    ],
)
def test_bad_settings_are_named(tmp_path, options, words):
    given = {"frames": grey(2), "path": tmp_path / "a.mp4", "fps": 15, "size": (32, 48)} | options
    with pytest.raises(FramedriftError, match=words):
        encode_h264(**given)
    assert not list(tmp_path.iterdir())


FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.encode import encode_h264
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
frames = (torch.rand(64, 96, 3, generator=torch.Generator().manual_seed(i)) for i in range(120))
try:
    encode_h264(frames, Path(sys.argv[1]), 15, (64, 96), crf=1)
except FramedriftError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="no file size limit there")
@pytest.mark.parametrize("limit", [0, 100_000])
def test_a_full_disk_is_named_and_leaves_no_file(tmp_path, limit):
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.mp4"), str(limit)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "Could not write the video a.mp4" in told.stdout, told
    assert "the disk is full" in told.stdout
    assert not list(tmp_path.iterdir())
