"""Noise: what a frame is diffused from, and what is laid over it before, so that the feedback keeps finding detail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch

from ..errors import FramedriftError
from ..random import generator
from .options import Option
from .perlin import deviation, perlin

NoiseType = Literal["gaussian", "uniform", "perlin", "clouds"]
NOISE_TYPES: tuple[NoiseType, ...] = get_args(NoiseType)

MOST_OCTAVES, MOST_CELLS = 7, 16.0
"""Deforum's. The finest of so many octaves has 1024 cells across, one for each pixel of a usual picture."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Noise(Option):
    """What kind of noise frames get before they are diffused, and how strong the latent's own noise is.

    Schedules: noise_multiplier_schedule, 1 by default: what the latent's noise is multiplied by where a frame starts
    from a picture (the WebUI's initial noise multiplier; Deforum's usual value is 1.05).

    Attributes:
        noise_type: "gaussian" is white noise of a normal distribution; Deforum calls it uniform, as it lies evenly over
            the picture. "uniform" is white noise whose values are all equally likely. "perlin" is Deforum's: Gaussian
            noise that is strong on the hills of a Perlin field and weak in its valleys. "clouds" is the Perlin field
            itself, one a channel: large soft patches of colour.
        perlin_w, perlin_h: cells across the width and the height, at the first octave; over 0 and up to MOST_CELLS,
            not necessarily whole.
        perlin_octaves: 1..MOST_OCTAVES; each has cells of half the size.
        perlin_persistence: 0..1, the weight of an octave by that of the one before it.

    Raises:
        FramedriftError: one of these is out of range.
    """

    TITLE: ClassVar[str] = "Noise"
    BOUNDS: ClassVar[Mapping[str, tuple[float, float]]] = {"noise_multiplier_schedule": (0.0, 10.0)}

    noise_type: NoiseType = "gaussian"
    perlin_w: float = 8.0
    perlin_h: float = 8.0
    perlin_octaves: int = 4
    perlin_persistence: float = 0.5

    def __post_init__(self) -> None:
        if self.noise_type not in NOISE_TYPES:
            raise FramedriftError(
                f"noise_type: there is no {self.noise_type!r}; choose one of {', '.join(NOISE_TYPES)}."
            )
        for name, cells in (("perlin_w", self.perlin_w), ("perlin_h", self.perlin_h)):
            if not 0 < cells <= MOST_CELLS:
                raise FramedriftError(f"{name} is {cells:g}; it must lie over 0, up to {MOST_CELLS:g}.")
        if not 1 <= self.perlin_octaves <= MOST_OCTAVES:
            raise FramedriftError(f"perlin_octaves is {self.perlin_octaves}; it must lie between 1 and {MOST_OCTAVES}.")
        if not 0 <= self.perlin_persistence <= 1:
            raise FramedriftError(f"perlin_persistence is {self.perlin_persistence:g}; it must lie between 0 and 1.")

    @property
    def cells(self) -> tuple[float, float]:
        """(down, across), for `perlin`."""
        return self.perlin_h, self.perlin_w

    def signature(self) -> Any:
        """The type, and what shapes it: Perlin's numbers only where there is Perlin noise."""
        if self.noise_type in ("gaussian", "uniform"):
            return [self.noise_type]
        return [self.noise_type, self.perlin_w, self.perlin_h, self.perlin_octaves, self.perlin_persistence]


