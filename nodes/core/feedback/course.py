"""The way of an animation to its guide images.

Over the frames before a guide (`tweening_frames_schedule`) each fed-back picture is drawn nearer to it, by the blend
factors of classic Deforum's guided images; the guide's own frame is painted from the guide itself, and the animation
goes on from there. How a picture goes over is `dissolve`'s; what is half way is given up to half as much denoise again,
so that the model paints one picture and not two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..errors import FramedriftError
from ..warp.types import Warped
from .anchor import color_statistics
from .dissolve import dissolve, fine_share, with_layout
from .layout import from_pixels, to_pixels
from .options import Values
from .plan import FramePlan
from .spaces import SPACES

#: Most denoise that the middle of the way is given on its own account.
MOST_DENOISE = 0.6
#: By how much a picture's colours are spread at least and at most, and the spread in LAB that counts as none.
GAIN = 0.5, 2.0
GREY = 0.5
LAB = SPACES["lab"]
#: Raised whenever the way to a guide comes out otherwise.
COURSE = 1
#: The schedules that make the way, as Deforum calls them.
SCHEDULES = (
    "blendFactorMax",
    "blendFactorSlope",
    "tweening_frames_schedule",
    "image_strength_schedule",
    "color_correction_factor",
)

Seen = Callable[[Tensor, int, int], Warped]
"""A picture (1, 3, H, W) of one frame, that frame, and another: how the camera sees it from there."""


@dataclass(frozen=True, eq=False)
class Guide:
    """One picture with its frame. origin: what messages call it. prefix: of its node's schedules in the chain."""

    frame: int
    picture: Tensor
    origin: str
    prefix: str = ""

    @cached_property
    def colors(self) -> Tensor:
        """Mean and spread of each channel in CIE LAB, float64 (2, 3): what `nearer_colors` takes."""
        return color_statistics(_lab(self.picture))


class Course:
    """The way of an animation from guide to guide.

    It arrives: with the demo model and default settings the frame painted at a guide differs from it by less than 16 of
    255, on the mean over all pixels (6 to 8 at 768x512, 15 at 96x64), whatever the camera does.
    """

    def __init__(self, guides: Sequence[Guide], values: Values, num_frames: int, cuts: Sequence[int] = ()) -> None:
        """Lays out the way.

        Args:
            guides: at least one, at most one a frame.
            values: the sampled schedules of their nodes.
            num_frames: of the animation.
            cuts: frames at which nothing of the past is kept: a way begins after the last one before its guide.

        Raises:
            FramedriftError: two at the same frame.
        """
        self.guides = {guide.frame: guide for guide in sorted(guides, key=lambda guide: guide.frame)}
        if len(self.guides) < len(guides):
            _name_the_same(guides)
        self._shares = np.zeros(num_frames)
        self._strengths = np.zeros(num_frames)
        self._colors = np.zeros(num_frames)
        self._coming: list[Guide | None] = [None] * num_frames
        previous = 0
        for frame, guide in self.guides.items():
            most, slope, spans, strengths, colors = (values.numbers[guide.prefix + name] for name in SCHEDULES)
            since = max((cut for cut in cuts if previous < cut < frame), default=previous)
            span = min(int(spans[frame]), max(frame - since, 1))
            way = np.arange(frame - span + 1, frame + 1)
            blend = blend_factors(most[way], slope[way], (way - (frame - span)) / span)
            self._shares[way] = 1 - np.cumprod(1 - blend)
            self._shares[frame] = 1
            self._strengths[way], self._colors[way] = strengths[way], colors[way]
            self._coming[way[0] : frame + 1] = [guide] * span
            previous = frame

    @property
    def frames(self) -> tuple[int, ...]:
        """The guides' own frames, ascending."""
        return tuple(self.guides)

    def first_picture(self) -> Tensor | None:
        """(1, 3, H, W), what frame 0 is painted from; None where no guide stands there."""
        return self.guides[0].picture if 0 in self.guides else None

    def share(self, frame: int) -> float:
        """How far the picture has been drawn to the coming guide, 0 (not at all) to 1 (at its own frame)."""
        return float(self._shares[frame])

    def strength(self, frame: int, strength: float) -> float:
        """The strength of a frame, 0..1, in place of the sampler's.

        At a guide the image strength, far from any the sampler's, between them from one to the other with up to half
        as much denoise again half way. A cut (0) before a guide stays one.
        """
        share = self.share(frame)
        if frame in self.guides:
            return float(self._strengths[frame])
        if share <= 0 or strength <= 0:
            return strength
        denoise = (1 - share) * (1 - strength) + share * (1 - float(self._strengths[frame]))
        fine = fine_share(share)
        return 1 - max(denoise, min(denoise * (1 + 2 * fine * (1 - fine)), MOST_DENOISE))

    def blended(self, image: Tensor, plan: FramePlan, seen: Seen | None = None, since: int | None = None) -> Tensor:
        """The fed-back picture drawn towards the coming guide.

        Args:
            image: (1, 3, H, W), the frame before as the camera sees it now.
            plan: of the frame.
            seen: shows the guide as the camera sees it from a frame before; None is a camera that keeps still.
            since: the frame diffused before; None is `plan.frame - 1`. The way does not depend on the cadence.

        Returns:
            (1, 3, H, W): the same picture far from any guide, the guide itself at its own frame.
        """
        guide = self._coming[plan.frame]
        if guide is None:
            return image
        if guide.frame == plan.frame:
            return guide.picture
        before = self._share_before(guide, plan.frame, since)
        if seen is None:
            return dissolve(image, guide.picture, self.share(plan.frame), before)
        warped = seen(guide.picture, guide.frame, plan.frame)
        return dissolve(image, warped.image, self.share(plan.frame), before, warped.holes)

    def finished(self, image: Tensor, plan: FramePlan, since: int | None = None) -> Tensor:
        """The diffused picture (1, 3, H, W) with its colours drawn towards the coming guide's, see `nearer_colors`.

        By `color_correction_factor` for every frame of the way, more and more as it ends. At the guide's own frame
        they are the guide's place by place, see `dissolve.with_layout`. A factor of 0 leaves all colours alone.
        """
        guide = self._coming[plan.frame]
        if guide is None:
            return image
        first = max(0, plan.frame - 1 if since is None else since) + 1
        passed = [at for at in range(min(first, plan.frame), plan.frame + 1) if self._coming[at] is guide]
        factor = 1 - float(np.prod(1 - self._colors[passed]))
        if factor <= 0:
            return image
        if guide.frame == plan.frame:
            return with_layout(nearer_colors(image, guide.colors, 1.0), guide.picture)
        # Towards its end wholly, so that the guide's own frame is no jump.
        return nearer_colors(image, guide.colors, 1 - (1 - factor) * (1 - self.share(plan.frame) ** 4))

    def _share_before(self, guide: Guide, frame: int, since: int | None) -> float:
        since = frame - 1 if since is None else since
        return self.share(since) if since >= 0 and self._coming[since] is guide else 0.0


