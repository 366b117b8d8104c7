"""Bad input for option nodes: refused before the first frame, by the node that it is given to, in words that help."""

import re
from typing import Any

import pytest
import torch

from framedrift.nodes.core.video.frames import BatchFrames
from framedrift.nodes.headless import folders
from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.runner import NodeError, node_classes, run_prompt
from framedrift.nodes.host import io as host_io

SIZE = 64
NAN = float("nan")


def pictures(count=1, channels=3, height=SIZE, width=SIZE):
    return torch.rand(count, height, width, channels, generator=torch.Generator().manual_seed(1))


def broken(stack):
    return torch.cat([stack[:1], torch.full_like(stack[:1], NAN), stack[1:]])


#: What rows link: "@name" stands for it.
LINKS: dict[str, Any] = {
    "one": pictures(),
    "three": pictures(3),
    "none": pictures(0),
    "grey": pictures(channels=1),
    "greys": pictures(3, 1),
    "rgba": pictures(channels=4),
    "two channels": pictures(channels=2),
    "bytes": pictures().mul(255).byte(),
    "no pixels": pictures(height=0, width=0),
    "tiny": pictures(height=1, width=1),
    "wide": pictures(height=20, width=400),
    "nan": torch.full_like(pictures(), NAN),
    "infinite": torch.full_like(pictures(), float("inf")),
    "nans": broken(pictures(2)),
    "mask": pictures()[..., 0],
    "masks": pictures(3)[..., 0],
    "wide mask": pictures(height=20, width=400)[..., 0],
    "no mask": pictures(0)[..., 0],
    "nan mask": torch.full_like(pictures()[..., 0], NAN),
    "nan masks": broken(pictures(2)[..., 0]),
    "gaps": BatchFrames(pictures(2), 15.0, indices=[0, 2]),
    "one frame": BatchFrames(pictures(), 15.0),
    "no frames": BatchFrames(pictures(0), 15.0),
    "text": "hello",
    "number": 3,
    "nothing": None,
    "latent": {"samples": torch.zeros(1, 4, 8, 8)},
}


class Given(host_io.ComfyNode):
    """Hands on whatever a row links, as other packs' wildcard outputs do."""

    @classmethod
    def define_schema(cls):
        outputs = [host_io.Custom("*").Output("given")]
        return host_io.Schema(node_id="TestGiven", category="t", inputs=[host_io.String.Input("name")], outputs=outputs)

    @classmethod
    def execute(cls, name):
        return host_io.NodeOutput(LINKS[name])


CLASSES = node_classes() | {"TestGiven": Given}
COHERENCE, NOISE, MASKS, CONTROL = "Coherence", "Noise", "Masks", "Control"
GUIDES, HYBRID, REDO, SAMPLING = "Guide Images", "Hybrid Video", "Redo", "Sampling Schedules"
IDS = {cls.GET_SCHEMA().display_name: name for name, cls in CLASSES.items()}


def defaults(kind):
    inputs = CLASSES[kind].INPUT_TYPES().get("required", {})
    return {name: spec[1]["default"] for name, spec in inputs.items() if len(spec) > 1 and "default" in spec[1]}


def node(kind, inputs):
    return {"class_type": kind, "inputs": defaults(kind) | inputs}


def animation(title, inputs):
    """Three small frames with one option node, which has these inputs."""
    sampler = {"model": ["model", 0], "vae": ["model", 2], "prompts": ["prompts", 0], "options": ["option", 0]}
    sampler |= {"width": SIZE, "height": SIZE, "num_frames": 3, "diffusion_cadence": 1, "steps_schedule": "2"}
    made = {
        "model": node("FramedriftProceduralModel", {}),
        "prompts": node("FramedriftPromptSchedule", {"clip": ["model", 1], "text": "0: a red sky"}),
        "option": node(IDS[title], dict(inputs)),
        "sampler": node("FramedriftFrameFeedbackSampler", sampler),
    }
    for name, value in inputs.items():
        if isinstance(value, str) and value.startswith("@"):
            made[value] = node("TestGiven", {"name": value[1:]})
            made["option"]["inputs"][name] = [value, 0]
    return made


def run(place, title, inputs):
    places = folders.Folders(place / "output", place / "input", place / "temp", place / "models")
    run_prompt(animation(title, inputs), places, CLASSES)
    return sorted((place / "output").rglob("frames/*.png"))


