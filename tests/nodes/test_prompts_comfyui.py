"""Prompt schedules on ComfyUI's own text encoders: what they give is blended, composed and sampled whole."""

import json

import pytest

pytestmark = pytest.mark.comfyui

NEEDED = ["checkpoints/tiny_sd15_all.safetensors", "checkpoints/tiny_sd3_all.safetensors"]
NEEDED += ["text_encoders/tiny_clip_l.safetensors"]

SNIPPET = """
prompt = sys.modules["pack.nodes.prompt"]
core = sys.modules["pack.nodes.core.schedule"]
long = ", ".join(f"a cat number {i}" for i in range(30))
text = '{"0": "a cat --neg rain", "10": "' + long + '", "20": "a cat :1.2 AND a dog :0.8", "30": "a tree"}'
result = {"imported": imported}

class Counting:
    def __init__(self, clip):
        self.clip, self.texts = clip, []
    def tokenize(self, text):
        self.texts.append(text)
        return self.clip.tokenize(text)
    def encode_from_tokens_scheduled(self, tokens):
        return self.clip.encode_from_tokens_scheduled(tokens)

def described(conditioning):
    return [[list(e[0].shape), sorted(e[1]), [list(v.shape) for v in e[1].values() if hasattr(v, "shape")],
             e[1].get("strength"), bool(torch.isfinite(e[0]).all())] for e in conditioning]

def looked_at(clip):
    made = prompt.Prompts(Counting(clip), core.parse_prompts(text, "blurry"), "smooth")
    made.prepare(range(40), 40, 0)
    frames = {}
    for frame in range(40):
        positive, negative, said = made.at(frame, 40, 0)
        frames[frame] = [described(positive), described(negative)]
    own = [made.at(frame, 40, 0)[0] is made._encoded["a cat" if frame == 0 else long] for frame in (0, 10)]
    near, at = (made.at(frame, 40, 0)[0][0] for frame in (9, 10))
    return {"frames": {k: frames[k] for k in (0, 5, 10, 15, 20, 35)}, "texts": made.clip.texts, "own": own,
            "clip": made}

said = {}
for name in ("tiny_sd15_all", "tiny_sd3_all"):
    model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint(name + ".safetensors")[:3]
    said[name] = looked_at(clip)
    made = said[name].pop("clip")
    latent = host.empty_latent(model, vae, (64, 64))
    sigmas = host.sigmas(model, "normal", "euler", 2)
    def sampled(frame, **seeds):
        positive, negative, _ = made.at(frame, 40, 0)
        return host.sample(model, latent, positive, negative, seed=3, sigmas=sigmas, cfg=4.0, sampler_name="euler",
                           **seeds)
    pictures = [sampled(frame) for frame in (0, 5, 10, 15, 20)]
    said[name]["finite"] = [bool(torch.isfinite(p).all()) for p in pictures]
    said[name]["differ"] = [bool((a - b).abs().max() > 1e-5) for a, b in zip(pictures, pictures[1:])]
    cat = made.at(0, 40, 0)
    plain = host.sample(model, latent, cat[0], cat[1], seed=9, sigmas=sigmas, cfg=4.0, sampler_name="euler")
    varied = [sampled(0, subseed=9, subseed_strength=s) for s in (0.0, 0.5, 1.0)]
    said[name]["no sub-seed"] = bool(torch.equal(varied[0], pictures[0]))
    said[name]["half"] = bool(torch.isfinite(varied[1]).all()) and not torch.equal(varied[1], pictures[0])
    said[name]["full"] = float((varied[2] - plain).abs().max())
    # ComfyUI's own combination of the same two, with the same strengths.
    one, two = (made._encoded[text] for text in ("a cat", "a dog"))
    import node_helpers
    combined = nodes.ConditioningCombine().combine(
        node_helpers.conditioning_set_values(one, {"strength": 1.2}),
        node_helpers.conditioning_set_values(two, {"strength": 0.8}))[0]
    theirs = host.sample(model, latent, combined, made.at(20, 40, 0)[1], seed=3, sigmas=sigmas, cfg=4.0,
                         sampler_name="euler")
    said[name]["as combined"] = bool(torch.equal(theirs, pictures[4]))
# Encoders as CLIPLoader makes them of one file.
for kind in ("stable_diffusion", "sd3"):
    made = looked_at(nodes.CLIPLoader().load_clip("tiny_clip_l.safetensors", kind)[0])
    del made["clip"]
    said[kind] = made
result["said"] = said
"""


