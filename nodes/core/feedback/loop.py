"""The feedback loop: each diffused frame is the one before it, moved by the camera and diffused again."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from ..camera import Track
from ..depth.align import DepthTracker
from ..depth.estimate import DepthModel
from ..depth.moved import moved_disparity, uses_depth
from ..errors import FramedriftError
from ..run import Run
from ..video.frames import Frames
from ..warp import Warped, WarpSettings, warp
from .coherence import lab_quantiles, match_lab
from .denoise import Diffusion, denoise_map, keep_untouched, plan_diffusion
from .noise import add_noise
from .plan import FramePlan

log = logging.getLogger("framedrift")


class Diffuser(Protocol):
    """What turns a prepared picture into a diffused one: the host's model, VAE and sampler."""

    cell: int
    """Pixels along one side of a latent cell."""

    def diffuse(self, image: torch.Tensor | None, plan: FramePlan, diffusion: Diffusion) -> torch.Tensor:
        """(1, 3, H, W) or None for text to image, to (1, 3, H, W), float32 on the CPU, 0..1."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """What holds for the whole animation."""

    warp: WarpSettings = WarpSettings()
    color_coherence: str = "none"
    hole_denoise: float = 1.0
    full_steps: bool = False
    video_mix: float = 1.0


@dataclass(frozen=True)
class DiffusedFrame:
    """A frame that has just been written. image: (1, 3, H, W) float32."""

    frame: int
    image: torch.Tensor


@dataclass
class _Memory:
    """What the next frame needs of the frames before it; all of it travels in the run's state."""

    image: torch.Tensor | None = None
    disparity: torch.Tensor | None = None
    reference: torch.Tensor | None = None

    def state(self, tracker: DepthTracker | None) -> dict[str, torch.Tensor]:
        tensors = {"image": self.image, "disparity": self.disparity, "color_reference": self.reference}
        named = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        if tracker is not None:
            named |= {f"depth.{name}": tensor for name, tensor in tracker.state().items()}
        return named

    @classmethod
    def restore(cls, state: dict[str, torch.Tensor], tracker: DepthTracker | None) -> "_Memory":
        if tracker is not None:
            tracker.restore({k.removeprefix("depth."): v for k, v in state.items() if k.startswith("depth.")})
        return cls(state["image"], state.get("disparity"), state.get("color_reference"))


def animate(
    run: Run,
    plans: Sequence[FramePlan],
    track: Track | None,
    depth: DepthModel | None,
    diffuser: Diffuser,
    settings: LoopSettings,
    init_image: torch.Tensor | None = None,
    text: dict[str, str] | None = None,
    video: Frames | None = None,
) -> Iterator[DiffusedFrame]:
    """Makes the frames that the run does not have yet, and writes each before it is handed on.

    Args:
        run: open and locked; what it already holds is not made again.
        plans: one for each diffused frame, ascending.
        track: the camera over the whole animation; None keeps still.
        depth: asked where the camera moves in space, and its answers kept with the run; a camera in the plane, or none,
            has no use for it. None takes the scene for a plane.
        diffuser: the host's side.
        init_image: (1, 3, H, W), what frame 0 starts from; None makes it from its prompt alone.
        text: goes into every picture's PNG text chunks.
        video: a picture for each frame of the animation, of its size: what every diffused frame starts from, mixed by
            `video_mix` with what is left of the one before. What the camera uncovers shows it whole.

    Yields:
        Each new frame after it is safe on disk. Leaving the generator at any point loses nothing that was yielded.

    Raises:
        FramedriftError: the run's state does not fit its journal.
    """
    if depth is not None and not uses_depth(track):
        log.info("%s: the camera does not move in depth, so the depth model %s is not run", run.path.name, depth.name)
        depth = None
    tracker = DepthTracker(depth.calibrated) if depth is not None else None
    memory, done = _Memory(image=init_image), -1
    if run.last_index >= 0:
        state = run.state()
        if state is None or "image" not in state:
            raise FramedriftError(f"{run.path} has frames but no state to go on from; start a new run.")
        memory, done = _Memory.restore(state, tracker), run.last_index

    previous = None
    for plan in plans:
        source, previous = previous, plan.frame
        if plan.frame <= done:
            continue
        start = None if plan.is_cut else _start(plan, source, memory, track, settings)
        if video is not None and not plan.is_cut:
            start = _with_video(start, video[plan.frame].permute(2, 0, 1)[None, :3], settings.video_mix)
        if start is None:
            # A cut has no past: its colours and its depth start anew.
            memory, predicted, valid = _Memory(), None, None
            image = diffuser.diffuse(None, plan, Diffusion.from_nothing(plan.steps))
        else:
            predicted, valid = _move_disparity(plan, source, memory, tracker, track, settings)
            image = _diffuse(plan, start, memory, diffuser, settings)
        if not bool(torch.isfinite(image).all()):
            raise FramedriftError(
                f"Frame {plan.frame} came back with pixels that are no numbers (NaN). Half precision is the usual "
                f"reason: start ComfyUI with --fp32-vae or choose another VAE. The frames before it are kept."
            )
        disparity = None
        if depth is not None and tracker is not None:
            disparity = tracker.update(depth.disparity(image), predicted, valid)
        if settings.color_coherence == "lab" and memory.reference is None:
            memory.reference = lab_quantiles(image)
        memory.image, memory.disparity = image, disparity
        run.commit(plan.frame, image, disparity, _entry(plan, track), memory.state(tracker), text)
        log.debug("frame %d written to %s", plan.frame, run.path)
        yield DiffusedFrame(plan.frame, image)


