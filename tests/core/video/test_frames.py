"""Frames as a lazy sequence."""

import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video import BatchFrames, Frames, Timeline, as_frames, gather


@pytest.fixture
def images():
    return torch.rand(5, 4, 6, 3, generator=torch.Generator().manual_seed(0))


class Counted(Frames):
    """Frames that say what was loaded."""

    def __init__(self, indices, size=(4, 6)):
        self.fps, self.size, self.indices, self.num_frames = 10.0, size, tuple(indices), indices[-1] + 1
        self.loaded = []

    def __getitem__(self, item):
        self.loaded.append(self.position(item))
        return torch.full((*self.size, 3), self.indices[self.position(item)] / 100)


def test_a_batch_is_frames(images):
    frames = as_frames(images, fps=12)
    assert (len(frames), frames.fps, frames.size, frames.indices, frames.num_frames) == (
        5,
        12,
        (4, 6),
        (0, 1, 2, 3, 4),
        5,
    )
    assert (frames.track, frames.settings, frames.cuts, frames.disparity(0)) == (None, None, frozenset(), None)
    assert torch.equal(torch.stack(list(frames)), images)
    assert torch.equal(frames[-1], images[4])
    for outside in (5, -6):
        with pytest.raises(IndexError):
            frames[outside]
        with pytest.raises(IndexError):
            frames.disparity(outside)


def test_frames_stay_frames(images):
    frames = BatchFrames(images, 7)
    assert as_frames(frames, fps=30) is frames


def test_other_types_and_shapes_are_named(images):
    for value, words in (([1], "list"), (images[0], r"\(4, 6, 3\)")):
        with pytest.raises(FramedriftError, match=words):
            as_frames(value)
    with pytest.raises(FramedriftError, match="fps"):
        as_frames(images, fps=0)
    with pytest.raises(FramedriftError, match="indices"):
        BatchFrames(images, indices=(0, 2, 2, 3, 4))


def test_half_precision_becomes_float32(images):
    assert as_frames(images.half())[0].dtype == torch.float32


def test_the_timeline_holds_a_frame_until_the_next():
    frames = Counted([2, 5, 6])
    timeline = Timeline(frames)
    shown = [round(float(picture[0, 0, 0]) * 100) for picture in timeline]
    assert shown == [2, 2, 2, 5, 6]
    assert len(timeline) == 5
    assert frames.loaded == [0, 1, 2], "each is loaded once"


def test_gather_takes_the_chosen_ones_and_no_others():
    frames = Counted(range(10))
    told = []
    batch = gather(frames, start=1, count=3, every_nth=3, on_frame=told.append)
    assert frames.loaded == [1, 4, 7]
    assert told == [1, 2, 3]
    assert batch.shape == (3, 4, 6, 3)
    assert torch.equal(batch[:, 0, 0, 0], torch.tensor([0.01, 0.04, 0.07]))
    assert len(gather(frames)) == 10


def test_gather_refuses_what_is_too_large_before_loading():
    frames = Counted(range(10), size=(100, 100))
    with pytest.raises(FramedriftError, match=r"10 images of 100x100 take .* max_gib"):
        gather(frames, max_bytes=10 * 120_000 - 1)
    assert not frames.loaded
    with pytest.raises(FramedriftError, match=r"start: is 10, but there are 10 frames"):
        gather(frames, start=10)


def test_gather_drops_alpha(images):
    alpha = torch.cat([images, images[..., :1]], -1)
    assert torch.equal(gather(as_frames(alpha)), images)