IMAGE, VIDEO = {"reference": "image"}, {"reference": "video"}
COMPOSITE = {"hybrid_composite": "normal"}
NET = {"control_net": "@latent"}

#: Said before anything runs: node, inputs, words.
AT_ONCE = [
    (COHERENCE, IMAGE, r"reference_image: nothing is linked, and reference is 'image'"),
    (COHERENCE, VIDEO, r"reference_video: nothing is linked, and reference is 'video'"),
    (COHERENCE, {"reference": "frame0"}, r"reference is 'frame0'.*must be one of: frame 0"),
    (COHERENCE, {"contrast_schedule": "0:(11)"}, r"contrast_schedule is 11 at frame 0.*between 0 and 10"),
    (COHERENCE, {"contrast_schedule": ""}, r"contrast_schedule: the text is empty; write a number"),
    (COHERENCE, {"kernel_schedule": "7:(0)"}, r"kernel_schedule is 0 .*between 1 and 255"),
    (COHERENCE, {"palette": "0: #204060, 9: red"}, r"palette, key 9, column 16: 'red' is no colour; write #rrggbb"),
    (COHERENCE, {"palette": "red"}, r"palette.*'red' is no colour"),
    (COHERENCE, {"color_force_grayscale": "maybe"}, r"color_force_grayscale is 'maybe'.*true or false"),
    (NOISE, {"noise_type": "perlinn"}, r"noise_type is 'perlinn'.*gaussian, uniform, perlin, clouds"),
    (NOISE, {"perlin_octaves": 2.5}, r"perlin_octaves is 2.5, and must be a whole number"),
    (NOISE, {"perlin_w": NAN}, r"perlin_w is nan, and must be between 0.1 and 16.0"),
    (NOISE, {"noise_multiplier_schedule": "-1"}, r"noise_multiplier_schedule is -1 at frame 0"),
    (NOISE, {"noise_multiplier_schedule": "0:(1), 5:(nan)"}, r"noise_multiplier_schedule, key 5, column \d+: 'nan'"),
    (MASKS, {}, r"mask, image, mask_video, noise_mask: nothing is linked"),
    (MASKS, {"use_noise_mask": True}, r"nothing is linked; link one of them"),
    (MASKS, {"mask": "@mask", "image": "@rgba"}, r"mask and image are linked; only one"),
    (MASKS, {"mask": "@mask", "mask_blur": -1}, r"mask_blur is -1.0, and must be between 0.0 and 256.0"),
    (CONTROL, NET, r"image: nothing is linked, and source is 'image'"),
    (CONTROL, NET | {"source": "video", "image": "@one"}, r"video: nothing is linked, and source is 'video'"),
    (CONTROL, {"image": "@one"}, r"control_net is missing"),
    (CONTROL, NET | {"image": "@one", "guidance_end": "50"}, r"guidance_end is 50 at frame 0.*between 0 and 1"),
    (GUIDES, {}, r"start_image, end_image, images: nothing is linked"),
    (GUIDES, {"keyframes": "1", "end_image": "@one"}, r"images: nothing is linked, and keyframes names 1"),
    (GUIDES, {"images": "@one"}, r"keyframes is empty, and images is linked: name a frame"),
    (GUIDES, {"images": "@one", "keyframes": "1; 2"}, r"keyframes, '1; 2': ';' cannot stand.*such as 24, max_f/2"),
    (GUIDES, {"start_image": "@one", "image_strength_schedule": "2"}, r"image_strength_schedule is 2 at frame 0"),
    (HYBRID, COMPOSITE, r"video is missing: it needs a link of type FRAMEDRIFT_FRAMES or IMAGE or VIDEO"),
    (HYBRID, {"video": "@three", "hybrid_motion": "flow"}, r"hybrid_motion is 'flow'.*optical flow, perspective"),
    (HYBRID, {"video": "@three", "hybrid_comp_alpha_schedule": "1.5"}, r"hybrid_comp_alpha_schedule is 1.5"),
    (REDO, {"diffusion_redo": 11}, r"diffusion_redo is 11, and must be between 0 and 10"),
    (REDO, {"reroll_blank_frames": "retry"}, r"reroll_blank_frames is 'retry'.*ignore, reroll, interrupt"),
    (REDO, {"redo_flow_factor_schedule": "0:(11)"}, r"redo_flow_factor_schedule is 11 at frame 0"),
    (
        SAMPLING,
        {"sampler_schedule": '0: ("euler"), 60: ("eulr")'},
        r"sampler_schedule, key 60: .*'eulr'; near it: 'eul",
    ),
    (SAMPLING, {"scheduler_schedule": "kerras"}, r"scheduler_schedule.*'kerras'; near it: 'karras'"),
    (SAMPLING, {"clipskip_schedule": "0:(0)"}, r"clipskip_schedule is 0 at frame 0.*between 1 and 12"),
    (
        "Checkpoint Schedule",
        {"checkpoint_schedule": "0: ("},
        r"checkpoint_schedule, key 0, column 4: '\(' is not closed",
    ),
    ("LoRA Schedule", {"lora_name": "none.safetensors"}, r"lora_name is 'none.safetensors'"),
]

