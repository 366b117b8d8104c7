"""Value Schedule: one number over time, from Deforum's text."""

from dataclasses import replace

from . import host, sockets
from .core.errors import FramedriftError
from .core.schedule import Schedule, parse_schedule
from .host import io


class ValueSchedule(io.ComfyNode):
    """A schedule text as a schedule and as numbers."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftValueSchedule",
            display_name="Value Schedule",
            category="Framedrift/schedule",
            description="One number over time, in Deforum's text: keyframes with numbers, which run linearly from one "
            "to the next, or formulas of t, which hold until the next key. Feeds any schedule input of this pack, or "
            "as a list of numbers the nodes of others.",
            search_aliases=[
                "deforum schedule",
                "keyframes",
                "keyframe string",
                "strength_schedule",
                "cfg_scale_schedule",
                "math expression",
                "batch value schedule",
                "animation curve",
            ],
            inputs=[
                io.String.Input(
                    "text",
                    default="0:(0.65), 30:(0.5+0.1*sin(2*pi*t/20))",
                    multiline=True,
                    tooltip="frame:(value), separated by commas. A value is a number or a formula of t (frame), s "
                    "(seed) and max_f (last frame). A frame may also be seconds (2.5s), beats (8b) or a formula "
                    "(max_f/2).",
                ),
                io.Int.Input(
                    "num_frames",
                    default=120,
                    min=1,
                    max=100_000,
                    step=1,
                    tooltip="How many frames the list of values has. The schedule output fits any length.",
                ),
                io.Float.Input(
                    "fps",
                    default=15.0,
                    min=0.1,
                    max=240.0,
                    step=0.1,
                    tooltip="Frames a second, for keys in seconds or beats, in the list of values. The sampler gives "
                    "the schedule its own fps.",
                ),
                io.Float.Input(
                    "bpm",
                    default=120.0,
                    min=1.0,
                    max=999.0,
                    step=0.1,
                    tooltip="Beats a minute, for keys in beats; goes with the schedule.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    step=1,
                    control_after_generate=False,
                    tooltip="What s stands for in the list of values. The sampler gives the schedule its own seed.",
                ),
            ],
            outputs=[
                sockets.Schedule.Output("schedule", tooltip="For any schedule input of this pack."),
                io.Float.Output("values", tooltip="One number a frame, as a list in one FLOAT."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A schedule that cannot be read, or has no value at some frame, is said before anything runs."""
        return host.check_bounds(cls, kwargs) or _problem(**kwargs) or True

    @classmethod
    def execute(cls, text, num_frames, fps, bpm, seed):
        """Parses and samples."""
        schedule = _parse(text, bpm)
        return io.NodeOutput(schedule, schedule.sample(num_frames, seed, fps).tolist())


def _parse(text: str, bpm: float) -> Schedule:
    return replace(parse_schedule(text, "text"), bpm=bpm)


def _problem(text=None, num_frames=None, fps=None, bpm=None, seed=None) -> str | None:
    if text is None:
        return None
    try:
        schedule = _parse(text, 120.0 if bpm is None else bpm)
        if None not in (num_frames, fps, bpm, seed):
            schedule.sample(num_frames, seed, fps)
    except FramedriftError as error:
        return str(error)
    return None


NODES = [ValueSchedule]
