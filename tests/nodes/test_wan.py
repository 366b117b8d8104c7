"""Camera to Wan and Camera to VACE: run as ComfyUI runs them, and held against ComfyUI's own node."""

import pytest
import torch

from framedrift.nodes.camera import Camera2D, Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.headless import progress
from framedrift.nodes.wan import CameraToVACE, CameraToWan

SMALL = {"width": 48, "height": 32, "length": 5}


def defaults(node):
    """Every widget's default, as the page sends it."""
    known = node.INPUT_TYPES()
    listed = {**known.get("required", {}), **known.get("optional", {})}
    found = {name: spec[1]["default"] for name, spec in listed.items() if len(spec) > 1 and "default" in spec[1]}
    choices = {name: spec[1]["options"][0] for name, spec in listed.items() if len(spec) > 1 and "options" in spec[1]}
    return choices | found


def camera(node=Camera3D, **schedules):
    return node.execute(**{**defaults(node), **schedules}).result[0]


def run(node, **inputs):
    return node.execute(**{**defaults(node), **SMALL, **inputs}).result


def picture(batch=1, size=(45, 80)):
    return torch.rand((batch, *size, 3), generator=torch.Generator().manual_seed(batch))


def test_an_embedding_and_what_the_next_node_wants_to_know():
    embedding, width, height, length = run(CameraToWan, camera=camera())
    assert embedding.shape == (1, 24, 2, 32, 48)
    assert (width, height, length) == (48, 32, 5)
    forward = embedding.view(6, 4, 2, 32, 48)
    # The camera flies forward by 1.75 units a frame. At the right edge, low down: t x D = 4 * 1.75 / 200 (-Dy, Dx, 0).
    last, way = forward[:, 3, 1, 30, 47], 4 * 1.75 / 200
    assert last[:3].tolist() == pytest.approx([-way * float(last[4]), way * float(last[3]), 0], abs=1e-6)
    assert last[3] > 0 and last[4] > 0


def test_scale_multiplies_the_way_and_leaves_the_rays():
    path = camera(rotation_3d_y="0:(2)")
    once, twice = (run(CameraToWan, camera=path, scale=scale)[0].view(6, 4, 2, 32, 48) for scale in (1.0, 2.0))
    assert torch.allclose(twice[:3], once[:3] * 2, atol=1e-6)
    assert torch.equal(twice[3:], once[3:])
    assert once[:3, 3, 1].abs().max() > 0.01


def test_a_clip_out_of_the_middle_of_an_animation():
    """Speed grows with the frame's number over the animation's length: all of it has to reach the schedule."""
    path = camera(translation_z="0:(100*t/max_f)", translation_x="0:(0)")
    start, total = 6, 21
    embedding = run(CameraToWan, camera=path, start_frame=start, num_frames=total)[0].view(6, 4, 2, 32, 48)
    assert not embedding[:3, 3, 0].any()
    way = sum(100 * t / 20 for t in range(7, 11)) / 200
    last = embedding[:, 3, 1, 30, 47]
    assert float(last[0]) == pytest.approx(-way * float(last[4]), abs=1e-5)
    whole = run(CameraToWan, camera=path, start_frame=start)[0]
    assert not torch.allclose(whole, embedding.view_as(whole))


def test_the_lens_is_the_cameras_or_comfyuis():
    path = camera(fov_schedule="0:(60)")
    edge = run(CameraToWan, camera=path)[0].view(6, 4, 2, 32, 48)[3:, 3, 0, :, 24]
    assert float(edge[1, 31] / edge[2, 31]) == pytest.approx(15.5 / (16 * 3**0.5), abs=1e-6)
    edge = run(CameraToWan, camera=path, lens="wan default")[0].view(6, 4, 2, 32, 48)[3:, 3, 0, :, 24]
    assert float(edge[1, 31] / edge[2, 31]) == pytest.approx(15.5 / 16, abs=1e-6)


def test_a_2d_camera_has_no_place_in_space():
    with pytest.raises(FramedriftError, match=r"2D camera.*3D Camera"):
        run(CameraToWan, camera=camera(Camera2D))


