"""Frame Feedback Sampler: the loop over the diffused frames, inside one node."""

from __future__ import annotations

from typing import Any

from . import host, sockets
from .core.errors import FramedriftError
from .host import io
from .job import SIZE_STEP, Job, check_multiple, run_store
from .projection import bad_range
from .sampler_inputs import sampler_inputs
from .score import SCHEDULES, SEED_SCHEDULES, has_cadence_schedule


class FrameFeedbackSampler(io.ComfyNode):
    """Makes an animation's diffused frames, each out of the one before it."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftFrameFeedbackSampler",
            display_name="Frame Feedback Sampler",
            category="Framedrift/sampling",
            description="Deforum's loop: every frame is the one before it, moved by the camera and diffused again "
            "under settings that change over time. Each frame is written to disk as it is made; an interrupted "
            "animation goes on where it stopped when the same graph is queued again.",
            search_aliases=[
                "deforum",
                "deforum sampler",
                "animation",
                "img2img loop",
                "infinite zoom",
                "frame feedback",
            ],
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.unique_id],
            inputs=sampler_inputs(),
            outputs=[
                sockets.Frames.Output("frames", tooltip="The diffused frames, read from disk one at a time."),
                io.String.Output("run", tooltip="Name of the run's folder under output/framedrift."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything is loaded."""
        return host.check_bounds(cls, kwargs) or bad_range(kwargs) or given_problem(kwargs) or True

    @classmethod
    def fingerprint_inputs(cls, **kwargs):
        """Changes where a run was stopped or steered: the same graph then has something to do."""
        return run_store().changes()

    @classmethod
    def execute(cls, **inputs):
        """Runs the loop to its end, or to where it is interrupted."""
        from .steering import Steered

        with Steered(Job(with_settings(cls, inputs), cls.hidden)) as steered:
            steered.render()
            return io.NodeOutput(steered.frames(), steered.run.name)


def with_settings(cls: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with those that a settings bundle names in place of the widgets', checked as if they were typed."""
    given = inputs.get("settings")
    merged = {name: value for name, value in inputs.items() if name != "settings"}
    if given is None:
        return merged
    declared = cls.INPUT_TYPES()
    kinds = {name: kind for group in ("required", "optional") for name, (kind, *_) in declared.get(group, {}).items()}
    own = {
        name for name, kind in kinds.items() if set(kind.split(",")) & {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
    }
    for name, value in given.items():
        if name not in own:
            raise FramedriftError(f"settings: {name} is no setting of the sampler; it knows {', '.join(sorted(own))}.")
        if (kinds[name] == "BOOLEAN") != isinstance(value, bool):
            raise FramedriftError(f"settings: {name} is {value!r}, and must be {kinds[name].split(',')[0].lower()}.")
    merged |= given
    problem = host.check_bounds(cls, merged) or given_problem(merged)
    if problem:
        raise FramedriftError(f"settings: {problem}")
    return merged


def given_problem(given: dict[str, Any]) -> str | None:
    """The first size, schedule or name that cannot be right, in a sentence."""
    from .core.run import check_run_name
    from .core.schedule import as_schedule

    try:
        for name in ("width", "height"):
            if given.get(name) is not None:
                check_multiple(name, given[name], SIZE_STEP)
        for name in (*SCHEDULES, *SEED_SCHEDULES):
            if isinstance(given.get(name), str):
                as_schedule(given[name], name)
        if isinstance(given.get("cadence_schedule"), str) and has_cadence_schedule(given["cadence_schedule"]):
            as_schedule(given["cadence_schedule"], "cadence_schedule")
        if given.get("run_name") is not None:
            check_run_name(given["run_name"])
    except FramedriftError as error:
        return str(error)
    return None


NODES = [FrameFeedbackSampler]
