"""What a warp costs: every projection beside a plain backward warp, in one run on one machine.

    .venv/bin/python benchmarks/warp.py --size 512 1024 --repeats 10 --device cpu

Times are the best of the repeats in milliseconds, taken in turns, so that whatever else the machine does falls on all
alike; the ratio is to `grid_sample` with the same interpolation and a grid that is ready. Memory is the most that torch
held at once beyond what was there before, the result with it, in frames of 3 x H x W float32.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import accumulate

import numpy as np
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from framedrift.nodes.core.camera import Camera2D, pose_delta
from framedrift.nodes.core.depth.range import disparity_to_depth
from framedrift.nodes.core.warp import warp_deforum, warp_pinhole, warp_plane


def best_times(works: dict[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, float]:
    """Best time of each in milliseconds."""
    best = dict.fromkeys(works, float("inf"))
    # malloc gives freed memory back to the system until it has seen a large block go, as any model's user has.
    torch.zeros(8_000_000)
    for number in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number:
                best[name] = min(best[name], (time.perf_counter() - start) * 1e3)
    return best


def peak_bytes(work: Callable[[], object], device: torch.device) -> int:
    """The most memory that torch held at once beyond what was held before."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    events = profiler.profiler.kineto_results.events()
    changes = [event.nbytes() for event in sorted(events, key=lambda e: e.start_ns()) if event.name() == "[memory]"]
    return max(accumulate(changes), default=0)


def scene(size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Coloured noise, and a ground with a ball before it as disparity."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((1, 3, size, size), generator=generator).to(device)
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    disparity = torch.where((x - 0.2) ** 2 + y**2 < 0.15, 0.8, 0.15 + 0.25 * (y + 1) / 2)
    return image, disparity[None, None].to(device)


def main() -> None:
    """Prints one table."""
    # torch's profiler, which counts the memory, tells of its every start otherwise.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[512, 1024], help="side of the square picture in pixels")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    move, turn = (12.0, 5.0, 20.0), (0.5, 1.0, 0.8)
    step = pose_delta(move, turn)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    for size in given.size:
        works = warps(size, device, step, move, turn)
        times = best_times(works, given.repeats, device)
        print(f"\n{size}x{size}\n{'':22}{'ms':>8}{'ratio':>8}{'peak frames':>13}")
        for name, work in works.items():
            floor = times[f"backward, {name.split(', ')[1]}"]
            frames = peak_bytes(work, device) / (3 * size * size * 4)
            print(f"{name:22}{times[name]:8.2f}{times[name] / floor:8.2f}{frames:13.1f}")


def warps(size: int, device: torch.device, step: np.ndarray, move, turn) -> dict[str, Callable[[], object]]:
    """What is measured, by its name."""
    image, disparity = scene(size, device)
    depth = disparity_to_depth(disparity, 1, 50)
    plane = Camera2D(angle=1, zoom=1.02).track(2, 15.0, 0, (size, size)).step(0, 1)
    theta = torch.tensor([[[0.98, 0.02, 0.01], [-0.02, 0.98, 0.01]]])
    grid = functional.affine_grid(theta, [1, 3, size, size], align_corners=False).to(device)
    found: dict[str, Callable[[], object]] = {}
    for mode in ("bilinear", "bicubic"):
        found[f"backward, {mode}"] = partial(
            functional.grid_sample, image, grid, mode=mode, padding_mode="border", align_corners=False
        )
        found[f"2D, {mode}"] = partial(warp_plane, image, plane, sampling=mode)
        found[f"deforum, {mode}"] = partial(warp_deforum, image, disparity, move, turn, sampling=mode)
        found[f"pinhole, {mode}"] = partial(warp_pinhole, image, depth, step, 70, sampling=mode)
    return found


if __name__ == "__main__":
    with torch.inference_mode():
        main()
