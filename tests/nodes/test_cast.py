"""Checkpoints, LoRAs, clip skip, eta and distilled guidance over time: headless, and on ComfyUI's own models."""

import json
import logging

import pytest
import torch
from safetensors.torch import save_file

from framedrift.nodes import host
from framedrift.nodes.cast import Cast, check_options
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import FramePlan, Options
from framedrift.nodes.core.feedback.sampling import Checkpoints, Lora, SamplingSchedules
from framedrift.nodes.core.schedule import ScheduleError, as_schedule, parse_prompts, parse_string_schedule
from framedrift.nodes.prompt import Prompts
from framedrift.nodes.sampling import CheckpointSchedule, LoraSchedule
from framedrift.nodes.sampling import SamplingSchedules as SamplingNode

NEEDED = ["checkpoints/tiny_sd15_all.safetensors", "checkpoints/tiny_sd3_all.safetensors"]


def plan(frame=0, values=None, names=None):
    return FramePlan(frame, 1, 0.5, 4, 3.0, 0.0, values=values or {}, names=names or {})


def linked(options=None, text="0: a red sky"):
    """A cast of the demo model, and what it was made of."""
    model, clip, vae = host.procedural_model()
    prompts = Prompts(clip, parse_prompts(text))
    return Cast(model, vae, prompts, options or Options()), model, vae, prompts


def sampled(name, eta=None, noise_multiplier=1.0, steps=4):
    """The demo model's latent under a sampler."""
    _, model, vae, prompts = linked()
    positive, negative, _ = prompts.at(0, 1, 0)
    return host.sample(
        model, host.empty_latent(model, vae, (16, 24)), positive, negative, seed=5,
        sigmas=host.sigmas(model, "normal", name, steps), cfg=3.0, sampler_name=name, eta=eta,
        noise_multiplier=noise_multiplier,
    )  # fmt: skip


class TestSampling:
    def test_an_eta_of_nothing_is_euler_and_of_one_the_samplers_own(self):
        plain = sampled("euler_ancestral")
        assert torch.equal(sampled("euler_ancestral", eta=1.0), plain)
        assert torch.equal(sampled("euler_ancestral", eta=0.0), sampled("euler"))
        assert not torch.allclose(sampled("euler_ancestral", eta=0.5), plain, atol=1e-3)
        assert bool(torch.isfinite(sampled("euler_ancestral", eta=3.0)).all())

    def test_samplers_without_eta_do_not_look_at_it(self):
        assert [name for name in host.sampler_names() if host.takes_eta(name)] == ["euler_ancestral"]
        assert torch.equal(sampled("euler", eta=0.5), sampled("euler"))

    def test_a_noise_multiplier_of_one_is_none_and_another_is_linear_in_the_noise(self):
        # Of this model's own noise, a step of Euler's to pure noise keeps the multiple.
        assert torch.equal(sampled("euler", noise_multiplier=1.0), sampled("euler"))
        assert not torch.equal(sampled("euler", noise_multiplier=1.05), sampled("euler"))
        _, model, vae, prompts = linked()
        seen = {}
        for factor in (1.0, 1.5):
            host.sample(
                model, host.empty_latent(model, vae, (16, 24)), *prompts.at(0, 1, 0)[:2], seed=5,
                sigmas=host.sigmas(model, "normal", "euler", 2), cfg=3.0, sampler_name="euler",
                noise_multiplier=factor,
                callback=lambda step, x0, x, total, factor=factor: seen.setdefault(factor, x.clone()),
            )  # fmt: skip
        assert torch.allclose(seen[1.5], seen[1.0] * 1.5, rtol=1e-6)

    def test_guidance_joins_a_copy_of_the_conditioning(self):
        given = [[torch.zeros(1, 1, 4), {"pooled_output": None}]]
        made = host.with_guidance(given, 3.5)
        assert made[0][1] == {"pooled_output": None, "guidance": 3.5}
        assert given[0][1] == {"pooled_output": None}


