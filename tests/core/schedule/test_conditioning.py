"""Blends of conditionings: the mean of what matches, nothing cut, nothing lost, nothing written into."""

import copy

import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.schedule import blend_conditionings, compose_conditionings


def clip(seed, tokens=77, width=8, dtype=torch.float32, **options):
    made = torch.Generator().manual_seed(seed)
    pooled = torch.randn(1, 5, generator=made).to(dtype)
    return [[torch.randn(1, tokens, width, generator=made).to(dtype), {"pooled_output": pooled, **options}]]


def attention(query, tokens):
    return torch.softmax(query @ tokens.transpose(1, 2), -1) @ tokens


def test_one_part_is_the_same_object():
    a, b = clip(1), clip(2)
    assert blend_conditionings([(1.0, a)]) is a
    assert blend_conditionings([(0.3, a)]) is a
    assert blend_conditionings([(1.0, a), (0.0, b)]) is a


def test_mean_of_tokens_and_pooled():
    a, b = clip(1), clip(2)
    kept = copy.deepcopy((a, b))
    ((tokens, options),) = blend_conditionings([(0.25, a), (0.75, b)])
    torch.testing.assert_close(tokens, 0.25 * a[0][0] + 0.75 * b[0][0])
    torch.testing.assert_close(
        options["pooled_output"], 0.25 * a[0][1]["pooled_output"] + 0.75 * b[0][1]["pooled_output"]
    )
    # Weights are shares, whatever their sum.
    torch.testing.assert_close(blend_conditionings([(1, a), (3, b)])[0][0], tokens)
    for before, after in zip(kept, (a, b), strict=True):
        assert torch.equal(before[0][0], after[0][0])
        assert torch.equal(before[0][1]["pooled_output"], after[0][1]["pooled_output"])


def test_three_parts():
    parts = [(0.2, clip(1)), (0.5, clip(2)), (0.3, clip(3))]
    tokens = blend_conditionings(parts)[0][0]
    torch.testing.assert_close(tokens, sum(weight * part[0][0] for weight, part in parts))


def test_a_shorter_text_of_clip_is_repeated_so_that_nothing_jumps():
    long, short = clip(1, 154), clip(2, 77)
    tokens = blend_conditionings([(1e-6, long), (1 - 1e-6, short)])[0][0]
    assert tokens.shape == (1, 154, 8)
    query = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(attention(query, tokens), attention(query, short[0][0]), rtol=1e-4, atol=1e-4)
    tokens = blend_conditionings([(0.5, short), (0.5, long)])[0][0]
    torch.testing.assert_close(tokens[:, 77:], (short[0][0] + long[0][0][:, 77:]) / 2)


def test_other_lengths_are_padded_with_zeros():
    long, short = clip(1, 13), clip(2, 7)
    tokens = blend_conditionings([(0.5, long), (0.5, short)])[0][0]
    torch.testing.assert_close(tokens[:, :7], (long[0][0][:, :7] + short[0][0]) / 2)
    torch.testing.assert_close(tokens[:, 7:], long[0][0][:, 7:] / 2)


def test_everything_else_is_carried():
    a = clip(1, guidance=3.5, hidden=torch.ones(1, 2), ids=torch.tensor([1]), only_a="x", none=None)
    b = clip(2, guidance=4.0, hidden=torch.zeros(1, 2), ids=torch.tensor([2]), none=1)
    options = blend_conditionings([(0.25, a), (0.75, b)])[0][1]
    assert options["guidance"] == 4.0
    assert options["only_a"] == "x"
    assert options["none"] == 1
    assert options["ids"].tolist() == [2]
    assert options["hidden"].tolist() == [[0.25, 0.25]]
    options = blend_conditionings([(0.75, a), (0.25, b)])[0][1]
    assert options["guidance"] == 3.5
    assert options["none"] == 1


def test_pooled_of_one_only_is_carried():
    a, b = clip(1), clip(2)
    b[0][1]["pooled_output"] = None
    for parts in ([(0.9, a), (0.1, b)], [(0.1, a), (0.9, b)]):
        assert torch.equal(blend_conditionings(parts)[0][1]["pooled_output"], a[0][1]["pooled_output"])


def test_attention_masks_join():
    a = clip(1, 5, attention_mask=torch.tensor([[1, 1, 1, 0, 0]]))
    b = clip(2, 3, attention_mask=torch.tensor([[1, 1, 1]]))
    c = clip(3, 4)
    assert blend_conditionings([(0.5, a), (0.5, b)])[0][1]["attention_mask"].tolist() == [[1, 1, 1, 0, 0]]
    assert blend_conditionings([(0.5, c), (0.5, b)])[0][1]["attention_mask"].tolist() == [[1, 1, 1, 1]]
    assert blend_conditionings([(0.2, b), (0.8, a)])[0][1]["attention_mask"].dtype == torch.int64


