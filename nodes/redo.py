"""Redo: how often a frame is made before it counts."""

from . import host
from .host import io
from .options import chained, options_input, options_output, problem_of, read_schedules

_SCHEDULES = ("redo_flow_factor_schedule",)


class Redo(io.ComfyNode):
    """Pictures that are thrown away before a frame, and blank frames made again."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftRedo",
            display_name="Redo",
            category="Framedrift/options",
            description="Makes a frame more than once: thrown-away pictures that it starts from bring it further from "
            "the frame before, and a frame that came back blank is made again with another seed.",
            search_aliases=["diffusion redo", "optical flow redo", "reroll", "blank frames", "black frames", "nan"],
            inputs=_inputs(),
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        from .core.feedback.redo import Redo as Option

        return problem_of(cls, kwargs, _SCHEDULES, Option.BOUNDS) or True

    @classmethod
    def execute(cls, **inputs):
        """The chain with these options."""
        from .core.feedback.redo import Redo as Option

        given = inputs.pop("options", None)
        plain = {name: value for name, value in inputs.items() if name not in _SCHEDULES}
        return chained(given, Option(schedules=read_schedules(inputs, _SCHEDULES), **plain))


def _inputs() -> list:
    return [
        options_input(),
        io.Int.Input(
            "diffusion_redo",
            default=0,
            min=0,
            max=10,
            step=1,
            tooltip="How many pictures are diffused and thrown away before a frame, each with another seed and started "
            "from the one before. Each costs as much as a frame.",
        ),
        io.Combo.Input(
            "optical_flow_redo_generation",
            options=["none", "dis", "farneback"],
            default="none",
            tooltip="A first picture is diffused with another seed, moved on by the optical flow that leads to it, and "
            "the frame starts from that. dis is fast and sharp at edges; farneback is smoother. It costs one frame.",
        ),
        host.schedule_input(
            "redo_flow_factor_schedule",
            "0:(1)",
            "How far the optical flow moves that picture: 1 carries its motion on once more, -1 takes it back, 0 "
            "leaves the picture as it is; -10 to 10.",
        ),
        io.Combo.Input(
            "reroll_blank_frames",
            options=["ignore", "reroll", "interrupt"],
            default="reroll",
            tooltip="What is done about a frame that came back in one colour, or with pixels that are no numbers. "
            "ignore: blank ones stay, and broken ones are left out; reroll: again with another seed; interrupt: the "
            "run stops, with what there is.",
        ),
        io.Int.Input(
            "reroll_patience",
            default=10,
            min=1,
            max=100,
            step=1,
            tooltip="How many other seeds are tried before the run stops with what there is. For reroll only.",
        ),
    ]


NODES = [Redo]
