"""Hybrid video: an animation that takes pictures, or only their motion, from a video."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, Self, get_args

import torch
from torch import Tensor

from ..errors import FramedriftError
from ..run.resume import clip_mark
from ..video.edit import fitted
from ..video.frames import Frames
from ..video.recent import Recent
from ..warp.flow import Flow
from .hybrid_mask import Equalize, MaskType, Toning, blend_mask, difference_mask
from .hybrid_motion import FlowSettings, Motion, move_by_flow, move_by_matrix, track_matrix
from .layout import from_clip
from .options import Option
from .plan import FramePlan
from .redo import is_finite

log = logging.getLogger("framedrift")

Composite = Literal["none", "normal", "before motion", "after generation"]
COMPOSITES: tuple[Composite, ...] = get_args(Composite)

_CONTRAST = "hybrid_comp_mask_contrast_schedule"
_CUTOFF_LOW = "hybrid_comp_mask_auto_contrast_cutoff_low_schedule"
_CUTOFF_HIGH = "hybrid_comp_mask_auto_contrast_cutoff_high_schedule"


@dataclass(frozen=True, eq=False, kw_only=True)
class Hybrid(Option):
    """What is taken from a video, and how. Nothing is remembered from frame to frame: any can be made again alone.

    Attributes:
        schedules: all that BOUNDS names have to be there.
        video: as it was linked (Frames, IMAGE or VIDEO) until `fitted`, then Frames with every frame of the animation.
        composite: when pictures of the video are mixed into the animation's: never; before the picture is diffused,
            after ("normal") or before it was moved by the video's motion; or after it was diffused.
        mask_type: what says where the animation's picture stays: nothing; where it is near ("depth"); where the video
            is near ("video depth"); where both are light ("blend"); where they differ ("difference").
        mask_inverse, mask_equalize, mask_auto_contrast: see `hybrid_mask.Toning`.
        motion: how the video's motion is read: not at all, in every pixel, or as one matrix.
        flow_method, flow_consistency, consistency_blur: see `hybrid_motion.FlowSettings`.
        use_prev_img: the motion is read from the animation's picture to the video's, not between two of the video's.
        use_first_frame: the animation starts from the video's first picture.
    """

    TITLE: ClassVar[str] = "Hybrid Video"
    BOUNDS: ClassVar[Mapping[str, tuple[float, float]]] = {
        "hybrid_comp_alpha_schedule": (0, 1),
        "hybrid_comp_mask_blend_alpha_schedule": (0, 1),
        _CONTRAST: (0, 255),
        _CUTOFF_LOW: (0, 100),
        _CUTOFF_HIGH: (0, 100),
        "hybrid_flow_factor_schedule": (-10, 10),
    }

    video: Any
    composite: Composite = "none"
    mask_type: MaskType = "none"
    mask_inverse: bool = False
    mask_equalize: Equalize = "none"
    mask_auto_contrast: bool = False
    motion: Motion = "none"
    flow_method: Flow = "dis"
    flow_consistency: bool = False
    consistency_blur: float = 2.0
    use_prev_img: bool = False
    use_first_frame: bool = False

    def signature(self) -> Any:
        """The clip and every setting; those of a part that is switched off don't count."""
        composite = (self.mask_type, self.mask_inverse, self.mask_equalize, self.mask_auto_contrast)
        motion = (self.flow_method, self.flow_consistency, self.consistency_blur, self.use_prev_img)
        return [
            clip_mark(self._clip()),
            [self.composite, *(composite if self.composite != "none" else ())],
            [self.motion, *(motion if self.motion != "none" else ())],
            self.use_first_frame,
        ]

    def fitted(self, fps: float, size: tuple[int, int]) -> Self:
        """The same with its clip at the animation's rate and size (h, w). FramedriftError where it has no frames."""
        return replace(self, video=Recent(fitted(self.video, fps, size)))

    def length(self) -> int | None:
        """The clip's, which the animation does not outlast."""
        return len(self._clip())

    @property
    def needs_depth(self) -> bool:
        """Whether `composed` asks for depth."""
        return self.composite != "none" and self.mask_type in ("depth", "video depth")

    def first_picture(self) -> Tensor | None:
        """The picture (1, 3, H, W) that the animation starts from, or None."""
        return self._picture(0) if self.use_first_frame else None

    def composed(self, image: Tensor, plan: FramePlan, disparity: Callable[[Tensor], Tensor] | None) -> Tensor:
        """The picture with that of the video mixed in: ``image + alpha (1 - kept) (video - image)``.

        alpha is hybrid_comp_alpha_schedule, and kept the toned mask, or 0 without one: as in classic Deforum a light
        mask keeps the animation's picture, and a dark one shows the video.

        Args:
            image: (1, 3, H, W), 0..1.
            plan: of the frame.
            disparity: from a picture (1, 3, H, W) to its disparity (1, 1, H, W), 0..1, larger is nearer.

        Raises:
            FramedriftError: the mask is made of depth, and there is no `disparity`.
        """
        alpha = plan.values["hybrid_comp_alpha_schedule"]
        if self.composite == "none" or alpha == 0:
            return image
        picture = self._picture(plan.frame).to(image.device)
        if self.mask_type == "none":
            return torch.lerp(image, picture, alpha)
        kept = self._toning(plan)(self._mask(image, picture, plan, disparity)).clamp(0, 1)
        return torch.lerp(image, picture, alpha * (1 - kept))

    def moved(self, image: Tensor, holes: Tensor, source: int, plan: FramePlan) -> tuple[Tensor, Tensor]:
        """The picture and its holes, moved as the video moves from frame `source` to the plan's.

        Args:
            image: (1, 3, H, W), 0..1: the frame before, as the camera sees it now; `use_prev_img` reads the motion
                from it, as in Deforum.
            holes: (1, 1, H, W), 1 in holes.
            source: the diffused frame before.
            plan: of the frame.

        Returns:
            Both, see `hybrid_motion`. Where a matrix is asked for and nothing can be followed, both stay as they are,
            and a warning names the frame.
        """
        factor = plan.values["hybrid_flow_factor_schedule"]
        if self.motion == "none" or (self.motion == "optical flow" and factor == 0):
            return image, holes
        start = image if self.use_prev_img else self._picture(source)
        start, end = start.to(image.device), self._picture(plan.frame).to(image.device)
        frames = () if self.use_prev_img else range(source + 1, plan.frame)
        between = [partial(self._picture, frame) for frame in frames]
        if self.motion == "optical flow":
            same = not self.use_prev_img
            settings = FlowSettings(self.flow_method, self.flow_consistency, self.consistency_blur, same)
            return move_by_flow(image, holes, start, end, factor, settings, between)
        matrix = track_matrix(start, end, self.motion, between)
        if matrix is None:
            log.warning(
                "Frame %d: too little of the hybrid video could be followed from frame %d for the motion '%s'; the "
                "picture is not moved by it.",
                plan.frame,
                source,
                self.motion,
            )
            return image, holes
        return move_by_matrix(image, holes, matrix)

    def _clip(self) -> Frames:
        if not isinstance(self.video, Frames):
            raise FramedriftError("Hybrid Video: the video has to be fitted to the animation first.")
        return self.video

    def _picture(self, frame: int) -> Tensor:
        clip = self._clip()
        if frame >= len(clip):
            raise FramedriftError(f"Hybrid Video: frame {frame} is asked for, and the video has {len(clip)} frames.")
        picture = from_clip(clip[frame])
        if not is_finite(picture):
            raise FramedriftError(f"Hybrid Video: frame {frame} of the video has pixels that are no numbers (NaN).")
        return picture

    def _toning(self, plan: FramePlan) -> Toning:
        cutoffs = (plan.values[_CUTOFF_LOW], plan.values[_CUTOFF_HIGH])
        auto = cutoffs if self.mask_auto_contrast else None
        return Toning(self.mask_inverse, self.mask_equalize, plan.values[_CONTRAST], auto)

    def _mask(
        self, image: Tensor, picture: Tensor, plan: FramePlan, disparity: Callable[[Tensor], Tensor] | None
    ) -> Tensor:
        if self.mask_type == "blend":
            return blend_mask(image, picture, plan.values["hybrid_comp_mask_blend_alpha_schedule"])
        if self.mask_type == "difference":
            return difference_mask(image, picture)
        if disparity is None:
            raise missing_depth(self.mask_type)
        return disparity(image if self.mask_type == "depth" else picture).to(image.device)


def missing_depth(mask_type: str) -> FramedriftError:
    """The error for a mask made of depth where nothing measures it."""
    return FramedriftError(
        f"hybrid_comp_mask_type: '{mask_type}' needs a depth model; link one to the sampler's depth_model, or choose "
        "another mask."
    )