@pytest.fixture(scope="module")
def real(comfyui, tmp_path_factory):
    missing = [name for name in NEEDED if not (comfyui.models / name).exists()]
    if missing:
        pytest.skip(f"ComfyUI's models have no {', '.join(missing)}")
    return comfyui.run(SNIPPET, tmp_path_factory.mktemp("prompts"))["said"]


@pytest.mark.parametrize("name", ["tiny_sd15_all", "tiny_sd3_all", "stable_diffusion", "sd3"])
class TestRealEncoders:
    def test_a_text_is_encoded_once(self, real, name):
        assert len(real[name]["texts"]) == len(set(real[name]["texts"])) == 6

    def test_the_longer_text_is_whole_and_nothing_is_lost(self, real, name):
        frames = real[name]["frames"]
        short, blended, long = (frames[str(frame)][0][0] for frame in (0, 5, 10))
        assert long[0][1] > short[0][1]
        assert blended[0] == long[0]
        assert set(blended[1]) == set(long[1]) >= {"pooled_output"}
        assert blended[2] == long[2]
        assert real[name]["own"] == [True, True]
        assert all(entry[4] for sides in frames.values() for side in sides for entry in side)

    def test_and_is_two_entries_with_strengths(self, real, name):
        assert [entry[3] for entry in real[name]["frames"]["20"][0]] == pytest.approx([1.2, 0.8])
        assert sum(entry[3] for entry in real[name]["frames"]["15"][0]) == pytest.approx(1)


@pytest.mark.parametrize("name", ["tiny_sd15_all", "tiny_sd3_all"])
class TestRealModels:
    def test_and_is_exactly_what_conditioning_combine_gives(self, real, name):
        assert real[name]["as combined"]

    def test_all_of_it_can_be_sampled(self, real, name):
        assert real[name]["finite"] == [True] * 5
        assert real[name]["differ"] == [True] * 4

    def test_sub_seeds_turn_the_noise(self, real, name):
        assert real[name]["no sub-seed"]
        assert real[name]["half"]
        assert real[name]["full"] < 1e-5


def test_a_frames_prompt_feeds_comfyuis_own_sampler(rendering):
    made = {
        "1": {"class_type": "FramedriftProceduralModel", "inputs": {}},
        "2": {
            "class_type": "FramedriftPromptSchedule",
            "inputs": {"clip": ["1", 1], "text": "0: a red sky :2 AND a `pw_a` sea\n9: green hills", "blend": "smooth"}
            | {"negative": "", "pw_a": "0:(0), 9:(1)", "overlap": 4, "style": "ink of {prompt}"},
        },
        "3": {
            "class_type": "FramedriftPromptAtFrame",
            "inputs": {"prompts": ["2", 0], "frame": 8, "num_frames": 12, "seed": 0},
        },
        "4": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0}},
        "5": {"class_type": "VAEEncode", "inputs": {"pixels": ["4", 0], "vae": ["1", 2]}},
        "6": {
            "class_type": "KSampler",
            "inputs": {"model": ["1", 0], "positive": ["3", 0], "negative": ["3", 1], "latent_image": ["5", 0]}
            | {"seed": 1, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0},
        },
        "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["1", 2]}},
        "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "frame"}},
        "9": {"class_type": "PreviewAny", "inputs": {"source": ["3", 2]}},
    }
    shown = rendering.queue(made)
    assert shown["8"]["images"]
    said = shown["9"]["text"][0]
    assert said.startswith("0.844 ink of a red sky :2 AND ink of a 0.8888")
    assert said.endswith("| 0.156 ink of green hills")


def test_seeds_and_sub_seeds_from_schedules_in_the_sampler(rendering, flight_prompt):
    flight_prompt["3"]["inputs"] |= {"seed_behavior": "schedule", "seed_schedule": "0:(5), 3:(8)", "run_name": "seeds"}
    flight_prompt["3"]["inputs"] |= {"subseed_schedule": "0:(1)", "subseed_strength_schedule": "0:(0), 3:(0.3)"}
    rendering.queue(flight_prompt)
    lines = next((rendering.base / "output" / "framedrift").glob("seeds_*/journal.jsonl")).read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["seed"] for entry in entries] == [5, 6, 7, 8]
    assert [entry.get("subseed_strength") for entry in entries] == [None, pytest.approx(0.1), pytest.approx(0.2), 0.3]
