"""What can be changed in an animation while it is made, and how a change becomes inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import host
from .core.errors import FramedriftError
from .score import SCHEDULES, SEED_SCHEDULES, written

if TYPE_CHECKING:
    from .core.feedback import Options

#: Before the names of a camera's schedules.
CAMERA = "camera."
#: The sampler's inputs that may change from one frame to the next, besides its schedules.
_PLAIN = ("sampler_name", "scheduler", "color_coherence", "seed_behavior", "diffusion_cadence", "align_to_keyframes",
          "hole_denoise", "full_steps", "video_mix")  # fmt: skip


def editable(inputs: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """What `edited_inputs` can change, and what it is now: the prompts, schedules by their names, those of a 3D or 2D
    Camera behind "camera.", and those of option nodes by their names in the chain.
    """
    found: dict[str, Any] = {"prompts": inputs["prompts"].text}
    found |= {name: written(inputs, name) for name in (*SCHEDULES, *SEED_SCHEDULES, "cadence_schedule")}
    found |= {name: inputs[name] for name in _PLAIN if inputs.get(name) is not None}
    if inputs.get("video_input") is None:
        found.pop("video_mix", None)
    found |= {f"{CAMERA}{name}": text for name, text in _camera_texts(inputs.get("camera")).items()}
    return found | options.texts()


def editable_kinds(inputs: Mapping[str, Any], options: Options) -> dict[str, str]:
    """How those are read that do not go by their names; see `core.run.edits`."""
    from .core.schedule import Schedule

    kinds = {name: "schedule" for name in editable(inputs, options) if name.startswith(CAMERA)}
    for name, schedule in options.schedules():
        kinds[name] = "schedule" if isinstance(schedule, Schedule) else "names"
    return {**kinds, "cadence_schedule": "optional"}


def editable_limits(inputs: Mapping[str, Any], options: Options) -> dict[str, list[Any]]:
    """What those may become: least and largest of numbers and of schedules' values, and the choices of names.

    Files are left out: there may be others when a run is edited.
    """
    from .core.feedback.plan import BOUNDS
    from .core.feedback.sampling import SAMPLER, SCHEDULER
    from .sampler import FrameFeedbackSampler

    limits: dict[str, list[Any]] = {name: list(bounds) for name, bounds in BOUNDS.items()}
    limits["cadence_schedule"] = [1, None]
    declared: dict[str, Any] = FrameFeedbackSampler.INPUT_TYPES()
    for name, (kind, said, *_) in (declared["required"] | declared["optional"]).items():
        if name in _PLAIN and kind != "BOOLEAN":
            limits[name] = list(said["options"]) if kind == "COMBO" else [said["min"], said["max"]]
    for part, prefix in options.prefixes():
        limits |= {prefix + own: list(part.BOUNDS[own]) for own in part.schedules if own in part.BOUNDS}
    limits |= {SAMPLER: host.sampler_names(), SCHEDULER: host.scheduler_names(), f"{CAMERA}fov": [0, 180]}
    return {name: limits[name] for name in editable(inputs, options) if name in limits}


def edited_inputs(inputs: Mapping[str, Any], command: Mapping[str, Any]) -> dict[str, Any]:
    """The sampler's inputs after an "edit" or "extend", as they stand in a run's journal.

    Raises:
        FramedriftError: it names what cannot be changed, or the text that cannot be read.
    """
    arguments = command["arguments"]
    if command["action"] == "extend":
        return {**inputs, "num_frames": inputs["num_frames"] + arguments["frames"]}
    changed = dict(inputs)
    options = inputs.get("options")
    chained = options.texts() if options is not None else {}
    moves, tuned = {}, {}
    for name, value in arguments["changes"].items():
        if name == "prompts":
            changed["prompts"] = inputs["prompts"].edited(value)
        elif name.startswith(CAMERA):
            moves[name.removeprefix(CAMERA)] = value
        elif name in chained:
            tuned[name] = value
        elif name in _PLAIN or name in SCHEDULES or name in SEED_SCHEDULES or name == "cadence_schedule":
            changed[name] = value
        else:
            raise FramedriftError(f"{name} cannot be changed while an animation is made.")
    if moves:
        changed["camera"] = _moved(inputs.get("camera"), moves)
    if tuned:
        changed["options"] = options.edited(tuned)
    return _checked(changed)


def _checked(inputs: dict[str, Any]) -> dict[str, Any]:
    from .sampler import FrameFeedbackSampler, given_problem

    if problem := host.check_bounds(FrameFeedbackSampler, inputs) or given_problem(inputs):
        raise FramedriftError(problem)
    return inputs


def _moved(camera: Any, moves: Mapping[str, Any]) -> Any:
    known = _camera_texts(camera)
    for name in moves:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "only a 3D Camera's and a 2D Camera's schedules can be"
            raise FramedriftError(f"{CAMERA}{name} cannot be changed: {has}.")
    return replace(camera, **moves)


def _camera_texts(camera: Any) -> dict[str, str]:
    """The schedules of a 3D Camera or a 2D Camera by their names; other cameras are not made of any."""
    from .core.camera import Camera2D, Camera3D

    texts = camera.texts() if isinstance(camera, Camera2D | Camera3D) else {}
    return {name: text for name, text in texts.items() if isinstance(text, str)}
