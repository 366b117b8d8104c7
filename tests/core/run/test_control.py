"""Steering a run: from the side while it is rendered, and when nobody renders it."""

import json
import os
import shutil
import signal
import threading
import time

import pytest

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import ACTIONS, STATES, Controls, RunStore, attend, give
from framedrift.nodes.core.run.folder import Layout
from framedrift.nodes.core.run.lock import is_held

MANIFEST = {
    "num_frames": 12,
    "fps": 12.0,
    "width": 56,
    "height": 40,
    "editable": {
        "cfg": 3.0,
        "strength_schedule": "0:(0.5)",
        "sampler_schedule": "",
        "cn_1_weight": "0:(1)",
        "prompts": "0: sky",
        "hole_fill": "near",
        "steps": 20,
        "full_steps": False,
    },
    "editable_kinds": {"sampler_schedule": "names", "cn_1_weight": "schedule"},
}
LONG = 100_000


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def made(store, writer):
    """A run of five frames that nobody holds."""
    with store.create("sky", MANIFEST, "print") as run:
        writer.commit_until(run, 4)
    return run.name


@pytest.fixture
def rendering(store, made, nursery, tmp_path):
    """Starts a child that renders the run; the answer is waited for with `nursery.wait`."""

    def start(frames=LONG):
        ready = tmp_path / "ready"
        ready.unlink(missing_ok=True)
        child = nursery.start("render", root=str(store.root), name=made, frames=frames, ready=str(ready))
        until(ready.exists)
        return child

    return start


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def grown(store, name, frames=2):
    last = store.status(name).last_frame
    until(lambda: store.status(name).last_frame >= last + frames)


