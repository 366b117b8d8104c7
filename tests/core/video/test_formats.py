"""Every film format: colours, alpha, order, tags, sound and workflow as the page reads them, and what cannot be."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import Interpolation

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.encode import encode, frame_steps
from framedrift.nodes.core.video.formats import FORMATS, check_writable, is_writable
from framedrift.nodes.core.video.leftovers import sweep_dead
from framedrift.nodes.core.video.picture import Picture
from framedrift.nodes.core.video.sound import SoundFile, open_samples, sound_of
from framedrift.nodes.core.video.spool import Spool

SIZE = (64, 96)
FILMS = [known.name for known in FORMATS.values() if known.kind == "film"]
BARS = torch.tensor([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0.0, 0, 0]])


def bars(count, size=SIZE, alpha=False):
    """Colour bars; from frame to frame they move on by one. With alpha: clear on the right, whole on the left."""
    height, width = size
    for number in range(count):
        picture = BARS.roll(number, 0)[(torch.arange(width) * 8 // width).clamp(max=7)].expand(height, width, 3)
        if alpha:
            whole = torch.linspace(1, 0, width).expand(height, width)[..., None]
            picture = torch.cat([picture, whole], 2)
        yield picture


def read(path, decoder=None, **kind):
    """Frames as (F, H, W, C) levels, in RGB as the tags say. One thread: see `film.threads_for`."""
    kind = {"format": "rgb24"} | kind
    exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if decoder:
            context = av.CodecContext.create(decoder, "r")
            frames = [frame for packet in container.demux(stream) for frame in context.decode(packet)]
        else:
            frames = list(container.decode(stream))
        return np.stack(
            [
                frame.reformat(
                    **kind,
                    src_colorspace="ITU709",
                    src_color_range="MPEG",
                    dst_color_range="JPEG",
                    interpolation=exact,
                    threads=1,
                ).to_ndarray()
                for frame in frames
            ]
        ).astype(int)


def middles(shown):
    """The colour in the middle of each bar."""
    height, width = shown.shape[1:3]
    return shown[:, height // 2, width // 16 :: width // 8]


@pytest.mark.parametrize("name", FILMS)
def test_a_film_shows_what_was_put_in(tmp_path, name):
    known = FORMATS[name]
    path = tmp_path / f"a.{known.extension}"
    texts = {"prompt": json.dumps({"1": {"text": "{a|b} }} é"}}), "workflow": json.dumps({"nodes": ["} {"]})}
    notes = encode(bars(5), path, 12.5, SIZE, format=name, crf=8, metadata=texts)
    assert notes == ()
    wanted = np.stack([BARS.roll(number, 0).mul(255).numpy() for number in range(5)])
    assert np.abs(middles(read(path)) - wanted).max() <= 8
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        assert (stream.average_rate, stream.height, stream.width) == (Fraction(25, 2), *SIZE)
        assert container.duration / av.time_base == pytest.approx(5 / 12.5, abs=0.01)
    data = path.read_bytes()
    found = webm_texts(data) if known.container == "webm" else mp4_texts(data)
    assert {key: json.loads(value) for key, value in found.items()} == {k: json.loads(v) for k, v in texts.items()}
    if known.container != "webm":
        assert 0 < data.index(b"moov") < data.index(b"mdat"), "plays before it is there"


def mp4_texts(data):
    """`prompt` and `workflow` as ComfyUI's page finds them: moov/udta/meta, a keys box and an ilst box."""

    def box(start, end, kind):
        while start < end - 8:
            length = int.from_bytes(data[start : start + 4], "big")
            if data[start + 4 : start + 8] == kind:
                return start + 8, start + length
            start += length
        raise AssertionError(kind)

    start, end = box(*box(*box(0, len(data), b"moov"), b"udta"), b"meta")
    at, last = box(start + 4, end, b"keys")
    keys, at = [], at + 8
    while at < last:
        length = int.from_bytes(data[at : at + 4], "big")
        keys.append(data[at + 8 : at + length].decode())
        at += length
    at, last = box(start + 4, end, b"ilst")
    found = {}
    while at < last:
        length, number = (int.from_bytes(data[at + step : at + step + 4], "big") for step in (0, 4))
        first, after = box(at + 8, at + length, b"data")
        found[keys[number - 1]] = data[first + 8 : after].decode()
        at += length
    return {key: value for key, value in found.items() if key in ("prompt", "workflow")}


