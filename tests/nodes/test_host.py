"""The seam means the same with ComfyUI and without."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from framedrift.nodes import host, sockets
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.headless.folders import Folders, using
from framedrift.nodes.headless.io import HiddenHolder

HEAVY = ["cv2", "kornia", "transformers", "av", "numexpr", "scipy"]


def test_without_comfyui_the_stand_in_is_taken():
    assert not host.IN_COMFYUI
    assert host.io.__name__ == "framedrift.nodes.headless.io"


def test_importing_the_nodes_imports_nothing_heavy():
    code = f"import sys, framedrift.nodes.extension; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_whole_surface_is_listed():
    tree = ast.parse(Path(host.__file__).read_text())
    public = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
    }
    assert public | {"IN_COMFYUI", "ComfyExtension", "check_bounds", "io", "ui", "upstream_graph"} == set(host.__all__)


def test_layouts_go_there_and_back():
    image = torch.rand(2, 5, 7, 3)
    core = host.to_core(image)
    assert core.shape == (2, 3, 5, 7)
    assert torch.equal(host.to_image(core), image)
    assert torch.equal(core[1, 2], image[1, :, :, 2])
    assert host.to_mask(torch.rand(2, 1, 5, 7)).shape == (2, 5, 7)


def test_alpha_is_dropped_one_channel_becomes_three_and_halves_become_floats():
    assert torch.equal(host.to_core(torch.full((1, 4, 6, 4), 0.5)), torch.full((1, 3, 4, 6), 0.5))
    grey = host.to_core(torch.rand(1, 4, 6, 1).half())
    assert grey.shape == (1, 3, 4, 6)
    assert grey.dtype == torch.float32
    with pytest.raises(FramedriftError, match="four dimensions"):
        host.to_core(torch.rand(4, 6, 3))


def test_a_schedule_input_takes_text_schedules_and_numbers():
    made = host.schedule_input("zoom", "0:(1)", "Zoom.", multiline=True)
    assert made.get_io_type() == "STRING,FRAMEDRIFT_SCHEDULE,FLOAT,INT,CURVE"
    assert made.as_dict()["default"] == "0:(1)"
    assert made.as_dict()["multiline"] is True
    assert sockets.Schedule.io_type == "FRAMEDRIFT_SCHEDULE"


@pytest.fixture
def output(tmp_path):
    with using(Folders(output=tmp_path / "out", input=tmp_path / "in", temp=tmp_path / "t", models=tmp_path / "m")):
        yield tmp_path / "out"


def test_folders_are_those_of_the_run(output):
    assert host.output_directory() == output
    assert host.input_directory().name == "in"
    assert host.temp_directory().name == "t"
    assert host.models_directories("depthanything") == [output.parent / "m" / "depthanything"]


def test_saved_files_are_counted_up(output):
    path, result = host.save_path("fly/sky_%width%x%height%", "mp4", (48, 64))
    assert path == output / "fly" / "sky_64x48_00001_.mp4"
    assert result == {"filename": "sky_64x48_00001_.mp4", "subfolder": "fly", "type": "output"}
    path.write_text("")
    (path.parent / "sky_64x48_00007_-audio.mp4").write_text("")
    (path.parent / "sky_64x48_more_00099_.mp4").write_text("")
    assert host.save_path("fly/sky_64x48", ".mp4", (48, 64))[0].name == "sky_64x48_00008_.mp4"
    assert host.save_path("sky", "mp4", (1, 1), "temp")[0].parent.name == "t"


CLIMBING = ["../x", "/etc/x", "a/../../x", "", "  ", "a/", "..", "x\0y"]


@pytest.mark.parametrize("prefix", CLIMBING)
def test_a_prefix_that_leaves_the_folder_is_refused(prefix, output):
    with pytest.raises(FramedriftError, match="filename_prefix"):
        host.save_path(prefix, "mp4", (8, 8))
    assert not output.parent.joinpath("x_00001_.mp4").exists()


def test_a_link_out_of_the_folder_is_refused(output, tmp_path):
    output.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (output / "way").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FramedriftError, match="filename_prefix"):
        host.save_path("way/x", "mp4", (8, 8))


def test_metadata_holds_prompt_and_workflow_unless_it_is_not_allowed(tmp_path):
    hidden = HiddenHolder(prompt={"1": {}}, extra_pnginfo={"workflow": {"nodes": []}})
    assert host.file_metadata(hidden) == {"prompt": '{"1": {}}', "workflow": '{"nodes": []}'}
    assert host.file_metadata(HiddenHolder()) == {}
    with using(Folders(metadata=False)):
        assert host.file_metadata(hidden) == {}


def test_a_size_that_does_not_fit_the_vae_is_refused_with_the_next_that_does():
    class Vae:
        downscale_ratio = 8

    with pytest.raises(FramedriftError, match=r"width is 513, and must be a multiple of 8 for this VAE: try 512"):
        host.empty_latent(None, Vae(), (64, 513))
    with pytest.raises(FramedriftError, match="height is 3"):
        host.vae_encode(Vae(), torch.zeros(1, 3, 3, 8))


def test_a_device_model_comes_and_goes():
    model = host.DeviceModel(torch.nn.Linear(2, 2))
    assert next(model.load().parameters()).device.type == model.device.type
    model.unload()
    assert next(model.module.parameters()).device.type == "cpu"


IN_COMFYUI = """
import os, tempfile
from pathlib import Path
import folder_paths

