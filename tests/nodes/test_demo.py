"""The demo model runs without ComfyUI, and its results in ComfyUI's stock nodes are the same."""

import pytest
import torch
from scipy.fft import dctn

from framedrift.nodes import demo, host
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.stepwise import stepwise_mask
from framedrift.nodes.core.field import axis_powers, mean_picture
from framedrift.nodes.core.palette import palette_from, palette_vector
from framedrift.nodes.headless import sampling
from framedrift.nodes.headless.demo import DiscreteSigmas, ProceduralModel

MODEL, CLIP, VAE = ProceduralModel(), *host.procedural_model()[1:]
SIZE = (48, 72)


def conditioning(text):
    return CLIP.encode_from_tokens_scheduled(CLIP.tokenize(text))


def rendered(sampler="euler", scheduler="karras", steps=10, cfg=1.0, seed=3, **kwargs):
    levels = sampling.sigmas(MODEL, scheduler, sampler, steps)
    latent = kwargs.pop("latent", torch.zeros(1, 3, *SIZE))
    levels = levels[kwargs.pop("skip", 0) :]
    positive = kwargs.pop("positive", conditioning("sunset over the ocean"))
    return sampling.sample(
        MODEL, latent, positive, conditioning(""), seed=seed, sigmas=levels, cfg=cfg, sampler_name=sampler, **kwargs
    )


def test_the_node_gives_model_clip_and_vae():
    schema = demo.ProceduralModel.define_schema()
    assert schema.node_id == "FramedriftProceduralModel"
    assert [output.id for output in schema.outputs] == ["model", "clip", "vae"]
    model, clip, vae = demo.ProceduralModel.execute().args
    cond = clip.encode_from_tokens_scheduled(clip.tokenize("dawn"))
    assert cond[0][0].shape[:2] == (1, 1) and cond[0][1]["pooled_output"].shape[0] == 1
    latent = host.empty_latent(model, vae, (40, 56))
    assert host.vae_decode(vae, latent).shape == (1, 3, 40, 56)
    assert host.size_multiple(vae) == 1


def test_sigmas_are_those_of_stable_diffusion():
    levels = DiscreteSigmas()
    assert levels.sigma_min == pytest.approx(0.0292, abs=1e-4)
    assert levels.sigma_max == pytest.approx(14.6146, abs=1e-3)
    for scheduler in sampling.scheduler_names():
        found = sampling.sigmas(MODEL, scheduler, "euler", 12)
        assert found.shape == (13,) and found.dtype == torch.float32 and found[-1] == 0
        assert (found[1:] < found[:-1]).all()
        assert float(found[0]) == pytest.approx(levels.sigma_max, rel=1e-5)


@pytest.mark.parametrize("cfg", [1.0, 2.5])
def test_solvers_of_the_same_equation_meet(cfg):
    """With many steps Euler, Heun and DPM-Solver++ end in the same picture."""
    exact = VAE.decode(rendered("heun", steps=120, cfg=cfg))
    for sampler, steps, within in (("euler", 160, 0.03), ("dpmpp_2m", 80, 0.01)):
        assert (VAE.decode(rendered(sampler, steps=steps, cfg=cfg)) - exact).abs().max() < within


