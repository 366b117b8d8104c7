"""Samplers and schedulers for the demo model, under ComfyUI's names and with its results."""

import inspect
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from ..core.errors import FramedriftError
from .demo import DiscreteSigmas, ProceduralModel, ProceduralVae

Denoiser = Callable[[Tensor, Tensor], Tensor]
Callback = Callable[[int, Tensor, Tensor, int], None]
NoiseSource = Callable[[], Tensor]
Report = Callable[[int, Tensor, Tensor], None]
T = TypeVar("T")


class Sampler(Protocol):
    """Brings x from sigmas[0] to sigmas[-1]. One that adds noise as it goes takes an `eta` too."""

    def __call__(
        self, denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, report: Report, **options: float
    ) -> Tensor: ...


# ---------------------------------------------------------------- schedulers


def _normal(levels: DiscreteSigmas, steps: int) -> Tensor:
    return levels.sigma(torch.linspace(len(levels.sigmas) - 1, 0, steps))


def _simple(levels: DiscreteSigmas, steps: int) -> Tensor:
    stride = len(levels.sigmas) / steps
    return torch.stack([levels.sigmas[-1 - int(i * stride)] for i in range(steps)])


def _karras(levels: DiscreteSigmas, steps: int, rho: float = 7.0) -> Tensor:
    """Karras et al. 2022, equation 5."""
    ramp = torch.linspace(0, 1, steps)
    high, low = levels.sigma_max ** (1 / rho), levels.sigma_min ** (1 / rho)
    return (high + ramp * (low - high)) ** rho


def _exponential(levels: DiscreteSigmas, steps: int) -> Tensor:
    return torch.linspace(math.log(levels.sigma_max), math.log(levels.sigma_min), steps).exp()


_SCHEDULERS = {"normal": _normal, "karras": _karras, "exponential": _exponential, "simple": _simple}


# ---------------------------------------------------------------- samplers


def _euler(denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, report: Report) -> Tensor:
    """Along dx/dsigma = (x - D) / sigma (Karras et al. 2022) in straight steps."""
    for i, (now, then) in enumerate(pairwise(sigmas)):
        clean = denoiser(x, now)
        report(i, clean, x)
        x = clean + (x - clean) * (then / now)
    return x


def _euler_ancestral(
    denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, report: Report, eta: float = 1.0
) -> Tensor:
    """The ancestral step of Song et al. 2021: further down than asked for, and up again with new noise.

    `eta` is the share of the noise that is put back: 0 is Euler's step.
    """
    for i, (now, then) in enumerate(pairwise(sigmas)):
        clean = denoiser(x, now)
        report(i, clean, x)
        if then == 0:
            x = clean
            continue
        if eta == 0:
            x = clean + (x - clean) * (then / now)
            continue
        up = min(float(then), eta * float((then**2 * (now**2 - then**2) / now**2) ** 0.5))
        down = float(then**2 - up**2) ** 0.5
        x = clean + (x - clean) * (down / now) + noise() * up
    return x


def _heun(denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, report: Report) -> Tensor:
    """Karras et al. 2022, algorithm 1: the slope at both ends of a step, averaged."""
    for i, (now, then) in enumerate(pairwise(sigmas)):
        clean = denoiser(x, now)
        report(i, clean, x)
        slope = (x - clean) / now
        reached = x + slope * (then - now)
        if then > 0:
            slope = (slope + (reached - denoiser(reached, then)) / then) / 2
            reached = x + slope * (then - now)
        x = reached
    return x


def _dpmpp_2m(denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: NoiseSource, report: Report) -> Tensor:
    """DPM-Solver++(2M), Lu et al. 2022, algorithm 2: the denoised picture extrapolated over log sigma."""
    before, last_width = None, 0.0
    for i, (now, then) in enumerate(pairwise(sigmas)):
        clean = denoiser(x, now)
        report(i, clean, x)
        ahead = clean
        width = float((now / then).log()) if then > 0 else math.inf
        if before is not None and then > 0:
            ahead = clean + (clean - before) * (width / (2 * last_width))
        x = ahead + (x - ahead) * (then / now)
        before, last_width = clean, width
    return x


_SAMPLERS: dict[str, Sampler] = {
    "euler": _euler,
    "euler_ancestral": _euler_ancestral,
    "heun": _heun,
    "dpmpp_2m": _dpmpp_2m,
}


# ---------------------------------------------------------------- what host.py asks for


def sampler_names() -> list[str]:
    """The samplers that `sample` knows."""
    return list(_SAMPLERS)


def takes_eta(sampler_name: str) -> bool:
    """Whether this sampler adds noise as it goes, as much as an `eta` says."""
    return "eta" in inspect.signature(_known(_SAMPLERS, sampler_name, "sampler_name")).parameters


def scheduler_names() -> list[str]:
    """The schedulers that `sigmas` knows."""
    return list(_SCHEDULERS)


def sigmas(model: ProceduralModel, scheduler: str, sampler_name: str, steps: int) -> Tensor:
    """The noise levels of `steps` steps from pure noise to none: (steps + 1,) float32, the last one 0."""
    if steps < 1:
        raise FramedriftError(f"steps is {steps}, and must be 1 or more.")
    levels = _known(_SCHEDULERS, scheduler, "scheduler")(model.sampling, steps)
    return torch.cat((levels, torch.zeros(1)))


