"""What writing a video costs beside the ffmpeg command: `python benchmarks/video.py --frames 300 --size 512`.

Both are fed the same pictures in the same process, one after the other, and make H.264 at the same quality with the
same preset. Framedrift starts from float frames, as the nodes have them; ffmpeg from raw bytes through a pipe.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from framedrift.nodes.core.run import RunStore
from framedrift.nodes.core.video.encode import encode_h264


def scene(count: int, size: int) -> Iterator[torch.Tensor]:
    """A textured pattern that drifts and breathes, with grain: neither still nor noise."""
    grid = torch.linspace(0, 6, size)
    grain = torch.randn(size, size, 1, generator=torch.Generator().manual_seed(1)) * 0.02
    tint = torch.tensor([0.0, 0.7, 1.4])
    for number in range(count):
        waves = torch.sin(grid[:, None] * 3 + number / 9) * torch.cos(grid[None] * 5 - number / 13)
        yield (0.5 + 0.35 * torch.sin(waves[..., None] * 3 + tint + number / 40) + grain).clamp(0, 1)


def cpu_seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def timed_framedrift(frames: list[torch.Tensor], folder: Path, fps: int, crf: int) -> tuple[float, float]:
    start, cpu = time.perf_counter(), cpu_seconds(resource.RUSAGE_SELF)
    encode_h264(iter(frames), folder / "framedrift.mp4", fps, tuple(frames[0].shape[:2]), crf=crf)
    return time.perf_counter() - start, cpu_seconds(resource.RUSAGE_SELF) - cpu


def timed_ffmpeg(raw: list[bytes], folder: Path, fps: int, crf: int, size: int) -> tuple[float, float]:
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size}x{size}", "-r", str(fps), "-i", "-"]
    target = ["-c:v", "libx264", "-crf", str(crf), "-pix_fmt", "yuv420p", "-vf", "scale=out_color_matrix=bt709"]
    command = [shutil.which("ffmpeg"), "-v", "error", "-y", *source, *target, "-movflags", "+faststart"]
    start, cpu = time.perf_counter(), cpu_seconds(resource.RUSAGE_CHILDREN)
    with subprocess.Popen([*command, str(folder / "ffmpeg.mp4")], stdin=subprocess.PIPE) as process:
        for frame in raw:
            process.stdin.write(frame)
        process.stdin.close()
        if process.wait():
            raise SystemExit("ffmpeg failed")
    return time.perf_counter() - start, cpu_seconds(resource.RUSAGE_CHILDREN) - cpu


def timed_commits(frames: list[torch.Tensor], folder: Path) -> list[float]:
    disparity = frames[0][None, None, ..., 0]
    spent = []
    with RunStore(folder).create("benchmark", {}, "benchmark") as run:
        for number, frame in enumerate(frames):
            image = frame.permute(2, 0, 1)[None]
            start = time.perf_counter()
            run.commit(number, image, disparity, {}, {"image": image, "disparity": disparity}, {"prompt": "{}"})
            spent.append(time.perf_counter() - start)
    return spent


def report(name: str, spent: list[tuple[float, float]], count: int, folder: Path) -> None:
    wall, cpu = (min(column) for column in zip(*spent, strict=True))
    size = (folder / f"{name}.mp4").stat().st_size / 1e6
    print(f"{name:11} {wall:6.2f} s  {count / wall:6.1f} frames/s  {cpu:6.2f} s of processor  {size:.2f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--crf", type=int, default=19)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        encode_h264(scene(given.frames, given.size), folder / "memory.mp4", given.fps, (given.size, given.size))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (
            1 if sys.platform == "darwin" else 1024
        )
        print(f"peak memory while encoding {given.frames} frames at {given.size}: {grown:.0f} MiB above start")
        frames = list(scene(given.frames, given.size))
        raw = [frame.mul(255).round().byte().numpy().tobytes() for frame in frames]
        ours, theirs = [], []
        for _ in range(given.repeat):
            ours.append(timed_framedrift(frames, folder, given.fps, given.crf))
            if shutil.which("ffmpeg"):
                theirs.append(timed_ffmpeg(raw, folder, given.fps, given.crf, given.size))
        report("framedrift", ours, given.frames, folder)
        if theirs:
            report("ffmpeg", theirs, given.frames, folder)
            ratios = [
                min(mine) / min(other)
                for mine, other in zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True)
            ]
            print(f"ratio       {ratios[0]:6.2f} of its wall time, {ratios[1]:.2f} of its processor time")
        else:
            print("ffmpeg is not installed here: nothing to compare with")
        spent = sorted(timed_commits(frames[:30], folder))
        print(
            f"run commit  {spent[len(spent) // 2] * 1e3:6.1f} ms median, {spent[-1] * 1e3:.1f} ms worst of {len(spent)}"
        )


if __name__ == "__main__":
    main()
