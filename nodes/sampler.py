"""Frame Feedback Sampler: the loop over the diffused frames, inside one node."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import host, sockets
from .core.errors import FramedriftError
from .host import io
from .projection import bad_range, projection_inputs, warp_settings

log = logging.getLogger("framedrift")

SEED_BEHAVIORS = ["iter", "fixed", "ladder", "alternate", "random", "schedule"]
COHERENCES = {"none": "none", "LAB to frame 0": "lab"}
RUN_FOLDER = "framedrift"
SIZE_STEP = 8
SCHEDULES = {
    "strength_schedule": "strength",
    "steps_schedule": "steps",
    "cfg_scale_schedule": "cfg",
    "noise_schedule": "noise",
}
#: Raised whenever moved pictures or depths come out otherwise: a run that was begun before would not go on to the same.
WARPS = 2
#: Schedules that an older prompt does not have, and what they are then. Deforum's defaults.
SEED_SCHEDULES = {
    "seed_schedule": '0:(s), 1:(-1), "max_f-2":(-1), "max_f-1":(s)',
    "subseed_schedule": "0:(1)",
    "subseed_strength_schedule": "0:(0)",
}
#: What diffused frames may be aligned to.
ALIGNMENTS = ["none", "prompts", "strength", "camera", "all"]


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
            inputs=_inputs(),
            outputs=[
                sockets.Frames.Output("frames", tooltip="The diffused frames, read from disk one at a time."),
                io.String.Output("run", tooltip="Name of the run's folder under output/framedrift."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything is loaded."""
        return host.check_bounds(cls, kwargs) or bad_range(kwargs) or _problem(kwargs) or True

    @classmethod
    def execute(cls, **inputs):
        """Runs the loop to its end, or to where it is interrupted."""
        from .core.feedback import animate

        job = _Job(with_settings(cls, inputs), cls.hidden)
        with job.open_run() as run:
            if job.track is not None:
                run.keep_track(job.track)
            left = [plan for plan in job.plans if plan.frame > run.last_index]
            if left:
                ensure_room(run.path, len(left), job.size)
                job.prompts.prepare([plan.frame for plan in left], job.num_frames, job.seed, host.check_interrupted)
            diffuser = _HostDiffuser(job, len(job.plans) - len(left))
            text = host.file_metadata(cls.hidden)
            made = animate(
                run, job.plans, job.track, job.depth, diffuser, job.settings, job.init_image, text, job.video
            )
            for frame in made:
                diffuser.frame_done(frame.image)
            run.finish()
            frames = run.frames(
                fps=job.fps, num_frames=job.num_frames, size=job.size, track=job.track, settings=job.settings.warp
            )
        return io.NodeOutput(frames, run.path.name)


def _inputs() -> list:
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
            tooltip="Keeps the colours of frame 0 (or of the last cut), by histograms in LAB.",
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
    problem = host.check_bounds(cls, merged) or _problem(merged)
    if problem:
        raise FramedriftError(f"settings: {problem}")
    return merged


def has_cadence_schedule(given: Any) -> bool:
    """Whether a cadence schedule was given at all: an empty text is none."""
    return given is not None and not (isinstance(given, str) and not given.strip())


