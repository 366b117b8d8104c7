"""Frame Values: the same decisions as the sampler's, and an animation of stock nodes that comes out the same."""

import json

import numpy as np
import pytest
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.plan import FramePlan
from framedrift.nodes.host import procedural_model
from framedrift.nodes.prompt import PromptScheduleNode
from framedrift.nodes.values import FrameValues, stock_steps

OUTPUTS = [output.id for output in FrameValues.GET_SCHEMA().outputs]


def values(index, **changed):
    _, clip, _ = procedural_model()
    prompts = PromptScheduleNode.execute(clip, '{"0": "dawn", "8": "storm --neg rain"}', "linear", "").result[0]
    inputs = {
        name: options.get("default", (options.get("options") or [None])[0])
        for name, (_, options) in FrameValues.INPUT_TYPES()["required"].items()
    }
    given = inputs | {"prompts": prompts, "num_frames": 9, "diffusion_cadence": 3} | changed
    given.pop("index")
    return dict(zip(OUTPUTS, FrameValues.execute(index, **given).result, strict=True))


def test_it_gives_what_the_sampler_uses():
    found = values(2, strength_schedule="0:(0.5), 8:(0.9)", steps_schedule="0:(20)", seed=5)
    assert (found["frame"], found["previous_frame"], found["count"], found["seed"]) == (6, 3, 4, 7)
    assert found["strength"] == pytest.approx(0.8)
    assert found["text"] == "0.25 dawn | 0.75 storm"
    first = values(0)
    assert (first["frame"], first["previous_frame"], first["denoise"]) == (0, 0, 1.0)


def test_an_index_behind_the_end_is_refused():
    with pytest.raises(FramedriftError, match=r"index is 4, and the animation has 4 diffused frames: 0 to 3"):
        values(4)


def test_settings_for_other_inputs_are_passed_over_and_the_others_count():
    found = values(1, settings={"seed": 40, "sampler_name": "heun"})
    assert found["seed"] == 41


def test_option_schedules_come_out():
    from framedrift.nodes.coherence import Coherence

    inputs = {
        name: options.get("default", (options.get("options") or [None])[0])
        for group in Coherence.INPUT_TYPES().values()
        for name, (_, options) in group.items()
        if isinstance(options, dict) and ("default" in options or options.get("options"))
    }
    options = Coherence.execute(**inputs | {"contrast_schedule": "0:(1), 8:(1.08)"}).result[0]
    assert json.loads(values(2, options=options)["values"])["contrast_schedule"] == pytest.approx(1.06)


@pytest.mark.parametrize("steps", [1, 7, 20, 30, 150])
@pytest.mark.parametrize("strength", [0.0001, 0.1, 0.35, 0.5, 0.65, 0.9, 0.99])
@pytest.mark.parametrize("full", [True, False])
def test_the_stock_sampler_runs_the_same_steps(steps, strength, full):
    """KSampler's arithmetic: int(steps / denoise) in all, the last `steps` of them run."""
    from framedrift.nodes.core.feedback.plan import sampler_steps

    plan = FramePlan(3, 0, strength, steps, 7.0, 0.0)
    given, denoise = stock_steps(plan, False, full)
    total = given if denoise > 0.9999 else int(given / denoise)
    wanted = (steps, int(steps / plan.denoise)) if full else (sampler_steps(plan.denoise, steps), steps)
    if full and plan.denoise > 0.9999:
        wanted = (steps, steps)
    assert (given, total) == wanted


CAMERA = {"angle": "0:(2)", "zoom": "0:(1.08)", "translation_x": "0:(0)", "translation_y": "0:(0)"}
CAMERA |= {"transform_center_x": "0:(0.5)", "transform_center_y": "0:(0.5)"}
TIMING = {"num_frames": 5, "fps": 15.0, "diffusion_cadence": 2, "seed": 11, "seed_behavior": "iter", "seed_iter_N": 1}
TIMING |= {"strength_schedule": "0:(0.4)", "steps_schedule": "0:(10)", "cfg_scale_schedule": "0:(4)"}
TIMING |= {"noise_schedule": "0:(0)", "width": 128, "height": 96, "full_steps": False}


