"""Words to colours: what the demo model understands of a prompt.

Every word that is known gives the colours of a sky: high up, at the horizon, on the ground, of the clouds and of an
accent. Colour names tint. Several words mix as distributions do: means average, and the distance between the words'
colours adds to the variance. A word that is not known gives colours too, from its spelling, so that any text paints.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .errors import FramedriftError
from .words import COLOURS, SCENES, STOP_WORDS, known_form, weighted_words

VECTOR_SIZE = 24
CONTRAST = 0.45
"""Standard deviation along a palette's main colour axis, before the tone curve. All palettes share it, as guidance
multiplies any difference between a prompt's variance and the neutral one."""
NEUTRAL_SLOPE = 3.4
NEUTRAL_STRETCH = 1.6

_CLOUD_SHARE = 0.15
_ACCENT = 0.11
_FLOOR = 0.01
_SPREAD = 0.2
_ELSEWHERE = 0.2


@dataclass(frozen=True)
class Palette:
    """The parameters of a field, all before the tone curve.

    stops: mean colours at zenith, horizon and ground, three rows of RGB.
    covariance: of the colours, three rows; its largest eigenvalue is CONTRAST squared.
    slope, stretch, band: see `field.spectrum`.
    """

    stops: tuple[tuple[float, ...], ...]
    covariance: tuple[tuple[float, ...], ...]
    slope: float = NEUTRAL_SLOPE
    stretch: float = NEUTRAL_STRETCH
    band: float = 2.0


NEUTRAL = Palette(
    stops=((0.0,) * 3,) * 3,
    covariance=tuple(tuple(CONTRAST**2 * (i == j) for j in range(3)) for i in range(3)),
    band=40.0,
)
"""What guidance (cfg) steers away from when nothing is named: any colour in any direction. It weighs every palette's
main axis alike, so that a picture moves towards its prompt's colours without its clouds being amplified."""


@dataclass(frozen=True)
class _Look:
    stops: np.ndarray
    covariance: np.ndarray
    slope: float
    stretch: float


def _before_tone(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.arctanh(np.clip(rgb * 2 - 1, -0.94, 0.94))


def _look(colours: str, slope: float = 0.0, stretch: float = 1.0) -> _Look:
    zenith, horizon, ground, cloud, accent = (_before_tone(colour) for colour in colours.split())
    stops = np.stack((zenith, horizon, ground))
    sky = (zenith + horizon) / 2
    main = _unit(cloud - sky)
    side = accent - sky
    side = _unit(side - main * (side @ main))
    covariance = CONTRAST**2 * (np.outer(main, main) + _ACCENT * np.outer(side, side))
    return _Look(
        stops + _CLOUD_SHARE * (cloud - stops), covariance, NEUTRAL_SLOPE + slope, math.log(NEUTRAL_STRETCH * stretch)
    )


def _unit(direction: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(direction))
    return direction / length if length > 1e-6 else np.full(3, 1 / math.sqrt(3))


def _tint(colour: str) -> _Look:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)])
    shades = (rgb * 0.45, rgb * 0.75 + 40, rgb * 0.3, rgb * 0.8 + 51, np.roll(rgb, 1) * 0.6 + 60)
    return _look(" ".join("".join(f"{int(v):02x}" for v in np.clip(shade, 0, 255)) for shade in shades))


def _invented(text: str) -> _Look:
    """Colours from a spelling: two hues a third of the circle apart, one lightness for the sky and one for clouds."""
    digest = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    hue, turn, light = (digest & 0x3FF) / 1024, 0.12 + (digest >> 10 & 0xFF) / 256 * 0.38, (digest >> 18 & 0xFF) / 255
    sky = _hsv(hue, 0.75, 0.35 + 0.3 * light)
    near = _hsv(hue + turn / 2, 0.45, 0.75 + 0.2 * light)
    cloud = _hsv(hue + turn, 0.3 + 0.2 * (1 - light), 0.95)
    return _look(" ".join((sky, near, _hsv(hue + turn, 0.6, 0.22), cloud, _hsv(hue - turn, 0.7, 0.7))))


def _hsv(hue: float, saturation: float, value: float) -> str:
    channels = (
        value * (1 - saturation * (1 - min(1, max(0, abs((hue * 6 - shift) % 6 - 3) - 1)))) for shift in (0, 2, 4)
    )
    return "".join(f"{round(255 * channel):02x}" for channel in channels)


_PLAIN = _look("64788c b4bec6 4a545c eceef0 8c9cb4")


