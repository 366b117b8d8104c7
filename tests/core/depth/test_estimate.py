"""Depth models of transformers: tiny ones with random weights, through the code that runs the large ones."""

import json
import logging
import shutil
import socket

import pytest
import torch

from framedrift.nodes.core.depth.align import DepthTracker
from framedrift.nodes.core.depth.estimate import DepthModel, TransformersDepth, load_depth_model, says_of
from framedrift.nodes.core.depth.files import check_name, download_model, find_model, folder_for
from framedrift.nodes.core.depth.preprocess import Preprocessing, read_preprocessing
from framedrift.nodes.core.errors import FramedriftError


def _config(kind: str, **more):
    from transformers import DepthAnythingConfig, Dinov2Config, DPTConfig, GLPNConfig

    if kind == "glpn":
        return GLPNConfig(
            hidden_sizes=[8, 8, 16, 16],
            depths=[1, 1, 1, 1],
            num_attention_heads=[1, 1, 2, 2],
            decoder_hidden_size=8,
            **more,
        )
    if kind == "dpt":
        return DPTConfig(
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=64,
            patch_size=16,
            backbone_out_indices=[0, 1, 2, 3],
            neck_hidden_sizes=[8, 8, 8, 8],
            fusion_hidden_size=8,
            **more,
        )
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    return DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        **more,
    )


