"""Hybrid Video as a node and in whole runs, headless, on the Procedural Model."""

import copy
import io
import logging
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.hybrid import Hybrid
from framedrift.nodes.core.video.frames import BatchFrames
from framedrift.nodes.headless import folders, progress
from framedrift.nodes.headless.prompt import PromptError
from framedrift.nodes.headless.runner import NodeError, node_classes, run_prompt
from framedrift.nodes.headless.video import VideoFile
from framedrift.nodes.host import io as host_io
from framedrift.nodes.hybrid import HybridVideo

H, W = 64, 96


def clip(length=8, step=3):
    """Waves that wander to the right, (length, H, W, 3)."""
    y, x = np.mgrid[0:H, 0:W].astype(float)

    def picture(n):
        u = x - step * n
        waves = np.sin(u / 5 + y / 9) + np.sin(u / 11 - y / 6) + np.sin(y / 4 + u / 30)
        return np.stack([0.5 + waves / 8, 0.5 - waves / 9, 0.5 + np.sin(u / 7) / 4], -1)

    return torch.from_numpy(np.stack([picture(n) for n in range(length)])).float()


class Clip(host_io.ComfyNode):
    """Gives a prompt the clip that a test chose."""

    @classmethod
    def define_schema(cls):
        return host_io.Schema(node_id="TestClip", category="t", inputs=[], outputs=[host_io.Image.Output("image")])

    @classmethod
    def execute(cls):
        return host_io.NodeOutput(CLIPS["given"])


CLIPS: dict = {}

PROMPT = {
    "model": {"class_type": "FramedriftProceduralModel", "inputs": {}},
    "prompts": {
        "class_type": "FramedriftPromptSchedule",
        "inputs": {"clip": ["model", 1], "text": '{"0": "dawn sky"}', "blend": "linear", "negative": ""},
    },
    "clip": {"class_type": "TestClip", "inputs": {}},
    "hybrid": {"class_type": "FramedriftHybridVideo", "inputs": {"video": ["clip", 0]}},
    "sampler": {
        "class_type": "FramedriftFrameFeedbackSampler",
        "inputs": {
            "model": ["model", 0],
            "vae": ["model", 2],
            "prompts": ["prompts", 0],
            "options": ["hybrid", 0],
            "width": W,
            "height": H,
            "num_frames": 5,
            "seed": 7,
            "strength_schedule": "0:(0.6)",
            "steps_schedule": "0:(4)",
            "cfg_scale_schedule": "0:(3)",
            "noise_schedule": "0:(0.02)",
            "diffusion_cadence": 1,
        },
    },
}


def defaults(node):
    known = node.INPUT_TYPES()
    listed = {**known.get("required", {}), **known.get("optional", {})}
    return {name: spec[1]["default"] for name, spec in listed.items() if len(spec) > 1 and "default" in spec[1]}


def option(video, **inputs) -> Hybrid:
    return HybridVideo.execute(video=video, **{**defaults(HybridVideo), **inputs}).args[0].only(Hybrid)


def prompt(sampler=None, **hybrid):
    made = copy.deepcopy(PROMPT)
    classes = node_classes()
    made["sampler"]["inputs"] = defaults(classes["FramedriftFrameFeedbackSampler"]) | made["sampler"]["inputs"]
    made["sampler"]["inputs"] |= sampler or {}
    known = defaults(HybridVideo)
    known = {name: known[name] for name in HybridVideo.INPUT_TYPES()["required"] if name in known}
    made["hybrid"]["inputs"] |= known | hybrid
    return made


def run(root, made, video=None, **options):
    CLIPS["given"] = clip() if video is None else video
    places = folders.Folders(output=root / "output", input=root / "input", temp=root / "temp", models=root / "models")
    run_prompt(made, places, node_classes() | {"TestClip": Clip}, **options)
    newest = max((root / "output" / "framedrift").iterdir(), key=lambda path: path.name)
    frames = [np.asarray(Image.open(path)) for path in sorted((newest / "frames").glob("*.png"))]
    return [torch.from_numpy(frame.copy()).permute(2, 0, 1)[None] / 255 for frame in frames]


