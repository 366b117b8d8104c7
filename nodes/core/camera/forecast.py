"""What a camera will ask of the sampler: a small simulation of the feedback loop, before anything is diffused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..depth.moved import uses_depth
from ..depth.range import disparity_to_depth, equalise
from ..errors import FramedriftError
from ..video.frames import DEFAULT_FPS, Frames
from ..warp import WarpSettings
from ..warp.deforum import deforum_shift
from .lens import focal_length
from .pose import inverse_rigid
from .simulation import SimulatedFrames, Simulation, fitted, percentiles, reduced
from .track import Track, Track3D

#: The share of the picture that may be uncovered at once: what the sampler invents from nothing has to find its place
#: among what it sees, and with more than a quarter gone it starts to make another picture.
MOST_UNCOVERED = 0.25
#: How many times its area a twentieth of the picture may be magnified at once: up to here a denoise of 0.35 to 0.5
#: brings the detail back; beyond, soft blotches stay, and the next step magnifies those.
MOST_MAGNIFIED = 1.5
#: How far a twentieth of the picture may move at once, in percent of the width: beyond, the eye sees single pictures
#: instead of a motion, and errors in the depth become visible tears.
MOST_MOTION = 10.0
#: From this share on, nothing is left of the picture.
NOTHING_LEFT = 0.995

#: What can be off the scale, by its name, in the words of reports.
KINDS = ("uncovered", "magnified", "moved", "inside", "empty")

# Displacements that say no more than "far out of the frame", in widths.
_FARTHEST = 10.0


@dataclass(frozen=True)
class Step:
    """What one diffused step asks for.

    Attributes:
        source, target: the frames that it leads from and to.
        uncovered: share of the picture for which the frame before has nothing, 0..1.
        magnification: median and 95th percentile of how many times its area the rest takes; 1 keeps the size.
        motion: median and 95th percentile of how far it moves, in percent of the frame's width.
        off: what is off the scale, of `KINDS`; empty where all is well.
    """

    source: int
    target: int
    uncovered: float = 0.0
    magnification: tuple[float, float] = (1.0, 1.0)
    motion: tuple[float, float] = (0.0, 0.0)
    off: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a camera will do to a picture.

    Attributes:
        steps: one for each diffused frame after the first, ascending.
        frames: the simulated animation, every frame of it, made when it is asked for.
    """

    steps: tuple[Step, ...]
    frames: Frames

    def spans(self, kind: str) -> list[list[Step]]:
        """The runs of steps, one after the other, in which this kind is off the scale."""
        runs: list[list[Step]] = []
        for step in self.steps:
            if kind in step.off:
                if runs and runs[-1][-1].target == step.source:
                    runs[-1].append(step)
                else:
                    runs.append([step])
        return runs


def forecast(
    image: Tensor,
    disparity: Tensor | None,
    track: Track,
    diffused: Sequence[int],
    settings: WarpSettings | None = None,
    size: int = 256,
    fps: float = DEFAULT_FPS,
    on_step: Callable[[int], None] | None = None,
) -> Forecast:
    """Simulates the feedback loop at a small size: the picture and its disparity, moved from step to step.

    Nothing is diffused: holes are filled from the background side and what is magnified grows soft, which is what the
    sampler would start from. The disparity moves with its values, as the sampler predicts it.

    Args:
        image: (1, C, H, W), 0..1, the first frame.
        disparity: (1, 1, h, w), 0..1, larger is nearer, of the first frame; None is a plane at `near` in every frame.
        track: the camera, for pictures of the image's size where it is one in the plane.
        diffused: the frames that are diffused, ascending from 0; see `cadence.plan.diffused_frames`.
        settings: how the run warps; the defaults if None.
        size: the longer side of the simulated pictures in pixels; a smaller image keeps its size.
        fps: frames per second of the animation.
        on_step: called with the number of steps done; what it raises stops the simulation.

    Raises:
        FramedriftError: more than one picture, frames out of order or outside the track, or a disparity that is none.
    """
    settings = settings or WarpSettings()
    if image.ndim != 4 or len(image) != 1:
        raise FramedriftError(f"image: the first frame is one picture (1, C, H, W), this is {tuple(image.shape)}")
    if not diffused or diffused[0] != 0 or any(a >= b for a, b in pairwise(diffused)):
        raise FramedriftError("diffused: the frames must ascend from 0")
    if diffused[-1] >= len(track):
        raise FramedriftError(f"diffused: frame {diffused[-1]} is outside the camera's {len(track)} frames")
    small, near = reduced(image.float(), disparity, size)
    known = near if uses_depth(track) else None
    simulation = Simulation(small, known, fitted(track, image, small), settings)
    steps = []
    for number, (source, target) in enumerate(pairwise(diffused), start=1):
        step = _measured(source, target, simulation)
        steps.append(_judged(step, _inside(target, track, known, settings)))
        if on_step is not None:
            on_step(number)
    return Forecast(tuple(steps), SimulatedFrames(simulation, diffused[-1] + 1, fps))