def webm_texts(data):
    """The same out of a WebM: the page looks at the first 2 MiB, and counts braces to find the end of the JSON."""
    found = {}
    for key in ("PROMPT", "WORKFLOW"):
        at = data.index(key.encode(), 0, 2**21)
        start = at = data.index(b"{", at)
        depth = 1
        while depth:
            at += 1
            depth += {ord("{"): 1, ord("}"): -1}.get(data[at], 0)
        found[key.lower()] = data[start : at + 1].decode()
    return found


@pytest.mark.parametrize("name", ["mp4 (H.265)", "mp4 (AV1)", "mov (ProRes 422 HQ)", "mov (ProRes 4444)"])
def test_ten_bits_tell_apart_what_eight_do_not(tmp_path, name):
    """A ramp of a tenth of the range over 96 pixels: 26 levels in 8 bits, near 88 in 10."""
    path = tmp_path / f"a.{FORMATS[name].extension}"
    ramp = torch.linspace(0.4, 0.5, 96).expand(64, 96)[..., None].expand(64, 96, 3)
    encode([ramp] * 2, path, 15, SIZE, format=name, crf=1, deep=True)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    bits = 12 if "12" in frame.format.name else 10
    luma = np.frombuffer(frame.planes[0], np.uint16).reshape(64, -1)[32, :96]
    assert bits >= 10
    assert len(np.unique(luma)) > 40
    wanted = (64 + 876 * ramp[32, :, 0].numpy()) * 2 ** (bits - 10)
    assert np.abs(luma - wanted).max() <= 3 * 2 ** (bits - 10)


@pytest.mark.parametrize("size", [(70, 130), (36, 46)])
@pytest.mark.parametrize("name", ["mov (ProRes 4444)", "mp4 (AV1)", "mp4 (H.264)"])
def test_no_row_begins_with_the_end_of_another(tmp_path, name, size):
    """Widths that are no multiple of 32, where threads that convert side by side write over each other's edges."""
    path = tmp_path / f"a.{FORMATS[name].extension}"
    encode([torch.ones(*size, 3)] * 12, path, 15, size, format=name, deep=True)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            kind = np.uint16 if max(part.bits for part in frame.format.components) > 8 else np.uint8
            luma = np.frombuffer(frame.planes[0], kind).reshape(frame.height, -1)[:, : frame.width].astype(int)
            assert luma.max() - luma.min() <= 0.01 * luma.max()


@pytest.mark.parametrize(("name", "decoder"), [("webm (VP9)", "libvpx-vp9"), ("mov (ProRes 4444)", None)])
def test_alpha_is_kept(tmp_path, name, decoder):
    path = tmp_path / f"a.{FORMATS[name].extension}"
    assert encode(bars(3, alpha=True), path, 15, SIZE, format=name, crf=5) == ()
    shown = read(path, decoder, format="rgba")
    wanted = np.linspace(255, 0, 96)
    assert np.abs(shown[..., 3] - wanted).max() <= 6
    assert np.abs(middles(shown)[1, :4, :3] - BARS.roll(1, 0)[:4].mul(255).numpy()).max() <= 12


def test_alpha_is_dropped_with_a_word_where_there_is_none(tmp_path, caplog):
    notes = encode(bars(3, alpha=True), tmp_path / "a.mp4", 15, SIZE, crf=5)
    assert "mp4 (H.264) has no alpha" in notes[0]
    assert notes[0] in caplog.text
    assert np.abs(middles(read(tmp_path / "a.mp4"))[0] - BARS.mul(255).numpy()).max() <= 8


