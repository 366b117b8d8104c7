"""What is played: every diffused frame, decided from a node's inputs before any model is asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import links
from .core.errors import FramedriftError

if TYPE_CHECKING:
    from .core.feedback import FramePlan, Options
    from .core.video.frames import Frames

log = logging.getLogger("framedrift")

#: The sampler's own schedules, and what plans call them.
SCHEDULES = {
    "strength_schedule": "strength",
    "steps_schedule": "steps",
    "cfg_scale_schedule": "cfg",
    "noise_schedule": "noise",
}
#: Schedules that an older prompt does not have, and what they are then. Deforum's defaults.
SEED_SCHEDULES = {
    "seed_schedule": '0:(s), 1:(-1), "max_f-2":(-1), "max_f-1":(s)',
    "subseed_schedule": "0:(1)",
    "subseed_strength_schedule": "0:(0)",
}


def written(inputs: Mapping[str, Any], name: str) -> str:
    """One of the sampler's schedules as the user wrote it, or what stands for it where it is not given."""
    given = inputs.get(name)
    return str(getattr(given, "text", given)) if given is not None else SEED_SCHEDULES.get(name, "")


def has_cadence_schedule(given: Any) -> bool:
    """Whether a cadence schedule was given at all: an empty text is none."""
    return given is not None and not (isinstance(given, str) and not given.strip())


class Score:
    """An animation's settings over time, sampled: all that holds whatever model paints it.

    Attributes:
        inputs: the node's, by their ids.
        num_frames, fps, seed, size: of the finished animation; size is (h, w).
        longest: how many frames its clips allow; None where there is none.
        closing: frames at the end over which a loop is closed; they are not diffused.
        prompts: going over into the first one where it loops.
        video: what diffused frames start from, a picture a frame; None where there is none.
        options: what is chained in, its clips at the animation's rate and size.
        course: the way to the guide images among them, or None.
        track: the camera over the whole animation, or None.
        plans: one for each diffused frame, ascending.
    """

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        """Decides everything. Raises FramedriftError that names the input and its first frame that cannot be right."""
        from .core.feedback import Schedules, cut_frames, plan_frames
        from .core.feedback.guides import merged

        self.inputs = inputs
        self.longest: int | None = None
        self.num_frames, self.fps, self.seed = inputs["num_frames"], inputs["fps"], inputs["seed"]
        self.size = (inputs["height"], inputs["width"])
        self.video = self._clip()
        self.options = self._options()
        camera = inputs.get("camera")
        self.track = camera.track(self.num_frames, self.fps, self.seed, self.size) if camera is not None else None
        sampled = {short: self._sampled(name) for name, short in SCHEDULES.items()}
        self.closing = self._closing()
        self.prompts = inputs["prompts"].looped(self.num_frames) if self.closing else inputs["prompts"]
        # What closes a loop is tweened only.
        length = self.num_frames - self.closing + bool(self.closing)
        values = self.options.sample(self.num_frames, self.seed, self.fps)
        cuts = np.flatnonzero(sampled["strength"] <= 0).tolist()
        self.course = merged(self.options, values, self.num_frames, self.seed, self.fps, cuts)
        if self.course is not None:
            kept = sampled["strength"]
            sampled["strength"] = np.array([self.course.strength(f, float(kept[f])) for f in range(self.num_frames)])
        indices = self._diffused(length, cut_frames(sampled["strength"][:length]))
        seeds, (subseed_strength, subseeds) = self._seeds(indices)
        texts = [self.prompts.text_at(frame, self.num_frames, self.seed) for frame in indices]
        schedules = Schedules(**sampled, subseed_strength=subseed_strength)
        self.plans: tuple[FramePlan, ...] = plan_frames(indices, schedules, seeds, texts, subseeds, values)

    def _clip(self) -> Frames | None:
        """The frames of video_input as the animation shows them."""
        given = self.inputs.get("video_input")
        if given is None:
            return None
        from .core.video.edit import fitted

        clip = fitted(links.clip("video_input", given), self.fps, self.size)
        self._shorten(len(clip), "video_input")
        return clip

    def _options(self) -> Options:
        """What is chained in, its clips as the animation shows them."""
        from .core.feedback import Options

        options = (self.inputs.get("options") or Options()).fitted(self.fps, self.size)
        if lengths := options.lengths():
            self._shorten(min(lengths), "the shortest clip among its options")
        return options

    def _shorten(self, length: int, clip: str) -> None:
        self.longest = length if self.longest is None else min(length, self.longest)
        if length < self.num_frames:
            log.info("the animation has %d frames, as %s has, not %d", length, clip, self.num_frames)
            self.num_frames = length

    def _closing(self) -> int:
        closing = self.inputs.get("loop_frames") or 0
        if closing >= self.num_frames:
            raise FramedriftError(
                f"loop_frames is {closing}, and must be less than num_frames, which is {self.num_frames}."
            )
        return closing

    def _diffused(self, length: int, cuts: tuple[int, ...]) -> list[int]:
        """The frames that are diffused: what the cadence gives, every cut, and what options ask for."""
        from .core.cadence import diffused_frames

        asked = {f for part in self.options.parts for f in part.keyframes(self.num_frames, self.seed, self.fps)}
        cadence = diffused_frames(length, self._cadence(length), self._keyframes())
        return sorted({*cadence, *cuts, *(frame for frame in asked if frame < length)})

    def _cadence(self, length: int) -> int | np.ndarray:
        given = self.inputs.get("cadence_schedule")
        if not has_cadence_schedule(given):
            return self.inputs["diffusion_cadence"]
        from .core.schedule import as_schedule

        return as_schedule(given, "cadence_schedule").sample(self.num_frames, self.seed, self.fps)[:length]

    def _keyframes(self) -> set[int] | None:
        """The frames that the cadence is built around; None where it alone decides."""
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

    def plan_index(self, after: int) -> int:
        """How many of the plans lie at or before a frame; -1 is before the first."""
        return sum(plan.frame <= after for plan in self.plans)

    def used_seed_schedules(self) -> list[str]:
        """Those of SEED_SCHEDULES that change a picture."""
        varied = any(plan.subseed_strength > 0 for plan in self.plans)
        used = ["seed_schedule"] if self.inputs["seed_behavior"] == "schedule" else []
        return used + (["subseed_schedule", "subseed_strength_schedule"] if varied else [])
