"""Value Schedule and Schedule at Frame: one number over time, from Deforum's text."""

import math
from dataclasses import replace
from typing import Any

from . import host, sockets
from .core.errors import FramedriftError
from .core.schedule import INTERPOLATIONS, Schedule, as_schedule, parse_schedule
from .host import io
from .pictures import shown_picture


class ValueSchedule(io.ComfyNode):
    """A schedule text as a schedule, as numbers and as a curve."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftValueSchedule",
            display_name="Value Schedule",
            category="Framedrift/schedule",
            description="One number over time, in Deforum's text: keyframes with numbers, which run from one to the "
            "next, or formulas of t, which hold until the next key. Shows the curve. Feeds any schedule input of this "
            "pack, or as a list of numbers the nodes of others.",
            is_output_node=True,
            search_aliases=[
                "deforum schedule",
                "keyframes",
                "keyframe string",
                "strength_schedule",
                "cfg_scale_schedule",
                "math expression",
                "batch value schedule",
                "animation curve",
                "ease in out",
                "schedule plot",
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
                host.num_frames_input("How many frames the list of values has. The schedule output fits any length."),
                host.fps_input(
                    "Frames a second, for keys in seconds or beats, in the list of values. The sampler gives "
                    "the schedule its own fps."
                ),
                io.Float.Input(
                    "bpm",
                    default=120.0,
                    min=1.0,
                    max=999.0,
                    step=0.1,
                    tooltip="Beats a minute, for keys in beats; goes with the schedule.",
                ),
                host.seed_input(
                    "What s stands for in the list of values. The sampler gives the schedule its own seed.",
                    control_after_generate=False,
                ),
                io.Combo.Input(
                    "interpolation",
                    options=list(INTERPOLATIONS),
                    default="linear",
                    optional=True,
                    tooltip="How a number goes to the next key: in a line (Deforum's way), held until there, slow at "
                    "first (ease_in), at last (ease_out) or both, or along a smooth curve through all keys that never "
                    "swings over them (cubic). Formulas hold in any case.",
                ),
            ],
            outputs=[
                sockets.Schedule.Output("schedule", tooltip="For any schedule input of this pack."),
                io.Float.Output("values", tooltip="One number a frame, as a list in one FLOAT."),
                io.Image.Output("preview", tooltip="The curve over num_frames, as the node shows it."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A schedule that cannot be read, or has no value at some frame, is said before anything runs."""
        return host.check_bounds(cls, kwargs) or _problem(**kwargs) or True

    @classmethod
    def execute(cls, text, num_frames, fps, bpm, seed, interpolation="linear"):
        """Parses, samples and draws."""
        from .core.schedule.plot import plot_curve

        schedule = _parse(text, bpm, interpolation)
        values = schedule.sample(num_frames, seed, fps)
        image = plot_curve(values)
        shown = shown_picture(image, "framedrift_curve")
        return io.NodeOutput(schedule, values.tolist(), host.to_image(image), ui=shown)


class ScheduleAtFrame(io.ComfyNode):
    """One frame's value of a schedule."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftScheduleAtFrame",
            display_name="Schedule at Frame",
            category="Framedrift/schedule",
            description="A schedule's value at one frame, for workflows that make a frame at a time: loop nodes, batch "
            "counters, or a single picture out of an animation.",
            search_aliases=[
                "deforum schedule",
                "deforum single frame",
                "value at frame",
                "keyframe value",
                "schedule to float",
                "schedule to int",
                "batch value schedule single",
                "for loop",
            ],
            inputs=[
                host.schedule_input(
                    "schedule",
                    "0:(0.65), 30:(0.5+0.1*sin(2*pi*t/20))",
                    "frame:(value), separated by commas, or the link of a Value Schedule, a number, a list of numbers "
                    "or a curve.",
                    multiline=True,
                ),
                io.Int.Input(
                    "frame",
                    default=0,
                    min=0,
                    max=99_999,
                    step=1,
                    tooltip="Which frame's value is wanted, counted from 0; less than num_frames.",
                ),
                host.num_frames_input(
                    "How many frames the animation has: max_f is one less, and a curve spans them all."
                ),
                host.fps_input("Frames a second, for keys in seconds or beats."),
                host.seed_input("What s stands for in a formula.", control_after_generate=False),
            ],
            outputs=[
                io.Float.Output("value", tooltip="The value at the frame."),
                io.Int.Output("whole", tooltip="The same without what is behind its point, as Deforum takes steps."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A schedule that cannot be read, or has no value at the frame, is said before anything runs."""
        return host.check_bounds(cls, kwargs) or _problem_at(**kwargs) or True

    @classmethod
    def execute(cls, schedule, frame, num_frames, fps, seed):
        """Samples the animation and takes one frame."""
        value = _value_at(schedule, frame, num_frames, fps, seed)
        # A line through whole numbers may come a rounding error below one.
        return io.NodeOutput(value, int(value + math.copysign(1e-9, value)))


def _value_at(schedule: Any, frame: int, num_frames: int, fps: float, seed: int) -> float:
    if not 0 <= frame < num_frames:
        raise FramedriftError(f"frame is {frame}, and must be less than num_frames, which is {num_frames}.")
    return float(as_schedule(schedule, "schedule").sample(num_frames, seed, fps)[frame])


def _problem_at(schedule=None, frame=None, num_frames=None, fps=None, seed=None) -> str | None:
    try:
        if isinstance(schedule, str):
            as_schedule(schedule, "schedule")
        if None not in (schedule, frame, num_frames, fps, seed):
            _value_at(schedule, frame, num_frames, fps, seed)
    except FramedriftError as error:
        return str(error)
    return None


def _parse(text: str, bpm: float, interpolation: str) -> Schedule:
    return replace(parse_schedule(text, "text", interpolation), bpm=bpm)


def _problem(text=None, num_frames=None, fps=None, bpm=None, seed=None, interpolation=None) -> str | None:
    if text is None:
        return None
    try:
        schedule = _parse(text, 120.0 if bpm is None else bpm, interpolation or "linear")
        if None not in (num_frames, fps, bpm, seed):
            schedule.sample(num_frames, seed, fps)
    except FramedriftError as error:
        return str(error)
    return None


NODES = [ValueSchedule, ScheduleAtFrame]
