"""The state of every frame: small, and to the bit."""

import json

import numpy as np
import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import RunStore, storable, storable_disparity
from framedrift.nodes.core.run.pictures import STEPS, from_steps, join_steps, rgb_bytes, split_steps, to_steps
from framedrift.nodes.core.run.state import StateMark, pack_state, read_mark

SIZE = (24, 40)


def random_image(seed, size=SIZE):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


def same(one, other):
    return one.shape == other.shape and torch.equal(one.view(torch.int32), other.view(torch.int32))


def bits(state):
    return {name: (tensor.shape, tensor.contiguous().numpy().tobytes()) for name, tensor in state.items()}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def made(store, writer):
    """A run of seven frames, and what each left in memory."""
    states, state = [], None
    with store.create("made", {}, "print") as run:
        for index in range(7):
            image, disparity, state = writer.make_frame(state, index)
            run.commit(index, image, disparity, {"seed": index}, state)
            states.append(state)
    return run.path, states


def test_every_step_survives_being_split():
    every = np.arange(STEPS + 1, dtype=np.uint16)
    steps = np.concatenate([every, every[: -(STEPS + 1) % 3]]).reshape(1, 3, -1, 1)
    pixels, low = split_steps(steps)
    assert (pixels.dtype, low.dtype, low.min(), low.max()) == (np.uint8, np.int8, -128, 127)
    assert np.array_equal(join_steps(pixels, low), steps)
    assert np.array_equal(to_steps(from_steps(steps)), steps)
    off = np.abs(pixels.transpose(2, 0, 1)[None] / 255 - steps / STEPS).max()
    assert off <= 0.5 / 255 + 1e-9, "the PNG still shows the nearest level"


def test_storable_is_the_nearest_step_and_storable_again():
    image = torch.cat([random_image(0), torch.linspace(-0.2, 1.2, 3 * 24 * 40).reshape(1, 3, 24, 40)], dim=3)
    kept = storable(image)
    assert same(storable(kept), kept)
    assert (kept - image.clamp(0, 1)).abs().max() <= 0.5 / STEPS + 6e-8
    assert (kept.min(), kept.max()) == (0, 1)
    for level in range(256):
        exact = torch.full((1, 3, 1, 1), level / 255)
        assert rgb_bytes(storable(exact)).max() == level, "a picture of 8 bits keeps its levels"


def test_storable_disparity_is_what_its_picture_gives_back(store):
    disparity = storable_disparity(random_image(1)[:, :1])
    assert same(storable_disparity(disparity), disparity)
    with store.create("a", {}, "") as run:
        run.commit(0, random_image(0), disparity, {}, {})
        assert same(run.frames().disparity(0)[None, None], disparity)


def test_the_state_of_every_frame_comes_back_to_the_bit(store, made):
    path, states = made
    with store.open(path) as run:
        assert bits(run.state()) == bits(states[-1])
        for index, state in enumerate(states):
            assert bits(run.state_at(index)) == bits(state)
        with pytest.raises(FramedriftError, match=r"Frame 7 .*was not diffused"):
            run.state_at(7)


def test_a_state_takes_three_bytes_a_pixel(store):
    image, disparity = storable(random_image(0, (128, 192))), storable_disparity(random_image(1, (128, 192))[:, :1])
    with store.create("a", {}, "") as run:
        run.commit(0, image, disparity, {}, {"image": image, "disparity": disparity, "scale": torch.ones(2)})
    size = (run.path / "state/000000.safetensors").stat().st_size
    assert 3 * 128 * 192 < size < 3 * 128 * 192 + 1000


@pytest.mark.parametrize("what", ["image", "disparity", "another image", "another disparity", "half", "none"])
def test_what_is_not_storable_is_kept_whole(store, what):
    image, disparity = storable(random_image(0)), storable_disparity(random_image(1)[:, :1])
    if what == "image":
        image = random_image(0)
    if what == "disparity":
        disparity = random_image(1)[:, :1]
    state = {"image": image, "disparity": disparity}
    if what == "another image":
        state["image"] = storable(random_image(2))
    if what == "another disparity":
        state["disparity"] = 1 - disparity
    if what == "half":
        state["image"] = image.half()
    if what == "none":
        state = {"scale": torch.ones(3)}
    with store.create("a", {}, "") as run:
        run.commit(0, image, disparity, {}, state)
        found = run.state()
    assert bits(found) == bits(state)
    assert {name: tensor.dtype for name, tensor in found.items()} == {name: t.dtype for name, t in state.items()}


