"""Every option node in a running ComfyUI, on the Procedural Model: it runs, and changes the pictures."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from framedrift.nodes.headless.runner import node_classes

pytestmark = pytest.mark.comfyui

SIZE, FRAMES = 64, 4
#: Nodes that hand on options but need other models, or a file to import; tests of their own have them.
ELSEWHERE = {"FramedriftImportAnimation", "FramedriftControl", "FramedriftCheckpointSchedule", "FramedriftLoraSchedule"}
ROWS: dict[str, dict[str, Any]] = {
    "coherence": {"class_type": "FramedriftCoherence", "inputs": {"contrast_schedule": "0:(1.1)"}},
    "coherence, image": {
        "class_type": "FramedriftCoherence",
        "inputs": {"reference": "image", "reference_image": ["picture", 0]},
    },
    "coherence, video": {
        "class_type": "FramedriftCoherence",
        "inputs": {"reference": "video", "reference_video": ["clip", 0], "color_coherence": "RGB"},
    },
    "coherence, anchor": {
        "class_type": "FramedriftCoherence",
        "inputs": {"reference": "slow anchor", "palette": "0: #204060 #e0b080"},
    },
    "noise": {"class_type": "FramedriftNoise", "inputs": {"noise_type": "perlin"}},
    "noise, multiplier": {"class_type": "FramedriftNoise", "inputs": {"noise_multiplier_schedule": "0:(1.3)"}},
    "masks": {"class_type": "FramedriftMasks", "inputs": {"mask": ["half", 0]}},
    "masks, video": {"class_type": "FramedriftMasks", "inputs": {"mask_video": ["clip", 0]}},
    "guides": {
        "class_type": "FramedriftGuideImages",
        "inputs": {"start_image": ["picture", 0], "images": ["picture", 0], "keyframes": "2"},
    },
    "hybrid": {
        "class_type": "FramedriftHybridVideo",
        "inputs": {"video": ["clip", 0], "hybrid_composite": "normal", "hybrid_motion": "optical flow"},
    },
    "redo": {
        "class_type": "FramedriftRedo",
        "inputs": {"diffusion_redo": 1, "optical_flow_redo_generation": "dis"},
    },
    "sampling": {
        "class_type": "FramedriftSamplingSchedules",
        "inputs": {"sampler_schedule": '0: ("heun"), 2: ("euler_ancestral")', "eta_schedule": "0:(0.5)"},
    },
}


def with_defaults(node):
    known = node_classes().get(node["class_type"])
    wanted = known.INPUT_TYPES()["required"] if known is not None else {}
    given = {name: spec[1]["default"] for name, spec in wanted.items() if len(spec) > 1 and "default" in spec[1]}
    return node | {"inputs": given | node["inputs"]}


def animation(option=None):
    """A prompt of few small frames, with this option node."""
    sampler = {"model": ["model", 0], "vae": ["model", 2], "prompts": ["prompts", 0], "width": SIZE, "height": SIZE}
    sampler |= {"num_frames": FRAMES, "diffusion_cadence": 1, "steps_schedule": "0:(12)", "noise_schedule": "0:(0.1)"}
    sampler |= {"resume": "new run", "run_name": "options"}
    half = {"width": SIZE // 2, "height": SIZE, "value": 1.0}
    prompt = {
        "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
        "prompts": {"class_type": "FramedriftPromptSchedule", "inputs": {"clip": ["model", 1], "text": "0: a red sky"}},
        "sampler": {"class_type": "FramedriftFrameFeedbackSampler", "inputs": sampler},
    }
    if option is not None:
        # Stock nodes: a plain picture, a clip that drifts, and a mask of one half.
        prompt |= {
            "picture": {"class_type": "LoadImage", "inputs": {"image": "options.png"}},
            "more": {"class_type": "RepeatImageBatch", "inputs": {"image": ["picture", 0], "amount": FRAMES}},
            "clip": {"class_type": "FramedriftImagesToFrames", "inputs": {"images": ["more", 0]}},
            "black": {"class_type": "SolidMask", "inputs": half | {"width": SIZE, "value": 0.0}},
            "white": {"class_type": "SolidMask", "inputs": half},
            "half": {
                "class_type": "MaskComposite",
                "inputs": {
                    "destination": ["black", 0], "source": ["white", 0], "x": 0, "y": 0, "operation": "add",
                },
            },
            "option": option,
        }  # fmt: skip
        prompt["sampler"]["inputs"]["options"] = ["option", 0]
    return {name: with_defaults(node) for name, node in prompt.items()}


def frames(server, option=None):
    """The pictures of an animation with this option node, (FRAMES, H, W, 3)."""
    server.queue(animation(option))
    newest = max((server.base / "output" / "framedrift").glob("options_*"))
    found = []
    for path in sorted((newest / "frames").glob("*.png")):
        with Image.open(path) as opened:
            found.append(np.asarray(opened, np.float32))
    return np.stack(found)


@pytest.fixture(scope="module")
def plain_frames():
    return {}


@pytest.fixture
def plain(rendering, plain_frames):
    """The frames without any option, made once; and the picture that options link, in the input folder."""
    if not plain_frames:
        rows, columns = np.mgrid[:SIZE, :SIZE]
        picture = np.stack([columns * 4, rows * 4, 128 + 100 * np.sin(columns / 5) * np.sin(rows / 5)], -1)
        Image.fromarray(picture.astype(np.uint8)).save(rendering.base / "input" / "options.png")
        plain_frames["plain"] = frames(rendering)
    return plain_frames["plain"]


def test_every_option_node_is_here():
    hands_on = {
        name
        for name, cls in node_classes().items()
        if any(output.io_type == "FRAMEDRIFT_OPTIONS" for output in cls.GET_SCHEMA().outputs)
    }
    assert hands_on == {row["class_type"] for row in ROWS.values()} | ELSEWHERE


@pytest.mark.parametrize("row", ROWS)
def test_it_runs_and_changes_the_pictures(rendering, plain, row):
    made = frames(rendering, ROWS[row])
    assert made.shape == plain.shape == (FRAMES, SIZE, SIZE, 3)
    assert np.abs(made - plain)[1:].mean() > 0.5


@pytest.mark.parametrize(
    ("name", "inputs", "words"),
    [
        ("Coherence", {"reference": "image"}, "reference_image: nothing is linked, and reference is 'image'"),
        ("Noise", {"noise_multiplier_schedule": "0:(11)"}, "noise_multiplier_schedule is 11 at frame 0"),
        ("Masks", {}, "mask, image, mask_video, noise_mask: nothing is linked"),
        ("GuideImages", {"images": ["picture", 0]}, "keyframes is empty, and images is linked"),
        ("SamplingSchedules", {"sampler_schedule": '0: ("eulr")'}, "there is no sampler 'eulr'; near it: 'euler'"),
        ("CheckpointSchedule", {"checkpoint_schedule": '7: ("none.safetensors")'}, "key 7: there is no checkpoint"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_queued(rendering, plain, name, inputs, words):
    option = {"class_type": f"Framedrift{name}", "inputs": inputs}
    status, answer = rendering.post("/prompt", {"prompt": animation(option)})
    assert status == 400
    said = [error["details"] for error in answer["node_errors"]["option"]["errors"]]
    # ComfyUI says it once for each of the node's inputs.
    assert said and all(words in details for details in said)
