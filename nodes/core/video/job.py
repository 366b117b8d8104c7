"""What is to be written, as every writer needs to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, Protocol

from .formats import Format
from .picture import Picture
from .sound import SoundFile

Dither = Literal["diffusion", "ordered", "none"]


@dataclass(frozen=True)
class Job:
    """One file.

    Attributes:
        format: what it is written as.
        rate: frames per second.
        size: (h, w) of the frames as they come.
        crf: quality on x264's scale.
        alpha: whether it is given an alpha channel.
        deep: whether it has 10 bits.
        loop_count: how often a GIF, WebP or APNG plays; 0 for ever.
        dither: how a GIF makes up for the colours that it lacks.
        metadata: texts to go into it, `prompt` and `workflow` as JSON.
        audio: the sound; None for none.
        audio_offset: seconds into the video at which the sound begins; below 0 its beginning is left out.
        scaled: (h, w) to be shown at, in place of the frames' own, without alpha over black.
        options: options of the encoder, over the format's own.
    """

    format: Format
    rate: Fraction
    size: tuple[int, int]
    crf: float = 19
    alpha: bool = False
    deep: bool = False
    loop_count: int = 0
    dither: Dither = "diffusion"
    metadata: Mapping[str, str] = field(default_factory=dict)
    audio: Mapping[str, Any] | SoundFile | None = None
    audio_offset: float = 0.0
    scaled: tuple[int, int] | None = None
    options: Mapping[str, str] = field(default_factory=dict)


class Writer(Protocol):
    """Writes one file, frame by frame."""

    def write(self, picture: Picture) -> None:
        """Takes the next frame."""
        ...

    def finish(self) -> None:
        """Makes the file whole."""
        ...

    def abandon(self) -> None:
        """Closes a file that is thrown away."""
        ...
