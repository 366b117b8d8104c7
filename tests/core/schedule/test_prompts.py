"""Prompt schedules: the ways to write them, what each frame gets, and what is said of a wrong text."""

import json
import logging
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.schedule import PromptError, parse_prompts

REFERENCE = json.loads((Path(__file__).parents[2] / "reference" / "prompts.json").read_text())


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: case["text"])
def test_prepared_as_in_deforum(case):
    for text in (json.dumps({"0": case["text"]}), "0: " + case["text"]):
        positive, negative = parse_prompts(text).text_at(case["frame"], case["max_frames"])
        assert positive + (f"--neg {negative}" if negative else "") == case["prepared"]


SAME = [
    '{"0": "a cat --neg dog", "24": "a (tree:1.2), red"}',
    '"0": "a cat --neg dog", "24": "a (tree:1.2), red"',
    '"0": "a cat --neg dog",\n"24": "a (tree:1.2), red",\n',
    '{"24": "a (tree:1.2), red", "0": "a cat --neg dog",}',
    "{'0': 'a cat --neg dog', '24': 'a (tree:1.2), red'}",
    '{0: "a cat --neg dog", 24: "a (tree:1.2), red"}',
    '0: "a cat --neg dog", 24: "a (tree:1.2), red"',
    "0: a cat --neg dog\n24: a (tree:1.2), red",
    '0: "a cat --neg dog"\n24: "a (tree:1.2), red"',
    '"0": a cat --neg dog\n"24": a (tree:1.2), red\n\n',
    "0:a cat --neg dog  \r\n  24 :   a (tree:1.2), red\r\n",
    "// first\n0: a cat --neg dog\n# second\n24: a (tree:1.2), red",
    '{\n "0": "a cat --neg dog", // first\n # second\n "24": "a (tree:1.2), red"\n}',
    '{"0": "a cat --neg dog", "(max_f+1)/3": "a (tree:1.2), red"}',
    "0: a cat --neg dog\nmax_f-47: a (tree:1.2), red",
    '{"24": "x", "0": "a cat --neg dog", "24": "a (tree:1.2), red"}',
    '{"5": "x", "0": "y", "0": "a cat --neg dog", "24.0": "a (tree:1.2), red", "5": "a cat --neg dog"}',
]


@pytest.mark.parametrize("text", SAME)
def test_ways_to_write_the_same(text):
    prompts = parse_prompts(text)
    assert prompts.text_at(0, 72) == prompts.text_at(23, 72) == ("a cat", "dog")
    assert prompts.text_at(24, 72) == prompts.text_at(71, 72) == ("a (tree:1.2), red", "")


def test_lines_go_on():
    prompts = parse_prompts("0: a cat,\n   in (rain:1.3)\n\n  subject: fur\n10: a dog")
    assert prompts.text_at(0, 20) == ("a cat,\nin (rain:1.3)\n\nsubject: fur", "")
    assert prompts.text_at(10, 20) == ("a dog", "")


@pytest.mark.parametrize("text", ["a cat", "  a cat\n", 'the film: (a cat), "it\'s"', 'a "cat" or\n two, it\'s (1.2)'])
def test_a_text_without_a_frame_says_what_would_be_right(text):
    with pytest.raises(PromptError, match=r'line 1.*neither JSON nor a line with its frame.*\{"0": "a cat"'):
        parse_prompts(text)


def test_escapes_of_json_and_of_prompts():
    prompts = parse_prompts(r'{"0": "a \"b\" \(c\) é \\d", "5": "' + "two\nlines" + '"}')
    assert prompts.text_at(0, 9)[0] == 'a "b" \\(c\\) é \\d'
    assert prompts.text_at(5, 9)[0] == "two\nlines"


def test_keys_may_be_shares_and_formulas():
    prompts = parse_prompts('{"0": "a", "0.5": "b", "max_f": "c", "s": "d"}')
    assert [prompts.text_at(frame, 101, 7)[0] for frame in (0, 6, 7, 49, 50, 99, 100)] == list("aaddbbc")


