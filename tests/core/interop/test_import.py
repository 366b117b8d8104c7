"""What other tools' files mean here, key by key."""

import json
from pathlib import Path

import numpy as np
import pytest

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.coherence import Coherence
from framedrift.nodes.core.feedback.noise import Noise
from framedrift.nodes.core.feedback.redo import Redo
from framedrift.nodes.core.feedback.sampling import Checkpoints, SamplingSchedules
from framedrift.nodes.core.interop import import_animation
from framedrift.nodes.core.interop.defaults import DEFAULTS
from framedrift.nodes.core.interop.model import STATUSES, InteropError
from framedrift.nodes.core.warp.affine import motion_matrix, perspective_flip

DATA = Path(__file__).parent / "data"
REFERENCE = Path(__file__).resolve().parents[2] / "reference" / "deforum_settings.json"


def read(name):
    return (DATA / name).read_text()


def settings(**changed):
    """The default settings file with these keys; None takes one out."""
    values = json.loads(read("deforum_default.txt")) | changed
    return json.dumps({key: value for key, value in values.items() if value is not ...})


def imported(**changed):
    return import_animation(settings(**changed))


def test_the_defaults_are_the_references():
    assert {key: entry["default"] for key, entry in json.loads(REFERENCE.read_text()).items()} == DEFAULTS


@pytest.mark.parametrize("mode", ["2D", "3D", "Video Input", "Interpolation"])
def test_every_key_of_a_settings_file_is_told_of(mode):
    found = imported(animation_mode=mode)
    assert set(found.report) == set(json.loads(settings()))
    assert {entry.status for entry in found.report.values()} <= set(STATUSES) - {"unknown"}
    assert all(entry.sentence.endswith(".") for entry in found.report.values())
    text = str(found.report)
    assert all(key in text for key in found.report)
    assert found.report.status("near_schedule") == "no effect in the original"
    assert found.report.status("r_upscale_model") == "for another program"


def test_a_default_file_is_a_2d_animation():
    found = imported()
    assert (found.kind, found.num_frames, found.fps, found.size, found.blend) == (
        "deforum",
        120,
        15.0,
        (512, 512),
        "hold",
    )
    assert isinstance(found.camera, Camera2D)
    assert found.camera.texts()["zoom"] == "0: (1.0025+0.002*sin(1.25*3.14*t/30))"
    assert found.prompts.text_at(0, 120) == ("tiny bunny in a field, red sky", "blurry nsfw")
    assert found.prompts.text_at(119, 120) == ("a coconut on a beach, blue sky", "nsfw")
    assert dict(found.settings) == {
        "border": "replicate",
        "cfg_scale_schedule": "0: (7)",
        "color_coherence": "LAB to frame 0",
        "diffusion_cadence": 2,
        "full_steps": False,
        "noise_schedule": "0: (0.065)",
        "sampler_name": "euler_ancestral",
        "sampling_mode": "bilinear",
        "scheduler": "normal",
        "seed_behavior": "iter",
        "seed_iter_N": 1,
        "steps_schedule": "0:(25)",
        "strength_schedule": "0: (0.65)",
    }
    assert found.report.status("seed") == "approximated"  # -1 is a random one: the sampler's own counts
    assert hash(found.settings) == hash(imported().settings)


def test_a_3d_file_moves_as_deforum_does():
    found = imported(animation_mode="3D", padding_mode="reflection", sampling_mode="nearest", W=517, H=300, seed=7)
    assert isinstance(found.camera, Camera3D)
    assert found.camera.texts()["translation_z"] == "0: (1.75)"
    assert found.size == (296, 512)
    assert found.settings["projection"] == "deforum"
    assert (found.settings["border"], found.settings["sampling_mode"]) == ("reflect", "nearest")
    assert found.settings["seed"] == 7
    assert found.report.status("zoom") == "no effect in the original"


