"""The demo model as objects: MODEL for use without ComfyUI, CLIP and VAE for use in it as well."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..core.field import decode_picture, denoise, encode_picture, softened
from ..core.palette import palette_vector, palettes_from


@lru_cache(maxsize=1)
def _training_sigmas() -> Tensor:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    kept = torch.cumprod(1 - betas, 0)
    return ((1 - kept) / kept).sqrt().float()


@dataclass(frozen=True)
class DiscreteSigmas:
    """The noise levels of Stable Diffusion's training: betas 0.00085 to 0.012, their roots evenly spaced, 1000 steps.

    sigma = sqrt((1 - abar) / abar) with abar the running product of 1 - beta (Ho et al. 2020), log-linear in between.
    """

    sigmas: Tensor = field(default_factory=_training_sigmas)

    @property
    def sigma_min(self) -> float:
        """The least noise that the model was made for."""
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        """Where text to image starts."""
        return float(self.sigmas[-1])

    def sigma(self, timestep: Tensor) -> Tensor:
        """Noise level of a timestep 0..999, fractions included; float32."""
        logs = self.sigmas.log()
        low = timestep.floor().long().clamp(0, len(logs) - 1)
        high = timestep.ceil().long().clamp(0, len(logs) - 1)
        return torch.lerp(logs[low], logs[high], timestep.frac().to(logs.dtype)).exp()


@dataclass(frozen=True)
class ProceduralModel:
    """MODEL without ComfyUI: latent (B, 3, H, W), one latent pixel for one of the picture."""

    sampling: DiscreteSigmas = field(default_factory=DiscreteSigmas)
    latent_channels: int = 3
    downscale: int = 1

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor, negative: list[bool]) -> Tensor:
        """The denoised latents of x (B, 3, H, W) at sigma (B,) or (), under context (B, T, D).

        `negative` says of each whether it stands for what the picture must not be.
        """
        return denoise(x, sigma, palettes_from(context, negative))

    def guidance(self, cfg: float) -> float:
        """What a cfg means to this model."""
        return softened(cfg)


class ProceduralClip:
    """CLIP: a prompt becomes one token that carries its palette."""

    # Loaders of LoRAs look through its weights: it has none.
    cond_stage_model = torch.nn.Identity()

    def clone(self, *args: Any, **kwargs: Any) -> "ProceduralClip":
        """A copy; there is nothing in it that could be changed."""
        return ProceduralClip()

    def clip_layer(self, layer_idx: int) -> None:
        """There are no layers to stop at."""

    def set_tokenizer_option(self, option_name: str, value: Any) -> None:
        """There are no options."""

    def add_patches(self, patches: dict, strength_patch: float = 1.0, strength_model: float = 1.0) -> list:
        """There are no weights: none of a LoRA's patches apply."""
        return []

    def get_key_patches(self) -> dict:
        """There are no weights to merge."""
        return {}

    def tokenize(self, text: str, return_word_ids: bool = False, **kwargs: Any) -> dict[str, str]:
        """The text itself: its words are read when it is encoded."""
        return {"text": text}

    def encode_from_tokens(
        self, tokens: dict[str, str], return_pooled: bool | str = False, return_dict: bool = False
    ) -> Any:
        """(1, 1, D), with the same numbers pooled (1, D) where asked for."""
        vector = palette_vector(tokens["text"])[None]
        if return_dict:
            return {"cond": vector[None], "pooled_output": vector}
        return (vector[None], vector) if return_pooled else vector[None]

    def encode_from_tokens_scheduled(
        self,
        tokens: dict[str, str],
        unprojected: bool = False,
        add_dict: dict[str, Any] | None = None,
        show_pbar: bool = True,
    ) -> list[list]:
        """ComfyUI's conditioning: [[(1, 1, D), {"pooled_output": (1, D)}]]."""
        cond, pooled = self.encode_from_tokens(tokens, return_pooled=True)
        return [[cond, {"pooled_output": pooled, **(add_dict or {})}]]

    def encode(self, text: str) -> Tensor:
        """The (1, 1, D) of a text."""
        return self.encode_from_tokens(self.tokenize(text))


class ProceduralVae:
    """VAE: a tone curve, pixel by pixel. Images are (B, H, W, C) as everywhere in ComfyUI, latents (B, 3, H, W)."""

    latent_channels = 3
    latent_dim = 2
    output_channels = 3
    downscale_ratio = 1
    upscale_ratio = 1

    def throw_exception_if_invalid(self) -> None:
        """It always is valid."""

    def spacial_compression_encode(self) -> int:
        """Pixels of the picture a latent pixel."""
        return 1

    def spacial_compression_decode(self) -> int:
        """Pixels of the picture a latent pixel."""
        return 1

    def temporal_compression_decode(self) -> None:
        """No VAE of video."""

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3 or 4) to latent; alpha is dropped."""
        return encode_picture(pixels[..., :3].movedim(-1, 1))

    def decode(self, samples: Tensor, vae_options: dict | None = None) -> Tensor:
        """Latent to (B, H, W, 3)."""
        return decode_picture(samples).movedim(1, -1)

    def encode_tiled(self, pixels: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As `encode`: pixels do not need each other."""
        return self.encode(pixels)

    def decode_tiled(self, samples: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As `decode`: pixels do not need each other."""
        return self.decode(samples)


def procedural_model() -> tuple[ProceduralModel, ProceduralClip, ProceduralVae]:
    """MODEL, CLIP and VAE for use without ComfyUI."""
    return ProceduralModel(), ProceduralClip(), ProceduralVae()