# ---------------------------------------------------------------- the node


def test_what_is_left_out_is_deforums_default():
    required = dict.fromkeys(HybridVideo.INPUT_TYPES()["required"])
    given = {name: value for name, value in defaults(HybridVideo).items() if name in required}
    sparse = HybridVideo.execute(video=clip(), **given).args[0].only(Hybrid)
    whole = option(clip())
    assert {name: str(s.text) for name, s in sparse.schedules.items()} == {
        "hybrid_comp_alpha_schedule": "0:(0.5)",
        "hybrid_comp_mask_blend_alpha_schedule": "0:(0.5)",
        "hybrid_comp_mask_contrast_schedule": "0:(1)",
        "hybrid_comp_mask_auto_contrast_cutoff_low_schedule": "0:(0)",
        "hybrid_comp_mask_auto_contrast_cutoff_high_schedule": "0:(100)",
        "hybrid_flow_factor_schedule": "0:(1)",
    }
    assert set(sparse.schedules) == set(Hybrid.BOUNDS)
    fit = [one.fitted(15.0, (H, W)).signature() for one in (sparse, whole)]
    assert fit[0] == fit[1]


def test_every_input_reaches_the_core():
    changed = {
        "hybrid_composite": ("composite", "after generation"),
        "hybrid_comp_mask_type": ("mask_type", "video depth"),
        "hybrid_comp_mask_inverse": ("mask_inverse", True),
        "hybrid_comp_mask_equalize": ("mask_equalize", "both"),
        "hybrid_comp_mask_auto_contrast": ("mask_auto_contrast", True),
        "hybrid_motion": ("motion", "affine"),
        "hybrid_flow_method": ("flow_method", "farneback"),
        "hybrid_flow_consistency": ("flow_consistency", True),
        "hybrid_consistency_blur": ("consistency_blur", 5.0),
        "hybrid_motion_use_prev_img": ("use_prev_img", True),
        "hybrid_use_first_frame_as_init_image": ("use_first_frame", False),
    }
    for name, (field, value) in changed.items():
        assert getattr(option(clip()), field) != value, name
        assert getattr(option(clip(), **{name: value}), field) == value
    for name in Hybrid.BOUNDS:
        assert option(clip(), **{name: "0:(0.125)"}).schedules[name].text == "0:(0.125)"
    named = {*changed, *Hybrid.BOUNDS, "options", "video"}
    assert {entry.id for entry in HybridVideo.GET_SCHEMA().inputs} == named


