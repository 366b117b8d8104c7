"""Coherence: what keeps an animation's colours, and contrast and sharpness over time."""

from . import host
from .host import io
from .links import clip, one_picture
from .options import chained, options_input, options_output, problem_in, problem_of, read_schedules, text_of, unlinked
from .video import frames_input

_SCHEDULES = ("contrast_schedule", "kernel_schedule", "sigma_schedule", "amount_schedule", "threshold_schedule")
_MATCHES = {"none": "none", "RGB": "rgb", "HSV": "hsv", "LAB": "lab"}
_SEVERAL = "Choose it, or link them to reference_video."
_REFERENCES = ["frame 0", "previous frame", "image", "video", "slow anchor"]


class Coherence(io.ComfyNode):
    """Colours kept to a reference, grey, contrast and sharpening."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCoherence",
            display_name="Coherence",
            category="Framedrift/options",
            description="Keeps the colours of an animation to a reference, or contrast and palette with a slow "
            "anchor over hundreds of frames. Makes frames grey, and changes contrast and sharpness over time.",
            search_aliases=[
                "color match", "colour coherence", "match frame 0", "histogram matching", "unsharp mask", "sharpen",
                "contrast", "palette", "color drift", "burn out",
            ],
            inputs=_inputs(),
            outputs=[options_output()],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        from .core.feedback.coherence import Coherence as Option

        problem = problem_of(cls, kwargs, _SCHEDULES, Option.BOUNDS)
        palette = {"palette": kwargs.get("palette") or ""}
        return problem or problem_in(lambda: _palettes(palette)) or _missing(kwargs) or True

    @classmethod
    def execute(cls, **inputs):
        """The chain with these options."""
        from .core.feedback.coherence import Coherence as Option

        image, video = inputs.get("reference_image"), inputs.get("reference_video")
        return chained(
            inputs.get("options"),
            Option(
                schedules=read_schedules(inputs, _SCHEDULES),
                names=_palettes(inputs) if inputs["reference"] == _REFERENCES[-1] else {},
                match=_MATCHES[inputs["color_coherence"]],
                reference=inputs["reference"],
                image=None if image is None else one_picture("reference_image", image, _SEVERAL),
                clip=None if video is None else clip("reference_video", video),
                every_n_frames=inputs["color_coherence_video_every_N_frames"],
                grayscale=inputs["color_force_grayscale"],
            ),
        )


def _palettes(inputs) -> dict:
    from .core.feedback.palettes import parse_palettes

    text = text_of(inputs, "palette")
    return {"palette": parse_palettes(text, "palette")} if text.strip() else {}


def _missing(given) -> str | None:
    """That the reference's picture or clip is not linked, where histograms are matched to it."""
    needed = {"image": "reference_image", "video": "reference_video"}.get(given.get("reference"))
    return None if needed is None or given.get("color_coherence") == "none" else unlinked(given, needed, "reference")


def _inputs() -> list:
    schedule = host.schedule_input
    return [
        options_input(),
        io.Combo.Input(
            "color_coherence",
            options=list(_MATCHES),
            default="LAB",
            tooltip="In which colour space the histograms of a frame are matched to the reference's; none matches "
            "nothing. LAB is closest to the eye. The slow anchor takes the place of matching, whatever stands here.",
        ),
        io.Combo.Input(
            "reference",
            options=_REFERENCES,
            default=_REFERENCES[0],
            tooltip="Whose colours are kept: frame 0's (or the last cut's), the previous frame's, those of an image or "
            "of a video; or a slow anchor that pulls each frame a little towards frame 0's contrast and colours, or "
            "the palette's.",
        ),
        io.Image.Input(
            "reference_image",
            optional=True,
            tooltip="The picture whose colours are kept, of any size; for the reference image.",
        ),
        frames_input(
            "The clip whose colours are kept, at the animation's rate; for the reference video. Where it is shorter "
            "than the animation its last picture stays the reference.",
            "reference_video",
            optional=True,
        ),
        io.Int.Input(
            "color_coherence_video_every_N_frames",
            default=1,
            min=1,
            max=100_000,
            step=1,
            tooltip="For the reference video: a new picture of it is the reference every so many frames.",
        ),
        io.String.Input(
            "palette",
            default="",
            multiline=True,
            tooltip="For the slow anchor: colours over time that it goes to, 2 % of the way a frame, as in "
            "0: #204060 #e0b080, 60: #102030 #80ffcc. Empty stays at frame 0's colours.",
        ),
        io.Boolean.Input("color_force_grayscale", default=False, tooltip="Makes every frame grey, last of all."),
        schedule(
            "contrast_schedule",
            "0:(1.0)",
            "What the pixel values are multiplied by before a frame is diffused; over 1 brightens. 0 to 10.",
        ),
        schedule("kernel_schedule", "0:(5)", "Sharpening: width of the blur in pixels, odd; 1 to 255."),
        schedule(
            "sigma_schedule", "0:(1)", "Sharpening: spread of the blur in pixels; 0 goes with the kernel. 0 to 100."
        ),
        schedule(
            "amount_schedule",
            "0:(0)",
            "Sharpening before a frame is diffused: how much of its difference from its blurred self is added. 0 is "
            "none, below 0 blurs; -10 to 10.",
        ),
        schedule(
            "threshold_schedule",
            "0:(0)",
            "Sharpening: what differs from its blurred self by less than so many levels of 255 stays as it is.",
        ),
    ]


NODES = [Coherence]