class TestLinkedModel:
    def test_without_options_it_is_always_the_very_objects(self):
        cast, model, vae, prompts = linked()
        for frame in (0, 7):
            assert all(a is b for a, b in zip(cast.at(plan(frame)), (model, vae, prompts), strict=True))

    def test_schedules_that_leave_the_models_alone_do_too(self):
        cast, model, vae, prompts = linked()
        quiet = plan(values={"eta_schedule": 0.5, "clipskip_schedule": 1.9}, names={"checkpoint_schedule": ""})
        assert all(a is b for a, b in zip(cast.at(quiet), (model, vae, prompts), strict=True))

    def test_clip_skip_has_prompts_of_its_own_which_are_kept(self):
        cast, model, vae, prompts = linked()
        skipped = cast.at(plan(values={"clipskip_schedule": 2.0}))
        assert skipped[0] is model and skipped[1] is vae
        assert skipped[2] is not prompts and skipped[2].clip is not prompts.clip
        assert skipped[2].text == prompts.text
        cast.at(plan())
        assert cast.at(plan(9, values={"clipskip_schedule": 2.0}))[2] is skipped[2]

    def test_only_so_many_are_kept(self):
        cast, *_ = linked()
        skips = {n: cast.at(plan(values={"clipskip_schedule": float(n)}))[2] for n in range(2, 9)}
        assert len(cast._prompts) == 4
        assert cast.at(plan(values={"clipskip_schedule": 8.0}))[2] is skips[8]
        assert cast.at(plan(values={"clipskip_schedule": 2.0}))[2] is not skips[2]

    def test_preparing_encodes_what_is_needed_with_the_encoder_that_reads_it(self):
        cast, _, _, prompts = linked(text="0: a red sky\n4: a blue sea")
        plans = [plan(frame, values={"clipskip_schedule": 1.0 + (frame >= 4)}) for frame in range(8)]
        asked = []
        cast.prepare(plans, 8, 0, lambda: asked.append(1))
        second = cast.at(plans[-1])[2]
        assert set(prompts._encoded) == {"a red sky", "a blue sea", ""}
        assert set(second._encoded) == {"a blue sea", ""}
        assert len(asked) == 5

    def test_other_prompts_are_followed(self):
        cast, model, vae, prompts = linked()
        skipped = cast.at(plan(values={"clipskip_schedule": 2.0}))[2]
        edited = Prompts(prompts.clip, parse_prompts("0: green hills"))
        cast.follow(edited, Options())
        assert cast.at(plan()) == (model, vae, edited)
        again = cast.at(plan(values={"clipskip_schedule": 2.0}))[2]
        assert again is not skipped and again.text == "0: green hills"


def scheduled(name, text):
    kind = Checkpoints if name == "checkpoint_schedule" else SamplingSchedules
    return Options().with_part(kind(names={name: parse_string_schedule(text, name)}))


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("sampler_schedule", "0: euler, 60: eulr", r"sampler_schedule, key 60: there is no sampler 'eulr'; near"),
            ("scheduler_schedule", "0: karass", r"scheduler_schedule, key 0: there is no scheduler 'karass'; near"),
        ],
    )
    def test_a_name_that_does_not_exist(self, name, text, said):
        cast, *_ = linked(scheduled(name, text))
        with pytest.raises(ScheduleError, match=said):
            cast.check([plan()], "euler", "normal")
        assert SamplingNode.validate_inputs(**{name: text}).startswith(f"{name}, key ")

    def test_what_exists_passes(self):
        cast, *_ = linked(scheduled("sampler_schedule", "0: euler, 60: heun"))
        cast.check([plan()], "euler", "normal")
        fine = {"sampler_schedule": "0: euler", "scheduler_schedule": "", "eta_schedule": " ", "clipskip_schedule": "2"}
        assert SamplingNode.validate_inputs(**fine) is True

    def test_numbers_are_read_before_anything_runs(self):
        assert SamplingNode.validate_inputs(eta_schedule="0:(x)").startswith("eta_schedule")
        assert LoraSchedule.validate_inputs(strength="0:(", clip_strength="").startswith("strength")

    @pytest.mark.skipif(host.IN_COMFYUI, reason="speaks of a world without ComfyUI")
    def test_models_need_comfyui(self):
        with pytest.raises(FramedriftError, match=r"^checkpoint_schedule: models are loaded by ComfyUI"):
            check_options(scheduled("checkpoint_schedule", "0: a.safetensors"))
        check_options(scheduled("checkpoint_schedule", '0: ("")'))
        assert CheckpointSchedule.validate_inputs(checkpoint_schedule='0: ("")') is True
        assert CheckpointSchedule.validate_inputs(checkpoint_schedule="0: a").startswith("checkpoint_schedule")
        part = Lora(lora_name="a", schedules={"strength": as_schedule("1", "strength")})
        with pytest.raises(FramedriftError, match=r"^lora_1_lora_name: models are loaded by ComfyUI"):
            check_options(Options().with_part(part))
        with pytest.raises(FramedriftError, match="checkpoints are loaded by ComfyUI"):
            host.load_checkpoint("a.safetensors")

    def test_an_eta_that_no_sampler_takes_is_said_once(self, caplog):
        cast, *_ = linked()
        plans = [plan(frame, values={"eta_schedule": 0.5}) for frame in range(5)]
        with caplog.at_level(logging.WARNING, "framedrift"):
            cast.check(plans, "euler_ancestral", "normal")
            assert caplog.messages == []
            cast.check(plans, "euler", "normal")
        assert caplog.messages == ["eta_schedule has no effect with euler: it adds no noise as it goes."]