def blend_factors(most: np.ndarray, slope: np.ndarray, way: np.ndarray) -> np.ndarray:
    """How much of the guide each frame takes in, 0..1: `blendFactorMax - blendFactorSlope * cos(2 * way)`.

    Classic Deforum's course, which has `cos((frame % tweening) / (tweening / 2))`. way: 0..1, of the frames before the
    guide's own. All arrays are (F,).
    """
    return np.clip(most - slope * np.cos(2 * way), 0, 1)


def nearer_colors(image: Tensor, colors: Tensor, factor: float) -> Tensor:
    """A picture with its colours moved towards others: mean and spread of each channel in CIE LAB.

    After Reinhard et al., "Color transfer between images", 2001. Matching whole histograms would tear a picture into
    bands where the guide is drawn in a few flat colours.

    Args:
        image: (1, 3, H, W), 0..1.
        colors: float64 (2, 3), as `Guide.colors`.
        factor: 0..1, how far.
    """
    lab = _lab(image)
    mean, spread = (values.to(lab).view(1, 3, 1, 1) for values in color_statistics(lab))
    wanted_mean, wanted_spread = (values.to(lab).view(1, 3, 1, 1) for values in colors)
    gain = (torch.lerp(spread, wanted_spread, factor) / spread.clamp(min=GREY)).clamp(*GAIN)
    moved = (lab - mean) * gain + torch.lerp(mean, wanted_mean, factor)
    return from_pixels(LAB.decode(to_pixels(moved)), image).clamp_(0, 1)


def _lab(image: Tensor) -> Tensor:
    return from_pixels(LAB.encode(to_pixels(image.clamp(0, 1))), image)


def _name_the_same(guides: Sequence[Guide]) -> None:
    seen: dict[int, Guide] = {}
    for guide in guides:
        if (other := seen.setdefault(guide.frame, guide)) is not guide:
            nodes = sorted({other.prefix, guide.prefix})
            where = f", of {len(nodes)} Guide Images nodes" if len(nodes) > 1 else ""
            raise FramedriftError(
                f"Guide Images: frame {guide.frame} has two pictures, {other.origin} and {guide.origin}{where}; "
                f"take one away, or give it another frame."
            )
