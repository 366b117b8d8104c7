"""A running animation, steered from outside: through the real node, by commands given while it renders."""

import copy
import json
import threading
import time

import pytest

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import RunStore, give
from framedrift.nodes.headless import folders, progress
from framedrift.nodes.headless.runner import run_prompt

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
    # What only shows where it is sampled: 2 is no share.
    steer(tmp_path, [(2, "edit", {"changes": {"strength_schedule": "0:(2)"}})])
    assert "strength_schedule is 2 at frame" in caplog.text
    assert hashes(tmp_path, "a_00001") == whole


def test_an_edit_to_what_is_not_there_is_left_out(tmp_path, whole, caplog):
    steer(tmp_path, [(2, "edit", {"changes": {"sampler_name": "magic"}})])
    assert "sampler_name is 'magic', and must be one of" in caplog.text
    assert hashes(tmp_path, "a_00001") == whole


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 128}, "width cannot be edited"),
        ({"strength_schedule": "0:(0.3"}, "strength_schedule"),
        ({"prompts": "{"}, "prompts|JSON|text"),
        ({"camera.translation_x": "0:(nonsense)"}, r"camera\.translation_x"),
    ],
)
def test_a_wrong_edit_is_refused_where_it_is_given(tmp_path, changes, words):
    steer(tmp_path, [(1, "stop", {})])
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