def sample(
    model: ProceduralModel,
    latent: Tensor,
    positive: list,
    negative: list,
    *,
    seed: int,
    sigmas: Tensor,
    cfg: float,
    sampler_name: str,
    denoise_mask: Tensor | None = None,
    callback: Callback | None = None,
    subseed: int = 0,
    subseed_strength: float = 0.0,
    eta: float | None = None,
    noise_multiplier: float = 1.0,
) -> Tensor:
    """Noises `latent` (B, C, H, W) to sigmas[0] and samples it along `sigmas`; see `host.sample`."""
    from ..core.feedback.noise import initial_noise

    sampler = _known(_SAMPLERS, sampler_name, "sampler_name")
    steps = len(sigmas) - 1
    if steps < 1:
        return latent.clone()
    noise = initial_noise(tuple(latent.shape), seed, subseed, subseed_strength)
    if noise_multiplier != 1.0:
        noise = noise * noise_multiplier
    again = torch.Generator().manual_seed(seed + 1)
    guided = _guided(model, positive, negative, cfg)
    denoiser = guided if denoise_mask is None else _masked(guided, latent, noise, denoise_mask, sigmas)

    def report(step: int, clean: Tensor, x: Tensor) -> None:
        if callback is not None:
            callback(step, clean, x, steps)

    start = float(sigmas[0])
    from_nothing = math.isclose(start, model.sampling.sigma_max, rel_tol=1e-5) or start > model.sampling.sigma_max
    x = latent + noise * (math.sqrt(1 + start**2) if from_nothing else start)
    options = {"eta": eta} if eta is not None and takes_eta(sampler_name) else {}
    return sampler(denoiser, x, sigmas, lambda: torch.randn(latent.shape, generator=again), report, **options)


def _guided(model: ProceduralModel, positive: list, negative: list, cfg: float) -> Denoiser:
    """Classifier-free guidance, Ho and Salimans 2022; a cfg of 1 asks for the positive side alone."""
    entries = [(entry, False) for entry in positive]
    if not math.isclose(cfg, 1.0):
        entries += [(entry, True) for entry in negative]

    def denoiser(x: Tensor, sigma: Tensor) -> Tensor:
        batch = x.shape[0]
        contexts, flags, results = [], [], {False: [], True: []}
        for (context, _), side in entries:
            contexts.append(context.expand(batch, -1, -1) if context.shape[0] == 1 else context[:batch])
            flags += [side] * batch
        tokens = max(context.shape[1] for context in contexts)
        # A shorter one is repeated: the model takes the mean over tokens.
        contexts = [_lengthen(context, tokens) for context in contexts]
        out = model.denoise(x.repeat(len(entries), 1, 1, 1), sigma, torch.cat(contexts), flags)
        for (entry, side), part in zip(entries, out.split(batch), strict=True):
            results[side].append((float(entry[1].get("strength", 1.0)), part))
        wanted = _average(results[False])
        if not results[True]:
            return wanted
        unwanted = _average(results[True])
        return unwanted + (wanted - unwanted) * model.guidance(cfg)

    return denoiser


def _lengthen(context: Tensor, tokens: int) -> Tensor:
    return context if context.shape[1] == tokens else context.mean(1, keepdim=True).expand(-1, tokens, -1)


def _average(parts: list[tuple[float, Tensor]]) -> Tensor:
    total = sum(strength for strength, _ in parts)
    return sum((part * (strength / total) for strength, part in parts[1:]), parts[0][1] * (parts[0][0] / total))


def _masked(denoiser: Denoiser, latent: Tensor, noise: Tensor, mask: Tensor, sigmas: Tensor) -> Denoiser:
    """Keeps the latent where the mask does not take part yet, at the noise level that its neighbours have."""
    from ..core.feedback.stepwise import stepwise_mask

    mask = mask.to(latent)

    def masked(x: Tensor, sigma: Tensor) -> Tensor:
        now = stepwise_mask(sigma, mask, sigmas)
        x = x * now + (latent + noise * sigma) * (1 - now)
        return denoiser(x, sigma) * now + latent * (1 - now)

    return masked


def _known(table: dict[str, T], name: str, field: str) -> T:
    if name not in table:
        raise FramedriftError(f"{field} '{name}' is not known here: without ComfyUI there are {', '.join(table)}.")
    return table[name]


def vae_encode(vae: ProceduralVae, image: Tensor) -> Tensor:
    """A core image (B, 3, H, W) as a latent."""
    return vae.encode(image.movedim(1, -1))


def vae_decode(vae: ProceduralVae, latent: Tensor) -> Tensor:
    """A latent as a core image (B, 3, H, W)."""
    return vae.decode(latent).movedim(-1, 1)


def empty_latent(model: ProceduralModel, vae: ProceduralVae, size: tuple[int, int]) -> Tensor:
    """The latent of nothing for a picture of `size` (h, w)."""
    return torch.zeros(1, model.latent_channels, size[0] // model.downscale, size[1] // model.downscale)