class TestNodes:
    def test_an_empty_text_is_not_scheduled(self):
        blank = dict.fromkeys(("sampler_schedule", "scheduler_schedule", "eta_schedule"), "")
        blank |= dict.fromkeys(("distilled_cfg_scale_schedule", "clipskip_schedule"), " ")
        chain = SamplingNode.execute(**blank).args[0]
        assert chain.texts() == {}
        one = SamplingNode.execute(**blank | {"eta_schedule": "0.5", "sampler_schedule": "0: euler"}).args[0]
        assert one.texts() == {"eta_schedule": "0.5", "sampler_schedule": "0: euler"}
        assert one.sample(3, 0, 15.0).names["sampler_schedule"] == ["euler"] * 3

    def test_an_empty_name_of_a_checkpoint_is_kept(self):
        chain = CheckpointSchedule.execute('0: (""), 2: ("a.safetensors")').args[0]
        assert chain.sample(3, 0, 15.0).names["checkpoint_schedule"] == ["", "", "a.safetensors"]


SNIPPET = """
import pathlib, shutil, struct
import folder_paths, safetensors.torch
from comfy_extras.nodes_flux import FluxGuidance
folder = pathlib.Path(FOLDER)
(folder / "loras" / "sub").mkdir(parents=True)
(folder / "checkpoints").mkdir()
for kind in ("loras", "checkpoints"):
    folder_paths.add_model_folder_path(kind, str(folder / kind))
cast, prompt, core = (sys.modules["pack.nodes." + name] for name in ("cast", "prompt", "core.schedule"))
import importlib
feedback = importlib.import_module("pack.nodes.core.feedback")
options = importlib.import_module("pack.nodes.core.feedback.sampling")

def lora(names):
    made = torch.Generator().manual_seed(4)
    weights = {}
    for name, width in names.items():
        weights[name + ".lora_down.weight"] = torch.randn(4, width, generator=made) * 0.2
        weights[name + ".lora_up.weight"] = torch.randn(width, 4, generator=made) * 0.2
        weights[name + ".alpha"] = torch.tensor(4.0)
    return weights

unet = next(key for key in comfy.lora.model_lora_keys_unet(nodes.CheckpointLoaderSimple().load_checkpoint(
    "tiny_sd15_all.safetensors")[0].model, {}) if key.startswith("lora_unet_") and key.endswith("attn1_to_q"))
text = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
width = 320
safetensors.torch.save_file(lora({unet: width, text: 768}), folder / "loras" / "sub" / "both.safetensors")
safetensors.torch.save_file(lora({unet: width}), folder / "loras" / "picture.safetensors")
safetensors.torch.save_file(lora({"lora_unet_nothing_here": width}), folder / "loras" / "foreign.safetensors")
source = folder_paths.get_full_path_or_raise("checkpoints", "tiny_sd15_all.safetensors")
(folder / "checkpoints" / "broken.safetensors").write_bytes(open(source, "rb").read()[:100_000])
(folder / "loras" / "torn.safetensors").write_bytes(b"torn")
(folder / "checkpoints" / "noise.safetensors").write_bytes(b"no checkpoint at all")
state = comfy.utils.load_torch_file(source)
safetensors.torch.save_file({key: value for key, value in state.items() if key.startswith("model.diffusion_model.")},
                            folder / "checkpoints" / "bare.safetensors")
for kind in ("loras", "checkpoints"):
    folder_paths.filename_list_cache.pop(kind, None)

files = []
load_torch_file = comfy.utils.load_torch_file
def counting(path, *args, **kwargs):
    files.append(pathlib.Path(path).name)
    return load_torch_file(path, *args, **kwargs)
comfy.utils.load_torch_file = counting
try:
    model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint("tiny_sd15_all.safetensors")[:3]
    files.clear()

    def plan(frame=0, values=None, names=None):
        return feedback.FramePlan(frame, 1, 0.5, 4, 3.0, 0.0, values=values or {}, names=names or {})

    def chain(*parts):
        made = feedback.Options()
        for part in parts:
            made = made.with_part(part)
        return made

    def part(name, **given):
        schedules = {key: core.as_schedule(value, key) for key, value in given.items()}
        return options.Lora(lora_name=name, schedules=schedules)

    def checkpoints(text):
        return options.Checkpoints(names={"checkpoint_schedule": core.parse_string_schedule(text,
                                                                                            "checkpoint_schedule")})

    def made(*parts):
        return cast.Cast(model, vae, prompt.Prompts(clip, core.parse_prompts("0: a cat --neg rain")), chain(*parts))

    def picture(found, **given):
        latent = host.empty_latent(found[0], found[1], (64, 64))
        given = {"sampler_name": "euler"} | given
        sigmas = host.sigmas(found[0], "normal", given["sampler_name"], 3)
        return host.sample(found[0], latent, *found[2].at(0, 1, 0)[:2], seed=3, sigmas=sigmas, cfg=4.0, **given)

    def refused(*parts, plans=()):
        try:
            made(*parts).check(plans, "euler", "normal")
        except Exception as error:
            return type(error).__name__ + ": " + str(error)

    result = {}
    plain = made().at(plan())
    alone = picture(plain)
    result["linked"] = plain[0].model is model.model and plain[1] is vae and plain[2].clip is clip

    # ---- checkpoints
    two = made(checkpoints('0: (""), 2: ("tiny_sd3_all.safetensors"), 4: ("tiny_sd15_all.safetensors")'))
    name = lambda value: {"checkpoint_schedule": value}
    order = ["", "", "tiny_sd3_all.safetensors", "tiny_sd3_all.safetensors", "tiny_sd15_all.safetensors", ""]
    plans = [plan(frame, names=name(value)) for frame, value in enumerate(order)]
    two.check(plans, "euler", "normal")
    found = [two.at(p) for p in plans]
    two.prepare(plans, 6, 0)
    result["loads"] = sorted(files)
    result["same"] = [found[0][0] is found[1][0] is found[5][0], found[2][0] is found[3][0],
                      found[2][2] is found[3][2], found[0][2] is two.prompts]
    result["kinds"] = [type(entry[0].model).__name__ for entry in found]
    result["counted masks"] = [entry[0].model_options.get("denoise_mask_function") is host._count_steps
                               for entry in found]
    result["whole"] = [bool(torch.isfinite(host.vae_decode(entry[1], picture(entry))).all()) for entry in found[::2]]
    result["same weights"] = bool(torch.equal(picture(found[4]), alone))
    result["refused"] = {
        "missing": refused(checkpoints('0: (""), 60: ("tiny_sd16.safetensors")')),
        "outside": refused(checkpoints('0: ("../checkpoints/tiny_sd15_all.safetensors")')),
        **{value: refused(checkpoints(f'0: (""), 60: ("{value}")'), plans=[plan(0, names=name(value))])
           for value in ("broken.safetensors", "noise.safetensors", "bare.safetensors")},
        "lora": refused(part("sub/boht.safetensors", strength="1")),
        "torn": refused(part("torn.safetensors", strength="1"), plans=[plan(values={"lora_1_strength": 1.0})]),
        "idle": refused(part("torn.safetensors", strength="0"), plans=[plan(values={"lora_1_strength": 0.0})]),
    }

    # ---- LoRAs
    files.clear()
    both, alike = part("sub/both.safetensors", strength="1"), part("picture.safetensors", strength="1")
    strong = lambda **values: plan(values={f"lora_{key}": value for key, value in values.items()})
    acting = made(both)
    on, off = acting.at(strong(**{"1_strength": 0.8})), acting.at(strong(**{"1_strength": 0.0}))
    stock = nodes.LoraLoader().load_lora(model, clip, "sub/both.safetensors", 0.8, 0.8)
    theirs = (stock[0], vae, prompt.Prompts(stock[1], acting.prompts.schedule))
    result["lora"] = {
        "as stock": bool(torch.equal(picture(on), picture(theirs))),
        "acts": bool((picture(on) - alone).abs().max() > 1e-4),
        "off": bool(torch.equal(picture(off), alone)) and off[0] is acting.at(plan(values={"lora_1_strength": 0}))[0],
        "kept": acting.at(strong(**{"1_strength": 0.8}))[0] is on[0],
        "prompts kept": acting.at(strong(**{"1_strength": 0.8}))[2] is on[2],
        "read": None,
    }
    for number in range(5):
        acting.at(strong(**{"1_strength": 0.1 * number}))
    result["lora"]["read"] = files.count("both.safetensors")
    result["lora"]["few"] = len(acting._patched)
    # Without weights for the text encoder the prompts stay what they are.
    only = made(alike).at(strong(**{"1_strength": 0.8}))
    result["lora"]["own prompts"] = only[2].clip is clip and only[0] is not model
    # The text encoder by itself: the model stays.
    words = made(part("sub/both.safetensors", strength="0", clip_strength="1"))
    said = words.at(strong(**{"1_strength": 0.0, "1_clip_strength": 1.0}))
    result["lora"]["words alone"] = said[0] is words.at(plan(values={"lora_1_strength": 0.0}))[0]
    result["lora"]["other words"] = not torch.equal(said[2].at(0, 1, 0)[0][0][0], plain[2].at(0, 1, 0)[0][0][0])
    # Two, one after the other, as two stock nodes.
    pair = made(both, alike).at(strong(**{"1_strength": 0.8, "2_strength": -0.5}))
    next_one = nodes.LoraLoader().load_lora(*stock, "picture.safetensors", -0.5, -0.5)
    theirs = (next_one[0], vae, prompt.Prompts(next_one[1], acting.prompts.schedule))
    result["lora"]["two as stock"] = bool(torch.equal(picture(pair), picture(theirs)))
    foreign = made(part("foreign.safetensors", strength="1")).at(strong(**{"1_strength": 1.0}))
    result["lora"]["foreign"] = bool(torch.equal(picture(foreign), alone)) and foreign[2].clip is clip

    # ---- clip skip, guidance, eta
    skipped = made().at(plan(values={"clipskip_schedule": 3.0}))[2]
    theirs = prompt.Prompts(nodes.CLIPSetLastLayer().set_last_layer(clip, -3)[0], skipped.schedule)
    def words_of(said):
        return said.at(0, 1, 0)[0][0][0]
    result["skip"] = [bool(torch.equal(words_of(skipped), words_of(theirs))),
                      bool(torch.equal(words_of(skipped), words_of(plain[2]))), clip.layer_idx]
    given = plain[2].at(0, 1, 0)[0]
    result["guidance"] = [host.with_guidance(given, 2.5)[0][1]["guidance"],
                          FluxGuidance.execute(given, 2.5).args[0][0][1]["guidance"],
                          sorted(host.with_guidance(given, 2.5)[0][1]) == sorted(FluxGuidance.execute(given, 2.5
                                                                                 ).args[0][0][1]),
                          "guidance" in given[0][1]]
    ancestral = picture(plain, sampler_name="euler_ancestral")
    result["eta"] = {
        "none": float((picture(plain, sampler_name="euler_ancestral", eta=0.0) - alone).abs().max()),
        "one": bool(torch.equal(picture(plain, sampler_name="euler_ancestral", eta=1.0), ancestral)),
        "half": bool((picture(plain, sampler_name="euler_ancestral", eta=0.5) - ancestral).abs().max() > 1e-3),
        "idle": bool(torch.equal(picture(plain, eta=0.5), alone)),
        "takes": [name for name in host.sampler_names() if host.takes_eta(name)],
    }
    result["multiplier"] = [bool(torch.equal(picture(plain, noise_multiplier=1.0), alone)),
                            bool(torch.equal(picture(plain, noise_multiplier=1.1), alone))]
    result["nodes"] = [cls.GET_SCHEMA().node_id for cls in node_list if cls.GET_SCHEMA().node_id in
                       ("FramedriftLoraSchedule", "FramedriftCheckpointSchedule", "FramedriftSamplingSchedules")]
finally:
    comfy.utils.load_torch_file = load_torch_file
    folder_paths.filename_list_cache.clear()
"""


