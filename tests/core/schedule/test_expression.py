"""Formulas: what they mean, what they refuse, and that a hostile one costs nothing."""

import math
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.schedule.errors import ExpressionError
from framedrift.nodes.core.schedule.expression import parse_expression

FRAMES = np.arange(12)


def at(text, seed=5, max_f=11, frames=FRAMES):
    return parse_expression(text).sample(np.asarray(frames, np.int64), seed, max_f)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t/4", lambda t: t / 4),
        ("2*3.14*t/20", lambda t: 2 * 3.14 * t / 20),
        ("t%5", lambda t: t % 5),
        ("-t**2", lambda t: -(t**2)),
        ("2**-t", lambda t: 2.0**-t),
        ("2**3**2 + t", lambda t: 512 + t),
        ("t//4", lambda t: t // 4),
        ("t - 3 - 2", lambda t: t - 5),
        ("t - (3 - 2)", lambda t: t - 1),
        ("t*(3 - t)/(1 + t)", lambda t: t * (3 - t) / (1 + t)),
        ("100/5/2 + 0*t", lambda t: 10),
        ("sin(t/3) + cos(t) * tan(t/60)", lambda t: math.sin(t / 3) + math.cos(t) * math.tan(t / 60)),
        ("arctan2(t, 3)", lambda t: math.atan2(t, 3)),
        ("log2(t + 1)/2", lambda t: math.log2(t + 1) / 2),
        ("hypot(t, 4)", lambda t: math.hypot(t, 4)),
        ("pi*e*t", lambda t: math.pi * math.e * t),
        ("s + max_f", lambda t: 16),
        ("abs(t - 5)", lambda t: abs(t - 5)),
        ("abs(-3.5)", lambda t: 3.5),
        ("sign(t - 5)", lambda t: (t > 5) - (t < 5)),
        ("round(t/2)", lambda t: round(t / 2)),
        ("trunc((t - 5)/2)", lambda t: math.trunc((t - 5) / 2)),
        ("floor(t/4) + ceil(t/4)", lambda t: math.floor(t / 4) + math.ceil(t / 4)),
        ("min(t, 4, 10 - t)", lambda t: min(t, 4, 10 - t)),
        ("max(t*0.5, 3)", lambda t: max(t * 0.5, 3)),
        ("minimum(t, 3) + maximum(t, 3)", lambda t: t + 3),
        ("clip(t, 2, 7)", lambda t: min(max(t, 2), 7)),
        ("where(t < 5, 1, 2)", lambda t: 1 if t < 5 else 2),
        ("where(t, 1, 2)", lambda t: 1 if t else 2),
        ("where(1 < 2, t, 0)", lambda t: t),
        ("(t > 3)*5", lambda t: (t > 3) * 5),
        ("(t > 3) + (t > 1)", lambda t: (t > 3) + (t > 1)),
        ("-(t > 3)", lambda t: -(t > 3)),
        ("(t > 3)/2", lambda t: (t > 3) / 2),
        ("2 < t < 6", lambda t: 2 < t < 6),
        ("2 < t*2 <= 6 < 9", lambda t: 2 < t * 2 <= 6 < 9),
        ("t > 2 and t < 6 or t == 9", lambda t: (t > 2 and t < 6) or t == 9),
        ("not t > 2", lambda t: not t > 2),
        ("not 1 < 2", lambda t: False),
        ("not t", lambda t: not t),
        ("(t > 2) & (t < 6)", lambda t: 2 < t < 6),
        ("(t < 2) | (t > 6)", lambda t: t < 2 or t > 6),
        ("~(t > 2)", lambda t: not t > 2),
        ("(t > 2) ^ (t > 6)", lambda t: (t > 2) != (t > 6)),
        ("t & 5 | 8 ^ 1", lambda t: t & 5 | 8 ^ 1),
        ("5 & t", lambda t: 5 & t),
        ("~t + (t << 2) + (t >> 1)", lambda t: ~t + (t << 2) + (t >> 1)),
        ("t != 3", lambda t: t != 3),
        ("isnan(t) + t", lambda t: t),
        ("sin(\n t / 10\n)", lambda t: math.sin(t / 10)),
        ("1_000 + 1e3 + .5 + 1.", lambda t: 2001.5),
    ],
)
def test_means_what_python_means(text, expected):
    np.testing.assert_allclose(at(text), [float(expected(int(t))) for t in FRAMES], rtol=1e-12, atol=1e-12)


