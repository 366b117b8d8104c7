"""Distributions as tables of quantiles, and the monotone map from one to another."""

import numpy as np

QUANTILES = 1025
"""Entries of a table: the values below which 0, 1/1024, ..., 1 of the pixels lie."""


def quantiles_of(grid: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The quantiles of pixels that were counted on a grid, linear between neighbours in order.

    Args:
        grid: (N,) ascending values. counts: (N,) whole numbers, how many pixels each has; at least one in all.

    Returns:
        (QUANTILES,) float32, ascending.
    """
    below = np.cumsum(counts)
    position = np.linspace(0, below[-1] - 1, QUANTILES)
    low = np.floor(position)
    high = np.minimum(low + 1, below[-1] - 1)
    share = (position - low).astype(np.float32)
    values = grid.astype(np.float32)
    first, second = (values[np.searchsorted(below, place, side="right")] for place in (low, high))
    return first * (1 - share) + second * share


def mapped(x: np.ndarray, knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Piecewise linear from knots to values; on a run of equal knots (a flat area) the mean of the run's values.

    A run's mean, not its middle: where a picture is half black and the reference half less one pixel, black must not
    become grey.

    Args:
        x: (N,). knots, values: (QUANTILES,), ascending.

    Returns:
        (N,) float64; what lies beyond the first or the last knot takes its value.
    """
    last = len(knots) - 1
    first = np.searchsorted(knots, x, side="left")
    after = np.searchsorted(knots, x, side="right")
    left, right = np.maximum(first - 1, 0), np.minimum(first, last)
    span = knots[right].astype(np.float64) - knots[left]
    share = np.clip((x - knots[left]) / np.maximum(span, 1e-12), 0, 1)
    start = values[left].astype(np.float64)
    between = start + (values[right] - start) * share
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    on_knots = (sums[after] - sums[first]) / np.maximum(after - first, 1)
    return np.where(after > first, on_knots, between)