def ensure_room(path: Path, frames: int, size: tuple[int, int]) -> None:
    """Refuses to begin where the pictures cannot fit even if they compress well."""
    from .core.run import ensure_space

    colour_and_depth = 5
    ensure_space(path, frames * size[0] * size[1] * colour_and_depth // 4)


def _problem(given: dict[str, Any]) -> str | None:
    """The first size, schedule or name that cannot be right, in a sentence."""
    from .core.run import check_run_name
    from .core.schedule import as_schedule

    try:
        for name in ("width", "height"):
            if given.get(name) is not None:
                _check_multiple(name, given[name], SIZE_STEP)
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


def _check_multiple(name: str, value: int, multiple: int) -> None:
    if value % multiple:
        low = max(value // multiple, 1) * multiple
        raise FramedriftError(
            f"{name} is {value}, and must be a multiple of {multiple}: try {low} or {low + multiple}."
        )


class _Job:
    """The node's inputs, checked and resolved: everything that is decided before the first frame."""

    def __init__(self, inputs: dict[str, Any], hidden: Any) -> None:
        from .core.cadence import diffused_frames
        from .core.feedback import LoopSettings, Schedules, cut_frames, plan_frames

        self.inputs, self.hidden = inputs, hidden
        self.model, self.vae, self.prompts = inputs["model"], inputs["vae"], inputs["prompts"]
        self.depth = inputs.get("depth_model")
        self.num_frames, self.fps, self.seed = inputs["num_frames"], inputs["fps"], inputs["seed"]
        self.size = (inputs["height"], inputs["width"])
        for name in ("height", "width"):
            _check_multiple(name, inputs[name], math.lcm(SIZE_STEP, host.size_multiple(self.vae)))
        self.init_image = _checked_init(inputs.get("init_image"), self.size)
        self.video = self._clip()
        self.options = self._options()
        camera = inputs.get("camera")
        self.track = camera.track(self.num_frames, self.fps, self.seed, self.size) if camera is not None else None
        sampled = {short: self._sampled(name) for name, short in SCHEDULES.items()}
        self.closing = self._closing()
        if self.closing:
            self.prompts = self.prompts.looped(self.num_frames)
        # What closes a loop is tweened only.
        length = self.num_frames - self.closing + bool(self.closing)
        cadence = diffused_frames(length, self._cadence(length), self._keyframes())
        asked = {f for part in self.options.parts for f in part.keyframes(self.num_frames, self.seed, self.fps)}
        indices = sorted({*cadence, *cut_frames(sampled["strength"][:length]), *(f for f in asked if f < length)})
        seeds, (subseed_strength, subseeds) = self._seeds(indices)
        texts = [self.prompts.text_at(frame, self.num_frames, self.seed) for frame in indices]
        schedules = Schedules(**sampled, subseed_strength=subseed_strength)
        values = self.options.sample(self.num_frames, self.seed, self.fps)
        self.plans = plan_frames(indices, schedules, seeds, texts, subseeds, values)
        self.settings = LoopSettings(
            warp=warp_settings(inputs),
            color_coherence=COHERENCES[inputs["color_coherence"]],
            hole_denoise=inputs["hole_denoise"],
            full_steps=inputs["full_steps"],
            video_mix=inputs.get("video_mix", 1.0),
        )

    def _clip(self):
        """The frames of video_input as the animation shows them; shortens the animation to them."""
        given = self.inputs.get("video_input")
        if given is None:
            return None
        from .core.video.edit import fitted

        clip = fitted(given, self.fps, self.size)
        if len(clip) < self.num_frames:
            log.info("the animation has %d frames, as video_input has, not %d", len(clip), self.num_frames)
            self.num_frames = len(clip)
        return clip

    def _options(self):
        """What is chained in, its clips as the animation shows them; shortens the animation to them."""
        from .core.feedback import Options

        options = (self.inputs.get("options") or Options()).fitted(self.fps, self.size)
        shortest = min(options.lengths(), default=self.num_frames)
        if shortest < self.num_frames:
            log.info("the animation has %d frames, as the shortest clip has, not %d", shortest, self.num_frames)
            self.num_frames = shortest
        return options

    def _closing(self) -> int:
        """Frames over which the end goes back to the beginning; 0 where it does not."""
        closing = self.inputs.get("loop_frames") or 0
        if closing >= self.num_frames:
            raise FramedriftError(
                f"loop_frames is {closing}, and must be less than num_frames, which is {self.num_frames}."
            )
        return closing

    def _cadence(self, length: int) -> int | np.ndarray:
        given = self.inputs.get("cadence_schedule")
        if not has_cadence_schedule(given):
            return self.inputs["diffusion_cadence"]
        from .core.schedule import as_schedule

        return as_schedule(given, "cadence_schedule").sample(self.num_frames, self.seed, self.fps)[:length]

    def _keyframes(self) -> set[int] | None:
        """The frames that have to be diffused; None where the cadence alone decides."""
        from .core.schedule import as_schedule

        wanted = self.inputs.get("align_to_keyframes") or "none"
        if wanted == "none":
            return None
        found: set[int] = set()
        if wanted in ("prompts", "all"):
            found.update(self.prompts.schedule.keyframes(self.num_frames, self.seed))
        if wanted in ("strength", "all"):
            strength = as_schedule(self.inputs["strength_schedule"], "strength_schedule")
            found.update(strength.keyframes(self.num_frames, self.seed, self.fps))
        # Only cameras made of schedules have keyframes.
        keyframes = getattr(self.inputs.get("camera"), "keyframes", None)
        if wanted in ("camera", "all") and keyframes is not None:
            found.update(keyframes(self.num_frames, self.fps, self.seed))
        return found

    def _seeds(self, indices: list[int]) -> tuple[list[int], tuple[np.ndarray, list[int]]]:
        """The seeds of the diffused frames; the strength of the sub-seed at every frame, and the sub-seeds."""
        from .core.schedule import scheduled_seeds, seed_sequence

        behavior = self.inputs["seed_behavior"]
        values = self._sampled("seed_schedule")[indices].tolist() if behavior == "schedule" else None
        seeds = seed_sequence(behavior, self.seed, len(indices), self.inputs["seed_iter_N"], values)
        strength = self._sampled("subseed_strength_schedule")
        if not strength.any():
            return seeds, (strength, [0] * len(indices))
        subseeds = scheduled_seeds(self._sampled("subseed_schedule")[indices].tolist(), self.seed, "subseed")
        return seeds, (strength, subseeds)

    def _sampled(self, name: str) -> np.ndarray:
        from .core.schedule import as_schedule

        given = self.inputs.get(name)
        schedule = as_schedule(SEED_SCHEDULES[name] if given is None else given, name)
        return schedule.sample(self.num_frames, self.seed, self.fps)

    def _used_seed_schedules(self) -> list[str]:
        varied = any(plan.subseed_strength > 0 for plan in self.plans)
        used = ["seed_schedule"] if self.inputs["seed_behavior"] == "schedule" else []
        return used + (["subseed_schedule", "subseed_strength_schedule"] if varied else [])

    def open_run(self):
        """The run to go on with, locked while it is used."""
        from .core.run import RunStore
        from .core.run.resume import choose_run, fingerprint

        shaping = self._shaping()
        store = RunStore(host.output_directory() / RUN_FOLDER)
        manifest = {"settings": self._readable(), "shaping": shaping, "fps": self.fps, "num_frames": self.num_frames}
        if self.closing:
            manifest["loops"] = True
        return choose_run(store, self.inputs["resume"], self.inputs["run_name"], manifest, fingerprint(shaping))

    def _readable(self) -> dict[str, Any]:
        """The inputs as the user wrote them, for run.json and for telling what differs."""
        plain = {k: v for k, v in self.inputs.items() if isinstance(v, (str, int, float, bool))}
        plain = {k: v for k, v in plain.items() if k not in SEED_SCHEDULES}
        if (cadence := self.inputs.get("cadence_schedule")) is not None:
            plain["cadence_schedule"] = str(getattr(cadence, "text", cadence))
        for name in (*SCHEDULES, *self._used_seed_schedules()):
            given = self.inputs.get(name, SEED_SCHEDULES.get(name))
            plain[name] = str(getattr(given, "text", given))
        camera = self.inputs.get("camera")
        plain |= {"prompts": self.prompts.text, "prompt_options": self.prompts.options()}
        return plain | {"camera": camera.texts() if camera is not None else None}

    def _shaping(self) -> dict[str, Any]:
        """Everything that shapes a picture, as JSON values."""
        from .core.depth.moved import uses_depth
        from .core.run.resume import clip_mark, digest

        # Which frames are diffused stands in "frames"; the cadence itself stays for the runs that were begun with it.
        placing = {"cadence_schedule", "align_to_keyframes", *(() if self.closing else ("loop_frames",))}
        left_out = {"fps", "resume", "run_name", *placing, *SCHEDULES, *SEED_SCHEDULES}
        plain = {k: v for k, v in self.inputs.items() if isinstance(v, (str, int, float, bool)) and k not in left_out}
        graph = None
        if self.hidden.prompt:
            links = ["model", "vae", "prompts", *(["video_input"] if self.video is not None else [])]
            graph = host.upstream_graph(self.hidden.prompt, self.hidden.unique_id, links)
        if self.video is None:
            plain.pop("video_mix", None)
        else:
            # Where it comes from stands in the graph; a clip that was changed in its place mostly shows in this.
            plain["video_input"] = clip_mark(self.video)
        if self.track is not None:
            plain["warps"] = WARPS
        return plain | {
            "version": 1,
            "frames": [
                [p.frame, p.seed, p.strength, p.steps, p.cfg, p.noise, p.prompt, p.negative]
                + ([p.subseed, p.subseed_strength] if p.subseed_strength > 0 else [])
                + ([p.values, p.names] if p.values or p.names else [])
                for p in self.plans
            ],
            **({"options": self.options.signature()} if self.options.parts else {}),
            "camera": digest(*_arrays(self.track)),
            "depth": self.depth.signature() if self.depth is not None and uses_depth(self.track) else None,
            "prompts": self.prompts.signature(),
            "init_image": digest(self.init_image) if self.init_image is not None else None,
            "graph": graph,
        }


def _arrays(track: Any) -> list[np.ndarray]:
    """The numbers that a camera track consists of; none where there is no camera."""
    return [] if track is None else [value for value in vars(track).values() if isinstance(value, np.ndarray)]


def _checked_init(image: torch.Tensor | None, size: tuple[int, int]) -> torch.Tensor | None:
    if image is None:
        return None
    _, h, w, channels = image.shape
    if (h, w) != size:
        raise FramedriftError(
            f"init_image: it is {w}x{h}, the animation {size[1]}x{size[0]}. Set width and height to the picture's, or "
            f"put Upscale Image before it."
        )
    if channels != 3:
        raise FramedriftError(
            f"init_image: it has {channels} channels; an RGB picture has 3. Take its transparency off first, with "
            f"Split Image with Alpha or Load Image."
        )
    return host.to_core(image[:1])


class _HostDiffuser:
    """The host's model, VAE and sampler behind core's ``Diffuser``, with one progress bar over frames and steps."""

    def __init__(self, job: _Job, done: int) -> None:
        self.job = job
        self.cell = host.size_multiple(job.vae)
        self.model = host.with_stepwise_masks(job.model)
        self.progress = host.Progress(sum(plan.steps for plan in job.plans))
        self.previewer = host.latent_previewer(job.model)
        self.base = sum(plan.steps for plan in job.plans[:done])
        self.steps = [plan.steps for plan in job.plans[done:]]
        self.progress.step(self.base)

    def diffuse(self, image, plan, diffusion):
        """One picture through encode, sample and decode."""
        job = self.job
        host.check_interrupted()
        positive, negative, _ = job.prompts.at(plan.frame, job.num_frames, job.seed)
        name, scheduler = job.inputs["sampler_name"], job.inputs["scheduler"]
        sigmas = host.sigmas(job.model, scheduler, name, diffusion.total_steps)[-(diffusion.steps + 1) :]
        latent = host.empty_latent(job.model, job.vae, job.size) if image is None else host.vae_encode(job.vae, image)

        def on_step(step, x0, x, total):
            preview = self.previewer(x0) if self.previewer is not None else None
            self.progress.step(self.base + self.steps[0] * (step + 1) / total, preview)

        latent = host.sample(
            self.model, latent, positive, negative, seed=plan.seed, sigmas=sigmas, cfg=plan.cfg,
            sampler_name=name, denoise_mask=diffusion.mask, callback=on_step,
            subseed=plan.subseed, subseed_strength=plan.subseed_strength,
        )  # fmt: skip
        return host.vae_decode(job.vae, latent).cpu()

    def frame_done(self, image):
        """Shows the finished frame."""
        self.base += self.steps.pop(0)
        self.progress.step(self.base, image)
        host.check_interrupted()


NODES = [FrameFeedbackSampler]
