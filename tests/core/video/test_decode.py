"""Videos as frames: every frame that is asked for is the one that was written, in any order, from any container."""

import io
import logging
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video import as_frames
from framedrift.nodes.core.video.decode import VideoFrames
from framedrift.nodes.core.video.encode import encode_h264
from framedrift.nodes.core.video.film import threads_for
from framedrift.nodes.headless.video import VideoFile

H, W = 70, 134
MS = Fraction(1, 1000)


def numbered(n: int) -> np.ndarray:
    """A picture that carries its number in ten bars, a bit each."""
    picture = np.full((H, W, 3), 60, np.uint8)
    for bit in range(10):
        picture[15:55, 5 + 12 * bit : 17 + 12 * bit] = 230 if n >> bit & 1 else 20
    return picture


def number_of(picture: torch.Tensor) -> int:
    return sum(1 << bit for bit in range(10) if picture[20:50, 8 + 12 * bit : 14 + 12 * bit].mean() > 0.5)


def write(path, codec="libx264", times=range(60), base=Fraction(1, 30), pixels="yuv420p", options=None):
    """Writes numbered pictures at the given times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(1 / base) if base > Fraction(1, 100) else 30)
        stream.width, stream.height, stream.pix_fmt = W, H, pixels
        stream.options = {"g": "12"} if options is None else options
        stream.codec_context.time_base = base
        for n, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered(n), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = time, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbers(frames) -> list[int]:
    return [number_of(picture) for picture in frames]


FILES = {
    "one_gop.mp4": {"options": {"g": "600"}},
    "b_frames.mp4": {"options": {"g": "12", "bf": "3"}},
    "open_gop.mp4": {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1"}},
    "milliseconds.mkv": {"times": [round(n * 1000 / 30) for n in range(60)], "base": MS},
    "transport.ts": {},
    "hidden.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "20"}},
    "no_times.avi": {"options": {"g": "12", "bf": "2"}},
    "program.mpg": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
    "raw.h264": {},
}


@pytest.mark.parametrize("name", FILES)
def test_every_frame_in_any_order(tmp_path, name):
    frames = VideoFrames(write(tmp_path / name, **FILES[name]))
    assert len(frames) == frames.num_frames == 60
    assert frames.indices == tuple(range(60))
    assert frames.size == (H, W)
    assert frames.rate == (25 if name == "raw.h264" else 30)
    in_order = [frames[n] for n in range(60)]
    assert numbers(in_order) == list(range(60))
    assert in_order[0].shape == (H, W, 3)
    assert in_order[0].dtype == torch.float32
    for n in (59, 0, 31, 30, 12, 11, -1, 5, 36, 35):
        assert torch.equal(frames[n], in_order[n]), n
    with pytest.raises(IndexError):
        frames[60]


def test_reading_in_order_decodes_once(tmp_path, monkeypatch):
    from framedrift.nodes.core.video import decode

    opened = []
    really = decode._opened
    monkeypatch.setattr(decode, "_opened", lambda *args: opened.append(1) or really(*args))
    frames = VideoFrames(write(tmp_path / "a.mp4"))
    jumps = []
    jump = frames._decoder._jump
    monkeypatch.setattr(frames._decoder, "_jump", lambda *args: jumps.append(args) or jump(*args))
    assert numbers(frames) == list(range(60))
    assert not jumps
    assert len(opened) == 2, "once for the packets, once for the pictures"


@pytest.mark.parametrize(("size", "crf"), [((96, 130), 8), ((720, 1280), 8)])
def test_colours_come_back_as_they_were_written(tmp_path, size, crf):
    y, x = (torch.linspace(0.1, 0.9, length) for length in size)
    across, down = x[None].expand(size), y[:, None].expand(size)
    picture = torch.stack([across, down, 0.5 + 0.3 * torch.sin(3 * across + 2 * down)], -1)
    encode_h264([picture] * 2, tmp_path / "a.mp4", 24, size, crf=crf)
    off = (VideoFrames(tmp_path / "a.mp4")[1] - picture).abs() * 255
    # 8-bit limited range holds blue in steps of two levels.
    assert float(off.mean()) < 0.9
    assert float((off > 3).float().mean()) < 0.005
    assert float(off.max()) < 5.5


def test_colours_of_old_and_untagged_files():
    """A red bar in BT.601 and BT.709: the wrong matrix is off by 20 levels and more."""
    red = np.zeros((64, 64, 3), np.uint8)
    red[...] = (200, 40, 60)
    for size, matrix in (((64, 64), "ITU601"), ((736, 800), "ITU709")):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="matroska") as container:
            stream = container.add_stream("ffv1", rate=10)
            stream.height, stream.width = size
            stream.pix_fmt = "yuv444p"
            whole = np.broadcast_to(red[:1, :1], (*size, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(whole), format="rgb24").reformat(
                format="yuv444p", dst_colorspace=matrix, src_color_range="JPEG", dst_color_range="MPEG"
            )
            frame.colorspace = 2
            frame.pts, frame.time_base = 0, Fraction(1, 10)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        shown = VideoFrames(buffer)[0] * 255
        assert float((shown - torch.tensor([200.0, 40.0, 60.0])).abs().max()) < 3


def test_ten_bits_are_not_cut_to_eight(tmp_path):
    ramp = np.broadcast_to(np.linspace(20000, 21000, 256).astype(np.uint16)[None, :, None], (64, 256, 3))
    with av.open(str(tmp_path / "deep.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv444p10le"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(ramp), format="rgb48le").reformat(format="yuv444p10le")
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    shown = VideoFrames(tmp_path / "deep.mkv")[0][32, :, 1]
    assert len(shown.unique()) > 8, "8 bits would hold 5 levels"


@pytest.mark.parametrize("turned", [90, -90, 180])
def test_a_phones_rotation_is_undone(tmp_path, turned):
    path = write(tmp_path / "a.mp4", times=range(3))
    # The matrix of the track header says how the picture is to be turned, counter-clockwise, in 16.16.
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    cos, sin = round(np.cos(np.deg2rad(turned))) << 16, round(np.sin(np.deg2rad(turned))) << 16
    data[place : place + 20] = struct.pack(">5i", cos, -sin, 0, sin, cos)
    path.write_bytes(data)
    frames = VideoFrames(path)
    assert frames.size == ((H, W) if turned == 180 else (W, H))
    upright = torch.rot90(frames[2], -turned // 90)
    assert number_of(upright) == 2


def test_a_changing_rate_becomes_a_constant_one(tmp_path):
    # Ten frames a tenth of a second apart, a still second, ten frames a twentieth apart.
    times = [*range(0, 1000, 100), *range(2000, 2500, 50)]
    frames = VideoFrames(write(tmp_path / "a.mkv", times=times, base=MS), fps=20.0)
    assert frames.fps == 20
    shown = numbers(frames)
    for slot, number in enumerate(shown):
        expected = max(n for n, time in enumerate(times) if time <= slot * 50 + 25)
        assert number == expected
    assert shown[18:40] == [9] * 22
    # Without a rate, its mean.
    own = VideoFrames(tmp_path / "a.mkv")
    assert own.fps == pytest.approx(20 / 2.5, rel=0.06)


def test_lost_frames_leave_the_others_at_their_times(tmp_path):
    lost = {20, 21, 22, 40}
    times = [n for n in range(60) if n not in lost]
    frames = VideoFrames(write(tmp_path / "a.mp4", times=times))
    # The file's rate is 30 in one version of FFmpeg, and the mean in another: what is asked for is kept by both.
    frames = frames if frames.rate == 30 else VideoFrames(tmp_path / "a.mp4", fps=30.0)
    kept = [max(index for index, time in enumerate(times) if time <= slot) for slot in range(60)]
    assert numbers(frames) == kept


@pytest.mark.parametrize("width", [34, 58, 82, 100, 106, 130, 138])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_no_column_is_spoilt_by_threads(tmp_path, width, pixels):
    """FFmpeg's converters write rows in blocks: where threads share a picture, a row's end may be overwritten."""
    path, height = tmp_path / "a.mkv", 66
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for n in range(4):
            grey = np.full((height, width, 3), 40 + 50 * n, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=pixels, **threads_for(width))
            frame.pts, frame.time_base = n, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for n, picture in enumerate(VideoFrames(path)):
        assert float((picture * 255 - (40 + 50 * n)).abs().max()) <= 1.5


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (97, 131)])
def test_any_size_comes_back(tmp_path, size):
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width = size
        stream.pix_fmt = "bgr0"
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0", **threads_for(size[1]))
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    shown = VideoFrames(tmp_path / "a.mkv")[0]
    assert torch.equal((shown * 255).round().byte(), torch.from_numpy(picture))


@pytest.mark.parametrize("fps", [15.0, 10.0, 60.0, 45.0])
def test_another_rate(tmp_path, fps):
    frames = VideoFrames(write(tmp_path / "a.mp4"), fps=fps)
    assert len(frames) == round(60 * fps / 30)
    assert numbers(frames) == [int(n * 30 / fps + 1e-9) for n in range(len(frames))]


def test_a_stretch(tmp_path):
    path = write(tmp_path / "a.mp4")
    assert numbers(VideoFrames(path, start_s=0.5, duration_s=0.2)) == list(range(15, 21))
    assert numbers(VideoFrames(path, start_s=1.9)) == [57, 58, 59]
    with pytest.raises(FramedriftError, match=r"start: 2 s .*is 2 s long"):
        VideoFrames(path, start_s=2.0)


def test_ntsc_is_exact(tmp_path):
    path = write(tmp_path / "a.mp4", times=[n * 1001 for n in range(50)], base=Fraction(1, 30000))
    assert VideoFrames(path).rate == Fraction(30000, 1001)


def test_a_single_frame(tmp_path):
    frames = VideoFrames(write(tmp_path / "a.mp4", times=[0]))
    assert len(frames) == 1
    assert number_of(frames[0]) == 0


def test_bytes_in_memory(tmp_path):
    source = io.BytesIO(write(tmp_path / "a.mp4").read_bytes())
    frames, others = VideoFrames(source), VideoFrames(source)
    assert [number_of(reader[n]) for n in (3, 40, 4) for reader in (frames, others)] == [3, 3, 40, 40, 4, 4]


def test_it_opens_again_after_it_was_closed(tmp_path):
    frames = VideoFrames(write(tmp_path / "a.mp4"))
    assert number_of(frames[20]) == 20
    frames.close()
    assert number_of(frames[21]) == 21


def test_a_file_that_is_cut_short_counts_up_to_there(tmp_path, caplog):
    path = write(tmp_path / "a.mkv")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    frames = VideoFrames(path)
    assert 20 < len(frames) < 50
    assert frames.rate == 30, "its own, though frames that others were made from are missing at its end"
    shown = numbers(frames)
    assert shown[:-4] == list(range(len(shown) - 4))
    # What is missing among the last shows the one before, and each is shown at its own time.
    assert shown == sorted(shown)
    assert shown[-1] == len(shown) - 1
    # With its table in front, the file says how many there should be.
    front = tmp_path / "front.mp4"
    encode_h264(
        (torch.from_numpy(numbered(n)).float() / 255 for n in range(60)), front, 30, (H, W), metadata={"prompt": "{}"}
    )
    data = front.read_bytes()
    front.write_bytes(data[: len(data) * 7 // 10])
    with caplog.at_level(logging.WARNING, logger="framedrift"):
        frames = VideoFrames(front)
        shown = numbers(frames)
    assert 0 < len(shown) <= 60
    assert shown == sorted(shown)
    assert "front.mp4" in caplog.text


def test_damage_within_a_file_shows_the_frame_before(tmp_path, caplog):
    path = write(tmp_path / "a.mkv", codec="mjpeg", pixels="yuvj420p", options={})
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][30]
        payload = bytes(packet)
    data = path.read_bytes()
    assert data.count(payload) == 1
    path.write_bytes(data.replace(payload, b"\0" * len(payload)))
    with caplog.at_level(logging.WARNING, logger="framedrift"):
        shown = numbers(VideoFrames(path))
    assert len(shown) == 60
    assert shown[29:32] == [29, 29, 31]
    assert caplog.text.count("is damaged") == 1


def test_what_is_no_video(tmp_path):
    with pytest.raises(FramedriftError, match="there is no file"):
        VideoFrames(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("this is no video " * 100)
    with pytest.raises(FramedriftError, match=r"text\.mp4 cannot be read as a video"):
        VideoFrames(tmp_path / "text.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(FramedriftError, match=r"empty\.mp4 cannot be read"):
        VideoFrames(tmp_path / "empty.mp4")
    path = write(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FramedriftError, match=r"a\.mp4 (cannot be read|holds no frames)"):
        VideoFrames(path)
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(FramedriftError, match="no pictures"):
        VideoFrames(tmp_path / "sound.wav")


def test_a_video_socket_is_frames(tmp_path):
    path = write(tmp_path / "a.mp4")
    frames = as_frames(VideoFile(path))
    assert isinstance(frames, VideoFrames)
    assert number_of(frames[7]) == 7

    class Trimmed(VideoFile):
        def get_active_trim_window(self):
            return 1.0, 0.5

    assert numbers(as_frames(Trimmed(path))) == list(range(30, 45))
    with pytest.raises(FramedriftError, match="VIDEO"):
        as_frames("a path")  # a text is no video


def test_memory_does_not_grow_with_the_length(tmp_path):
    """What stays alive after 60 frames is what stays after 240, but for a few bytes a frame."""
    import tracemalloc

    def held(count):
        frames = VideoFrames(write(tmp_path / f"{count}.mp4", times=range(count)))
        tracemalloc.start()
        try:
            for _ in frames:
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            frames.close()

    assert held(240) < held(60) + 100_000
