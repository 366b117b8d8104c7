"""A branch begins with what the run held, to the bit, and the run stays as it is."""

import os
import shutil
import threading

import pytest

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import RunStore, give

LAST = 6


def content(path):
    files = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return {name: data for name, data in files.items() if name not in (".lock", "run.json", "status.json")}


def everything(path):
    found = {file: file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != ".lock"}
    return found, {file: file.stat().st_mtime_ns for file in found}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def made(store, writer):
    with store.create("sky", {"num_frames": LAST + 1, "editable": {"cfg": 7.0}}, "print") as run:
        writer.commit_until(run, LAST)
        run.finish()
    return run.path


@pytest.mark.parametrize("frame", [-1, 0, 3, LAST, 99])
def test_a_branch_goes_on_as_the_run_did(store, writer, made, frame):
    before = everything(made)
    name = store.branch("sky_00001", frame)
    kept = min(frame, LAST)
    assert name == "sky_00002"
    assert store.read_manifest(name)["branch"] == {"of": "sky_00001", "after": kept}
    status = store.status(name)
    assert (status.state, status.last_frame, status.frames) == ("stopped", kept, kept + 1)
    assert store.newest("print").name == name, "what is queued again goes on with the branch"
    with store.open(name) as run:
        assert (run.last_index, run.complete, run.fingerprint) == (kept, False, "print")
        run.verify()
        writer.commit_until(run, LAST)
    assert everything(made) == before
    assert content(run.path) == content(made)


def test_a_held_run_branches_itself(store, writer, made):
    with store.open(made) as run:
        assert run.name == "sky_00001"
        name = run.branch(2)
        with store.open(name) as other:
            assert other.last_index == 2
        assert run.last_index == LAST
    assert name == "sky_00002"
    with store.open(made), pytest.raises(FramedriftError, match="is being written"):
        store.branch("sky_00001", 2)


def test_the_last_diffused_frame_before_is_kept(store, writer):
    with store.create("deep/tweened", {}, "") as run:
        state = None
        for index in (0, 4, 8):
            image, disparity, state = writer.make_frame(state, index)
            run.commit(index, image, disparity, {}, state)
    name = store.branch("deep/tweened_00001", 7)
    assert name == "deep/tweened_00002"
    assert store.status(name).last_frame == 4
    assert store.read_manifest(name)["branch"] == {"of": "deep/tweened_00001", "after": 4}
    assert store.branch(name, 3) == "deep/tweened_00003"


@pytest.mark.skipif(os.name == "nt", reason="needs inodes")
def test_pictures_take_no_more_room(store, made, monkeypatch):
    branch = store.root / store.branch(made, 4)
    for part in ("frames/000004.png", "depth/000000.png", "state/000004.safetensors"):
        assert (branch / part).samefile(made / part)
    assert not (branch / "journal.jsonl").samefile(made / "journal.jsonl"), "it is appended to in place"

    def no_links(*_):
        raise OSError(1, "this disk has no links")

    monkeypatch.setattr(os, "link", no_links)
    copied = store.root / store.branch(made, 4)
    assert not (copied / "frames/000004.png").samefile(made / "frames/000004.png")
    assert content(copied) == content(branch)


def test_what_waits_goes_with_the_branch(store, made):
    edit = give(store, made.name, "edit", changes={"cfg": 3})["command"]
    give(store, made.name, "extend", frames=4)
    answer = give(store, made.name, "rewind", frame=2)
    assert answer["branch"] == "sky_00002"
    pending = store.status("sky_00002").pending
    assert [command["action"] for command in pending] == ["edit", "extend"]
    assert pending[0]["id"] == edit
    assert store.status(made).pending == ()
    assert (store.status("sky_00002").num_frames, store.status(made).num_frames) == (LAST + 5, LAST + 1)


def test_damage_behind_the_frame_does_no_harm(store, writer, made):
    lines = (made / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (made / "journal.jsonl").write_bytes(b"".join([*lines[:4], b"{broken\n", *lines[5:]]))
    (made / "frames/000005.png").write_bytes(b"")
    (made / "state/000006.safetensors").unlink()
    assert store.status(made).state == "damaged"
    assert store.status(made).last_frame == 3
    with pytest.raises(FramedriftError, match=r"line 5: is no JSON.*rewind to frame 3"):
        store.open(made)
    with pytest.raises(FramedriftError, match=r"line 5: is no JSON. The last frame before it is 3"):
        store.branch(made, 4)
    name = give(store, "sky_00001", "rewind", frame=3)["branch"]
    with store.open(name) as run:
        writer.commit_until(run, LAST)
    with store.create("whole", {}, "") as run:
        writer.commit_until(run, LAST)
    assert content(store.root / name) == content(run.path)


def test_a_frame_whose_line_a_kill_kept_from_the_journal_is_branched_with(store, made):
    whole = (made / "journal.jsonl").read_bytes()
    for length in (whole[:-1].rfind(b"\n") + 1, len(whole) - 3):
        (made / "journal.jsonl").write_bytes(whole[:length])
        name = store.branch(made, LAST)
        assert content(store.root / name) == content(made) | {"journal.jsonl": whole}


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "frames/000001.png").unlink(), r"Frame 1 .*is missing.*rewind to a frame before it"),
        (lambda f: (f / "frames/000000.png").write_bytes(b"\x89PNG\r\n\x1a\n"), r"Frame 0 .*is cut short"),
        (lambda f: (f / "state/000002.safetensors").write_bytes(b""), r"000002\.safetensors is damaged"),
        (lambda f: (f / "run.json").write_bytes(b""), r"run\.json is damaged"),
    ],
)
def test_damage_before_the_frame_is_said_and_leaves_nothing(store, made, harm, message):
    harm(made)
    with pytest.raises(FramedriftError, match=message):
        store.branch(made, 2)
    assert [path.name for path in store.root.iterdir() if not path.name.startswith(".")] == [made.name]


def test_every_point_at_which_a_branch_can_end(store, writer, nursery, made):
    before = everything(made)
    job = {"root": str(store.root), "name": made.name, "frame": 0}
    status, calls = nursery.call("crash_branch", at=0, after=False, **job)
    assert status == 0
    assert calls > 10
    expected = content(store.root / "sky_00002")
    for at in range(1, calls + 2):
        where = {"at": min(at, calls), "after": at > calls}
        assert nursery.call("crash_branch", **where, **job)[0] == 99
        assert everything(made) == before
        for status in store.statuses():
            assert status.state in ("complete", "stopped"), status
            if status.branch:
                assert content(status.path) == expected
                shutil.rmtree(status.path)
    name = store.branch(made, 0)
    assert content(store.root / name) == expected
    assert not [path for path in store.root.iterdir() if path.name.endswith(".tmp")], "what kills left is cleared away"


def test_branches_of_several_threads_are_several(store, made):
    names = []
    with store.open(made) as run:
        threads = [threading.Thread(target=lambda: names.append(run.branch(3))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(names) == [f"sky_{number:05d}" for number in range(2, 6)]
