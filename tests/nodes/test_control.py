"""Control as a node; in ComfyUI, what the sampler is given is what stock nodes make, and whole animations run on it."""

import json

import pytest
import torch
from PIL import Image

from framedrift.nodes import host
from framedrift.nodes.control import Control
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import Options
from framedrift.nodes.core.feedback.control import Control as Option
from framedrift.nodes.core.schedule import ScheduleError

SD15, SD3, NET = "checkpoints/tiny_sd15_all.safetensors", "checkpoints/tiny_sd3_all.safetensors", "tiny_cn_sd15"
NEEDED = [SD15, SD3, f"controlnet/{NET}.safetensors"]
STILL = torch.linspace(0, 1, 6 * 8 * 3).reshape(1, 6, 8, 3)
EVEN = {"weight": "0:(1)", "guidance_start": "0:(0)", "guidance_end": "0:(1)"}


class TestNode:
    def test_it_chains_its_net_picture_and_schedules(self):
        first = Control.execute(object(), "image", image=STILL, **EVEN).args[0]
        net = object()
        chain = Control.execute(net, "previous frame", options=first, **EVEN | {"weight": "0:(0.5), 10:(1)"}).args[0]
        one, two = chain.all(Option)
        assert one.image.shape == (1, 3, 6, 8)
        assert two.net is net and two.source == "previous frame"
        assert sorted(chain.texts()) == sorted(f"cn_{n}_{name}" for n in (1, 2) for name in EVEN)
        assert chain.sample(11, 0, 15.0).numbers["cn_2_weight"][[0, 5, 10]].tolist() == [0.5, 0.75, 1.0]

    @pytest.mark.parametrize(("source", "named"), [("image", "image"), ("video", "video")])
    def test_a_source_that_is_not_linked_is_refused(self, source, named):
        with pytest.raises(FramedriftError, match=f"^{named}: .* none is linked"):
            Control.execute(object(), source, **EVEN)

    def test_several_pictures_are_no_still(self):
        with pytest.raises(FramedriftError, match=r"^image: 3 pictures; a still is one\."):
            Control.execute(object(), "image", image=STILL.repeat(3, 1, 1, 1), **EVEN)

    def test_texts_are_read_before_anything_runs(self):
        assert Control.validate_inputs(source="image", image=None, **EVEN) is True
        assert Control.validate_inputs(source="image", **EVEN | {"weight": "0:(1"}).startswith("weight")
        assert "source" in Control.validate_inputs(source="film", **EVEN)

    def test_bounds_are_named_with_the_nets_number(self):
        chain = Control.execute(object(), "previous frame", **EVEN | {"guidance_end": "0:(1), 4:(2)"}).args[0]
        with pytest.raises(FramedriftError, match=r"^cn_1_guidance_end is 1\.25 at frame 1"):
            chain.sample(5, 0, 15.0)

    def test_a_schedule_that_cannot_be_read_names_the_input(self):
        with pytest.raises(ScheduleError, match="guidance_start"):
            Control.execute(object(), "previous frame", **EVEN | {"guidance_start": "0:(x)"})


@pytest.mark.skipif(host.IN_COMFYUI, reason="speaks of a world without ComfyUI")
class TestHeadless:
    def test_controlnets_need_comfyui(self):
        with pytest.raises(FramedriftError, match="control_net: ControlNets need ComfyUI"):
            host.apply_controls([], [], [(object(), torch.zeros(1, 3, 4, 4), 1.0, 0.0, 1.0, None)])

    def test_one_without_weight_is_not_asked(self):
        given = [[torch.zeros(1, 1, 4), {}]], [[torch.ones(1, 1, 4), {}]]
        assert host.apply_controls(*given, [(object(), torch.zeros(1, 3, 4, 4), 0.0, 0.0, 1.0, None)]) == given

    def test_nothing_chained_gives_the_very_conditioning(self):
        given = [[torch.zeros(1, 1, 4), {}]], []
        assert host.apply_controls(*given, []) == given
        assert Options().all(Option) == ()


