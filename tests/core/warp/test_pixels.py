"""Masks and numbered pixels against what torch makes of them."""

import pytest
import torch

from framedrift.nodes.core.warp.pixels import above, as_float, every, numbers, pick, put, within

SIZE = (2, 5, 7)
EDGES = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0]


@pytest.fixture
def values():
    made = torch.rand(SIZE, generator=torch.Generator().manual_seed(3)).round(decimals=1)
    made.view(-1)[: len(EDGES)] = torch.tensor(EDGES)
    return made


def limits():
    made = torch.rand(SIZE, generator=torch.Generator().manual_seed(4)).round(decimals=1)
    made.view(-1)[1 : len(EDGES) + 1] = torch.tensor(EDGES)
    return made


def test_comparisons_are_torchs(values):
    assert torch.equal(above(values, limits()), values > limits())
    assert torch.equal(within(values, limits()), values <= limits())
    assert torch.equal(above(values, 0.5), values > 0.5)
    assert above(values[:, 1:-1, ::2], 0.5).dtype == torch.bool
    assert torch.equal(above(values[:, 1:-1, ::2], 0.5), values[:, 1:-1, ::2] > 0.5)


def test_pixels_are_numbered_picture_by_picture_and_row_by_row(values):
    mask = values > 0.5
    assert numbers(mask).tolist() == mask.flatten().nonzero()[:, 0].tolist()
    assert numbers(mask).dtype == torch.int64
    assert numbers(mask & False).shape == (0,)
    column = torch.zeros(SIZE, dtype=torch.bool)
    column[1, 2:4, 6] = True
    assert numbers(column).tolist() == [35 + 2 * 7 + 6, 35 + 3 * 7 + 6]
    assert numbers(column[:, 2:]).tolist() == [21 + 6, 21 + 7 + 6], "of a part, as the part counts them"


def test_what_is_picked_is_what_was_put(values):
    chosen = torch.tensor([69, 3, 40])
    put(values, chosen, torch.tensor([1.0, 2.0, 3.0]))
    assert values[1, 4, 6] == 1
    assert pick(values, chosen).tolist() == [1, 2, 3]
    put(values, chosen[:2], 7.0)
    assert pick(values, chosen).tolist() == [7, 7, 3]
    part = values[:, :, 2:]
    assert torch.equal(pick(part, chosen[1:]), part.flatten()[chosen[1:]])
    mask = torch.zeros(SIZE, dtype=torch.bool)
    put(mask, chosen, True)
    assert numbers(mask).tolist() == [3, 40, 69]


def test_masks_as_numbers():
    mask = torch.tensor([[True, False], [True, True]])
    assert as_float(mask).dtype == torch.float32
    assert as_float(mask).tolist() == [[1, 0], [1, 1]]
    assert not every(mask)
    assert every(mask[:, :1])