def test_max_f_is_frames_minus_one():
    found = imported(translation_x="0:(0), max_f:(10)", max_frames=11)
    assert found.camera.translation_x.sample(11).tolist() == list(range(11))


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"animation_prompts_positive": "oil", "animation_prompts_negative": ""}, ("oil a cat", "rain")),
        ({"animation_prompts_positive": "oil", "animation_prompts_negative": "--neg x"}, ("oil a cat", "rain x")),
        (
            {"positive_prompts": "oil", "negative_prompts": "nsfw", "animation_prompts_positive": "oil"},
            ("a cat", "rain"),
        ),
        (
            {"prompts": {"0": "oil a cat --neg rain nsfw"}, "animation_prompts_positive": "oil"},
            ("oil a cat", "rain nsfw"),
        ),
        ({"animation_prompts": '{"0": "a fox"}', "animation_prompts_negative": ""}, ("a fox", "")),
    ],
)
def test_global_prompts_are_added_once(changed, wanted):
    found = imported(**({"prompts": {"0": "a cat --neg rain"}} | changed))
    assert found.prompts.text_at(0, 10) == wanted


def test_older_names_and_types():
    found = imported(
        animation_mode="3D", flip_2d_perspective=True, enable_perspective_flip=..., use_zoe_depth=True,
        depth_algorithm=..., histogram_matching=True, color_coherence="Match Frame 0 LAB", legacy_colormatch=...,
        hybrid_composite=False, optical_flow_cadence=True, diffusion_cadence="3", sampler=7, scale=9,
        cfg_scale_schedule=..., cn_1_enabled=True, cn_1_weight=1.0, cn_2_weight=0.5, cn_2_enabled=False,
        strength_schedule=0.7,
    )  # fmt: skip
    report = found.report
    assert report.status("flip_2d_perspective") == report.status("use_zoe_depth") == "mapped"
    assert report.status("histogram_matching") == "no effect in the original"
    assert found.settings["color_coherence"] == "LAB to frame 0"
    assert "missing" in report["legacy_colormatch"].sentence
    assert "true" in report["legacy_colormatch"].sentence
    assert report.status("legacy_colormatch") == "approximated"
    assert report.status("optical_flow_cadence") == "left out"
    assert found.settings["diffusion_cadence"] == 3
    assert (found.settings["sampler_name"], report.status("sampler")) == ("dpmpp_2m", "approximated")
    assert found.settings["cfg_scale_schedule"] == "0:(9.0)"
    assert found.settings["strength_schedule"] == "0:(0.7)"
    assert report.status("cn_1_weight") == "left out"
    assert "0:(1.0)" in report["cn_1_weight"].sentence
    assert report.status("cn_2_weight") == "no effect in the original"


def test_a_notebooks_file_from_before_the_webui():
    found = import_animation(
        json.dumps(
            {"W": 448, "H": 704, "animation_mode": "3D", "max_frames": 9, "fov": 40, "near_plane": 200,
             "far_plane": 9999, "sampler": "klms", "scale": 7.5, "ddim_eta": 0.0, "C": 4, "f": 8, "make_grid": False,
             "prompts": ["x", "y"], "animation_prompts": {"0": "a fox"}, "color_coherence": "Match Frame 0 HSV",
             "save_samples": True}
        )
    )  # fmt: skip
    assert found.size == (704, 448)
    assert found.camera.texts()["fov"] == "0:(40.0)"
    assert (found.settings["sampler_name"], found.settings["cfg_scale_schedule"]) == ("lms", "0:(7.5)")
    assert found.prompts.text_at(0, 9)[0] == "a fox"
    assert found.report.status("color_coherence") == "mapped"
    assert found.options.only(Coherence).match == "hsv"
    assert "unknown" not in {entry.status for entry in found.report.values()}


def test_the_forge_forks_additions():
    found = imported(
        animation_mode="3D", sampler="DPM++ 2M", scheduler="Karras", distilled_cfg_scale_schedule="0: (3.5)",
        keyframe_distribution="Keyframes Only", keyframe_strength_schedule="0: (0.5)", shake_name="EARTHQUAKE",
        shake_intensity=1.0, enable_scheduler_scheduling=False, scheduler_schedule='0: ("Simple")', wan_fps=16,
        show_controlnet_tab=False, what_is_this=1,
    )  # fmt: skip
    assert (found.settings["sampler_name"], found.settings["scheduler"]) == ("dpmpp_2m", "karras")
    wanted = {
        "distilled_cfg_scale_schedule": "mapped",
        "keyframe_distribution": "left out",
        "keyframe_strength_schedule": "left out",
        "shake_name": "left out",
        "scheduler_schedule": "no effect in the original",
        "wan_fps": "for another program",
        "show_controlnet_tab": "for another program",
        "what_is_this": "unknown",
    }
    assert {key: found.report.status(key) for key in wanted} == wanted


