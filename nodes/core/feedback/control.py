"""ControlNets: the picture that holds each frame's composition, and how strongly over which part of the sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from torch import Tensor

from ..errors import FramedriftError
from ..run.resume import clip_mark, digest
from ..video.edit import fitted
from ..video.frames import Frames
from .layout import from_clip
from .options import Option, Options
from .plan import FramePlan

SOURCES = ("image", "video", "previous frame")
"""Where a control picture comes from: a still, a clip, or the frame before, as the camera has moved it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Control(Option):
    """One ControlNet: schedules `weight`, `guidance_start` and `guidance_end`.

    Attributes:
        net: the host's CONTROL_NET.
        source: one of `SOURCES`.
        image: (1, 3, H, W) of any size; only for a still.
        clip: Frames, an IMAGE batch or a VIDEO; after `fitted` Frames. Only for a video.
        vae: the host's VAE for nets that read latents; None takes the model's own.
        origin: the workflow above net and VAE, as JSON values: what the net is known by.

    Raises:
        FramedriftError: the source is none, or what it needs is not there.
    """

    TITLE: ClassVar[str] = "Control"
    NUMBERED: ClassVar[str] = "cn_{}_"
    BOUNDS: ClassVar[Mapping[str, tuple[float, float]]] = {
        "weight": (0, 10),
        "guidance_start": (0, 1),
        "guidance_end": (0, 1),
    }

    net: Any
    source: str = "image"
    image: Tensor | None = None
    clip: Any = None
    vae: Any = None
    origin: Any = None

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise FramedriftError(f"source: there is no {self.source!r}; choose one of {', '.join(SOURCES)}.")
        if self.source == "image" and self.image is None:
            raise FramedriftError("image: the source is a still, and none is linked; link one, or choose another.")
        if self.source == "video" and self.clip is None:
            raise FramedriftError("video: the source is a video, and none is linked; link one, or choose another.")
        if self.source == "image" and self.image is not None and len(self.image) != 1:
            raise FramedriftError(
                f"image: {len(self.image)} pictures; a still is one. Link them to video, and choose that as source."
            )

    def signature(self) -> Any:
        """What it shows, and where the net comes from."""
        shown = {"source": self.source, "origin": self.origin}
        if self.source == "image" and self.image is not None:
            shown["image"] = digest(self.image)
        if self.source == "video":
            shown["video"] = clip_mark(self.clip)
        return shown

    def fitted(self, fps: float, size: tuple[int, int]) -> Self:
        """The same with its picture or clip cropped to the animation's size, a clip at its rate."""
        if self.source == "image" and self.image is not None:
            # A still is a clip of one picture.
            still = fitted(self.image.movedim(1, -1), fps, size)[0]
            return replace(self, image=still.permute(2, 0, 1)[None].contiguous())
        return replace(self, clip=fitted(self.clip, fps, size)) if self.source == "video" else self

    def length(self) -> int | None:
        """The clip's; None for the others."""
        return len(self.clip) if self.source == "video" and isinstance(self.clip, Frames) else None

    def picture(self, frame: int, previous: Tensor | None) -> Tensor | None:
        """What the net is shown at a frame: (1, 3, H, W); None where there is no previous frame to show.

        Args:
            frame: of the animation.
            previous: (1, 3, H, W), the frame before as it goes into this one; None at a cut and at the first frame.
        """
        if self.source == "image":
            return self.image
        return previous if self.source == "previous frame" else from_clip(self.clip[frame])


Applied = tuple[Any, Tensor, float, float, float, Any]
"""(net, picture, weight, start, end, vae): what the host's `apply_controls` takes."""


def controls_of(options: Options, plan: FramePlan, previous: Tensor | None) -> list[Applied]:
    """The ControlNets that act on a plan's frame, in the order of the chain; see `Control.picture` for `previous`."""
    acting: list[Applied] = []
    for part, prefix in options.prefixes():
        if not isinstance(part, Control):
            continue
        weight, start, end = (plan.values[prefix + own] for own in ("weight", "guidance_start", "guidance_end"))
        if weight == 0 or (picture := part.picture(plan.frame, previous)) is None:
            continue
        acting.append((part.net, picture, weight, start, end, part.vae))
    return acting


def check_controls(options: Options, plans: Sequence[FramePlan]) -> None:
    """Raises FramedriftError, which names schedule and frame, where a ControlNet would end before it starts."""
    for part, prefix in options.prefixes():
        if not isinstance(part, Control):
            continue
        for plan in plans:
            weight, start, end = (plan.values[prefix + own] for own in ("weight", "guidance_start", "guidance_end"))
            if weight > 0 and start > end:
                raise FramedriftError(
                    f"{prefix}guidance_end is {end:g} at frame {plan.frame}, before {prefix}guidance_start, which is "
                    f"{start:g}; it must be as much or more. A weight of 0 switches a ControlNet off."
                )
