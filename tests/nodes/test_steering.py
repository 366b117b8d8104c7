"""A running animation, steered from outside: through the real node, by commands given while it renders."""

import copy
import json
import threading
import time

import numpy as np
import pytest

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.plan import BOUNDS
from framedrift.nodes.core.run import Run, RunStore, give
from framedrift.nodes.headless import folders, progress
from framedrift.nodes.headless.runner import NodeError, node_classes, run_prompt
from framedrift.nodes.job import Job
from framedrift.nodes.score import SCHEDULES

SAMPLER = {
    "model": ["model", 0], "vae": ["model", 2], "prompts": ["prompts", 0], "camera": ["camera", 0],
    "width": 64, "height": 64, "num_frames": 8, "fps": 15.0, "diffusion_cadence": 1, "seed": 7,
    "seed_behavior": "iter", "seed_iter_N": 1, "strength_schedule": "0:(0.6)", "steps_schedule": "0:(4)",
    "cfg_scale_schedule": "0:(3)", "noise_schedule": "0:(0.02)", "sampler_name": "euler", "scheduler": "normal",
    "color_coherence": "LAB to frame 0", "projection": "pinhole", "near": 1.0, "far": 50.0, "border": "replicate",
    "sampling_mode": "bicubic", "hole_denoise": 1.0, "full_steps": False, "resume": "continue", "run_name": "a",
}  # fmt: skip
STILL = {f"translation_{axis}": "0:(0)" for axis in "xyz"} | {f"rotation_3d_{axis}": "0:(0)" for axis in "xyz"}
PROMPT = {
    "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
    "prompts": {
        "class_type": "FramedriftPromptSchedule",
        "inputs": {"clip": ["model", 1], "text": '{"0": "dawn sky"}', "blend": "linear", "negative": ""},
    },
    "camera": {
        "class_type": "FramedriftCamera3D",
        "inputs": STILL | {"translation_z": "0:(6)", "fov_schedule": "0:(70)"},
    },
    "sampler": {"class_type": "FramedriftFrameFeedbackSampler", "inputs": SAMPLER},
}


def prompt(**changed):
    made = copy.deepcopy(PROMPT)
    made["sampler"]["inputs"] |= changed
    return made


def places(root):
    return folders.Folders(root / "output", root / "input", root / "temp", root / "models")


def store(root):
    return RunStore(root / "output" / "framedrift")


def steer(root, orders, made=None):
    """Renders, and gives each order (after which frame, action, arguments) once that frame is there."""
    left = [list(order) for order in orders]
    runs = store(root)
    answers = []

    def watch(node_id, name, value, total):
        if node_id != "sampler" or not runs.root.is_dir():
            return
        # The newest: a rewind goes on in a branch.
        found = runs.list()
        while found and left and found[-1].frames > left[0][0]:
            _, action, arguments = left.pop(0)
            answers.append(give(runs, found[-1].name, action, **arguments))

    run_prompt(made or prompt(), places(root), watcher=watch)
    assert not left, "an order was never given"
    return answers


