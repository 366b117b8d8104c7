"""Frames kept on disk for a second look: memory stays as it is, and nothing is rendered twice."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np

from ..errors import FramedriftError
from ..run.pictures import png_options


class Spool:
    """Pictures in a file without a name, gone when it is closed or the process ends. Packed without loss."""

    def __init__(self, folder: Path) -> None:
        """Opens one on the disk that holds `folder`: the system's own folder for such files may be memory."""
        self._file = tempfile.TemporaryFile(dir=folder, prefix=".framedrift-")  # noqa: SIM115 - closed by __exit__
        self._ends = [0]

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, pixels: np.ndarray) -> None:
        """Keeps (H, W, 3 or 4) uint8 or uint16."""
        import cv2

        done, packed = cv2.imencode(".png", pixels, png_options(True))
        if not done:
            raise FramedriftError(f"A picture of {pixels.shape[1]}x{pixels.shape[0]} could not be packed.")
        self._file.seek(self._ends[-1])
        self._file.write(packed.data)
        self._ends.append(self._ends[-1] + len(packed))

    def __getitem__(self, item: int) -> np.ndarray:
        """The picture as it came."""
        import cv2

        if not 0 <= item < len(self):
            raise IndexError(f"there is no picture {item}: {len(self)} are kept")
        self._file.seek(self._ends[item])
        packed = self._file.read(self._ends[item + 1] - self._ends[item])
        pixels = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise OSError(f"picture {item} cannot be read back")
        return pixels
