"""The pinhole warp: near things hide far ones, and what was hidden comes out as a hole."""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..camera.lens import check_fov, focal_length
from ..errors import FramedriftError
from .edges import harden
from .holes import fill_inverse_depth, march, uncover
from .pixels import above, as_float, numbers, pick, put, within
from .sample import sample
from .slope import on_slope, slopes, steepest_stretch
from .splat import LARGEST, Reprojection, close_cracks, dilate, grow, looked_at, throw
from .types import BORDERS, SAMPLINGS, Warped, check_choice, unmoved

# Two depths that differ by less than this share are one surface, and so are two that move apart by less than this many
# pixels: what lies far away differs by large shares, and stays together all the same.
SAME_SURFACE = 0.03
SAME_PLACE_PX = 0.5
# What lies infinitely far: small, but not 0, which means that there is nothing.
_INFINITE = 1e-9
_WIDEST_CRACK = 4


def warp_pinhole(
    image: Tensor,
    depth: Tensor,
    step: np.ndarray | Tensor,
    fov_deg: float,
    fov_to_deg: float | None = None,
    border: str = "replicate",
    sampling: str = "bicubic",
) -> Warped:
    """The picture seen by a camera that has moved, each pixel sampled once.

    The depth is thrown forward into a z-buffer, cracks in it are closed where the source bears them out, and each
    target pixel looks back through it at the source. Holes are filled from the background side.

    Convention: `fov_deg` is vertical, pixels are square; x right, y down, z forward; `step` takes coordinates in the
    source's camera to the target's. What comes from outside the source's frame is a hole with the borders "replicate"
    and "zeros"; with "wrap" and "reflect" it is a picture.

    Args:
        image: (B, C, H, W), 0..1.
        depth: (B or 1, 1, H, W) in scene units. Where it is not above 0, there is nothing; infinite is allowed.
        step: (4, 4), a rotation and a translation in scene units.
        fov_deg: field of view of the source.
        fov_to_deg: field of view of the target; the source's by default.
        border: what lies beyond the frame, one of `types.BORDERS`.
        sampling: one of `types.SAMPLINGS`.

    Raises:
        FramedriftError: depth of another size, a lens that is none, a step that is no rigid motion.
    """
    check_choice("border", border, BORDERS)
    check_choice("sampling", sampling, SAMPLINGS)
    motion = _rigid(step)
    fov_to = check_fov(fov_deg if fov_to_deg is None else fov_to_deg)
    batch, _, height, width = image.shape
    if depth.shape[-2:] != image.shape[-2:] or len(depth) not in (1, batch):
        raise FramedriftError(f"depth: {tuple(depth.shape)} does not fit the image's {tuple(image.shape)}")
    image = image.float()
    if np.array_equal(motion, np.eye(4)) and fov_to == fov_deg:
        return unmoved(image)

    focal_from, focal_to = focal_length(fov_deg, height), focal_length(fov_to, height)
    inverse = np.eye(4)
    inverse[:3, :3] = motion[:3, :3].T
    inverse[:3, 3] = -motion[:3, :3].T @ motion[:3, 3]
    forward = Reprojection(motion, focal_from, focal_to, (height, width), image.device)
    back = Reprojection(inverse, focal_to, focal_from, (height, width), image.device)

    source = _inverse_depth(depth.to(image.device)[:, 0]).expand(batch, height, width)
    if forward.still:
        target, visible = _turned_surface(source, back)
    else:
        apart = SAME_PLACE_PX / forward.reach
        target, visible = _visible_surface(harden(source, apart), forward, back, focal_to / focal_from, apart)
    hidden, behind = march(visible, forward)
    put(target, hidden, pick(target, behind))
    uncovered = torch.zeros_like(visible)
    put(uncovered, hidden, True)
    target = fill_inverse_depth(target, visible | uncovered)
    dx, dy, scale = back(target)
    _, inside = _look(hidden, dx, dy)
    moved = uncover(sample(image, dx, dy, sampling, border), target, visible, hidden, behind, inside)
    holes = ~visible
    if border in ("wrap", "reflect"):
        holes &= uncovered | ~back.outside(dx, dy)
    # Area ratio of a patch that faces the source's camera: det(H) / (h3 . s)^3 of its homography.
    nod = float(motion[:3, 2] @ motion[:3, 3])
    shrunk = scale.square().mul_(scale).mul_((focal_from / focal_to) ** 2)
    grown = target.mul(scale).mul_(nod).add_(1).div_(shrunk).clamp_(min=0)
    return Warped(moved, as_float(holes)[:, None], grown[:, None])


def _turned_surface(source: Tensor, back: Reprojection) -> tuple[Tensor, Tensor]:
    # A camera that only turns or zooms sees the same points, whatever their depth: nothing hides or is uncovered.
    target = torch.full_like(source, _INFINITE)
    dx, dy, scale = back(target)
    return target, ~back.outside(dx, dy) & (scale < LARGEST)