def test_ancestral_steps_depend_on_the_seed_alone_and_not_on_global_state():
    torch.manual_seed(1)
    first, state = rendered("euler_ancestral"), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(rendered("euler_ancestral"), first)
    assert not torch.equal(rendered("euler_ancestral", seed=4), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


def test_sampled_pictures_have_the_spectrum_that_the_model_says():
    """The last step leaves from sigma_min and not from 0, so that of power P there remains P^2 / (P + sigma_min^2)."""
    text, size = "storm", (96, 96)
    look = palette_from(palette_vector(text))
    rows, columns = torch.arange(size[0])[:, None], torch.arange(size[1])[None]
    axes, expected = axis_powers(look, size, rows, columns)
    expected = expected.square() / (expected + DiscreteSigmas().sigma_min ** 2)
    latent = rendered("heun", steps=30, latent=torch.zeros(8, 3, *size), positive=conditioning(text))
    main = torch.einsum("c,bchw->bhw", axes[-1].float(), latent - mean_picture(look, size[0]))
    found = torch.tensor(dctn(main.numpy(), axes=(-2, -1), norm="ortho")).square().mean(0)
    radius = (rows.square() + columns.square()).sqrt()
    for low, high in ((6, 12), (12, 24), (24, 40)):
        ring = (radius >= low) & (radius < high) & (columns > 0)
        assert float(found[ring].sum() / expected[-1][ring].sum()) == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("cfg", [1.0, 4.0, 8.0])
@pytest.mark.parametrize("text", ["a calm dawn sky, rose and gold clouds", "neon city", "blorp", ""])
def test_guidance_neither_burns_nor_greys(text, cfg):
    latent = torch.zeros(1, 3, 160, 160)
    picture = VAE.decode(rendered("dpmpp_2m", steps=12, cfg=cfg, latent=latent, positive=conditioning(text)))
    assert 0.08 < picture.mean() < 0.92 and picture.std() > 0.04
    assert ((picture > 0.995) | (picture < 0.005)).float().mean() < 0.2


def test_a_feedback_loop_keeps_contrast_colour_and_detail():
    """Forty frames of zooming in and diffusing again neither wash out nor burn."""
    latent, seen = rendered("dpmpp_2m", steps=16), []
    for frame in range(40):
        picture = VAE.decode(latent).movedim(-1, 1)
        grown = torch.nn.functional.interpolate(picture, scale_factor=1.05, mode="bicubic").clamp(0, 1)
        latent = VAE.encode(grown[..., 1 : SIZE[0] + 1, 1 : SIZE[1] + 1].movedim(1, -1))
        latent = rendered("dpmpp_2m", steps=16, skip=8, seed=frame, latent=latent)
        detail = picture - torch.nn.functional.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)
        seen.append(torch.stack((picture.std(), detail.std(), (picture.amax(1) - picture.amin(1)).mean())))
    early, late = torch.stack(seen[:4]).mean(0), torch.stack(seen[-10:]).mean(0)
    assert (late / early > 0.6).all() and (late / early < 1.6).all(), (early, late)


def test_a_new_prompt_takes_over_within_ten_frames():
    target = VAE.decode(rendered("dpmpp_2m", positive=conditioning("night"))).mean((0, 1, 2))
    latent = rendered("dpmpp_2m", positive=conditioning("morning"))
    start = (VAE.decode(latent).mean((0, 1, 2)) - target).norm()
    for frame in range(10):
        latent = rendered("dpmpp_2m", skip=5, seed=frame, latent=latent, positive=conditioning("night"))
    assert (VAE.decode(latent).mean((0, 1, 2)) - target).norm() < 0.25 * start


def test_masked_pixels_stay_and_the_others_change():
    latent = rendered()
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., 30:] = 1.0
    out = rendered(latent=latent, skip=4, denoise_mask=mask, seed=9)
    torch.testing.assert_close(out[..., :30], latent[..., :30], atol=1e-6, rtol=0)
    assert (out[..., 30:] - latent[..., 30:]).abs().mean() > 0.005


def test_a_share_of_the_mask_changes_later_and_less():
    latent = rendered()
    changes = []
    for share in (0.2, 0.5, 1.0):
        out = rendered(latent=latent, steps=12, skip=4, denoise_mask=torch.full((1, 1, *SIZE), share), seed=9)
        changes.append(float((out - latent).square().mean()))
    assert changes[0] < changes[1] < changes[2]
    assert stepwise_mask(1.0, torch.ones(1), torch.tensor([1.0, 0.0])) == 1


def test_guidance_of_one_asks_for_the_positive_side_alone():
    calls = []

    class Counting(ProceduralModel):
        def denoise(self, x, sigma, context, negative):
            calls.append((x.shape[0], list(negative)))
            return super().denoise(x, sigma, context, negative)

    for cfg in (1.0, 3.0):
        levels = sampling.sigmas(MODEL, "karras", "euler", 2)
        sky = conditioning("sky")
        sampling.sample(
            Counting(), torch.zeros(1, 3, 8, 8), sky, sky, seed=0, sigmas=levels, cfg=cfg, sampler_name="euler"
        )
    assert calls == [(1, [False])] * 2 + [(2, [False, True])] * 2


def test_callbacks_follow_every_step():
    seen = []
    rendered(steps=5, callback=lambda step, clean, x, total: seen.append((step, clean.shape, x.shape, total)))
    assert [(step, total) for step, _, _, total in seen] == [(i, 5) for i in range(5)]


def test_no_steps_leave_the_latent():
    latent = torch.randn(1, 3, *SIZE)
    out = sampling.sample(
        MODEL, latent, conditioning("sky"), [], seed=0, sigmas=torch.zeros(1), cfg=1.0, sampler_name="euler"
    )
    assert torch.equal(out, latent)


