"""AND: what a prompt is composed of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.schedule import PromptError, composition


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a cat", [(1, "a cat")]),
        ("16:9 picture :1.2", [(1, "16:9 picture :1.2")]),
        ("a cat :1.2 AND a dog :0.8", [(1.2, "a cat"), (0.8, "a dog")]),
        ("a cat:1.2 AND a dog:.8", [(1.2, "a cat"), (0.8, "a dog")]),
        ("a cat AND a dog\nAND\na bird : 2. ", [(1, "a cat"), (1, "a dog"), (2, "a bird")]),
        ("fire:0.25 AND water", [(0.25, "fire"), (1, "water")]),
        ("fire:1e+1 AND water :-0.5", [(10, "fire"), (-0.5, "water")]),
        ("(a cat:1.3) AND ratio 16:9", [(1, "(a cat:1.3)"), (9, "ratio 16")]),
        ("a: cat AND dog :x", [(1, "a: cat"), (1, "dog :x")]),
        ("a cat AND a cat :0.5", [(1.5, "a cat")]),
        ("a cat :0 AND a dog", [(1, "a dog")]),
        ("a cat AND ", [(1, "a cat")]),
        (" AND :0.5", [(1, "")]),
        ("SAND AND ANDES and sea", [(1, "SAND"), (1, "ANDES and sea")]),
        ("SAND ANDES", [(1, "SAND ANDES")]),
    ],
)
def test_parts(text, parts):
    assert composition(text) == tuple((float(weight), part) for weight, part in parts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a :0 AND b :0", "add up to 0"),
        ("a :1 AND b :-2", "add up to -1"),
        ("a :1e999 AND b", "add up to inf"),
        (" AND ".join("abcdefghijklmnopqrstuvwxyzabcdefghij"), "36 texts.*32"),
    ],
)
def test_what_leaves_nothing_to_paint_is_refused(text, words):
    with pytest.raises(PromptError, match=words):
        composition(text)


PIECES = ["AND", " AND ", "a", "b", ":1", ":-0.5", ":.5", ":", " ", "\n", ":1e9", ":1e-9", "(c:1.2)", "-", "٣", ":0"]
TYPED = st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=30)


def check_any_text(text):
    try:
        parts = composition(text)
    except PromptError as error:
        assert "AND" in text and error.reason
        return
    assert sum(weight for weight, _ in parts) > 0
    assert len({part for _, part in parts}) == len(parts)
    assert "AND" in text or parts == ((1.0, text),)


@given(TYPED)
@settings(max_examples=300, deadline=None)
def test_any_text_is_composed_or_refused(text):
    check_any_text(text)


@pytest.mark.soak
@given(TYPED)
@settings(max_examples=10_000, deadline=None)
def test_ten_thousand_texts_are_composed_or_refused(text):
    check_any_text(text)
