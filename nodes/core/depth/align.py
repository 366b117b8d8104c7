"""Gives the disparity of every frame one common scale, so that a scene does not breathe or jump."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as nn

from ..errors import FramedriftError

Blocks = np.ndarray

_GRID = 32  # Fits look at about this many blocks a side, each stood for by its median.
_BLOCK = 16  # A block's median is taken over at most this many pixels a side.
_RANGE = (0.01, 0.99)
_MIDDLE = (0.1, 0.9)
_FLAT = 1e-6  # A range below this share of the values' size holds nothing to fit to.
_EDGE = 0.02
_LEFT = 0.4
_MIN_BLOCKS = 16
_MIN_CORRELATION = 0.3
_ROUNDS = 12
_TUKEY = 4.685  # 95 % efficient on Gaussian noise.
_PULL = 0.02
_BELIEVED = math.log(2.0)
_HOLD = 0.5
_AGREE = 0.03
_SHARES = (3, 10, 30)


class DepthTracker:
    """Turns a model's raw disparity, frame after frame, into one consistent disparity from 0 to 1.

    A depth model's scale and shift are arbitrary and change from frame to frame. The first frame sets them so that
    its 1st to 99th percentile fill 0..1. For each later frame they are fitted, robustly, to the disparity before,
    moved by the camera. Three things keep a long chain of such fits from drifting:

    - both sides of the fit have noise, and plain least squares would lose contrast every time. So the fit is
      symmetric in both (the ratio of deviations, weighted by Tukey's biweight), on medians of small blocks, which
      lets hardly any noise in and ignores scattered outliers;
    - the fit is pulled by 2 % a frame towards the one that gives the pixels which it goes through the 10th and 90th
      percentile of the first frame: that bounds what errors can add up to, and is too slow to be seen. It is let go
      of where the two are further than about a factor of two apart: a bare wall is to stay one;
    - where the new disparity agrees with the one before within about 3 % of the range, half of the latter is kept,
      which calms flicker. Where they disagree, as at moving edges, nothing is blended.

    A frame with nothing to fit to (flat, hardly overlapping, or unlike the one before) takes the scale of the last.

    Args:
        calibrated: the model's values are already 0..1, and are only clamped.
    """

    def __init__(self, calibrated: bool) -> None:
        self.calibrated = calibrated
        self._scale = math.nan
        self._shift = math.nan
        self._low = math.nan
        self._high = math.nan

    def update(
        self, raw: torch.Tensor, predicted: torch.Tensor | None = None, valid: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The aligned disparity of the next frame.

        Args:
            raw: (1, 1, H, W), the model's disparity in its own scale, larger is nearer.
            predicted: (1, 1, H, W), the last aligned disparity moved by the camera; None on a first frame and cuts.
            valid: (1, 1, H, W), how far `predicted` is to be trusted, 0..1 (0 where the camera uncovered something);
                None is everywhere.

        Returns:
            (1, 1, H, W) float32, 0..1, on the device of `raw`.

        Raises:
            FramedriftError: a shape is wrong, or a value is NaN or infinite.
        """
        raw = _checked(raw, "disparity").to(torch.float32)
        if self.calibrated:
            return raw.clamp(0.0, 1.0)
        if predicted is not None:
            predicted = _same_size(_checked(predicted, "predicted disparity"), raw)
        trust = torch.ones_like(raw) if valid is None else _same_size(_checked(valid, "validity"), raw).clamp(0.0, 1.0)

        fit = None if predicted is None else _fit(raw, predicted, trust)
        if predicted is None or math.isnan(self._scale):
            blocks = _medians(raw, None)
            start = (fit.scale, fit.shift) if fit else _spread(blocks, _RANGE, (0.0, 1.0))
            if start is None:
                # Nothing to take a scale from, and nothing is remembered: the next frame with any depth sets it.
                self._scale = self._shift = math.nan
                return torch.full_like(raw, 0.5)
            self._scale, self._shift = start
            self._low, self._high = (start[0] * value + start[1] for value in _quantiles(blocks, _MIDDLE))
        elif fit is not None:
            self._scale, self._shift = fit.scale, fit.shift
            own = _spread(fit.agreeing, _MIDDLE, (self._low, self._high))
            if own is not None:
                # A view that holds much less depth than the first is no sign of lost contrast.
                pull = _PULL * math.exp(-((math.log(own[0] / self._scale) / _BELIEVED) ** 2))
                self._scale += pull * (own[0] - self._scale)
                self._shift += pull * (own[1] - self._shift)

        aligned = (raw.to(torch.float64) * self._scale + self._shift).clamp(0.0, 1.0).to(torch.float32)
        if predicted is None or fit is None:
            return aligned
        off = predicted.to(torch.float32).clamp(0.0, 1.0) - aligned
        return aligned + _HOLD * trust * torch.exp(-((off / _AGREE) ** 2)) * off

    def state(self) -> dict[str, torch.Tensor]:
        """What the next frame needs besides the last disparity: float64 tensors, exact to the bit."""
        values = {"scale": self._scale, "shift": self._shift, "low": self._low, "high": self._high}
        return {key: torch.tensor([value], dtype=torch.float64) for key, value in values.items()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Goes on from what `state` returned; other entries are left alone.

        Raises:
            FramedriftError: an entry is missing.
        """
        missing = self.state().keys() - state.keys()
        if missing:
            raise FramedriftError(f"The saved depth state lacks {', '.join(sorted(missing))}.")
        self._scale, self._shift, self._low, self._high = (
            float(state[key].reshape(-1)[0]) for key in ("scale", "shift", "low", "high")
        )


def _checked(values: torch.Tensor, what: str) -> torch.Tensor:
    if values.ndim != 4 or values.shape[:2] != (1, 1) or values.numel() == 0:
        raise FramedriftError(f"Depth: the {what} must be (1, 1, H, W), but is {tuple(values.shape)}.")
    if not torch.isfinite(values).all():
        raise FramedriftError(f"Depth: the {what} holds values that are no numbers (NaN or infinite).")
    return values


def _same_size(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    values = values.to(device=like.device, dtype=torch.float32)
    if values.shape == like.shape:
        return values
    return nn.interpolate(values, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _medians(values: torch.Tensor, keep: torch.Tensor | None) -> Blocks:
    """Medians of blocks, (N,) float64; NaN for a block of which `keep` leaves less than half.

    NumPy from here on: the numbers are few, and its sums do not depend on how many threads there are.
    """
    height, width = values.shape[-2:]
    # Strides thin large pictures out, so that the cost does not grow with the size.
    step = [max(1, size // (_GRID * _BLOCK)) for size in (height, width)]
    thin = values[0, 0, :: step[0], :: step[1]]
    side = [max(1, min(_BLOCK, size // _GRID)) for size in thin.shape]
    rows, columns = (size // length for size, length in zip(thin.shape, side, strict=True))

    def cut(tensor: torch.Tensor) -> np.ndarray:
        pieces = tensor[: rows * side[0], : columns * side[1]].cpu().numpy()
        pieces = pieces.reshape(rows, side[0], columns, side[1]).transpose(0, 2, 1, 3)
        return pieces.reshape(rows * columns, side[0] * side[1])

    pieces = cut(thin)
    count = np.full(len(pieces), pieces.shape[1])
    if keep is not None:
        kept = cut(keep[0, 0, :: step[0], :: step[1]])
        pieces = np.where(kept, pieces, np.inf)
        count = kept.sum(axis=1)
    middle = np.maximum(count - 1, 0) // 2
    medians = np.sort(pieces, axis=1)[np.arange(len(pieces)), middle].astype(np.float64)
    return np.where(2 * count >= pieces.shape[1], medians, np.nan)


def _quantiles(blocks: Blocks, shares: tuple[float, float]) -> tuple[float, float]:
    low, high = np.quantile(blocks, shares).tolist()
    return low, high


def _spread(blocks: Blocks, shares: tuple[float, float], target: tuple[float, float]) -> tuple[float, float] | None:
    """Scale and shift that bring two quantiles to two values; None where either pair is too close together."""
    low, high = _quantiles(blocks, shares)
    if high - low <= _FLAT * max(abs(low), abs(high), _FLAT) or target[1] - target[0] <= _FLAT:
        return None
    scale = (target[1] - target[0]) / (high - low)
    return scale, target[0] - low * scale


@dataclass(frozen=True)
class _Fit:
    scale: float
    shift: float
    agreeing: Blocks  # (N,) what the raw blocks that the line goes through hold


def _fit(raw: torch.Tensor, predicted: torch.Tensor, trust: torch.Tensor) -> _Fit | None:
    """Scale and shift with `predicted = scale * raw + shift`, robust and symmetric; None where nothing is to be had.

    Iteratively reweighted: Tukey's biweight on the residuals, its scale from their median absolute deviation.
    """
    keep = trust > 0.5
    # The same pixels on both sides: the median then goes with the scale and the shift exactly.
    x, y = _medians(raw, keep), _medians(predicted, keep)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    if x.size < _MIN_BLOCKS:
        return None
    line = _median_line(x, y)
    if line is None:
        return None
    scale, shift = line
    # Values at the ends of the range were cut off there, and would flatten the slope. The choice looks at both sides
    # alike: choosing by one would flatten it as well. But where little depth is left between the ends, as of a wall
    # behind a board that has come too near, a slope a little too flat is better than one through noise.
    middle = 0.5 * (y + scale * x + shift)
    free = (middle > _EDGE) & (middle < 1.0 - _EDGE)
    if free.sum() < max(_MIN_BLOCKS, x.size // 10) or np.std(y[free]) < _LEFT * np.std(y):
        free[:] = True
    correlation = spread = 0.0
    for _ in range(_ROUNDS):
        residual = (y - (scale * x + shift))[free]
        spread = max(1.4826 * float(np.median(np.abs(residual))), 1e-4)
        weight = np.maximum(1.0 - (residual / (_TUKEY * spread)) ** 2, 0.0) ** 2
        weight = weight / weight.sum()
        mean_x, mean_y = float(weight @ x[free]), float(weight @ y[free])
        dx, dy = x[free] - mean_x, y[free] - mean_y
        xx, yy, xy = float(weight @ (dx * dx)), float(weight @ (dy * dy)), float(weight @ (dx * dy))
        if xx <= (_FLAT * max(abs(mean_x), _FLAT)) ** 2 or yy <= _FLAT**2:
            return None
        correlation = xy / math.sqrt(xx * yy)
        scale = math.sqrt(yy / xx)
        shift = mean_y - scale * mean_x
    if correlation < _MIN_CORRELATION:
        return None
    off = y - np.clip(scale * x + shift, 0.0, 1.0)
    return _Fit(scale, shift, x[np.abs(off) < _TUKEY * spread])


def _median_line(x: Blocks, y: Blocks) -> tuple[float, float] | None:
    """A first line through the points that a minority of outliers cannot turn; None where all x are alike.

    It runs as the medians of the lowest and of the highest points by x do, through the middle of all. Of the lines for
    a third, a tenth and a thirtieth of the points it is the one that most points agree with: where one thing stands
    out from a wall, only the smaller shares see it, and a third would run through the wall's noise.
    """
    order = np.argsort(x, kind="stable")
    best, agreed = None, -1
    for share in _SHARES:
        count = max(1, x.size // share)
        low, high = order[:count], order[-count:]
        run = float(np.median(x[high]) - np.median(x[low]))
        if run <= _FLAT * max(float(np.abs(x).max()), _FLAT):
            continue
        scale = float(np.median(y[high]) - np.median(y[low])) / run
        shift = float(np.median(y - scale * x))
        # Both sides end at 0 and 1.
        agreeing = int((np.abs(y - np.clip(scale * x + shift, 0.0, 1.0)) < _AGREE).sum())
        if agreeing > agreed:
            best, agreed = (scale, shift), agreeing
    return best
