"""A run that is killed goes on as if nothing had been: every byte equal to an unbroken run's."""

import contextlib
import os
import random
import shutil
import signal
import time

import pytest

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import RunStore, give

FRAMES = 2


def content(path):
    """Every file of a run by name, but for the lock and the time in run.json."""
    files = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return {name: data for name, data in files.items() if name not in (".lock", "run.json")}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def whole_run(store, writer, last, **options):
    with store.create("whole", {}, "x") as run:
        writer.commit_until(run, last, **options)
    return content(run.path)


def test_every_point_at_which_a_commit_can_end(store, writer, nursery, tmp_path):
    """Before and after each call that makes something durable, over two frames."""
    expected = whole_run(store, writer, FRAMES - 1)
    fresh = store.create("fresh", {}, "x")
    fresh.close()
    status, calls = nursery.call(
        "crash", root=str(store.root), name=fresh.path.name, last=FRAMES - 1, at=0, after=False
    )
    assert status == 0
    assert calls >= FRAMES * 9, "a commit syncs picture, depth, state and journal, renames three, syncs their folders"
    assert content(fresh.path) == expected
    seen = set()
    for at in range(1, calls + 2):
        root = tmp_path / str(at)
        with RunStore(root).create("a", {}, "x") as run:
            pass
        # Before each call, which is after the one before it; and after the last.
        where = {"at": min(at, calls), "after": at > calls}
        job = {"root": str(root), "name": run.path.name, "last": FRAMES - 1}
        assert nursery.call("crash", **job, **where)[0] == 99
        with RunStore(root).open(run.path) as run:
            assert not list(run.path.rglob("*.tmp*")), "what the kill left beside is gone"
            assert [entry["index"] for entry in run.entries] == list(range(run.last_index + 1))
            seen.add(run.last_index)
            run.verify()
            writer.commit_until(run, FRAMES - 1)
        assert content(run.path) == expected
    assert seen == set(range(-1, FRAMES))


def test_sigkill_at_random_moments(store, writer, nursery):
    last = 79
    expected = whole_run(store, writer, last)
    with store.create("killed", {}, "x") as run:
        pass
    rng = random.Random(4)
    killed, reached = 0, []
    job = {"root": str(store.root), "name": run.path.name, "last": last}
    while killed < 12:
        status, _ = nursery.call("go_on", kill_after=rng.uniform(0.02, 0.12), **job)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        killed += 1
        with store.open(run.path) as opened:
            assert [entry["index"] for entry in opened.entries] == list(range(opened.last_index + 1))
            reached.append(opened.last_index)
    assert killed >= 5, "the machine is too fast for this test: give it more frames"
    assert reached == sorted(reached), "no frame that was committed is ever lost"
    assert nursery.call("go_on", **job)[0] == 0
    assert content(run.path) == expected


def test_a_torn_journal_line_is_made_whole(store, writer):
    with store.create("torn", {}, "x") as run:
        writer.commit_until(run, 2)
    journal = run.path / "journal.jsonl"
    whole = journal.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for length in [*range(start, len(whole), 23), len(whole) - 1]:
        journal.write_bytes(whole[:length])
        with store.open(run.path) as opened:
            assert opened.last_index == 2
        assert journal.read_bytes() == whole
    # What a power cut may leave of an append: the length without the bytes.
    journal.write_bytes(whole[:start] + b"\0" * 40 + b"\n")
    store.open(run.path).close()
    assert journal.read_bytes() == whole


def test_a_second_process_is_refused_and_a_kill_frees_the_run(store, writer, nursery, tmp_path):
    with store.create("held", {}, "x") as run:
        refusal = nursery.call("try_open", root=str(store.root), name=run.path.name)[1]
        assert "held_00001 is being written" in refusal
        with pytest.raises(FramedriftError, match="is being written"):
            store.open(run.path)
    assert nursery.call("try_open", root=str(store.root), name=run.path.name) == (0, None)
    ready = tmp_path / "ready"
    child = nursery.start("hold", root=str(store.root), name=run.path.name, ready=str(ready))
    while not ready.exists():
        time.sleep(0.005)
    with pytest.raises(FramedriftError, match="is being written"):
        store.open(run.path)
    os.kill(child, signal.SIGKILL)
    assert nursery.wait()[0] == -signal.SIGKILL
    with store.open(run.path) as opened:
        writer.commit_until(opened, 0)


