"""Masks: where frames may change, and what shows where they may not.

Convention: a mask is float32 (1, 1, H, W), 1 = change, 0 = keep, and lies still before the camera: it is a mask of the
picture, not of the scene.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch.nn import functional

from ..errors import FramedriftError
from ..luma import luma
from ..run.resume import clip_mark, digest
from ..video.edit import fitted
from ..video.frames import Frames
from ..video.recent import Recent
from .hybrid_mask import contrasted
from .options import Option

log = logging.getLogger("framedrift")

SAME_SHAPE = 0.02
"""Shapes closer than this are one: sizes are rounded to what a model takes, 1920x1080 is 960x544 then."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Masks(Option):
    """Where frames may change.

    Attributes:
        still: (1, 1, H, W), one mask for all frames; any size of the animation's shape.
        clip: or a mask for every frame: Frames, an IMAGE batch (B, H, W, C) or a VIDEO, whose brightness counts.
        invert_mask: 1 and 0 change places.
        mask_brightness_adjust: what the mask is multiplied by, 0 or more; 1 leaves it.
        mask_contrast_adjust: what its differences from its own mean are multiplied by, 0 or more; 1 leaves it.
        mask_blur: standard deviation of a Gaussian blur, in pixels of the animation; 0 is none.
        overlay_mask: whether the base picture (the init image, or the video's frame) is put back where the mask is 0.
        mask_overlay_blur: how soft that picture's edge is, as mask_blur; half of it lies on each side.
        noise_mask: whether the noise is weaker where the mask is grey; where it is 0 there is none in any case.
        noise_still: (1, 1, H, W), a mask of the noise's own; it goes before noise_mask.

    Deforum's order is kept: brightness, then contrast, each clipped to 0..1, then the inversion, then the blur. Its
    contrast turns about the mean, not about the middle, so that it does for a mask of 0 and 1 what it does there.

    Raises:
        FramedriftError: there is no mask, or two, or a number is out of range.
    """

    TITLE: ClassVar[str] = "Masks"

    still: torch.Tensor | None = None
    clip: Any = None
    invert_mask: bool = False
    mask_brightness_adjust: float = 1.0
    mask_contrast_adjust: float = 1.0
    mask_blur: float = 0.0
    overlay_mask: bool = True
    mask_overlay_blur: float = 4.0
    noise_mask: bool = False
    noise_still: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.still is not None and self.clip is not None:
            raise FramedriftError("masks: there is a still mask and a mask clip; link one of them.")
        if self.still is None and self.clip is None and self.noise_still is None:
            raise FramedriftError("masks: there is none; link a mask, a picture with alpha, or a mask clip.")
        for name in ("mask_brightness_adjust", "mask_contrast_adjust", "mask_blur", "mask_overlay_blur"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise FramedriftError(f"{name} is {getattr(self, name):g}; it must be 0 or more.")
        for name, mask in (("mask", self.still), ("noise_mask", self.noise_still)):
            if mask is not None:
                _check(name, mask)

    def signature(self) -> Any:
        """The masks' digests and every setting."""
        return {
            "still": None if self.still is None else digest(self.still),
            "clip": clip_mark(self.clip),
            "invert": self.invert_mask,
            "adjust": [self.mask_brightness_adjust, self.mask_contrast_adjust, self.mask_blur],
            "overlay": self.mask_overlay_blur if self.overlay_mask else None,
            "noise": self.noise_mask if self.noise_still is None else digest(self.noise_still),
        }

    def fitted(self, fps: float, size: tuple[int, int]) -> Self:
        """The same at the animation's size: stills of its shape are resized, a clip is cropped as all clips are.

        Raises:
            FramedriftError: a still has another shape than the animation, or the clip cannot be read.
        """
        made = replace(
            self,
            still=None if self.still is None else _resized("mask", self.still, size),
            noise_still=None if self.noise_still is None else _resized("noise_mask", self.noise_still, size),
            clip=None if self.clip is None else _fitted(self.clip, fps, size),
        )
        if made.still is not None and float(made.at(0, size).max()) <= 0:
            log.warning("masks: the mask is 0 everywhere, so that nothing changes; see invert_mask.")
        return made

    def length(self) -> int | None:
        """The clip's; a still sets no limit."""
        return len(self.clip) if isinstance(self.clip, Frames) else None

    def at(self, frame: int, size: tuple[int, int]) -> torch.Tensor:
        """The mask of one frame, (1, 1, h, w) float32, 0..1; 1 everywhere where only the noise has one.

        Args:
            frame: of the animation.
            size: (h, w) of the animation.

        Raises:
            FramedriftError: the clip is not `fitted`, or ends before the frame.
        """
        if self.still is not None:
            mask = _resized("mask", self.still, size)
        elif self.clip is not None:
            mask = self._of_clip(frame, size)
        else:
            return torch.ones(1, 1, *size)
        if self.mask_brightness_adjust != 1:
            mask = (mask * self.mask_brightness_adjust).clamp(0, 1)
        if self.mask_contrast_adjust != 1:
            mask = contrasted(mask, self.mask_contrast_adjust)
        if self.invert_mask:
            mask = 1 - mask
        return blurred(mask, self.mask_blur)

    def noise_at(self, frame: int, size: tuple[int, int]) -> torch.Tensor | None:
        """Where the frame gets noise, (1, 1, h, w); None is everywhere.

        Never where the mask is 0: nothing is diffused there that would take it away again, and it would pile up.
        """
        own = None if self.noise_still is None else _resized("noise_mask", self.noise_still, size)
        if self.still is None and self.clip is None:
            return own
        mask = self.at(frame, size)
        if own is None and self.noise_mask:
            return mask
        changing = (mask > 0).to(mask.dtype)
        return changing if own is None else own * changing

    def overlaid(self, base: torch.Tensor | None, image: torch.Tensor, frame: int) -> torch.Tensor:
        """The base picture where the mask is 0, the frame where it is 1.

        Args:
            base: (1, 3, H, W), or None where there is nothing to put back: then the frame stays as it is.
            image: (1, 3, H, W), the finished frame.
            frame: its number.
        """
        if base is None or not self.overlay_mask:
            return image
        mask = blurred(self.at(frame, (image.shape[-2], image.shape[-1])), self.mask_overlay_blur)
        return torch.lerp(base.to(image), image, mask.to(image))

    def _of_clip(self, frame: int, size: tuple[int, int]) -> torch.Tensor:
        clip = self.clip
        if not isinstance(clip, Frames) or tuple(clip.size) != tuple(size):
            raise FramedriftError("masks: the mask clip is not at the animation's size yet.")
        if frame >= len(clip):
            raise FramedriftError(f"masks: the mask clip has {len(clip)} frames, there is none for frame {frame}.")
        mask = brightness(clip[frame])
        _check(f"mask_video, frame {frame}", mask)
        return mask


def masked_denoise(
    denoise: torch.Tensor, mask: torch.Tensor, holes: torch.Tensor, keeps_holes: bool = False
) -> torch.Tensor:
    """The denoise of every pixel under a mask: the more it keeps, the less is diffused.

    What the camera uncovered shows a stretched neighbour, which must not stay: it is diffused in full wherever it
    lies, unless the overlay covers it anyway.

    Args:
        denoise: (1, 1, H, W) from `denoise.denoise_map`.
        mask: (1, 1, H, W) from `Masks.at`.
        holes: (1, 1, H, W), 1 where the camera uncovered a pixel.
        keeps_holes: whether the mask holds in holes too, as there is a base picture and `overlay_mask`.

    Returns:
        (1, 1, H, W) of denoise's type.
    """
    kept = denoise * mask.to(denoise)
    return kept if keeps_holes else torch.where(holes > 0.5, denoise, kept)


def brightness(picture: torch.Tensor) -> torch.Tensor:
    """The brightness of a clip's picture (H, W, C) as (1, 1, H, W), 0..1. C is 1, 3, or 4: alpha does not count."""
    planes = picture.permute(2, 0, 1)[None]
    return (planes[:, :1] if planes.shape[1] < 3 else luma(planes)).clamp(0, 1)


def blurred(mask: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of a mask (1, 1, H, W), of `sigma` pixels and cut off at 2.5 of them; edges go on. 0 is none."""
    reach = int(2.5 * sigma + 0.5)
    if reach < 1:
        return mask
    import cv2

    side = 2 * reach + 1
    array = mask[0, 0].numpy()
    soft = cv2.GaussianBlur(array, (side, side), sigmaX=sigma, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
    return torch.from_numpy(soft).clamp_(0, 1)[None, None]


def _fitted(clip: Any, fps: float, size: tuple[int, int]) -> Frames:
    try:
        # A frame's mask is asked for several times.
        return Recent(fitted(clip, fps, size), keep=1)
    except FramedriftError as error:
        raise FramedriftError(f"mask_video: {error}") from error


def _check(name: str, mask: torch.Tensor) -> None:
    if mask.ndim != 4 or tuple(mask.shape[:2]) != (1, 1) or mask.numel() == 0:
        raise FramedriftError(f"{name}: a mask has the shape (1, 1, H, W), this has {tuple(mask.shape)}.")
    if not bool(torch.isfinite(mask).all()):
        raise FramedriftError(f"{name}: it has values that are no numbers (NaN).")


def _resized(name: str, mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    height, width = mask.shape[-2:]
    if (height, width) == tuple(size):
        return mask.clamp(0, 1)
    if abs(height * size[1] / (width * size[0]) - 1) > SAME_SHAPE:
        raise FramedriftError(
            f"{name}: it is {width}x{height}, which is another shape than the animation's {size[1]}x{size[0]}. "
            f"Crop it to that shape; its size does not matter then."
        )
    return functional.interpolate(mask, size=size, mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)
