"""What two processes do to one run at the same moment, and runs where nothing may be written."""

import errno
import json
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import Controls, RunStore, control, give, lock, mailbox, status
from framedrift.nodes.core.run import files as run_files
from framedrift.nodes.core.run.folder import Layout
from framedrift.nodes.core.run.lock import is_held

MANIFEST = {"num_frames": 12, "fps": 12.0, "editable": {"cfg": 3.0}}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def made(store, writer):
    with store.create("sky", MANIFEST, "print") as run:
        writer.commit_until(run, 4)
    return run.name


def test_two_who_look_are_not_taken_for_a_writer(store, made):
    layout, looks = Layout(store.root / made), []

    def look():
        looks.extend(is_held(layout) for _ in range(150))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(looks) == {False}


def test_where_locks_are_not_shared_it_is_seen_who_writes(store, made, monkeypatch):
    """As on Windows."""
    layout = Layout(store.root / made)
    monkeypatch.setattr(lock, "fcntl", None)
    assert not is_held(layout)
    with store.open(made):
        assert is_held(layout)
    assert not is_held(layout)


def test_a_run_on_a_disk_that_cannot_be_written_to_is_read(store, made, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    found = store.status(made)
    assert (found.state, found.frames, found.problem) == ("interrupted", 5, None)
    with pytest.raises(FramedriftError, match=r"Could not open run sky_00001 .*not allowed"):
        store.open(made)


def test_who_begins_to_write_while_a_run_is_looked_at_does_no_harm(store, made, writer, monkeypatch):
    looked = status.missing_line

    def late(*seen):
        # The journal was read; now the run grows by two frames.
        monkeypatch.setattr(status, "missing_line", looked)
        with store.open(made) as run:
            writer.commit_until(run, 6)
        return looked(*seen)

    monkeypatch.setattr(status, "missing_line", late)
    found = store.status(made)
    assert (found.state, found.last_frame, found.problem) == ("interrupted", 6, None)


def test_a_command_that_comes_as_the_run_ends_is_not_lost_without_a_word(store, made, monkeypatch):
    put = control.put

    def late(*args):
        found = put(*args)
        held.close()
        return found

    monkeypatch.setattr(control, "put", late)
    before = store.changes()
    held = store.open(made)
    answer = give(store, made, "edit", changes={"cfg": 4})
    assert "waits until the run is gone on with" in answer["note"]
    assert store.changes() != before, "ComfyUI would hand on what it keeps"
    held = store.open(made)
    with pytest.raises(FramedriftError, match="is not running"):
        give(store, made, "pause")
    assert [command["action"] for command in store.status(made).pending] == ["edit"]


def test_a_command_that_ended_the_run_itself_is_none_that_came_too_late(store, made, monkeypatch):
    put = control.put

    def prompt(layout, *args):
        found = put(layout, *args)
        Controls(held).done(found)
        held.close()
        return found

    held = store.open(made)
    monkeypatch.setattr(control, "put", prompt)
    assert give(store, made, "stop")["action"] == "stop"


def test_a_branch_takes_over_what_is_given_while_it_is_made(store, made):
    with store.open(made) as run:
        controls = Controls(run)
        branch = run.branch(2)
        give(store, made, "pause")
        give(store, made, "edit", changes={"cfg": 5})
    with store.open(branch) as run:
        later = Controls(run)
        later.take_over(controls)
        assert [command.action for command in later.waiting()] == ["pause", "edit"]
    assert store.status(made).pending == ()


def test_a_broken_command_that_somebody_else_sets_aside_is_no_damage(store, made, monkeypatch):
    folder = store.root / made / "commands"
    folder.mkdir()
    path = folder / f"{1:020d}-x.json"
    path.write_text("{")

    def late(_):
        path.rename(path.with_suffix(".bad"))
        raise ValueError("broken")

    monkeypatch.setattr(mailbox.json, "loads", late)
    assert mailbox.read_all(Layout(store.root / made)) == []


def test_the_size_of_a_run_that_is_written(store, made, monkeypatch):
    """A file beside its place is renamed as soon as it was seen."""
    gone, look, seen = store.root / made / "frames" / ".000009.tmp.png", Path.stat, []
    before = store.size_of(made)
    gone.write_bytes(b"x" * 100)

    def stat(self, **how):
        if self == gone:
            seen.append(self)
            if len(seen) == 2:
                raise FileNotFoundError(gone)
        return look(self, **how)

    monkeypatch.setattr(Path, "stat", stat)
    assert {store.size_of(made), store.size_of(made)} == {before, before + 100}


def test_on_windows_a_file_that_is_open_elsewhere_is_waited_for(monkeypatch):
    tries = []

    def change():
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "in use")

    class Windows:
        name = "nt"

    monkeypatch.setattr(run_files, "os", Windows)
    run_files.patiently(change)
    assert len(tries) == 3


