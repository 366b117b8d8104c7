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


@pytest.mark.soak
def test_300_frames_keep_their_contrast_with_the_slow_anchor(drift, tmp_path):
    found = {
        name: drift.contrasts(drift.rendered(drift.flight(300, 128, anchored), tmp_path / name))
        for name, anchored in (("none", False), ("slow anchor", True))
    }
    assert len(found["slow anchor"]) == 300
    assert np.abs(found["slow anchor"] - 1).max() < 0.1
    assert np.abs(found["none"] - 1).max() > 0.1, "without it, frames leave the band"
    rms = {name: np.sqrt(np.square(values - 1).mean()) for name, values in found.items()}
    assert rms["slow anchor"] < 0.9 * rms["none"]
