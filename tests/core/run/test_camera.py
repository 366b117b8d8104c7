"""A run keeps where its camera was."""

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import RunStore
from framedrift.nodes.core.run.camera import read_track, write_track
from framedrift.nodes.core.warp import WarpSettings

SETTINGS = {"projection": "pinhole", "near": 0.5, "far": 20.0, "border": "wrap", "sampling_mode": "nearest"}


@pytest.mark.parametrize(
    "camera", [Camera2D(angle="0:(t)"), Camera3D(rotation_3d_y="0:(sin(t))", fov="0:(70), 9:(40)")]
)
def test_a_track_comes_back_to_the_bit(tmp_path, camera):
    track = camera.track(10, 15.0, 3, (40, 60))
    write_track(tmp_path / "camera.safetensors", track)
    found = read_track(tmp_path / "camera.safetensors")
    assert type(found) is type(track)
    for name, value in vars(track).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(getattr(found, name), value), name
    assert np.array_equal(found.step(2, 7), track.step(2, 7))


def test_without_a_camera_there_is_no_file(tmp_path):
    assert read_track(tmp_path / "camera.safetensors") is None


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "camera.safetensors"
    write_track(path, Camera2D().track(3, 15.0, 0, (4, 6)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FramedriftError, match=r"camera\.safetensors is damaged"):
        read_track(path)


def test_a_run_is_read_with_its_camera_and_its_warps(tmp_path):
    track = Camera3D().track(5, 12.0, 0, (4, 6))
    store = RunStore(tmp_path)
    with store.create("a", {"settings": SETTINGS, "fps": 12.0, "num_frames": 5}, "mark") as run:
        run.keep_track(Camera2D().track(5, 12.0, 0, (4, 6)))
        run.commit(0, torch.rand(1, 3, 4, 6), None, {}, {})
        run.keep_track(track)
        written = (run.path / "camera.safetensors").stat().st_mtime_ns
        run.keep_track(track)
        assert (run.path / "camera.safetensors").stat().st_mtime_ns == written, "written only where it changes"
    found = store.read("a_00001")
    assert np.array_equal(found.track.views, track.views)
    assert found.settings == WarpSettings("pinhole", 0.5, 20.0, "wrap", "nearest")
    assert (found.fps, found.num_frames) == (12.0, 5)
