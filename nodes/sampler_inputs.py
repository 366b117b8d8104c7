"""What Frame Feedback Sampler asks for; Frame Values asks for part of the same."""

from __future__ import annotations

from . import host, sockets
from .host import io
from .projection import projection_inputs
from .score import SEED_SCHEDULES

SEED_BEHAVIORS = ["iter", "fixed", "ladder", "alternate", "random", "schedule"]
COHERENCES = {"none": "none", "LAB to frame 0": "lab"}
#: What diffused frames may be aligned to.
ALIGNMENTS = ["none", "prompts", "strength", "camera", "all"]


def sampler_inputs() -> list:
    """Every input of the sampler, in the order in which saved workflows know them."""
    from .core.run.resume import RESUME_CHOICES

    text = host.schedule_input
    return [
        io.Model.Input("model", tooltip="The diffusion model, from any of ComfyUI's loaders."),
        io.Vae.Input("vae", tooltip="The VAE that belongs to the model."),
        sockets.Prompts.Input("prompts", tooltip="What to paint when: from Prompt Schedule."),
        sockets.Camera.Input(
            "camera",
            optional=True,
            tooltip="How the camera moves: from 3D Camera or 2D Camera. Without one it keeps still.",
        ),
        sockets.DepthModel.Input(
            "depth_model",
            optional=True,
            tooltip="Measures how far everything is, for a 3D camera. Without one the scene is a plane.",
        ),
        io.Image.Input(
            "init_image",
            optional=True,
            tooltip="A picture that frame 0 is made from, of the animation's "
            "size. How much of it is kept is the strength at frame 0.",
        ),
        io.Int.Input(
            "width",
            default=512,
            min=64,
            max=8192,
            step=8,
            tooltip="Width of the frames in pixels; a multiple of what the VAE asks for, mostly 8.",
        ),
        io.Int.Input(
            "height",
            default=512,
            min=64,
            max=8192,
            step=8,
            tooltip="Height of the frames in pixels; a multiple of what the VAE asks for, mostly 8.",
        ),
        host.num_frames_input("Length of the finished animation in frames (Deforum's max_frames).", default=72),
        host.fps_input(
            "Frames per second of the finished animation. Schedule keys in seconds (2.5s) count by it.", round=0.001
        ),
        io.Int.Input(
            "diffusion_cadence",
            default=2,
            min=1,
            max=1000,
            step=1,
            tooltip="Every how many frames one is "
            "diffused; Cadence Blend fills in the others. The first and the last are always diffused.",
        ),
        host.seed_input("Seed of the first diffused frame.", control_after_generate=io.ControlAfterGenerate.fixed),
        io.Combo.Input(
            "seed_behavior",
            options=SEED_BEHAVIORS,
            default="iter",
            tooltip="The seed of the following "
            "diffused frames: iter adds one every seed_iter_N frames, fixed keeps it, ladder and alternate "
            "step up and down, random draws them from the seed, schedule takes them from seed_schedule.",
        ),
        io.Int.Input(
            "seed_iter_N",
            default=1,
            min=1,
            max=10_000,
            step=1,
            advanced=True,
            tooltip="With iter: for how many diffused frames a seed is kept.",
        ),
        text(
            "strength_schedule",
            "0:(0.65)",
            "Share of the frame before that is kept, 0 to 1; denoise is 1 - strength. "
            "0 is a cut, 1 diffuses only what the camera uncovers.",
        ),
        text(
            "steps_schedule",
            "0:(20)",
            "Sampler steps for a denoise of 1; a frame is given its share of them, as in "
            "Deforum: half of them at a strength of 0.5.",
        ),
        text("cfg_scale_schedule", "0:(7)", "Guidance scale, 0 to 100."),
        text(
            "noise_schedule",
            "0:(0.02)",
            "Gaussian noise laid over each frame before it is diffused, as Deforum "
            "measures it: 0.065 is its default, 0 is none.",
        ),
        io.Combo.Input("sampler_name", options=host.sampler_names(), default="euler", tooltip="ComfyUI's samplers."),
        io.Combo.Input("scheduler", options=host.scheduler_names(), default="normal", tooltip="ComfyUI's schedulers."),
        io.Combo.Input(
            "color_coherence",
            options=list(COHERENCES),
            default="none",
            tooltip="Keeps the colours of frame 0 (or of the last cut), by histograms in LAB. A Coherence node among "
            "the options takes its place.",
        ),
        *projection_inputs(advanced=True),
        io.Float.Input(
            "hole_denoise",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip="Denoise of what "
            "the camera uncovers, 0 to 1. Less than 1 is cheaper and keeps more of the filled-in background.",
        ),
        io.Boolean.Input(
            "full_steps",
            default=False,
            advanced=True,
            tooltip="Give every frame all its steps, as ComfyUI's KSampler does, instead of its share of them. Slower.",
        ),
        io.Combo.Input(
            "resume",
            options=list(RESUME_CHOICES),
            default=RESUME_CHOICES[0],
            tooltip="continue goes on with "
            "the run that was made with the same settings, where there is one; new run always begins "
            "one; named run goes on with the one called run_name.",
        ),
        io.String.Input(
            "run_name",
            default="animation",
            tooltip="What a new run's folder is called, or with named run "
            "which one is meant (animation_00001). Lies in output/framedrift.",
        ),
        text(
            "seed_schedule",
            SEED_SCHEDULES["seed_schedule"],
            "The seeds over time where seed_behavior is schedule, truncated to whole numbers; s is the seed above, and "
            "-1 draws one from it.",
            optional=True,
            advanced=True,
        ),
        text(
            "subseed_schedule",
            SEED_SCHEDULES["subseed_schedule"],
            "A second seed over time, whose noise is mixed into that of the first; -1 draws one.",
            optional=True,
            advanced=True,
        ),
        text(
            "subseed_strength_schedule",
            SEED_SCHEDULES["subseed_strength_schedule"],
            "How far the noise is turned towards that of the second seed, 0 to 1; 0 is not at all.",
            optional=True,
            advanced=True,
        ),
        sockets.Settings.Input(
            "settings",
            optional=True,
            tooltip="From Import Animation: what is set there takes the place of the widget of the same name.",
        ),
        text(
            "cadence_schedule",
            "",
            "diffusion_cadence over time, 1 or more, cut to whole numbers; empty is diffusion_cadence throughout.",
            optional=True,
            advanced=True,
        ),
        io.Combo.Input(
            "align_to_keyframes",
            options=ALIGNMENTS,
            default=ALIGNMENTS[0],
            optional=True,
            advanced=True,
            tooltip="Diffuses every keyframe of the prompts, of strength_schedule, of the camera's schedules or of all "
            "three, and spreads the other diffused frames over the longest gaps: about as many as the cadence gives.",
        ),
        io.Int.Input(
            "loop_frames",
            default=0,
            min=0,
            max=100_000,
            step=1,
            optional=True,
            advanced=True,
            tooltip="Seamless loop: over so many frames at the end Cadence Blend goes back to frame 0, and the prompts "
            "to the first one. 0 is no loop. Three times the cadence or more; Loop Camera brings the camera back too.",
        ),
        io.MultiType.Input(
            "video_input",
            types=[sockets.Frames, io.Image, io.Video],
            optional=True,
            tooltip="A clip whose frames the diffused ones start from (Deforum's Video Input): at the animation's "
            "rate, cropped to its size. The animation is no longer than the clip.",
        ),
        io.Float.Input(
            "video_mix",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            round=0.001,
            optional=True,
            advanced=True,
            tooltip="How much of video_input a frame starts from: 1 is the clip alone (leave the camera unlinked "
            "then), less keeps the rest of the frame before, which calms flicker.",
        ),
        sockets.Options.Input(
            "options",
            optional=True,
            tooltip="What most animations do without: from Coherence, Noise, Masks, Control and the other option "
            "nodes, chained in any order.",
        ),
    ]
