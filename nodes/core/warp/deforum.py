"""Classic Deforum's own 3D projection, for settings that were made with it."""

import numpy as np
import torch
from torch import Tensor

from ..camera.lens import check_fov, focal_length
from ..camera.pose import pose_delta
from ..depth.range import equalise
from ..errors import FramedriftError
from .sample import sample
from .types import SAMPLINGS, check_choice

_BORDERS = {"border": "replicate", "zeros": "zeros", "reflection": "reflect"}
# A point this near the camera's plane, or behind it, has no picture: it is held here, so that no division fails.
_NEAREST = 1e-4


def warp_deforum(
    image: Tensor,
    disparity: Tensor | None,
    translation: tuple[float, float, float] = (0, 0, 0),
    rotation_deg: tuple[float, float, float] = (0, 0, 0),
    fov_deg: float = 70,
    aspect: float = 1,
    sampling: str = "bicubic",
    padding: str = "border",
) -> Tensor:
    """The picture as classic Deforum moves it, (B, C, H, W) float32.

    Args:
        image: (B, C, H, W), 0..1.
        disparity: (B or 1, 1, H, W) of any range, larger is nearer: what the depth model gave. It is equalised here.
            None is a flat scene.
        translation: (x, y, z) in Deforum units, right, up, forward.
        rotation_deg: (x, y, z), tilt up, yaw right, roll clockwise.
        fov_deg: field of view.
        aspect: Deforum's aspect ratio, which divides the horizontal scale.
        sampling: "bicubic", "bilinear" or "nearest".
        padding: "border", "zeros" or "reflection".

    Raises:
        FramedriftError: an unknown sampling or padding, a lens that is none, or a disparity of another size.

    Convention: see `deforum_shift`; the motion is `camera.pose.pose_delta`.
    """
    check_choice("sampling", sampling, SAMPLINGS)
    check_choice("padding", padding, tuple(_BORDERS))
    equal = None
    if disparity is not None:
        if disparity.shape[-2:] != image.shape[-2:]:
            raise FramedriftError(
                f"disparity: {tuple(disparity.shape[-2:])} (h, w) does not fit the image's {tuple(image.shape[-2:])}"
            )
        equal = equalise(disparity.to(image.device))
    size = (image.shape[-2], image.shape[-1])
    dx, dy = deforum_shift(pose_delta(translation, rotation_deg), equal, size, fov_deg, aspect, image.device)
    return sample(image, dx, dy, sampling, _BORDERS[padding], classic=True)


def deforum_shift(
    step: np.ndarray,
    equalised: Tensor | None,
    size: tuple[int, int],
    fov_deg: float,
    aspect: float = 1.0,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """How far from its own place every target pixel reads the source: dx and dy in pixels, (1 or B, H, W).

    Convention: a pixel is the point P = (x, y, z), x and y running from -1 to 1 over the centres of the outermost
    pixels whatever the shape of the picture, z = 2 - e. It moves to Q = step P, and the pixel reads the source at its
    own place less pi(Q) - pi(P), where pi(P) = (s / aspect * x / z, s * y / z) spans -1 to 1 over the frame's outer
    edges, and s = 1 / tan(fov / 2). x right, y down, z forward; dx right, dy down.

    Args:
        step: (4, 4), old camera coordinates to new ones.
        equalised: (1 or B, 1, H, W) e in 0..1, 1 nearest; None is 1 everywhere.
        size: (h, w).
        fov_deg: field of view.
        aspect: above 0.
        device: of the result.
    """
    if not aspect > 0:
        raise FramedriftError(f"aspect: {aspect:g} is no aspect ratio; it must be above 0")
    height, width = size
    scale = focal_length(check_fov(fov_deg), 2.0)
    step = np.asarray(step, dtype=np.float64)
    # Ramps are made in float64 where every device has it.
    x = torch.linspace(-1, 1, width, dtype=torch.float64)[None, None, :]
    y = torch.linspace(-1, 1, height, dtype=torch.float64)[None, :, None]
    z = torch.ones((1, 1, 1), device=device) if equalised is None else 2.0 - equalised[:, 0]
    shape = (len(z), height, width)

    def moved(row: np.ndarray) -> Tensor:
        a, b, c, d = row.tolist()
        flat = (a * x + d).float().to(device) + (b * y).float().to(device)
        return flat.add_(z, alpha=c) if z.shape == flat.shape else torch.add(flat, z, alpha=c)

    nearer = moved(step[2]).clamp_(min=_NEAREST).reciprocal_()
    inverse = z.reciprocal()
    shifts = []
    for row, start, factor in ((step[0], x, scale / aspect * width / 2), (step[1], y, scale * height / 2)):
        lens = (factor * start).float().to(device)
        shift = moved(-factor * row).mul_(nearer)
        shifts.append(shift.addcmul_(lens, inverse))
    return shifts[0].expand(shape), shifts[1].expand(shape)
