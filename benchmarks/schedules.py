"""What schedules cost: `python benchmarks/schedules.py`. One thread; the best of several runs, in one process.

- 43 formula schedules over 1,000 frames, each evaluated at once, beside each frame on its own: the same library
  (numexpr) called once a frame and schedule with the frame's number, as a node that is asked frame by frame has to;
- 12 of them, as a 3D animation has;
- a prompt schedule of 10,000 frames with three blends;
- how often CLIP is called for an animation, beside how many distinct texts it has.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numexpr
import numpy as np
import torch

from framedrift.nodes.core.schedule import parse_prompts, parse_schedule
from framedrift.nodes.prompt import Prompts

FORMULAS = [
    "0.5+0.1*sin(2*pi*t/{})",
    "1.0025+0.002*cos(1.25*3.14*t/{})",
    "where(t%{}<5, 1, 2)",
    "(t%{})/10",
    "2*exp(-(t-200)**2/{})",
    "abs(sin(t/{}))*0.3",
    "10+t/{}",
]


def formulas(count: int) -> list[str]:
    return [FORMULAS[i % len(FORMULAS)].format(20 + i) for i in range(count)]


def best(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of the fastest run; the first, which parses and warms up, does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def at_once(texts: list[str], frames: int) -> np.ndarray:
    return np.stack([parse_schedule(f"0:({text})").sample(frames) for text in texts])


def frame_by_frame(texts: list[str], frames: int) -> np.ndarray:
    constants = {"pi": np.pi, "e": np.e}
    return np.array(
        [[float(numexpr.evaluate(text, {"t": t, **constants}, {})) for t in range(frames)] for text in texts]
    )


class CountingClip:
    def __init__(self):
        self.calls = 0

    def tokenize(self, text: str, **_: Any) -> dict[str, str]:
        return {"l": text}

    def encode_from_tokens_scheduled(self, tokens: dict[str, str], **_: Any) -> list:
        self.calls += 1
        return [[torch.zeros(1, 77, 8), {"pooled_output": torch.zeros(1, 8)}]]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--frames", type=int, default=1000)
    options.add_argument("--repeats", type=int, default=7)
    given = options.parse_args()
    numexpr.set_num_threads(1)

    texts = formulas(43)
    np.testing.assert_allclose(at_once(texts[:7], 50), frame_by_frame(texts[:7], 50), rtol=1e-9)
    together = best(lambda: at_once(texts, given.frames), given.repeats)
    start = time.perf_counter()
    frame_by_frame(texts, given.frames)
    apart = time.perf_counter() - start
    print(f"43 formulas, {given.frames} frames: {together * 1e3:.2f} ms at once, {apart * 1e3:.0f} ms frame by frame")
    print(f"  {apart / together:.0f} times faster")
    twelve = best(lambda: at_once(texts[:12], given.frames), given.repeats)
    start = time.perf_counter()
    at_once([f"{text}+0.25" for text in texts[:12]], given.frames)
    first = time.perf_counter() - start
    print(f"12 formulas, {given.frames} frames: {twelve * 1e3:.2f} ms; read for the first time, {first * 1e3:.1f} ms")

    text = "0: a meadow --neg people\n2500: a forest\n5000: a lake at night\n7500: snow"
    prompts = parse_prompts(text)
    blended = best(lambda: [prompts.mix_at(frame, 10_000) for frame in range(10_000)], given.repeats)
    print(f"prompts, 10000 frames, three blends: {blended * 1e3:.1f} ms")

    clip = CountingClip()
    node = Prompts(clip, parse_prompts(text), "linear")
    node.prepare(range(10_000), 10_000, 0)
    for frame in range(0, 10_000, 10):
        node.at(frame, 10_000, 0)
    distinct = {part for pair in prompts.texts(range(10_000), 10_000) for part in pair}
    print(f"CLIP calls: {clip.calls} for {len(distinct)} distinct texts")


if __name__ == "__main__":
    main()