BOUNDED = {
    "num_frames": 12,
    "settings": {"seed": 7},
    "longest": 14,
    "editable": {
        "strength_schedule": "0:(0.5)", "cadence_schedule": "", "sampler_schedule": "", "steps": 20, "border": "wrap",
        "free_schedule": "0:(1)",
    },
    "editable_kinds": {"sampler_schedule": "names", "cadence_schedule": "optional"},
    "editable_limits": {
        "strength_schedule": [0, 1], "cadence_schedule": [1, None], "sampler_schedule": ["euler", "heun"],
        "steps": [1, 50], "border": ["wrap", "zeros"],
    },
}  # fmt: skip
OUT = {
    "strength_schedule": ("0:(0), 6:(1.5)", "strength_schedule is 1.25 at frame 5; it must lie between 0 and 1"),
    "cadence_schedule": ("0:(0)", "cadence_schedule is 0 at frame 0; it must lie between 1 and inf"),
    "sampler_schedule": ('0: ("euler"), 9: ("eulr")', "sampler_schedule is 'eulr', and must be one of: euler, heun"),
    "steps": (51, "steps is 51; it must lie between 1 and 50"),
    "border": ("round", "border is 'round', and must be one of: wrap, zeros"),
}


@pytest.fixture
def bounded(store):
    store.create("bounded", BOUNDED, "print").close()
    return "bounded_00001"


@pytest.mark.parametrize("name", OUT)
def test_what_is_out_of_bounds_is_refused_when_it_is_given(store, bounded, name):
    value, words = OUT[name]
    with pytest.raises(FramedriftError) as said:
        give(store, bounded, "edit", changes={name: value})
    assert words in str(said.value)
    assert store.status(bounded).pending == ()


def test_a_broken_optional_schedule_is_refused_and_an_empty_one_taken(store, bounded):
    with pytest.raises(FramedriftError, match="cadence_schedule"):
        give(store, bounded, "edit", changes={"cadence_schedule": "0:(3"})
    changes = {"cadence_schedule": " ", "sampler_schedule": "", "steps": "50", "free_schedule": "0:(-900)"}
    # The run's own seed: with another, it would leave the bounds.
    changes["strength_schedule"] = "0:(s / 7)"
    give(store, bounded, "edit", changes=changes)
    (command,) = store.status(bounded).pending
    assert json.loads(json.dumps(command["arguments"]["changes"])) == {**changes, "steps": 50}


def test_an_extension_beyond_the_clips_is_refused(store, bounded):
    with pytest.raises(FramedriftError, match="frames: 3 frames cannot be added; 1 to 2 can"):
        give(store, bounded, "extend", frames=3)
    give(store, bounded, "extend", frames=2)
    with pytest.raises(FramedriftError, match="none can be added: the clips that run bounded_00001 follows"):
        give(store, bounded, "extend", frames=1)


def test_the_newest_run_is_found_by_reading_the_journals_that_matter(store, made, writer, monkeypatch):
    """Hundreds of finished runs do not make a queued one wait."""
    for name in "abc":
        with store.create(name, MANIFEST, "other") as run:
            writer.commit_until(run, 1)
    read = []
    real = type(store)._summary
    monkeypatch.setattr(type(store), "_summary", lambda self, layout: read.append(layout) or real(self, layout))
    assert store.newest("print").name == made
    assert store.newest().name == "c_00001"
    assert len(read) == 2
    (store.root / "c_00001" / "journal.jsonl").write_text("x\ny\n")
    assert store.newest().name == "b_00001"
    assert store.newest("none") is None
