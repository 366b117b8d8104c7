"""Histogram matching: a frame takes over the colours of a reference, channel by channel in a colour space.

Convention: images are float32 (1, 3, H, W), sRGB, 0..1. The reference is a table of quantiles, small enough to travel
in a run's state. Every channel is counted on a grid whose steps nobody sees: differences below one must not be
stretched, as those of a grey picture's a and b, which come from rounding alone; what lies between two grid points is
kept as it is. Counts and maps are made on the grid, so that a picture costs a few passes and no sort. All of it runs
on the CPU.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from .hue import hue_map, hue_quantiles
from .layout import from_pixels, to_pixels
from .spaces import SPACES, Space
from .tables import QUANTILES, mapped, quantiles_of


def color_quantiles(image: torch.Tensor, space: str, ignore: torch.Tensor | None = None) -> torch.Tensor:
    """The colour distribution of a picture.

    Args:
        image: (1, 3, H, W).
        space: "rgb", "hsv" or "lab".
        ignore: (1, 1, H, W), 1 where a pixel does not count (a hole); ``None`` counts all, and so does a picture of
            which hardly anything counts.

    Returns:
        (3, QUANTILES) float32, ascending along its rows, in the units of ``spaces``. For hue see ``hue_quantiles``.
    """
    import cv2

    found = SPACES[space]
    planes = [np.asarray(plane) for plane in cv2.split(found.encode(to_pixels(image.clamp(0, 1))))]
    count = _counter(found, planes, ignore)
    rows = [_quantiles(found, c, count(c, found.places(c, planes[c]))) for c in range(3)]
    return torch.from_numpy(np.stack(rows))


def match_colors(
    image: torch.Tensor, reference: torch.Tensor, space: str, ignore: torch.Tensor | None = None
) -> torch.Tensor:
    """Sends every channel through the monotone map that takes the picture's quantiles to the reference's.

    A picture that already has the reference's distribution comes back unchanged but for rounding. Hue, which has no
    beginning, is turned the least possible way instead: see ``hue_map``.

    Args:
        image: (1, 3, H, W).
        reference: what ``color_quantiles`` gave in the same space for the picture whose colours are wanted.
        space: "rgb", "hsv" or "lab".
        ignore: (1, 1, H, W), 1 where a pixel does not count in the picture's own distribution; it is still mapped.

    Returns:
        (1, 3, H, W), clipped to 0..1. A pixel that is no number harms no other, and may come back as one.
    """
    import cv2

    found = SPACES[space]
    pixels = found.encode(to_pixels(image.clamp(0, 1)))
    planes = [np.asarray(plane) for plane in cv2.split(pixels)]
    count = _counter(found, planes, ignore)
    target = reference.cpu().numpy()
    changes = []
    for c in range(3):
        grid, places = found.grid(c), found.places(c, planes[c])
        counts = count(c, places)
        if c == found.circular:
            goes = hue_map(grid, counts, target[c])
        else:
            goes = mapped(grid, quantiles_of(grid, counts), target[c])
        change = torch.from_numpy((goes - grid).astype(np.float32))
        taken = torch.index_select(change, 0, torch.from_numpy(places.ravel()))
        changes.append(taken.view(places.shape).numpy())
    return from_pixels(found.decode(cv2.add(pixels, cv2.merge(changes))), image).clamp_(0, 1)


def _quantiles(space: Space, channel: int, counts: np.ndarray) -> np.ndarray:
    return (hue_quantiles if channel == space.circular else quantiles_of)(space.grid(channel), counts)


def _counter(
    space: Space, planes: Sequence[np.ndarray], ignore: torch.Tensor | None
) -> Callable[[int, np.ndarray], np.ndarray]:
    """What counts the pixels on each grid point of a channel, given their places; hue by colour."""
    counted = None
    if ignore is not None and bool((ignore > 0).any()):
        counted = ignore[0, 0].cpu().numpy() < 0.5
        counted = counted if np.count_nonzero(counted) >= QUANTILES else None

    def count(channel: int, places: np.ndarray) -> np.ndarray:
        weights = planes[1] * planes[2] if channel == space.circular else None
        if counted is not None:
            places = places[counted]
            weights = weights[counted] if weights is not None else None
        if weights is not None:
            weights = np.ravel(weights)
        return np.bincount(places.ravel(), weights, minlength=len(space.grid(channel)))

    return count
