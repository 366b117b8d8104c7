"""The feedback loop: each diffused frame is the one before it, moved by the camera and diffused again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..camera import Track
from ..depth.align import DepthTracker
from ..depth.moved import moved_disparity, uses_depth
from ..errors import FramedriftError
from ..run import Run
from ..run.pictures import storable, storable_disparity
from ..warp import WarpSettings
from .frame import Diffuser, FramePainter, LoopSettings, Scene
from .plan import FramePlan
from .redo import Made

log = logging.getLogger("framedrift")


@dataclass(frozen=True)
class DiffusedFrame:
    """A frame that has just been written. image: (1, 3, H, W) float32."""

    frame: int
    image: torch.Tensor


@dataclass
class _Memory:
    """What the next frame needs of the frame before it, besides the colours' references and the depth's scale."""

    image: torch.Tensor | None = None
    disparity: torch.Tensor | None = None


def animate(
    run: Run,
    plans: Sequence[FramePlan],
    scene: Scene,
    diffuser: Diffuser,
    settings: LoopSettings,
    text: dict[str, str] | None = None,
    edits: Sequence[Mapping[str, Any]] = (),
) -> Iterator[DiffusedFrame]:
    """Makes the frames that the run does not have yet, and writes each before it is handed on.

    Args:
        run: open and locked; what it already holds is not made again.
        plans: one for each diffused frame, ascending.
        scene: what they are painted from.
        diffuser: the host's side.
        settings: what holds for all of them.
        text: goes into every picture's PNG text chunks.
        edits: what changed before the first of these frames, for its journal line.

    Yields:
        Each new frame after it is safe on disk. Leaving the generator at any point loses nothing that was yielded.

    Raises:
        StopRun: a frame is blank, and the options say to stop there.
        FramedriftError: the run's state does not fit its journal, or a frame cannot be made.
    """
    track, depth = scene.track, scene.depth
    if depth is not None and not uses_depth(track):
        log.info("%s: the camera does not move in depth, so the depth model %s is not run", run.path.name, depth.name)
        depth = None
    tracker = DepthTracker(depth.calibrated) if depth is not None else None
    painter = FramePainter(scene, settings, diffuser)
    memory, source = _Memory(painter.first_picture()), None
    if run.last_index >= 0:
        memory, source = _restored(run, painter, tracker), run.last_index

    for plan in plans:
        if source is not None and plan.frame <= source:
            continue
        if plan.is_cut:
            memory = _Memory()
        done = painter.paint(plan, source, memory.image, memory.disparity)
        image, disparity = storable(done.image), None
        if depth is not None and tracker is not None:
            predicted, valid = _predicted(plan, source, memory, tracker, track, settings.warp)
            disparity = storable_disparity(tracker.update(depth.disparity(image), predicted, valid))
        painter.colors.learn(image, plan.frame)
        memory, source = _Memory(image, disparity), plan.frame
        entry = _entry(plan, done, track) | ({"edits": list(edits)} if edits else {})
        run.commit(plan.frame, image, disparity, entry, _state(memory, painter, tracker), text)
        edits = ()
        log.debug("frame %d written to %s", plan.frame, run.path)
        yield DiffusedFrame(plan.frame, image)


def _state(memory: _Memory, painter: FramePainter, tracker: DepthTracker | None) -> dict[str, torch.Tensor]:
    named = {"image": memory.image, "disparity": memory.disparity, **painter.colors.state()}
    if tracker is not None:
        named |= {f"depth.{name}": tensor for name, tensor in tracker.state().items()}
    return {name: tensor for name, tensor in named.items() if tensor is not None}


def _restored(run: Run, painter: FramePainter, tracker: DepthTracker | None) -> _Memory:
    state = run.state()
    if state is None or "image" not in state:
        raise FramedriftError(f"{run.path} has frames but no state to go on from; start a new run.")
    if tracker is not None:
        tracker.restore({k.removeprefix("depth."): v for k, v in state.items() if k.startswith("depth.")})
    painter.colors.restore(state)
    return _Memory(state["image"], state.get("disparity"))


def _predicted(
    plan: FramePlan,
    source: int | None,
    memory: _Memory,
    tracker: DepthTracker,
    track: Track | None,
    settings: WarpSettings,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The last disparity as the camera sees it now, what the new estimate is fitted to, and where it is known."""
    if tracker.calibrated or memory.disparity is None or track is None or source is None:
        return memory.disparity, None
    return moved_disparity(memory.disparity, track, source, plan.frame, settings)


def _entry(plan: FramePlan, done: Made, track: Track | None) -> dict[str, Any]:
    used = done.plan
    return {
        "cut": plan.is_cut and plan.frame > 0,
        "seed": used.seed,
        **({"subseed": used.subseed, "subseed_strength": plan.subseed_strength} if plan.subseed_strength > 0 else {}),
        "denoise": plan.denoise,
        "cfg": plan.cfg,
        "steps": plan.steps,
        "noise": plan.noise,
        "prompt": plan.prompt,
        "negative": plan.negative,
        "camera": track.values(plan.frame) if track is not None else {},
        **({"values": dict(plan.values)} if plan.values else {}),
        **({"names": dict(plan.names)} if plan.names else {}),
        **done.note,
    }
