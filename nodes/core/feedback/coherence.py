"""Coherence: how a frame keeps the colours of the animation, and its contrast, sharpness and greyness.

Convention: images are float32 (1, 3, H, W), sRGB, 0..1; holes (1, 1, H, W), 1 where a pixel is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch

from ..errors import FramedriftError
from ..run.resume import clip_mark, digest
from ..schedule import StringSchedule
from ..video.edit import fitted
from .adjust import contrast, grayscale, unsharp
from .anchor import color_statistics, moved_anchor, pulled
from .layout import from_clip
from .matching import color_quantiles, match_colors
from .options import Option
from .palettes import PaletteSchedule, parse_palettes, read_colors
from .plan import FramePlan

MATCHES = ("none", "rgb", "hsv", "lab")
FRAME_0, PREVIOUS, IMAGE, VIDEO, ANCHOR = "frame 0", "previous frame", "image", "video", "slow anchor"
REFERENCES = (FRAME_0, PREVIOUS, IMAGE, VIDEO, ANCHOR)


@dataclass(frozen=True, eq=False, kw_only=True)
class Coherence(Option):
    """What the Coherence node says.

    Attributes:
        match: the space in which histograms are matched, one of MATCHES; "none" matches nothing.
        reference: what colours are kept of, one of REFERENCES. The slow anchor takes the place of matching, whatever
            `match` is; see ``anchor``.
        image: (1, 3, H, W) of any size, for the reference "image".
        clip: for the reference "video": Frames, an IMAGE batch or a VIDEO until it is fitted, Frames then. Where it is
            shorter than the animation its last picture stays the reference.
        every_n_frames: how many frames of the animation one picture of the clip is the reference for.
        grayscale: make every frame grey, last of all.

    schedules: contrast_schedule, kernel_schedule, sigma_schedule, amount_schedule and threshold_schedule, see
    ``adjust``; one that is missing changes nothing. names: "palette", what the slow anchor goes to; see ``palettes``.
    """

    TITLE: ClassVar[str] = "Coherence"
    BOUNDS: ClassVar[Mapping[str, tuple[float, float]]] = {
        "contrast_schedule": (0, 10),
        "kernel_schedule": (1, 255),
        "sigma_schedule": (0, 100),
        "amount_schedule": (-10, 10),
        "threshold_schedule": (0, 255),
    }

    match: str = "none"
    reference: str = FRAME_0
    image: torch.Tensor | None = None
    clip: Any = None
    every_n_frames: int = 1
    grayscale: bool = False

    def __post_init__(self) -> None:
        """Raises FramedriftError for a choice that is not known, or whose picture is missing."""
        if self.match not in MATCHES:
            raise FramedriftError(f"color_coherence is {self.match!r}, and must be one of: {', '.join(MATCHES)}.")
        if self.reference not in REFERENCES:
            raise FramedriftError(f"reference is {self.reference!r}, and must be one of: {', '.join(REFERENCES)}.")
        if self.every_n_frames < 1:
            raise FramedriftError(
                f"color_coherence_video_every_N_frames is {self.every_n_frames}, and must be 1 or more."
            )
        for kind, name, given in ((IMAGE, "reference_image", self.image), (VIDEO, "reference_video", self.clip)):
            if self.matches and self.reference == kind and given is None:
                raise FramedriftError(
                    f"{name}: nothing is linked, and the reference is {kind!r}. Link one, or choose '{FRAME_0}'."
                )
        palette = self.names.get("palette")
        if palette is not None and not isinstance(palette, PaletteSchedule):
            # An edit of the running animation brings it as a plain text.
            object.__setattr__(self, "names", {**self.names, "palette": _as_palettes(palette)})

    @property
    def matches(self) -> bool:
        """Whether histograms are matched."""
        return self.match != "none" and self.reference != ANCHOR

    def signature(self) -> Any:
        """What is not used stays out: it shapes no picture."""
        colors: list[Any] = []
        if self.reference == ANCHOR:
            colors = [ANCHOR]
        elif self.matches:
            colors = [self.match, self.reference]
            if self.reference == IMAGE and self.image is not None:
                colors.append(digest(self.image))
            if self.reference == VIDEO:
                colors += [clip_mark(self.clip), self.every_n_frames]
        return [colors, self.grayscale]

    def fitted(self, fps: float, size: tuple[int, int]) -> Self:
        """The same, its clip at the animation's rate."""
        if not self.matches or self.reference != VIDEO or self.clip is None:
            return self
        return replace(self, clip=fitted(self.clip, fps, size))


