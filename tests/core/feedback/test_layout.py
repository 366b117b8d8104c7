import pytest
import torch

from framedrift.nodes.core.feedback.control import Control
from framedrift.nodes.core.feedback.layout import from_clip, from_pixels, to_pixels


def test_planes_and_pixels_are_two_ways_to_say_the_same():
    image = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(1))
    assert to_pixels(image)[4, 2].tolist() == image[0, :, 4, 2].tolist()
    assert torch.equal(from_pixels(to_pixels(image), image), image)


@pytest.mark.parametrize(("channels", "seen"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (4, [0, 1, 2])])
def test_a_clip_of_any_channels_gives_three(channels, seen):
    picture = torch.arange(channels).expand(5, 7, channels) / 4
    assert torch.equal(from_clip(picture), torch.tensor(seen).view(1, 3, 1, 1).expand(1, 3, 5, 7) / 4)
    shown = Control(net="net", source="video", clip=[picture]).picture(0, None)
    assert shown is not None
    assert shown.shape == (1, 3, 5, 7)