def hashes(root, name):
    return {entry["index"]: entry["sha256"] for entry in store(root).journal(name)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    run_prompt(prompt(), places(root))
    return hashes(root, "a_00001")


def test_stop_keeps_what_there_is_and_the_same_graph_goes_on(tmp_path, whole):
    before = store(tmp_path).changes()
    steer(tmp_path, [(2, "stop", {})])
    assert store(tmp_path).status("a_00001").state == "stopped"
    assert len(hashes(tmp_path, "a_00001")) == 3
    assert store(tmp_path).changes() != before, "ComfyUI would hand on the cached part of it"
    run_prompt(prompt(), places(tmp_path))
    assert hashes(tmp_path, "a_00001") == whole
    assert store(tmp_path).status("a_00001").state == "complete"


def test_cancel_keeps_the_frames_and_hands_on_nothing(tmp_path):
    with pytest.raises(progress.Interrupted):
        steer(tmp_path, [(2, "cancel", {})])
    assert store(tmp_path).status("a_00001").state == "cancelled"
    assert len(hashes(tmp_path, "a_00001")) == 3


def test_a_pause_waits_and_can_be_interrupted(tmp_path, whole):
    """Paused after frame 1; half a second later nothing has been made; then it goes on, to the same pictures."""
    seen = {}

    def later():
        runs = store(tmp_path)
        end = time.monotonic() + 60
        while time.monotonic() < end and not (runs.root.is_dir() and runs.list() and _state(runs) == "paused"):
            time.sleep(0.02)
        seen["paused"] = len(hashes(tmp_path, "a_00001"))
        time.sleep(0.5)
        seen["still"] = len(hashes(tmp_path, "a_00001"))
        give(runs, "a_00001", "resume")

    thread = threading.Thread(target=later)
    thread.start()
    steer(tmp_path, [(1, "pause", {})])
    thread.join()
    assert seen == {"paused": 2, "still": 2}
    assert hashes(tmp_path, "a_00001") == whole


def _state(runs):
    return runs.status("a_00001").state


EDITS = {
    "prompts": '{"0": "dawn sky", "3": "storm over the sea"}',
    "strength_schedule": "0:(0.3)",
    "camera.translation_x": "0:(9)",
    "cfg_scale_schedule": "0:(6)",
}


def test_an_edit_counts_from_the_next_frame_on_and_is_replayed(tmp_path, whole):
    steer(tmp_path, [(2, "edit", {"changes": EDITS})])
    edited = hashes(tmp_path, "a_00001")
    assert {f for f in range(8) if edited[f] == whole[f]} == {0, 1, 2}
    journal = store(tmp_path).journal("a_00001")
    assert [bool(entry.get("edits")) for entry in journal] == [False] * 3 + [True] + [False] * 4
    assert journal[3]["denoise"] == 0.7
    assert "storm" in journal[4]["prompt"]
    assert journal[5]["camera"]["translation_x"] == 9

    # The same, broken off after the edit and gone on with by the graph that knows nothing of it.
    again = tmp_path / "again"
    steer(again, [(2, "edit", {"changes": EDITS}), (4, "stop", {})])
    assert len(hashes(again, "a_00001")) == 5
    run_prompt(prompt(), places(again))
    assert hashes(again, "a_00001") == edited


def test_an_edit_that_waits_when_the_run_ends_counts_for_the_frames_that_follow(tmp_path):
    steer(tmp_path, [(3, "stop", {})])
    answer = give(store(tmp_path), "a_00001", "edit", changes={"strength_schedule": "0:(0.2)"})
    assert answer["state"] == "stopped"
    run_prompt(prompt(), places(tmp_path))
    assert [entry["denoise"] for entry in store(tmp_path).journal("a_00001")] == [0.4] * 4 + [0.8] * 4


def test_an_edit_that_cannot_be_is_left_out_and_the_run_goes_on(tmp_path, whole, caplog):
    # What only the camera knows.
    steer(tmp_path, [(2, "edit", {"changes": {"camera.aspect": "0:(-1)"}})])
    assert "the edit is left out: aspect: frame 0 has the value -1" in caplog.text
    assert hashes(tmp_path, "a_00001") == whole
    assert store(tmp_path).status("a_00001").pending == ()


def prompt_with_options():
    """With a schedule of numbers and one of names among its options."""
    made = prompt(options=["noise", 0])
    classes = node_classes()
    for name, given in (("noise", {"options": ["sampling", 0]}), ("sampling", {"sampler_schedule": '0: ("euler")'})):
        node = {"noise": "FramedriftNoise", "sampling": "FramedriftSamplingSchedules"}[name]
        declared = classes[node].INPUT_TYPES()["required"]
        defaults = {key: said["default"] for key, (_, said, *_) in declared.items() if "default" in said}
        made[name] = {"class_type": node, "inputs": defaults | given}
    return made


def test_what_can_be_edited_is_edited(tmp_path):
    """Options, names, the cadence and its schedule: each counts from the next frame on, and none is left out."""
    edits = {
        "noise_multiplier_schedule": "0:(0.9)", "sampler_schedule": '0: ("heun")', "camera.fov": "0:(60)",
        "seed_behavior": "fixed", "cadence_schedule": "0:(2)", "subseed_strength_schedule": "0:(0.3)",
    }  # fmt: skip
    steer(tmp_path, [(1, "edit", {"changes": edits})], prompt_with_options())
    journal = store(tmp_path).journal("a_00001")
    assert [entry["index"] for entry in journal] == [0, 1, 2, 4, 6, 7]
    last = journal[-1]
    assert (last["values"]["noise_multiplier_schedule"], last["names"]["sampler_schedule"]) == (0.9, "heun")
    assert (last["camera"]["fov"], last["seed"], last["subseed_strength"]) == (60, 7, 0.3)
    assert len(journal[2]["edits"]) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 128}, "width cannot be edited"),
        ({"video_mix": 0.5}, "video_mix cannot be edited"),
        ({"prompts": "a cat \ud800"}, "half a character"),
        ({"strength_schedule": "0:(0.3"}, "strength_schedule"),
        ({"prompts": "{"}, "prompts|JSON|text"),
        ({"camera.translation_x": "0:(nonsense)"}, r"camera\.translation_x"),
        ({"camera.fov": "0:(70), 4:(190)"}, r"camera\.fov is 190 at frame 4"),
        ({"strength_schedule": "0:(2)"}, "strength_schedule is 2 at frame 0"),
        ({"subseed_strength_schedule": "0:(t)"}, "subseed_strength_schedule is 2 at frame 2"),
        ({"noise_multiplier_schedule": "0:(11)"}, "noise_multiplier_schedule is 11"),
        ({"sampler_name": "magic"}, "sampler_name is 'magic', and must be one of: euler"),
        ({"sampler_schedule": '0: ("magic")'}, "sampler_schedule is 'magic', and must be one of: euler"),
        ({"seed_behavior": "dance"}, "seed_behavior is 'dance', and must be one of: iter"),
        ({"diffusion_cadence": 0}, "diffusion_cadence is 0; it must lie between 1 and 1000"),
        ({"hole_denoise": 1.5}, "hole_denoise is 1.5; it must lie between 0 and 1"),
        ({"cadence_schedule": "0:(2"}, "cadence_schedule"),
        ({"cadence_schedule": "0:(0)"}, "cadence_schedule is 0 at frame 0"),
    ],
)
def test_a_wrong_edit_is_refused_where_it_is_given(tmp_path, changes, words):
    steer(tmp_path, [(1, "stop", {})], prompt_with_options())
    with pytest.raises(FramedriftError, match=words):
        give(store(tmp_path), "a_00001", "edit", changes=changes)