@pytest.mark.parametrize("name", FILMS)
def test_odd_sizes_are_written(tmp_path, name):
    known = FORMATS[name]
    path = tmp_path / f"a.{known.extension}"
    notes = encode(bars(2, (65, 97)), path, 15, (65, 97), format=name)
    shown = read(path)
    down, across = known.multiple
    assert shown.shape[:3] == (2, -(-65 // down) * down, -(-97 // across) * across)
    assert any("is padded to" in note for note in notes) == (shown.shape[1:3] != (65, 97))


@pytest.mark.parametrize("name", FILMS)
def test_one_or_two_frames_are_a_film(tmp_path, name):
    path = tmp_path / f"a.{FORMATS[name].extension}"
    for count in (1, 2, 3):
        encode(bars(count), path, 15, SIZE, format=name)
        assert len(read(path)) == count


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("mp4 (H.264)", (2, 20_000), "20000x2 is too large for H.264, which ends at 16384"),
        ("mp4 (H.265)", (64, 48), "48x64 is too small for a video in H.265; 64x64"),
        ("mp4 (AV1)", (10_000, 16), "AV1 cannot take 16x10000 at 15 frames"),
        ("gif", (1, 70_000), "too large for GIF"),
        ("webp (animated)", (1, 16_384), "too large for WebP, which ends at 16383"),
    ],
)
def test_sizes_that_a_codec_cannot_take_are_named(tmp_path, name, size, words):
    with pytest.raises(FramedriftError, match=words):
        encode([torch.zeros(*size, 3)], tmp_path / "a", 15, size, format=name)
    assert not list(tmp_path.iterdir())


def test_a_codec_that_is_not_there_says_which_are(tmp_path):
    lacking = replace(FORMATS["mp4 (H.265)"], encoders=("libx2650",))
    assert not is_writable(lacking)
    with pytest.raises(FramedriftError, match=r"no H.265 encoder \(libx2650\).*mp4 \(H.264\).*gif.*png sequence"):
        encode(bars(2), tmp_path / "a.mp4", 15, SIZE, format=lacking)
    check_writable(replace(FORMATS["mp4 (H.264)"], encoders=("libx2640", "libx264")))
    silent = replace(FORMATS["mp4 (H.264)"], sound=("aac3",))
    with pytest.raises(FramedriftError, match=r"audio: .*no encoder for it \(aac3\)"):
        encode(bars(2), tmp_path / "a.mp4", 15, SIZE, format=silent, audio=tone(1))
    with pytest.raises(FramedriftError, match=r"format: 'avi' is not known. It can be mp4"):
        encode(bars(2), tmp_path / "a.mp4", 15, SIZE, format="avi")
    assert not list(tmp_path.iterdir())


def test_a_second_encoder_takes_over(tmp_path):
    """libaom is not in every build; H.264's own name stands for whichever encoder there is."""
    other = replace(FORMATS["mp4 (H.264)"], encoders=("libx2640", "h264_nothing", "libx264"))
    encode(bars(2), tmp_path / "a.mp4", 15, SIZE, format=other)
    assert len(read(tmp_path / "a.mp4")) == 2


# ---------------------------------------------------------------- forth and back


def order(path):
    return [int(np.abs(BARS.mul(255).numpy()[None, 0] - row).sum(-1).argmin()) for row in middles(read(path))]


