"""Value Schedule and Prompt Schedule: schema, checks before running, and what they hand on."""

import hashlib
import json
import re
import subprocess
import sys

import pytest
import torch

from framedrift.nodes import prompt, schedule
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.schedule import parse_prompts
from framedrift.nodes.headless import folders
from framedrift.nodes.prompt import KEPT_TEXTS, PromptAtFrame, Prompts, PromptScheduleNode
from framedrift.nodes.schedule import ValueSchedule

VALUES = {"text": "0:(t*2)", "num_frames": 4, "fps": 10.0, "bpm": 120.0, "seed": 3}
PROMPTS = {"text": prompt.DEFAULT_TEXT, "blend": "linear", "negative": ""}


class CountingClip:
    """Answers as ComfyUI's CLIP does, with an embedding of the text's length, and counts."""

    def __init__(self):
        self.encoded = []

    def tokenize(self, text):
        return {"l": text}

    def encode_from_tokens_scheduled(self, tokens):
        text = tokens["l"]
        self.encoded.append(text)
        value = float(len(text))
        return [[torch.full((1, 77, 4), value), {"pooled_output": torch.full((1, 4), value)}]]


def prompts(text, blend="linear", negative="", overlap=0, **added):
    clip = CountingClip()
    return clip, Prompts(clip, parse_prompts(text, negative, **added), blend, overlap)


def test_neither_module_imports_what_is_heavy():
    code = (
        "import sys; from framedrift.nodes import schedule, prompt; from framedrift.nodes.core.schedule import "
        "parse_schedule; parse_schedule('0:(sin(t))'); "
        "print({'numexpr', 'cv2', 'kornia', 'transformers', 'av', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("module", [schedule, prompt])
def test_every_input_says_what_it_is_and_where_it_ends(module):
    for node in module.NODES:
        schema = node.define_schema()
        assert schema.description
        assert schema.search_aliases
        for entry in schema.inputs:
            assert entry.tooltip, entry.id
        for name, (kind, options, *_) in node.INPUT_TYPES()["required"].items():
            if kind in ("INT", "FLOAT"):
                assert {"min", "max", "step"} <= set(options), name


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"text": "0:(sni(t))"}, "did you mean sin"),
        ({"text": "0:(1/t)"}, "infinite at frame 0"),
        ({"num_frames": 0}, "num_frames is 0"),
        ({"fps": 0.0}, "fps is 0"),
        ({"bpm": -1.0}, "bpm is -1"),
        ({"text": ""}, "empty"),
    ],
)
def test_value_schedule_says_what_is_wrong_before_it_runs(changed, words):
    assert words in str(ValueSchedule.validate_inputs(**VALUES | changed))


def test_linked_inputs_are_not_judged_before_they_are_known():
    for name in VALUES:
        assert ValueSchedule.validate_inputs(**VALUES | {name: None}) is True
        assert ValueSchedule.validate_inputs(**{key: VALUES[key] for key in VALUES if key != name}) is True
    for name in PROMPTS:
        assert PromptScheduleNode.validate_inputs(**PROMPTS | {name: None}) is True
        assert PromptScheduleNode.validate_inputs(**{key: PROMPTS[key] for key in PROMPTS if key != name}) is True


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"text": '{"0": "a'}, "quote"),
        ({"text": ""}, "empty"),
        ({"text": "0: `1+`"}, "not a formula"),
        ({"negative": "`sni(t)`"}, "did you mean sin"),
        ({"style": "`sni(t)`"}, "style.*did you mean sin"),
        ({"pw_b": "0:(1"}, "pw_b.*not closed"),
        ({"text": "0: a AND b :-1"}, "add up to 0"),
        ({"overlap": -1}, "overlap is -1"),
        ({"blend": "cubic"}, "linear, hold, smooth"),
    ],
)
def test_prompt_schedule_says_what_is_wrong_before_it_runs(changed, words):
    assert re.search(words, str(PromptScheduleNode.validate_inputs(**PROMPTS | changed)))


def test_a_missing_clip_is_said():
    with pytest.raises(FramedriftError, match="checkpoint holds no text encoder"):
        PromptScheduleNode.execute(None, **PROMPTS)


