"""Fields of view and pixels."""

import math

import numpy as np
import pytest

from framedrift.nodes.core.camera import intrinsics
from framedrift.nodes.core.errors import FramedriftError


@pytest.mark.parametrize("size", [(60, 80), (45, 80), (80, 45)])
def test_the_vertical_field_of_view_spans_the_height_and_pixels_are_square(size):
    width = size[1]
    matrix = intrinsics(70, size)
    edge = matrix @ (0, -math.tan(math.radians(35)), 1)
    assert edge[:2] == pytest.approx((width / 2, 0), abs=1e-9)
    assert matrix[0, 0] == matrix[1, 1]
    assert matrix.dtype == np.float64


@pytest.mark.parametrize("fov", [0, 180, -10, float("nan"), float("inf")])
def test_no_lens(fov):
    with pytest.raises(FramedriftError, match="fov"):
        intrinsics(fov, (10, 10))