def test_schedules_behind_switches_count_where_these_are_on():
    found = imported(
        enable_steps_scheduling=True, steps_schedule="0: (10), 100: (30)", seed_behavior="schedule", seed=5,
        enable_subseed_scheduling=True, subseed_strength_schedule="0: (0.2)", enable_sampler_scheduling=True,
        sampler_schedule='0: ("DPM++ SDE Karras"), 9: ("Euler")',
    )  # fmt: skip
    assert found.settings["steps_schedule"] == "0: (10), 100: (30)"
    assert found.settings["seed_behavior"] == "schedule"
    assert found.settings["seed_schedule"] == DEFAULTS["seed_schedule"]
    assert found.settings["subseed_strength_schedule"] == "0: (0.2)"
    sampling = found.options.only(SamplingSchedules)
    assert sampling.names["sampler_schedule"].sample(12) == ["dpmpp_sde"] * 9 + ["euler"] * 3
    assert sampling.names["scheduler_schedule"].sample(12) == ["karras"] * 9 + ["normal"] * 3


def test_what_takes_option_nodes():
    """Deforum's own defaults sharpen a little, lay Perlin noise over frames, and make the latent's noise stronger."""
    found = imported()
    assert found.options.texts() == {
        "kernel_schedule": "0: (5)", "sigma_schedule": "0: (1)", "amount_schedule": "0: (0.1)",
        "threshold_schedule": "0: (0)", "noise_multiplier_schedule": "0: (1.05)",
    }  # fmt: skip
    noise = found.options.only(Noise)
    assert (noise.noise_type, noise.perlin_w, noise.perlin_octaves) == ("perlin", 8, 4)
    assert found.options.only(Redo) is None
    plain = imported(amount_schedule="0:(0)", noise_type="uniform", enable_noise_multiplier_scheduling=False)
    assert plain.options.parts == ()
    redone = imported(diffusion_redo="2", optical_flow_redo_generation="RAFT", reroll_blank_frames="reroll")
    redo = redone.options.only(Redo)
    assert (redo.diffusion_redo, redo.optical_flow_redo_generation) == (2, "dis")
    assert redone.report.status("optical_flow_redo_generation") == "approximated"
    other = imported(
        enable_checkpoint_scheduling=True, enable_clipskip_scheduling=True, enable_ancestral_eta_scheduling=True,
        ancestral_eta_schedule="0:(0.5)", color_force_grayscale=True, contrast_schedule="0:(1.1)",
    )  # fmt: skip
    assert other.options.only(Coherence).grayscale
    assert other.options.only(Checkpoints).names["checkpoint_schedule"].sample(101)[-1] == "model2.safetensors"
    assert {"clipskip_schedule", "eta_schedule"} <= other.options.texts().keys()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contrast_schedule": "0:(11)"}, "contrast_schedule is 11 at frame 0"),
        ({"perlin_w": 0}, "perlin_w"),
        ({"diffusion_redo": 99}, "diffusion_redo"),
        ({"optical_flow_redo_generation": "magic"}, "optical_flow_redo_generation"),
    ],
)
def test_option_keys_that_cannot_be(change, words):
    with pytest.raises(FramedriftError, match=words):
        imported(**change)


def test_an_unknown_name_in_a_sampler_schedule_leaves_the_samplers_own():
    found = imported(enable_sampler_scheduling=True, sampler_schedule='0: ("Euler a"), 9: ("Magic")')
    assert found.options.only(SamplingSchedules) is None
    assert "'Magic', at key 9, is no sampler" in found.report["sampler_schedule"].sentence
    assert "unknown" not in {entry.status for entry in found.report.values()}


