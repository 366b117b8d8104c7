"""What a warp takes and gives."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import FramedriftError

PROJECTIONS = ("pinhole", "deforum")
BORDERS = ("replicate", "wrap", "reflect", "zeros")
# Spline is the sharpest, for what is sampled once; over a chain of warps its overshoot would add up.
SAMPLINGS = ("bicubic", "bilinear", "nearest", "spline")


@dataclass(frozen=True, eq=False)
class Warped:
    """A moved picture.

    Attributes:
        image: (B, C, H, W) float32; holes are filled already.
        holes: (B, 1, H, W) float32, 1 where the source has nothing that belongs here, else 0.
        magnification: (B, 1, H, W) float32, how many times its area in the source a pixel's content takes; 1 where
            the size stays, above 1 where detail is stretched.
    """

    image: Tensor
    holes: Tensor
    magnification: Tensor


@dataclass(frozen=True)
class WarpSettings:
    """How a run warps.

    Attributes:
        projection: "pinhole", or "deforum" for settings that were made in classic Deforum.
        near, far: distances in scene units that disparity 1 and 0 stand for; without effect in "deforum".
        border: what lies beyond the frame: its edge's pixels, the picture repeated or mirrored, or black.
        sampling: how pixels are interpolated.

    Raises:
        FramedriftError: a value that is none of the above.
    """

    projection: str = "pinhole"
    near: float = 1.0
    far: float = 50.0
    border: str = "replicate"
    sampling: str = "bicubic"

    def __post_init__(self) -> None:
        """Refuses what no warp can do, before the first frame."""
        check_choice("projection", self.projection, PROJECTIONS)
        check_choice("border", self.border, BORDERS)
        check_choice("sampling", self.sampling, SAMPLINGS)
        if not 0 < self.near < self.far:
            raise FramedriftError(
                f"near and far: {self.near:g} and {self.far:g} are no range; near must be above 0 and below far"
            )


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """The value if it is one of the choices.

    Raises:
        FramedriftError: it is not; the choices are listed.
    """
    if value not in choices:
        raise FramedriftError(f"{name}: {value!r} is not known; choose one of {', '.join(choices)}")
    return value


def unmoved(image: Tensor) -> Warped:
    """The very same pixels, (B, C, H, W), with no holes and magnification 1."""
    still = torch.ones_like(image[:, :1], dtype=torch.float32)
    return Warped(image, torch.zeros_like(still), still)
