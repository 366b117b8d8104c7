"""The workflows that the pack brings along: the page's file and the API's are the same graph."""

import copy
import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.headless.folders import Folders, using
from framedrift.nodes.headless.prompt import check_prompt
from framedrift.nodes.headless.runner import node_classes, run_prompt
from framedrift.nodes.headless.workflow import workflow_to_prompt

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
CLASSES = node_classes()
PAGES = sorted(WORKFLOWS.glob("*.json"))
# What the help page of Guide Images states, of 255.
ARRIVAL = 16


def graph(prompt):
    """What of a prompt shapes its result: titles do not."""
    return {key: (node["class_type"], node["inputs"]) for key, node in prompt.items()}


def kinds(path):
    return {node["type"] for node in json.loads(path.read_text())["nodes"]} - {"Note", "MarkdownNote"}


def compare(path, schemas):
    made = workflow_to_prompt(json.loads(path.read_text()), schemas)
    assert graph(made) == graph(json.loads((WORKFLOWS / "api" / path.name).read_text()))


@pytest.mark.parametrize("path", [path for path in PAGES if kinds(path) <= set(CLASSES)], ids=lambda path: path.stem)
def test_the_pages_file_is_the_apis(path):
    compare(path, {name: cls.GET_NODE_INFO_V1() for name, cls in CLASSES.items()})


@pytest.mark.comfyui
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_pages_file_is_the_apis_in_comfyui(path, server):
    compare(path, server.get("/object_info"))


def test_every_page_has_an_api_twin():
    assert {path.name for path in PAGES} == {path.name for path in (WORKFLOWS / "api").glob("*.json")}


def api(name):
    return json.loads((WORKFLOWS / "api" / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["quickstart", "image_to_clip", "seamless_loop", "extend"])
def test_what_runs_on_a_fresh_install_passes_every_check(name):
    check_prompt(api(name), CLASSES)


def test_video_input_asks_for_its_clip_before_anything_runs(tmp_path, write_clip):
    folders = Folders(output=tmp_path / "output", input=tmp_path, temp=tmp_path / "temp")
    with using(folders):
        with pytest.raises(FramedriftError, match=r"clip\.mp4"):
            check_prompt(api("video_input"), CLASSES)
        write_clip(tmp_path / "clip.mp4")
        check_prompt(api("video_input"), CLASSES)


def test_start_end_asks_for_its_pictures_before_anything_runs(tmp_path, write_guides):
    with using(Folders(output=tmp_path / "output", input=tmp_path, temp=tmp_path / "temp")):
        with pytest.raises(FramedriftError, match=r"image is 'start\.png', and the input folder holds no file"):
            check_prompt(api("start_end"), CLASSES)
        write_guides(tmp_path)
        check_prompt(api("start_end"), CLASSES)
        Image.new("RGB", (200, 600)).save(tmp_path / "end.png")
        with pytest.raises(FramedriftError, match=r"image: end\.png is 200x600 pixels; its short side must be 300"):
            check_prompt(api("start_end"), CLASSES)


def test_start_end_goes_from_one_picture_to_the_other(tmp_path, write_guides):
    write_guides(tmp_path)
    prompt = api("start_end")
    (sampler,) = (node for node in prompt.values() if node["class_type"] == "FramedriftFrameFeedbackSampler")
    sampler["inputs"] |= {"width": 192, "height": 128, "num_frames": 24}
    (film,) = run_prompt(prompt, Folders(output=tmp_path, input=tmp_path, temp=tmp_path / "temp")).files
    shown = pictures(film)
    assert len(shown) == 24
    start, end = (np.asarray(Image.open(tmp_path / f"{name}.png").resize((192, 128))) for name in ("start", "end"))
    assert abs(shown[0] - start).mean() < ARRIVAL
    assert abs(shown[-1] - end).mean() < ARRIVAL
    assert abs(shown[0] - end).mean() > 5 * ARRIVAL


def test_image_to_clip_makes_a_clip_without_comfyui(tmp_path):
    prompt = api("image_to_clip")
    for node in prompt.values():
        small = {"width": 96, "height": 64, "steps_schedule": "0:(2)"}
        if node["class_type"] == "FramedriftImageToClip":
            small["num_frames"] = 6
        node["inputs"] |= {name: value for name, value in small.items() if name in node["inputs"]}
    folders = Folders(output=tmp_path, temp=tmp_path / "temp")
    (film,) = run_prompt(prompt, folders).files
    assert len(pictures(film)) == 6


# ---------------------------------------------------------------- Wan

TINY = {
    "unet_name": "tiny_wan22_camera.safetensors",
    "clip_name": "tiny_clip_l.safetensors",
    "vae_name": "lighttaew2_1.safetensors",
}
# The tiny text encoder is a CLIP-L, which ComfyUI loads as one of SD3's.
FEW = {"type": "sd3", "width": 96, "height": 64, "length": 9, "steps": 4}


def tiny(prompt):
    """The workflow on models of random weights, with few small frames and few steps."""
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] == "KSamplerAdvanced":
            for name in ("start_at_step", "end_at_step"):
                inputs[name] = inputs[name] * FEW["steps"] // inputs["steps"]
        fixed = {name for name, value in inputs.items() if not isinstance(value, list)}
        inputs |= {name: value for name, value in (TINY | FEW).items() if name in fixed}
    return prompt


def pictures(film):
    with av.open(str(film)) as file:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in file.decode(video=0)]


@pytest.mark.comfyui
def test_wan_camera_runs_on_a_tiny_model_and_the_camera_reaches_it(rendering):
    offered = rendering.get("/object_info")
    for name, kind in (("unet_name", "UNETLoader"), ("clip_name", "CLIPLoader"), ("vae_name", "VAELoader")):
        if TINY[name] not in json.dumps(offered[kind]["input"]["required"][name]):
            pytest.skip(f"this ComfyUI has no {TINY[name]}")
    prompt = tiny(api("wan_camera"))
    start = next(node["inputs"]["image"] for node in prompt.values() if node["class_type"] == "LoadImage")
    Image.effect_mandelbrot((80, 60), (-2, -1.5, 1, 1.5), 40).convert("RGB").save(rendering.base / "input" / start)
    last = next(key for key, node in prompt.items() if node["class_type"] == "FramedriftVideoCombine")
    films = []
    for scale in (1.0, 200.0):
        moving = copy.deepcopy(prompt)
        camera = next(node for node in moving.values() if node["class_type"] == "FramedriftCameraToWan")
        camera["inputs"]["scale"] = scale
        (film,) = rendering.queue(moving)[last]["images"]
        films.append(pictures(rendering.base / film["type"] / film["subfolder"] / film["filename"]))
    assert [len(film) for film in films] == [9, 9]
    assert films[0][0].shape == (64, 96, 3)
    assert max(abs(one - other).max() for one, other in zip(*films, strict=True)) > 2