def test_a_strength_beyond_its_range_is_limited_as_there():
    found = imported(strength_schedule="0:(-0.5), 10:(1.5)", max_frames=11)
    assert found.report.status("strength_schedule") == "approximated"
    from framedrift.nodes.core.schedule import parse_schedule

    sampled = parse_schedule(found.settings["strength_schedule"]).sample(11)
    np.testing.assert_allclose(sampled, np.clip(np.linspace(-0.5, 1.5, 11), 0, 1), atol=1e-12)


def test_interpolation_paints_every_frame_anew():
    found = imported(animation_mode="Interpolation")
    assert found.blend == "linear"
    assert (found.settings["strength_schedule"], found.settings["diffusion_cadence"]) == ("0:(0)", 1)
    assert found.camera.track(9, 15.0, 0, (64, 64)).at_rest(0, 8)


def test_a_parseq_manifest():
    found = import_animation(read("parseq.json"))
    assert (found.kind, found.num_frames, found.fps) == ("parseq", 12, 24.0)
    assert isinstance(found.camera, Camera3D)
    assert found.camera.translation_z.sample(12).tolist() == [3.0] * 12
    assert found.camera.rotation_3d_y.sample(12).tolist() == [0.0] + [0.5] * 11
    assert found.settings["diffusion_cadence"] == 3
    assert found.settings["seed_behavior"] == "schedule"
    assert found.prompts.text_at(5, 12) == ("dawn over hills", "text")
    assert found.prompts.text_at(6, 12) == ("night over hills", "text")
    assert found.report.status("translation_z") == "no effect in the original"
    assert found.report.status("translation_z_delta") == "mapped"
    assert set(json.loads(read("parseq.json"))) | set(json.loads(read("parseq.json"))["rendered_frames"][0]) <= set(
        found.report
    )


def manifest(rows, **more):
    return json.dumps({"rendered_frames": rows, **more})


def test_parseq_without_deltas_is_taken_frame_by_frame():
    found = import_animation(manifest([{"frame": i, "zoom": 1 + i / 100, "angle": i} for i in range(4)]))
    assert isinstance(found.camera, Camera2D)
    assert found.camera.angle.sample(4).tolist() == [0, 1, 2, 3]
    assert any("no deltas" in note for note in found.report.notes)


def test_parseq_with_missing_and_doubled_frames():
    rows = [{"frame": 4, "strength": 0.8}, {"frame": 0, "strength": 0.4, "x": 1}, {"frame": 0, "strength": 0.0}]
    found = import_animation(manifest(rows))
    assert found.num_frames == 5
    assert found.settings["strength_schedule"] == "0:(0.0), 4:(0.8)"
    assert len(found.report.notes) >= 2


def test_a_manifest_inside_a_settings_file():
    found = imported(animation_mode="3D", parseq_manifest=read("parseq.json"))
    assert (found.kind, found.num_frames, found.fps) == ("deforum", 12, 24.0)
    assert found.camera.translation_z.sample(12).tolist() == [3.0] * 12
    assert found.camera.texts()["translation_x"] == "0: (0)"
    assert found.prompts.text_at(0, 12) == ("dawn over hills", "text")
    linked = imported(parseq_manifest="https://example.org/x.json")
    assert linked.report.status("parseq_manifest") == "left out"
    assert linked.num_frames == 120


def test_fizz_prompts():
    found = import_animation(read("fizz.txt"))
    assert (found.kind, found.num_frames, found.blend) == ("fizz", 120, "linear")
    assert found.prompts.text_at(0, 120)[0] == "a red sky over snow (calm:0.5)"
    assert found.prompts.text_at(12, 120) == ("a teal ocean", "storm")
    assert found.camera.track(9, 15.0, 0, (64, 64)).at_rest(0, 8)
    assert len(found.settings) == 0
    assert import_animation('{"0": "a cat",\n "200": "a dog",}').num_frames == 201
    weighted = import_animation('"0": "a (cat:`pw_a+1`)"')
    assert weighted.prompts.text_at(0, 9)[0] in ("a (cat:1.0)", "a (cat:1)")
    assert weighted.report.status("pw_a") == "approximated"