BAD = {
    "no action": ("dance", {}, r"action: 'dance' is none; there are pause, resume"),
    "nobody to pause": ("pause", {}, r"sky_00001 is not running \(it is interrupted\): nobody can pause it"),
    "nobody to stop": ("stop", {}, "is not running"),
    "rewind without a frame": ("rewind", {}, "frame: rewind needs it"),
    "rewind with another name": ("rewind", {"frames": 3}, "frames: rewind takes frame"),
    "rewind to a text": ("rewind", {"frame": "soon"}, "frame: 'soon' is no whole number"),
    "rewind to a half": ("rewind", {"frame": 1.5}, "frame: 1.5 is no whole number"),
    "rewind to a truth": ("rewind", {"frame": True}, "frame: True is no whole number"),
    "rewind too far": ("rewind", {"frame": 5}, "frame: 5 cannot be rewound to: the last one made is 4"),
    "rewind before": ("rewind", {"frame": -2}, "frame: -2 cannot"),
    "extend by none": ("extend", {"frames": 0}, "frames: 0 frames cannot be added; 1 to 100000 can"),
    "extend by many": ("extend", {"frames": 100_001}, "frames: 100001 frames cannot"),
    "edit nothing": ("edit", {}, "changes: edit needs it"),
    "edit emptily": ("edit", {"changes": {}}, "changes: name at least one input"),
    "edit a list": ("edit", {"changes": ["cfg"]}, "changes: name at least one input"),
    "edit the unknown": ("edit", {"changes": {"width": 3}}, r"width cannot be edited .*cfg, cn_1_weight, full_steps"),
    "a schedule that breaks": ("edit", {"changes": {"strength_schedule": "0:(0.5"}}, "strength_schedule"),
    "a name in a schedule": ("edit", {"changes": {"strength_schedule": "0:(foo(t))"}}, r"strength_schedule.*foo"),
    "a schedule with a hole": ("edit", {"changes": {"strength_schedule": "0:(1/(t-6))"}}, "strength_schedule"),
    "a schedule by its kind": ("edit", {"changes": {"cn_1_weight": "x"}}, "cn_1_weight"),
    "names that break": ("edit", {"changes": {"sampler_schedule": '0:("euler"'}}, "sampler_schedule"),
    "prompts that break": ("edit", {"changes": {"prompts": '{"0": "a"'}}, "Prompts, line 1"),
    "no number": ("edit", {"changes": {"cfg": "much"}}, "cfg: 'much' is no number"),
    "an endless number": ("edit", {"changes": {"cfg": "inf"}}, "cfg: 'inf' is no number"),
    "half a step": ("edit", {"changes": {"steps": 2.5}}, "steps: 2.5 is no whole number"),
    "no truth": ("edit", {"changes": {"full_steps": "perhaps"}}, "full_steps: 'perhaps' is neither"),
    "no text": ("edit", {"changes": {"hole_fill": ["x"]}}, r"hole_fill: \['x'\] is no text"),
    "one of two": ("edit", {"changes": {"cfg": 2, "steps": "x"}}, "steps"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_is_said_at_once_and_leaves_nothing(store, made, bad):
    action, arguments, message = BAD[bad]
    with pytest.raises(FramedriftError, match=message):
        give(store, made, action, **arguments)
    assert store.status(made).pending == ()
    assert [run.name for run in store.list()] == [made]


def test_no_run_and_no_way_out(store, made):
    for name in ("nope", "../sky_00001", "/etc"):
        with pytest.raises(FramedriftError, match="run_name"):
            give(store, name, "extend", frames=1)


def test_values_take_the_kind_of_what_they_replace(store, made):
    given = {
        "cfg": "5", "steps": "30", "full_steps": "true", "strength_schedule": 0.25, "prompts": "0: sea\n9: fire",
        "sampler_schedule": '0: ("euler")', "hole_fill": "far", "cn_1_weight": "0:(t/12)",
    }  # fmt: skip
    answer = give(store, made, "edit", changes=given)
    assert (answer["run"], answer["action"], answer["state"]) == (made, "edit", "interrupted")
    assert "waits until the run is gone on with" in answer["note"]
    assert json.loads(json.dumps(answer)) == answer
    (command,) = store.status(made).as_dict()["pending"]
    assert command["id"] == answer["command"]
    assert abs(command["time"] - time.time()) < 60
    assert command["arguments"]["changes"] == given | {
        "cfg": 5.0, "steps": 30, "full_steps": True, "strength_schedule": "0.25",
    }  # fmt: skip


def test_a_paused_run_stands_still_until_it_is_told_to_go_on(store, made, rendering, nursery):
    rendering()
    grown(store, made)
    assert give(store, made, "pause")["state"] == "running"
    until(lambda: store.status(made).state == "paused")
    last = store.status(made).last_frame
    edit = give(store, made, "edit", changes={"cfg": 5})
    assert edit["state"] == "paused"
    give(store, made, "extend", frames=3)
    time.sleep(0.4)
    status = store.status(made)
    assert (status.last_frame, status.state) == (last, "paused")
    assert [command["action"] for command in status.pending] == ["edit", "extend"]
    assert status.num_frames == 15
    give(store, made, "resume")
    until(lambda: store.status(made).state == "running")
    grown(store, made)
    give(store, made, "stop")
    status, (ended, told, reached) = nursery.wait()
    assert (status, ended, told) == (0, "stop", ["paused", "running"])
    status = store.status(made)
    assert (status.state, status.last_frame, status.num_frames, status.pending) == ("stopped", reached, 15, ())
    assert status.editable["cfg"] == 5
    entries = store.journal(made)
    assert [entry.get("cfg") for entry in entries[last : last + 2]] == [3.0, 5.0]
    assert [edit["id"] for edit in entries[last + 1]["edits"]] == [edit["command"], entries[last + 1]["edits"][1]["id"]]
    assert store.open(made).edits[0]["after"] == last


def test_cancel_and_rewind_while_it_runs(store, made, rendering, nursery):
    rendering()
    grown(store, made)
    assert "command" in give(store, made, "rewind", frame=3)
    (ended, _, branch) = nursery.wait()[1]
    assert (ended, branch, store.status(branch).last_frame) == ("rewind", "sky_00002", 3)
    assert store.status(made).pending == ()
    rendering()
    give(store, made, "pause")
    until(lambda: store.status(made).state == "paused")
    give(store, made, "edit", changes={"cfg": 4})
    give(store, made, "cancel")
    assert nursery.wait()[1][0] == "cancel"
    status = store.status(made)
    assert status.state == "cancelled"
    assert [command["action"] for command in status.pending] == ["edit"], "an edit waits on"


def test_a_run_that_is_done_goes_on_after_an_extension(store, made, nursery, tmp_path):
    job = {"root": str(store.root), "name": made, "frames": 12, "ready": str(tmp_path / "ready")}
    assert nursery.call("render", **job)[1] == ["complete", [], 11]
    assert store.status(made).state == "complete"
    give(store, made, "extend", frames=4)
    assert store.status(made).num_frames == 16
    # The sampler in small takes it before frame 12, when it is asked for one more.
    with store.open(made) as run:
        assert [command.arguments for command in attend(run, Controls(run), lambda: None)] == [{"frames": 4}]
        assert [command.arguments for command in attend(run, Controls(run), lambda: None)] == [{"frames": 4}]


def test_an_edit_outlives_every_moment_at_which_its_giver_can_end(store, made, nursery):
    job = {"root": str(store.root), "name": made, "action": "edit", "arguments": {"changes": {"cfg": 5}}}
    status, calls = nursery.call("crash_give", at=0, after=False, **job)
    assert status == 0
    assert calls >= 4, "folder, file, rename, folder"
    seen = set()
    for at in range(1, calls + 2):
        shutil.rmtree(store.root / made / "commands", ignore_errors=True)
        assert nursery.call("crash_give", at=min(at, calls), after=at > calls, **job)[0] == 99
        status = store.status(made)
        assert status.state == "interrupted"
        assert all(command["arguments"] == {"changes": {"cfg": 5.0}} for command in status.pending)
        seen.add(len(status.pending))
        store.open(made).close()
        assert len(store.status(made).pending) == len(status.pending)
    assert seen == {0, 1}


def test_an_edit_takes_effect_once_whenever_the_renderer_is_killed(store, made, rendering, nursery):
    """Accepted commands are journalled exactly once each, over twelve kills."""
    given = []
    for number in range(12):
        child = rendering()
        given.append(give(store, made, "edit", changes={"cfg": 1 + number / 10})["command"])
        time.sleep(0.013 * (number % 5))
        os.kill(child, signal.SIGKILL)
        assert nursery.wait()[0] == -signal.SIGKILL
        assert store.status(made).state == "interrupted"
    child = rendering()
    grown(store, made)
    give(store, made, "stop")
    assert nursery.wait()[0] == 0
    edits = [edit for entry in store.journal(made) for edit in entry.get("edits", ())]
    assert [edit["id"] for edit in edits] == given
    assert store.journal(made)[-1]["cfg"] == 2.1
    with store.open(made) as run:
        assert Controls(run).waiting() == []
    assert not list((store.root / made / "commands").iterdir())


def test_commands_for_a_process_that_is_no_more_are_dropped(store, made, rendering, nursery):
    child = rendering()
    os.kill(child, signal.SIGSTOP)
    for action in ("pause", "resume", "stop", "cancel"):
        give(store, made, action)
    edit = give(store, made, "edit", changes={"cfg": 5})["command"]
    os.kill(child, signal.SIGKILL)
    nursery.wait()
    assert len(store.status(made).pending) == 5
    with store.open(made) as run:
        assert [command.id for command in attend(run, Controls(run), lambda: None)] == [edit]


def test_many_givers_lose_nothing_and_keep_their_order(store, made):
    ids = [[] for _ in range(4)]

    def work(mine):
        mine += [give(store, made, "extend", frames=1 + number)["command"] for number in range(6)]

    threads = [threading.Thread(target=work, args=(mine,)) for mine in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [command["id"] for command in store.status(made).pending]
    assert found == sorted(found)
    assert sorted(name for mine in ids for name in mine) == found
    for mine in ids:
        assert mine == sorted(mine)


def test_a_clock_that_goes_back_keeps_the_order(store, made, monkeypatch):
    first = give(store, made, "extend", frames=1)["command"]
    monkeypatch.setattr(time, "time_ns", lambda: 5)
    second = give(store, made, "extend", frames=2)["command"]
    assert [command["id"] for command in store.status(made).pending] == [first, second]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"action": "stop"}', '{"action": 3, "arguments": 4, "time": 0}'])
def test_a_broken_command_stops_nobody(store, made, text, caplog):
    give(store, made, "extend", frames=2)
    folder = store.root / made / "commands"
    (folder / f"{1:020d}-x.json").write_text(text)
    (folder / "readme.txt").write_text("x")
    with store.open(made) as run:
        assert [command.action for command in attend(run, Controls(run), lambda: None)] == ["extend"]
    assert "set aside" in caplog.text
    assert (folder / f"{1:020d}-x.bad").read_text() == text
    assert store.status(made).state == "interrupted"


def test_a_user_who_interrupts_ends_a_pause(store, made):
    def idle():
        raise KeyboardInterrupt

    told = []
    with store.open(made) as run:
        controls = Controls(run)
        give(store, made, "pause")
        with pytest.raises(KeyboardInterrupt):
            attend(run, controls, idle, told.append)
    assert told == ["paused"]
    assert store.status(made).state == "interrupted"


def test_looking_turns_no_writer_away(store, made):
    """A probing lock is short, and whoever opens the run waits for it."""
    layout, over, looks = Layout(store.root / made), threading.Event(), []

    def look():
        while not over.is_set():
            looks.append(is_held(layout))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(40):
            with store.open(made):
                pass
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(looks) == {True, False}
    assert not is_held(layout)
    assert not is_held(Layout(store.root / "nothing"))


def test_the_status_says_what_is_on_disk(store, made):
    status = store.status(made)
    assert (status.state, status.frames, status.last_frame, status.num_frames) == ("interrupted", 5, 4, 12)
    assert (status.fps, status.width, status.height) == (12.0, 56, 40)
    said = status.as_dict()
    assert json.loads(json.dumps(said)) == said
    assert "path" not in said
    with store.open(made) as run:
        assert store.status(made).state == "running"
        for mark in ("running", "paused", "stopped", "cancelled"):
            run.mark(mark)
            assert store.status(made).state == ("paused" if mark == "paused" else "running")
        with pytest.raises(ValueError, match="not dancing"):
            run.mark("dancing")
        note = run.path / "status.json"
        before = note.stat().st_mtime_ns
        run.mark("cancelled")
        assert note.stat().st_mtime_ns == before, "written only where it changes"
    assert store.status(made).state == "cancelled"
    note.write_text("{")
    assert store.status(made).state == "interrupted"
    assert [status.name for status in store.statuses()] == [made]
    assert {"pause", "resume", "stop", "cancel", "edit", "rewind", "extend"} == set(ACTIONS)
    assert "damaged" in STATES


def test_statuses_read_no_picture(store, made):
    shutil.rmtree(store.root / made / "frames")
    assert [(status.state, status.frames) for status in store.statuses()] == [("interrupted", 5)]


def test_a_damaged_run_takes_rewinds_alone(store, made):
    (store.root / made / "state/000004.safetensors").write_bytes(b"x")
    status = store.status(made)
    assert (status.state, status.frames) == ("damaged", 5)
    assert "000004.safetensors is damaged" in status.problem
    with pytest.raises(FramedriftError, match=r"sky_00001 is damaged: .*000004"):
        give(store, made, "extend", frames=3)
    assert store.status(give(store, made, "rewind", frame=3)["branch"]).last_frame == 3