PROCESSORS = {
    # As Depth Anything V2's own file has it, at a smaller size.
    "depth_anything": {
        "image_processor_type": "DPTImageProcessor",
        "do_resize": True,
        "size": {"height": 56, "width": 56},
        "keep_aspect_ratio": True,
        "ensure_multiple_of": 14,
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "do_pad": False,
        "size_divisor": None,
    },
    "dpt": {
        "image_processor_type": "DPTImageProcessor",
        "size": {"height": 64, "width": 64},
        "resample": 3,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    },
    "glpn": {"image_processor_type": "GLPNImageProcessor", "size_divisor": 32, "resample": 2},
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A models folder with one tiny model of each kind."""
    from transformers import AutoModelForDepthEstimation

    root = tmp_path_factory.mktemp("models")
    kinds = {kind: {} for kind in PROCESSORS} | {"metric": {"depth_estimation_type": "metric", "max_depth": 20}}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for kind, more in kinds.items():
            module = AutoModelForDepthEstimation.from_config(_config(kind, **more))
            for weight in module.parameters():
                # Their own start is so small that a picture would leave no trace.
                if weight.ndim >= 2:
                    torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
            if kind in ("depth_anything", "dpt"):
                # Above the last ReLU.
                torch.nn.init.constant_(list(module.head.parameters())[-1], 3.0)
            module.save_pretrained(root / kind)
            settings = PROCESSORS.get(kind, PROCESSORS["depth_anything"])
            (root / kind / "preprocessor_config.json").write_text(json.dumps(settings))
    return root


@pytest.fixture
def copy(models, tmp_path):
    """A model folder that a test may spoil."""

    def make(kind="depth_anything"):
        return shutil.copytree(models / kind, tmp_path / kind)

    return make


@pytest.fixture
def no_network(monkeypatch):
    """Any look at the network fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("something asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def picture(height=70, width=110, batch=1, seed=0):
    """A smooth random picture in 8-bit levels, as processors take it."""
    coarse = torch.rand(batch, 3, 6, 9, generator=torch.Generator().manual_seed(seed))
    image = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
    return (image * 255).round() / 255


@pytest.mark.parametrize("kind", ["depth_anything", "metric", "dpt", "glpn"])
def test_model_gives_disparity_of_the_images_size(models, kind, no_network):
    model = load_depth_model(models / kind)
    image = picture(batch=5)
    before = image.clone()
    out = model.disparity(image)
    assert out.shape == (5, 1, 70, 110)
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()
    assert float(out.std()) > 0
    assert torch.equal(image, before)
    assert isinstance(model, DepthModel)
    assert model.calibrated is False
    assert not out.requires_grad
    # A picture's depth does not depend on the company it is in.
    assert torch.allclose(model.disparity(image[4:]), out[4:], atol=1e-5)


@pytest.mark.parametrize("kind", ["depth_anything", "dpt", "glpn"])
@pytest.mark.parametrize("size", [(70, 110), (300, 190), (64, 64)])
def test_input_equals_that_of_transformers(models, kind, size):
    """Within Pillow's rounding to 8 bits."""
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
    from transformers.models.glpn.image_processing_pil_glpn import GLPNImageProcessorPil

    theirs_class = GLPNImageProcessorPil if kind == "glpn" else DPTImageProcessorPil
    theirs = theirs_class.from_pretrained(models / kind, local_files_only=True)
    image = picture(*size)
    levels = (image[0] * 255).round().to(torch.uint8)
    expected = theirs(images=[levels.movedim(0, -1).numpy()], return_tensors="pt")["pixel_values"]
    spec = read_preprocessing(PROCESSORS[kind], kind)
    ours = spec.apply(image)
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 1.5 / 255 / min(spec.std)
    assert (ours - expected).abs().mean() < 0.5 / 255 / min(spec.std)


def test_zoedepth_input_equals_that_of_transformers():
    from transformers.models.zoedepth.image_processing_pil_zoedepth import ZoeDepthImageProcessorPil

    theirs = ZoeDepthImageProcessorPil(size={"height": 96, "width": 128}, ensure_multiple_of=32)
    image = picture(90, 150)
    levels = (image[0] * 255).round().to(torch.uint8)
    expected = theirs(images=[levels.movedim(0, -1).numpy()], return_tensors="pt")["pixel_values"]
    spec = read_preprocessing(theirs.to_dict(), "zoedepth")
    assert spec.mirror_pad
    ours = spec.apply(image)
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 1e-4


def test_prediction_equals_that_of_transformers(models):
    """The whole way, processor and model, against a plain use of transformers."""
    from transformers import AutoModelForDepthEstimation
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    image = picture(84, 112)
    theirs = AutoModelForDepthEstimation.from_pretrained(models / "depth_anything", local_files_only=True)
    processor = DPTImageProcessorPil.from_pretrained(models / "depth_anything", local_files_only=True)
    levels = (image[0] * 255).round().to(torch.uint8)
    with torch.no_grad():
        raw = theirs(**processor(images=[levels.movedim(0, -1).numpy()], return_tensors="pt")).predicted_depth
    expected = torch.nn.functional.interpolate(raw[:, None], size=(84, 112), mode="bilinear", align_corners=False)
    ours = load_depth_model(models / "depth_anything").disparity(image)
    assert (ours - expected).abs().max() < 0.02 * float(expected.abs().max())


@pytest.mark.parametrize("padding", [{"zero_pad": 16}, {"mirror_pad": True, "size": (64, 96)}])
@pytest.mark.parametrize("size", [(70, 110), (33, 47), (8, 5)])
def test_padding_comes_off_where_it_went_on(padding, size):
    spec = Preprocessing(**{"size": None, **padding})
    ramp = torch.linspace(0.1, 0.9, size[1])[None, None, None].expand(1, 3, *size)
    back = spec.undo(spec.apply(ramp)[:, :1], size)
    assert back.shape == (1, 1, *size)
    assert (back - ramp[:, :1]).abs().max() < 0.1


def test_sizes_that_models_see():
    spec = read_preprocessing({}, "depth_anything")
    assert spec.target((518, 518)) == (518, 518)
    assert spec.target((768, 1024)) == (518, 686)
    assert all(side % 14 == 0 for side in spec.target((333, 777)))
    assert spec.target((1, 1)) == (518, 518)
    # A strip neither vanishes nor fills the memory.
    height, width = spec.target((16, 4096))
    assert height >= 14
    assert width <= 4 * 518 + 14
    assert read_preprocessing({}, "glpn").target((481, 650)) == (480, 640)
    assert read_preprocessing({}, "glpn").target((5, 650)) == (32, 640)


@pytest.mark.parametrize("size", [(1, 1), (16, 900), (900, 16)])
def test_odd_pictures(models, size):
    for kind in ("depth_anything", "glpn"):
        out = load_depth_model(models / kind).disparity(torch.rand(1, 3, *size))
        assert out.shape == (1, 1, *size)
        assert torch.isfinite(out).all()


def test_old_and_new_forms_of_the_preprocessor_file():
    assert read_preprocessing({"size": 384, "resample": 3}, "dpt").size == (384, 384)
    new = read_preprocessing({"image_processor": PROCESSORS["depth_anything"]}, "depth_anything")
    assert new == read_preprocessing(PROCESSORS["depth_anything"], "depth_anything")
    with pytest.raises(FramedriftError, match=r"preprocessor_config\.json"):
        read_preprocessing({"size": {"height": "tall"}}, "dpt")
    with pytest.raises(FramedriftError, match=r"preprocessor_config\.json"):
        read_preprocessing({"image_mean": [0.5]}, "dpt")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "depth_anything", "depth_estimation_type": "relative"}, "disparity"),
        ({"model_type": "depth_anything", "depth_estimation_type": "metric"}, "depth"),
        ({"model_type": "dpt"}, "disparity"),
        ({"model_type": "dpt", "add_projection": True}, "depth"),
        ({"model_type": "zoedepth"}, "depth"),
        ({"model_type": "glpn"}, "depth"),
        ({"model_type": "depth_pro"}, "disparity"),
        ({"model_type": "something_new"}, "disparity"),
    ],
)
def test_depth_or_disparity(config, says):
    assert says_of(config) == says