def test_unknown_names_and_no_steps_are_errors_that_say_what_there_is():
    with pytest.raises(FramedriftError, match=r"sampler_name 'lms'.*euler, "):
        rendered("lms")
    with pytest.raises(FramedriftError, match=r"scheduler 'ddim_uniform'.*normal, "):
        rendered(scheduler="ddim_uniform")
    with pytest.raises(FramedriftError, match="steps is 0"):
        sampling.sigmas(MODEL, "normal", "euler", 0)


COMPARE = """
torch.set_num_threads(1)
from importlib import import_module
demo, sampling = import_module("pack.nodes.headless.demo"), import_module("pack.nodes.headless.sampling")
model, clip, vae = host.procedural_model()
plain = demo.ProceduralModel()
encode = lambda text: nodes.CLIPTextEncode().encode(clip, text)[0]
positive, negative = encode("sunset over the ocean"), encode("")
empty, mask = torch.zeros(1, 3, 48, 72), torch.linspace(0, 1, 72).expand(1, 1, 48, 72)
result = {"sigmas": {}, "pictures": {}}
for name in sampling.sampler_names():
    for scheduler in sampling.scheduler_names():
        theirs, ours = host.sigmas(model, scheduler, name, 9), sampling.sigmas(plain, scheduler, name, 9)
        result["sigmas"][scheduler] = float((theirs - ours).abs().max())
        for start, masked in ((0, None), (4, mask)) if scheduler == "karras" else ():
            how = dict(seed=5, cfg=3.0, sampler_name=name, denoise_mask=masked)
            a = host.sample(model, empty + 0.05, positive, negative, sigmas=theirs[start:], **how)
            b = sampling.sample(plain, empty + 0.05, positive, negative, sigmas=ours[start:], **how)
            result["pictures"][f"{name} {scheduler} {start}"] = float((vae.decode(a) - vae.decode(b)).abs().max())

blank = nodes.EmptyLatentImage().generate(96, 64, 2)[0]
latent = nodes.KSampler().sample(model, 3, 6, 4.0, "euler_ancestral", "karras", positive, negative, blank)[0]
image = nodes.VAEDecode().decode(vae, latent)[0]
result["image"] = [list(image.shape), float(image.min()), float(image.max()), float(image.std())]
again = nodes.VAEEncode().encode(vae, image)[0]
result["round"] = float((vae.decode(again["samples"]) - image).abs().max())
result["tiled"] = [
    list(nodes.VAEDecodeTiled().decode(vae, latent, 512)[0].shape),
    list(nodes.VAEEncodeTiled().encode(vae, image, 512, 64)[0]["samples"].shape),
]
cond = {
    "combine": nodes.ConditioningCombine().combine(positive, encode("aurora"))[0],
    "concat": nodes.ConditioningConcat().concat(positive, encode("aurora"))[0],
    "average": nodes.ConditioningAverage().addWeighted(positive, encode("aurora"), 0.5)[0],
    "area": nodes.ConditioningSetArea().append(positive, 48, 32, 0, 0, 1.0)[0],
}
zero = nodes.ConditioningZeroOut().zero_out(positive)[0]
other = nodes.CLIPSetLastLayer().set_last_layer(clip, -2)[0]
patched, _ = comfy.sd.load_lora_for_models(model, other, {}, 1.0, 1.0)
result["stock"] = {}
for name, each in cond.items():
    out = nodes.KSampler().sample(patched, 3, 3, 2.0, "euler", "normal", each, zero, again, denoise=0.5)[0]
    result["stock"][name] = bool(torch.isfinite(out["samples"]).all())
import latent_preview
latent_preview.args.preview_method = latent_preview.LatentPreviewMethod.Auto
preview = host.latent_previewer(model)(latent["samples"])
result["preview"] = [*preview.size, abs(sum(preview.convert("L").getdata()) / (96 * 64 * 255) - float(image[0].mean()))]
"""


@pytest.mark.comfyui
def test_comfyuis_stock_nodes_give_the_same(comfyui, tmp_path):
    found = comfyui.run(COMPARE, tmp_path)
    assert max(found["sigmas"].values()) < 1e-5
    assert max(found["pictures"].values()) < 1e-3, found["pictures"]
    shape, low, high, spread = found["image"]
    assert shape == [2, 64, 96, 3] and 0 <= low < high <= 1 and spread > 0.05
    assert found["round"] < 1 / 512
    assert found["tiled"] == [[2, 64, 96, 3], [2, 3, 64, 96]]
    assert all(found["stock"].values()) and len(found["stock"]) == 4
    assert found["preview"][:2] == [96, 64] and found["preview"][2] < 0.1