def test_only_one_counts():
    first = HybridVideo.execute(video=clip(), **defaults(HybridVideo)).args[0]
    with pytest.raises(FramedriftError, match="there are two Hybrid Video nodes"):
        HybridVideo.execute(options=first, video=clip(), **defaults(HybridVideo))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"hybrid_composite": "behind"}, "hybrid_composite"),
        ({"hybrid_consistency_blur": 17.0}, "hybrid_consistency_blur is 17"),
        ({"hybrid_comp_alpha_schedule": "0:(half)"}, "hybrid_comp_alpha_schedule"),
        ({"hybrid_flow_factor_schedule": "0(1)"}, "hybrid_flow_factor_schedule"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(tmp_path, inputs, said):
    with pytest.raises(PromptError, match=said):
        run(tmp_path, prompt(**inputs))


def test_a_schedule_out_of_bounds_names_its_frame(tmp_path):
    with pytest.raises(NodeError, match=r"hybrid_comp_alpha_schedule is 1\.5 at frame 3; it must lie between 0 and 1"):
        run(tmp_path, prompt(hybrid_comp_alpha_schedule="0:(0.5), 2:(0.5), 3:(1.5)"))


# ---------------------------------------------------------------- runs


def test_after_generation_the_video_itself_is_shown(tmp_path):
    frames = run(tmp_path, prompt(hybrid_composite="after generation", hybrid_comp_alpha_schedule="0:(1)"))
    assert len(frames) == 5
    for number, frame in enumerate(frames):
        assert float((frame - clip()[number].permute(2, 0, 1)[None]).abs().max()) < 0.51 / 255


def test_composites_and_motion_change_frames_and_come_out_the_same_twice(tmp_path):
    made = {}
    for number, settings in enumerate(
        [
            {},
            {"hybrid_composite": "normal"},
            {"hybrid_composite": "before motion", "hybrid_motion": "optical flow"},
            {"hybrid_composite": "normal", "hybrid_motion": "optical flow"},
            {"hybrid_motion": "perspective"},
        ]
    ):
        made[number] = run(tmp_path / str(number), prompt(**settings))
        again = run(tmp_path / f"{number} again", prompt(**settings))
        assert all(torch.equal(one, other) for one, other in zip(made[number], again, strict=True))
    last = [frames[-1] for frames in made.values()]
    assert all(not torch.equal(one, other) for place, one in enumerate(last) for other in last[:place])
    # A composite holds on to the video.
    video = clip()[4].permute(2, 0, 1)[None]
    assert float((last[1] - video).abs().mean()) < 0.8 * float((last[0] - video).abs().mean())


def test_at_strength_1_the_animation_moves_as_the_video_does(tmp_path):
    settings = {"strength_schedule": "0:(1)", "noise_schedule": "0:(0)", "hole_denoise": 0.0}
    frames = run(tmp_path, prompt(settings, hybrid_motion="optical flow"))
    # The video goes 3 px to the right a frame: frame 0 is found again 12 px further on in frame 4.
    apart = (frames[4][..., 16:-4] - frames[0][..., 4:-16]).abs().mean()
    unmoved = (frames[4][..., 16:-4] - frames[0][..., 16:-4]).abs().mean()
    assert float(apart) < 0.25 * float(unmoved)


def test_a_cadence_takes_the_motion_of_all_frames_between(tmp_path):
    settings = {"strength_schedule": "0:(1)", "noise_schedule": "0:(0)", "hole_denoise": 0.0, "diffusion_cadence": 2}
    frames = run(tmp_path, prompt(settings, hybrid_motion="affine"))
    assert len(frames) == 3
    apart = (frames[2][..., 16:-4] - frames[0][..., 4:-16]).abs().mean()
    unmoved = (frames[2][..., 16:-4] - frames[0][..., 16:-4]).abs().mean()
    assert float(apart) < 0.25 * float(unmoved)


def test_the_first_picture_is_the_videos_unless_told_otherwise(tmp_path):
    strong = {"strength_schedule": "0:(0.9)", "num_frames": 1, "noise_schedule": "0:(0)"}
    first = clip()[0].permute(2, 0, 1)[None]
    near = run(tmp_path / "a", prompt(strong))[0]
    far = run(tmp_path / "b", prompt(strong, hybrid_use_first_frame_as_init_image=False))[0]
    assert float((near - first).abs().mean()) < 0.5 * float((far - first).abs().mean())


def test_an_interrupted_run_ends_in_the_same_frames(tmp_path):
    settings = {"hybrid_composite": "normal", "hybrid_motion": "optical flow", "hybrid_flow_consistency": True}
    whole = run(tmp_path / "whole", prompt(**settings))

    def stop_half_way(node_id, name, value, total):
        if node_id == "sampler" and value >= total / 2:
            progress.interrupt()

    with pytest.raises(progress.Interrupted):
        run(tmp_path / "parts", prompt(**settings), watcher=stop_half_way)
    assert 0 < len(list((tmp_path / "parts").rglob("frames/*.png"))) < 5
    again = run(tmp_path / "parts", prompt(**settings))
    assert all(torch.equal(one, other) for one, other in zip(whole, again, strict=True))


def test_a_mask_of_depth_needs_a_model(tmp_path):
    with pytest.raises(NodeError, match="hybrid_comp_mask_type: 'depth' needs a depth model"):
        run(tmp_path, prompt(hybrid_composite="normal", hybrid_comp_mask_type="depth"))


# ---------------------------------------------------------------- clips of every kind


def write(path, times=range(8), base=Fraction(1, 15), codec="ffv1", pixels="bgr0"):
    """The clip as a video, with its pictures at the given times."""
    pictures = (clip(len(times)) * 255).round().byte().numpy()
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=15)
        stream.width, stream.height, stream.pix_fmt = W, H, pixels
        stream.codec_context.time_base = base
        for time, picture in zip(times, pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = time, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def showing(found: Hybrid, frame):
    """The number of the clip's picture that is mixed in at a frame."""
    from framedrift.nodes.core.feedback.plan import FramePlan

    values = dict.fromkeys(Hybrid.BOUNDS, 1.0)
    mixed = found.composed(torch.zeros(1, 3, H, W), FramePlan(frame, 0, 0.6, 4, 3.0, 0.0, values=values), None)
    off = (clip(12) - mixed[0].permute(1, 2, 0)).abs().mean((1, 2, 3))
    assert float(off.min()) < 0.02
    return int(off.argmin())


COMPOSITE = {"hybrid_composite": "normal"}


def test_a_clip_that_is_shorter_ends_the_animation(tmp_path):
    frames = run(tmp_path, prompt({"num_frames": 30}, **COMPOSITE), clip(3))
    assert len(frames) == 3


@pytest.mark.parametrize("kind", ["frames", "images", "video"])
def test_any_clip_is_taken(tmp_path, kind):
    given = {
        "frames": lambda: BatchFrames(clip(), 15.0),
        "images": clip,
        "video": lambda: VideoFile(write(tmp_path / "a.mkv")),
    }[kind]()
    found = option(given, **COMPOSITE).fitted(15.0, (H, W))
    assert found.length() == 8
    assert [showing(found, frame) for frame in (3, 4, 0, 7)] == [3, 4, 0, 7]


def test_a_changing_rate_is_made_even(tmp_path):
    # Four pictures a tenth of a second apart, then four a fifth apart.
    times = [0, 100, 200, 300, 500, 700, 900, 1100]
    path = write(tmp_path / "a.mkv", times, Fraction(1, 1000))
    found = option(VideoFile(path), **COMPOSITE).fitted(10.0, (H, W))
    length = found.length()
    assert length is not None
    assert length >= 11
    shown = [showing(found, frame) for frame in range(length)]
    assert shown == sorted(shown)
    assert {0, 3, 7} <= set(shown)
    assert abs(shown.index(7) - 11) <= 1, "the last comes in at 1.1 s"


def test_damage_within_shows_the_picture_before(tmp_path, caplog):
    path = write(tmp_path / "a.mkv", codec="mjpeg", pixels="yuvj444p")
    with av.open(str(path)) as container:
        payload = bytes([packet for packet in container.demux(video=0) if packet.size][4])
    data = path.read_bytes()
    assert data.count(payload) == 1
    path.write_bytes(data.replace(payload, b"\0" * len(payload)))
    with caplog.at_level(logging.WARNING, logger="framedrift"):
        frames = run(tmp_path, prompt({"num_frames": 8}, hybrid_composite="after generation",
                                      hybrid_comp_alpha_schedule="0:(1)"), VideoFile(path))  # fmt: skip
    assert len(frames) == 8
    assert "a.mkv is damaged" in caplog.text
    assert torch.equal(frames[4], frames[3])
    assert not torch.equal(frames[5], frames[4])


def test_a_clip_without_frames_is_an_error_before_anything_is_diffused(tmp_path):
    with pytest.raises(NodeError, match="video: the batch is empty"):
        run(tmp_path, prompt(**COMPOSITE), torch.zeros(0, H, W, 3))
    empty = tmp_path / "empty.mkv"
    empty.write_bytes(b"")
    with pytest.raises(NodeError, match=r"video: empty\.mkv cannot be read"):
        run(tmp_path, prompt(**COMPOSITE), VideoFile(empty))
    assert not list((tmp_path / "output").rglob("*.png"))
    with pytest.raises(FramedriftError, match="video"):
        option(VideoFile(io.BytesIO(b"no video")), **COMPOSITE).fitted(15.0, (H, W))