def test_astrias_block():
    found = import_animation(read("astria.txt"))
    assert (found.kind, found.num_frames) == ("astria", 50)
    assert found.camera.texts()["translation_z"] == "0:(-0.5)"
    assert found.camera.texts()["rotation_3d_y"] == "0: (0)"
    assert dict(found.settings) == {
        "diffusion_cadence": 2, "full_steps": False, "projection": "deforum", "seed": 1,
        "strength_schedule": "0:(0.50)",
    }  # fmt: skip
    assert found.prompts.text_at(49, 50)[0] == "portrait of a woman with eyes opened"


def test_astrias_prompts_may_begin_with_brackets_and_run_over_lines():
    found = import_animation("0: (calm:1.2) sky\n with birds\n9: (storm)\n20: end")
    assert (found.kind, found.num_frames) == ("astria", 20)
    assert found.prompts.text_at(0, 20)[0] == "(calm:1.2) sky with birds"


def test_astrias_default_camera():
    camera = import_animation("seed=1\n0: a cat\n25: a dog").camera
    assert camera.texts() | {"fov": ""} == {
        "translation_x": "0: (0)",
        "translation_y": "0: (0)",
        "translation_z": "0:(-0.5)",
        "rotation_3d_x": "0:(2*sin(3.14*t/100)/80)",
        "rotation_3d_y": "0:(2*sin(3.14*t/100)/40)",
        "rotation_3d_z": "0:(2*sin(3.14*t/50)/40)",
        "fov": "",
        "aspect": "0: (1)",
    }