SNIPPET = """
import comfy.controlnet
model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint("tiny_sd15_all.safetensors")[:3]
net = nodes.ControlNetLoader().load_controlnet("tiny_cn_sd15.safetensors")[0]
prompt, core = sys.modules["pack.nodes.prompt"], sys.modules["pack.nodes.core.schedule"]
text = "0: a cat :1.2 AND a dog :0.8 --neg rain"
positive, negative, _ = prompt.Prompts(clip, core.parse_prompts(text)).at(0, 10, 0)
pictures = [torch.rand(1, 64, 96, 3, generator=torch.Generator().manual_seed(n)) for n in (1, 2)]
asked = [(net, host.to_core(pictures[0]), 0.7, 0.1, 0.8, None), (net, host.to_core(pictures[1]), 1.3, 0.0, 0.5, vae)]

def stock():
    sides = positive, negative
    for (_, _, weight, start, end, own), picture in zip(asked, pictures):
        sides = nodes.ControlNetApplyAdvanced().apply_controlnet(*sides, net, picture, weight, start, end, vae=own)
    return sides

def said(side):
    out = []
    for entry, options in side:
        chain, control = [], options["control"]
        while control is not None:
            chain.append([control.strength, list(control.timestep_percent_range), control.control_model is
                          net.control_model, list(control.cond_hint_original.shape),
                          float(control.cond_hint_original.double().sum())])
            control = control.previous_controlnet
        out.append([sorted(options), options["control_apply_to_uncond"], chain])
    return out

def sampled(sides):
    latent = host.empty_latent(model, vae, (64, 96))
    return host.sample(model, latent, *sides, seed=3, sigmas=host.sigmas(model, "normal", "euler", 3), cfg=4.0,
                       sampler_name="euler")

theirs, mine = stock(), host.apply_controls(positive, negative, asked)
plain = sampled((positive, negative))
result = {
    "theirs": [said(side) for side in theirs], "mine": [said(side) for side in mine],
    "shared": len({id(o["control"]) for side in mine for _, o in side}),
    "same picture": bool(torch.equal(sampled(theirs), sampled(mine))),
    "acts": bool((sampled(mine) - plain).abs().max() > 1e-4),
    "off": bool(torch.equal(sampled(host.apply_controls(positive, negative, [(*asked[0][:2], 0.0, 0.0, 1.0, None)])),
                            plain)),
    "too late": bool(torch.equal(sampled(host.apply_controls(positive, negative, [(*asked[0][:2], 1.0, 1.0, 1.0,
                                                                                   None)])), plain)),
}
# Fifty frames from the same conditioning: the chain stays two long, and what was given stays as it was.
for frame in range(50):
    grown = host.apply_controls(positive, negative, asked)
result["chains"] = [[len(entry[2]) for entry in said(side)] for side in grown]
result["untouched"] = all("control" not in options for side in (positive, negative) for _, options in side)
result["net untouched"] = net.cond_hint_original is None and net.previous_controlnet is None
# The union node changes what a copy carries along; the differential loader's net belongs to its model.
from comfy_extras.nodes_controlnet import SetUnionControlNetType
union = SetUnionControlNetType.execute(net, "canny/lineart/anime_lineart/mlsd").args[0]
kept = host.apply_controls(positive, negative, [(union, asked[0][1], 1.0, 0.0, 1.0, None)])[0][0][1]["control"]
result["union"] = kept.extra_args == union.extra_args != {}
diff = nodes.DiffControlNetLoader().load_controlnet(model, "tiny_cn_sd15.safetensors")[0]
result["diff"] = bool(torch.isfinite(sampled(host.apply_controls(positive, negative,
                                                                 [(diff, asked[0][1], 1.0, 0.0, 1.0, None)]))).all())
# A net of SD3's kind, its one block the model's own: it reads latents, by the sampler's VAE where it brings none.
import comfy.cldm.mmdit, comfy.ops
model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint("tiny_sd3_all.safetensors")[:3]
positive, negative, _ = prompt.Prompts(clip, core.parse_prompts(text)).at(0, 10, 0)
state = {key: value.clone() for key, value in model.model.diffusion_model.state_dict().items()}
state |= {f"pos_embed_input.proj.{part}": state[f"x_embedder.proj.{part}"].clone() for part in ("weight", "bias")}
state |= {"controlnet_blocks.0.weight": torch.eye(128), "controlnet_blocks.0.bias": torch.zeros(128)}
config = {**model.model.model_config.unet_config, "dtype": torch.float32}
branch = comfy.cldm.mmdit.ControlNet(num_blocks=1, operations=comfy.ops.manual_cast, **config)
missing = branch.load_state_dict(state, strict=False).missing_keys
net = comfy.controlnet.ControlNet(branch, compression_ratio=1, latent_format=comfy.latent_formats.SD3(),
                                  load_device=model.load_device, manual_cast_dtype=torch.float32)
theirs = nodes.ControlNetApplyAdvanced().apply_controlnet(positive, negative, net, pictures[0], 0.9, 0.0, 1.0, vae=vae)
bare, linked = ((net, asked[0][1], 0.9, 0.0, 1.0, own) for own in (None, vae))
plain, sought = sampled((positive, negative)), sampled(theirs)
result["sd3"] = [not missing, bool(torch.equal(sampled(host.apply_controls(positive, negative, [bare], vae)), sought)),
                 bool(torch.equal(sampled(host.apply_controls(positive, negative, [linked])), sought)),
                 bool((sought - plain).abs().max() > 1e-4)]
"""


