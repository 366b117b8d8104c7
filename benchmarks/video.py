"""What writing a video costs beside the ffmpeg command: `python benchmarks/video.py --frames 120 --size 512`.

Both are fed the same pictures in the same process, one after the other, and make H.264 at the same quality with the
same preset. Framedrift starts from float frames, as the nodes have them; ffmpeg from raw bytes through a pipe. Then the
same frames go into every other format; `--memory-frames 3000 --memory-size 1024` says how far memory grows over a long
animation in the formats of `--memory-formats`, each in a process of its own.
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
from framedrift.nodes.core.video.encode import encode, encode_h264
from framedrift.nodes.core.video.formats import FORMATS, is_writable


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


def timed_format(frames: list[torch.Tensor], folder: Path, fps: int, crf: int, name: str) -> tuple[float, float]:
    """Seconds, and MB written."""
    path = folder / f"format.{FORMATS[name].extension}"
    path = path.with_suffix("") if FORMATS[name].kind == "sequence" else path
    start = time.perf_counter()
    encode(iter(frames), path, fps, tuple(frames[0].shape[:2]), format=name, crf=crf)
    spent = time.perf_counter() - start
    written = sum(entry.stat().st_size for entry in ([path] if path.is_file() else path.iterdir())) / 1e6
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return spent, written


def resident() -> float:
    """MiB at the highest so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def memory_over(frames: int, size: int, name: str, folder: Path) -> None:
    """Prints what memory the first tenth of an animation takes, and what the rest adds."""
    before, marks = resident(), {}
    moments = {max(1, frames // 10): "first tenth", frames: "all frames"}
    encode(
        scene(frames, size),
        folder / "memory",
        15,
        (size, size),
        format=name,
        on_frame=lambda done: marks.update({moments[done]: resident()}) if done in moments else None,
    )
    tenth, end = marks["first tenth"] - before, marks["all frames"] - before
    print(
        f"{name:22} {tenth:6.0f} MiB above start after a tenth, {end:6.0f} after all, {resident() - before:6.0f} done"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--crf", type=int, default=19)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory-frames", type=int, default=0)
    parser.add_argument("--memory-size", type=int, default=1024)
    parser.add_argument("--memory-formats", nargs="+", choices=list(FORMATS), default=["mp4 (H.264)", "gif", "apng"])
    given = parser.parse_args()
    if given.memory_frames:
        if len(given.memory_formats) > 1:
            shared = ["--memory-frames", str(given.memory_frames), "--memory-size", str(given.memory_size)]
            for name in given.memory_formats:
                subprocess.run([sys.executable, __file__, *shared, "--memory-formats", name], check=True)
            return
        with tempfile.TemporaryDirectory() as name:
            memory_over(given.memory_frames, given.memory_size, given.memory_formats[0], Path(name))
        return
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
        base = min(wall for wall, _ in ours)
        for known in FORMATS.values():
            if is_writable(known):
                wall, written = timed_format(frames, folder, given.fps, given.crf, known.name)
                print(f"{known.name:22} {wall:6.2f} s  {wall / base:5.2f} of H.264's time  {written:8.2f} MB")
        spent = sorted(timed_commits(frames[:30], folder))
        print(
            f"run commit  {spent[len(spent) // 2] * 1e3:6.1f} ms median, {spent[-1] * 1e3:.1f} ms worst of {len(spent)}"
        )


if __name__ == "__main__":
    main()