def palette_vector(text: str) -> Tensor:
    """A prompt as (VECTOR_SIZE,) float32: its palette's difference from a plain grey sky, which is the empty prompt.

    Vectors may be blended linearly; `palette_from` reads any blend.
    """
    if not text.strip():
        return torch.zeros(VECTOR_SIZE)
    looks: list[_Share] = []
    unknown: list[_Share] = []
    for word, weight, below in weighted_words(text):
        if (scene := known_form(word, SCENES)) is not None:
            looks.append(_Share(_look(*SCENES[scene]), weight, below))
        elif (colour := known_form(word, COLOURS)) is not None:
            looks.append(_Share(_tint(COLOURS[colour]), 0.8 * weight, below))
        elif word not in STOP_WORDS:
            unknown.append(_Share(_invented(word), weight, below))
    if looks:
        looks += [replace(share, weight=0.04 * share.weight) for share in unknown]
    return _vector(_mix(looks or unknown or [_Share(_invented(text), 1.0, False)]))


@dataclass(frozen=True)
class _Share:
    """A word's look, how much it counts, and whether it stands for what is below."""

    look: _Look
    weight: float
    below: bool


def _mix(shares: list[_Share]) -> _Look:
    above, ground = _weights(shares, below=False), _weights(shares, below=True)
    by_row = np.stack((above, above, ground), 1)
    all_stops = np.stack([share.look.stops for share in shares])
    stops = np.einsum("ij,ijk->jk", by_row, all_stops)
    offsets = all_stops - stops
    covariance = np.einsum("i,ijk->jk", above, np.stack([share.look.covariance for share in shares]))
    covariance += _SPREAD * np.einsum("ij,ijk,ijl->kl", by_row, offsets, offsets) / 3
    # Opposite colours would mix to grey: the mixture is made as vivid as its parts are.
    chroma = stops - stops.mean(1, keepdims=True)
    vivid = np.einsum("ij,ij->j", by_row, np.linalg.norm(all_stops - all_stops.mean(2, keepdims=True), axis=2))
    lift = np.clip(vivid / np.maximum(np.linalg.norm(chroma, axis=1), 1e-6), 1.0, 2.5)
    slope = float(above @ [share.look.slope for share in shares])
    stretch = float(above @ [share.look.stretch for share in shares])
    return _Look(stops + chroma * (lift - 1)[:, None], covariance, slope, stretch)


def _weights(shares: list[_Share], below: bool) -> np.ndarray:
    """Shares for the sky or for the ground: `over` and its like put words on the ground, if any stand there."""
    if all(share.below == shares[0].below for share in shares):
        below = shares[0].below
    weights = np.array([max(share.weight, 1e-6) * (1 if share.below == below else _ELSEWHERE) for share in shares])
    return weights / weights.sum()


def _vector(look: _Look) -> Tensor:
    top = float(np.linalg.eigvalsh(look.covariance)[-1])
    covariance = look.covariance * (CONTRAST**2 / top) - _PLAIN.covariance
    numbers = [*(look.stops - _PLAIN.stops).ravel(), *covariance.ravel()]
    numbers += [look.slope - _PLAIN.slope, look.stretch - _PLAIN.stretch]
    return torch.tensor(numbers + [0.0] * (VECTOR_SIZE - len(numbers)), dtype=torch.float32)


def palette_from(vector: Tensor) -> Palette:
    """The palette of a vector, of a blend of vectors, or of several tokens (T, VECTOR_SIZE), which count alike.

    Raises: FramedriftError when the numbers are not this model's.
    """
    if vector.shape[-1] != VECTOR_SIZE:
        raise FramedriftError(
            f"the Procedural Model was given a conditioning of width {vector.shape[-1]}: encode its prompts with the "
            "CLIP that the Procedural Model node gives"
        )
    numbers = np.nan_to_num(vector.detach().double().reshape(-1, VECTOR_SIZE).mean(0).cpu().numpy(), posinf=0, neginf=0)
    stops = np.clip(_PLAIN.stops + numbers[:9].reshape(3, 3), -3, 3)
    covariance = _PLAIN.covariance + numbers[9:18].reshape(3, 3)
    values, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    values = np.clip(values / max(values[-1], 1e-6), _FLOOR, 1) * CONTRAST**2
    covariance = axes * values @ axes.T
    return Palette(
        stops=tuple(map(tuple, stops.tolist())),
        covariance=tuple(map(tuple, covariance.tolist())),
        slope=float(np.clip(_PLAIN.slope + numbers[18], 2, 4.5)),
        stretch=float(np.clip(math.exp(np.clip(_PLAIN.stretch + numbers[19], -2, 2)), 0.25, 6)),
    )


def palettes_from(context: Tensor, negative: Sequence[bool]) -> list[Palette]:
    """The palettes of a batch of conditionings (B, T, VECTOR_SIZE).

    A negative one gives up its variances for the neutral ones and keeps half of its colours: guidance divides by the
    negative's variance, and a palette has little of it off its main axis.
    """
    return [
        _away_from(vector) if away else palette_from(vector) for vector, away in zip(context, negative, strict=True)
    ]


def _away_from(vector: Tensor) -> Palette:
    offset = (np.array(palette_from(vector).stops) - _PLAIN.stops) / 2
    return replace(NEUTRAL, stops=tuple(map(tuple, offset.tolist())))
