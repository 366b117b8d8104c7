"""One diffused frame out of the one before it: the steps of the design, in their order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ..camera import Track
from ..depth.align import DepthTracker
from ..depth.estimate import DepthModel
from ..depth.moved import uses_depth
from ..errors import FramedriftError
from ..video.frames import Frames
from ..video.recent import Recent
from ..warp import Warped, WarpSettings, warp
from ..warp.types import unmoved
from .coherence import Coherence, ColorKeeper
from .course import Course
from .denoise import Diffusion, denoise_map, keep_untouched, plan_diffusion
from .hybrid import Hybrid
from .layout import from_clip
from .masks import Masks, masked_denoise
from .noise import Noise, add_noise
from .options import Options
from .plan import FramePlan
from .redo import Made, Redo, is_finite, made, prepared_again


class Diffuser(Protocol):
    """What turns a prepared picture into a diffused one: the host's model, VAE and sampler."""

    cell: int
    """Pixels along one side of a latent cell."""

    def diffuse(self, image: Tensor | None, plan: FramePlan, diffusion: Diffusion, previous: Tensor | None) -> Tensor:
        """(1, 3, H, W) or None for text to image, to (1, 3, H, W), float32 on the CPU, 0..1.

        `previous` is the frame before as it goes into this one, moved and with its colours matched but without noise,
        for what looks at it; None at the first frame and at a cut.
        """
        ...


@dataclass(frozen=True)
class LoopSettings:
    """What holds for the whole animation. color_coherence: "none" or "lab", where no Coherence is among the options."""

    warp: WarpSettings = WarpSettings()
    color_coherence: str = "none"
    hole_denoise: float = 1.0
    full_steps: bool = False
    video_mix: float = 1.0


@dataclass(frozen=True, eq=False)
class Scene:
    """What an animation is painted from.

    Attributes:
        track: the camera over the whole animation; None keeps still.
        depth: asked where the camera moves in space, and its answers kept with the run; a camera in the plane, or none,
            has no use for it. None takes the scene for a plane.
        init_image: (1, 3, H, W), what frame 0 starts from; None makes it from its prompt alone, unless a guide or a
            hybrid video has a picture for it.
        video: a picture for each frame of the animation, of its size: what every diffused frame starts from, mixed by
            `video_mix` with what is left of the one before. What the camera uncovers shows it whole.
        options: what is chained in, fitted.
        course: the way to the guide images among them.
    """

    track: Track | None = None
    depth: DepthModel | None = None
    init_image: Tensor | None = None
    video: Frames | None = None
    options: Options = Options()
    course: Course | None = None