def test_no_two_processes_are_given_the_same_folder(store, nursery):
    assert nursery.call("create_many", root=str(store.root), name="race", count=8, processes=4) == (0, [0] * 4)
    assert sorted(path.name for path in store.root.iterdir()) == [f"race_{number:05d}" for number in range(1, 33)]
    assert all((path / "run.json").exists() for path in store.root.iterdir())


@contextlib.contextmanager
def largest_file(size):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 2000, 10_000], ids=["nothing", "picture", "state"])
def test_a_full_disk_keeps_everything_and_the_run_goes_on(store, writer, size):
    expected = whole_run(store, writer, 3)
    with store.create("full", {}, "x") as run:
        writer.commit_until(run, 1)
        before = content(run.path)
        with largest_file(size), pytest.raises(FramedriftError, match=r"frame 2 .*the disk is full.*Make room") as told:
            writer.commit_until(run, 2)
        assert str(run.path) in str(told.value)
        assert run.last_index == 1
        after = content(run.path)
        assert {name: after[name] for name in before} == before
        assert not [name for name in after if ".tmp" in name]
        writer.commit_until(run, 2)
    with store.open(run.path) as run:
        writer.commit_until(run, 3)
    assert content(run.path) == expected


def test_a_journal_that_cannot_be_written_waits(store, writer):
    """The state's rename is the commit: a line that does not fit any more is written when there is room."""
    expected = whole_run(store, writer, 5, words=2000)
    with store.create("journal", {}, "x") as run:
        writer.commit_until(run, 3, words=2000)
        size = (run.path / "journal.jsonl").stat().st_size
        assert size > 1.5 * (run.path / "state/000003.safetensors").stat().st_size, "only the journal meets the limit"
        with largest_file(size + 10):
            writer.commit_until(run, 4, words=2000)
            assert run.last_index == 4
            assert (run.path / "journal.jsonl").stat().st_size == size
            with pytest.raises(FramedriftError, match="the disk is full"):
                writer.commit_until(run, 5, words=2000)
        shutil.copytree(run.path, store.root / "killed_now")
        writer.commit_until(run, 5, words=2000)
    assert content(run.path) == expected
    with store.open("killed_now") as run:
        assert run.last_index == 4
        writer.commit_until(run, 5, words=2000)
    assert content(run.path) == expected


def test_a_disk_that_fills_up_at_frame_40_loses_nothing(store, writer):
    """Forty frames are there to be read, listed and branched; the run goes on when there is room."""
    expected = whole_run(store, writer, 41)
    with store.create("forty", {"num_frames": 42}, "y") as run:
        with pytest.raises(FramedriftError, match=r"write frame 40 .*the disk is full.*Make room and queue again"):
            for last in range(42):
                with largest_file(6000 if last == 40 else 10**9):
                    writer.commit_until(run, last)
        assert len(list(run.frames())) == 40
    status = store.status("forty_00001")
    assert (status.state, status.frames, status.last_frame, status.problem) == ("interrupted", 40, 39, None)
    with largest_file(100):
        with pytest.raises(FramedriftError, match=r"write a command for run forty_00001 .*the disk is full"):
            give(store, "forty_00001", "extend", frames=3)
        with pytest.raises(FramedriftError, match=r"branch run forty_00001 .*the disk is full"):
            store.branch("forty_00001", 20)
    assert store.status("forty_00001").pending == ()
    assert [run.name for run in store.list()] == ["forty_00001", "whole_00001"]
    with store.open("forty_00001") as run:
        writer.commit_until(run, 41)
    assert content(run.path) == expected
