"""Depth without a model: simple scenes whose disparity is known exactly."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as nn

from ..errors import FramedriftError

Kind = Literal["plane", "ground", "tunnel", "luminance"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_LUMA = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class SyntheticDepth:
    """A depth model that makes its scene up. Its values are calibrated: 1 is the nearest depth, 0 the farthest.

    - `plane`: a wall that faces the camera.
    - `ground`: a floor from the bottom edge to the horizon, and sky above.
    - `tunnel`: a corridor with floor, ceiling and two walls, which fills the picture and narrows to the horizon.
    - `luminance`: what is bright is near, smoothed.

    Convention:
        Disparity is linear in 1/z, and 1/z is linear in the image position on every plane of a pinhole camera's
        scene. So floor, ceiling and walls, whose disparity is linear in x and y here, are true planes for every
        near, far and field of view. Positions are of pixel centres: row j of h lies at y = (j + 0.5) / h.

    Args:
        kind: one of `KINDS`.
        horizon: height of the horizon as a share of the picture's, 0 is the top edge; under 1. Used by ground and
            tunnel; a ground's horizon may lie above the picture.
        nearness: disparity of the nearest point, 0..1: of the wall, or at the picture's edge, or of white.
        blur: how far luminance is smoothed, the Gaussian's sigma as a share of the picture's shorter side.
    """

    kind: Kind = "plane"
    horizon: float = 0.5
    nearness: float = 1.0
    blur: float = 0.02

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FramedriftError(f"Synthetic depth: kind is {self.kind!r}, but must be one of {', '.join(KINDS)}.")
        if not -10.0 <= self.horizon <= 0.95:
            raise FramedriftError(f"Synthetic depth: horizon is {self.horizon}, but must be from -10 to 0.95.")
        if self.kind == "tunnel" and self.horizon < 0.05:
            raise FramedriftError(
                f"Synthetic depth: a tunnel's horizon is {self.horizon}, but must be from 0.05 to 0.95."
            )
        if not 0.0 <= self.nearness <= 1.0:
            raise FramedriftError(f"Synthetic depth: nearness is {self.nearness}, but must be from 0 to 1.")
        if not 0.0 <= self.blur <= 0.5:
            raise FramedriftError(f"Synthetic depth: blur is {self.blur}, but must be from 0 to 0.5.")

    @property
    def name(self) -> str:
        """The kind, for messages and journals."""
        return self.kind

    @property
    def calibrated(self) -> bool:
        """True: the values need no fitting."""
        return True

    def signature(self) -> str:
        """Text that changes whenever the disparity would."""
        uses = {
            "plane": (),
            "ground": ("horizon",),
            "tunnel": ("horizon",),
            "luminance": ("blur",),
        }[self.kind]
        parts = [f"{key}={getattr(self, key)!r}" for key in (*uses, "nearness")]
        return "/".join(["synthetic", self.kind, *parts])

    def disparity(self, image: torch.Tensor) -> torch.Tensor:
        """Disparity of an image (B, 3, H, W): (B, 1, H, W) float32, 0..1, larger is nearer, on the image's device."""
        if image.ndim != 4:
            raise FramedriftError(f"Synthetic depth: the image must be (B, C, H, W), but is {tuple(image.shape)}.")
        batch, _, height, width = image.shape
        if self.kind == "luminance":
            return self.nearness * _luminance(image, self.blur)
        device = image.device
        # In double, since near the horizon the difference of two close numbers is what counts.
        y = ((torch.arange(height, dtype=torch.float64, device=device) + 0.5) / height)[:, None]
        x = ((torch.arange(width, dtype=torch.float64, device=device) + 0.5) / width)[None, :]
        floor = ((y - self.horizon) / (1.0 - self.horizon)).clamp(min=0.0).expand(height, width)
        match self.kind:
            case "plane":
                scene = torch.ones_like(floor)
            case "ground":
                scene = floor
            case "tunnel":
                ceiling = (self.horizon - y) / self.horizon
                walls = (2.0 * x - 1.0).abs()
                scene = torch.maximum(torch.maximum(floor, ceiling), walls)
        return (self.nearness * scene).clamp(0.0, 1.0).to(torch.float32).expand(batch, 1, height, width).clone()


def _luminance(image: torch.Tensor, blur: float) -> torch.Tensor:
    """Brightness of (B, 3, H, W), smoothed with a Gaussian; edges are repeated outwards."""
    if not torch.isfinite(image).all():
        raise FramedriftError("Synthetic depth: the image holds values that are no numbers (NaN or infinite).")
    weights = torch.tensor(_LUMA, dtype=torch.float32, device=image.device).view(1, 3, 1, 1)
    bright = (image.to(torch.float32) * weights).sum(dim=1, keepdim=True).clamp(0.0, 1.0)
    sigma = blur * min(image.shape[-2:])
    radius = math.ceil(3.0 * sigma)
    if radius == 0:
        return bright
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = nn.pad(bright, (radius, radius, radius, radius), mode="replicate")
    across = nn.conv2d(padded, kernel.view(1, 1, 1, -1))
    return nn.conv2d(across, kernel.view(1, 1, -1, 1)).clamp(0.0, 1.0)
