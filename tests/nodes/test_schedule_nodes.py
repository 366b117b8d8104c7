"""Value Schedule and Prompt Schedule: schema, checks before running, and what they hand on."""

import subprocess
import sys

import pytest
import torch

from framedrift.nodes import prompt, schedule
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.schedule import parse_prompts
from framedrift.nodes.prompt import KEPT_TEXTS, Prompts, PromptScheduleNode
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


def prompts(text, blend="linear", negative=""):
    clip = CountingClip()
    return clip, Prompts(clip, parse_prompts(text, negative), blend)


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


def test_value_schedule_gives_the_schedule_and_a_list():
    made, values = ValueSchedule.execute(**VALUES).result
    assert values == [0.0, 2.0, 4.0, 6.0]
    assert all(type(value) is float for value in values)
    assert made.sample(3).tolist() == [0, 2, 4]
    assert made.text == VALUES["text"]


def test_value_schedule_keeps_its_beats_where_another_node_samples_it():
    made, values = ValueSchedule.execute(**VALUES | {"text": "0:(0), 2b:(20)", "bpm": 60.0, "num_frames": 30}).result
    assert values[20] == 20
    assert values[10] == 10
    assert made.sample(30, fps=5.0)[10] == 20


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
        ({"blend": "smooth"}, "linear, hold"),
    ],
)
def test_prompt_schedule_says_what_is_wrong_before_it_runs(changed, words):
    assert words in str(PromptScheduleNode.validate_inputs(**PROMPTS | changed))


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