def test_rewinding_a_running_animation_goes_on_in_a_branch(tmp_path, whole):
    steer(tmp_path, [(5, "rewind", {"frame": 2})])
    assert [run.name for run in store(tmp_path).list()] == ["a_00001", "a_00002"]
    assert store(tmp_path).status("a_00002").branch == {"of": "a_00001", "after": 2}
    assert hashes(tmp_path, "a_00002") == whole, "the journal replays to the same pictures"
    old = hashes(tmp_path, "a_00001")
    assert 6 <= len(old) < 8
    assert all(whole[frame] == mark for frame, mark in old.items())


def test_a_branch_with_another_prompt(tmp_path, whole):
    """Stopped, rewound to 3, edited, gone on with: two animations that share their beginning."""
    run_prompt(prompt(), places(tmp_path))
    branch = give(store(tmp_path), "a_00001", "rewind", frame=3)["branch"]
    give(store(tmp_path), branch, "edit", changes={"prompts": '{"0": "storm"}'})
    run_prompt(prompt(), places(tmp_path))
    made = hashes(tmp_path, branch)
    assert {f for f in range(8) if made[f] == whole[f]} == {0, 1, 2, 3}
    assert hashes(tmp_path, "a_00001") == whole


def test_an_animation_is_extended_while_it_runs_and_after(tmp_path, whole):
    steer(tmp_path, [(4, "extend", {"frames": 3})])
    first = hashes(tmp_path, "a_00001")
    assert sorted(first) == list(range(11))
    assert {f: first[f] for f in range(8)} == whole
    give(store(tmp_path), "a_00001", "extend", frames=2)
    assert store(tmp_path).status("a_00001").num_frames == 13
    run_prompt(prompt(), places(tmp_path))
    second = hashes(tmp_path, "a_00001")
    assert sorted(second) == list(range(13))
    assert {f: second[f] for f in first} == first
    frames = store(tmp_path).read("a_00001")
    assert (frames.num_frames, len(frames.track)) == (13, 13)


def test_everything_at_once_and_killed_between_is_still_one_story(tmp_path):
    orders = [(1, "edit", {"changes": {"strength_schedule": "0:(0.4)"}}), (3, "extend", {"frames": 2})]
    steer(tmp_path / "unbroken", orders)
    wanted = hashes(tmp_path / "unbroken", "a_00001")
    for stop in (2, 4):
        root = tmp_path / str(stop)
        before = [order for order in orders if order[0] < stop]
        steer(root, [*before, (stop, "stop", {})])
        for _, action, arguments in (order for order in orders if order[0] >= stop):
            give(store(root), "a_00001", action, **arguments)
        run_prompt(prompt(), places(root))
        assert hashes(root, "a_00001") == wanted


