"""The demo model's mathematics: the exact denoiser of a Gaussian random field that looks like a sky.

A picture y is drawn before its tone curve (`encode_picture` below) as a smooth vertical mean plus a field of correlated
colours whose covariance is diagonal in the cosine basis (DCT-II). That basis mirrors the picture at its borders, so
nothing wraps around as it would with a plain Fourier transform. For such a field the best denoiser in the mean square,
`E[z | z + sigma n]`, is a Wiener filter for every colour axis and wavelength:

    D(x, sigma) = mu + T^-1( lambda P / (lambda P + sigma^2)  T(x - mu) )

with T the orthonormal cosine transform and the rotation to the palette's colour axes, lambda the variance along an
axis, P the power spectrum. It is exact for every palette, the neutral one of an empty prompt as well, and so is any
sampler built on it up to its own discretisation.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from .palette import Palette

LATENT_SCALE = 0.085
"""Latent units per unit before the tone curve: it sets which share of the picture a given sigma can still redraw."""

OUTER_SCALE = 2.8
"""Cycles per picture height under which the spectrum flattens: larger shapes come from the mean."""

HORIZON = 0.74
"""Where the horizon lies, in picture heights from the top."""

COLOUR_FALLOFF = 0.9
"""How much faster than brightness an axis of vanishing variance falls off, in powers of the squared frequency."""

_EDGE = 1.0 - 2.0 / 1024


def decode_picture(latent: Tensor) -> Tensor:
    """Latent (..., 3, H, W) to RGB strictly within 0..1; a soft curve, so that nothing is ever clipped."""
    return 0.5 + 0.5 * torch.tanh(latent.float() / LATENT_SCALE)


def encode_picture(image: Tensor) -> Tensor:
    """RGB (..., 3, H, W), 0..1, to latent: the inverse of `decode_picture`.

    Black and white are taken half an 8-bit level inwards, where the curve is still finite.
    """
    return torch.atanh((image.float() * 2 - 1).clamp(-_EDGE, _EDGE)) * LATENT_SCALE


@lru_cache(maxsize=16)
def _twiddle(n: int, device: torch.device) -> Tensor:
    k = torch.arange(n // 2 + 1, dtype=torch.float64)
    return torch.polar(torch.ones_like(k), -math.pi * k / (2 * n)).to(device=device, dtype=torch.complex64)


@lru_cache(maxsize=16)
def _fold(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    order = torch.cat((torch.arange(0, n, 2), torch.arange(1, n, 2).flip(0)))
    return order.to(device), torch.argsort(order).to(device)


def _packed_index(n: int) -> Tensor:
    """Which cosine each pair of a packed axis holds: (n // 2 + 1, 2), rows (k, n - k)."""
    k = torch.arange(n // 2 + 1)
    return torch.stack((k, n - k), -1)


def cosine_transform(x: Tensor) -> Tensor:
    """DCT-II over the last two axes, unnormalised and packed.

    Makhoul's way (1980): even samples forwards, odd ones backwards, then a real FFT. Cosines k and n - k of an axis
    are the real and the negative imaginary part of one complex number, and stay such a pair, since sorting them would
    cost as much as the FFT.

    Returns: (..., h // 2 + 1, 2 (w // 2 + 1), 2): pairs of rows, paired columns, the pairs of the rows.
    """
    h, w = x.shape[-2:]
    x = x.index_select(-1, _fold(w, x.device)[0]).index_select(-2, _fold(h, x.device)[0])
    rows = torch.view_as_real(torch.fft.rfft(x).mul_(_twiddle(w, x.device))).flatten(-2)
    return torch.view_as_real(torch.fft.rfft(rows, dim=-2).mul_(_twiddle(h, x.device)[:, None]))


def inverse_cosine_transform(packed: Tensor, size: tuple[int, int]) -> Tensor:
    """Inverse of `cosine_transform`; size (h, w) of the picture."""
    h, w = size
    columns = torch.view_as_complex(packed) * _twiddle(h, packed.device).conj()[:, None]
    rows = torch.fft.irfft(columns, n=h, dim=-2).unflatten(-1, (-1, 2)).contiguous()
    x = torch.fft.irfft(torch.view_as_complex(rows).mul_(_twiddle(w, packed.device).conj()), n=w)
    return x.index_select(-2, _fold(h, x.device)[1]).index_select(-1, _fold(w, x.device)[1])


def spectrum(size: tuple[int, int], slope: float, stretch: float, band: float) -> Tensor:
    """Power of every cosine along a colour axis of variance 1, (h, w) float64, in latent units.

    Args:
        size: (h, w) in pixels. Wavelengths count in picture heights, so the look does not depend on it.
        slope: power falls as wavelength^slope beyond the outer scale.
        stretch: width to height of the shapes.
        band: power of the purely horizontal bands. The mean lays those out, so they are kept low and a new palette
            takes over within a few frames.
    """
    h, w = size
    down, across = torch.arange(h)[:, None], torch.arange(w)[None]
    return _power(size, across, _falloff(size, down, across, stretch), slope, stretch, band)


def _falloff(size: tuple[int, int], p: Tensor, q: Tensor, stretch: float) -> Tensor:
    """Logarithm of 1 plus the squared frequency, in outer scales, of cosine p down and q across."""
    fy = p.double().square() * (0.25 / stretch / OUTER_SCALE**2)
    fx = q.double().square() * (0.25 * stretch * (size[0] / size[1] / OUTER_SCALE) ** 2)
    return torch.log1p(fx + fy)


def _power(size: tuple[int, int], q: Tensor, falloff: Tensor, slope: float, stretch: float, band: float) -> Tensor:
    power = torch.exp(falloff * (-slope / 2)) * (LATENT_SCALE**2 / _mean_power(size, slope, stretch))
    return torch.where(q == 0, power.clamp(max=band), power)


@lru_cache(maxsize=64)
def _mean_power(size: tuple[int, int], slope: float, stretch: float) -> float:
    """Mean over all cosines but the bands, before it is made a variance of 1."""
    h, w = size
    falloff = _falloff(size, torch.arange(h)[:, None], torch.arange(1, w)[None], stretch)
    return max(float(torch.exp(falloff * (-slope / 2)).sum()) / (h * w), 1e-12)


def axis_powers(palette: Palette, size: tuple[int, int], p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Colour axes of a palette (3, 3), one a row, and the power along each at cosine p down and q across, (3, ...).

    Brightness varies at all wavelengths, colour over long ones: an axis falls off the more steeply the less of the
    variance it has. All float64.
    """
    variances, axes = torch.linalg.eigh(torch.tensor(palette.covariance, dtype=torch.float64))
    variances = variances.clamp(min=1e-4)
    falloff = _falloff(size, p, q, palette.stretch)
    power = _power(size, q, falloff, palette.slope, palette.stretch, palette.band)
    steeper = COLOUR_FALLOFF * (1 - variances / variances[-1])
    powers = [
        variance * power * torch.exp(falloff * -extra) for variance, extra in zip(variances, steeper, strict=True)
    ]
    return axes.T.contiguous(), torch.stack(powers)


def mean_picture(palette: Palette, height: int, device: torch.device | str = "cpu") -> Tensor:
    """The field's mean in latent units, (3, H, 1): zenith over horizon over ground, in picture heights."""
    t = (torch.arange(height, dtype=torch.float64) + 0.5) / height - HORIZON
    ground = torch.sigmoid(t / 0.025)
    near = torch.exp(-((t / torch.where(t < 0, 0.36, 0.09)) ** 2))
    weights = torch.stack(((1 - ground) * (1 - near), near, ground * (1 - near)))
    stops = torch.tensor(palette.stops, dtype=torch.float64)
    return (stops.T @ weights * LATENT_SCALE).float()[..., None].to(device)


@dataclass(frozen=True)
class Field:
    """A palette made ready for one picture size.

    mean (3, H, 1); axes (3, 3), a colour axis a row; inverse_power (3, ...) along them, packed as the transform.
    """

    mean: Tensor
    axes: Tensor
    inverse_power: Tensor


@lru_cache(maxsize=6)
def prepare(palette: Palette, size: tuple[int, int], device: torch.device) -> Field:
    """The field of a palette at a picture size (h, w)."""
    p, q = _packed_index(size[0])[:, None, :], _packed_index(size[1]).flatten()[None, :, None]
    axes, powers = axis_powers(palette, size, p, q)
    return Field(
        mean_picture(palette, size[0], device), axes.float().to(device), powers.reciprocal().float().to(device)
    )


def softened(cfg: float) -> float:
    """How strongly a guidance scale steers this model: a fifth of its distance from 1.

    Guidance extrapolates the mean, and this model's mean is exact: at the usual 7 a trained network, which errs on the
    side of the average, comes out right, and the sky would burn.
    """
    return 1 + (cfg - 1) / 5


def denoise(x: Tensor, sigma: Tensor, palettes: list[Palette]) -> Tensor:
    """E[z | z + sigma n = x] under each palette's field.

    Args:
        x: (B, 3, H, W) latent.
        sigma: (B,) or a scalar, >= 0; infinity gives the mean.
        palettes: B of them.

    Returns: (B, 3, H, W) float32.
    """
    size = (x.shape[-2], x.shape[-1])
    sigma = sigma.to(x.device, torch.float32).reshape(-1).expand(x.shape[0])
    fields = [prepare(palette, size, x.device) for palette in palettes]
    means = torch.stack([field.mean for field in fields])
    axes = torch.stack([field.axes for field in fields])
    rotated = torch.bmm(axes, (x.float() - means).flatten(2)).unflatten(2, size)
    coefficients = cosine_transform(rotated)
    for plane, noise, field in zip(coefficients, sigma.square(), fields, strict=True):
        plane.div_(noise * field.inverse_power + 1)
    filtered = inverse_cosine_transform(coefficients, size).flatten(2)
    return torch.bmm(axes.transpose(1, 2), filtered).unflatten(2, size) + means