def add_noise(
    image: torch.Tensor,
    amount: float,
    seed: int,
    frame: int,
    settings: Noise | None = None,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Adds noise to a picture.

    Args:
        image: (1, 3, H, W) float32, 0..1.
        amount: standard deviation in Deforum's unit, that of a picture running from -1 to 1: 0.065 is its default and
            0.0325 on our scale. 0 returns the same tensor. For "perlin" it is that of the Gaussian noise before the
            field, which runs about 0..1 and is 1/2 on the average, as in Deforum: the whole is about half as strong.
        seed, frame: name the noise; the same pair gives the same on every machine.
        settings: which kind; None is "gaussian".
        mask: (1, 1, H, W), 1 where there is noise, 0 where there is none; None is everywhere.

    Returns:
        (1, 3, H, W), clipped to 0..1.

    Raises:
        FramedriftError: the mask has another size than the picture.
    """
    if amount <= 0:
        return image
    noise = unit_noise((image.shape[-2], image.shape[-1]), seed, frame, settings, image.shape[1]).to(image)
    if mask is not None:
        if mask.shape[-2:] != image.shape[-2:]:
            raise FramedriftError(
                f"noise mask: it is {mask.shape[-1]}x{mask.shape[-2]}, the picture {image.shape[-1]}x{image.shape[-2]}."
            )
        noise.mul_(mask.to(noise))
    return noise.mul_(0.5 * amount).add_(image).clamp_(0, 1)


def unit_noise(
    size: tuple[int, int], seed: int, frame: int, settings: Noise | None = None, channels: int = 3
) -> torch.Tensor:
    """The noise of one frame, (1, channels, h, w) float32, mean 0, deviation 1 ("perlin": about 0.53).

    "perlin" is `g (1 + p) / 2`: g the noise that "gaussian" has with the same seed and frame, p one field over all
    channels, its octaves' sum as it is.
    """
    kind = settings.noise_type if settings is not None else "gaussian"
    shape = (1, channels, *size)
    if kind == "uniform":
        # A uniform distribution of deviation 1 reaches sqrt(3) to both sides.
        return torch.rand(shape, generator=generator(seed, frame, "noise")).sub_(0.5).mul_(math.sqrt(12))
    if settings is not None and kind == "clouds":
        octaves, persistence = settings.perlin_octaves, settings.perlin_persistence
        dice = generator(seed, frame, "perlin")
        fields = [perlin(size, settings.cells, dice, octaves, persistence) for _ in range(channels)]
        return torch.stack(fields)[None].div_(deviation(octaves, persistence))
    field = None
    if settings is not None and kind == "perlin":
        dice = generator(seed, frame, "perlin")
        field = perlin(size, settings.cells, dice, settings.perlin_octaves, settings.perlin_persistence)
        field.add_(1).mul_(0.5)
    white = torch.randn(shape, generator=generator(seed, frame, "noise"))
    return white if field is None else white.mul_(field)


def initial_noise(shape: tuple[int, ...], seed: int, subseed: int = 0, subseed_strength: float = 0.0) -> torch.Tensor:
    """The Gaussian noise that a latent is sampled from: that of ComfyUI's KSampler, varied by a second seed.

    Args:
        shape: (B, ...), the latent's.
        seed, subseed: 0 .. 2**64 - 1.
        subseed_strength: 0 is the noise of `seed` bit for bit, 1 that of `subseed`; see `spherical_mix`.

    Returns:
        float32 on the CPU.
    """
    noise = _seeded(shape, seed)
    return noise if subseed_strength <= 0 else spherical_mix(noise, _seeded(shape, subseed), subseed_strength)


def spherical_mix(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    """Spherical interpolation (Shoemake 1985), sample by sample, over all of a sample's numbers as one vector.

    Stable Diffusion WebUI's variation seeds interpolate so, which keeps the spread that a model expects; a plain mean
    of two noises would be too weak. It takes the angle column by column: over a whole sample it is the same to a few
    hundredths, as independent noises stand at right angles.

    Args:
        first, second: (B, ...), one shape.
        share: 0..1, of `second`. 0 and 1 return the very tensors.
    """
    if share <= 0:
        return first
    if share >= 1:
        return second
    a, b = first.flatten(1).double(), second.flatten(1).double()
    cosine = (a * b).sum(1, keepdim=True) / (a.norm(dim=1, keepdim=True) * b.norm(dim=1, keepdim=True))
    angle = cosine.clamp(-1.0, 1.0).acos()
    whole = angle.sin()
    # Vectors that point the same way, or the opposite one, span no arc.
    flat = ~(whole > 1e-6)
    whole = torch.where(flat, torch.ones_like(whole), whole)
    keep = torch.where(flat, torch.full_like(angle, 1.0 - share), ((1.0 - share) * angle).sin() / whole)
    take = torch.where(flat, torch.full_like(angle, share), (share * angle).sin() / whole)
    return (keep * a + take * b).to(first.dtype).reshape(first.shape)


def _seeded(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float32, generator=torch.Generator().manual_seed(seed))
