"""Optical flow of any picture, however small."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp.flow import check_flow, flow_size, grey, optical_flow, resized_flow, trust

# In a process of its own: where OpenCV reads beyond a picture, it ends the process.
SMALL = """
import numpy as np
from framedrift.nodes.core.warp.flow import optical_flow
for height in (8, 11, 15):
    for width in (12, 64, 512):
        for size in ((height, width), (width, height)):
            a = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)
            for method in ("dis", "farneback"):
                flow = optical_flow(a, np.roll(a, 1, 1), method)
                assert flow.shape == (1, 2, *size) and bool(flow.isfinite().all())
"""


def test_pictures_of_a_few_pixels_end_no_process():
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] or "the process was ended"


@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_flow_points_from_the_first_picture_to_the_second(method):
    y, x = np.mgrid[0:90, 0:120].astype(float)

    def picture(right, down):
        waves = np.sin((x - right) / 4) * np.cos((y - down) / 5) + np.sin((x - right) / 9 + (y - down) / 7)
        return ((waves + 2) * 60).astype(np.uint8)

    flow = optical_flow(picture(0, 0), picture(3, -2), method)[0, :, 20:-20, 20:-20]
    assert flow.mean((1, 2)).tolist() == pytest.approx([3, -2], abs=0.1)


def test_trust_falls_where_the_way_back_ends_elsewhere():
    there = torch.zeros(1, 2, 20, 30)
    there[:, 0] = 4
    back = -there
    back[..., 15:] += 3
    found = trust(there, back)[0, 0]
    assert float(found[:, :10].min()) == 1
    assert float(found[:, 12:].max()) < 1e-4


def test_sizes_and_levels():
    assert flow_size((1024, 512)) == (512, 256)
    assert flow_size((100, 300)) == (100, 300)
    assert flow_size((4, 4000)) == (8, 512)
    assert (
        grey(torch.ones(1, 3, 10, 12) * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1), (5, 6)).tolist() == [[76] * 6] * 5
    )
    assert torch.equal(resized_flow(torch.ones(1, 2, 4, 4), (8, 12))[0, :, 3, 5], torch.tensor([3.0, 2.0]))


def test_an_unknown_method_is_named():
    with pytest.raises(FramedriftError, match="flow: there is no 'raft'; choose one of none, dis, farneback"):
        check_flow("raft")