def test_each_text_is_encoded_once():
    clip, made = prompts("0: a --neg n\n20: bb --neg n\n40: ccc")
    assert clip.encoded == []
    made.prepare(range(60), 60, 0)
    assert clip.encoded == ["a", "n", "bb", "ccc", ""]
    for frame in range(60):
        made.at(frame, 60, 0)
    made.prepare(range(60), 60, 0)
    assert len(clip.encoded) == 5


def test_only_what_the_frames_need_is_encoded():
    clip, made = prompts("0: a\n20: bb\n40: ccc")
    made.prepare([45, 59], 60, 0)
    assert clip.encoded == ["ccc", ""]


def test_blends_and_names_them():
    _, made = prompts("0: a --neg n\n10: ccc --neg n")
    positive, negative, said = made.at(5, 20, 0)
    assert positive[0][0].unique().tolist() == [2.0]
    assert positive[0][1]["pooled_output"].unique().tolist() == [2.0]
    assert negative[0][0].unique().tolist() == [1.0]
    assert said == made.text_at(5, 20, 0) == ("0.5 a | 0.5 ccc", "n")
    assert made.at(0, 20, 0)[2] == ("a", "n")
    held = prompts("0: a\n10: ccc", "hold")[1]
    assert held.at(9, 20, 0)[0][0][0].unique().tolist() == [1.0]


def test_at_a_key_the_conditioning_is_clips_own():
    _, made = prompts("0: a\n10: ccc")
    assert made.at(10, 20, 0)[0] is made.at(15, 20, 0)[0]


def test_texts_that_change_every_frame_stay_bounded():
    clip, made = prompts("0: a `t` --neg n")
    frames = 3 * KEPT_TEXTS
    made.prepare(range(frames), frames, 0)
    assert len(clip.encoded) == KEPT_TEXTS
    for frame in range(frames):
        made.at(frame, frames, 0)
        assert len(made._encoded) <= KEPT_TEXTS
    assert len(clip.encoded) == frames + 1


def test_preparing_can_be_interrupted():
    clip, made = prompts("0: a\n1: bb\n2: ccc")

    class StoppedError(Exception):
        pass

    def stop():
        if len(clip.encoded) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        made.prepare(range(5), 5, 0, stop)
    assert len(clip.encoded) == 2


def test_the_signature_is_what_is_said():
    first = prompts("0: a")[1].signature()
    assert first == prompts("0: a")[1].signature()
    others = [prompts("0: b")[1], prompts("0: a", "hold")[1], prompts("0: a", negative="n")[1]]
    assert len({first, *(other.signature() for other in others)}) == 4


def test_the_signature_is_what_is_said_with_everything_that_is_added():
    text = "0: (a:`pw_a`)\n9: b"
    plain = prompts(text)[1].signature()
    # What came with later versions leaves an older schedule's signature as it was, as long as it is not used.
    said = json.dumps(["prompts", 1, text, "", "linear"])
    assert plain == hashlib.sha256(said.encode()).hexdigest()
    assert prompts(text, weights={"pw_b": "0:(3)"})[1].signature() == plain
    assert prompts(text, "hold", overlap=9)[1].signature() == prompts(text, "hold")[1].signature()
    others = [
        prompts(text, weights={"pw_a": "0:(3)"}), prompts(text, overlap=4), prompts(text, "smooth"),
        *(prompts(text, **{name: "x"}) for name in ("positive", "pre_text", "app_text", "style")),
    ]  # fmt: skip
    assert len({plain, *(other[1].signature() for other in others)}) == 8


def test_clip_is_called_once_for_each_distinct_text():
    text = "0: a --neg n\n100: bb :1.2 AND ccc\n200: a AND dddd --neg n\n300: bb\n400: a --neg n"
    clip, made = prompts(text, "smooth", "q", overlap=60)
    made.prepare(range(0, 1000, 2), 1000, 0)
    for frame in range(1000):
        made.at(frame, 1000, 0)
    assert sorted(clip.encoded) == ["a", "bb", "ccc", "dddd", "n, q", "q"]


def strengths(conditioning):
    """The number that the clip above gave a text, and its strength."""
    return {float(entry[0].unique()): entry[1].get("strength") for entry in conditioning}


def test_and_composes_conditionings_with_strengths():
    _, made = prompts("0: a :1.2 AND ccc :0.8 --neg x AND y")
    positive, negative, said = made.at(0, 9, 0)
    assert strengths(positive) == {1.0: 1.2, 3.0: 0.8}
    assert all("pooled_output" in entry[1] for entry in positive)
    assert len(negative) == 1, "the negative side knows no AND"
    assert said == ("a :1.2 AND ccc :0.8", "x AND y")