def need_models(comfyui):
    missing = [name for name in NEEDED if not (comfyui.models / name).exists()]
    if missing:
        pytest.skip(f"ComfyUI's models have no {', '.join(missing)}")


@pytest.fixture(scope="module")
def real(comfyui, tmp_path_factory):
    need_models(comfyui)
    folder = tmp_path_factory.mktemp("cast")
    return comfyui.run(f"FOLDER = {str(folder)!r}\n{SNIPPET}", folder)


@pytest.mark.comfyui
class TestCheckpoints:
    def test_each_is_loaded_once_and_switched_at_its_key(self, real):
        assert real["loads"] == ["tiny_sd15_all.safetensors", "tiny_sd3_all.safetensors"]
        assert real["kinds"] == ["BaseModel", "BaseModel", "SD3", "SD3", "BaseModel", "BaseModel"]
        assert real["same"] == [True] * 4
        assert real["linked"]

    def test_all_of_them_count_steps_and_make_pictures(self, real):
        assert real["counted masks"] == [True] * 6
        assert real["whole"] == [True] * 3
        assert real["same weights"]

    @pytest.mark.parametrize(
        ("what", "said"),
        [
            ("missing", "key 60: there is no checkpoint 'tiny_sd16.safetensors'; near it: 'tiny_sd15_all.safetensors'"),
            ("outside", "key 0: there is no checkpoint '../checkpoints/tiny_sd15_all.safetensors'"),
            ("broken.safetensors", "key 60: 'broken.safetensors' cannot be loaded: "),
            ("noise.safetensors", "key 60: 'noise.safetensors' cannot be loaded: "),
            ("bare.safetensors", "key 60: 'bare.safetensors' holds no text encoder"),
        ],
    )
    def test_what_cannot_be_had_is_refused_with_its_key(self, real, what, said):
        assert real["refused"][what].startswith("ScheduleError: checkpoint_schedule, " + said)


