"""What of a file becomes option nodes, and what the user is told to chain: classic Deforum's meaning of each key."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.feedback.coherence import Coherence
from framedrift.nodes.core.feedback.noise import Noise
from framedrift.nodes.core.feedback.options import Options
from framedrift.nodes.core.feedback.redo import RESCUES, Redo
from framedrift.nodes.core.feedback.sampling import Checkpoints, SamplingSchedules
from framedrift.nodes.core.interop import deforum_settings, import_animation, parseq_manifest
from framedrift.nodes.core.interop.names import sampler_of, scheduler_of
from framedrift.nodes.core.schedule import parse_prompts, parse_schedule, parse_string_schedule

DEFAULT = json.loads((Path(__file__).parent / "data" / "deforum_default.txt").read_text())
FRAMES, FPS, SIZE = 24, 12.0, (320, 448)


def imported(**changed):
    return import_animation(json.dumps(DEFAULT | changed))


def said(found, key):
    return found.report.status(key), found.report[key].sentence


@pytest.mark.parametrize("kind", ["Image", "Video Input"])
def test_a_picture_to_match_leaves_coherence_to_the_user(kind):
    """Two Coherence nodes in a chain are an error, and a picture cannot be imported."""
    found = imported(color_coherence=kind, hybrid_composite="Normal", color_coherence_image_path="a.png")
    assert found.options.only(Coherence) is None
    status, sentence = said(found, "color_coherence")
    assert status == "left out"
    assert "chain Coherence with LAB" in sentence
    assert said(found, "amount_schedule") == ("left out", "Coherence's amount_schedule: 0: (0.1).")
    if kind == "Image":
        assert "a.png" in found.report["color_coherence_image_path"].sentence


def test_colours_of_a_video_that_is_not_there_are_frame_0s():
    found = imported(color_coherence="Video Input")
    assert found.settings["color_coherence"] == "LAB to frame 0"
    assert found.options.only(Coherence).match == "lab"
    assert found.report.status("color_coherence") == "approximated"


@pytest.mark.parametrize(("legacy", "status"), [(True, "approximated"), (False, "mapped")])
def test_the_legacy_match_is_the_one_that_is_not_repeated_after_diffusion(legacy, status):
    found = imported(legacy_colormatch=legacy)
    assert found.report.status("legacy_colormatch") == status
    assert "after diffusion" in found.report["legacy_colormatch"].sentence


def test_sharpening_below_0_is_none():
    found = imported(amount_schedule="0:(-1), 10:(1)", max_frames=11)
    amount = found.options.only(Coherence).schedules["amount_schedule"].sample(11)
    np.testing.assert_allclose(amount, np.clip(np.linspace(-1, 1, 11), 0, 1), atol=1e-12)
    assert found.report.status("amount_schedule") == "approximated"


def test_perlins_sides_are_crossed_in_the_original():
    noise = imported(perlin_w=4, perlin_h=12).options.only(Noise)
    assert (noise.perlin_w, noise.perlin_h) == (12, 4)


def test_samplers_are_known_in_any_case():
    """As Deforum's sampler_schedule knows them; some forks write them small."""
    for label in ("Euler a", "DPM++ 2M SDE Heun Exponential", "UniPC", "Restart", "PLMS", "DDIM"):
        assert sampler_of(label.lower()) in (sampler_of(label), (sampler_of(label)[0], None, True))
    found = imported(enable_sampler_scheduling=True, sampler_schedule='0: ("euler a"), "max_f/2": ("dpm++ sde KARRAS")')
    names = found.options.only(SamplingSchedules).names
    assert names["sampler_schedule"].sample(9) == ["euler_ancestral"] * 4 + ["dpmpp_sde"] * 5
    assert names["scheduler_schedule"].sample(9) == ["normal"] * 4 + ["karras"] * 5


def test_automatic_is_the_samplers_own_scheduler():
    assert [scheduler_of("Automatic", name)[0] for name in ("euler", "dpmpp_2m", "dpmpp_3m_sde")] == [
        "normal", "karras", "exponential",
    ]  # fmt: skip
    assert imported(sampler="DPM++ 2M", scheduler="Automatic").settings["scheduler"] == "karras"
    assert imported(sampler="DPM++ 2M Exponential", scheduler="Automatic").settings["scheduler"] == "exponential"


def test_a_scheduler_schedule_that_is_missing():
    found = imported(enable_scheduler_scheduling=True)
    assert found.options.only(SamplingSchedules) is None
    assert found.report.status("enable_scheduler_scheduling") == "no effect in the original"


@pytest.mark.parametrize(
    ("sampler", "eta", "painter"),
    [("Euler a", 0.5, "euler_ancestral"), ("DDIM", 0.25, "euler_ancestral"), ("DPM++ SDE", 0.5, "dpmpp_sde")],
)
def test_an_eta_is_that_of_the_files_sampler(sampler, eta, painter):
    both = {"enable_ancestral_eta_scheduling": True, "ancestral_eta_schedule": "0:(0.5)"}
    both |= {"enable_ddim_eta_scheduling": True, "ddim_eta_schedule": "0:(0.25)", "sampler": sampler}
    found = imported(**both)
    assert found.options.only(SamplingSchedules).schedules["eta_schedule"].sample(1).item() == eta
    assert found.settings["sampler_name"] == painter
    other = "ancestral_eta_schedule" if eta == 0.25 else "ddim_eta_schedule"
    assert found.report.status(other) == "no effect in the original"