def test_depth_is_inverted_and_may_be_overruled(models):
    image = picture(64, 64)
    as_depth = load_depth_model(models / "glpn")
    as_disparity = load_depth_model(models / "glpn", output="disparity")
    assert (as_depth.says, as_disparity.says) == ("depth", "disparity")
    near, metres = as_depth.disparity(image), as_disparity.disparity(image)
    assert torch.allclose(near, 1.0 / metres, rtol=1e-3)
    assert as_depth.signature() != as_disparity.signature()
    with pytest.raises(FramedriftError, match="auto, disparity, depth"):
        load_depth_model(models / "glpn", output="metres")


def test_signature_names_the_files_not_the_place(models, copy):
    folder = copy()
    here, there = (load_depth_model(f, name="da").signature() for f in (models / "depth_anything", folder))
    assert here == there
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-2, 2)
        tail = file.read()
        file.seek(-2, 2)
        file.write(bytes(255 - b for b in tail))
    assert load_depth_model(folder, name="da").signature() != here


def test_tracker_takes_what_models_give(models):
    model, tracker = load_depth_model(models / "depth_anything"), DepthTracker(False)
    last = None
    for seed in range(3):
        last = tracker.update(model.disparity(picture(seed=seed)), last)
        assert float(last.min()) >= 0.0
        assert float(last.max()) <= 1.0


def test_a_place_is_asked_every_time(models):
    """ComfyUI may have moved the module away in between."""
    asked = []

    class Place:
        def __init__(self, module):
            self.module, self.device = module, torch.device("cpu")

        def load(self, memory_required=0):
            asked.append(memory_required)
            return self.module

    model = load_depth_model(models / "depth_anything", place=Place)
    model.disparity(picture())
    model.disparity(picture(batch=5))
    assert len(asked) == 3
    assert min(asked) > 0