@pytest.mark.parametrize(("count", "wanted"), [(5, [0, 1, 2, 3, 4, 3, 2, 1]), (2, [0, 1]), (1, [0])])
@pytest.mark.parametrize("name", ["mp4 (H.264)", "gif", "mp4 (AV1)"])
def test_ping_pong_shows_neither_end_twice_and_asks_for_each_frame_once(tmp_path, name, count, wanted):
    path = tmp_path / f"a.{FORMATS[name].extension}"
    asked, done = [], []

    def counted():
        for number, picture in enumerate(bars(count)):
            asked.append(number)
            yield picture

    encode(counted(), path, 15, SIZE, format=name, crf=5, ping_pong=True, on_frame=done.append, deep=True)
    assert order(path) == wanted
    assert asked == list(range(count))
    assert done == list(range(1, frame_steps(count, name, True) + 1))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_spool_gives_back_what_it_got(tmp_path, kind, channels):
    rng = np.random.default_rng(0)
    kept = [rng.integers(0, np.iinfo(kind).max, (5, 7, channels), kind) for _ in range(3)]
    with Spool(tmp_path) as spool:
        for pixels in kept:
            spool.append(pixels)
        for item in (2, 0, 1):
            assert np.array_equal(spool[item], kept[item])
            assert spool[item].dtype == kind
        with pytest.raises(IndexError):
            spool[3]
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- sound


def tone(seconds, rate=8000, level=0.5):
    wave = level * torch.sin(torch.arange(int(seconds * rate)) * (2 * np.pi * 440 / rate))
    return {"waveform": wave.expand(1, 2, -1), "sample_rate": rate}