class ColorKeeper:
    """Keeps the colours of one animation; what it has learned travels in the run's state.

    For every frame ``prepared`` is called before it is diffused, ``finished`` after it, ``greyed`` last of all, and
    ``learn`` with the picture that is kept; ``forget`` before a cut.
    """

    def __init__(self, coherence: Coherence) -> None:
        """Takes the (fitted) option."""
        self.coherence = coherence
        self._reference: torch.Tensor | None = None
        self._anchor: torch.Tensor | None = None
        self._frame = 0
        self._given: tuple[int, torch.Tensor] | None = None

    def prepared(self, image: torch.Tensor, holes: torch.Tensor | None, plan: FramePlan) -> torch.Tensor:
        """The moved frame before it is diffused: matched, grey, contrast, sharpened. Holes count in no distribution."""
        image = self.greyed(self._matched(image, holes, plan))
        values = plan.values
        image = contrast(image, values.get("contrast_schedule", 1.0))
        return unsharp(
            image,
            int(values.get("kernel_schedule", 5)),
            values.get("sigma_schedule", 1.0),
            values.get("amount_schedule", 0.0),
            values.get("threshold_schedule", 0.0),
        )

    def finished(self, image: torch.Tensor, plan: FramePlan) -> torch.Tensor:
        """The diffused frame: matched or pulled to the anchor, and grey.

        The anchor pulls here and not before: most of what is changed before, the diffusion takes back. Over 300 frames
        at strength 0.6 on the demo model the contrast's distance from frame 0's is 7.9 % (root mean square) without an
        anchor, 7.1 % with one before, 6.0 % with one after, and 5.7 % with both.
        """
        image = self._matched(image, None, plan)
        if self.coherence.reference == ANCHOR and self._anchor is not None:
            image = pulled(image, self._moved_anchor(self._anchor, plan))
        return self.greyed(image)

    def greyed(self, image: torch.Tensor) -> torch.Tensor:
        """The picture in grey where every frame is to be grey, and else the same."""
        return grayscale(image) if self.coherence.grayscale else image

    def learn(self, image: torch.Tensor, frame: int) -> None:
        """Takes the final picture of a frame for the reference, where it is to be one."""
        chosen = self.coherence
        if chosen.reference == ANCHOR:
            if self._anchor is None:
                self._anchor, self._frame = color_statistics(image), frame
        elif chosen.matches and (
            chosen.reference == PREVIOUS or (chosen.reference == FRAME_0 and self._reference is None)
        ):
            self._reference = color_quantiles(image, chosen.match)

    def forget(self) -> None:
        """At a cut: what was learned of the frames before it counts no more."""
        self._reference = self._anchor = None

    def state(self) -> dict[str, torch.Tensor]:
        """What ``restore`` goes on from, bit for bit."""
        found: dict[str, torch.Tensor] = {}
        if self._reference is not None:
            found["color_reference"] = self._reference
        if self._anchor is not None:
            found |= {"color_anchor": self._anchor, "color_frame": torch.tensor(self._frame)}
        return found

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Goes on from a run's state, of which it takes what is its own."""
        self._reference, self._anchor = state.get("color_reference"), state.get("color_anchor")
        self._frame = int(state["color_frame"]) if "color_frame" in state else 0

    def _matched(self, image: torch.Tensor, holes: torch.Tensor | None, plan: FramePlan) -> torch.Tensor:
        table = self._table(plan.frame) if self.coherence.matches else None
        return image if table is None else match_colors(image, table, self.coherence.match, holes)

    def _moved_anchor(self, anchor: torch.Tensor, plan: FramePlan) -> torch.Tensor:
        """The anchor of this frame, on its way to the palette; asked for again it moves no further."""
        palette, frames = plan.names.get("palette"), max(plan.frame - self._frame, 0)
        if palette:
            anchor = moved_anchor(anchor, read_colors(palette), frames)
        self._anchor, self._frame = anchor, self._frame + frames
        return anchor

    def _table(self, frame: int) -> torch.Tensor | None:
        """The reference for a frame; None where there is none yet."""
        chosen = self.coherence
        if chosen.reference == IMAGE and (image := chosen.image) is not None:
            return self._measured(0, lambda: image)
        if chosen.reference == VIDEO:
            item = min(frame // chosen.every_n_frames * chosen.every_n_frames, len(chosen.clip) - 1)
            return self._measured(item, lambda: from_clip(chosen.clip[item]))
        return self._reference

    def _measured(self, item: int, load: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The table of a given picture; the last one is kept."""
        if self._given is None or self._given[0] != item:
            self._given = (item, color_quantiles(load(), self.coherence.match))
        return self._given[1]


def _as_palettes(given: StringSchedule) -> PaletteSchedule:
    return parse_palettes(given.text, given.name or "palette")
