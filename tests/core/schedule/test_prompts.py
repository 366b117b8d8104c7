"""Prompt schedules: the ways to write them, what each frame gets, and what is said of a wrong text."""

import contextlib
import json
import logging
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.schedule import BLENDS, PromptError, composition, parse_prompts

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
    '{\n/* first */ "0": "a cat --neg dog", /* a\nsecond * / */ "24": "a (tree:1.2), red"}',
    "{“0”: “a cat --neg dog”, “24”: “a (tree:1.2), red”,}",
    "“0”: “a cat --neg dog”,\n“24”: “a (tree:1.2), red”",
    "  {  '0' : 'a cat --neg dog' ,\n\n  24:'a (tree:1.2), red' , }  ",
    "0: a cat --neg dog\n0.34: a (tree:1.2), red",
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
        prompts.mix_at(0, 9, blend="cubic")


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
        ("x" * 1_000_000, None, None, "500000"),
        ("0: a\n" * 30_000, None, None, "20000"),
        ("0: a\n5: b" + " `t`" * 1001, 2, "5", "1001 formulas"),
        ("0: a\n5: b :1 AND c :-1", 2, "5", "add up to 0"),
        ("0: a" + " AND b" * 40, 1, "0", "41 texts are joined"),
        ("0: a\n5: (b:`pw_a+`)", 2, "5", "not a formula"),
        ("0: a\n5: (b:`pw_e`)", 2, "5", "weights are called pw_a to pw_d: .pw_e. is not known"),
        ("0: `pw_a*sni(t)`", 1, "0", r"did you mean sin.*column 6"),
        ("0: `__import__(1)`", 1, "0", "__import__"),
        ("0: `t.__class__`", 1, "0", "a dot after a name"),
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
    start = time.process_time()
    for frame in range(10_000):
        prompts.mix_at(frame, 10_000)
    assert time.process_time() - start < 5


def test_ten_thousand_frames_with_three_blends_are_sampled_in_a_moment():
    prompts = parse_prompts("0: a --neg x\n2500: b\n5000: c :1.2 AND d\n7500: e", "y", pre_text="p", style="s")
    start = time.process_time()
    mixes = prompts.sample(10_000, blend="smooth", overlap=600)
    assert time.process_time() - start < 0.5
    assert len(mixes) == 10_000
    assert mixes[2500] == prompts.mix_at(2500, 10_000, blend="smooth", overlap=600)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("overlap", [0, 1, 4, 7, 100])
def test_sampled_at_once_is_frame_by_frame(blend, overlap):
    prompts = parse_prompts("-3: z\n4: a\n9: b `t`\n10: c\n20: c\n31: d\n90: e")
    sampled = prompts.sample(40, 5, blend, overlap)
    one_by_one = [prompts.mix_at(frame, 40, 5, blend, overlap) for frame in range(40)]
    assert list(sampled) == one_by_one
    assert sampled[-1] == one_by_one[-1]
    assert sampled[3:8:2] == one_by_one[3:8:2]
    assert all(sum(weight for weight, _ in mix) == pytest.approx(1) and len(mix) <= 2 for mix in one_by_one)
    assert all(weight > 0 for mix in one_by_one for weight, _ in mix)
    with pytest.raises(IndexError):
        sampled[40]


def shares(prompts, num_frames, **how):
    """How much of each frame is b."""
    return [sum(w for w, pair in prompts.mix_at(f, num_frames, **how) if pair[0] == "b") for f in range(num_frames)]


def test_smooth_starts_and_ends_slowly():
    prompts = parse_prompts("0: a\n10: b")
    linear, smooth = shares(prompts, 11), shares(prompts, 11, blend="smooth")
    assert linear == pytest.approx([u / 10 for u in range(11)])
    assert smooth == pytest.approx([3 * u * u - 2 * u**3 for u in linear])
    assert smooth[1] < linear[1] / 3 and smooth[5] == pytest.approx(0.5)


def test_an_overlap_lies_around_the_key():
    prompts = parse_prompts("0: a\n20: b\n40: a")
    got = shares(prompts, 60, overlap=8)
    assert got[:17] == [0] * 17
    assert got[16:25] == pytest.approx([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1])
    assert got[24:37] == [1] * 13
    assert got[40] == pytest.approx(0.5)
    assert got[44:] == [0] * 16
    # Keys that lie closer than the overlap share the frames between them.
    close = parse_prompts("0: a\n20: b\n24: a")
    assert shares(close, 40, overlap=30)[20] == pytest.approx(10 / 12)
    assert shares(close, 40, overlap=30)[22] == 1
    assert shares(prompts, 60, overlap=8, blend="hold") == [float(20 <= f < 40) for f in range(60)]
    assert shares(prompts, 60, overlap=8, blend="smooth")[20] == pytest.approx(0.5)
    assert parse_prompts("3: b").mix_at(5, 9, overlap=4) == ((1.0, ("b", "")),)
    with pytest.raises(PromptError, match="overlap is -1"):
        prompts.mix_at(0, 9, overlap=-1)


