"""Load Depth Model, Estimate Depth and Synthetic Depth, run as ComfyUI runs them."""

import json
import math
import shutil
import socket
import subprocess
import sys

import pytest
import torch

from framedrift.nodes import host
from framedrift.nodes.core.depth import KINDS, DepthModel
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.depth import NODES, EstimateDepth, LoadDepthModel, SyntheticDepthNode
from framedrift.nodes.headless import folders

PREPROCESSOR = {"image_processor_type": "GLPNImageProcessor", "size_divisor": 32, "resample": 2}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The folder of a tiny GLPN with random weights."""
    from transformers import AutoModelForDepthEstimation, GLPNConfig

    folder = tmp_path_factory.mktemp("tiny")
    config = GLPNConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=8
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = AutoModelForDepthEstimation.from_config(config)
        for weight in module.parameters():
            if weight.ndim >= 2:
                torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        module.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    return folder


@pytest.fixture
def places(tmp_path):
    """Empty folders of a headless run; nothing may ask the network."""
    with folders.using(folders.Folders(*(tmp_path / name for name in ("output", "input", "temp", "models")))) as made:
        yield made


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("something asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def clip(count=3, size=(64, 96)):
    coarse = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(4))
    image = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)
    return image.movedim(1, -1).repeat(count, 1, 1, 1)


@pytest.mark.parametrize("kind", ["depth_estimation", "geometry_estimation", "depthanything"])
def test_a_model_in_a_models_folder(tiny, places, no_network, kind):
    shutil.copytree(tiny, places.models / kind / "owner--tiny")
    for name in ("owner/tiny", " owner--tiny "):
        assert LoadDepthModel.validate_inputs(model=name, download=False, output="auto") is True
        (model,) = LoadDepthModel.execute(name, False, "auto").result
        assert isinstance(model, DepthModel)
        assert model.name == name.strip()
    depth, mask = EstimateDepth.execute(model, clip()).result[:2]
    assert depth.shape == (3, 64, 96, 3)
    assert mask.shape == (3, 64, 96)
    assert torch.equal(depth[..., 0], mask)
    assert torch.equal(depth[..., 1], mask)
    assert float(mask.min()) < 0.05
    assert float(mask.max()) > 0.95
    # The same picture three times: one scale.
    assert torch.allclose(mask[1:], mask[:1].expand(2, -1, -1), atol=2e-3)


def test_download_is_not_tried_where_the_model_lies(tiny, places, no_network):
    shutil.copytree(tiny, places.models / "depth_estimation" / "owner--tiny")
    assert LoadDepthModel.execute("owner/tiny", True, "depth").result[0].name == "owner/tiny"


def test_a_missing_model_is_known_before_anything_runs(places, no_network):
    said = LoadDepthModel.validate_inputs(model="owner/absent", download=False, output="auto")
    assert "owner/absent" in said
    assert str(places.models / "depth_estimation") in said
    assert "switch download on" in said
    with pytest.raises(FramedriftError, match="owner/absent"):
        LoadDepthModel.execute("owner/absent", False, "auto")
    # With download on, only the run itself can know.
    assert LoadDepthModel.validate_inputs(model="owner/absent", download=True, output="auto") is True
    assert "hub id" in LoadDepthModel.validate_inputs(model="absent", download=True, output="auto")


@pytest.mark.parametrize("name", ["../../etc", "/etc", "", "a\\b", "owner/.."])
@pytest.mark.parametrize("download", [False, True])
def test_names_that_climb(places, no_network, name, download):
    assert "model is" in LoadDepthModel.validate_inputs(model=name, download=download, output="auto")
    with pytest.raises(FramedriftError, match="model is"):
        LoadDepthModel.execute(name, download, "auto")


def test_linked_and_wrong_inputs():
    assert LoadDepthModel.validate_inputs(model=None, download=None, output=None) is True
    assert "output" in LoadDepthModel.validate_inputs(model=None, download=False, output="metres")
    assert "horizon" in SyntheticDepthNode.validate_inputs(kind="tunnel", horizon=0.0, nearness=1.0, blur=0.0)
    assert "horizon" in SyntheticDepthNode.validate_inputs(kind="ground", horizon=2.0, nearness=1.0, blur=0.0)
    assert "kind" in SyntheticDepthNode.validate_inputs(kind="cave", horizon=0.5, nearness=1.0, blur=0.0)
    assert SyntheticDepthNode.validate_inputs(kind="tunnel", horizon=None, nearness=1.0, blur=0.0) is True


@pytest.mark.parametrize("kind", KINDS)
def test_synthetic_depth_of_a_clip(kind):
    (model,) = SyntheticDepthNode.execute(kind).result
    image = clip(2)
    depth, mask = EstimateDepth.execute(model, image).result[:2]
    assert torch.equal(mask, model.disparity(host.to_core(image))[:, 0])
    assert depth.shape == (2, 64, 96, 3)
    # What is near is white: the ground's bottom row.
    if kind == "ground":
        assert float(mask[0, -1].mean()) > 0.95 > float(mask[0, 0].mean())


def test_frames_that_a_model_scales_differently_share_one_scale():
    class Restless:
        name, calibrated = "restless", False

        def __init__(self):
            self.calls = 0

        def signature(self):
            return self.name

        def disparity(self, image):
            self.calls += 1
            scales = torch.arange(1, image.shape[0] + 1).view(-1, 1, 1, 1) * 10.0**self.calls
            return image.mean(dim=1, keepdim=True) * scales - self.calls

    _, mask, _ = EstimateDepth.execute(Restless(), clip(9)).result
    assert torch.allclose(mask, mask[:1].expand_as(mask), atol=5e-3)
    assert float(mask[0].std()) > 0.1


def film(path, count=9, size=(64, 96)):
    from framedrift.nodes.core.video.encode import encode_h264

    encode_h264(iter(clip(count, size)), path, 12, size, crf=5)
    return path


def test_a_video_in_gives_a_depth_video_out(places, tmp_path):
    """Frame by frame into the temp folder, and from there into a file."""
    from framedrift.nodes.video import VideoCombine

    model = SyntheticDepthNode.execute("luminance").result[0]
    video = host.video_from_file(film(tmp_path / "a.mp4"))
    depth, mask, frames = EstimateDepth.execute(model, video).result
    assert (len(frames), frames.fps, frames.size) == (9, 12.0, (64, 96))
    assert depth.shape == (1, 64, 96, 3)
    assert torch.equal(mask, frames.disparity(0)[None])
    expected = model.disparity(host.to_core(clip(1)))[0, 0]
    assert float((frames[8][..., 0] - expected).abs().mean()) < 0.02
    files = list(places.temp.rglob("*.png"))
    assert len(files) == 9
    (made,) = VideoCombine.execute(frames, 0.0, 19, "video/depth", True).result
    again = EstimateDepth.execute(model, made).result[2]
    assert len(again) == 9


def test_an_animations_frames_in_give_frames_of_depth_out(places):
    from framedrift.nodes.core.video.frames import BatchFrames

    source = BatchFrames(clip(3), 24.0, indices=[0, 2, 4], num_frames=6, cuts=frozenset({2}))
    model = SyntheticDepthNode.execute("ground").result[0]
    depth, mask, frames = EstimateDepth.execute(model, source).result
    assert (frames.indices, frames.num_frames, frames.cuts, frames.fps) == ((0, 2, 4), 6, {2}, 24.0)
    assert depth.shape == (1, 64, 96, 3)
    assert mask.shape == (1, 64, 96)


def test_an_image_batch_comes_as_frames_too(places):
    model = SyntheticDepthNode.execute("ground").result[0]
    depth, mask, frames = EstimateDepth.execute(model, clip(3)).result
    assert depth.shape == (3, 64, 96, 3)
    assert torch.equal(frames[2], depth[2])
    assert torch.equal(frames.disparity(1), mask[1])
    assert not places.temp.exists() or not list(places.temp.rglob("*.png"))


def test_a_camera_says_how_depth_moves(places):
    from framedrift.nodes.core.camera import Camera3D

    class Tinted:
        name, calibrated = "tinted", False

        def signature(self):
            return self.name

        def disparity(self, image):
            return image.mean(1, keepdim=True)

    flight = Camera3D(translation_z="0:(20)")
    still = EstimateDepth.execute(Tinted(), clip(5)).result[1]
    flown = EstimateDepth.execute(Tinted(), clip(5), flight, 1.0, 50.0).result[1]
    assert torch.equal(still[0], flown[0])
    assert not torch.allclose(still[4], flown[4], atol=1e-3)
    said = EstimateDepth.validate_inputs(near=5.0, far=2.0)
    assert "near must be below far" in said
    assert EstimateDepth.validate_inputs(near=1.0, far=50.0) is True


def test_saved_workflows_need_no_new_input():
    declared = EstimateDepth.INPUT_TYPES()
    assert list(declared["required"]) == ["depth_model", "image"]
    assert set(declared["required"]["image"][0].split(",")) == {"IMAGE", "FRAMEDRIFT_FRAMES", "VIDEO"}
    assert [output.id for output in EstimateDepth.GET_SCHEMA().outputs] == ["depth", "mask", "frames"]


def test_an_interrupted_video_leaves_nothing_behind(places, tmp_path, monkeypatch):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(host, "check_interrupted", stop)
    model = SyntheticDepthNode.execute("ground").result[0]
    with pytest.raises(KeyboardInterrupt):
        EstimateDepth.execute(model, host.video_from_file(film(tmp_path / "a.mp4")))
    assert not list(places.temp.rglob("*.png"))


def test_a_long_video_takes_no_more_memory_than_a_short_one(places, tmp_path):
    import tracemalloc

    model = SyntheticDepthNode.execute("luminance").result[0]

    def peak(count):
        video = host.video_from_file(film(tmp_path / f"{count}.mp4", count))
        tracemalloc.start()
        try:
            EstimateDepth.execute(model, video)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(4)
    # A frame is 74 kB as numbers.
    assert peak(60) < peak(8) + 300_000


def test_alpha_grey_and_empty_images():
    model = SyntheticDepthNode.execute("luminance").result[0]
    image = clip(1)
    with_alpha = torch.cat([image, torch.zeros_like(image[..., :1])], dim=-1)
    assert torch.equal(
        EstimateDepth.execute(model, with_alpha).result[0], EstimateDepth.execute(model, image).result[0]
    )
    assert EstimateDepth.execute(model, image[..., :1]).result[0].shape == (1, 64, 96, 3)
    with pytest.raises(FramedriftError, match="empty"):
        EstimateDepth.execute(model, image[:0])
    with pytest.raises(FramedriftError, match="no numbers"):
        EstimateDepth.execute(model, torch.full((1, 8, 8, 3), math.nan))


def test_every_input_and_output_says_what_it_is():
    for node in NODES:
        schema = node.GET_SCHEMA()
        assert schema.category == "Framedrift/depth"
        assert schema.description
        assert any("deforum" in alias for alias in schema.search_aliases)
        assert all(part.tooltip for part in [*schema.inputs, *schema.outputs])
        assert all(part.id for part in schema.outputs)


def test_importing_the_nodes_imports_nothing_heavy():
    heavy = ("transformers", "cv2", "kornia", "av", "numexpr", "huggingface_hub", "safetensors")
    code = f"import sys, framedrift.nodes.depth; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.comfyui
def test_in_comfyui_the_model_is_under_its_memory_management(comfyui, tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "depth_estimation" / "tiny")
    snippet = f"""
    import folder_paths
    folder_paths.folder_names_and_paths["depth_estimation"] = ([{str(tmp_path / "depth_estimation")!r}], set())
    import importlib
    depth = importlib.import_module("pack.nodes.depth")
    model = depth.LoadDepthModel.execute("tiny", False, "auto").result[0]
    image = torch.rand(2, 64, 96, 3, generator=torch.Generator().manual_seed(0))
    shown, mask = depth.EstimateDepth.execute(model, image).result[:2]
    loaded = [type(entry.model.model).__name__ for entry in comfy.model_management.current_loaded_models]
    result = [list(shown.shape), float(mask.min()), float(mask.max()), loaded]
    """
    shape, low, high, loaded = comfyui.run(snippet, tmp_path)
    assert shape == [2, 64, 96, 3]
    assert low < 0.05
    assert high > 0.95
    assert loaded


@pytest.mark.comfyui
def test_in_comfyui_two_models_are_unloaded_and_come_back(comfyui, tiny, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(tiny, tmp_path / "depth_estimation" / name)
    snippet = f"""
    import folder_paths
    folder_paths.folder_names_and_paths["depth_estimation"] = ([{str(tmp_path / "depth_estimation")!r}], set())
    import importlib
    depth = importlib.import_module("pack.nodes.depth")
    manage = comfy.model_management
    manage.unload_all_models()
    models = [depth.LoadDepthModel.execute(name, False, "auto").result[0] for name in ("one", "two")]
    image = torch.rand(1, 64, 96, 3, generator=torch.Generator().manual_seed(0))
    loaded = [len(manage.current_loaded_models)]
    first = [depth.EstimateDepth.execute(model, image).result[1] for model in models]
    loaded.append(len(manage.current_loaded_models))
    manage.unload_all_models()
    loaded.append(len(manage.current_loaded_models))
    again = [depth.EstimateDepth.execute(model, image).result[1] for model in models]
    loaded.append(len(manage.current_loaded_models))
    same = all(torch.equal(a, b) for a, b in zip(first, again))
    manage.unload_all_models()
    del models
    import gc
    gc.collect()
    manage.cleanup_models_gc()
    result = [loaded, same, len(manage.current_loaded_models)]
    """
    assert comfyui.run(snippet, tmp_path) == [[0, 2, 0, 2], True, 0]


@pytest.mark.comfyui
def test_in_comfyui_videos_of_files_and_of_pictures(comfyui, tmp_path):
    path = film(tmp_path / "a.mp4", 6)
    snippet = f"""
    import importlib
    from fractions import Fraction
    depth = importlib.import_module("pack.nodes.depth")
    frames = importlib.import_module("pack.nodes.core.video.frames")
    latest = comfy_api.latest
    model = depth.SyntheticDepthNode.execute("luminance").result[0]
    file = latest.InputImpl.VideoFromFile({str(path)!r})
    images = torch.rand(4, 10, 12, 3)
    made = latest.InputImpl.VideoFromComponents(
        latest.Types.VideoComponents(images=images, frame_rate=Fraction(24))
    )
    trimmed = file.as_trimmed(0.25, 0.25)
    taken = [frames.as_frames(video) for video in (file, made, trimmed)]
    estimated = depth.EstimateDepth.execute(model, file).result
    result = [
        [(type(one).__name__, len(one), one.fps, list(one.size)) for one in taken],
        torch.equal(taken[1][3], images[3]),
        [list(estimated[0].shape), len(estimated[2])],
        depth.EstimateDepth.INPUT_TYPES()["required"]["image"][0],
    ]
    """
    kinds, same, shapes, types = comfyui.run(snippet, tmp_path)
    assert kinds == [
        ["VideoFrames", 6, 12.0, [64, 96]],
        ["BatchFrames", 4, 24.0, [10, 12]],
        ["VideoFrames", 3, 12.0, [64, 96]],
    ]
    assert same
    assert shapes == [[1, 64, 96, 3], 6]
    assert "VIDEO" in types
