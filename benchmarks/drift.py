"""How contrast drifts in the feedback loop of the demo model, with the slow anchor and without it.

    .venv/bin/python benchmarks/drift.py --plot drift.png --frames 300 --size 128 --strength 0.6

Renders the same flight with a Coherence node whose reference is the slow anchor, and without one; cfg 7 and noise 0.065
are Deforum's defaults. Contrast is the standard deviation of a frame's luma, told as a share of frame 0's. Printed are
its extremes, its root mean square distance from frame 0's, and the extremes of its mean over 15 frames: single frames
jump, as every one of them has new noise. The demo model is an exact denoiser that mends much of the drift by itself; a
`--contrast` other than 1, which is multiplied into every frame, stands for a model that fades: with
`--strength 0.9 --contrast 0.98` a quarter is left after 100 frames without the anchor, and four fifths with it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from framedrift.nodes.core.drawing import ALARM, BACK, COOL, CURVE, GRID, PANEL, Canvas
from framedrift.nodes.headless.folders import Folders
from framedrift.nodes.headless.runner import run_prompt

BAND = 0.1
WINDOW = 15
SHOWN = (0, 1 / 3, 2 / 3, 1)


def flight(
    frames: int, size: int, anchored: bool, strength: float = 0.6, contrast: float = 1.0, seed: int = 1
) -> dict[str, Any]:
    """The API prompt: a camera that flies through a dawn sky, every frame diffused."""
    prompt: dict[str, Any] = {
        "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
        "prompts": {
            "class_type": "FramedriftPromptSchedule",
            "inputs": {"clip": ["model", 1], "text": '{"0": "dawn sky"}', "blend": "linear", "negative": ""},
        },
        "camera": {
            "class_type": "FramedriftCamera3D",
            "inputs": {
                "translation_x": "0:(1)", "translation_y": "0:(0)", "translation_z": "0:(4)",
                "rotation_3d_x": "0:(0)", "rotation_3d_y": "0:(0)", "rotation_3d_z": "0:(0.5)",
                "fov_schedule": "0:(70)",
            },
        },
        "depth": {
            "class_type": "FramedriftSyntheticDepth",
            "inputs": {"kind": "luminance", "horizon": 0.5, "nearness": 1.0, "blur": 0.02},
        },
        "coherence": {
            "class_type": "FramedriftCoherence",
            "inputs": {
                "color_coherence": "none", "reference": "slow anchor" if anchored else "frame 0",
                "color_coherence_video_every_N_frames": 1, "palette": "", "color_force_grayscale": False,
                "contrast_schedule": f"0:({contrast})", "kernel_schedule": "0:(5)", "sigma_schedule": "0:(1)",
                "amount_schedule": "0:(0)", "threshold_schedule": "0:(0)",
            },
        },
        "sampler": {
            "class_type": "FramedriftFrameFeedbackSampler",
            "inputs": {
                "model": ["model", 0], "vae": ["model", 2], "prompts": ["prompts", 0], "camera": ["camera", 0],
                "depth_model": ["depth", 0], "options": ["coherence", 0], "width": size, "height": size,
                "num_frames": frames, "fps": 15.0, "diffusion_cadence": 1, "seed": seed, "seed_behavior": "iter",
                "seed_iter_N": 1, "strength_schedule": f"0:({strength})", "steps_schedule": "0:(10)",
                "cfg_scale_schedule": "0:(7)", "noise_schedule": "0:(0.065)", "sampler_name": "euler",
                "scheduler": "normal", "color_coherence": "none", "projection": "pinhole", "near": 1.0, "far": 50.0,
                "border": "replicate", "sampling_mode": "bicubic", "hole_denoise": 1.0, "full_steps": False,
                "resume": "new run", "run_name": "drift",
            },
        },
    }  # fmt: skip
    return prompt


def rendered(prompt: dict[str, Any], folder: Path) -> list[Path]:
    """The frames of a prompt, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    run_prompt(prompt, Folders(output=folder, input=folder, temp=folder, models=folder))
    return sorted(folder.glob("framedrift/*/frames/*.png"))


def contrasts(frames: list[Path]) -> np.ndarray:
    """The standard deviation of each frame's luma, as a share of the first one's: (F,)."""
    luma = [np.asarray(Image.open(path).convert("RGB"), float) @ (0.299, 0.587, 0.114) for path in frames]
    spread = np.array([picture.std() for picture in luma])
    return spread / spread[0]