def test_the_first_prompt_holds_back_and_the_last_one_on():
    prompts = parse_prompts("8: b\n4: a")
    assert [prompts.text_at(frame, 12)[0] for frame in (0, 3, 4, 7, 8, 11)] == list("aaaabb")
    assert prompts.mix_at(0, 12) == ((1.0, ("a", "")),)


def test_formulas():
    prompts = parse_prompts("0: (smile:`0.5+0.5*sin(t/12)`) `tan(0)+sqrt(t)` `t%4` `t/2` `s+max_f` `t>2` --neg `t`")
    assert prompts.text_at(0, 10, 5) == ("(smile:0.5) 0.0 0 0.0 14 0", "0")
    assert prompts.text_at(9, 10, 5)[0].split(" ", 1)[1] == "3.0 1 4.5 14 1"
    # A formula that has no value is an error only at a frame that needs it.
    late = parse_prompts("0: a\n5: b `1/(t-2)` `1/(t-7)`")
    assert late.text_at(2, 10)[0] == "a"
    assert late.text_at(6, 10)[0] == "b 0.25 -1.0"
    with pytest.raises(PromptError, match=r"line 2, key 5.*frame 7"):
        late.text_at(7, 10)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("a --neg b --neg c", ("a", "b  c")),
        ("a--neg b--neg c", ("a", "b c")),
        ("--neg b", ("", "b")),
        ("a --neg", ("a", "")),
        ("a --negative b", ("a --negative b", "")),
    ],
)
def test_negatives(text, pair):
    assert parse_prompts("0: " + text).text_at(0, 2) == pair


def test_a_negative_for_every_frame():
    prompts = parse_prompts("0: a --neg b\n5: c", "blurry `t`")
    assert prompts.text_at(0, 9) == ("a", "b, blurry 0")
    assert prompts.text_at(6, 9) == ("c", "blurry 6")
    with pytest.raises(PromptError):
        parse_prompts("0: a", "`sni(t)`")


def test_blend_runs_evenly_and_adds_up():
    prompts = parse_prompts('{"10": "a", "20": "b `t` --neg n", "40": "c"}')
    assert prompts.mix_at(10, 60) == ((1.0, ("a", "")),)
    assert prompts.mix_at(20, 60) == ((1.0, ("b 20", "n")),)
    (first, a), (second, b) = prompts.mix_at(13, 60)
    assert (a, b) == (("a", ""), ("b 13", "n"))
    assert (first, second) == pytest.approx((0.7, 0.3))
    for frame in range(60):
        mix = prompts.mix_at(frame, 60)
        assert sum(weight for weight, _ in mix) == pytest.approx(1.0)
        assert all(weight > 0 for weight, _ in mix)
        assert prompts.mix_at(frame, 60, blend="hold") == ((1.0, prompts.text_at(frame, 60)),)
    with pytest.raises(PromptError, match="linear, hold"):
        prompts.mix_at(0, 9, blend="smooth")


def test_a_preview_looks_like_the_beginning_of_the_whole():
    prompts = parse_prompts("0: a\n40: b\n80: c")
    assert [prompts.mix_at(frame, 20) for frame in range(20)] == [prompts.mix_at(frame, 100) for frame in range(20)]


def test_equal_neighbours_are_one():
    prompts = parse_prompts("0: a\n10: a\n20: b")
    assert prompts.mix_at(5, 30) == ((1.0, ("a", "")),)
    assert prompts.texts(range(30), 30) == [("a", ""), ("b", "")]
    assert prompts.texts([25, 5, 25], 30, 0, "hold") == [("b", ""), ("a", "")]


def test_values():
    one, other = parse_prompts("0: a"), parse_prompts("0: a")
    assert one == other
    assert hash(one) == hash(other)
    assert one != parse_prompts("0: a", "b")