def test_whole_numbers_stay_whole_while_they_fit():
    whole = parse_expression("t*2 + 1").evaluate(FRAMES, 0, 11)
    assert whole.dtype == np.int64
    assert parse_expression("t/1").evaluate(FRAMES, 0, 11).dtype == np.float64
    # 32 bits would overflow here, and 64 in the second.
    assert at("where(t < 99, 100000, 2)*100000")[0] == 1e10
    assert at("s*s*s", seed=2**40)[0] == pytest.approx(2.0**120)
    assert at("s", seed=2**64 - 1)[0] == pytest.approx(2.0**64)
    assert at("s%10", seed=12345678901234567)[0] == 7
    assert at("t**40", frames=[3])[0] == 3.0**40


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("sni(t)", 1, "did you mean sin"),
        ("1 + asin(t)", 5, "did you mean arcsin"),
        ("cosine(t)", 1, "did you mean cos?"),
        ("2*frame", 3, "did you mean t?"),
        ("max_frames/2", 1, "did you mean max_f"),
        ("__import__('os').system('x')", 12, "has no texts"),
        ("().__class__.__bases__", 1, "a dot after a name"),
        ("t + foo", 5, "'foo' is not known"),
        ("sin", 1, r"write sin\(\.\.\.\)"),
        ("t(3)", 1, "is a value, not a function"),
        ("2(t)", 1, "operator missing"),
        ("sin()", 1, "takes 1 value, not 0"),
        ("max(1)", 1, "2 values or more"),
        ("clip(t, 1)", 1, "3 values"),
        ("t.__class__", 1, "a dot"),
        ("__import__(t)", 1, "no function"),
        ("().x", 1, "not allowed"),
        ("[t for t in t]", 1, "cannot stand"),
        ("lambda", 1, "not a formula"),
        ("'a'", 1, "cannot stand"),
        ("t # note", 3, "cannot stand"),
        ("t × 2", 3, r"write \*"),
        ("(t if s else 2)", 2, "where"),
        ("t^2.5", 1, r"written \*\*"),
        ("~0.5", 1, "whole number"),
        ("t, 2", 1, "comma"),
        ("1j", 2, "operator is missing"),
        ("5 + 2t", 6, r"write 2\*"),
        ("2e", 2, "operator is missing"),
        ("True", 1, "not a number"),
        ("1e999", 1, "too large"),
        ("9" * 400, 1, "too large"),
        ("t << s", 1, "small whole number"),
        ("sin(t", 4, "never closed"),
        ("", 1, "no value"),
        ("   ", 1, "no value"),
        ("sin(t, base=2)", 11, "not a formula|plain values|cannot stand"),
        ("sin(*t)", 1, "plain values"),
        ("t in t", 1, "compare"),
        ("t @ t", 3, "cannot stand"),
        ("x" * 5000, None, "5000 characters"),
    ],
)
def test_refuses_with_the_column(text, column, words):
    with pytest.raises(ExpressionError, match=words) as caught:
        parse_expression(text)
    assert column is None or "=" in text or caught.value.column == column


@pytest.mark.parametrize(
    ("text", "frame"),
    [("1/t", 0), ("1/(t - 7)", 7), ("log(t - 3)", 0), ("(5 - t)**0.5", 6), ("exp(t*100)", 8), ("t/0*0", 0)],
)
def test_a_value_that_is_none_names_its_frame(text, frame):
    with pytest.raises(ExpressionError, match=f"at frame {frame}") as caught:
        at(text)
    assert caught.value.frame == frame


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9**9",
        "2**(2**(2**(2**(2**t))))",
        "(-8)**0.5",
        "1/0",
        "1%0",
        "(" * 300 + "t" + ")" * 300,
        "-" * 3900 + "t",
        "~" * 3900 + "t",
        "not " * 900 + "t",
        "+".join(["t"] * 1900),
        "min(t," * 90 + "1" + ")" * 90,
        "where(t<3,1," * 90 + "t" + ")" * 90,
        "abs(" * 95 + "t" + ")" * 95,
        "+".join(f"sin(t*{i}.5)*{i}.25" for i in range(90)),
        "+".join("min(t*2,t/3)" for _ in range(90)),
        "t**99999999999999999999",
        "t<" * 400 + "t",
        " or ".join(["t<3"] * 400),
        "max(" + "t+1," * 400 + "t)",
    ],
)
def test_bombs_end_quickly(text):
    start = time.process_time()
    try:
        assert np.isfinite(at(text)).all()
    except ExpressionError as error:
        assert error.reason
    assert time.process_time() - start < 30


PIECES = [
    *("t", "s", "max_f", "pi", "e", "1", "0.5", "2e3", "sin(", "where(", "min(", "abs(", "(", ")", ","),
    *("+", "-", "*", "/", "%", "**", "//", "<", ">=", "==", "&", "|", "^", "~", "<<", " and ", " not ", " or "),
    *(" ", "\n", ".", "x", "__class__", "'", '"', "`", "lambda", "[", ":", "#", "é", "\x00", "if", "1j", "0x", "_"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=30))
@example("1if 2else 3")
@settings(max_examples=400, deadline=None)
def test_any_text_is_numbers_or_our_error(text):
    try:
        values = at(text)
    except ExpressionError:
        return
    assert values.shape == FRAMES.shape
    assert np.isfinite(values).all()


NUMBERS = st.integers(0, 30).map(str) | st.sampled_from(["0.5", "2.25", "t", "s", "max_f"])


def _grown(inner):
    pair = st.tuples(inner, inner)
    return (
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda x: f"({x[0]} {x[1]} {x[2]})")
        | st.tuples(inner, st.sampled_from(["<", ">=", "==", "!="]), inner).map(lambda x: f"({x[0]} {x[1]} {x[2]})")
        | inner.map(lambda x: f"-{x}")
        | inner.map(lambda x: f"abs({x})")
        | pair.map(lambda x: f"min({x[0]}, {x[1]})")
        | st.tuples(inner, inner, inner).map(lambda x: f"where({x[0]}, {x[1]}, {x[2]})")
    )


@given(st.recursive(NUMBERS, _grown, max_leaves=12))
@settings(max_examples=150, deadline=None)
def test_agrees_with_python_on_random_formulas(text):
    names = {"abs": abs, "min": min, "where": lambda c, a, b: a if c else b, "s": 5, "max_f": 11}
    expected = [float(eval(text, {"__builtins__": {}}, names | {"t": int(t)})) for t in FRAMES]
    np.testing.assert_allclose(at(text), expected, rtol=1e-9, atol=1e-9)