#: Said by the node itself, as only the link tells.
BY_THE_NODE = [
    *(
        (title, {**needed, field: f"@{link}"}, rf"\): {field}: {words}")
        for title, needed, field in [
            (COHERENCE, IMAGE, "reference_image"),
            (COHERENCE, VIDEO, "reference_video"),
            (CONTROL, NET, "image"),
            (CONTROL, NET | {"source": "video"}, "video"),
            (GUIDES, {}, "start_image"),
            (GUIDES, {"keyframes": "1"}, "images"),
            (HYBRID, COMPOSITE, "video"),
            (MASKS, {}, "mask_video"),
        ]
        for link, words in [
            ("none", "the batch is empty; give at least one"),
            ("two channels", "64x64 pixels with 2 channels are no picture"),
            ("no pixels", "0x0 pixels"),
            ("bytes", r"pictures are wanted.*type uint8"),
            ("mask", r"pictures are wanted.*shape \(1, 64, 64\).*Convert Mask to Image"),
            ("nan", r"number 1 of 1 has pixels that are no numbers"),
            ("infinite", "number 1 of 1 has pixels that are no numbers"),
        ]
    ),
    *(
        (title, {**needed, field: f"@{link}"}, rf"\): {field}: {words}")
        for title, needed, field in [
            (COHERENCE, VIDEO, "reference_video"),
            (CONTROL, NET | {"source": "video"}, "video"),
            (HYBRID, COMPOSITE, "video"),
            (MASKS, {}, "mask_video"),
        ]
        for link, words in [
            ("text", "needs FRAMES, IMAGE or VIDEO, got str"),
            ("no frames", "there are no frames in it"),
            ("nans", "number 2 of 3 has pixels that are no numbers"),
        ]
    ),
    (COHERENCE, IMAGE | {"reference_image": "@three"}, r"reference_image: 3 pictures; it takes one\. Choose it, or"),
    (COHERENCE, IMAGE | {"reference_image": "@text"}, r"reference_image: pictures are wanted.*type str"),
    (COHERENCE, {"contrast_schedule": "@one"}, r"contrast_schedule: one number a frame is wanted, not a table"),
    (COHERENCE, {"contrast_schedule": "@nothing"}, r"contrast_schedule: None is no schedule; give a number"),
    (
        COHERENCE,
        {"palette": "@number", "reference": "slow anchor"},
        r"palette: a text is wanted; what is linked is of the type int",
    ),
    (COHERENCE, {"options": "@one"}, r"options: link another option node; what is linked is of the type Tensor"),
    (NOISE, {"options": "@latent"}, r"options: link another option node"),
    (CONTROL, NET | {"image": "@three"}, r"image: 3 pictures; a still is one\. Link them to video"),
    (GUIDES, {"start_image": "@three"}, r"start_image: 3 pictures; it takes one\. Put the others into images"),
    (GUIDES, {"images": "@three", "keyframes": "1"}, r"keyframes names 1 frames, and images holds 3 pictures"),
    (GUIDES, {"images": "@one", "keyframes": "@number"}, r"keyframes: a text is wanted"),
    (MASKS, {"mask": "@no mask"}, r"mask: a mask has the axes \(batch, height, width\), this has \(0, 64, 64\)"),
    (MASKS, {"mask": "@one"}, r"mask: a mask has the axes.*Convert Image to Mask makes one"),
    (MASKS, {"mask": "@text"}, r"mask: a MASK is wanted; what is linked is of the type str"),
    (MASKS, {"mask": "@nan mask"}, r"mask: number 1 of 1 has pixels that are no numbers"),
    (MASKS, {"mask": "@nan masks"}, r"mask: number 2 of 3 has pixels that are no numbers"),
    (MASKS, {"image": "@one"}, r"image: it has 3 channels, so no alpha; link a picture with four"),
    (MASKS, {"noise_mask": "@masks"}, r"noise_mask: 3 masks; the noise takes one"),
    (MASKS, {"noise_mask": "@nan mask"}, r"noise_mask: number 1 of 1 has pixels"),
    (
        SAMPLING,
        {"sampler_schedule": "@text"},
        r"sampler_schedule, key 0: there is no sampler 'hello'; there are 'euler'",
    ),
    (SAMPLING, {"sampler_schedule": "@number"}, r"sampler_schedule: a text is wanted"),
]