io, result = host.io, {"imported": [name for name in imported if not name.startswith("pack")]}
result["is comfy"] = host.IN_COMFYUI and io is comfy_api.latest.io

# Noise: the stock KSampler's, without touching the global generator.
vae = nodes.VAELoader().load_vae("taesd3")[0]
model = nodes.UNETLoader().load_unet("tiny_sd3.safetensors", "default")[0]

def text(seed, tokens=77, width=4096):
    source = torch.Generator().manual_seed(seed)
    words, pooled = (torch.randn(*shape, generator=source) for shape in ((1, tokens, width), (1, 2048)))
    return [[words, {"pooled_output": pooled}]]

positive, negative = text(1), text(2)
result["multiple"] = host.size_multiple(vae)
latent = host.empty_latent(model, vae, (64, 96))
result["latent"] = list(latent.shape)
sigmas = host.sigmas(model, "normal", "euler", 4)
torch.manual_seed(5)
state = torch.random.get_rng_state()
steps = []
mine = host.sample(model, latent, positive, negative, seed=42, sigmas=sigmas, cfg=5.0, sampler_name="euler",
                   callback=lambda step, x0, x, total: steps.append([step, total]))
result["rng kept"] = bool(torch.equal(torch.random.get_rng_state(), state))
result["steps"] = steps
stock = comfy.sample.sample(model, comfy.sample.prepare_noise(latent, 42), 4, 5.0, "euler", "normal", positive,
                            negative, latent, seed=42, disable_pbar=True)
result["as stock"] = bool(torch.equal(mine, stock))

result["sigmas"] = {}
for name in ("euler", "dpm_2", "uni_pc"):
    sampler = comfy.samplers.KSampler(model, 6, "cpu", name, "karras")
    result["sigmas"][name] = bool(torch.equal(host.sigmas(model, "karras", name, 6), sampler.sigmas))

# Per-pixel denoise: 0 keeps, 1 is free, and between them a mask's share of the steps.
picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
start = host.vae_encode(vae, picture)
result["encoded"] = list(start.shape)
mask = torch.zeros(1, 1, 8, 12)
mask[..., 4:8] = 0.5
mask[..., 8:] = 1.0
ends = []
sampled = host.sample(model, start, positive, negative, seed=1, sigmas=sigmas, cfg=1.0, sampler_name="euler",
                      denoise_mask=mask, callback=lambda step, x0, x, total: ends.append(x0.clone()))
change = (sampled - start).abs().mean(dim=(0, 1, 2))
result["change"] = [float(change[:4].max()), float(change[4:8].mean()), float(change[8:].mean())]
inner = model.model.latent_format.process_in(start)
strips = [slice(0, 4), slice(4, 8), slice(8, 12)]
result["moved at"] = [[float((x0 - inner)[..., strip].abs().max()) > 1e-6 for x0 in ends] for strip in strips]
result["model untouched"] = "denoise_mask_function" not in model.model_options

# A model of video: one frame long.
video_vae = nodes.VAELoader().load_vae("lighttaew2_1.safetensors")[0]
video_model = nodes.UNETLoader().load_unet("tiny_wan_t2v.safetensors", "default")[0]
clip_of_one = host.vae_encode(video_vae, picture)
empty = host.empty_latent(video_model, video_vae, (64, 96))
moving = host.sample(video_model, clip_of_one, text(3, 16), text(4, 16), seed=1, cfg=1.0, sampler_name="euler",
                     sigmas=host.sigmas(video_model, "simple", "euler", 4), denoise_mask=mask)
drift = (moving - clip_of_one).abs().amax(dim=(0, 1, 2, 3))
result["video"] = [list(empty.shape), list(clip_of_one.shape), list(host.vae_decode(video_vae, moving).shape),
                   float(drift[:4].max()), float(drift[4:].min())]