class FramePainter:
    """Paints frame after frame; all that the next one needs of it are the colours' references."""

    def __init__(self, scene: Scene, settings: LoopSettings, diffuser: Diffuser) -> None:
        """Takes what the animation is painted from, and the host's side."""
        options = scene.options
        self.scene, self.settings, self.diffuser = scene, settings, diffuser
        self.hybrid, self.noise = options.only(Hybrid), options.only(Noise)
        self.masks, self.redo = options.only(Masks), options.only(Redo)
        self.colors = ColorKeeper(options.only(Coherence) or Coherence(match=settings.color_coherence))
        # What a frame starts from may be its overlay's base, too.
        self._video = Recent(scene.video, keep=1) if scene.video is not None else None
        self._guides_depths: dict[int, Tensor] = {}

    def first_picture(self) -> Tensor | None:
        """What frame 0 starts from, (1, 3, H, W); None is nothing."""
        if self.scene.course is not None and (picture := self.scene.course.first_picture()) is not None:
            return picture
        if self.scene.init_image is not None:
            return self.scene.init_image
        return self.hybrid.first_picture() if self.hybrid is not None else None

    def paint(self, plan: FramePlan, source: int | None, image: Tensor | None, disparity: Tensor | None) -> Made:
        """The frame of a plan.

        Args:
            plan: of the frame.
            source: the frame diffused before; None where there is none.
            image: (1, 3, H, W), that frame, or what frame 0 starts from; None is nothing.
            disparity: (1, 1, H, W) of `image`; None takes it for a plane.

        Raises:
            StopRun: it is blank, and the options say to stop.
            FramedriftError: it has pixels that are no numbers, or an option asks for what is not there.
        """
        start, base = None if plan.is_cut else self._start(plan, source, image, disparity), self._base(plan.frame)
        if start is None:
            # A cut has no past: its colours start anew.
            self.colors.forget()
            nothing = Diffusion.from_nothing(plan.steps)
            done = made(None, plan, self.redo, lambda _, how: self.diffuser.diffuse(None, how, nothing, None))
            changed = True
        else:
            done, changed = self._painted(start, plan, source, base is not None)
        picture = done.image
        if self.hybrid is not None and self.hybrid.composite == "after generation":
            picture = self.hybrid.composed(picture, plan, self._disparity())
        # Where neither diffusion nor video changed anything the picture has its colours already.
        if changed or picture is not done.image:
            picture = self.colors.finished(picture, plan)
        if self.scene.course is not None and start is not None:
            picture = self.scene.course.finished(picture, plan, source)
        if self.masks is not None:
            picture = self.masks.overlaid(base, picture, plan.frame)
        return replace(done, image=self.colors.greyed(picture))

    def _start(
        self, plan: FramePlan, source: int | None, image: Tensor | None, disparity: Tensor | None
    ) -> Warped | None:
        """What the frame is painted over; None where there is nothing."""
        start = self._moved(plan, source, image, disparity)
        if self.hybrid is not None and start is not None:
            start = self._with_hybrid(self.hybrid, start, source, plan)
        if self._video is not None:
            start = with_video(start, from_clip(self._video[plan.frame]), self.settings.video_mix)
        course = self.scene.course
        if course is not None and start is not None:
            if plan.frame in course.frames:
                start = unmoved(course.blended(start.image, plan))
            else:
                start = replace(start, image=course.blended(start.image, plan, self._seen, source))
        if start is not None and not is_finite(start.image):
            raise FramedriftError(
                f"Frame {plan.frame} is to start from a picture with pixels that are no numbers (NaN). They come from "
                "what is linked: look at the init image, the guide images and the clips."
            )
        return start

    def _moved(
        self, plan: FramePlan, source: int | None, image: Tensor | None, disparity: Tensor | None
    ) -> Warped | None:
        if image is None:
            return None
        if self.scene.track is None or source is None:
            return unmoved(image)
        return warp(image, self.scene.track, source, plan.frame, disparity, self.settings.warp)

    def _with_hybrid(self, hybrid: Hybrid, start: Warped, source: int | None, plan: FramePlan) -> Warped:
        image, holes = start.image, start.holes
        if hybrid.composite == "before motion":
            image = hybrid.composed(image, plan, self._disparity())
        if source is not None:
            image, holes = hybrid.moved(image, holes, source, plan)
        if hybrid.composite == "normal":
            image = hybrid.composed(image, plan, self._disparity())
        return replace(start, image=image, holes=holes)

    def _painted(self, start: Warped, plan: FramePlan, source: int | None, overlaid: bool) -> tuple[Made, bool]:
        """The picture painted over, and whether any of it was diffused. overlaid: whether the mask's base covers it."""
        frame, size = plan.frame, (start.image.shape[-2], start.image.shape[-1])
        prepared = self.colors.prepared(start.image, start.holes, plan)
        wanted = denoise_map(start.holes, start.magnification, plan.denoise, self.settings.hole_denoise)
        if self.masks is not None:
            wanted = masked_denoise(wanted, self.masks.at(frame, size), start.holes, overlaid)
        diffusion = plan_diffusion(wanted, plan.steps, self.diffuser.cell, self.settings.full_steps)
        if diffusion is None:
            return Made(prepared, plan), False
        noise_mask = self.masks.noise_at(frame, size) if self.masks is not None else None
        image = add_noise(prepared, plan.noise, plan.seed, frame, self.noise, noise_mask)
        previous = prepared if source is not None else None

        def make(picture: Tensor | None, how: FramePlan) -> Tensor:
            found = self.diffuser.diffuse(picture, how, diffusion, previous)
            # Without the noise, which would pile up where no step takes it away.
            return keep_untouched(prepared, found, diffusion.mask)

        if self.redo is not None:
            image = prepared_again(image, plan, self.redo, make, lambda found: self.colors.finished(found, plan))
        return made(image, plan, self.redo, make, prepared), True

    def _base(self, frame: int) -> Tensor | None:
        """What an overlay puts back where the mask keeps it; None where there is no overlay, or nothing to put back."""
        if self.masks is None or not self.masks.overlay_mask:
            return None
        return from_clip(self._video[frame]) if self._video is not None else self.first_picture()

    def _disparity(self):
        """From a picture to its disparity, (1, 1, H, W), 0..1; None where no model is there to tell."""
        depth = self.scene.depth
        if depth is None:
            return None
        # A tracker of its own for each: only the range of this one picture counts.
        return lambda picture: DepthTracker(depth.calibrated).update(depth.disparity(picture))

    def _seen(self, picture: Tensor, source: int, target: int) -> Warped:
        """A guide, which belongs to frame `source`, as the camera sees it at frame `target`."""
        if self.scene.track is None:
            return unmoved(picture)
        measure = self._disparity() if uses_depth(self.scene.track) else None
        if measure is not None and source not in self._guides_depths:
            self._guides_depths[source] = measure(picture)
        return warp(picture, self.scene.track, source, target, self._guides_depths.get(source), self.settings.warp)


def with_video(start: Warped | None, picture: Tensor, mix: float) -> Warped:
    """What is left of the frame before, mixed with a picture (1, 3, H, W); where there are holes, the picture alone."""
    if start is None or mix >= 1:
        return unmoved(picture)
    mixed = torch.lerp(start.image, picture, start.holes.clamp(min=mix))
    return Warped(mixed, torch.zeros_like(start.holes), start.magnification)