#: Said by the sampler, as only it knows the animation's size and length; no run is begun.
BY_THE_SAMPLER = [
    (COHERENCE, {"contrast_schedule": "0:(1), 2:(-1)"}, r"contrast_schedule is -1 at frame 2; it must lie between"),
    (COHERENCE, {"amount_schedule": "0:(1/t)"}, r"amount_schedule, key 0, column 4: \(1/t\) is infinite at frame 0"),
    (MASKS, {"mask": "@wide mask"}, r"mask: it is 400x20, which is another shape than the animation's 64x64"),
    (MASKS, {"noise_mask": "@wide mask"}, r"noise_mask: it is 400x20"),
    (GUIDES, {"images": "@three", "keyframes": "0, 1, 1"}, r"frame 1 has two pictures, picture 2 .* and picture 3"),
    (GUIDES, {"end_image": "@one", "images": "@one", "keyframes": "max_f"}, r"frame 2 has two pictures"),
    (HYBRID, COMPOSITE | {"video": "@three", "hybrid_comp_mask_type": "depth"}, r"'depth' needs a depth model; link"),
]

#: Odd, and fine: node, inputs, how many frames are made.
TAKEN = [
    (COHERENCE, IMAGE | {"color_coherence": "none"}, 3),
    (COHERENCE, {"contrast_schedule": "0:(1), 99:(1)"}, 3),
    (COHERENCE, IMAGE | {"reference_image": "@grey"}, 3),
    (COHERENCE, IMAGE | {"reference_image": "@tiny"}, 3),
    (COHERENCE, VIDEO | {"reference_video": "@greys"}, 3),
    (COHERENCE, VIDEO | {"reference_video": "@one frame"}, 3),
    (COHERENCE, VIDEO | {"reference_video": "@gaps"}, 3),
    (MASKS, {"mask_video": "@greys"}, 3),
    (MASKS, {"mask_video": "@one frame"}, 1),
    (MASKS, {"image": "@rgba"}, 3),
    (GUIDES, {"start_image": "@wide"}, 3),
    (GUIDES, {"end_image": "@grey"}, 3),
    (HYBRID, COMPOSITE | {"video": "@greys", "hybrid_motion": "optical flow"}, 3),
    (HYBRID, COMPOSITE | {"video": "@gaps"}, 3),
    (HYBRID, COMPOSITE | {"video": "@one frame", "hybrid_motion": "perspective"}, 1),
]


def named(value):
    if isinstance(value, dict):
        return ",".join(f"{name}={given}" for name, given in value.items()) or "nothing"
    return value if value in IDS else ""


def refused(place, kind, title, inputs, words, by):
    with pytest.raises(kind) as caught:
        run(place, title, inputs)
    said = str(caught.value)
    assert re.search(words, said), said
    assert f'"{by}"' in said
    assert not list((place / "output").rglob("*")), "a run was begun"


@pytest.mark.parametrize(("title", "inputs", "words"), AT_ONCE, ids=named)
def test_what_is_typed_or_not_linked_is_refused_before_anything_runs(tmp_path, title, inputs, words):
    refused(tmp_path, PromptError, title, inputs, words, title)


@pytest.mark.parametrize(("title", "inputs", "words"), BY_THE_NODE, ids=named)
def test_what_is_linked_is_refused_by_its_node(tmp_path, title, inputs, words):
    refused(tmp_path, NodeError, title, inputs, words, title)


@pytest.mark.parametrize(("title", "inputs", "words"), BY_THE_SAMPLER, ids=named)
def test_what_only_the_animation_tells_is_refused_before_the_first_frame(tmp_path, title, inputs, words):
    refused(tmp_path, NodeError, title, inputs, words, "Frame Feedback Sampler")


@pytest.mark.parametrize(("title", "inputs", "frames"), TAKEN, ids=named)
def test_what_is_odd_is_taken(tmp_path, title, inputs, frames):
    assert len(run(tmp_path, title, inputs)) == frames
