"""A clip that remembers what it showed last."""

import pytest
import torch

from framedrift.nodes.core.video.frames import BatchFrames
from framedrift.nodes.core.video.recent import Recent


class Counted(BatchFrames):
    """Notes which frames were asked for."""

    def __init__(self, length):
        super().__init__(torch.arange(length).float().view(-1, 1, 1, 1).expand(-1, 2, 3, 3) / length, 12.0)
        self.asked = []

    def __getitem__(self, item):
        self.asked.append(item)
        return super().__getitem__(item)


def test_the_last_few_are_kept_and_no_more():
    source = Counted(10)
    frames = Recent(source, keep=3)
    for item in (0, 1, 0, 2, 1, -8, 0):
        assert torch.equal(frames[item], BatchFrames.__getitem__(source, item))
    assert source.asked == [0, 1, 2], "-8 is 2"
    frames[3], frames[0], frames[1]
    assert source.asked == [0, 1, 2, 3, 1], "1 had not been asked for longest, and was let go"
    with pytest.raises(IndexError):
        frames[10]


def test_all_else_is_the_sources():
    source = Counted(4)
    frames = Recent(source)
    assert (len(frames), frames.fps, frames.size, frames.indices) == (4, 12.0, (2, 3), (0, 1, 2, 3))
    assert frames.num_frames == 4
    assert frames.disparity(2) is None
