"""The plot of a schedule: where the curve lies, and that no value is too odd for it."""

import numpy as np
import pytest
import torch

from framedrift.nodes.core.schedule.plot import plot_curve


def curve_pixels(picture):
    """(rows, columns) of the pixels in the curve's colour."""
    near = (picture[0].movedim(0, -1) - torch.tensor([217, 164, 65]) / 255).abs().amax(-1) < 0.1
    return near.nonzero().T.float()


def test_the_curve_rises_where_the_values_do():
    picture = plot_curve(np.linspace(-3, 9, 100))
    assert picture.shape == (1, 3, 360, 640)
    assert picture.dtype == torch.float32 and picture.min() >= 0 and picture.max() <= 1
    rows, columns = curve_pixels(picture)
    assert torch.corrcoef(torch.stack([rows, columns]))[0, 1] < -0.999
    assert (columns.min() - 84).abs() < 4 and (columns.max() - 619).abs() < 4


@pytest.mark.parametrize("spike", [0, 41_777, 99_999])
def test_of_many_frames_not_one_is_lost(spike):
    values = np.zeros(100_000)
    values[spike] = 1.0
    rows, columns = curve_pixels(plot_curve(values))
    top = columns[rows == rows.min()].mean()
    assert rows.max() - rows.min() > 180
    assert abs(top - (84 + 536 * spike / 99_999)) < 5


@pytest.mark.parametrize(
    "values",
    [[1.0], [0.0, 0.0], [1e308, -1e308], [5e-324, 0], [1e-300, 2e-300], [-1e308] * 3, [1e20, 1e20 + 1e5], [7.0, 7.0]],
    ids=str,
)
def test_any_values_can_be_shown(values):
    rows, _ = curve_pixels(plot_curve(np.array(values, float)))
    assert rows.numel()
