"""Which files are taken for guide images, and in which words others are refused."""

import os
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.guide_file import MOST_BYTES, check_guide_file, read_guide_file


def ramp(width=400, height=300):
    across = np.linspace(0, 255, width)[None, :, None]
    down = np.linspace(0, 255, height)[:, None, None]
    parts = [np.broadcast_to(part, (height, width, 1)) for part in (across, down, 0 * across + 60)]
    return Image.fromarray(np.concatenate(parts, -1).astype(np.uint8))


def refused(path, words):
    for look in (check_guide_file, read_guide_file):
        with pytest.raises(FramedriftError, match=words) as caught:
            look(path)
        assert str(caught.value).startswith(f"image: {path.name} ")


def png_header(width, height):
    """A PNG that states a size, and ends there."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "kind", "off"), [("a.png", "PNG", 0.003), ("a.jpg", "JPEG", 0.02), ("a.webp", "WEBP", 0.03)]
)
def test_the_three_kinds_are_read(tmp_path, name, kind, off):
    ramp().save(tmp_path / name, kind)
    check_guide_file(tmp_path / name)
    image, alpha = read_guide_file(tmp_path / name)
    assert image.shape == (1, 3, 300, 400)
    assert image.dtype == torch.float32
    assert (image - torch.from_numpy(np.asarray(ramp()) / 255.0).permute(2, 0, 1)[None]).abs().mean() < off
    assert torch.equal(alpha, torch.ones(1, 1, 300, 400))


def test_the_kind_is_what_the_file_holds_not_what_it_is_called(tmp_path):
    ramp().save(tmp_path / "photo.gif", "JPEG")
    assert read_guide_file(tmp_path / "photo.gif")[0].shape == (1, 3, 300, 400)
    ramp().save(tmp_path / "photo.png", "GIF")
    refused(tmp_path / "photo.png", "is a GIF; a guide has to be a JPG, PNG or WEBP. Convert it")


@pytest.mark.parametrize(("kind", "called"), [("BMP", "a BMP"), ("TIFF", "a TIFF"), ("PDF", "a PDF")])
def test_other_kinds_are_named(tmp_path, kind, called):
    ramp().save(tmp_path / "a.png", kind)
    refused(tmp_path / "a.png", f"is {called}; a guide has to be a JPG, PNG or WEBP")


@pytest.mark.parametrize(
    ("data", "called"),
    [
        (b"", "is empty"),
        (b"hello", "of a kind that is not known here"),
        (b"\0\0\0\x1cftypavif" + b"\0" * 40, "is an AVIF"),
        (b"\0\0\0\x1cftypheic" + b"\0" * 40, "is a HEIC"),
        (b"\0\0\0\x1cftypisom" + b"\0" * 40, "is a video or another container"),
    ],
)
def test_what_is_no_picture_here_is_named(tmp_path, data, called):
    (tmp_path / "a.jpg").write_bytes(data)
    refused(tmp_path / "a.jpg", called)


@pytest.mark.parametrize("size", [(299, 800), (800, 299), (64, 64)])
def test_small_pictures_are_refused_with_their_size(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "small.png")
    refused(tmp_path / "small.png", f"is {size[0]}x{size[1]} pixels; its short side must be 300 or more")


def test_the_least_size_is_taken(tmp_path):
    Image.new("RGB", (300, 300)).save(tmp_path / "least.png")
    check_guide_file(tmp_path / "least.png")


@pytest.mark.parametrize("size", [(8193, 400), (400, 20_000)])
def test_large_pictures_are_refused_with_their_size(tmp_path, size):
    (tmp_path / "large.png").write_bytes(png_header(*size))
    refused(tmp_path / "large.png", f"is {size[0]}x{size[1]} pixels; its long side must be 8192 or less")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(60_000, 60_000))
    refused(tmp_path / "bomb.png", "8192")


def test_files_over_100_mb_are_refused_unread(tmp_path):
    path = tmp_path / "heavy.png"
    path.touch()
    os.truncate(path, MOST_BYTES + 1)
    refused(path, "is 101 MB; 100 MB is the most")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_that_is_cut_off_is_damaged(tmp_path, kind):
    whole = tmp_path / "whole"
    Image.effect_noise((400, 300), 90).convert("RGB").save(whole, kind)
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(FramedriftError, match=r"image: cut\.png .*damaged.*save it anew"):
        read_guide_file(cut)
    cut.write_bytes(whole.read_bytes()[:20])
    refused(cut, "damaged")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBP", b""]), st.binary(max_size=60))
def test_no_bytes_do_more_than_be_refused(tmp_path, start, rest):
    (tmp_path / "any.png").write_bytes(start + rest)
    refused(tmp_path / "any.png", "image: any.png")


def test_a_turned_photograph_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp().save(tmp_path / "turned.jpg", exif=exif, quality=95)
    image, _ = read_guide_file(tmp_path / "turned.jpg")
    assert image.shape == (1, 3, 400, 300)
    # Turned a quarter to the right: what was at the left is at the top, what was at the bottom is at the left.
    assert image[0, 0, 0].mean() < 0.05 < 0.95 < image[0, 0, -1].mean()
    assert image[0, 1, :, 0].mean() > 0.95


def test_alpha_comes_along(tmp_path):
    picture = ramp().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((400, 300)))
    picture.save(tmp_path / "clear.png")
    image, alpha = read_guide_file(tmp_path / "clear.png")
    assert image.shape == (1, 3, 300, 400)
    assert alpha[0, 0, 0].max() < 0.01
    assert alpha[0, 0, -1].min() > 0.99


def test_grey_of_16_bits_keeps_its_levels(tmp_path):
    levels = np.broadcast_to(np.linspace(0, 65535, 400).astype(np.uint16), (300, 400))
    Image.fromarray(levels).save(tmp_path / "deep.png")
    image, _ = read_guide_file(tmp_path / "deep.png")
    assert image.shape == (1, 3, 300, 400)
    assert (image[0, 1, 7] - torch.linspace(0, 1, 400)).abs().max() < 1e-4
