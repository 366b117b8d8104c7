"""Hue has no beginning and no end: its distribution, and the least turn from one to another.

Classic Deforum matches the histogram of hue as if it were a line that begins at red, so that the reds on both sides of
its beginning are torn apart. Here a distribution is unrolled from where it has the least, and two are laid against each
other such that all hues together are turned least (the shortest transport on a circle: J. Delon, J. Salomon and
A. Sobolevski, 2010). A pixel counts as much as it has colour: the hue of greys is chance.
"""

import numpy as np

from .tables import QUANTILES, mapped

_TURN = 360.0


def hue_quantiles(grid: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The quantiles of hue, unrolled.

    Args:
        grid: (N,) degrees, evenly over 0..360. weights: (N,) how much colour each hue has; 0 in all counts as even.

    Returns:
        (QUANTILES,) float32, ascending by less than 360: it begins after the widest gap, and may go on beyond 360.
    """
    if not weights.any():
        weights = np.ones_like(weights)
    found = _unrolled(grid, weights, 0)
    gaps = np.diff(found, append=found[0] + _TURN)
    widest = int(np.argmax(gaps))
    start = found[(widest + 1) % QUANTILES] % _TURN
    return _unrolled(grid, weights, _place(grid, start)).astype(np.float32)


def hue_map(grid: np.ndarray, weights: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where every hue of the grid goes.

    Args:
        grid, weights: see ``hue_quantiles``, of the picture. target: (QUANTILES,) of the reference.

    Returns:
        (N,) float64, in degrees; whole turns more or less mean nothing.
    """
    if not weights.any():
        return grid.astype(np.float64)
    own = hue_quantiles(grid, weights)
    shift = least_turn(own, target)
    cut = (-shift) % (QUANTILES - 1)
    if cut:
        own = _unrolled(grid, weights, _place(grid, own[cut] % _TURN))
    start = float(own[0])
    lifted = start + (grid - start) % _TURN
    found = mapped(lifted, own, target)
    # Between the last and the first hue that there is lies nothing, but for holes and greys: they keep their distance.
    return np.where(lifted > own[-1], lifted + float(target[-1]) - float(own[-1]), found)


def least_turn(own: np.ndarray, target: np.ndarray) -> int:
    """By how many quantiles the target is to be moved along so that the mean square of all turns is least.

    The cost is convex in the move, so that its least value is where it stops falling.

    Args:
        own, target: (QUANTILES,), unrolled. The n-th of `own` goes to the (n + move)-th of `target`, rolled on and on.
    """
    here = (own[:-1] + own[1:]).astype(np.float64) / 2
    there = (target[:-1] + target[1:]).astype(np.float64) / 2
    count = len(here)

    def cost(move: int) -> float:
        turns, place = np.divmod(np.arange(count) + move, count)
        return float(np.square(there[place] + _TURN * turns - here).sum())

    low, high = -2 * count, 2 * count
    while low < high:
        middle = (low + high) // 2
        if cost(middle + 1) >= cost(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _unrolled(grid: np.ndarray, weights: np.ndarray, start: int) -> np.ndarray:
    """Quantiles by weight, float64, unrolled from a grid point on."""
    rolled = np.roll(weights, -start)
    values = np.roll(grid, -start).astype(np.float64)
    values[values < values[0]] += _TURN
    below = np.cumsum(rolled, dtype=np.float64)
    position = np.linspace(0, below[-1], QUANTILES)
    # The first is the least hue that there is, not the first grid point.
    position[0] = np.nextafter(0, 1)
    return values[np.minimum(np.searchsorted(below, position, side="left"), len(grid) - 1)]


def _place(grid: np.ndarray, hue: float) -> int:
    return round(float(hue) * len(grid) / _TURN) % len(grid)