def older(path):
    """The run as versions before kept it: one state, with the whole picture in it."""
    with RunStore(path.parent).open(path) as run:
        state, entry = run.state(), run.entries[-1]
    mark = StateMark(entry["index"], len(run.entries), (path / "journal.jsonl").read_text().splitlines()[-1])
    data = pack_state(state, mark)
    for file in (path / "state").iterdir():
        file.unlink()
    (path / "state.safetensors").write_bytes(data)
    return state


def test_a_run_of_an_older_version_goes_on(store, writer, made):
    path, states = made
    assert bits(older(path)) == bits(states[-1])
    with store.open(path) as run:
        assert bits(run.state()) == bits(states[-1])
        with pytest.raises(FramedriftError, match=r"no state of frame 3, .*000003\.safetensors is missing"):
            run.state_at(3)
        writer.commit_until(run, 9)
        assert bits(run.state_at(6)) == bits(states[-1])
    with store.create("whole", {}, "") as run:
        writer.commit_until(run, 9)
    assert [e["sha256"] for e in store.journal(path)] == [e["sha256"] for e in store.journal("whole_00001")]
    branch = store.branch(path, 6)
    with store.open(branch) as run:
        assert bits(run.state()) == bits(states[-1])
    with pytest.raises(FramedriftError, match="no state of frame 4"):
        store.branch(path, 4)
    assert store.status(path).state == "interrupted"
    assert len(store.list()) == 3, "a branch that came to nothing leaves no run"


def test_a_mark_of_an_older_version_is_read(tmp_path):
    from safetensors.torch import save

    file = tmp_path / "state.safetensors"
    file.write_bytes(
        save({"a": torch.ones(2)}, metadata={"framedrift": json.dumps({"index": 3, "position": 2, "line": "x"})})
    )
    assert read_mark(file) == StateMark(3, 2, "x", ())


def test_a_state_of_another_frame_is_not_taken(store, made):
    path, _ = made
    (path / "state/000003.safetensors").write_bytes((path / "state/000002.safetensors").read_bytes())
    with store.open(path) as run, pytest.raises(FramedriftError, match="no state of frame 3"):
        run.state_at(3)


def test_a_state_whose_picture_was_changed_is_not_taken(store, made):
    path, _ = made
    (path / "frames/000001.png").write_bytes((path / "frames/000002.png").read_bytes())
    with store.open(path) as run, pytest.raises(FramedriftError, match=r"Frame 1 .*sha256 differs"):
        run.state_at(1)


def test_a_frame_more_makes_a_complete_run_incomplete(store, writer, made):
    path, _ = made
    with store.open(path) as run:
        run.finish()
        assert store.status(path).state == "running"
    assert store.status(path).state == "complete"
    with store.open(path) as run:
        assert run.complete
        writer.commit_until(run, 7)
        assert not run.complete
    with store.open(path) as run:
        assert not run.complete


def test_edits_are_told_with_the_frame_that_they_follow(store):
    edit = {"id": "1", "action": "edit", "arguments": {"changes": {"cfg": 3}}}
    longer = {"id": "2", "action": "extend", "arguments": {"frames": 5}}
    with store.create("a", {"num_frames": 10, "height": 24, "width": 40}, "") as run:
        run.commit(0, random_image(0), None, {"edits": [edit]}, {})
        run.commit(3, random_image(0), None, {}, {})
        run.commit(5, random_image(0), None, {"edits": [longer, edit | {"id": "3"}]}, {})
        assert run.edits == [edit | {"after": -1}, longer | {"after": 3}, edit | {"id": "3", "after": 3}]
        assert run.frames().num_frames == 15
    assert store.read("a_00001").num_frames == 15
    assert store.status("a_00001").num_frames == 15