def _start(
    plan: FramePlan, source: int | None, memory: _Memory, track: Track | None, settings: LoopSettings
) -> Warped | None:
    """The frame before, where the camera has moved it; None where there is nothing to start from."""
    if memory.image is None:
        return None
    if track is None or source is None:
        none = torch.zeros_like(memory.image[:, :1])
        return Warped(memory.image, none, none + 1)
    return warp(memory.image, track, source, plan.frame, memory.disparity, settings.warp)


def _with_video(start: Warped | None, picture: torch.Tensor, mix: float) -> Warped:
    """What is left of the frame before, mixed with a picture (1, 3, H, W); where there are holes, the picture alone."""
    none = torch.zeros_like(picture[:, :1])
    if start is None or mix >= 1:
        return Warped(picture, none, none + 1)
    mixed = torch.lerp(start.image, picture, torch.maximum(start.holes, none + mix))
    return Warped(mixed, none, start.magnification)


def _diffuse(
    plan: FramePlan, start: Warped, memory: _Memory, diffuser: Diffuser, settings: LoopSettings
) -> torch.Tensor:
    image = _match(start.image, memory, start.holes)
    image = add_noise(image, plan.noise, plan.seed, plan.frame)
    wanted = denoise_map(start.holes, start.magnification, plan.denoise, settings.hole_denoise)
    diffusion = plan_diffusion(wanted, plan.steps, diffuser.cell, settings.full_steps)
    if diffusion is None:
        return image
    diffused = keep_untouched(image, diffuser.diffuse(image, plan, diffusion), diffusion.mask)
    return _match(diffused, memory, None)


def _match(image: torch.Tensor, memory: _Memory, holes: torch.Tensor | None) -> torch.Tensor:
    return image if memory.reference is None else match_lab(image, memory.reference, holes)


def _move_disparity(
    plan: FramePlan,
    source: int | None,
    memory: _Memory,
    tracker: DepthTracker | None,
    track: Track | None,
    settings: LoopSettings,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The last disparity as the camera sees it now, what the new estimate is fitted to, and where it is known."""
    if tracker is None or tracker.calibrated or memory.disparity is None or track is None or source is None:
        return memory.disparity, None
    return moved_disparity(memory.disparity, track, source, plan.frame, settings.warp)


def _entry(plan: FramePlan, track: Track | None) -> dict:
    return {
        "cut": plan.is_cut and plan.frame > 0,
        "seed": plan.seed,
        **({"subseed": plan.subseed, "subseed_strength": plan.subseed_strength} if plan.subseed_strength > 0 else {}),
        "denoise": plan.denoise,
        "cfg": plan.cfg,
        "steps": plan.steps,
        "noise": plan.noise,
        "prompt": plan.prompt,
        "negative": plan.negative,
        "camera": track.values(plan.frame) if track is not None else {},
    }
