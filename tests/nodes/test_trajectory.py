"""Camera from File and Camera to File, run as ComfyUI runs them."""

import json

import numpy as np
import pytest

from framedrift.nodes.camera import Camera2D, Camera3D
from framedrift.nodes.core.camera.pose import inverse_rigid, pose_delta
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.headless import folders
from framedrift.nodes.trajectory import CameraFromFile, CameraToFile

SIZE = (45, 80)
FROM = {"file": "", "text": "", "format": "auto", "length": "same", "scale": 1.0, "camera_fov": 0.0}
TO = {
    "num_frames": 9,
    "fps": 12.0,
    "seed": 3,
    "width": 80,
    "height": 45,
    "format": "json",
    "filename_prefix": "paths/fly",
}
POSES = np.stack([np.linalg.matrix_power(inverse_rigid(pose_delta((20, 4, 30), (2, 9, -4))), k) for k in range(5)])


@pytest.fixture
def places(tmp_path):
    folder = folders.Folders(
        output=tmp_path / "output", input=tmp_path / "input", temp=tmp_path / "temp", models=tmp_path / "models"
    )
    (tmp_path / "input" / "sub").mkdir(parents=True)
    with folders.using(folder):
        yield folder


def read(**inputs):
    return CameraFromFile.execute(**{**FROM, **inputs}).result[0]


def flight():
    schedules = {
        "translation_z": "0:(5+s)",
        "rotation_3d_y": "0:(t)",
        "rotation_3d_z": "0:(-2)",
        "fov_schedule": "0:(60)",
    }
    return Camera3D.execute(**schedules).result[0]


def track(camera, frames=5):
    return camera.track(frames, 12.0, 3, SIZE)


@pytest.mark.parametrize(("kind", "ending", "bound"), [("json", ".json", 1e-9), ("cameractrl", ".txt", 1e-6)])
def test_what_is_written_is_read_again(places, kind, ending, bound):
    output = CameraToFile.execute(camera=flight(), **{**TO, "format": kind})
    text, path = output.result
    file = places.output / "paths" / f"fly_00001_{ending}"
    assert path == str(file)
    assert file.read_text() == text
    assert output.ui["text"] == (file.name,)
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    (places.input / "sub" / "path").write_bytes(file.read_bytes())
    found = track(read(file="sub/path"), 9)
    np.testing.assert_allclose(found.poses(), track(flight(), 9).poses(), atol=bound)
    np.testing.assert_allclose(found.fov_deg, 60, atol=bound)
    again = CameraToFile.execute(camera=flight(), **{**TO, "format": kind}).result[1]
    assert again.endswith(f"fly_00002_{ending}")


def test_pasted_poses(places):
    camera = read(text=json.dumps(POSES.tolist()))
    np.testing.assert_allclose(track(camera).poses(), POSES, atol=1e-12)
    assert set(track(camera).fov_deg) == {70.0}
    assert set(track(read(text=json.dumps(POSES.tolist()), camera_fov=35.0)).fov_deg) == {35.0}
    own = json.dumps({"poses": POSES.tolist(), "fov_deg": 50})
    assert set(track(read(text=own)).fov_deg) == {50.0}
    assert set(track(read(text=own, camera_fov=35.0)).fov_deg) == {35.0}
    np.testing.assert_allclose(track(read(text=own, scale=3.0)).poses()[4][:3, 3], 3 * POSES[4][:3, 3], atol=1e-12)
    assert len(track(read(text=own, length="stretch"), 33)) == 33
    np.testing.assert_allclose(track(read(text=own, length="hold"), 8).poses()[7], POSES[4], atol=1e-12)
    with pytest.raises(FramedriftError, match=r"5 poses.*8 frames"):
        track(read(text=own), 8)


def test_a_lens_off_the_middle_is_a_warning(places, caplog):
    read(text="0 0.5 0.9 0.5 0.6 0 0 1 0 0 0 0 1 0 0 0 0 1 0")
    assert "line 1 has its lens centred on 0.5, 0.6" in caplog.text


def test_an_edited_file_is_read_again(places):
    file = places.input / "path.json"
    file.write_text(json.dumps(POSES.tolist()))
    given = FROM | {"file": "path.json"}
    before = CameraFromFile.fingerprint_inputs(**given)
    assert before == CameraFromFile.fingerprint_inputs(**given)
    assert before != CameraFromFile.fingerprint_inputs(**given | {"scale": 2.0})
    assert len(track(read(file="path.json"))) == 5
    file.write_text(json.dumps(POSES[:3].tolist()))
    assert before != CameraFromFile.fingerprint_inputs(**given)
    assert len(track(read(file="path.json"), 3)) == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "both empty"),
        ({"file": "a.json", "text": "[]"}, "empty one of them"),
        ({"file": "gone.json"}, "no file of this name"),
        ({"file": "../secret.json"}, "must lie in the input folder"),
        ({"file": "/etc/passwd"}, "must lie in the input folder"),
        ({"file": "link.json"}, "must lie in the input folder"),
        ({"file": "picture.png"}, "not UTF-8"),
        ({"text": "[[1, 2]]"}, "pose 0"),
        ({"text": "[[1, 2]]", "format": "cameractrl"}, "holds no pose"),
        ({"text": "0 1 2", "format": "json"}, "no JSON"),
        ({"text": "[]", "length": "loop"}, "length"),
        ({"text": "[]", "scale": 0.0}, "scale"),
        ({"text": "[]", "camera_fov": 180.0}, "camera_fov"),
    ],
)
def test_what_cannot_be_read_is_said_before_anything_runs(places, given, words):
    (places.input.parent / "secret.json").write_text(json.dumps(POSES.tolist()))
    (places.input / "link.json").symlink_to(places.input.parent / "secret.json")
    (places.input / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xff")
    answer = CameraFromFile.validate_inputs(**{**FROM, **given})
    assert isinstance(answer, str)
    assert words in answer


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"num_frames": 0}, "num_frames"),
        ({"fps": 0.0}, "fps"),
        ({"format": "colmap"}, "format"),
        ({"filename_prefix": "../fly"}, "filename_prefix"),
        ({"filename_prefix": " "}, "filename_prefix"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_runs(places, given, words):
    answer = CameraToFile.validate_inputs(**{**TO, **given})
    assert isinstance(answer, str)
    assert words in answer


def test_defaults_and_links_are_fine(places):
    assert CameraFromFile.validate_inputs(**FROM | {"text": json.dumps(POSES.tolist())}) is True
    assert CameraFromFile.validate_inputs(**dict.fromkeys(FROM)) is True
    assert CameraToFile.validate_inputs(**TO) is True
    assert CameraToFile.validate_inputs(**dict.fromkeys(TO)) is True


def test_a_2d_camera_has_no_poses(places):
    with pytest.raises(FramedriftError, match="2D Camera"):
        CameraToFile.execute(camera=Camera2D.execute(angle="0:(1)").result[0], **TO)
    assert not list(places.output.rglob("*.json"))
