"""Guide images: pictures that the animation reaches at their frames; see `course` for the way there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ..errors import FramedriftError
from ..run.resume import digest
from ..schedule.errors import ExpressionError
from ..schedule.keys import KeyTime, Timing, parse_key
from ..video.edit import fitted
from .course import COURSE, Course, Guide
from .options import Option, Options, Values

log = logging.getLogger("framedrift")


@dataclass(frozen=True, eq=False, kw_only=True)
class Guides(Option):
    """What one Guide Images node says.

    Attributes:
        start_image: (1, 3, h, w), at frame 0. end_image: at the last frame. Either may be None.
        images: (N, 3, h, w), at the frames of `places`, in that order.
        places: keys of a schedule with commas between them: "24, max_f/2, 2.5s".

    Raises:
        FramedriftError: there is no picture at all, more than one where one is meant, or not as many as places.
    """

    TITLE: ClassVar[str] = "Guide Images"
    NUMBERED: ClassVar[str] = "guides_{}_"
    BOUNDS: ClassVar = {
        "image_strength_schedule": (0, 1),
        "tweening_frames_schedule": (1, 100_000),
        "blendFactorMax": (0, 1),
        "blendFactorSlope": (-1, 1),
        "color_correction_factor": (0, 1),
    }

    start_image: Tensor | None = None
    end_image: Tensor | None = None
    images: Tensor | None = None
    places: str = ""
    keys: tuple[KeyTime, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Reads the places."""
        object.__setattr__(self, "keys", parse_places(self.places))
        for name, picture in (("start_image", self.start_image), ("end_image", self.end_image)):
            if picture is not None and len(picture) != 1:
                raise FramedriftError(f"{name}: {len(picture)} pictures; it takes one. Put the others into images.")
        given = 0 if self.images is None else len(self.images)
        if given != len(self.keys):
            raise FramedriftError(
                f"keyframes names {len(self.keys)} frames, and images holds {given} pictures; there has to be one "
                f"frame for each, as in 24, 48."
            )
        if self.start_image is None and self.end_image is None and not given:
            raise FramedriftError("Guide Images: there is no picture; link start_image, end_image or images.")

    def signature(self) -> Any:
        """The pictures and their places, and how the way is made."""
        pictures = (self.start_image, self.end_image, self.images)
        return [COURSE, self.places, *(None if given is None else digest(given) for given in pictures)]

    def fitted(self, fps: float, size: tuple[int, int]) -> Self:
        """The same with pictures of the animation's size (h, w): cropped, so that they keep their shape."""
        pictures = {name: getattr(self, name) for name in ("start_image", "end_image", "images")}
        return replace(
            self, **{name: None if given is None else _cropped(given, size) for name, given in pictures.items()}
        )

    def keyframes(self, num_frames: int, seed: int, fps: float) -> set[int]:
        """The frames of the guides, which have to be diffused."""
        return {frame for frame, _, _ in self._placed(num_frames, seed, fps) if 0 <= frame < num_frames}

    def guides(self, num_frames: int, seed: int, fps: float, prefix: str = "") -> list[Guide]:
        """Every picture with its frame; those outside the animation are left out, with a warning."""
        found: list[Guide] = []
        for frame, picture, origin in self._placed(num_frames, seed, fps):
            if 0 <= frame < num_frames:
                found.append(Guide(frame, picture, origin, prefix))
            else:
                log.warning("Guide Images: %s is for frame %d, outside 0 to %d", origin, frame, num_frames - 1)
        return found

    def _placed(self, num_frames: int, seed: int, fps: float) -> list[tuple[int, Tensor, str]]:
        """Every picture with its frame, within the animation or not, and what messages call it."""
        timing = Timing(num_frames, seed, fps)
        given = [] if self.start_image is None else [(0, self.start_image, "start_image")]
        pictures = () if self.images is None else self.images.split(1)
        for number, (key, picture) in enumerate(zip(self.keys, pictures, strict=True), start=1):
            try:
                frame = key.frame(timing)
            except ExpressionError as error:
                raise FramedriftError(f"keyframes, {key.text!r}: {error}") from error
            given.append((frame, picture, f"picture {number} of images (keyframe {key.text})"))
        if self.end_image is not None:
            given.append((num_frames - 1, self.end_image, "end_image"))
        return given


def parse_places(text: str) -> tuple[KeyTime, ...]:
    """The keys of a text such as "24, min(48, max_f), 2.5s"; an empty text has none. Raises FramedriftError."""
    pieces, depth, begin = [], 0, 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character in ",\n" and depth <= 0:
            pieces.append(text[begin:at])
            begin = at + 1
    keys = []
    for piece in (piece.strip() for piece in (*pieces, text[begin:])):
        try:
            keys += [parse_key(piece)] if piece else []
        except ExpressionError as error:
            raise FramedriftError(
                f"keyframes, {piece[:40]!r}: {error}; write frames such as 24, max_f/2, 2.5s"
            ) from error
    return tuple(keys)


def merged(
    options: Options, values: Values, num_frames: int, seed: int, fps: float, cuts: Sequence[int] = ()
) -> Course | None:
    """The way along the guides of all Guide Images nodes of a chain (fitted, see `Options.fitted`); None without any.

    `cuts` are the frames at which the sampler's own strength is 0, see `Course`.

    Raises:
        FramedriftError: two guides at the same frame.
    """
    guides: list[Guide] = []
    for part, prefix in options.prefixes():
        if isinstance(part, Guides):
            guides += part.guides(num_frames, seed, fps, prefix)
    return Course(guides, values, num_frames, cuts) if guides else None


def _cropped(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (N, 3, h, w) at another size (h, w), filling it; the very same where they have it."""
    if tuple(pictures.shape[-2:]) == tuple(size):
        return pictures
    shown = fitted(pictures.movedim(1, -1), 1.0, size)
    return torch.stack([shown[item].movedim(-1, 0) for item in range(len(shown))])
