"""Peak memory of a headless run, which must not grow with the animation's length.

    python benchmarks/memory.py [--frames 50 300] [--size 256]

Renders the API quickstart in a process of its own for each length and prints seconds and peak resident memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHILD = """
import resource, sys
from framedrift.nodes.headless.cli import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
raise SystemExit(status)
"""
QUICKSTART = Path(__file__).parent.parent / "workflows" / "api" / "quickstart.json"


def measure(frames: int, size: int) -> tuple[float, float]:
    """Seconds and peak MiB of one run."""
    prompt = json.loads(QUICKSTART.read_text())
    sampler = next(node for node in prompt.values() if node["class_type"] == "FramedriftFrameFeedbackSampler")
    sampler["inputs"] |= {"num_frames": frames, "width": size, "height": size}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prompt.json"
        file.write_text(json.dumps(prompt))
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, "render", str(file), "--output-dir", folder, "--quiet"],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - start
    return seconds, int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Prints a line for each length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[50, 300])
    parser.add_argument("--size", type=int, default=256)
    args = parser.parse_args()
    print(f"{'frames':>8} {'seconds':>9} {'peak MiB':>9}")
    for frames in args.frames:
        seconds, peak = measure(frames, args.size)
        print(f"{frames:8d} {seconds:9.1f} {peak:9.0f}")


if __name__ == "__main__":
    main()