def test_load_run_gives_the_settings_as_they_were_edited(tmp_path):
    from framedrift.nodes.runs import LoadRun

    steer(tmp_path, [(2, "edit", {"changes": EDITS}), (3, "extend", {"frames": 1})])
    with folders.using(places(tmp_path)):
        frames, settings, _, num_frames, *_, prompts = LoadRun.execute("a_00001").result
    assert (len(frames), num_frames) == (9, 9)
    assert (settings["strength_schedule"], settings["cfg_scale_schedule"]) == ("0:(0.3)", "0:(6)")
    assert prompts == EDITS["prompts"]


def test_a_run_says_what_can_be_edited_and_how_to_make_it_again(tmp_path):
    steer(tmp_path, [(0, "stop", {})])
    manifest = json.loads((store(tmp_path).root / "a_00001" / "run.json").read_text())
    assert manifest["editable"]["prompts"] == '{"0": "dawn sky"}'
    assert manifest["editable"]["camera.translation_z"] == "0:(6)"
    assert manifest["prompt"] == prompt()
    assert manifest["node"] == "sampler"


def test_an_extension_that_comes_as_the_end_is_written_down_is_taken(tmp_path, monkeypatch):
    finish, given = Run.finish, []

    def late(self):
        finish(self)
        if not given:
            given.append(give(store(tmp_path), self.name, "extend", frames=2))

    monkeypatch.setattr(Run, "finish", late)
    run_prompt(prompt(), places(tmp_path))
    found = store(tmp_path).status("a_00001")
    assert (found.state, found.last_frame, found.pending) == ("complete", 9, ())


def test_what_comes_after_the_last_look_is_noted_for_the_next_queue(tmp_path, monkeypatch):
    close = Run.close

    def late(self):
        if not store(tmp_path).status(self.name).pending:
            give(store(tmp_path), self.name, "extend", frames=2)
        close(self)

    monkeypatch.setattr(Run, "close", late)
    before = store(tmp_path).changes()
    run_prompt(prompt(), places(tmp_path))
    assert store(tmp_path).changes() != before, "ComfyUI would hand on what it keeps"
    monkeypatch.undo()
    run_prompt(prompt(), places(tmp_path))
    assert store(tmp_path).status("a_00001").last_frame == 9


def test_a_branch_before_an_edit_has_the_camera_from_before_it(tmp_path):
    run_prompt(prompt(), places(tmp_path / "plain"))
    steer(tmp_path, [(2, "edit", {"changes": {"camera.translation_x": "0:(9)"}})])
    branch = give(store(tmp_path), "a_00001", "rewind", frame=1)["branch"]
    run_prompt(prompt(), places(tmp_path))
    wanted = store(tmp_path / "plain").read("a_00001").track.views
    assert not np.array_equal(store(tmp_path).read("a_00001").track.views, wanted)
    assert np.array_equal(store(tmp_path).read(branch).track.views, wanted)


def test_a_rewind_that_cannot_be_is_left_out_and_the_run_goes_on(tmp_path, caplog):
    runs, left = store(tmp_path), ["rewind"]

    def watch(node_id, name, value, total):
        if left and node_id == "sampler" and runs.root.is_dir() and runs.list() and runs.list()[0].frames > 4:
            left.pop()
            # As docs/runs.md allows.
            (runs.root / "a_00001" / "state" / "000002.safetensors").unlink()
            give(runs, "a_00001", "rewind", frame=2)

    run_prompt(prompt(), places(tmp_path), watcher=watch)
    assert "the rewind is left out: Run a_00001 has no state of frame 2" in caplog.text
    (found,) = runs.statuses()
    assert (found.state, found.last_frame, found.pending) == ("complete", 7, ())


def test_a_branch_that_is_broken_off_was_not_stopped(tmp_path):
    runs, left = store(tmp_path), [("a_00001", 4), ("a_00002", 4)]

    def watch(node_id, name, value, total):
        if not left or node_id != "sampler" or not runs.root.is_dir():
            return
        found = {run.name: run.frames for run in runs.list()}
        if found.get(left[0][0], 0) > left[0][1]:
            if left.pop(0)[0] == "a_00002":
                progress.interrupt()
            else:
                give(runs, "a_00001", "rewind", frame=1)

    with pytest.raises(progress.Interrupted):
        run_prompt(prompt(), places(tmp_path), watcher=watch)
    assert [run.state for run in runs.statuses()] == ["stopped", "interrupted"]