def smooth(values: np.ndarray) -> np.ndarray:
    """Means over WINDOW frames."""
    return np.convolve(values, np.full(WINDOW, 1 / WINDOW), "valid") if len(values) >= WINDOW else values


def told(name: str, values: np.ndarray) -> str:
    """One line of numbers."""
    means, rms = smooth(values), np.sqrt(np.square(values - 1).mean())
    return (
        f"{name:12} frames {values.min():.3f} to {values.max():.3f}   rms {rms:.4f}   "
        f"{WINDOW}-frame means {means.min():.3f} to {means.max():.3f}   last {values[-1]:.3f}"
    )


def plotted(curves: dict[str, np.ndarray], shown: dict[str, list[Path]], path: Path) -> None:
    """Writes a picture: the curves, the band that they shall stay in, and some frames of each."""
    tile, left, top, width, height = 150, 56, 30, 820, 250
    canvas = Canvas((top + height + 50 + len(shown) * (tile + 24), left + width + 20))
    spread = max(0.15, *(float(np.abs(values - 1).max()) * 1.1 for values in curves.values()))
    count = max(len(values) for values in curves.values())

    def place(frame: float, value: float) -> tuple[float, float]:
        return left + frame / max(count - 1, 1) * width, top + height * (0.5 - (value - 1) / spread / 2)

    box = (left, top, left + width, top + height)
    canvas.rectangle(box, fill=PANEL)
    canvas.rectangle((left, place(0, 1 + BAND)[1], left + width, place(0, 1 - BAND)[1]), fill=BACK)
    for value in (1 - BAND, 1, 1 + BAND):
        canvas.line([place(0, value), place(count - 1, value)], GRID)
        canvas.text((left - 8, place(0, value)[1]), f"{value:.1f}", 13, anchor="rm")
    canvas.text((left, 8), "contrast of each frame, as a share of frame 0's", 14)
    for number, ((name, values), color) in enumerate(zip(curves.items(), (ALARM, COOL, CURVE), strict=False)):
        faint = tuple((2 * part + ground) // 3 for part, ground in zip(color, PANEL, strict=True))
        canvas.line([place(frame, value) for frame, value in enumerate(values)], faint, 1, box)
        means = smooth(values)
        start = (len(values) - len(means)) / 2
        canvas.line([place(start + frame, value) for frame, value in enumerate(means)], color, 3, box)
        canvas.text((left + width - 260 + 130 * number, 8), name, 14, color)
    for frame in range(0, count, 50):
        canvas.text((place(frame, 1)[0], top + height + 6), str(frame), 13, anchor="ma")
    rows = [top + height + 46 + row * (tile + 24) for row in range(len(shown))]
    for y, (name, paths) in zip(rows, shown.items(), strict=True):
        numbers = ", ".join(str(round(share * (len(paths) - 1))) for share in SHOWN)
        canvas.text((left + len(SHOWN) * (tile + 12), y + 8), name, 14)
        canvas.text((left + len(SHOWN) * (tile + 12), y + 30), f"frames {numbers}", 13)
    picture = canvas.picture()[0].permute(1, 2, 0).mul(255).round().byte().numpy()
    for y, paths in zip(rows, shown.values(), strict=True):
        for column, share in enumerate(SHOWN):
            frame = Image.open(paths[round(share * (len(paths) - 1))]).convert("RGB").resize((tile, tile))
            x = left + column * (tile + 12)
            picture[y : y + tile, x : x + tile] = np.asarray(frame)
    Image.fromarray(picture).save(path)


def main() -> None:
    """Prints a line for each, and draws them where a file is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", type=Path, help="a PNG file to draw the curves and some frames into")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--strength", type=float, default=0.6)
    parser.add_argument("--contrast", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    curves: dict[str, np.ndarray] = {}
    shown: dict[str, list[Path]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("none", "slow anchor"):
            prompt = flight(given.frames, given.size, name != "none", given.strength, given.contrast, given.seed)
            shown[name] = rendered(prompt, Path(folder) / name)
            curves[name] = contrasts(shown[name])
            print(told(name, curves[name]))
        if given.plot is not None:
            plotted(curves, shown, given.plot)
            print(given.plot)


if __name__ == "__main__":
    main()
