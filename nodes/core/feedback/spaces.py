"""The colour spaces in which colours are matched, and the grids on which their values are counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

_LINEAR_BELOW = 0.04045


@dataclass(frozen=True)
class Space:
    """A colour space of three channels, each counted on a grid of even steps.

    encode, decode: (H, W, 3) float32 sRGB 0..1 to this space and back; out of gamut is clipped or nearly so.
    steps: grid steps to one unit, of each channel. low, high: the first and the last grid point, in units.
    circular: the channel that begins anew after its last grid point, which is no turn itself; -1 is none.
    """

    encode: Callable[[np.ndarray], np.ndarray]
    decode: Callable[[np.ndarray], np.ndarray]
    steps: tuple[int, int, int]
    low: tuple[int, int, int]
    high: tuple[float, float, float]
    circular: int = -1

    def grid(self, channel: int) -> np.ndarray:
        """The values of a channel's grid points, float64, ascending."""
        steps = self.steps[channel]
        first, last = round(self.low[channel] * steps), round(self.high[channel] * steps)
        return np.arange(first, last + 1) / steps

    def places(self, channel: int, plane: np.ndarray) -> np.ndarray:
        """The grid point nearest to each value of a channel: numbers to index `grid` with.

        Args:
            plane: (H, W) float32. Values outside lie at the grid's ends.

        Returns:
            (H, W) int32.
        """
        import cv2

        steps = self.steps[channel]
        first, last = round(self.low[channel] * steps), round(self.high[channel] * steps)
        # One pass that scales, shifts, rounds and cuts off what is below 0.
        places = cv2.addWeighted(plane, steps, plane, 0, -first, dtype=cv2.CV_16U)
        if channel == self.circular:
            places[places > last - first] = 0
        return np.minimum(places, last - first).astype(np.int32)


def linear_from_srgb(pixels: np.ndarray) -> np.ndarray:
    """Light from sRGB values (IEC 61966-2-1): (H, W, 3) float32, 0..1."""
    import cv2

    light = cv2.pow(pixels * np.float32(1 / 1.055) + np.float32(0.055 / 1.055), 2.4)
    rows = (len(pixels), -1)
    dark = (pixels <= np.float32(_LINEAR_BELOW)).view(np.uint8).reshape(rows)
    straight = (pixels * np.float32(1 / 12.92)).reshape(rows)
    return np.asarray(cv2.copyTo(straight, dark, light.reshape(rows))).reshape(pixels.shape)


def _lab(pixels: np.ndarray) -> np.ndarray:
    import cv2

    # From linear light: what OpenCV does with sRGB itself is interpolated in a table, and off by up to half a unit.
    return cv2.cvtColor(linear_from_srgb(pixels), cv2.COLOR_LRGB2Lab)


def _from_lab(pixels: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_Lab2RGB)


def _hsv(pixels: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)


def _from_hsv(pixels: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_HSV2RGB)


def _same(pixels: np.ndarray) -> np.ndarray:
    return pixels


SPACES: Mapping[str, Space] = {
    "rgb": Space(_same, _same, (2048, 2048, 2048), (0, 0, 0), (1, 1, 1)),
    # Hue in degrees, saturation and value 0..1.
    "hsv": Space(_hsv, _from_hsv, (8, 2048, 2048), (0, 0, 0), (360 - 1 / 8, 1, 1), circular=0),
    # CIE LAB under D65: L 0..100.
    "lab": Space(_lab, _from_lab, (16, 16, 16), (0, -128, -128), (100, 128, 128)),
}
