"""Where the camera of a run is at every frame, kept beside its pictures: tweens can be made of them at any time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..camera.track import Track, Track2D, Track3D
from ..errors import FramedriftError
from .files import write_atomic


def write_track(path: Path, track: Track) -> None:
    """Writes a track's numbers, exactly; what lies at `path` is replaced in one step, where it differs."""
    from safetensors.numpy import save

    if isinstance(track, Track3D):
        arrays = {"views": track.views, "fov_deg": track.fov_deg, "aspect": track.aspect}
    elif isinstance(track, Track2D):
        arrays = {"matrices": track.matrices, "deltas": track.motions(), "size": np.array(track.size, np.int64)}
    else:
        raise FramedriftError(f"camera: a {type(track).__name__} is no camera track that a run can keep")
    data = save({name: np.ascontiguousarray(values) for name, values in arrays.items()})
    if not path.exists() or path.read_bytes() != data:
        write_atomic(path, data)


def read_track(path: Path) -> Track | None:
    """The track that `write_track` wrote, without its curves; None where there is no file.

    Raises:
        FramedriftError: the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(path.read_bytes())
        if "matrices" in arrays:
            height, width = arrays["size"].tolist()
            return Track2D(arrays["matrices"], (height, width), deltas=arrays["deltas"])
        return Track3D(arrays["views"], arrays["fov_deg"], aspect=arrays["aspect"])
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError, ValueError) as error:
        raise FramedriftError(
            f"{path} is damaged, so the camera of run {path.parent.name} is not known. Put the file back from a copy; "
            "the pictures are not touched."
        ) from error