@pytest.fixture(scope="module")
def real(comfyui, tmp_path_factory):
    need_models(comfyui)
    return comfyui.run(SNIPPET, tmp_path_factory.mktemp("control"))


def need_models(comfyui):
    missing = [name for name in NEEDED if not (comfyui.models / name).exists()]
    if missing:
        pytest.skip(f"ComfyUI's models have no {', '.join(missing)}")


@pytest.mark.comfyui
class TestConditioning:
    def test_it_is_what_controlnetapplyadvanced_makes(self, real):
        assert real["mine"] == real["theirs"]
        assert real["mine"][0][0][2][0][:2] == [1.3, [0.0, 0.5]]
        assert real["same picture"] and real["acts"]

    def test_all_entries_share_one_copy(self, real):
        assert real["shared"] == 1

    def test_it_does_not_grow_over_fifty_frames(self, real):
        assert real["chains"] == [[2, 2], [2]]
        assert real["untouched"] and real["net untouched"]

    def test_without_weight_or_after_the_end_it_changes_nothing(self, real):
        assert real["off"] and real["too late"]

    def test_union_and_differential_nets_go_through(self, real):
        assert real["union"] and real["diff"]

    def test_a_net_that_reads_latents_has_its_own_vae_or_the_samplers(self, real):
        assert real["sd3"] == [True] * 4


def animation(flight_prompt, checkpoint, **sampler):
    """Ten frames on a stock checkpoint; node 3 is the sampler."""
    flight_prompt["1"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}}
    flight_prompt["3"]["inputs"] |= {"width": 64, "height": 64, "num_frames": 10, "strength_schedule": "0:(0.5)"}
    flight_prompt["3"]["inputs"] |= {"steps_schedule": "0:(4)", "cfg_scale_schedule": "0:(4)"} | sampler
    return flight_prompt


def lines_of(rendering, name):
    journal = next((rendering.base / "output" / "framedrift").glob(f"{name}_*/journal.jsonl"))
    return [json.loads(line) for line in journal.read_text().splitlines()]


@pytest.mark.comfyui
def test_ten_frames_on_sd15_under_three_controlnets(rendering, comfyui, flight_prompt):
    need_models(comfyui)
    picture = Image.linear_gradient("L").resize((120, 90)).convert("RGB")
    picture.save(rendering.base / "input" / "still.png")
    made = animation(flight_prompt, "tiny_sd15_all.safetensors", options=["13", 0], run_name="controlled")
    net = {"control_net": ["10", 0], "guidance_start": "0:(0)", "guidance_end": "0:(1)"}
    made |= {
        "10": {"class_type": "ControlNetLoader", "inputs": {"control_net_name": f"{NET}.safetensors"}},
        "20": {"class_type": "LoadImage", "inputs": {"image": "still.png"}},
        "21": {"class_type": "RepeatImageBatch", "inputs": {"image": ["20", 0], "amount": 12}},
        "11": {
            "class_type": "FramedriftControl",
            "inputs": net | {"source": "image", "image": ["20", 0], "weight": "0:(1), 9:(0)"},
        },
        "12": {
            "class_type": "FramedriftControl",
            "inputs": net | {"source": "video", "video": ["21", 0], "weight": "0:(0.5)", "options": ["11", 0]},
        },
        "13": {
            "class_type": "FramedriftControl",
            "inputs": net | {"source": "previous frame", "weight": "0:(0.3)", "options": ["12", 0]},
        },
    }
    rendering.queue(made)
    controlled = [line["sha256"] for line in lines_of(rendering, "controlled")]
    assert len(controlled) == len(set(controlled)) == 10
    # Queued again, nothing is made anew; without the nets it is another animation.
    rendering.queue(made)
    assert len(list((rendering.base / "output" / "framedrift").glob("controlled_*"))) == 1
    plain = made | {"3": {**made["3"], "inputs": {**made["3"]["inputs"], "run_name": "uncontrolled"}}}
    plain["3"]["inputs"].pop("options")
    rendering.queue(plain)
    assert not set(controlled) & {line["sha256"] for line in lines_of(rendering, "uncontrolled")}


@pytest.mark.comfyui
def test_ten_frames_on_sd3_through_the_stock_loader(rendering, comfyui, flight_prompt):
    need_models(comfyui)
    rendering.queue(animation(flight_prompt, "tiny_sd3_all.safetensors", run_name="three"))
    made = [line["sha256"] for line in lines_of(rendering, "three")]
    assert len(made) == len(set(made)) == 10
