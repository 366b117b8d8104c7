"""A clip that remembers the last pictures it showed."""

from __future__ import annotations

import threading
from collections import OrderedDict

import torch

from .frames import Frames


class Recent(Frames):
    """The same frames; the last few are kept, so that looking back a little neither decodes nor resizes them again."""

    def __init__(self, source: Frames, keep: int = 4) -> None:
        """Takes any frames, and how many pictures are kept."""
        self._source, self._keep = source, keep
        self._pictures: OrderedDict[int, torch.Tensor] = OrderedDict()
        self._lock = threading.Lock()
        self.fps, self.size, self.indices, self.num_frames = source.fps, source.size, source.indices, source.num_frames
        self.track, self.settings, self.cuts, self.loops = source.track, source.settings, source.cuts, source.loops

    def __getitem__(self, item: int) -> torch.Tensor:
        place = self.position(item)
        with self._lock:
            if place not in self._pictures:
                self._pictures[place] = self._source[place]
                while len(self._pictures) > self._keep:
                    self._pictures.popitem(last=False)
            self._pictures.move_to_end(place)
            return self._pictures[place]

    def disparity(self, item: int) -> torch.Tensor | None:
        """The source's."""
        return self._source.disparity(item)