class _Broken(torch.nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value
        self.p = torch.nn.Parameter(torch.zeros(1))

    def forward(self, pixel_values):
        from types import SimpleNamespace

        return SimpleNamespace(predicted_depth=torch.full_like(pixel_values[:, 0], self.value))


@pytest.mark.parametrize("kind", ["depth_anything", "dpt", "glpn"])
def test_half_precision_says_the_same(models, kind):
    """The path that a GPU takes; the CPU's autocast computes in half as well."""
    full, half = load_depth_model(models / kind), load_depth_model(models / kind)
    half._half = True
    image = picture(96, 128)
    expected, found = full.disparity(image), half.disparity(image)
    assert found.dtype == torch.float32
    assert not torch.equal(found, expected), "it did run in half"
    assert half._half
    assert float((found - expected).abs().max()) < 0.02 * float(expected.abs().max())


def test_a_model_that_overflows_in_half_goes_on_in_full(caplog):
    class Large(torch.nn.Module):
        """Passes 65504, half precision's greatest, on its way."""

        def __init__(self):
            super().__init__()
            self.up, self.down = torch.nn.Conv2d(3, 1, 1), torch.nn.Conv2d(1, 1, 1)
            torch.nn.init.constant_(self.up.weight, 1e5 / 3)
            torch.nn.init.constant_(self.down.weight, 1e-5)
            for layer in (self.up, self.down):
                torch.nn.init.zeros_(layer.bias)
            self.seen = []

        def forward(self, pixel_values):
            from types import SimpleNamespace

            made = self.up(pixel_values)
            self.seen.append(made.dtype)
            return SimpleNamespace(predicted_depth=self.down(made)[:, 0])

    module = Large()
    model = TransformersDepth(module, Preprocessing(None), "disparity", "large", "0")
    model._half = True
    image = 0.5 + 0.5 * picture()
    with caplog.at_level(logging.WARNING, logger="framedrift"):
        out = model.disparity(image)
        model.disparity(image)
    assert torch.allclose(out, image.mean(1, keepdim=True), rtol=1e-4)
    assert module.seen == [torch.float16, torch.float32, torch.float32], "once is enough to know it"
    assert caplog.text.count("overflows in half precision") == 1


def test_every_type_that_transformers_knows_is_declared():
    """A type that comes new needs a look at what its numbers say."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES

    from framedrift.nodes.core.depth.estimate import _SAYS

    assert set(MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES) <= set(_SAYS)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_answers_that_are_no_numbers(value):
    model = TransformersDepth(_Broken(value), Preprocessing(None), "disparity", "broken", "0")
    with pytest.raises(FramedriftError, match=r"broken.*no numbers"):
        model.disparity(picture())


def test_flat_answer_goes_through():
    model = TransformersDepth(_Broken(2.0), Preprocessing(None), "depth", "flat", "0")
    out = model.disparity(picture())
    assert torch.equal(out, torch.full_like(out, 0.5))
    assert torch.equal(DepthTracker(False).update(out), out)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.zeros(1, 4, 8, 8), r"\(B, 3, H, W\)"),
        (torch.zeros(3, 8, 8), r"\(B, 3, H, W\)"),
        (torch.full((1, 3, 8, 8), torch.nan), "no numbers"),
    ],
)
def test_wrong_images(models, image, said):
    with pytest.raises(FramedriftError, match=said):
        load_depth_model(models / "glpn").disparity(image)


# ---------------------------------------------------------------- files


def test_found_by_every_name(models, tmp_path, no_network, monkeypatch):
    shutil.copytree(models / "glpn", tmp_path / "owner--tiny")
    shutil.copytree(models / "glpn", tmp_path / "some" / "other")
    shutil.copytree(models / "glpn", tmp_path / "plain")
    for name, folder in {
        "owner/tiny": "owner--tiny",
        "owner--tiny": "owner--tiny",
        "some/other": "some/other",
        "owner/plain": "plain",
        "plain": "plain",
    }.items():
        assert find_model(name, [tmp_path / "none", tmp_path]) == tmp_path / folder
    assert find_model("owner/absent", [tmp_path]) is None


@pytest.mark.parametrize(
    "name",
    ["", "..", "../secrets", "a/../b", "/etc", "a//b", "a\\b", "C:model", "a/./b", "a/b/c/d/e", "~", "a\0b", "a/"],
)
def test_names_that_climb_are_refused(name, tmp_path):
    assert check_name(name) is not None
    with pytest.raises(FramedriftError, match="model is"):
        find_model(name, [tmp_path])
    with pytest.raises(FramedriftError, match="model is"):
        download_model(name, tmp_path)


def test_pickled_weights_are_refused(copy):
    folder = copy()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FramedriftError, match=r"pytorch_model\.bin, which can run code"):
        load_depth_model(folder)
    with pytest.raises(FramedriftError, match="can run code"):
        find_model(folder.name, [folder.parent])


def test_missing_and_damaged_files_are_named(copy, tmp_path):
    folder = copy()
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    with pytest.raises(FramedriftError, match=r"lacks model\.safetensors"):
        load_depth_model(folder)
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(FramedriftError, match="cannot be loaded"):
        load_depth_model(folder)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text("{")
    with pytest.raises(FramedriftError, match=r"config\.json cannot be read"):
        load_depth_model(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FramedriftError, match=r"has no config\.json"):
        load_depth_model(folder)


def test_weights_of_another_model_are_refused(copy, models):
    folder = copy("glpn")
    shutil.copy(models / "depth_anything" / "model.safetensors", folder)
    with pytest.raises(FramedriftError, match="do not fit its config"):
        load_depth_model(folder)


def test_other_types_are_refused(copy, no_network):
    folder = copy()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(FramedriftError, match=r"'bert'.*depth_anything"):
        load_depth_model(folder)
    outside = {**config, "backbone_config": None, "backbone": "owner/backbone"}
    (folder / "config.json").write_text(json.dumps(outside))
    with pytest.raises(FramedriftError, match="owner/backbone"):
        load_depth_model(folder)


def test_code_in_a_model_folder_is_not_run(copy, tmp_path):
    folder = copy()
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForDepthEstimation": "own.Own", "AutoConfig": "own.OwnConfig"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    load_depth_model(folder).disparity(picture())
    assert not (tmp_path / "ran").exists()


def test_model_in_parts(models, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(models / "glpn", tmp_path / "parts")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    keys, where = sorted(weights), {}
    for number, part in enumerate((keys[::2], keys[1::2]), 1):
        name = f"model-0000{number}-of-00002.safetensors"
        save_file({key: weights[key] for key in part}, folder / name, metadata={"format": "pt"})
        where |= dict.fromkeys(part, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    whole = load_depth_model(models / "glpn").disparity(picture())
    assert torch.equal(load_depth_model(folder).disparity(picture()), whole)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(FramedriftError, match="lacks model-00002-of-00002"):
        load_depth_model(folder)
    climbing = dict.fromkeys(where, "../model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": climbing}))
    with pytest.raises(FramedriftError, match="not understood"):
        load_depth_model(folder)


def test_download_without_a_hub_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", "http://127.0.0.1:9", raising=True)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FramedriftError) as caught:
        download_model("some-owner/some-model", tmp_path)
    said = str(caught.value)
    assert "some-owner/some-model" in said
    assert str(tmp_path / folder_for("some-owner/some-model")) in said
    assert "model.safetensors" in said
    assert not any(tmp_path.rglob("*.safetensors"))


def test_loading_is_quiet(models, caplog):
    with caplog.at_level(logging.WARNING):
        load_depth_model(models / "depth_anything").disparity(picture())
    assert not [r for r in caplog.records if r.name.startswith("framedrift")]
