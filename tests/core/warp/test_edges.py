"""Soft depth edges, as depth models give them."""

import cv2
import numpy as np
import torch

from framedrift.nodes.core.camera import pose_delta
from framedrift.nodes.core.warp import warp_pinhole
from framedrift.nodes.core.warp.edges import harden


def blurred(values, sigma):
    return torch.from_numpy(cv2.GaussianBlur(values.numpy(), (0, 0), sigma))


def test_a_blurred_edge_becomes_a_step_where_it_was():
    step = torch.full((40, 60), 0.1)
    step[:, 27:] = 0.6
    soft = blurred(step, 1.5)
    assert ((soft - step).abs() > 0.03).sum(1).min() >= 4
    hard = harden(soft[None])[0]
    assert ((hard - step).abs() > 0.03).sum(1).max() <= 1


def test_what_has_no_edge_stays_as_it_is():
    slant = torch.linspace(0.1, 0.9, 80)[None, None, :].expand(1, 50, 80).contiguous()
    assert torch.equal(harden(slant), slant)
    flat = torch.full((1, 20, 30), 0.4)
    assert torch.equal(harden(flat), flat)
    step = torch.full((1, 40, 60), 0.1)
    step[:, 10:30, 20:50] = 0.8
    assert torch.equal(harden(step), step)


def test_where_a_floor_meets_the_sky_is_no_edge():
    """The slope bends there as the foot of an edge does, but goes on."""
    rows = torch.arange(60.0)
    crease = (0.05 + 0.02 * (rows - 30).clamp(min=0))[None, :, None].expand(1, 60, 70).contiguous()
    assert torch.equal(harden(crease), crease)
    assert torch.equal(harden(crease.mT.contiguous()), crease.mT)
    soft = blurred(crease[0], 1.2)[None]
    assert torch.equal(harden(soft), soft)


def test_a_soft_edge_on_a_steep_floor_becomes_a_step():
    floor = (0.05 + 0.01 * torch.arange(40.0))[:, None].expand(40, 60).clone()
    step = floor.clone()
    step[:, 27:] = 0.9
    hard = harden(blurred(step, 1.5)[None])[0]
    assert ((hard - step).abs() > 0.05)[4:-4].sum(1).max() <= 1


def test_a_thing_with_a_soft_depth_edge_is_not_drawn_out(scene):
    """The board keeps its straight edge, where a ramp of depth would smear it over what it uncovers."""
    first = scene.view(np.eye(4))
    image = torch.from_numpy(first.board).float()[None, None]
    depth = 1 / blurred(1 / first.depth[0, 0], 1.5)[None, None]
    step = pose_delta((60, 0, 0), (0, 0, 0))
    second = scene.view(step)
    warped = warp_pinhole(image, depth, step, scene.fov_deg)
    wrong = (warped.image[0, 0].numpy() > 0.5) != second.board
    # Nothing is off by more than two pixels from the true outline.
    outline = cv2.morphologyEx(second.board.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5))) > 0
    assert not (wrong & ~outline).any()
    truth, found = scene.hidden_at_first(second), warped.holes[0, 0].numpy() > 0
    tolerance = np.ones((5, 5), np.uint8)
    assert (found & (cv2.dilate(truth.astype(np.uint8), tolerance) > 0)).sum() / found.sum() > 0.95
    assert (truth & (cv2.dilate(found.astype(np.uint8), tolerance) > 0)).sum() / truth.sum() > 0.95