@pytest.mark.comfyui
def test_an_animation_of_stock_nodes_is_the_samplers(rendering):
    """KSampler, VAE and Depth Warp, a prompt a frame; Save Image cuts off what is under a level of 8 bits each time."""
    shared = {
        "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
        "prompts": {
            "class_type": "FramedriftPromptSchedule",
            "inputs": {"clip": ["model", 1], "text": '{"0": "dawn", "4": "storm"}', "blend": "linear", "negative": ""},
        },
        "camera": {"class_type": "FramedriftCamera2D", "inputs": CAMERA},
    }
    linked = {"prompts": ["prompts", 0], "camera": ["camera", 0]}
    sampler = {"model": ["model", 0], "vae": ["model", 2], **linked, **TIMING, "resume": "new run"}
    sampler |= {"sampler_name": "euler", "scheduler": "normal", "color_coherence": "none", "projection": "pinhole"}
    sampler |= {"near": 1.0, "far": 50.0, "border": "replicate", "sampling_mode": "bicubic", "hole_denoise": 1.0}
    sampler |= {"run_name": "stock"}
    whole = {**shared, "sampler": {"class_type": "FramedriftFrameFeedbackSampler", "inputs": sampler}}
    rendering.queue(whole)
    folder = max((rendering.base / "output" / "framedrift").glob("stock_*"))

    last = ""
    for index in range(3):
        prompt = {
            **shared,
            "values": {"class_type": "FramedriftFrameValues", "inputs": {"index": index, **linked, **TIMING}},
            "encode": {"class_type": "VAEEncode", "inputs": {"pixels": ["picture", 0], "vae": ["model", 2]}},
            "ksampler": {
                "class_type": "KSampler",
                "inputs": {
                    "model": ["model", 0], "latent_image": ["encode", 0], "sampler_name": "euler",
                    "scheduler": "normal",
                    **{name: ["values", OUTPUTS.index(name)] for name in
                       ("positive", "negative", "seed", "steps", "denoise", "cfg")},
                },
            },
            "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["ksampler", 0], "vae": ["model", 2]}},
            "save": {"class_type": "SaveImage", "inputs": {"images": ["decode", 0], "filename_prefix": "stock"}},
        }  # fmt: skip
        if index == 0:
            # The demo model's latents are pictures; mid-grey is its empty one.
            prompt["picture"] = {
                "class_type": "EmptyImage",
                "inputs": {"width": 128, "height": 96, "batch_size": 1, "color": 0x808080},
            }
        else:
            prompt["last"] = {"class_type": "LoadImage", "inputs": {"image": f"{last} [output]"}}
            warp = {"image": ["last", 0], "camera": ["camera", 0], "num_frames": 5, "fps": 15.0, "seed": 11}
            warp |= {"frame": ["values", OUTPUTS.index("frame")], "near": 1.0, "far": 50.0, "border": "replicate"}
            warp |= {"from_frame": ["values", OUTPUTS.index("previous_frame")], "sampling_mode": "bicubic"}
            prompt["picture"] = {"class_type": "FramedriftDepthWarp", "inputs": {**warp, "projection": "pinhole"}}
        last = rendering.queue(prompt)["save"]["images"][0]["filename"]
        stock = np.asarray(Image.open(rendering.base / "output" / last).convert("RGB"), np.int16)
        ours = np.asarray(Image.open(folder / "frames" / f"{2 * index:06d}.png").convert("RGB"), np.int16)
        assert stock.std() > 5
        difference = np.abs(stock - ours)
        assert difference.max() <= 5, (index, difference.max())
        assert difference.mean() < 1, (index, difference.mean())
