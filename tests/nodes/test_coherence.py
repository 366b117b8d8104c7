"""Coherence as a node, and in whole runs, headless, on the Procedural Model."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from framedrift.nodes.coherence import Coherence
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import Options
from framedrift.nodes.core.feedback.coherence import Coherence as Option
from framedrift.nodes.core.feedback.matching import color_quantiles
from framedrift.nodes.core.video.frames import Frames
from framedrift.nodes.headless import folders, progress
from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.runner import NodeError, node_classes, run_prompt

PLAIN = {
    "color_coherence": "LAB",
    "reference": "frame 0",
    "color_coherence_video_every_N_frames": 1,
    "palette": "",
    "color_force_grayscale": False,
    "contrast_schedule": "0:(1.0)",
    "kernel_schedule": "0:(5)",
    "sigma_schedule": "0:(1)",
    "amount_schedule": "0:(0)",
    "threshold_schedule": "0:(0)",
}
PROMPT = {
    "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
    "prompts": {
        "class_type": "FramedriftPromptSchedule",
        "inputs": {
            "clip": ["model", 1],
            "text": '{"0": "dawn sky", "2": "storm"}',
            "blend": "hold",
            "negative": "",
        },
    },
    "coherence": {"class_type": "FramedriftCoherence", "inputs": PLAIN},
    "sampler": {
        "class_type": "FramedriftFrameFeedbackSampler",
        "inputs": {
            "model": ["model", 0],
            "vae": ["model", 2],
            "prompts": ["prompts", 0],
            "options": ["coherence", 0],
            "width": 96,
            "height": 64,
            "num_frames": 5,
            "diffusion_cadence": 1,
            "seed": 7,
            "steps_schedule": "0:(4)",
            "cfg_scale_schedule": "0:(3)",
        },
    },
}


def option(**inputs) -> Option:
    (part,) = Coherence.execute(**PLAIN | inputs).args[0].all(Option)
    return part


def prompt(sampler=None, **coherence):
    made = copy.deepcopy(PROMPT)
    defaults = {
        entry.id: entry.as_dict()["default"]
        for entry in node_classes()["FramedriftFrameFeedbackSampler"].GET_SCHEMA().inputs
        if entry.as_dict().get("default") is not None
    }
    made["sampler"]["inputs"] = defaults | made["sampler"]["inputs"] | (sampler or {})
    made["coherence"]["inputs"] |= coherence
    return made


def run(root, made, **options):
    places = folders.Folders(output=root / "output", input=root / "input", temp=root / "temp", models=root / "models")
    return run_prompt(made, places, **options)


def frames(root, number=0) -> list[torch.Tensor]:
    run_folder = sorted((root / "output" / "framedrift").iterdir())[number]
    pictures = [np.asarray(Image.open(path), np.float32) for path in sorted((run_folder / "frames").glob("*.png"))]
    return [torch.from_numpy(picture / 255).permute(2, 0, 1)[None] for picture in pictures]


class TestNode:
    def test_defaults_match_lab_to_frame_0_and_sharpen_nothing(self):
        made = option()
        assert (made.match, made.reference, made.grayscale, made.image, dict(made.names)) == (
            "lab", "frame 0", False, None, {},
        )  # fmt: skip
        values = Options((made,)).sample(3, 0, 15.0).numbers
        assert {name: array[1] for name, array in values.items()} == {
            "contrast_schedule": 1, "kernel_schedule": 5, "sigma_schedule": 1, "amount_schedule": 0,
            "threshold_schedule": 0,
        }  # fmt: skip

    def test_pictures_and_clips_are_taken_as_they_come(self):
        picture = torch.rand(1, 6, 8, 3, generator=torch.Generator().manual_seed(1))
        made = option(reference="image", reference_image=picture)
        assert made.image is not None
        assert made.image.shape == (1, 3, 6, 8)
        fitted = option(
            reference="video", reference_video=picture.repeat(4, 1, 1, 1), color_coherence_video_every_N_frames=2
        ).fitted(15.0, (16, 24))
        assert isinstance(fitted.clip, Frames)
        assert (len(fitted.clip), fitted.clip.size, fitted.every_n_frames) == (4, (16, 24), 2)

    def test_a_palette_is_for_the_anchor_alone(self):
        text = "0: #204060 #e0b080, 2: #000"
        chain = Options((option(reference="slow anchor", palette=text),))
        # A single colour is repeated beside two.
        wanted = ["#204060 #e0b080", "#102030 #705840", "#000000"]
        assert chain.sample(3, 0, 15.0).names["palette"] == wanted
        assert option(palette=text).names == {}
        assert option(reference="slow anchor", palette=" ").names == {}

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"reference": "image"}, r"reference_image: nothing is linked.*frame 0"),
            ({"reference": "video"}, r"reference_video: nothing is linked"),
            ({"reference": "image", "reference_image": torch.zeros(3, 4, 4, 3)}, r"reference_image: 3 pictures"),
        ],
    )
    def test_references_that_are_not_there(self, inputs, words):
        with pytest.raises(FramedriftError, match=words):
            option(**inputs)

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"contrast_schedule": "0:(1"}, "contrast_schedule"),
            ({"amount_schedule": "0:(sni(t))"}, "amount_schedule"),
            ({"reference": "frame 1"}, "reference"),
            ({"color_coherence_video_every_N_frames": 0}, "color_coherence_video_every_N_frames"),
            ({"palette": "0: #fff, 9: #ggg"}, "palette, key 9, column 13"),
        ],
    )
    def test_what_can_be_known_before_anything_runs(self, inputs, words):
        assert Coherence.validate_inputs(**PLAIN) is True
        assert words in Coherence.validate_inputs(**PLAIN | inputs)

    def test_bounds_name_the_frame(self):
        with pytest.raises(FramedriftError, match=r"contrast_schedule is -1 at frame 2.*between 0 and 10"):
            Options((option(contrast_schedule="0:(1), 2:(-1)"),)).sample(3, 0, 15.0)
        with pytest.raises(FramedriftError, match=r"two Coherence nodes"):
            Coherence.execute(**PLAIN, options=Options((option(),)))


class TestRuns:
    def test_frames_keep_the_colours_of_frame_0(self, tmp_path):
        """The prompt turns from dawn to storm, and the colours stay."""
        run(tmp_path, prompt(color_coherence="none"))
        run(tmp_path, prompt())
        (loose, tight) = frames(tmp_path, 0), frames(tmp_path, 1)
        assert torch.equal(loose[0], tight[0])
        tables = [color_quantiles(picture, "lab") for picture in (tight[0], loose[-1], tight[-1])]
        assert (tables[1] - tables[0]).abs().mean() > 8
        assert (tables[2] - tables[0]).abs().mean() < 0.5

    def test_colours_of_an_image_from_frame_0_on(self, tmp_path):
        (tmp_path / "input").mkdir()
        ramp = np.linspace(40, 120, 48 * 48 * 3).reshape(48, 48, 3).astype(np.uint8)
        Image.fromarray(ramp).save(tmp_path / "input" / "reference.png")
        made = prompt(reference="image", reference_image=["picture", 0], color_coherence="RGB")
        made["picture"] = {"class_type": "LoadImage", "inputs": {"image": "reference.png"}}
        run(tmp_path, made)
        for picture in frames(tmp_path):
            assert (picture.mean((0, 2, 3)) - 80 / 255).abs().max() < 0.01
            assert picture.max() < 121 / 255

    def test_grey_and_sharper(self, tmp_path):
        run(tmp_path, prompt({"num_frames": 3}, color_force_grayscale=True))
        run(tmp_path, prompt({"num_frames": 3}, color_force_grayscale=True, amount_schedule="0:(2)"))
        soft, sharp = frames(tmp_path, 0), frames(tmp_path, 1)
        assert all(torch.equal(picture[:, 0], picture[:, 2]) for picture in (*soft, *sharp))
        assert torch.equal(soft[0], sharp[0]), "frame 0 comes from nothing"
        edges = [float(picture.diff(dim=3).abs().mean()) for picture in (soft[2], sharp[2])]
        assert edges[1] > 1.02 * edges[0]

    @pytest.mark.parametrize("reference", ["frame 0", "previous frame", "slow anchor"])
    def test_an_interrupted_run_goes_on_bit_for_bit(self, tmp_path, reference):
        def stop(node_id, name, value, total):
            if node_id == "sampler" and value >= total / 2:
                progress.interrupt()

        made = prompt(reference=reference, palette="0: #204060 #e0b080, 4: #fff", color_coherence="HSV")
        whole, broken = tmp_path / "whole", tmp_path / "broken"
        run(whole, made)
        with pytest.raises(progress.Interrupted):
            run(broken, made, watcher=stop)
        assert 0 < len(frames(broken)) < 5
        run(broken, made)
        assert all(torch.equal(a, b) for a, b in zip(frames(whole), frames(broken), strict=True))

    def test_what_is_not_used_begins_no_run(self, tmp_path):
        short = {"num_frames": 2}
        run(tmp_path, prompt(short, color_coherence="none"))
        run(tmp_path, prompt(short, color_coherence="none", palette="#fff", reference="previous frame"))
        assert len(list((tmp_path / "output" / "framedrift").iterdir())) == 1
        run(tmp_path, prompt(short, color_coherence="none", palette="#fff", reference="slow anchor"))
        run(tmp_path, prompt(short, color_coherence="none", palette="#eee", reference="slow anchor"))
        run(
            tmp_path,
            prompt(short, color_coherence="none", palette="#eee", reference="slow anchor", amount_schedule="1"),
        )
        assert len(list((tmp_path / "output" / "framedrift").iterdir())) == 4

    @pytest.mark.parametrize(
        "change", [{"palette": "0: #12"}, {"threshold_schedule": "0:(-1)"}, {"reference": "image"}]
    )
    def test_bad_input_is_refused_before_the_first_frame(self, tmp_path, change):
        with pytest.raises((PromptError, NodeError), match=next(iter(change))):
            run(tmp_path, prompt(**change))
        assert not (tmp_path / "output" / "framedrift").exists()
