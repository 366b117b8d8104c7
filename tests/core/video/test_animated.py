"""GIF, animated WebP, APNG and PNG sequences: pictures, times, loops, alpha, and the workflow as the page reads it."""

import json
import struct
import zlib
from fractions import Fraction

import av
import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run.pictures import SIGNATURE
from framedrift.nodes.core.video.animated import exif, png_chunks
from framedrift.nodes.core.video.encode import encode
from framedrift.nodes.core.video.formats import FORMATS, percent
from framedrift.nodes.core.video.gif import shown_at

SIZE = (33, 47)
ANIMATED = ["gif", "webp (animated)", "apng"]
TEXTS = {"prompt": json.dumps({"1": "é{"}), "workflow": json.dumps({"nodes": [1]}), "extra": json.dumps("x")}


def scene(count, alpha=False, size=SIZE):
    """Four quarters of different colours, a grey that brightens, and a disc of alpha that moves right."""
    height, width = size
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    for number in range(count):
        picture = torch.zeros(height, width, 3)
        picture[: height // 2, : width // 2, 0] = 1
        picture[: height // 2, width // 2 :, 1] = 1
        picture[height // 2 :, : width // 2, 2] = 1
        picture[height // 2 :, width // 2 :] = number / count
        if alpha:
            away = ((rows - 16) ** 2 + (columns - 12 - 2 * number) ** 2).float().sqrt()
            picture = torch.cat([picture, (11.5 - away).clamp(0, 1)[..., None]], 2)
        yield picture


def written(tmp_path, name="gif", frames=None, fps=10, **options):
    frames = list(scene(6)) if frames is None else list(frames)
    path = tmp_path / ("a" if name == "png sequence" else f"a.{FORMATS[name].extension}")
    encode(frames, path, fps, tuple(frames[0].shape[:2]), format=name, **options)
    return path


def shown(path):
    """Frames as Pillow composes them, (F, H, W, 4), and their times in milliseconds."""
    with Image.open(path) as image:
        frames, times = [], []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.array(image.convert("RGBA")))
            times.append(image.info["duration"])
    return np.stack(frames).astype(int), times


@pytest.mark.parametrize(("name", "off"), [("gif", 0), ("webp (animated)", 8), ("apng", 0)])
def test_the_pictures_come_back_in_order(tmp_path, name, off):
    pictures, _ = shown(written(tmp_path, name, crf=2))
    wanted = np.stack([picture.mul(255).round().numpy() for picture in scene(6)])
    assert pictures.shape == (6, *SIZE, 4)
    assert (pictures[..., 3] == 255).all()
    error = np.abs(pictures[..., :3] - wanted)
    # WebP halves the colours' size: their borders are soft.
    for rows in (slice(0, 12), slice(20, 33)):
        for columns in (slice(0, 19), slice(27, 47)):
            assert error[:, rows, columns].max() <= off


def test_a_webp_at_the_best_quality_has_no_loss(tmp_path):
    pictures, _ = shown(written(tmp_path, "webp (animated)", crf=1))
    assert np.array_equal(pictures[..., :3], np.stack([p.mul(255).round().numpy() for p in scene(6)]))
    sizes = [written(tmp_path, "webp (animated)", crf=crf).stat().st_size for crf in (4, 19, 51)]
    assert sizes == sorted(sizes, reverse=True)
    assert [round(percent(crf)) for crf in (1, 19, 51)] == [100, 86, 0]


@pytest.mark.parametrize("name", ANIMATED)
def test_alpha_is_kept_and_no_frame_shines_through(tmp_path, name):
    pictures, _ = shown(written(tmp_path, name, scene(6, alpha=True), crf=5))
    wanted = np.stack([picture.mul(255).round().numpy() for picture in scene(6, alpha=True)])
    if name == "gif":
        assert set(np.unique(pictures[..., 3])) == {0, 255}
        assert ((pictures[..., 3] == 255) == (wanted[..., 3] >= 128)).all()
    else:
        assert np.abs(pictures[..., 3] - wanted[..., 3]).max() <= 2
    whole = wanted[..., 3] == 255
    assert np.median(np.abs(pictures[..., :3] - wanted[..., :3])[whole]) <= 4


def test_long_or_rich_animations_are_counted_in_fewer_levels(tmp_path, monkeypatch):
    monkeypatch.setattr("framedrift.nodes.core.video.gif.EXACT_COLOURS", 0)
    pictures, _ = shown(written(tmp_path, "gif", dither="none"))
    assert np.abs(pictures[..., :3] - np.stack([p.mul(255).round().numpy() for p in scene(6)])).max() <= 3


def test_memory_does_not_grow_with_the_length(tmp_path):
    """Two passes over 150 frames of 256x256, 30 to 40 MB were they kept: what the first 50 took is enough."""
    process, marks = psutil.Process(), {}
    grain = torch.rand(256, 256, 3, generator=torch.Generator().manual_seed(0))
    frames = ((grain * (number % 7) / 7) for number in range(150))
    encode(frames, tmp_path / "a.gif", 15, (256, 256), format="gif", dither="none",
           on_frame=lambda done: marks.update({done: process.memory_info().rss / 2**20}))  # fmt: skip
    assert marks[150] - marks[50] < 12
    assert marks[300] - marks[200] < 12


def test_frames_that_are_wholly_clear(tmp_path):
    pictures, _ = shown(written(tmp_path, "gif", [torch.zeros(*SIZE, 4)] * 3))
    assert (pictures[..., 3] == 0).all()


@pytest.mark.parametrize(
    ("name", "fps", "total"), [("gif", 15, 2000), ("gif", 23.976, 1250), ("webp (animated)", 23.976, 1251),
                               ("webp (animated)", 60, 500), ("apng", 15, 2000)]
)  # fmt: skip
def test_times_do_not_drift(tmp_path, name, fps, total):
    _, times = shown(written(tmp_path, name, scene(30), fps))
    assert len(times) == 30
    assert sum(times) == pytest.approx(total, abs=1)
    assert max(times) - min(times) <= {"gif": 10, "webp (animated)": 1, "apng": 0.001}[name]


def test_an_apng_says_its_rate_exactly(tmp_path):
    data = written(tmp_path, "apng", fps=29.97).read_bytes()
    controls = [content for kind, content in png_chunks(data) if kind == b"fcTL"]
    assert {struct.unpack(">HH", content[20:24]) for content in controls} == {(1001, 30000)}
    assert [struct.unpack(">I", content[:4])[0] for content in controls] == [0, 1, 3, 5, 7, 9]
    with av.open(str(tmp_path / "a.png")) as container:
        assert len(list(container.decode(video=0))) == 6


def test_every_chunk_of_an_apng_is_sound(tmp_path):
    data = written(tmp_path, "apng").read_bytes()
    at = len(SIGNATURE)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body, check = data[at + 4 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        assert zlib.crc32(body) == int.from_bytes(check, "big"), body[:4]
        at += 12 + length
    assert at == len(data)


def test_a_gif_above_fifty_a_second_leaves_frames_out(tmp_path):
    path = tmp_path / "a.gif"
    notes = encode(scene(30), path, 100, SIZE, format="gif")
    assert "at most 50 frames a second: of 100 some" in notes[0]
    _, times = shown(path)
    assert (len(times), sum(times), min(times)) == (15, 300, 20)
    assert list(shown_at(4, Fraction(60))) == [(0, 0), (1, 2), (3, 5)]


def loops(data, name):
    """What the file says of playing again: a GIF's repeats or None, or how often a WebP or APNG plays."""
    if name == "gif":
        at = data.find(b"NETSCAPE2.0\x03\x01")
        return None if at < 0 else struct.unpack("<H", data[at + 13 : at + 15])[0]
    if name == "apng":
        return next(struct.unpack(">II", content)[1] for kind, content in png_chunks(data) if kind == b"acTL")
    at = data.index(b"ANIM")
    return struct.unpack("<H", data[at + 12 : at + 14])[0]


@pytest.mark.parametrize(
    ("name", "wanted"), [("gif", [0, None, 1, 4]), ("webp (animated)", [0, 1, 2, 5]), ("apng", [0, 1, 2, 5])]
)
def test_how_often_it_plays(tmp_path, name, wanted):
    counts = (0, 1, 2, 5)
    assert [loops(written(tmp_path, name, loop_count=count).read_bytes(), name) for count in counts] == wanted


@pytest.mark.parametrize("name", [*ANIMATED, "png sequence"])
def test_one_frame(tmp_path, name):
    path = written(tmp_path, name, scene(1))
    with Image.open(path / "000000.png" if path.is_dir() else path) as image:
        assert image.size == (47, 33)


# ---------------------------------------------------------------- the workflow


def webp_texts(data):
    """As ComfyUI's page reads them: an EXIF chunk, a TIFF with its strings by offset."""
    at = 12
    while data[at : at + 4] != b"EXIF":
        length = struct.unpack("<I", data[at + 4 : at + 8])[0]
        at += 8 + length + length % 2
    tiff = data[at + 8 :]
    assert tiff[:4] == b"II*\0"
    start = struct.unpack("<I", tiff[4:8])[0]
    found = {}
    for entry in range(struct.unpack("<H", tiff[start : start + 2])[0]):
        tag, kind, length, place = struct.unpack("<HHII", tiff[start + 2 + entry * 12 : start + 14 + entry * 12])
        assert (kind, tag in (0x010E, 0x010F, 0x0110)) == (2, True)
        key, _, value = tiff[place : place + length - 1].decode().partition(":")
        found[key] = value
    return found


def png_texts(data):
    return {
        key.decode(): value.decode("latin-1")
        for key, _, value in (content.partition(b"\0") for kind, content in png_chunks(data) if kind == b"tEXt")
    }


def test_the_workflow_is_in_the_file(tmp_path):
    assert webp_texts(written(tmp_path, "webp (animated)", metadata=TEXTS).read_bytes()) == TEXTS
    with Image.open(tmp_path / "a.webp") as image:
        assert image.getexif()[0x0110] == f"prompt:{TEXTS['prompt']}"
    assert png_texts(written(tmp_path, "apng", metadata=TEXTS).read_bytes()) == TEXTS
    for path in written(tmp_path, "png sequence", metadata=TEXTS).iterdir():
        assert png_texts(path.read_bytes()) == TEXTS
    encode(scene(2), tmp_path / "b.gif", 10, SIZE, format="gif", metadata={"prompt": "x" * 600})
    data = (tmp_path / "b.gif").read_bytes()
    at = data.index(b"\x21\xfe\xffprompt:")
    assert data[-1:] == b"\x3b"
    assert (data[at + 2], data[at + 258], data[at + 514]) == (255, 255, 97)
    assert len(shown(tmp_path / "b.gif")[0]) == 2
    encode(scene(2), tmp_path / "f.gif", 10, SIZE, format="gif", metadata=TEXTS, first_frame=tmp_path / "f.png")
    assert png_texts((tmp_path / "f.png").read_bytes()) == TEXTS


def test_without_texts_there_are_none(tmp_path):
    assert b"EXIF" not in written(tmp_path, "webp (animated)").read_bytes()
    assert not png_texts(written(tmp_path, "apng").read_bytes())
    assert len(exif({"a": ""})) == 8 + 2 + 12 + 4 + 5


# ---------------------------------------------------------------- GIF's colours


def gradient(count=3, size=(96, 160)):
    across = torch.linspace(0, 1, size[1]).expand(size)
    down = torch.linspace(0, 1, size[0])[:, None].expand(size)
    for number in range(count):
        yield torch.stack([0.2 + 0.3 * across, 0.3 + 0.2 * down, 0.6 - 0.3 * across + 0.05 * number], -1)


def test_a_gif_has_one_palette_and_dither_hides_its_bands(tmp_path):
    import cv2

    wanted = cv2.blur(list(gradient())[1].mul(255).numpy(), (7, 7))[8:-8, 8:-8]
    errors, sizes = {}, {}
    for dither in ("diffusion", "ordered", "none"):
        path = written(tmp_path, "gif", gradient(), dither=dither)
        pictures, _ = shown(path)
        blurred = cv2.blur(pictures[1, ..., :3].astype(np.float32), (7, 7))[8:-8, 8:-8]
        errors[dither], sizes[dither] = np.abs(blurred - wanted).mean(), path.stat().st_size
        assert 100 < len(np.unique(pictures.reshape(-1, 4), axis=0)) <= 256
    assert errors["diffusion"] < 0.5 * errors["none"]
    assert errors["ordered"] < 0.8 * errors["none"]
    assert sizes["none"] < min(sizes["ordered"], sizes["diffusion"])
    with pytest.raises(FramedriftError, match="dither: 'some'"):
        written(tmp_path, "gif", dither="some")


def test_large_frames_are_counted_thinned_out(tmp_path):
    picture = next(gradient(1, (300, 700)))
    picture[150, 350] = torch.tensor([1.0, 0, 0])
    pictures, _ = shown(written(tmp_path, "gif", [picture]))
    assert np.abs(pictures[0, ..., :3] - picture.mul(255).numpy()).mean() < 6


# ---------------------------------------------------------------- sequences


def test_a_sequence_is_a_folder_that_appears_whole(tmp_path):
    seen = []

    def watch(number):
        (folder,) = tmp_path.iterdir()
        assert folder.name.startswith(".a.")
        names = sorted(path.name for path in folder.iterdir())
        seen.append(names == [f"{index:06}.png" for index in range(number)])

    path = written(tmp_path, "png sequence", scene(6, alpha=True), on_frame=watch)
    assert seen == [True] * 6
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    for number, picture in enumerate(scene(6, alpha=True)):
        with Image.open(path / f"{number:06}.png") as image:
            assert np.array_equal(np.array(image), picture.mul(255).round().numpy())
    with pytest.raises(FramedriftError, match="exists already"):
        written(tmp_path, "png sequence")
    assert len(list(path.iterdir())) == 6