def test_a_doubled_key_is_said(caplog):
    with caplog.at_level(logging.WARNING, "framedrift"):
        parse_prompts('{"0": "first doubled",\n"0": "second"}')
    assert "0 (line 2)" in caplog.text


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("", None, None, "empty"),
        (" \n\n", None, None, "empty"),
        ("{", 1, None, "not closed"),
        ('{"0": "a"', 1, None, "not closed"),
        ('{\n"0": "a",\n"24": "b\n}', 3, "24", "quote"),
        ('{"0": "a"\n"24": "b"}', 2, "0", "comma"),
        ('{"0" "a"}', 1, "0", "colon"),
        ('{"0": a}', 1, "0", "in quotes"),
        ('{"0": 5}', 1, "0", "in quotes"),
        ('{"0": {"x": "y"}}', 1, "0", "in quotes"),
        ("{}", None, None, "no prompt"),
        ('["a", "b"]', 1, None, "list"),
        ('{"0": "a"} b', 1, None, "closing brace"),
        ('"0": "a"}', 1, None, "never opened"),
        ('{"0": "a",\n"abc": "b"}', 2, "abc", "frame such as 24"),
        ('{"t": "b"}', 1, "t", "cannot depend on t"),
        ('{"1/": "b"}', 1, "1/", "not a formula"),
        ("0: a\n2.5s: b", 2, "2.5s", "seconds"),
        ("a cat\n24: b", 1, None, "neither JSON nor a line"),
        ("0.65", 1, None, "neither JSON nor a line"),
        ("}", 1, None, "neither JSON nor a line"),
        ("0: a\n5: `sni(t)`", 2, "5", "did you mean sin"),
        ("0: a ` b", 1, "0", "backtick"),
        ('{"0": "\\u00"}', 1, "0", "hexadecimal"),
        ("// nothing else", 1, None, "neither JSON nor a line"),
        ("x" * 600_000, None, None, "500000"),
        ("0: a\n" * 30_000, None, None, "20000"),
    ],
)
def test_errors_name_line_and_key(text, line, key, words):
    with pytest.raises(PromptError, match=words) as caught:
        parse_prompts(text)
    assert (caught.value.line, caught.value.key) == (line, key)


def test_errors_at_a_frame():
    with pytest.raises(PromptError, match="first one is 0"):
        parse_prompts("0: a").text_at(-1, 9)
    with pytest.raises(PromptError, match="num_frames"):
        parse_prompts("0: a").text_at(0, 0)
    with pytest.raises(PromptError, match=r"key 1/\(max_f-8\)"):
        parse_prompts('{"1/(max_f-8)": "a"}').text_at(0, 9)
    with pytest.raises(PromptError, match="int"):
        parse_prompts(5)


def test_ten_thousand_frames_are_mixed_quickly():
    prompts = parse_prompts("0: a\n3000: b\n6000: c\n9000: d")
    start = time.perf_counter()
    for frame in range(10_000):
        prompts.mix_at(frame, 10_000)
    assert time.perf_counter() - start < 1.0


PIECES = [
    *("{", "}", '"0"', "'5'", "0", "24", "max_f/2", "0.5", ":", ":", ",", '"a cat"', "'b'", "a", "\n", " ", "--neg"),
    *("`t`", "`", "`1/t`", "\\", "\\u12", "//", "#", "[", "é", "\x00", "(x:1.2)", '"', "'", "AND", "-3"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join) | st.text(max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_is_prompts_or_our_error(text):
    try:
        prompts = parse_prompts(text)
        pairs = [prompts.text_at(frame, 9, 3) for frame in (0, 4, 8)]
        mixes = [prompts.mix_at(frame, 9, 3) for frame in range(9)]
    except PromptError:
        return
    assert all(isinstance(part, str) for pair in pairs for part in pair)
    assert all(sum(weight for weight, _ in mix) == pytest.approx(1.0) for mix in mixes)


TEXTS = st.text(st.characters(blacklist_characters="`\r", blacklist_categories=("Cs",)), max_size=20)


@given(st.dictionaries(st.integers(0, 50), TEXTS.filter(lambda text: "--neg" not in text), min_size=1))
@settings(max_examples=100, deadline=None)
def test_json_says_what_was_put_in(texts):
    prompts = parse_prompts(json.dumps({str(frame): text for frame, text in texts.items()}))
    for frame, text in texts.items():
        assert prompts.text_at(frame, 60) == (text.strip(), "")