@pytest.mark.parametrize("node", [CameraToWan, CameraToVACE])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"length": 80}, "77 or 81"),
        ({"length": 0}, "length"),
        ({"width": 830}, "832"),
        ({"height": 24}, "height: 24 pixels"),
        ({"num_frames": 80, "length": 81}, "num_frames is 80"),
        ({"num_frames": 20, "length": 17, "start_frame": 4}, "Raise it to 21"),
        ({"width": 8192, "height": 8192, "length": 81}, "GiB"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(node, given, words):
    answer = node.validate_inputs(**{**defaults(node), **given})
    assert isinstance(answer, str)
    assert words in answer


@pytest.mark.parametrize("node", [CameraToWan, CameraToVACE])
def test_defaults_and_links_are_fine(node):
    assert node.validate_inputs(**defaults(node)) is True
    assert node.validate_inputs(**dict.fromkeys(defaults(node))) is True
    assert node.validate_inputs(**{**defaults(node), "width": None, "length": 81}) is True


def test_a_linked_value_is_refused_when_it_runs():
    with pytest.raises(FramedriftError, match="5 or 9"):
        run(CameraToWan, camera=camera(), length=7)
    with pytest.raises(FramedriftError, match="width"):
        run(CameraToVACE, camera=camera(), image=picture(), width=40)


def test_vace_gets_the_moved_picture_and_what_is_missing_of_it():
    path = camera(translation_x="0:(30)", translation_z="0:(0)")
    depth = torch.zeros(1, 90, 160)
    depth[:, 30:60, 60:100] = 1
    steps = []
    with progress.listening(lambda value, total, preview: steps.append((value, total))):
        video, masks, reference, *size = run(CameraToVACE, camera=path, image=picture(), depth=depth)
    assert video.shape == (5, 32, 48, 3)
    assert masks.shape == (5, 32, 48)
    assert reference.shape == (1, 32, 48, 3)
    assert size == [48, 32, 5]
    assert steps[-1] == (5, 5)
    assert torch.equal(video[0], reference[0])
    assert not masks[0].any()
    shares = masks.flatten(1).mean(1).tolist()
    assert shares == sorted(shares)
    assert 0 < shares[1] < shares[4] < 0.9
    assert (video[4][masks[4] == 1] == 0.5).all()
    filled = run(CameraToVACE, camera=path, image=picture(), depth=depth, holes="filled")
    assert torch.equal(filled[1], masks)
    assert not torch.equal(filled[0], video)


def test_vace_takes_a_2d_camera_and_one_picture():
    video, masks, *_ = run(CameraToVACE, camera=camera(Camera2D, zoom="0:(0.9)"), image=picture(), grow=0)
    assert masks[4, 0].all()
    assert not masks[4, 16, 24]
    assert (video[4, 0] == 0.5).all()
    with pytest.raises(FramedriftError, match="2 pictures"):
        run(CameraToVACE, camera=camera(), image=picture(2))
    with pytest.raises(FramedriftError, match=r"depth.*80x80"):
        run(CameraToVACE, camera=camera(), image=picture(), depth=torch.zeros(1, 80, 80))


def test_vace_can_be_stopped():
    progress.interrupt()
    with pytest.raises(progress.Interrupted):
        run(CameraToVACE, camera=camera(), image=picture())


# ---------------------------------------------------------------- against ComfyUI

PRESETS = """
import numpy as np
from comfy_extras import nodes_camera_trajectory as own
classes = {cls.GET_SCHEMA().node_id: cls for cls in node_list}
NAMES = [name for name in own.CAMERA_DICT if not name.startswith("base_")]


def defaults(node):
    known = node.INPUT_TYPES()
    listed = {**known.get("required", {}), **known.get("optional", {})}
    return {name: spec[1]["default"] for name, spec in listed.items() if len(spec) > 1 and "default" in spec[1]}


def theirs(name, speed, size, length):
    out = own.WanCameraEmbedding.execute(name, size[0], size[1], length, speed)
    return out.result


def poses(name, speed, length):
    preset = own.CAMERA_DICT[name]
    upper = own.get_camera_motion(np.array(preset["angle"]), np.array(preset["T"]), speed, length)
    return np.concatenate([upper, np.tile([[[0.0, 0.0, 0.0, 1.0]]], (length, 1, 1))], axis=1)


def camera_of(matrices):
    node = classes["FramedriftCameraFromFile"]
    given = {"text": json.dumps(matrices.tolist()), "format": "json", "length": "same"}
    return node.execute(**(defaults(node) | given)).result[0]


def ours(matrices, size, lens="wan default"):
    node = classes["FramedriftCameraToWan"]
    given = {"camera": camera_of(matrices), "width": size[0], "height": size[1], "length": len(matrices), "lens": lens}
    return node.execute(**(defaults(node) | {"lens": lens} | given)).result
"""


@pytest.mark.comfyui
def test_the_presets_of_comfyuis_own_node_are_the_same_tensor(comfyui, tmp_path):
    found = comfyui.run(
        PRESETS
        + """
cases = [(name, speed, (112, 80), 21) for name in NAMES for speed in (0.5, 1.0, 2.0)]
cases += [(name, 1.0, size, length) for name in NAMES for size, length in (((80, 144), 5), ((256, 128), 9))]
cases += [("Zoom In", 2.0, (832, 480), 13), ("ClockWise (CW)", 2.0, (64, 64), 161), ("Pan Up", 1.0, (160, 96), 1)]
result = []
for name, speed, size, length in cases:
    own_tensor, *own_size = theirs(name, speed, size, length)
    tensor, *numbers = ours(poses(name, speed, length), size)
    same = tensor.shape == own_tensor.shape and tensor.dtype == own_tensor.dtype and numbers == own_size
    apart = (tensor - own_tensor).abs().max().item() if same else -1.0
    result.append([name, speed, size, length, apart, own_tensor.abs().max().item()])
""",
        tmp_path,
    )
    assert len({name for name, *_ in found}) == 9
    assert len(found) == 9 * 3 + 9 * 2 + 3
    for case in found:
        assert 0 <= case[4] <= 1e-5, case


@pytest.mark.comfyui
def test_wan_vace_to_video_takes_what_camera_to_vace_makes(comfyui, tmp_path):
    from pathlib import Path

    if not (Path(comfyui.models) / "vae_approx" / "lighttaew2_1.safetensors").exists():
        pytest.skip("this ComfyUI has no lighttaew2_1")
    found = comfyui.run(
        PRESETS
        + """
from comfy_extras.nodes_wan import WanVaceToVideo
vae = nodes.VAELoader().load_vae("lighttaew2_1.safetensors")[0]
node = classes["FramedriftCameraToVACE"]
camera = classes["FramedriftCamera3D"]
path = camera.execute(**(defaults(camera) | {"translation_x": "0:(30)"})).result[0]
choices = {"holes": "grey", "projection": "pinhole", "border": "replicate", "sampling_mode": "bicubic"}
given = {"image": torch.rand(1, 90, 160, 3), "camera": path, "width": 96, "height": 64, "length": 9}
video, masks, reference, width, height, length = node.execute(**(defaults(node) | choices | given)).result
out = WanVaceToVideo.execute([[torch.zeros(1, 4, 8), {}]], [[torch.zeros(1, 4, 8), {}]], vae, width, height, length,
                             1, 1.0, video, masks, reference).result
extra = out[0][0][1]
result = {
    "frames": list(extra["vace_frames"][0].shape), "mask": list(extra["vace_mask"][0].shape),
    "latent": list(out[2]["samples"].shape), "trim": out[3],
    "shares": extra["vace_mask"][0][0].float().mean((0, 2, 3)).tolist(),
}
""",
        tmp_path,
    )
    # One latent frame is the reference, then come (9 + 3) / 4.
    assert found["frames"] == [1, 32, 4, 8, 12]
    assert found["mask"] == [1, 64, 4, 8, 12]
    assert found["latent"] == [1, 16, 4, 8, 12]
    assert found["trim"] == 1
    assert found["shares"][0] == 0
    assert found["shares"][-1] > 0.05