#: What is wrong, and a part of what is said.
WRONG = {
    "empty": ("", "empty"),
    "no tool's": ("hello", "none of"),
    "a list": ("[1, 2]", "list"),
    "an empty object": ("{}", "empty object"),
    "another JSON": ('{"nodes": [], "links": []}', "nodes, links"),
    "broken settings": (settings()[:-40], "not valid JSON"),
    "a comma too many": ('{"animation_mode": "3D",}', "line 1"),
    "one value schedule that is broken": ("0:(sinn(t))", "none of"),
    "one value schedule": ("0:(1.0), 30:(2)", "Value Schedule"),
    "a misspelt function": (settings(zoom="0:(sinn(t))"), "zoom, key 0, column"),
    "an open bracket": (settings(strength_schedule="0:(0.5"), "strength_schedule"),
    "infinity at a frame": (settings(angle="0:(1/(t-5))"), "frame 5"),
    "a call into Python": (settings(angle='0:(__import__("os"))'), "angle"),
    "an attribute": (settings(angle="0:(t.__class__)"), "angle"),
    "zoom of nothing": (settings(zoom="0:(1-t/10)"), "zoom: it is 0 at frame 10"),
    "a wide lens": (settings(animation_mode="3D", fov_schedule="0:(180)"), "fov_schedule"),
    "too few steps": (settings(steps=0), "steps"),
    "too much guidance": (settings(cfg_scale_schedule="0:(7), 50:(150)"), "cfg_scale_schedule"),
    "a schedule that is a list": (settings(angle=[1, 2]), "angle"),
    "a mode nobody knows": (settings(animation_mode="4D"), "animation_mode"),
    "a length in words": (settings(max_frames="long"), "max_frames"),
    "a length without end": (settings(max_frames=10**9), "max_frames"),
    "no size": (settings(W=0), "W"),
    "no fps": (settings(fps=0), "fps"),
    "a seed too large": (settings(seed=2**70), "seed"),
    "NaN": (settings(fps=float("nan")), "fps"),
    "a prompt that is no text": (settings(prompts={"0": 1}), "prompts"),
    "a prompt at no frame": (settings(prompts={"when": "a"}), "when"),
    "prompts in a list": (settings(prompts=["a", "b"]), "prompts"),
    "a formula in a prompt": (settings(prompts={"0": "a `tt`"}), "tt"),
    "colours of nobody": (settings(color_coherence="XYZ"), "color_coherence"),
    "a manifest not rendered": ('{"meta": {}, "keyframes": []}', "rendered_frames"),
    "a manifest without frames": (manifest([]), "rendered_frames"),
    "a manifest of another version": (manifest([{"frame": 0}], meta={"version": "2.0"}), "meta.version"),
    "a frame that is none": (manifest([{"frame": 0}, 5]), "rendered_frames"),
    "a frame without number": (manifest([{"frame": 0}, {}]), "rendered_frames[1].frame"),
    "a frame far out": (manifest([{"frame": 10**12}]), "rendered_frames[0].frame"),
    "a word for a number": (manifest([{"frame": 0, "strength": "a"}]), "strength at frame 0"),
    "strength out of bounds in a table": (manifest([{"frame": 0, "scale": 1000}]), "cfg_scale_schedule"),
    "one Astria prompt": ("seed=1\n0: a cat", "prompts"),
    "Astria with a broken schedule": ("translation_z=0:(foo)\n0: a\n9: b", "translation_z"),
    "deep": ("[" * 100_000, "list"),
    "deep settings": ('{"W":' * 100_000, "nested too deeply"),
    "a number of ten thousand digits": ('{"W":' + "9" * 10_000 + "}", "too long"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_with_its_key(what):
    text, said = WRONG[what]
    with pytest.raises(FramedriftError) as caught:
        import_animation(text)
    message = str(caught.value)
    assert said in message
    assert len(message) < 600


@pytest.mark.parametrize("given", [None, 5, b"{}"])
def test_only_texts_are_read(given):
    with pytest.raises(FramedriftError):
        import_animation(given)


def test_half_a_surrogate_pair_does_not_reach_a_file():
    found = import_animation('{"0": "a \\ud800 cat", "W": "1"}'.replace(', "W": "1"', ""))
    found.prompts.text.encode()
    imported(prompts={"0": "a \ud800 cat"}).prompts.text.encode()


def test_a_perspective_flip_is_the_2d_cameras():
    settings = {
        "animation_mode": "2D", "max_frames": 9, "enable_perspective_flip": True, "translation_x": "0:(4)",
        "perspective_flip_gamma": "0:(3)", "perspective_flip_fv": "0:(60)", "zoom": "0:(1.01)", "W": 512, "H": 384,
    }  # fmt: skip
    found = import_animation(json.dumps(settings))
    track = found.camera.track(9, 12.0, 0, (384, 512))
    one = perspective_flip(512, 384, gamma=3, fv=60) @ motion_matrix(512, 384, zoom=1.01)
    np.testing.assert_allclose(track.step(3, 4), one @ np.eye(3), rtol=1e-9, atol=1e-9)
    assert found.report.status("perspective_flip_gamma") == "mapped"
    assert "forgets it" in str(found.report)
    with pytest.raises(InteropError, match="perspective_flip_fv: it is 180"):
        import_animation(json.dumps(settings | {"perspective_flip_fv": "0:(180)"}))
    off = import_animation(json.dumps(settings | {"enable_perspective_flip": False}))
    assert off.report.status("perspective_flip_gamma") == "no effect in the original"
    assert off.camera.track(9, 12.0, 0, (384, 512)).step(0, 1)[0, 2] != 0
    deep = import_animation(json.dumps(settings | {"animation_mode": "3D"}))
    assert deep.report.status("perspective_flip_gamma") == "left out"


@pytest.mark.parametrize(
    ("settings", "aspect"),
    [
        ({"aspect_ratio_schedule": "0:(1), 8:(2)"}, np.linspace(1, 2, 9)),
        ({"aspect_ratio_use_old_formula": True, "aspect_ratio_schedule": "0:(3)"}, np.full(9, 512 / 384)),
    ],
)
def test_the_aspect_is_the_3d_cameras(settings, aspect):
    found = import_animation(json.dumps({"animation_mode": "3D", "max_frames": 9, "W": 512, "H": 384, **settings}))
    np.testing.assert_allclose(found.camera.track(9, 12.0, 0, (384, 512)).aspect, aspect)
    with pytest.raises(InteropError, match="aspect_ratio_schedule: it is 0 at frame 0"):
        import_animation(json.dumps({"animation_mode": "3D", "aspect_ratio_schedule": "0:(0)"}))