def test_several_entries_blend_one_by_one():
    a, b = clip(1) + clip(2), clip(3) + clip(4)
    blended = blend_conditionings([(0.5, a), (0.5, b)])
    assert len(blended) == 2
    for entry, mine, theirs in zip(blended, a, b, strict=True):
        torch.testing.assert_close(entry[0], (mine[0] + theirs[0]) / 2)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (clip(1) + clip(2), clip(3)),
        (clip(1, area=(8, 8, 0, 0)), clip(3)),
        (clip(1, mask=torch.zeros(1, 4, 4)), clip(3, mask=torch.ones(1, 4, 4))),
        (clip(1, start_percent=0.0, end_percent=0.5), clip(3, start_percent=0.5, end_percent=1.0)),
    ],
)
def test_what_does_not_match_stands_side_by_side(a, b):
    a[0][1]["strength"] = 2.0
    blended = blend_conditionings([(0.25, a), (0.75, b)])
    assert len(blended) == len(a) + len(b)
    assert blended[0][1]["strength"] == 0.5
    assert blended[-1][1]["strength"] == 0.75
    assert blended[0][0] is a[0][0]
    assert "strength" not in b[0][1]


def test_half_precision_stays_and_is_summed_exactly():
    a, b = clip(1, dtype=torch.float16), clip(2, dtype=torch.float16)
    tokens = blend_conditionings([(0.3, a), (0.7, b)])[0][0]
    assert tokens.dtype == torch.float16
    assert torch.equal(tokens, (a[0][0].float() * 0.3 + b[0][0].float() * 0.7).half())


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([], "above 0"),
        ([(0.0, clip(1))], "above 0"),
        ([(-0.5, clip(1)), (1.5, clip(2))], "0 or more"),
        ([(float("nan"), clip(1)), (1.0, clip(2))], "0 or more"),
        ([(0.5, clip(1, width=8)), (0.5, clip(2, width=6))], r"\(1, 77, 8\) and \(1, 77, 6\)"),
    ],
)
def test_bad_input(parts, words):
    with pytest.raises(FramedriftError, match=words):
        blend_conditionings(parts)


def test_composed_conditionings_stand_side_by_side():
    a, b = clip(1), clip(2, strength=0.5)
    kept = copy.deepcopy((a, b))
    composed = compose_conditionings([(1.2, a), (0.8, b)])
    assert [entry[1]["strength"] for entry in composed] == pytest.approx([1.2, 0.4])
    assert composed[0][0] is a[0][0] and composed[1][0] is b[0][0]
    assert compose_conditionings([(0.3, a)]) is a
    assert "strength" not in a[0][1] and b[0][1]["strength"] == kept[1][0][1]["strength"]
    with pytest.raises(FramedriftError, match="no conditioning"):
        compose_conditionings([])


def family(name, seed, pieces):
    """A conditioning of a model family's shape, for a text that takes this many of CLIP's pieces."""
    made = torch.Generator().manual_seed(seed)

    def rand(*shape):
        return torch.randn(*shape, generator=made)

    if name == "SD1.5":
        return [[rand(1, 77 * pieces, 768), {"pooled_output": rand(1, 768)}]]
    if name == "SDXL":
        sizes = {"width": 1024, "height": 1024, "crop_w": 0, "crop_h": 0, "target_width": 1024, "target_height": 1024}
        return [[rand(1, 77 * pieces, 2048), {"pooled_output": rand(1, 1280), **sizes}]]
    if name == "SD3":
        return [[rand(1, 77 * pieces + 77 + 23 * pieces, 4096), {"pooled_output": rand(1, 2048)}]]
    mask = torch.ones(1, 256 + 40 * (pieces - 1))
    return [[rand(1, mask.shape[1], 4096), {"pooled_output": rand(1, 768), "guidance": 3.5, "attention_mask": mask}]]


@pytest.mark.parametrize("name", ["SD1.5", "SDXL", "SD3", "Flux"])
def test_a_blend_has_everything_that_the_family_needs(name):
    short, long = family(name, 1, 1), family(name, 2, 2)
    for weight in (0.25, 0.75):
        ((tokens, options),) = blend_conditionings([(1 - weight, short), (weight, long)])
        assert tokens.shape == long[0][0].shape
        assert tokens.dtype == torch.float32
        assert set(options) == set(long[0][1])
        own = short[0][0].shape[1]
        torch.testing.assert_close(
            tokens[:, :own], (1 - weight) * short[0][0] + weight * long[0][0][:, :own], rtol=1e-4, atol=1e-5
        )
        pooled = (1 - weight) * short[0][1]["pooled_output"] + weight * long[0][1]["pooled_output"]
        torch.testing.assert_close(options["pooled_output"], pooled)
        for key in set(options) - {"pooled_output", "attention_mask"}:
            assert options[key] == long[0][1][key]
        if name == "Flux":
            assert options["attention_mask"].shape == (1, 296)
