"""Runs on disk: what is written, what is read back, and what a damaged folder says."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import RunStore, clean_name, ensure_space, journal
from framedrift.nodes.core.run.pictures import encode_png, grey_words, read_image, rgb_bytes


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "output" / "framedrift")


@pytest.fixture
def made(store, writer):
    with store.create("made", {"fps": 12, "num_frames": 9, "height": 40, "width": 56}, "print") as run:
        writer.commit_until(run, 2)
    return run.path


def test_what_is_committed_comes_back(store):
    image = torch.rand(1, 3, 31, 47, generator=torch.Generator().manual_seed(0))
    disparity = torch.rand(1, 1, 31, 47, generator=torch.Generator().manual_seed(1))
    strided = image.permute(0, 1, 3, 2)
    before = image.clone(), disparity.clone()
    with store.create("one", {"note": "ü"}, "abc") as run:
        assert (run.last_index, run.state(), run.complete) == (-1, None, False)
        run.commit(0, image, disparity, {"seed": 5, "cfg": np.float32(7.5)}, {"a": image, "b": image, "c": strided})
        entry = run.commit(4, image, None, {"seed": 6, "cut": True}, {"last": image}, {"prompt": "{}"})
        assert entry == run.entries[-1]
        assert torch.equal(run.state()["last"], image), "float32, not what the picture has of it"
        frames = run.frames(num_frames=10)
    assert all(torch.equal(a, b) for a, b in zip(before, (image, disparity), strict=True))
    assert (len(frames), frames.indices, frames.num_frames, frames.size) == (2, (0, 4), 10, (31, 47))
    assert frames.cuts == {4}
    assert frames[0].shape == (31, 47, 3)
    assert frames[0].dtype == torch.float32
    assert (frames[-1] - image[0].permute(1, 2, 0)).abs().max() <= 0.5 / 255 + 1e-6
    assert (frames.disparity(0) - disparity[0, 0]).abs().max() <= 0.5 / 65535 + 1e-6
    assert frames.disparity(1) is None
    with pytest.raises(IndexError):
        frames[2]
    with store.open("one_00001") as run:
        assert [entry["cfg"] for entry in run.entries[:1]] == [7.5]
        assert run.manifest["note"] == "ü"
        run.finish()
    with store.open(run.path) as run:
        assert run.complete
        assert torch.equal(run.state()["last"], image)


def test_levels_are_rounded_not_cut():
    steps = torch.linspace(-0.1, 1.1, 7001).reshape(1, 1, 1, -1).expand(1, 3, 1, -1)
    exact = steps.clamp(0, 1)[0].permute(1, 2, 0).double() * 255
    assert np.abs(rgb_bytes(steps) - exact.numpy()).max() <= 0.5 + 1e-4
    assert rgb_bytes(torch.full((1, 3, 1, 1), 254.6 / 255)).max() == 255
    assert np.abs(grey_words(steps[:, :1]) - exact[..., 0].numpy() * 257).max() <= 0.5 + 0.01


def test_pictures_are_right_side_up_and_rgb(store, tmp_path):
    image = torch.zeros(1, 3, 4, 6)
    image[:, 0, 0, 0], image[:, 1, 0, 5], image[:, 2, 3, 0] = 1, 1, 1
    with store.create("corner", {}, "") as run:
        run.commit(0, image, image[:, :1], {}, {})
    picture = Image.open(run.path / "frames/000000.png")
    assert picture.size == (6, 4)
    assert [picture.getpixel(at) for at in ((0, 0), (5, 0), (0, 3))] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    depth = Image.open(run.path / "depth/000000.png")
    assert depth.mode == "I;16"
    assert depth.getpixel((0, 0)) == 65535
    assert torch.equal(read_image(run.path / "frames/000000.png"), image[0].permute(1, 2, 0))


def test_the_workflow_is_in_the_picture_as_comfyui_writes_it(tmp_path):
    texts = {"prompt": json.dumps({"1": {"inputs": {"text": "é"}}}), "workflow": json.dumps({"nodes": []}), "x": "日本"}
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(np.zeros((2, 2, 3), np.uint8), texts))
    assert Image.open(path).text == texts


def test_a_picture_with_nan_is_refused_before_anything_is_written(store):
    with store.create("nan", {}, "") as run:
        with pytest.raises(FramedriftError, match=r"Frame 3 .*NaN.*float32"):
            run.commit(3, torch.full((1, 3, 8, 8), float("nan")), None, {}, {})
        with pytest.raises(FramedriftError, match="frame 3"):
            run.commit(3, torch.zeros(1, 3, 8, 8), None, {"cfg": float("nan")}, {})
        assert not list((run.path / "frames").iterdir())


def test_frames_are_committed_in_order(store, made, writer):
    with store.open(made) as run, pytest.raises(FramedriftError, match="the next is 3"):
        run.commit(2, *writer.make_frame(None, 2)[:2], {}, {})


def test_a_depth_that_a_killed_frame_left_is_not_taken_for_the_next_ones(store, made):
    (made / "depth/000003.png").write_bytes((made / "depth/000002.png").read_bytes())
    with store.open(made) as run:
        run.commit(3, torch.zeros(1, 3, 40, 56), None, {}, {})
    assert not (made / "depth/000003.png").exists()


def test_frames_take_rate_and_size_from_the_manifest_and_are_read_when_asked(store, made):
    frames = store.read("made_00001")
    assert (frames.fps, frames.num_frames, frames.size, frames.path) == (12.0, 9, (40, 56), made)
    (made / "frames/000001.png").unlink()
    assert frames[0].shape == frames[2].shape == (40, 56, 3)
    with pytest.raises(FramedriftError, match=r"000001\.png is missing"):
        frames[1]


def test_find_takes_the_newest_of_the_same_fingerprint(store):
    for name, mark in (("b", "x"), ("a", "x"), ("c", "y")):
        store.create(name, {}, mark).close()
    assert store.newest("x").name == "a_00001"
    assert store.newest("z") is None
    (store.root / "a_00001/run.json").write_text("{")
    assert store.newest("x").name == "b_00001", "one that cannot be read is passed over"
    problems = {run.name: run.problem for run in store.list()}
    assert problems["b_00001"] is None
    assert "run.json is damaged" in problems["a_00001"]


def test_numbers_go_up_and_subfolders_are_allowed(store):
    (store.root / "deep").mkdir(parents=True)
    (store.root / "deep/sky_00007").mkdir()
    names = []
    for name in ("deep/sky", "deep/sky", "deep\\sky", "sky", ""):
        with store.create(name, {}, "") as run:
            names.append(run.path.relative_to(store.root.resolve()).as_posix())
    assert names == ["deep/sky_00008", "deep/sky_00009", "deep/sky_00010", "sky_00001", "animation_00001"]
    assert [run.name for run in store.list()] == sorted(names)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "a\\..\\x", "/etc/x", "\\x", "C:\\x", "c:x", "..", " .. /x"])
def test_a_name_that_climbs_is_refused(store, name):
    with pytest.raises(FramedriftError, match="run_name"):
        store.create(name, {}, "")
    assert not store.root.exists() or not list(store.root.iterdir())


@pytest.mark.parametrize(
    ("name", "clean"),
    [("a b", "a b"), ('x<>:"|?*y', "x_______y"), ("con", "_con"), ("Nul.txt/a", "_Nul.txt/a"), ("end. ", "end"),
     ("./a//b", "a/b"), ("n\nl", "n_l"), ("Straße 日本", "Straße 日本"), ("e\u0301", "é"), ("x" * 300, "x" * 80)],
)  # fmt: skip
def test_names_are_made_safe_for_every_system(name, clean):
    assert clean_name(name).as_posix() == clean


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_out_of_the_root_is_no_way_out(store, tmp_path):
    store.root.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (store.root / "link").symlink_to(tmp_path / "elsewhere")
    for action in (lambda: store.create("link/x", {}, ""), lambda: store.open("link"), lambda: store.open("..")):
        with pytest.raises(FramedriftError, match="outside"):
            action()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_run_is_not_put_into_another(store, made):
    with pytest.raises(FramedriftError, match="inside of the run"):
        store.create("made_00001/frames/x", {}, "")


def test_opening_what_is_not_there_names_what_is(store, made):
    with pytest.raises(FramedriftError, match=r"no run nope .*made_00001"):
        store.open("nope")


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


def swap(folder):
    (folder / "frames/000001.png").write_bytes((folder / "frames/000002.png").read_bytes())


def drop_lines(path, keep):
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:keep]))


def break_line(path):
    path.write_bytes(path.read_bytes().replace(b'{"index": 1', b"{x", 1))


def later(path):
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


DAMAGES = {
    "no run.json": (lambda f: (f / "run.json").unlink(), r"run\.json is missing"),
    "half a run.json": (lambda f: cut(f / "run.json", 30), r"run\.json is damaged"),
    "another run.json": (lambda f: (f / "run.json").write_text("[]"), r"run\.json is damaged"),
    "a later run.json": (lambda f: later(f / "run.json"), "later Framedrift"),
    "no state": (
        lambda f: (f / "state/000002.safetensors").unlink(),
        r"does not fit together: .*has 3 frames, state/000001.safetensors follows 2, the last being frame 1",
    ),
    "no states": (
        lambda f: shutil.rmtree(f / "state"),
        r"does not fit together: .*has 3 frames, state.safetensors is missing",
    ),
    "an empty state": (
        lambda f: cut(f / "state/000002.safetensors", 0),
        r"000002\.safetensors is damaged or cut short",
    ),
    "a headless state": (
        lambda f: cut(f / "state/000002.safetensors", 50),
        r"000002\.safetensors is damaged or cut short",
    ),
    "half a state": (
        lambda f: cut(f / "state/000002.safetensors", 9000),
        r"000002\.safetensors is damaged or cut short",
    ),
    "a text for a state": (lambda f: (f / "state/000002.safetensors").write_text("x" * 99), "is damaged or cut short"),
    "no picture": (lambda f: (f / "frames/000000.png").unlink(), r"Frame 0 .*frames.000000\.png is missing"),
    "half a picture": (lambda f: cut(f / "frames/000000.png", 2000), r"Frame 0 .*000000\.png is cut short"),
    "a text for a picture": (lambda f: (f / "frames/000001.png").write_text("x"), r"Frame 1 .* is no PNG"),
    "another picture": (swap, r"Frame 1 .*sha256 differs"),
    "no depth": (lambda f: (f / "depth/000002.png").unlink(), r"Frame 2 .*depth.000002\.png is missing"),
    "no journal": (lambda f: (f / "journal.jsonl").unlink(), r"journal\.jsonl has 0 frames, .* follows 3"),
    "a short journal": (lambda f: drop_lines(f / "journal.jsonl", 1), r"journal\.jsonl has 1 frames, .* follows 3"),
    "a broken line": (
        lambda f: (f / "journal.jsonl").write_bytes(
            (f / "journal.jsonl").read_bytes().replace(b'{"index": 1', b"{x", 1)
        ),
        r"journal\.jsonl, line 2: is no JSON",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_says_what_is_wrong_and_touches_nothing(store, made, damage):
    harm, message = DAMAGES[damage]
    harm(made)
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    for _ in range(2):
        with pytest.raises(FramedriftError, match=message):
            store.open(made)
    status = store.status(made)
    looks = {"another picture", "half a picture", "no picture", "a text for a picture", "no depth"}
    if damage in looks:
        assert status.state == "interrupted", "a status reads no picture"
    else:
        assert status.state == "damaged"
        assert re.search(message, status.problem)
    assert {path: path.read_bytes() for path in made.rglob("*") if path.is_file()} == before
    assert all(run.problem is None or made.name in run.problem for run in store.list())


def test_frames_of_a_run_whose_state_is_damaged_can_be_read(store, made):
    cut(made / "state/000002.safetensors", 100)
    assert len(list(store.read(made))) == 3


def test_verify_reads_every_picture(store, writer):
    with store.create("long", {}, "") as run:
        writer.commit_until(run, 9)
        run.verify()
    pixels = rgb_bytes(torch.zeros(1, 3, *writer.SIZE))
    (run.path / "frames/000001.png").write_bytes(encode_png(pixels))
    with store.open(run.path) as run, pytest.raises(FramedriftError, match=r"Frame 1 .*sha256 differs"):
        run.verify()


def test_settings_that_are_no_json_leave_no_folder(store):
    with pytest.raises(FramedriftError, match="settings"):
        store.create("bad", {"x": object()}, "")
    with pytest.raises(FramedriftError, match="created"):
        store.create("bad", {"created": 1}, "")
    assert not list(store.root.iterdir())


def test_ensure_space_names_folder_needed_and_free(tmp_path):
    ensure_space(tmp_path / "not/yet/there", 1)
    with pytest.raises(FramedriftError, match=r"not.yet.there.*about \d+ MB are needed, \d+ MB are free"):
        ensure_space(tmp_path / "not/yet/there", 10**18)


def test_a_run_found_below_a_relative_root_opens_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = RunStore("output/framedrift")
    with store.create("made", {}, "print"):
        pass
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with store.open(store.newest("print")) as run:
        assert run.path.name == "made_00001"


def test_a_journal_that_did_not_change_is_not_read_again(store, made, writer, monkeypatch):
    first = store.status(made)
    monkeypatch.setattr(journal, "good_lines", None)
    assert store.status(made) == first
    monkeypatch.undo()
    with store.open(made) as run:
        writer.commit_until(run, first.last_frame + 1)
    assert store.status(made).last_frame == first.last_frame + 1