decoded = host.vae_decode(vae, sampled)
result["decoded"] = [list(decoded.shape), str(decoded.dtype), float(decoded.min()) >= 0, float(decoded.max()) <= 1]
result["preview"] = list(host.latent_previewer(model)(sampled).size) if host.latent_previewer(model)(sampled) else None
host.Progress(3).step(1, picture)
host.check_interrupted()
comfy.model_management.interrupt_current_processing(True)
try:
    host.check_interrupted()
except comfy.model_management.InterruptProcessingException:
    result["interrupted"] = True

wrapped = host.DeviceModel(torch.nn.Sequential(torch.nn.Linear(4, 4)))
result["module"] = list(wrapped.load(1024)(torch.ones(1, 4, device=wrapped.device)).shape)
wrapped.unload()
result["unloaded"] = wrapped._patcher not in comfy.model_management.loaded_models()
wrapped.load()
result["reloaded"] = wrapped._patcher in comfy.model_management.loaded_models()

folder_paths.set_output_directory(tempfile.mkdtemp())
path, saved = host.save_path("fly/sky_%width%", "mp4", (48, 64))
result["saved"] = [str(path.relative_to(host.output_directory())), dict(saved)]
result["refused"] = []
for prefix in CLIMBING:
    try:
        host.save_path(prefix, "mp4", (8, 8))
    except sys.modules["pack.nodes.core.errors"].FramedriftError as error:
        result["refused"].append("filename_prefix" in str(error))
result["models"] = [str(place) for place in host.models_directories("checkpoints") + host.models_directories("nowhere")]
result["metadata"] = host.metadata_allowed()
"""


@pytest.fixture(scope="module")
def real(comfyui, tmp_path_factory):
    needed = [
        "diffusion_models/tiny_sd3.safetensors",
        "diffusion_models/tiny_wan_t2v.safetensors",
        "vae_approx/taesd3_decoder.safetensors",
        "vae_approx/lighttaew2_1.safetensors",
    ]
    missing = [name for name in needed if not (comfyui.models / name).exists()]
    if missing:
        pytest.skip(f"ComfyUI's models have no {', '.join(missing)}")
    return comfyui.run(f"CLIMBING = {CLIMBING!r}\n" + IN_COMFYUI, tmp_path_factory.mktemp("host"))


@pytest.mark.comfyui
class TestInComfyUI:
    def test_it_is_found_and_nothing_heavy_comes_with_the_pack(self, real):
        assert real["is comfy"]
        assert [name for name in real["imported"] if name.split(".")[0] in HEAVY] == []

    def test_sampling_is_the_stock_samplers_without_reseeding(self, real):
        assert real["as stock"]
        assert real["rng kept"]
        assert real["steps"] == [[k, 4] for k in range(4)]

    def test_sigmas_are_the_stock_samplers(self, real):
        assert real["sigmas"] == {"euler": True, "dpm_2": True, "uni_pc": True}

    def test_a_mask_gives_each_pixel_its_share_of_the_steps(self, real):
        kept, half, free = real["change"]
        assert kept < 1e-5
        assert half > 0.01
        assert free > 0.01
        assert real["moved at"] == [[False] * 4, [False, False, True, True], [True] * 4]
        assert real["model untouched"]

    def test_latents_and_pictures_have_the_models_shapes(self, real):
        assert real["multiple"] == 8
        assert real["latent"] == [1, 16, 8, 12]
        assert real["encoded"] == [1, 16, 8, 12]
        assert real["decoded"] == [[1, 3, 64, 96], "torch.float32", True, True]

    def test_a_model_of_video_makes_one_frame_under_the_same_mask(self, real):
        empty, encoded, decoded, kept, free = real["video"]
        assert empty == encoded == [1, 16, 1, 8, 12]
        assert decoded == [1, 3, 64, 96]
        assert kept < 1e-5
        assert free > 1e-3

    def test_interrupts_are_comfyuis(self, real):
        assert real["interrupted"]

    def test_device_models_run(self, real):
        assert real["module"] == [1, 4]
        assert real["unloaded"]
        assert real["reloaded"]

    def test_files_are_saved_where_its_own_savers_do(self, real):
        saved = {"filename": "sky_64_00001_.mp4", "subfolder": "fly", "type": "output"}
        assert real["saved"] == [str(Path("fly", "sky_64_00001_.mp4")), saved]
        assert real["refused"] == [True] * len(CLIMBING)

    def test_folders_and_settings(self, real, comfyui):
        assert str(comfyui.models / "checkpoints") in real["models"]
        assert Path(real["models"][-1]).name == "nowhere"
        assert real["metadata"] is True
        assert json.dumps(real)
