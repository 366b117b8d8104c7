"""How far contrast drifts in the loop: the figure that benchmarks/drift.py draws, on the Procedural Model."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "drift.py"


@pytest.fixture(scope="module")
def drift():
    spec = importlib.util.spec_from_file_location("drift", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_figure_is_drawn(drift, tmp_path, monkeypatch, capsys):
    plot = tmp_path / "drift.png"
    monkeypatch.setattr("sys.argv", ["drift.py", "--frames", "3", "--size", "64", "--plot", str(plot)])
    drift.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[:2]] == ["none", "slow anchor"]
    assert plot.stat().st_size > 10_000


def curves(drift, folder, *flight, **options):
    """Of the loop without an anchor, and of that with one."""
    prompts = [drift.flight(*flight, anchored, **options) for anchored in (False, True)]
    return [drift.contrasts(drift.rendered(prompt, folder / str(n))) for n, prompt in enumerate(prompts)]


@pytest.mark.soak
def test_300_frames_keep_their_contrast_with_the_slow_anchor(drift, tmp_path):
    loose, anchored = curves(drift, tmp_path, 300, 128)
    assert len(anchored) == 300
    assert np.abs(anchored - 1).max() < 0.1
    away = [np.sqrt(np.square(values - 1).mean()) for values in (loose, anchored)]
    assert away[1] < 0.9 * away[0]


@pytest.mark.soak
def test_a_loop_that_fades_is_held(drift, tmp_path):
    """2 % in every frame, of which little is diffused anew."""
    loose, anchored = curves(drift, tmp_path, 120, 64, strength=0.9, contrast=0.98)
    assert loose[-1] < 0.2, "nearly black"
    assert np.abs(drift.smooth(anchored) - 1).max() < 0.2
