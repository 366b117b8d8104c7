"""What the next frame needs, and the journal line it follows, in one file a frame: its rename commits the frame.

The picture and the disparity of a frame lie in its PNG files. Where they are `storable`, the state holds only what
8 bits leave of the picture: three bytes a pixel.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import FramedriftError
from .folder import Layout, load_checked
from .pictures import from_steps, from_words, join_steps

KEY = "framedrift"
IMAGE, DISPARITY, LOW = "image", "disparity", "image_low"


@dataclass(frozen=True)
class StateMark:
    """What a state file says of itself.

    The frame it follows, how many entries that makes, the last one's line, and which tensors are in the PNG files.
    """

    index: int
    position: int
    line: str
    packed: tuple[str, ...] = ()


def same_bits(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    """Whether two float32 tensors are the same to the bit, so that one can stand for the other."""
    if one is None or other is None or one.shape != other.shape or {one.dtype, other.dtype} != {torch.float32}:
        return False
    return torch.equal(one.cpu().contiguous().view(torch.int32), other.cpu().contiguous().view(torch.int32))


def reduced(
    state: Mapping[str, torch.Tensor], image: torch.Tensor, low: np.ndarray | None, words: np.ndarray | None
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """A state without what the frame's PNG files give back to the bit, and the names of that.

    Args:
        state: what the frame after this one needs.
        image: the frame; `low` is what its PNG leaves of it, None where it is not storable.
        low: (3, H, W) int8.
        words: the pixels of the disparity's PNG, (H, W) uint16; None where there is none.
    """
    left, packed = dict(state), []
    if low is not None and same_bits(state.get(IMAGE), image):
        del left[IMAGE]
        left[LOW] = torch.from_numpy(low)
        packed.append(IMAGE)
    if words is not None and same_bits(state.get(DISPARITY), from_words(words)[None, None]):
        del left[DISPARITY]
        packed.append(DISPARITY)
    return left, tuple(packed)


def pack_state(tensors: Mapping[str, torch.Tensor], mark: StateMark) -> bytes:
    """The bytes of the file; tensors may share memory or be strided."""
    from safetensors.torch import save

    # Copies: safetensors refuses tensors that share memory.
    whole = {key: value.detach().to("cpu", copy=True).contiguous() for key, value in tensors.items()}
    # One key, because safetensors writes several in a random order, and equal states shall be equal files.
    return save(whole, metadata={KEY: json.dumps(asdict(mark))})


def read_mark(path: Path) -> StateMark | None:
    """The mark of a state file, checked for its whole length; None where there is no file.

    Raises:
        FramedriftError: the file is cut short or is no state of a run.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
            size = path.stat().st_size
            header = json.loads(file.read(length)) if 0 < length <= size - 8 else {}
        kept = json.loads(header["__metadata__"][KEY])
        tensors = [value for key, value in header.items() if key != "__metadata__"]
        if 8 + length + max((value["data_offsets"][1] for value in tensors), default=0) != size:
            raise KeyError("length")
        return StateMark(**{**kept, "packed": tuple(kept.get("packed", ()))})
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise damaged(path) from error


def newest_state(layout: Layout) -> Path:
    """The file of the newest state; the place of an older version's where there is none."""
    try:
        with os.scandir(layout.states) as found:
            indices = [int(file.name[:-12]) for file in found if is_state(file.name)]
    except FileNotFoundError:
        indices = []
    return layout.state(max(indices)) if indices else layout.old_state


def is_state(name: str) -> bool:
    """Whether a file of this name in the states' folder is a state."""
    return name.endswith(".safetensors") and name[:-12].isdigit()


def state_file(layout: Layout, entry: Mapping[str, Any]) -> Path:
    """The file of the state after a journalled frame.

    Raises:
        FramedriftError: there is none, or it is damaged or belongs to another frame of the same number.
    """
    index = entry["index"]
    path = layout.state(index)
    mark = read_mark(path)
    if mark is None:
        path = layout.old_state
        mark = read_mark(path)
    if mark is None or mark.index != index:
        raise FramedriftError(
            f"Run {layout.path.name} has no state of frame {index}, so it cannot go on from there: "
            f"{layout.state(index)} is missing. Put the file back from a copy, or choose another frame."
        )
    if json.loads(mark.line) != entry:
        raise FramedriftError(
            f"{path} does not belong to frame {index} of the journal. Put the file back from a copy, or choose another "
            "frame; the pictures are not touched."
        )
    return path


def read_state(layout: Layout, entry: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """What the frame after a journalled one needs, as it was committed.

    Raises:
        FramedriftError: the state, or a picture that is a part of it, is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = state_file(layout, entry)
    mark = read_mark(path)
    try:
        # Read, not mapped: Windows keeps mapped files from being removed.
        tensors = {key: value.clone() for key, value in load(path.read_bytes()).items()}
        packed = mark.packed if mark else ()
        if IMAGE in packed:
            pixels = load_checked(layout.frame(entry["index"]), entry, "sha256")
            tensors[IMAGE] = from_steps(join_steps(pixels, tensors.pop(LOW).numpy()))
        if DISPARITY in packed:
            words = load_checked(layout.depth(entry["index"]), entry, "depth_sha256")
            tensors[DISPARITY] = from_words(words)[None, None]
    except (SafetensorError, KeyError) as error:
        raise damaged(path) from error
    return tensors


def damaged(path: Path) -> FramedriftError:
    """The error for a state that cannot be read."""
    return FramedriftError(
        f"{path} is damaged or cut short, so this run cannot go on from there. Put the file back from a copy, or "
        "rewind to a frame before it; the frames made so far are not touched."
    )
