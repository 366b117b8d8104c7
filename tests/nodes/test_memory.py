"""Memory does not grow with the animation's length."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

QUICKSTART = Path(__file__).resolve().parents[2] / "workflows" / "api" / "quickstart.json"
CHILD = """
import resource, sys
from framedrift.nodes.headless.cli import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
raise SystemExit(status)
"""


def peak_mib(tmp_path: Path, frames: int) -> float:
    prompt = json.loads(QUICKSTART.read_text())
    prompt["6"]["inputs"] |= {"num_frames": frames, "width": 256, "height": 256}
    file = tmp_path / f"{frames}.json"
    file.write_text(json.dumps(prompt))
    command = [sys.executable, "-c", CHILD, "render", str(file), "--output-dir", str(tmp_path), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
def test_six_times_the_frames_take_no_more_memory(tmp_path):
    assert peak_mib(tmp_path, 150) < peak_mib(tmp_path, 25) + 100
