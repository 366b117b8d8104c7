"""One queued animation: its score, its model and pictures, and the run that it belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import host
from .cast import check_options
from .core.errors import FramedriftError
from .editing import editable, editable_kinds, editable_limits, edited_inputs
from .links import batch
from .projection import warp_settings
from .sampler_inputs import COHERENCES
from .score import SCHEDULES, SEED_SCHEDULES, Score, written

SIZE_STEP = 8
#: Raised whenever pictures come out otherwise: a run that was begun before would not go on to the same.
VERSION = 2


class Job:
    """The sampler's inputs, checked and resolved: everything that is decided before the first frame."""

    def __init__(self, inputs: Mapping[str, Any], hidden: Any) -> None:
        """Resolves the inputs. Raises FramedriftError that names what cannot be right."""
        from .core.feedback import LoopSettings
        from .core.feedback.control import check_controls

        self.inputs, self.hidden = inputs, hidden
        self.model, self.vae = inputs["model"], inputs["vae"]
        for name in ("height", "width"):
            check_multiple(name, inputs[name], math.lcm(SIZE_STEP, host.size_multiple(self.vae)))
        self.init_image = _checked_init(inputs.get("init_image"), (inputs["height"], inputs["width"]))
        self.depth = inputs.get("depth_model")
        self.score = Score(inputs)
        check_options(self.score.options)
        check_controls(self.score.options, self.score.plans)
        self._asks_for_depth = self._needs_depth()
        self.settings = LoopSettings(
            warp=warp_settings(inputs),
            color_coherence=COHERENCES[inputs["color_coherence"]],
            hole_denoise=inputs["hole_denoise"],
            full_steps=inputs["full_steps"],
            video_mix=inputs.get("video_mix", 1.0),
        )

    def edited(self, commands: Sequence[Mapping[str, Any]]) -> Job:
        """The job after edits and extensions, each from the frame behind its "after" on; what was made stays.

        Raises:
            FramedriftError: an edit cannot be carried out; it names what.
        """
        from .core.camera.track import spliced

        job = self
        for command in commands:
            before, job = job, Job(edited_inputs(job.inputs, command), self.hidden)
            if before.score.track is not None and job.score.track is not None:
                job.score.track = spliced(before.score.track, job.score.track, max(command["after"], 0))
        return job

    def scene(self):
        """What the frames are painted from."""
        from .core.feedback import Scene

        score = self.score
        return Scene(score.track, self.depth, self.init_image, score.video, score.options, score.course)

    def open_run(self):
        """The run to go on with, locked while it is used."""
        from .core.run.resume import choose_run, fingerprint

        score, shaping = self.score, self._shaping()
        manifest = {
            "settings": self._readable(),
            "shaping": shaping,
            "fps": score.fps,
            "num_frames": score.num_frames,
            "height": score.size[0],
            "width": score.size[1],
            "editable": editable(self.inputs, score.options),
            "editable_kinds": editable_kinds(self.inputs, score.options),
            "editable_limits": editable_limits(self.inputs, score.options),
            "node": self.hidden.unique_id,
            "prompt": self.hidden.prompt,
        }
        if score.closing:
            manifest["loops"] = True
        if score.longest is not None:
            manifest["longest"] = score.longest
        store = run_store()
        return choose_run(store, self.inputs["resume"], self.inputs["run_name"], manifest, fingerprint(shaping))

    def _needs_depth(self) -> bool:
        """Whether pictures depend on a depth model. Raises FramedriftError where an option does, and there is none."""
        from .core.depth.moved import uses_depth
        from .core.feedback.hybrid import Hybrid, missing_depth

        hybrid = self.score.options.only(Hybrid)
        if hybrid is None or not hybrid.needs_depth:
            return uses_depth(self.score.track)
        if self.depth is None:
            raise missing_depth(hybrid.mask_type)
        return True

    def ensure_room(self, path: Path, frames: int) -> None:
        """Refuses to begin where so many pictures cannot fit even if they compress well."""
        from .core.run import ensure_space

        # Colour and depth compress; what the colour has below 8 bits does not.
        height, width = self.score.size
        ensure_space(path, frames * height * width * 17 // 4)

    def _readable(self) -> dict[str, Any]:
        """The inputs as the user wrote them, for run.json and for telling what differs."""
        plain = {k: v for k, v in self.inputs.items() if isinstance(v, (str, int, float, bool))}
        plain = {k: v for k, v in plain.items() if k not in SEED_SCHEDULES}
        cadence = ["cadence_schedule"] if self.inputs.get("cadence_schedule") is not None else []
        names = (*cadence, *SCHEDULES, *self.score.used_seed_schedules())
        plain |= {name: written(self.inputs, name) for name in names}
        prompts, camera = self.score.prompts, self.inputs.get("camera")
        plain |= {"prompts": prompts.text, "prompt_options": prompts.options()}
        plain |= {"camera": camera.texts() if camera is not None else None}
        return plain | ({"options": self.score.options.texts()} if self.score.options.parts else {})

    def _shaping(self) -> dict[str, Any]:
        """Everything that shapes a picture, as JSON values."""
        from .core.run.resume import clip_mark, digest

        score = self.score
        # Which frames are diffused stands in "frames"; the cadence itself stays for the runs that were begun with it.
        placing = {"cadence_schedule", "align_to_keyframes", *(() if score.closing else ("loop_frames",))}
        left_out = {"fps", "resume", "run_name", *placing, *SCHEDULES, *SEED_SCHEDULES}
        plain = {k: v for k, v in self.inputs.items() if isinstance(v, (str, int, float, bool)) and k not in left_out}
        graph = None
        if self.hidden.prompt:
            links = ["model", "vae", "prompts", *(["video_input"] if score.video is not None else [])]
            graph = host.upstream_graph(self.hidden.prompt, self.hidden.unique_id, links)
        if score.video is None:
            plain.pop("video_mix", None)
        else:
            # Where it comes from stands in the graph; a clip that was changed in its place mostly shows in this.
            plain["video_input"] = clip_mark(score.video)
        if score.options.parts:
            plain["options"] = score.options.signature()
        return plain | {
            "version": VERSION,
            "frames": [
                [p.frame, p.seed, p.strength, p.steps, p.cfg, p.noise, p.prompt, p.negative]
                + ([p.subseed, p.subseed_strength] if p.subseed_strength > 0 else [])
                + ([dict(p.values), dict(p.names)] if p.values or p.names else [])
                for p in score.plans
            ],
            "camera": digest(*_arrays(score.track)),
            "depth": self.depth.signature() if self.depth is not None and self._asks_for_depth else None,
            "prompts": score.prompts.signature(),
            "init_image": digest(self.init_image) if self.init_image is not None else None,
            "graph": graph,
        }


def run_store():
    """The runs in ComfyUI's output folder."""
    from .core.run import RunStore
    from .core.run.names import RUN_FOLDER

    return RunStore(host.output_directory() / RUN_FOLDER)


def check_multiple(name: str, value: int, multiple: int) -> None:
    """Raises FramedriftError, which names two sizes near it, where a size is no multiple."""
    if value % multiple:
        low = max(value // multiple, 1) * multiple
        raise FramedriftError(
            f"{name} is {value}, and must be a multiple of {multiple}: try {low} or {low + multiple}."
        )


def _arrays(track: Any) -> list[np.ndarray]:
    """The numbers that a camera track consists of; none where there is no camera."""
    return [] if track is None else [value for value in vars(track).values() if isinstance(value, np.ndarray)]


def _checked_init(image: torch.Tensor | None, size: tuple[int, int]) -> torch.Tensor | None:
    if image is None:
        return None
    image = batch("init_image", image)
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
