"""Noise: what a frame is diffused from, and what is laid over it before, so that the feedback keeps finding detail."""

import torch

from ..random import generator


def add_noise(image: torch.Tensor, amount: float, seed: int, frame: int) -> torch.Tensor:
    """Adds Gaussian noise.

    Args:
        image: (1, 3, H, W) float32, 0..1.
        amount: standard deviation in Deforum's unit, that of a picture running from -1 to 1: 0.065 is its default and
            0.0325 on our scale. 0 returns the same tensor.
        seed, frame: name the noise; the same pair gives the same on every machine.

    Returns:
        (1, 3, H, W), clipped to 0..1.
    """
    if amount <= 0:
        return image
    noise = torch.randn(image.shape, generator=generator(seed, frame, "noise"))
    return (image + 0.5 * amount * noise.to(image)).clamp(0, 1)


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