@pytest.mark.comfyui
class TestLoras:
    def test_it_acts_as_under_the_stock_node(self, real):
        assert real["lora"]["as stock"] and real["lora"]["acts"] and real["lora"]["two as stock"]

    def test_without_strength_it_is_as_if_there_were_none(self, real):
        assert real["lora"]["off"]

    def test_its_file_is_read_once_and_what_was_made_of_it_kept_a_while(self, real):
        assert real["lora"]["read"] == 2, "once here, once by the stock node"
        assert real["lora"]["kept"] and real["lora"]["prompts kept"]
        assert real["lora"]["few"] == 2

    def test_what_it_does_not_touch_stays_the_very_object(self, real):
        assert real["lora"]["own prompts"] and real["lora"]["words alone"] and real["lora"]["other words"]
        assert real["lora"]["foreign"]

    def test_one_that_is_missing_is_refused_with_what_is_near(self, real):
        said = "FramedriftError: lora_1_lora_name: there is no LoRA 'sub/boht.safetensors'; near it: "
        assert real["refused"]["lora"].startswith(said + "'sub/both.safetensors'")

    def test_one_that_cannot_be_read_is_refused_where_it_is_used(self, real):
        assert real["refused"]["torn"].startswith("FramedriftError: lora_name: 'torn.safetensors' cannot be loaded: ")
        assert real["refused"]["idle"] is None


