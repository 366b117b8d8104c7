"""What the next frame needs, and the journal line it follows, in one file: its rename commits a frame."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ..errors import FramedriftError

KEY = "framedrift"


@dataclass(frozen=True)
class StateMark:
    """What a state file says of itself: the frame it follows, how many entries that makes, the last one's line."""

    index: int
    position: int
    line: str


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
        return StateMark(**kept)
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise damaged(path) from error


def read_state(path: Path) -> dict[str, torch.Tensor] | None:
    """The tensors of a state file; None where there is no file."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        # Read, not mapped: the file is replaced while its tensors are in use, which Windows forbids to mapped files.
        return {key: value.clone() for key, value in load(path.read_bytes()).items()}
    except FileNotFoundError:
        return None
    except SafetensorError as error:
        raise damaged(path) from error


def damaged(path: Path) -> FramedriftError:
    """The error for a state that cannot be read."""
    return FramedriftError(
        f"{path} is damaged or cut short, so this run cannot go on. Put the file back from a copy, or start a new "
        "run; the frames made so far are not touched."
    )