def test_ddim_without_an_eta_stays_ddim():
    found = imported(sampler="DDIM", enable_ddim_eta_scheduling=True, ddim_eta_schedule="0:(0)")
    assert found.settings["sampler_name"] == "ddim"


def test_a_checkpoints_hash_is_no_part_of_its_name():
    found = imported(enable_checkpoint_scheduling=True, checkpoint_schedule='0: ("a b.safetensors [fe4efff1e1]")')
    assert found.options.only(Checkpoints).names["checkpoint_schedule"].sample(1) == ["a b.safetensors"]


def test_redo_as_far_as_deforums_slider_goes():
    found = imported(diffusion_redo="50", reroll_patience=0)
    assert found.options.only(Redo).diffusion_redo == 50
    assert found.options.only(Redo).schedules == {}


def test_the_report_says_what_to_link_where():
    found = imported(
        use_mask=True, mask_file="m.png", use_looper=True, hybrid_motion="Optical Flow", hybrid_flow_method="RAFT",
        hybrid_flow_factor_schedule="0:(0.7)", cn_1_enabled=True, cn_1_weight="0:(0.8)", cn_1_model="canny",
        cn_1_loopback_mode=False, cn_1_low_vram=False, use_init=True, init_image="i.png", strength=0.9,
        cn_2_enabled=False, cn_2_weight="0:(1)",
    )  # fmt: skip
    wanted = {
        "mask_file": "load m.png with Load Image (as Mask), by its channel red, and link it to Masks' mask.",
        "hybrid_motion": "Hybrid Video's hybrid_motion: optical flow.",
        "hybrid_flow_method": "Hybrid Video's hybrid_flow_method: dis, the nearest to RAFT.",
        "hybrid_flow_factor_schedule": "Hybrid Video's hybrid_flow_factor_schedule: 0:(0.7).",
        "cn_1_weight": "ControlNet 1: Control's weight: 0:(0.8).",
        "cn_1_model": "ControlNet 1: load canny with Load ControlNet Model, and link it to Control's control_net.",
        "strength": "the init image's: write 0.9 for frame 0 of the sampler's strength_schedule.",
        "image_strength_schedule": "Guide Images' image_strength_schedule: 0:(0.75).",
    }
    for key, sentence in wanted.items():
        assert said(found, key) == ("left out", sentence)
    assert found.report.status("cn_2_weight") == "no effect in the original"


def test_parseqs_contrast_and_antiblur_are_coherences():
    row = {"frame": 0, "zoom_delta": 1, "contrast": 1.1, "antiblur_amount": 0.2, "antiblur_kernel": 7,
           "transform_center_x": 0.3, "hybrid_comp_alpha": 0.5, "guidedcolor_correction_factor": 0.1}  # fmt: skip
    found = import_animation(json.dumps({"rendered_frames": [row, row | {"frame": 5, "contrast": 1.2, "angle": 1}]}))
    schedules = found.options.only(Coherence).schedules
    assert schedules["contrast_schedule"].sample(6)[[0, 5]].tolist() == [1.1, 1.2]
    assert schedules["kernel_schedule"].sample(6).tolist() == [7] * 6
    assert found.camera.transform_center_x.sample(6).tolist() == [0.3] * 6
    assert found.report.status("antiblur_amount") == "mapped"
    assert "Hybrid Video" in found.report["hybrid_comp_alpha"].sentence
    assert "unknown" not in {entry.status for entry in found.report.values()}


def test_contrast_and_sharpening_go_out_to_parseq():
    options = imported(contrast_schedule="0:(1), 9:(1.2)", amount_schedule="0:(0.3)").options
    table = parseq_manifest(parse_prompts("0: a fox"), None, {}, 10, FPS, options=options)
    found = import_animation(json.dumps(table)).options
    assert found.texts() == {
        "contrast_schedule": "0:(1.0), 9:(1.2)", "kernel_schedule": "0:(5.0), 9:(5.0)",
        "sigma_schedule": "0:(1.0), 9:(1.0)", "amount_schedule": "0:(0.3), 9:(0.3)",
        "threshold_schedule": "0:(0.0), 9:(0.0)",
    }  # fmt: skip


def test_astrias_options_are_handed_on():
    found = import_animation("seed=1\ncontrast_schedule=0:(1.1)\n0: a cat\n9: a dog")
    assert found.options.only(Coherence).schedules["contrast_schedule"].sample(1).item() == 1.1


# ------------------------------------------------------------------------------------------ there and back