@pytest.mark.comfyui
class TestConditioning:
    def test_clip_skip_is_clipsetlastlayers(self, real):
        assert real["skip"] == [True, False, None]

    def test_guidance_is_fluxguidances(self, real):
        assert real["guidance"] == [2.5, 2.5, True, False]

    def test_eta_goes_to_the_samplers_that_take_it(self, real):
        assert real["eta"]["none"] < 1e-4
        assert real["eta"]["one"] and real["eta"]["half"] and real["eta"]["idle"]
        assert {"euler_ancestral", "dpmpp_2m_sde", "seeds_2"} <= set(real["eta"]["takes"])
        assert not {"euler", "ddim", "dpmpp_2m", "uni_pc"} & set(real["eta"]["takes"])

    def test_a_noise_multiplier_of_one_is_none(self, real):
        assert real["multiplier"] == [True, False]


@pytest.mark.comfyui
def test_a_queue_that_switches_samplers_checkpoints_and_clip_skip(rendering, comfyui, flight_prompt):
    need_models(comfyui)
    flight_prompt["1"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny_sd15_all.safetensors"}}
    flight_prompt["11"] = {
        "class_type": "FramedriftSamplingSchedules",
        "inputs": {"sampler_schedule": "0: euler, 2: euler_ancestral", "scheduler_schedule": "", "eta_schedule": "0.5"}
        | {"distilled_cfg_scale_schedule": "", "clipskip_schedule": "0:(1), 3:(2)"},
    }
    flight_prompt["12"] = {
        "class_type": "FramedriftCheckpointSchedule",
        "inputs": {"options": ["11", 0], "checkpoint_schedule": '0: (""), 2: ("tiny_sd3_all.safetensors")'},
    }
    flight_prompt["3"]["inputs"] |= {"options": ["12", 0], "run_name": "cast", "num_frames": 5, "width": 64}
    rendering.queue(flight_prompt)
    assert len(set(shas(rendering, "cast"))) == 5
    flight_prompt["11"]["inputs"]["sampler_schedule"] = "0: euler, 2: eulr"
    status, answer = rendering.post("/prompt", {"prompt": flight_prompt})
    assert status == 400
    assert "sampler_schedule, key 2: there is no sampler 'eulr'" in json.dumps(answer)


@pytest.mark.comfyui
def test_a_queue_with_a_lora_that_comes_in(rendering, comfyui, flight_prompt):
    need_models(comfyui)
    folder = rendering.base / "models" / "loras"
    folder.mkdir(exist_ok=True)
    made = torch.Generator().manual_seed(3)
    layer = "lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_q"
    weights = {f"{layer}.lora_down.weight": (4, 320), f"{layer}.lora_up.weight": (320, 4)}
    save_file(
        {name: torch.randn(shape, generator=made) for name, shape in weights.items()}, folder / "tiny.safetensors"
    )
    flight_prompt["1"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny_sd15_all.safetensors"}}
    flight_prompt["3"]["inputs"] |= {"width": 64, "run_name": "without"}
    rendering.queue(flight_prompt)
    flight_prompt["11"] = {
        "class_type": "FramedriftLoraSchedule",
        "inputs": {"lora_name": "tiny.safetensors", "strength": "0:(0), 1:(0), 3:(1)", "clip_strength": ""},
    }
    flight_prompt["3"]["inputs"] |= {"options": ["11", 0], "run_name": "with"}
    rendering.queue(flight_prompt)
    without, coming = (shas(rendering, name) for name in ("without", "with"))
    assert [a == b for a, b in zip(without, coming, strict=True)] == [True, True, False, False]


def shas(rendering, name):
    """The pictures of a run, as its journal marks them."""
    journal = next((rendering.base / "output" / "framedrift").glob(f"{name}_*/journal.jsonl"))
    return [json.loads(line)["sha256"] for line in journal.read_text().splitlines()]