def loud(path, window=0.1):
    """Whether each tenth of a second has sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate, blocks = stream.rate, []
        resampler = av.AudioResampler(format="fltp", layout="mono")
        for frame in container.decode(stream):
            at = round(frame.time * rate)
            blocks += [(at, part.to_ndarray()[0]) for part in resampler.resample(frame)]
    end = max(at + len(block) for at, block in blocks)
    wave = np.zeros(end)
    for at, block in blocks:
        wave[max(at, 0) : at + len(block)] = block[max(0, -at) :]
    step = int(rate * window)
    return [bool(np.abs(wave[start + step // 4 : start + 3 * step // 4]).max() > 0.2) for start in
            range(0, end - step // 2, step)]  # fmt: skip


@pytest.mark.parametrize("name", ["mp4 (H.264)", "webm (VP9)", "mov (ProRes 422 HQ)"])
@pytest.mark.parametrize(
    ("seconds", "offset", "wanted"),
    [(0.5, 0.3, [0] * 3 + [1] * 5 + [0] * 2), (3, -1, [1] * 10), (1.4, -1, [1] * 4 + [0] * 6), (1, 5, [0] * 10)],
)
def test_sound_is_moved_cut_and_filled_up(tmp_path, name, seconds, offset, wanted):
    path = tmp_path / f"a.{FORMATS[name].extension}"
    encode(bars(10), path, 10, SIZE, format=name, audio=tone(seconds, 24_000), audio_offset=offset)
    assert loud(path)[:10] == [bool(value) for value in wanted]
    assert len(loud(path)) in (10, 11)
    with av.open(str(path)) as container:
        codec = container.streams.audio[0].codec_context.name
    assert codec == {"mp4": "aac", "webm": "opus", "mov": "pcm_s24le"}[FORMATS[name].container]


def test_the_sound_of_a_video_is_read_as_it_is_needed(tmp_path):
    given = tmp_path / "given.mp4"
    sound = torch.cat([tone(1)["waveform"], tone(1, level=0)["waveform"], tone(1)["waveform"]], 2)
    encode(bars(30), given, 10, SIZE, audio={"waveform": sound, "sample_rate": 8000})
    for source in (SoundFile(given), SoundFile(BytesIO(given.read_bytes()))):
        encode(bars(30), tmp_path / "a.mp4", 10, SIZE, audio=source)
        assert loud(tmp_path / "a.mp4", 0.5)[:6] == [True, True, False, False, True, True]
    encode(bars(30), tmp_path / "a.mp4", 10, SIZE, audio=SoundFile(given, 1.5, 1), audio_offset=0.5)
    assert loud(tmp_path / "a.mp4", 0.5)[:6] == [False, False, True, False, False, False]


def test_a_damaged_video_gives_the_sound_that_it_has(tmp_path, caplog):
    encode(bars(30), tmp_path / "given.mkv", 10, SIZE, format=replace(FORMATS["mp4 (H.264)"], container="matroska"),
           audio=tone(3))  # fmt: skip
    whole = (tmp_path / "given.mkv").read_bytes()
    (tmp_path / "given.mkv").write_bytes(whole[: len(whole) // 2])
    encode(bars(30), tmp_path / "a.mp4", 10, SIZE, audio=SoundFile(tmp_path / "given.mkv"))
    heard = loud(tmp_path / "a.mp4")
    assert heard[:3] == [True] * 3
    assert heard[25:30] == [False] * 5


def test_a_video_without_sound_and_one_that_is_none(tmp_path, caplog):
    encode(bars(2), tmp_path / "silent.mp4", 10, SIZE)
    encode(bars(2), tmp_path / "a.mp4", 10, SIZE, audio=SoundFile(tmp_path / "silent.mp4"))
    assert "given as audio has no sound" in caplog.text
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert not container.streams.audio
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(FramedriftError, match=r"audio: .*text.mp4 cannot be read"):
        open_samples(SoundFile(tmp_path / "text.mp4"))


def test_a_video_is_taken_by_its_file_or_its_sound():
    class VideoInput:
        def get_stream_source(self):
            raise AssertionError("this encodes the video")

    class InMemory(VideoInput):
        def get_components(self):
            return type("Components", (), {"audio": {"waveform": 1}})

    class FromFile(VideoInput):
        def get_stream_source(self):
            return "a.mp4"

        def get_active_trim_window(self):
            return 2.0, 3.0

    assert sound_of(InMemory()) == {"waveform": 1}
    assert sound_of(FromFile()) == SoundFile("a.mp4", 2.0, 3.0)
    assert sound_of(None) is None
    with pytest.raises(FramedriftError, match="audio: needs AUDIO or VIDEO, got int"):
        sound_of(3)


def test_sound_that_a_format_cannot_hold_is_named(tmp_path):
    assert "gif has no sound" in encode(bars(2), tmp_path / "a.gif", 10, SIZE, format="gif", audio=tone(1))[0]


# ---------------------------------------------------------------- what goes with it


def test_a_preview_and_a_first_frame(tmp_path):
    size = (80, 1300)
    encode(bars(4, size, alpha=True), tmp_path / "a.mov", 15, size, format="mov (ProRes 4444)", audio=tone(1),
           metadata={"prompt": "{}"}, preview=tmp_path / "p.mp4", first_frame=tmp_path / "f.png")  # fmt: skip
    with av.open(str(tmp_path / "p.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height, stream.frames) == ("h264", 640, 40, 4)
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert container.streams.audio
        assert "prompt" not in container.metadata
    shown = middles(read(tmp_path / "p.mp4"))[0]
    assert np.abs(shown[0] - 255 * 0.94).max() < 12, "white, nearly whole"
    assert shown[-2].max() < 60, "blue, nearly clear, over black"
    still = read_png(tmp_path / "f.png")
    assert still.shape == (80, 1300, 4)
    assert b"tEXtprompt\0{}" in (tmp_path / "f.png").read_bytes()


def read_png(path):
    import cv2

    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_frame_that_goes_wrong_leaves_nothing(tmp_path, name):
    def frames():
        yield from bars(4)
        yield torch.full((*SIZE, 3), float("nan"))

    with pytest.raises(FramedriftError, match=r"frame 4 .*NaN"):
        encode(frames(), tmp_path / "a", 15, SIZE, format=name, preview=tmp_path / "p.mp4", ping_pong=True,
               first_frame=tmp_path / "f.png")  # fmt: skip
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", list(FORMATS))
def test_frames_of_another_size_or_depth_are_named(tmp_path, name):
    for odd, words in ((torch.zeros(48, 32, 3), "frame 2 is 32x48, but the video is 96x64"),
                       (torch.zeros(*SIZE, 2), "frame 2 has 2 channels")):  # fmt: skip
        with pytest.raises(FramedriftError, match=words):
            encode([*bars(2), odd], tmp_path / "a", 15, SIZE, format=name)
    with pytest.raises(FramedriftError, match="there are none"):
        encode([], tmp_path / "a", 15, SIZE, format=name)
    assert not list(tmp_path.iterdir())


def test_a_picture_in_every_shape():
    picture = Picture(torch.tensor([[[0.0, 0.5, 1.2, 0.5]]]), (1, 1), 3)
    assert picture.pixels().tolist() == [[[0, 128, 255]]]
    assert picture.pixels(alpha=True).tolist() == [[[0, 128, 255, 128]]]
    assert picture.pixels(alpha=True, deep=True).tolist() == [[[0, 32768, 65535, 32768]]]
    assert picture.over_black().tolist() == [[[0, 64, 128]]]
    assert Picture(torch.tensor([[[0.2]]]), (1, 1), 0).pixels(alpha=True).tolist() == [[[51, 51, 51, 255]]]
    assert Picture(picture.pixels(deep=True), (1, 1), 0).pixels().tolist() == [[[0, 128, 255]]]


# ---------------------------------------------------------------- the end of a process

KILLED = """
import sys, time, torch
from pathlib import Path
from framedrift.nodes.core.video.encode import encode
def frames():
    for number in range(10_000):
        yield torch.rand(64, 96, 3, generator=torch.Generator().manual_seed(number % 9))
        if number == 120:
            print("going", flush=True)
        if number > 120:
            time.sleep(0.02)