def test_what_is_added_to_every_prompt():
    text = "0: a cat --neg dog\n5: bird"
    assert parse_prompts(text, positive="best", pre_text="photo of", app_text="4k").text_at(0, 9) == (
        "best photo of a cat 4k", "dog",
    )  # fmt: skip
    assert parse_prompts(text, style="ink drawing").text_at(6, 9) == ("bird, ink drawing", "")
    styled = parse_prompts(text, "blurry", pre_text="big --neg small", style="film of {prompt}, grain --neg cartoon")
    assert styled.text_at(0, 9) == ("film of big a cat, grain", "dog, small, cartoon, blurry")
    assert parse_prompts(text, style="`t` of {prompt}").text_at(6, 9)[0] == "6 of bird"
    assert parse_prompts(text, pre_text="  ", style=" ").text_at(6, 9) == ("bird", "")


def test_what_is_added_goes_to_each_of_several_texts():
    prompts = parse_prompts("0: a cat :1.2 AND a dog:`t/10` AND bird --neg x", pre_text="photo of", style="4k")
    want = "photo of a cat, 4k :1.2 AND photo of a dog, 4k :0.5 AND photo of bird, 4k"
    assert prompts.text_at(5, 9) == (want, "x")
    assert composition(want) == ((1.2, "photo of a cat, 4k"), (0.5, "photo of a dog, 4k"), (1.0, "photo of bird, 4k"))


def test_additions_are_part_of_what_a_schedule_is():
    base = parse_prompts("0: a")
    others = [
        parse_prompts("0: a", **{name: "x"}) for name in ("negative", "positive", "pre_text", "app_text", "style")
    ]
    others.append(parse_prompts("0: a", weights={"pw_a": "0:(2)"}))
    assert len({base, *others}) == 7
    assert parse_prompts("0: a", pre_text="x") == others[2]


@pytest.mark.parametrize(
    "text",
    ["(cat:`pw_a`)", "(cat:pw_a)", "(cat: pw_a )", "(cat:`pw_a*1`)", "(cat:`(pw_a)`)", "(cat:`pw_a+pw_b-pw_b`)"],
)
def test_weights_as_schedules(text):
    prompts = parse_prompts("0: " + text, weights={"pw_a": "0:(0), 10:(1)", "pw_b": [0.25, 0.75]})
    for frame in (0, 3, 10, 12):
        said = prompts.text_at(frame, 12)[0]
        value = float(re.fullmatch(r"\(cat: ?(\S+?) ?\)", said)[1])
        assert value == pytest.approx(min(frame, 10) / 10)


def test_weights_keep_out_of_words_and_are_1_where_nobody_gives_them():
    prompts = parse_prompts("0: pw_a (xpw_a:1) `pw_d` (y:pw_c)")
    assert prompts.text_at(3, 9)[0] == "pw_a (xpw_a:1) 1.0 (y:1.0)"
    negative = parse_prompts("0: -`pw_b**2` --neg (z:`pw_b`)", weights={"pw_b": -0.5})
    assert negative.text_at(0, 2) == ("-0.25", "(z:-0.5)")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"pw_a": "0:(sni(t))"}, "pw_a.*did you mean sin"),
        ({"pw_a": "2s:(1)"}, "pw_a.*fps.*frames"),
        ({"pw_x": "1"}, "pw_x.*pw_a, pw_b"),
        ({"pw_a": "0:(1/t)"}, "pw_a.*infinite at frame 0"),
    ],
)
def test_a_wrong_weight_is_named(weights, words):
    with pytest.raises(FramedriftError, match=words):
        parse_prompts("0: (a:`pw_a`)", weights=weights).text_at(0, 9)


@pytest.mark.parametrize("name", ["negative", "positive", "pre_text", "app_text", "style"])
def test_a_wrong_addition_is_named(name):
    with pytest.raises(PromptError, match=f"{name}: .*did you mean sin"):
        parse_prompts("0: a", **{name: "x `sni(t)`"})
    with pytest.raises(PromptError, match=f"{name} is 600000 characters"):
        parse_prompts("0: a", **{name: "x" * 600_000})
    with pytest.raises(PromptError, match=f"{name} is a int"):
        parse_prompts("0: a", **{name: 5})


def test_weights_of_and_that_leave_nothing_name_the_frame():
    prompts = parse_prompts("0: a\n4: b :`t-6` AND c :0")
    assert prompts.text_at(7, 9)[0] == "b :1 AND c :0"
    with pytest.raises(PromptError, match=r"line 2, key 4: at frame 5 .*add up to -1"):
        prompts.text_at(5, 9)