NUMBERS = {**Coherence.BOUNDS, **Noise.BOUNDS, **Redo.BOUNDS, **SamplingSchedules.BOUNDS}
SAMPLERS = ["euler", "euler_ancestral", "ddim", "dpmpp_2m", "dpmpp_sde", "uni_pc", "res_multistep"]


def number_schedule(name):
    low, high = NUMBERS[name]
    low = 0 if name == "amount_schedule" else low
    value = st.integers(int(low * 100), int(high * 100)).map(lambda hundredths: hundredths / 100)
    keys = st.dictionaries(st.integers(0, 30), value, min_size=1, max_size=3)
    return keys.map(lambda found: parse_schedule(", ".join(f"{key}:({at})" for key, at in found.items()), name))


def number_schedules(*names):
    return st.fixed_dictionaries({}, optional={name: number_schedule(name) for name in names})


def name_schedule(name, names):
    keys = st.dictionaries(st.sampled_from(["0", "7", '"max_f/2"']), st.sampled_from(names), min_size=1)
    return keys.map(
        lambda found: parse_string_schedule(", ".join(f'{key}: ("{at}")' for key, at in found.items()), name)
    )


COHERENCES = st.builds(
    Coherence, match=st.sampled_from(["none", "rgb", "hsv", "lab"]), grayscale=st.booleans(),
    schedules=number_schedules("contrast_schedule", "kernel_schedule", "sigma_schedule", "amount_schedule",
                               "threshold_schedule"),
)  # fmt: skip
NOISES = st.builds(
    Noise, noise_type=st.sampled_from(["gaussian", "perlin"]), perlin_w=st.sampled_from([0.5, 4, 16.0]),
    perlin_h=st.sampled_from([2.0, 9.5]), perlin_octaves=st.integers(1, 7),
    perlin_persistence=st.sampled_from([0.0, 0.3, 1.0]), schedules=number_schedules("noise_multiplier_schedule"),
)  # fmt: skip
REDOS = st.builds(
    Redo, diffusion_redo=st.integers(0, 10), optical_flow_redo_generation=st.sampled_from(["none", "dis", "farneback"]),
    reroll_blank_frames=st.sampled_from(RESCUES), reroll_patience=st.integers(1, 100),
    schedules=number_schedules("redo_flow_factor_schedule"),
)  # fmt: skip
SAMPLINGS = st.builds(
    SamplingSchedules, schedules=number_schedules(*SamplingSchedules.BOUNDS),
    names=st.fixed_dictionaries({}, optional={
        "sampler_schedule": name_schedule("sampler_schedule", SAMPLERS),
        "scheduler_schedule": name_schedule("scheduler_schedule", ["normal", "karras", "beta", "some_other"]),
    }),
)  # fmt: skip
CHECKPOINTS = st.builds(
    Checkpoints,
    names=st.fixed_dictionaries({"checkpoint_schedule": name_schedule("checkpoint_schedule", ["", "a (b).ckpt"])}),
)
CHAINS = st.tuples(*(st.none() | kind for kind in (COHERENCES, NOISES, REDOS, SAMPLINGS, CHECKPOINTS))).map(
    lambda parts: Options(tuple(part for part in parts if part is not None))
)


def meaning(options, widget):
    """What a chain does to pictures, at every frame; `widget` is the sampler's color_coherence."""
    coherence, noise, redo = (options.only(kind) for kind in (Coherence, Noise, Redo))
    values = options.sample(FRAMES, 5, FPS)
    numbers = {name: array.round(9).tolist() for name, array in values.numbers.items()}
    still = {"contrast_schedule": 1, "amount_schedule": 0, "noise_multiplier_schedule": 1}
    shaping = {"kernel_schedule": 5, "sigma_schedule": 1, "threshold_schedule": 0, "redo_flow_factor_schedule": 1}
    for name, value in (still | shaping).items():
        numbers.setdefault(name, [float(value)] * FRAMES)
    if not any(numbers["amount_schedule"]):
        numbers |= dict.fromkeys(("kernel_schedule", "sigma_schedule", "threshold_schedule"))
    flow = redo.optical_flow_redo_generation if redo else "none"
    if flow == "none":
        numbers["redo_flow_factor_schedule"] = None
    rescue = redo.reroll_blank_frames if redo else "ignore"
    return (
        (coherence.match, coherence.grayscale) if coherence else ("lab" if widget != "none" else "none", False),
        noise.signature() if noise else ["gaussian"],
        (redo.diffusion_redo if redo else 0, flow, rescue, redo.reroll_patience if rescue == "reroll" else None),
        numbers,
        dict(values.names),
    )


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(CHAINS, st.sampled_from(["none", "LAB to frame 0"]))
def test_a_chain_goes_out_and_comes_back(options, widget):
    given = {"seed": 5, "color_coherence": widget}
    written = deforum_settings(parse_prompts("0: a fox"), None, given, FRAMES, FPS, SIZE, options=options)
    found = import_animation(json.dumps(written))
    assert meaning(found.options, found.settings["color_coherence"]) == meaning(options, widget)
    assert "unknown" not in {entry.status for entry in found.report.values()}