def displacement(
    track: Track, source: int, target: int, disparity: Tensor | None, settings: WarpSettings, size: tuple[int, int]
) -> Tensor:
    """How far every pixel goes between two frames, in pixels, (n,); what leaves the view for good goes `inf` far.

    Args:
        track: the camera.
        source: frame to start from.
        target: frame to go to.
        disparity: (1, 1, H, W) of the source frame; None is a plane at `near`.
        settings: how the run warps.
        size: (h, w) of the picture.
    """
    height, width = size
    x = torch.arange(width, dtype=torch.float64).expand(height, width) - (width - 1) / 2
    y = (torch.arange(height, dtype=torch.float64) - (height - 1) / 2)[:, None].expand(height, width)
    step = track.step(source, target)
    if not isinstance(track, Track3D):
        x, y = x + (width - 1) / 2, y + (height - 1) / 2
        return _projected(step, x, y, torch.ones_like(x), (1.0, x, y))
    fov = float(track.fov_deg[target])
    if settings.projection == "deforum":
        equal = None if disparity is None else equalise(disparity)
        across, down = deforum_shift(step, equal, size, fov, float(track.aspect[target]), torch.device("cpu"))
        return torch.hypot(across, down).flatten()
    before, after = focal_length(float(track.fov_deg[source]), height), focal_length(fov, height)
    z = torch.full(size, settings.near, dtype=torch.float64)
    if disparity is not None:
        z = disparity_to_depth(disparity, settings.near, settings.far)[0, 0].to("cpu", torch.float64)
    return _projected(step[:3], x / before * z, y / before * z, z, (after, x, y))


def _projected(step: np.ndarray, x: Tensor, y: Tensor, z: Tensor, start: tuple[float, Tensor, Tensor]) -> Tensor:
    """The way from where pixels were, on the picture, to where their points (x, y, z) are seen after the step."""
    focal, column, row = start
    points = torch.stack([x, y, z, torch.ones_like(z)][: step.shape[1]]).flatten(1)
    right, down, ahead = torch.from_numpy(np.ascontiguousarray(step)) @ points
    away = torch.hypot(focal * right / ahead - column.flatten(), focal * down / ahead - row.flatten())
    return torch.where(ahead > 0, away, torch.inf)


def _measured(source: int, target: int, simulation: Simulation) -> Step:
    track, settings, size = simulation.track, simulation.settings, simulation.size
    if track.at_rest(source, target):
        return Step(source, target)
    warped, disparity = simulation.advance(target)
    moved = displacement(track, source, target, disparity, settings, size) * (100.0 / size[1])
    return Step(
        source,
        target,
        float(warped.holes.mean()),
        percentiles(warped.magnification[warped.holes < 0.5]),
        percentiles(moved.clamp(max=100.0 * _FARTHEST)),
    )


def _inside(frame: int, track: Track, disparity: Tensor | None, settings: WarpSettings) -> bool:
    """Whether the camera has gone through what the first picture shows in the direction to where it is now."""
    if disparity is None or not isinstance(track, Track3D) or settings.projection != "pinhole":
        return False
    x, y, z = inverse_rigid(track.views[frame])[:3, 3]
    height, width = disparity.shape[-2:]
    focal = focal_length(float(track.fov_deg[0]), height)
    if not z > 0 or not (abs(x / z) * focal < width / 2 and abs(y / z) * focal < height / 2):
        return False
    column, row = int(x / z * focal + width / 2), int(y / z * focal + height / 2)
    depth = disparity_to_depth(disparity[..., row, column], settings.near, settings.far)
    return bool(z > float(depth))


def _judged(step: Step, inside: bool) -> Step:
    found = {
        "uncovered": step.uncovered > MOST_UNCOVERED,
        "magnified": step.magnification[1] > MOST_MAGNIFIED,
        "moved": step.motion[1] > MOST_MOTION,
        "inside": inside,
        "empty": step.uncovered > NOTHING_LEFT,
    }
    return replace(step, off=tuple(kind for kind in KINDS if found[kind]))
