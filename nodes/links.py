"""What links of pictures and masks carry, checked before it goes into core: every message names the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from . import host
from .core.errors import FramedriftError

if TYPE_CHECKING:
    from .core.video.frames import Frames


def batch(name: str, given: Any) -> torch.Tensor:
    """An IMAGE batch (B, H, W, C), B at least 1, of finite numbers; C is 3 or 4, as one channel becomes three.

    Nothing is copied. Raises FramedriftError where it is something else, empty, or has pixels that are no numbers.
    """
    if not isinstance(given, torch.Tensor) or given.ndim != 4 or not given.is_floating_point():
        raise FramedriftError(
            f"{name}: pictures are wanted, an IMAGE of the axes (batch, height, width, channels) with numbers from 0 "
            f"to 1; this is {_kind(given)}."
        )
    count, height, width, channels = given.shape
    if not count:
        raise FramedriftError(f"{name}: the batch is empty; give at least one picture.")
    if channels not in (1, 3, 4) or not height or not width:
        raise FramedriftError(
            f"{name}: {width}x{height} pixels with {channels} channels are no picture; a picture has pixels, and 3 "
            f"channels, 4 with alpha, or 1 if it is grey."
        )
    _check_finite(name, given)
    return given.expand(count, height, width, 3) if channels == 1 else given


def pictures(name: str, given: Any) -> torch.Tensor:
    """An IMAGE batch as core has it, (B, 3, H, W) without alpha, B at least 1. Raises as `batch` does."""
    return host.to_core(batch(name, given))


def one_picture(name: str, given: Any, others: str) -> torch.Tensor:
    """The same where one picture is meant, (1, 3, H, W); `others` says what to do with several."""
    found = pictures(name, given)
    if len(found) != 1:
        raise FramedriftError(f"{name}: {len(found)} pictures; it takes one. {others}")
    return found


def masks(name: str, mask: Any) -> torch.Tensor:
    """ComfyUI's MASK as (B, H, W) float32; other packs hand on (H, W) and (B, 1, H, W) too.

    Raises FramedriftError where it is something else, empty, or has values that are no numbers.
    """
    if not isinstance(mask, torch.Tensor):
        raise FramedriftError(f"{name}: a MASK is wanted; what is linked is of the type {type(mask).__name__}.")
    if not (2 <= mask.ndim <= 3 or (mask.ndim == 4 and mask.shape[1] == 1)) or not mask.numel():
        pictures = " Convert Image to Mask makes one of a picture." if mask.ndim == 4 else ""
        raise FramedriftError(
            f"{name}: a mask has the axes (batch, height, width), this has {tuple(mask.shape)}.{pictures}"
        )
    stack = mask.reshape(-1, mask.shape[-2], mask.shape[-1]).float().cpu()
    _check_finite(name, stack)
    return stack


def clip(name: str, given: Any) -> Frames | torch.Tensor:
    """A FRAMES, IMAGE or VIDEO link that holds pictures: Frames, or the IMAGE batch, which has no rate of its own.

    Raises as `batch` does, and where a video cannot be read.
    """
    from .core.video.frames import as_frames

    if isinstance(given, torch.Tensor):
        return batch(name, given)
    try:
        frames = as_frames(given)
    except FramedriftError as error:
        raise FramedriftError(f"{name}: {str(error).removeprefix('frames: ').removeprefix('video: ')}") from error
    if not len(frames):
        raise FramedriftError(f"{name}: there are no frames in it.")
    return frames


def _check_finite(name: str, stack: torch.Tensor) -> None:
    """Raises FramedriftError that names the first of the pictures or masks (B, ...) with values that are no numbers."""
    # A sum is finite if all of it is, and takes no memory.
    if torch.isfinite(stack.sum(dtype=torch.float32)):
        return
    for number, one in enumerate(stack, start=1):
        if not torch.isfinite(one).all():
            raise FramedriftError(
                f"{name}: number {number} of {len(stack)} has pixels that are no numbers (NaN, or infinite). Look at "
                f"what made it: a VAE in half precision does that; start ComfyUI with --fp32-vae."
            )


def _kind(given: Any) -> str:
    if not isinstance(given, torch.Tensor):
        return f"of the type {type(given).__name__}"
    said = f"of the shape {tuple(given.shape)} and the type {str(given.dtype).removeprefix('torch.')}"
    return said + " (a MASK? Convert Mask to Image makes a picture of it)" if given.ndim == 3 else said
