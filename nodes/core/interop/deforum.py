"""Settings files of classic Deforum and of its Forge fork."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import effects
from .defaults import DEFAULTS
from .model import (
    MAPPED,
    MAX_FRAMES,
    NO_EFFECT,
    ImportedAnimation,
    Log,
    sampler_settings,
)
from .motion import read_camera
from .options import read_options
from .reader import Reader
from .sampling import read_coherence, read_own, read_sampling, read_seed
from .texts import prompts_of

_RENAMED = {"flip_2d_perspective": "enable_perspective_flip", "skip_video_for_run_all": "skip_video_creation"}


def import_deforum(
    values: Mapping[str, Any],
    log: Log,
    kind: str = "deforum",
    defaults: Mapping[str, Any] = DEFAULTS,
    complete: bool = True,
) -> ImportedAnimation:
    """An animation from the keys of a settings file.

    Args:
        values: the file's keys, as JSON gave them; a schedule may be a `Schedule` too.
        log: takes an entry for every key.
        kind: the animation's.
        defaults: what a key that is not in `values` stands for.
        complete: whether missing keys count with their default; else only what is in `values` goes into the settings.

    Raises InteropError, or the schedule's and prompt's own error, each naming the key.
    """
    reader = Reader(_renamed(values, log), log, defaults, complete)
    size = (reader.side("H"), reader.side("W"))
    num_frames = reader.whole("max_frames", 1, MAX_FRAMES)
    fps = reader.number("fps", 0.1, 240)
    read_seed(reader)
    reader.num_frames, reader.fps = num_frames, fps
    prompts = prompts_of(reader.values, log)
    camera, blend = read_camera(reader)
    read_sampling(reader)
    options = read_options(reader, read_coherence(reader))
    blend, overlap = read_own(reader, blend)
    effects.explain(reader.values, log)
    return ImportedAnimation(
        kind,
        prompts,
        camera,
        sampler_settings(reader.settings),
        num_frames,
        float(fps),
        size,
        log.report(),
        blend,
        overlap,
        options,
    )


def said_nowhere(values: Mapping[str, Any]) -> list[str]:
    """A note on the size and rate that a text without them is given."""
    stand_ins = {"W": "a width of 512", "H": "a height of 512", "fps": "15 fps"}
    missing = [text for key, text in stand_ins.items() if key not in values]
    said = f"The text does not say them, so there are {', '.join(missing)}: set your own in the sampler."
    return [said] if missing else []


def _renamed(values: Mapping[str, Any], log: Log) -> dict[str, Any]:
    """The keys under the names that they have now; nulls count as missing, as their default does."""
    renamed = {key: value for key, value in values.items() if key not in _RENAMED}
    for old, new in _RENAMED.items():
        if old in values:
            renamed.setdefault(new, values[old])
            log.add(old, MAPPED, f"an older name of {new}.")
    for key in ("optical_flow_cadence", "optical_flow_redo_generation", "hybrid_composite"):
        if isinstance(renamed.get(key), bool):
            renamed[key] = ("Normal" if key == "hybrid_composite" else "DIS Fine") if renamed[key] else "None"
    if "use_zoe_depth" in renamed:
        zoe = effects.is_on(renamed.pop("use_zoe_depth"))
        renamed["depth_algorithm"] = f"{'Zoe' if zoe else 'Midas'}+AdaBins (old)"
        log.add("use_zoe_depth", MAPPED, f"an older name: depth_algorithm is {renamed['depth_algorithm']} by it.")
    if "scale" in renamed and "cfg_scale_schedule" not in renamed:
        renamed["cfg_scale_schedule"] = renamed["scale"]
        log.add("scale", MAPPED, "an older name of cfg_scale_schedule.")
    elif "scale" in renamed:
        log.add("scale", NO_EFFECT, "cfg_scale_schedule stands beside it.")
    if "fov" in renamed and "fov_schedule" not in renamed:
        renamed["fov_schedule"] = renamed["fov"]
        log.add("fov", MAPPED, "an older name of fov_schedule.")
    if renamed.get("depth_algorithm") in ("Midas", "Zoe"):
        renamed["depth_algorithm"] = f"{renamed['depth_algorithm']}+AdaBins (old)"
    return renamed
