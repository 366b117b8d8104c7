"""Long videos: memory that does not grow, and sound that stays in step. `make soak` runs them."""

import av
import numpy as np
import psutil
import pytest
import torch

from framedrift.nodes.core.video.decode import VideoFrames
from framedrift.nodes.core.video.encode import encode
from framedrift.nodes.core.video.formats import FORMATS
from framedrift.nodes.core.video.sound import SoundFile

pytestmark = pytest.mark.soak


def panned(count, size):
    """A texture that passes by: made in no time, and new in every frame."""
    grain = torch.rand(size // 8, 3 * size // 8, 3, generator=torch.Generator().manual_seed(3))
    wide = grain.repeat_interleave(8, 0).repeat_interleave(8, 1)
    for number in range(count):
        at = 4 * number % (2 * size)
        yield wide[:, at : at + size]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "count", "size"), [("mp4 (H.264)", 3000, 1024), ("gif", 1000, 512)])
def test_a_long_video_takes_the_memory_of_a_short_one(tmp_path, name, count, size):
    """Writing and reading it: what frame 300 left behind is what all leave."""
    process, marks = psutil.Process(), []
    path = tmp_path / f"a.{FORMATS[name].extension}"

    def mark(done):
        if done % 100 == 0:
            marks.append(process.memory_info().rss / 2**20)

    encode(panned(count, size), path, 30, (size, size), format=name, on_frame=mark)
    # A GIF's frames are gone through twice, and the second time has buffers of its own.
    for start in range(0, len(marks), count // 100):
        steady = marks[start + 2 : start + count // 100]
        assert max(steady) - steady[0] < 50, marks
    frames = VideoFrames(path)
    assert len(frames) == count
    marks.clear()
    for number in range(count):
        assert frames[number].shape == (size, size, 3)
        mark(number)
    assert max(marks[3:]) - marks[3] < 50, marks


SECONDS = 65
FLASHES = (1.0, 7.3, 30.0, 59.5, 60.4, 63.8)


def clicking(rate, fps, offset=0.0):
    """A click at the time of each frame that flashes, moved by `offset` seconds."""
    wave = torch.zeros(1, 2, rate * SECONDS)
    for flash in flashes(fps):
        at = round((flash / fps + offset) * rate)
        wave[..., at : at + 150] = 0.9
    return {"waveform": wave, "sample_rate": rate}


def flashes(fps):
    return [round(second * fps) for second in FLASHES]


def pictures(fps):
    lit = set(flashes(fps))
    return (torch.full((32, 48, 3), float(number in lit)) for number in range(int(SECONDS * fps)))


def heard(path):
    """When each click begins, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate, wave = stream.rate, np.zeros(stream.rate * (SECONDS + 2), np.float32)
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        for frame in container.decode(stream):
            at = round(frame.time * rate)
            for part in resampler.resample(frame):
                block = part.to_ndarray()[0][max(0, -at) :]
                wave[max(at, 0) : max(at, 0) + len(block)] = block
                at += len(block)
    loud = np.flatnonzero(np.abs(wave) > 0.4)
    return loud[np.insert(np.diff(loud) > rate // 10, 0, True)] / rate


def seen(path):
    with av.open(str(path)) as container:
        return np.array([f.time for f in container.decode(video=0) if f.to_ndarray(format="gray").mean() > 128])


@pytest.mark.parametrize("name", ["mp4 (H.264)", "webm (VP9)", "mov (ProRes 422 HQ)"])
@pytest.mark.parametrize(("fps", "rate"), [(24000 / 1001, 44_100), (25, 48_000)])
@pytest.mark.parametrize("source", ["audio", "audio with an offset", "video", "video with an offset"])
def test_sound_is_in_step_after_a_minute(tmp_path, name, fps, rate, source):
    path = tmp_path / f"a.{FORMATS[name].extension}"
    offset = 0.25 if "offset" in source else 0.0
    audio = clicking(rate, fps, -offset)
    if "video" in source:
        encode(pictures(fps), tmp_path / "given.mp4", fps, (32, 48), audio=audio)
        audio = SoundFile(tmp_path / "given.mp4")
    encode(pictures(fps), path, fps, (32, 48), format=name, audio=audio, audio_offset=offset)
    clicks, lit = heard(path), seen(path)
    assert len(clicks) == len(lit) == len(FLASHES)
    assert lit == pytest.approx([flash / fps for flash in flashes(fps)], abs=2e-3)
    # Half a frame is what can be told; codecs blur a click by a few milliseconds.
    assert np.abs(clicks - lit).max() < 0.01