def test_events_count_to_their_total_after_an_extension(tmp_path, monkeypatch):
    """Every third frame and the last: frame 7 is diffused although it is not the last any more."""
    from framedrift.nodes import host

    told = []
    monkeypatch.setattr(host, "send_event", lambda name, event: told.append((event["frames"], event["total"])))
    steer(tmp_path, [(3, "stop", {})], prompt(diffusion_cadence=3))
    give(store(tmp_path), "a_00001", "extend", frames=4)
    run_prompt(prompt(diffusion_cadence=3), places(tmp_path))
    assert [entry["index"] for entry in store(tmp_path).journal("a_00001")] == [0, 3, 6, 7, 9, 11]
    assert told[-1] == (6, 6)


def followed(clip, asked):
    """An animation that follows another one."""
    made = prompt(num_frames=asked, run_name="b", video_input=["clip", 0])
    made["clip"] = {**made["sampler"], "inputs": prompt(num_frames=clip)["sampler"]["inputs"]}
    return made


def test_an_animation_is_extended_as_far_as_its_clip_goes(tmp_path):
    run_prompt(followed(6, 4), places(tmp_path))
    with pytest.raises(FramedriftError, match="frames: 3 frames cannot be added; 1 to 2 can"):
        give(store(tmp_path), "b_00001", "extend", frames=3)
    give(store(tmp_path), "b_00001", "extend", frames=2)
    run_prompt(followed(6, 4), places(tmp_path))
    found = store(tmp_path).status("b_00001")
    assert (found.last_frame, found.num_frames, found.pending) == (5, 6, ())


def test_an_animation_that_its_clip_cut_short_cannot_be_extended(tmp_path):
    run_prompt(followed(4, 6), places(tmp_path))
    assert store(tmp_path).status("b_00001").num_frames == 4
    with pytest.raises(FramedriftError, match="none can be added: the clips that run b_00001 follows"):
        give(store(tmp_path), "b_00001", "extend", frames=1)


def test_a_loop_is_extended(tmp_path):
    steer(tmp_path, [(3, "extend", {"frames": 3})], prompt(num_frames=9, loop_frames=3))
    found = store(tmp_path).status("a_00001")
    assert (found.state, found.num_frames, found.pending) == ("complete", 12, ())
    assert store(tmp_path).journal("a_00001")[-1]["index"] == 9


def test_a_named_run_of_other_settings_names_those_alone(tmp_path):
    run_prompt(prompt(num_frames=2), places(tmp_path))
    other = {"num_frames": 2, "resume": "named run"}
    with pytest.raises(NodeError, match=r"made with other settings \(cfg_scale_schedule, seed\)\. Put them back"):
        run_prompt(prompt(**other, run_name="a_00001", seed=8, cfg_scale_schedule="0:(4)"), places(tmp_path))
    with pytest.raises(NodeError, match=r"run_name: there is no run '' in .*last ones: a_00001"):
        run_prompt(prompt(**other, run_name=" "), places(tmp_path))
    run_prompt(prompt(**other, run_name=" a_00001 "), places(tmp_path))
    branch = give(store(tmp_path), "a_00001", "rewind", frame=0)["branch"]
    run_prompt(prompt(**other, run_name=branch), places(tmp_path))
    assert hashes(tmp_path, branch) == hashes(tmp_path, "a_00001")


@pytest.mark.parametrize("name", [*SCHEDULES, "subseed_strength_schedule"])
def test_the_bounds_that_an_edit_is_held_to_are_those_of_the_plans(tmp_path, name, monkeypatch):
    low, high = BOUNDS[name]
    taken = []

    def refuse(self):
        taken.append(self)
        raise FramedriftError("enough")

    monkeypatch.setattr(Job, "open_run", refuse)
    for value in (low, high):
        with pytest.raises(NodeError, match="enough"):
            run_prompt(prompt(**{name: f"0:({value})"}), places(tmp_path))
    assert len(taken) == 2
    for value in (low - 0.1, high + 0.1):
        with pytest.raises(NodeError, match=f"{name} is .* must lie between"):
            run_prompt(prompt(**{name: f"0:({value})"}), places(tmp_path))
