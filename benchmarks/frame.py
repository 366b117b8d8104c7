"""What a diffused frame costs besides model, VAE and depth, part by part.

    .venv/bin/python benchmarks/frame.py --size 512 --repeats 20 --threads 1 2

Times are the best of the repeats in milliseconds, taken in turns, so that whatever else the machine does falls on all
alike: on the clock, and in brackets the processor's, over all threads, which tells more on a machine that is busy.
`the four` are what classic Deforum does to every frame too: it took about 75 ms for them on two cores of the machine on
which this was written first. `painted` is the whole way of a frame through the loop, with a diffuser that hands back
what it is given: it matches colours a second time after diffusion, learns them for the next frame, and counts what is
to be diffused. `written` is the frame's way to disk: picture, 16-bit depth and the state to go on from, synced.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import torch

from framedrift.nodes.core.camera import Camera3D, Track
from framedrift.nodes.core.feedback import Diffusion, FramePlan, LoopSettings, Options
from framedrift.nodes.core.feedback.adjust import unsharp
from framedrift.nodes.core.feedback.coherence import Coherence
from framedrift.nodes.core.feedback.frame import FramePainter, Scene
from framedrift.nodes.core.feedback.matching import color_quantiles, match_colors
from framedrift.nodes.core.feedback.noise import Noise, add_noise
from framedrift.nodes.core.run import Run, RunStore
from framedrift.nodes.core.warp import WarpSettings, warp

PERLIN = Noise(noise_type="perlin", perlin_octaves=4)
SHARPEN = {"kernel_schedule": 5.0, "sigma_schedule": 1.0, "amount_schedule": 0.1, "threshold_schedule": 0.0}
FLIGHT = Camera3D(
    translation_x="0:(12)", translation_y="0:(5)", translation_z="0:(20)",
    rotation_3d_x="0:(0.5)", rotation_3d_y="0:(1)", rotation_3d_z="0:(0.8)",
)  # fmt: skip
FOUR = ("pinhole warp, bicubic", "LAB match", "sharpening", "Perlin noise, 4 octaves")


class Mirror:
    """A diffuser that hands back what it is given."""

    cell = 8

    def diffuse(
        self, image: torch.Tensor | None, plan: FramePlan, diffusion: Diffusion, previous: torch.Tensor | None
    ) -> torch.Tensor:
        """The picture itself."""
        assert image is not None
        return image


def scene(size: int, hue: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A coloured pattern with grain, and a ground with a ball before it as disparity."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    waves = torch.sin(9 * x + 3 * torch.sin(4 * y)) * torch.cos(7 * y - 2 * x)
    tint = torch.tensor([0.0, 0.8, 1.7])[:, None, None] + hue
    grain = torch.randn((3, size, size), generator=torch.Generator().manual_seed(0)) * 0.02
    disparity = torch.where((x - 0.2) ** 2 + y**2 < 0.15, 0.8, 0.15 + 0.25 * (y + 1) / 2)
    return (0.5 + 0.35 * torch.sin(3 * waves + tint) + grain).clamp(0, 1)[None], disparity[None, None]


def parts(size: int, run: Run) -> dict[str, Callable[[], object]]:
    """What is measured, by its name."""
    image, disparity = scene(size)
    settings, track = WarpSettings("pinhole", 1.0, 50.0), FLIGHT.track(2, 15.0, 0, (size, size))
    warped = warp(image, track, 0, 1, disparity, settings)
    reference = color_quantiles(scene(size, 0.3)[0], "lab")
    numbers = count()
    kept = {"image": image, "disparity": disparity, "color_reference": reference}
    return {
        FOUR[0]: lambda: warp(image, track, 0, 1, disparity, settings),
        FOUR[1]: lambda: match_colors(warped.image, reference, "lab", warped.holes),
        FOUR[2]: lambda: unsharp(warped.image, 5, 1.0, 0.1),
        FOUR[3]: lambda: add_noise(warped.image, 0.065, 1, 1, PERLIN),
        "painted": partial(painted, image, disparity, track, settings),
        "written": lambda: run.commit(next(numbers), image, disparity, {}, kept, {"prompt": "{}"}),
    }


def painted(image: torch.Tensor, disparity: torch.Tensor, track: Track, settings: WarpSettings) -> object:
    """One frame through the loop."""
    options = Options((Coherence(match="lab", reference="previous frame"), PERLIN))
    painter = FramePainter(Scene(track=track, options=options), LoopSettings(warp=settings), Mirror())
    painter.colors.learn(image, 0)
    return painter.paint(FramePlan(1, 1, 0.65, 20, 7.0, 0.065, values=SHARPEN), 0, image, disparity)


def best_times(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, tuple[float, float]]:
    """Best time of each in milliseconds, on the clock and of the processor."""
    best = dict.fromkeys(works, (float("inf"), float("inf")))
    # malloc gives freed memory back to the system until it has seen a large block go, as any model's user has.
    torch.zeros(8_000_000)
    for number in range(repeats + 1):
        for name, work in works.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            spent = (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3
            if number:
                best[name] = min(best[name][0], spent[0]), min(best[name][1], spent[1])
    return best


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="side of the square picture in pixels")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of torch and of OpenCV, each")
    given = parser.parse_args()
    columns: list[dict[str, tuple[float, float]]] = []
    for threads in given.threads:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        with tempfile.TemporaryDirectory() as folder, RunStore(Path(folder)).create("benchmark", {}, "mark") as run:
            times = best_times(parts(given.size, run), given.repeats)
        wall, cpu = (sum(times[name][clock] for name in FOUR) for clock in range(2))
        columns.append({**{name: times[name] for name in FOUR}, "the four": (wall, cpu), **times})
    print(f"torch {torch.__version__}, OpenCV {cv2.__version__}, {given.size}x{given.size}, milliseconds a frame")
    print(f"{'threads':26}" + "".join(f"{threads:8}{'':10}" for threads in given.threads))
    for name in columns[0]:
        print(f"{name:26}" + "".join("{:8.2f} ({:6.2f}) ".format(*column[name]) for column in columns))


if __name__ == "__main__":
    with torch.inference_mode():
        main()