HEAVY = [
    "{" * 499_000, '"' * 499_000, "'0':" * 120_000, "\\" * 499_000, "/*" * 240_000, "0:" * 240_000, "`t`" * 160_000,
    "max_f" * 99_000, "0: a" + " AND" * 120_000, "“" * 499_000, "0: " + "(a:" * 160_000, "0: a" + " --neg" * 80_000,
    "0:(" + " pw_a" * 90_000, "\n" * 499_000, "0: " + ":" * 490_000, "#" * 499_000, "0: " + " " * 490_000 + ":pw_a",
    '{"0": "' + "\\u00e9" * 80_000 + '"}', "0: " + ": " * 200_000, "x" * 1_000_000, "0: a\n" * 19_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HEAVY, ids=lambda text: repr(text[:12]))
def test_a_long_text_takes_bounded_time(text):
    start = time.process_time()
    with contextlib.suppress(PromptError):
        parse_prompts(text).text_at(3, 9)
    assert time.process_time() - start < 12


PIECES = [
    *("{", "}", '"0"', "'5'", "0", "24", "max_f/2", "0.5", ":", ":", ",", '"a cat"', "'b'", "a", "\n", " ", "--neg"),
    *("`t`", "`", "`1/t`", "\\", "\\u12", "//", "#", "[", "é", "\x00", "(x:1.2)", '"', "'", "AND", "-3"),
    *(
        " AND ",
        ":-1",
        ":0.5",
        "`pw_a`",
        ":pw_b)",
        "`pw_a/t`",
        "{prompt}",
        "/*",
        "*/",
        "“",
        "”",
        "max_f",
        "0.5:",
        "\n5: ",
    ),
]


SOUP = st.lists(st.sampled_from(PIECES), max_size=16).map("".join)
# Most soups are no schedule at all: these have keys, so that what stands behind them is read too.
KEYED = st.lists(st.tuples(st.sampled_from(["0", "3", "0.5", "max_f", "-2", "s"]), SOUP), min_size=1, max_size=4)
LINES = KEYED.map(lambda keys: "\n".join(f"{key}: {text}" for key, text in keys))
OBJECT = KEYED.map(lambda keys: json.dumps(dict(keys)))
TYPED = SOUP | LINES | OBJECT | st.text(max_size=40)


def check_any_text(text, added):
    try:
        prompts = parse_prompts(text, added, app_text=added, style=added, weights={"pw_a": "0:(0), 8:(t/4)"})
        pairs = [prompts.text_at(frame, 9, 3) for frame in (0, 4, 8)]
        mixes = list(prompts.sample(9, 3, "smooth", 3))
        assert mixes == [prompts.mix_at(frame, 9, 3, "smooth", 3) for frame in range(9)]
        for positive, _ in pairs:
            assert sum(weight for weight, _ in composition(positive)) > 0
    except PromptError as error:
        assert error.reason
        return
    assert all(isinstance(part, str) for pair in pairs for part in pair)
    assert all(sum(weight for weight, _ in mix) == pytest.approx(1.0) for mix in mixes)


@given(TYPED, st.just("") | TYPED)
@settings(max_examples=300, deadline=None)
def test_any_text_is_prompts_or_our_error(text, added):
    check_any_text(text, added)


@pytest.mark.soak
@given(TYPED, st.just("") | TYPED)
@settings(max_examples=10_000, deadline=None)
def test_ten_thousand_texts_are_prompts_or_our_error(text, added):
    check_any_text(text, added)


TEXTS = st.text(st.characters(blacklist_characters="`\r", blacklist_categories=("Cs",)), max_size=20)


@given(st.dictionaries(st.integers(0, 50), TEXTS.filter(lambda text: not re.search("--neg|AND|pw_", text)), min_size=1))
@settings(max_examples=100, deadline=None)
def test_json_says_what_was_put_in(texts):
    prompts = parse_prompts(json.dumps({str(frame): text for frame, text in texts.items()}))
    for frame, text in texts.items():
        assert prompts.text_at(frame, 60) == (text.strip(), "")


def test_the_frames_of_the_keys():
    assert parse_prompts('{"0": "a", "max_f/2": "b", "30": "c", "99": "d"}').keyframes(41) == [0, 20, 30]


def test_a_loop_blends_back_into_the_first_text():
    prompts = parse_prompts('{"0": "a", "10": "b", "60": "c"}')
    looped = replace(prompts, loop=20)
    assert {pair[0]: weight for weight, pair in looped.mix_at(15, 20)} == {"b": 0.5, "a": 0.5}
    assert looped.mix_at(0, 20) == prompts.mix_at(0, 20)
    assert {pair[0] for _, pair in prompts.mix_at(15, 20)} == {"b", "c"}, "the other one is as it was"
    assert looped.mix_at(15, 20, blend="hold") == ((1.0, ("b", "")),)