encode(frames(), Path(sys.argv[1]), 15, (64, 96), format=sys.argv[2])
"""


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
@pytest.mark.parametrize("name", ["mp4 (H.264)", "png sequence"])
def test_a_kill_leaves_no_half_file_under_the_final_name_and_the_next_one_sweeps(tmp_path, name):
    path = tmp_path / "a_00001_"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path), name], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"going\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    (left,) = tmp_path.iterdir()
    assert re.fullmatch(r"\.a_00001_\.\d+(-\d+)?\.tmp", left.name)
    sweep_dead(tmp_path)
    assert left.exists(), "touched a moment ago: it might be another machine's"
    long_ago = time.time() - 3600
    os.utime(left, (long_ago, long_ago))
    alive = tmp_path / f".b.{os.getpid()}.tmp.mp4"
    foreign = tmp_path / ".c.tmp.notes"
    for kept in (alive, foreign):
        kept.touch()
        os.utime(kept, (long_ago, long_ago))
    encode(bars(2), tmp_path / "a.mp4", 15, SIZE)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([alive.name, foreign.name, "a.mp4"])


FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.encode import encode
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))
frames = [torch.rand(64, 96, 3, generator=torch.Generator().manual_seed(i)) for i in range(40)]
for name in sys.argv[2:]:
    try:
        encode(frames, Path(sys.argv[1]) / "a", 15, (64, 96), format=name, crf=1)
        print("written", name)
    except FramedriftError as error:
        print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="no file size limit there")
def test_a_full_disk_is_named_whatever_the_format(tmp_path):
    # Each file of a sequence is small enough here; its own test fills the disk another way.
    names = [name for name in FORMATS if name != "png sequence"]
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), *names]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    lines = told.stdout.splitlines()
    assert len(lines) == len(names), told
    for line, name in zip(lines, names, strict=True):
        assert "Could not write the video a" in line, name
        assert "the disk is full" in line, name
    assert not list(tmp_path.iterdir())


def test_what_was_there_before_is_kept_with_every_writer(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("framedrift.nodes.core.video.animated.os.fsync", fails)
    with pytest.raises(FramedriftError, match="the disk is full"):
        encode(bars(2), tmp_path / "a", 15, SIZE, format="png sequence")
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())
