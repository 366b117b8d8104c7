"""One frame on its way into a file: checked once, and given to every writer in the shape that it takes."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import FramedriftError

Pixels = np.ndarray


class Picture:
    """A frame's levels, made when a writer asks for them.

    Convention: rows, columns, channels; RGB or RGBA with straight alpha, 0..255 or 0..65535.
    """

    def __init__(self, source: torch.Tensor | Pixels, size: tuple[int, int], number: int) -> None:
        """Takes a frame.

        Args:
            source: (H, W, C) float, 0..1, or levels as `pixels` gave them; C is 1 (grey), 3 or 4 (with alpha).
            size: (h, w) that all frames of the video have.
            number: the frame's, counted from 0.

        Raises:
            FramedriftError: it has another size, or another number of channels; the number is named.
        """
        if source.ndim != 3 or tuple(source.shape[:2]) != tuple(size):
            is_size = f"{source.shape[1]}x{source.shape[0]}" if source.ndim == 3 else "?"
            raise FramedriftError(f"frames: frame {number} is {is_size}, but the video is {size[1]}x{size[0]}.")
        if source.shape[2] not in (1, 3, 4):
            raise FramedriftError(f"frames: frame {number} has {source.shape[2]} channels; 1, 3 or 4 can be written.")
        self.number = number
        self.has_alpha = source.shape[2] == 4
        self._source = source
        self._made: dict[tuple[bool, bool], Pixels] = {}

    def pixels(self, alpha: bool = False, deep: bool = False) -> Pixels:
        """The levels, not to be written into.

        Args:
            alpha: (H, W, 4), whole where the frame has none; otherwise (H, W, 3).
            deep: uint16; otherwise uint8.

        Raises:
            FramedriftError: the frame holds NaN or infinity; its number is named.
        """
        if (alpha, deep) not in self._made:
            kind = np.uint16 if deep else np.uint8
            self._made[alpha, deep] = with_channels(self._levels(alpha, kind), alpha, kind)
        return self._made[alpha, deep]

    def over_black(self) -> Pixels:
        """(H, W, 3) uint8, what is clear shown as black."""
        if not self.has_alpha:
            return self.pixels()
        levels = self.pixels(alpha=True).astype(np.uint16)
        return ((levels[..., :3] * levels[..., 3:] + 127) // 255).astype(np.uint8)

    def _levels(self, alpha: bool, kind: type[np.unsignedinteger]) -> Pixels:
        channels = 4 if alpha else 3
        if isinstance(self._source, np.ndarray):
            cut = self._source[..., :channels]
            if cut.dtype == kind:
                return np.ascontiguousarray(cut)
            return (cut >> 8).astype(kind) if kind is np.uint8 else cut.astype(kind) * kind(257)
        most = np.float32(np.iinfo(kind).max)
        levels = self._source[..., :channels].detach().to("cpu", torch.float32).numpy() * most
        # Two quick passes find NaN, infinity and whether there is anything to clip.
        low, high = levels.min(), levels.max()
        if not np.isfinite(low) or not np.isfinite(high):
            raise FramedriftError(
                f"frames: frame {self.number} holds values that are no numbers (NaN or infinity). A VAE in half "
                "precision often makes them."
            )
        np.rint(levels, out=levels)
        if low < 0 or high > most:
            np.clip(levels, 0, most, out=levels)
        return levels.astype(kind)


def with_channels(levels: Pixels, alpha: bool, kind: type[np.unsignedinteger]) -> Pixels:
    """One grey channel as three, and a whole alpha where one is wanted and there is none."""
    if levels.shape[2] == 1:
        levels = np.repeat(levels, 3, axis=2)
    if alpha and levels.shape[2] == 3:
        whole = np.full((*levels.shape[:2], 1), np.iinfo(kind).max, kind)
        levels = np.concatenate([levels, whole], axis=2)
    return levels


def padded(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Repeats the last row or column until the picture has `size`."""
    down, right = size[0] - pixels.shape[0], size[1] - pixels.shape[1]
    if down or right:
        return np.pad(pixels, ((0, down), (0, right), (0, 0)), mode="edge")
    return np.ascontiguousarray(pixels)