def _visible_surface(
    source: Tensor, forward: Reprojection, back: Reprojection, zoom: float, apart: float
) -> tuple[Tensor, Tensor]:
    # The inverse depth that each target pixel sees, and where it sees any. Inverse depths closer than `apart` do not
    # move apart.
    nearest = float(source.max()) * forward.shift[2] + float(forward.turn[2, 2])
    spread = max(zoom / max(nearest, 1e-3), steepest_stretch(source, forward))
    radius = min(max(math.ceil((1.2 * spread - 1) / 2), 1), _WIDEST_CRACK)
    # The frame's edge is no edge of the scene: a crack there is closed from beyond it.
    margin = 2 * radius
    landed = throw(source, forward, margin)
    near = close_cracks(landed, radius)[:, margin:-margin, margin:-margin]
    landed = landed[:, margin:-margin, margin:-margin]
    limit = _tolerance(landed, apart).add_(landed)
    put(limit, numbers(~above(landed, 0.0)), 0.0)
    guess = numbers(above(near, limit))
    surface = landed.clone(memory_format=torch.contiguous_format)
    put(surface, guess, pick(near, guess))
    dx, dy, scale = back(surface)
    expected = scale.mul_(surface)
    # The z-buffer knows a point half a pixel away; the source's own depth where this pixel looks makes it exact.
    smooth = sample(source[:, None], dx, dy, "bilinear", "replicate")[:, 0]
    lit = above(surface, 0.0)
    same = within((smooth - expected).abs_(), _tolerance(expected, apart)) & lit
    shift = back.shift[2]
    exact = smooth * back.plane(2)
    if shift:
        exact.div_(smooth.mul_(-shift).add_(1).clamp_(min=1 / LARGEST))
    # Closing a crack is a guess, and it holds only where the source has that depth at the place which the guess looks
    # back at: so true gaps stay open, and what shows through the cracks of a near thing is covered.
    place, inside = _look(guess, dx, dy)
    wanted = pick(expected, guess)
    borne_out = inside & ((pick(source, place) - wanted).abs_() <= _tolerance(wanted, apart))
    wrong = guess[~borne_out]
    put(same, wrong, False)
    # What is left lies on a slope too steep for that, or is wrong.
    left = numbers(lit ^ same)
    slanted, found = on_slope(source, back, left, pick(surface, left), partial(_tolerance, apart=apart))
    other = numbers(~same)
    put(exact, other, pick(surface, other))
    put(exact, wrong, pick(landed, wrong))
    put(exact, left[found], slanted[found])
    visible = above(exact, 0.0)
    stained = _stained(exact, visible, source, back, apart)
    put(exact, stained, 0.0)
    put(visible, stained, False)
    return exact, visible


def _stained(surface: Tensor, visible: Tensor, source: Tensor, back: Reprojection, apart: float) -> Tensor:
    # A background pixel beside a hole, which in the source lay against the thing that has gone, has a trace of its
    # colour: it goes too. On a slope a neighbour is nearer without being another thing.
    rim = numbers(visible & dilate(~visible, 2))
    behind = pick(surface, rim)
    dx, dy, scale = back.at(rim, behind)
    place, _ = looked_at(rim, dx, dy, source.shape[-2:])
    behind.mul_(scale)
    slope_x, slope_y = slopes(source, place)
    allowed = _tolerance(behind, apart) + slope_x.abs() + slope_y.abs()
    return rim[pick(grow(source, 1), place) > behind + allowed]


def _tolerance(inverse_depth: Tensor, apart: float) -> Tensor:
    return (SAME_SURFACE * inverse_depth).clamp_(min=apart)


def _look(pixels: Tensor, dx: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    return looked_at(pixels, pick(dx, pixels), pick(dy, pixels), dx.shape[-2:])


def _inverse_depth(depth: Tensor) -> Tensor:
    depth = depth.float()
    inverse = depth.reciprocal().clamp_(_INFINITE, 1 / _INFINITE)
    return inverse if float(depth.min()) > 0 else torch.where(depth > 0, inverse, 0.0)


def _rigid(step: np.ndarray | Tensor) -> np.ndarray:
    motion = np.asarray(step.detach().cpu() if isinstance(step, Tensor) else step, dtype=np.float64)
    if motion.shape != (4, 4) or not np.isfinite(motion).all():
        raise FramedriftError("step: the camera's motion must be a 4x4 matrix of finite numbers")
    turn = motion[:3, :3]
    if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-4 or np.linalg.det(turn) < 0:
        raise FramedriftError("step: the camera's motion must be a rotation and a translation, without scale or mirror")
    return motion
