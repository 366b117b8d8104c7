"""The workflow of a seamless loop, rendered: its end runs on into its beginning."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from framedrift.nodes.headless.folders import Folders
from framedrift.nodes.headless.runner import run_prompt

PROMPT = Path(__file__).resolve().parents[2] / "workflows" / "api" / "seamless_loop.json"


@pytest.mark.soak
def test_the_step_from_last_to_first_is_no_larger_than_the_median(tmp_path):
    prompt = json.loads(PROMPT.read_text())
    prompt["6"]["inputs"] |= {"width": 256, "height": 256}
    (film,) = run_prompt(prompt, Folders(output=tmp_path, temp=tmp_path / "temp")).files
    with av.open(str(film)) as container:
        shown = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
    assert len(shown) == prompt["6"]["inputs"]["num_frames"]
    steps = [np.abs(after - before).mean() for before, after in zip(shown, shown[1:] + shown[:1], strict=True)]
    assert steps[-1] <= np.median(steps[:-1])
    # A loop that stands still at its end would pass as well.
    assert steps[-1] > 0.2 * np.median(steps[:-1])
