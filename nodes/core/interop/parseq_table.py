"""The table of a Parseq manifest: its rendered frames, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..schedule import Schedule
from .model import MAX_FRAMES, InteropError, number, schedule_from_values, shown, told, whole


class Table:
    """The rendered frames, checked: every one an object with a whole frame number, in ascending order."""

    def __init__(self, frames: Any):
        if not isinstance(frames, list) or not frames:
            raise InteropError("it must be a list of frames; render the document in Parseq first.", "rendered_frames")
        found: dict[int, Mapping[str, Any]] = {}
        for index, frame in enumerate(frames):
            if not isinstance(frame, Mapping):
                raise InteropError(f"entry {index} is {shown(frame, 20)}, and must be an object.", "rendered_frames")
            place = f"rendered_frames[{index}].frame"
            found[whole(frame.get("frame"), place, 0, MAX_FRAMES - 1)] = frame
        self.doubled = len(frames) - len(found)
        self.places = sorted(found)
        self.rows = [found[place] for place in self.places]
        self.num_frames = self.places[-1] + 1
        self.missing = self.num_frames - len(self.rows)
        self.fields = {str(key): None for key, value in self.rows[0].items() if value is not None}

    def numbers(self, field: str) -> np.ndarray:
        """The field's value at every frame; between frames that are missing, on the line."""
        known = [
            (place, number(row[field], f"{field} at frame {place}"))
            for place, row in zip(self.places, self.rows, strict=True)
            if row.get(field) is not None
        ]
        places, values = zip(*known, strict=True)
        return np.interp(np.arange(self.num_frames), places, np.array(values, np.float64))

    def schedule(self, field: str, name: str) -> Schedule:
        """The field as a schedule of this name."""
        return schedule_from_values(self.numbers(field), name)

    def texts(self, field: str) -> dict[str, str]:
        """The text at every frame at which it changes."""
        changes: dict[str, str] = {}
        last = None
        for place, row in zip(self.places, self.rows, strict=True):
            text = row.get(field)
            if text is None or text == last:
                continue
            if not isinstance(text, str):
                raise InteropError(f"it is {shown(text)}, and must be a text.", f"{field} at frame {place}")
            changes[str(place)] = last = text
        return changes


def check_version(manifest: Mapping[str, Any]) -> None:
    """Raises InteropError where the manifest was not rendered, or is of a version that is not read."""
    if "rendered_frames" not in manifest:
        raise InteropError(
            "it is missing: this Parseq document was not rendered. Press Render in Parseq and copy its output.",
            "rendered_frames",
        )
    meta = manifest.get("meta")
    version = meta.get("version") if isinstance(meta, Mapping) else None
    if version is not None and str(version).split(".")[0].lstrip("v") not in ("0", ""):
        raise InteropError(f"it is {told(str(version))}; this importer reads Parseq's versions 0.x.", "meta.version")