def test_and_in_a_blend_keeps_the_blends_weights():
    _, made = prompts("0: a :3 AND ccc :1\n10: bb\n20: a")
    assert strengths(made.at(5, 30, 0)[0]) == pytest.approx({1.0: 0.375, 3.0: 0.125, 2.0: 0.5})
    assert strengths(made.at(10, 30, 0)[0]) == {2.0: None}
    assert strengths(made.at(15, 30, 0)[0]) == {1.5: None}, "without AND the texts themselves are blended"
    # A text that both keys have is one entry.
    both = prompts("0: a AND bb\n10: a AND ccc")[1]
    assert strengths(both.at(5, 20, 0)[0]) == pytest.approx({1.0: 0.5, 2.0: 0.25, 3.0: 0.25})
    assert made.text_at(5, 30, 0)[0] == "0.5 a :3 AND ccc :1 | 0.5 bb"


def test_prompt_schedule_takes_everything_that_is_added(tmp_path):
    added = {"pre_text": "big", "app_text": "4k", "positive": "best", "style": "ink", "pw_a": "0:(0), 4:(1)"}
    made = PromptScheduleNode.execute(CountingClip(), "0: (a:`pw_a`)\n8: b", "smooth", "n", overlap=4, **added).result[
        0
    ]
    assert made.text_at(2, 9, 0) == ("best big (a:0.5) 4k, ink", "n")
    assert made.text_at(6, 9, 0)[0] == "best big (a:1.0) 4k, ink"
    assert made.text_at(7, 9, 0)[0] == "0.844 best big (a:1.0) 4k, ink | 0.156 best big b 4k, ink"
    with folders.using(folders.Folders(temp=tmp_path)):
        curve = ValueSchedule.execute(**VALUES)[0]
    linked = PromptScheduleNode.execute(CountingClip(), "0: `pw_a`", "hold", "", pw_a=curve)
    assert linked.result[0].text_at(3, 9, 0)[0] == "6.0"


def test_what_goes_with_the_text_can_be_read_in_a_run():
    added = {"pre_text": "big", "pw_a": "0:(2)", "pw_b": "1"}
    made = PromptScheduleNode.execute(CountingClip(), "0: a", "smooth", "n", overlap=4, **added).result[0]
    assert made.options() == {"blend": "smooth", "negative": "n", "pre_text": "big", "pw_a": "0:(2)", "overlap": 4}
    assert prompts("0: a")[1].options() == {"blend": "linear"}


def test_prompt_at_frame_is_what_the_sampler_sees():
    clip, made = prompts("0: a --neg n\n10: ccc --neg n", negative="q")
    positive, negative, text, negative_text = PromptAtFrame.execute(made, 5, 20, 0).result
    assert clip.encoded == ["a", "ccc", "n, q"]
    assert positive[0][0].unique().tolist() == [2.0]
    assert negative[0][0].unique().tolist() == [4.0]
    assert (text, negative_text) == ("0.5 a | 0.5 ccc", "n, q")
    assert "frame is -1" in PromptAtFrame.validate_inputs(frame=-1)
    assert PromptAtFrame.validate_inputs(frame=3, num_frames=9, seed=0) is True
    late = prompts("0: `1/(t-4)`")[1]
    with pytest.raises(FramedriftError, match="frame 4"):
        PromptAtFrame.execute(late, 4, 20, 0)


def test_the_negative_of_all_frames_is_added():
    made = PromptScheduleNode.execute(CountingClip(), "0: a --neg n\n5: b", "hold", "blurry").result[0]
    assert made.text_at(0, 9, 0) == ("a", "n, blurry")
    assert made.text_at(6, 9, 0) == ("b", "blurry")
    assert made.text == "0: a --neg n\n5: b"


def test_the_defaults_are_good():
    assert ValueSchedule.validate_inputs(
        **VALUES | {"text": ValueSchedule.INPUT_TYPES()["required"]["text"][1]["default"]}
    )
    made = parse_prompts(prompt.DEFAULT_TEXT)
    assert made.text_at(71, 72) == ("aurora over snow, emerald and indigo", "text, watermark")
