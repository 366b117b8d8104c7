import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.feedback.palettes import MOST_COLORS, parse_palettes, read_colors
from framedrift.nodes.core.schedule import ScheduleError

COLOR = st.tuples(*[st.integers(0, 255)] * 3)


def hexed(color) -> str:
    return "#" + "".join(f"{level:02x}" for level in color)


def at(text: str, frame: int, num_frames: int = 100, **timing) -> list[list[int]]:
    colors = read_colors(parse_palettes(text).sample(num_frames, **timing)[frame])
    return (colors * 255).round().int().tolist()


def test_colours_run_from_key_to_key():
    text = "0: #204060 #e0b080, 60: #102030 #80ffcc"
    assert at(text, 0) == [[0x20, 0x40, 0x60], [0xE0, 0xB0, 0x80]]
    assert at(text, 30) == [[0x18, 0x30, 0x48], [0xB0, 0xD8, 0xA6]]
    assert at(text, 60) == at(text, 99) == [[0x10, 0x20, 0x30], [0x80, 0xFF, 0xCC]]


@pytest.mark.parametrize(
    "text",
    [
        "0: #ff0000 #00f, 10: #000000",
        "0:(#f00 #0000FF), 10:(#000),",
        '"0": "#ff0000, #0000ff"\n"10": "#000"',
        "0s: (#f00; #00f), 1s: #000",
        "0%: #f00 #00f, max_f-89: #000",
        "10: #000, 0: #f00 #00f",
        "0: #123, 0: #f00 #00f, 10: #000",
        "0: #f00 #00f, 10: #000, 200: #fff",
    ],
)
def test_ways_of_writing_the_same(text):
    texts = parse_palettes(text).sample(100, fps=10.0)
    assert texts == parse_palettes("0: #ff0000 #0000ff, 10: #000000").sample(100, fps=10.0)


def test_a_palette_alone_holds_throughout():
    assert parse_palettes("#204060 #e0b080").sample(3) == ["#204060 #e0b080"] * 3
    assert parse_palettes("5: #204060").sample(8) == ["#204060"] * 8


def gradient(colors: torch.Tensor) -> torch.Tensor:
    """Mean and mean square of all shades from colour to colour."""
    start, end = (colors[:-1], colors[1:]) if len(colors) > 1 else (colors, colors)
    square = (start.square() + start * end + end.square()) / 3
    return torch.stack([((start + end) / 2).mean(0), square.mean(0)])


@given(first=st.lists(COLOR, min_size=1, max_size=MOST_COLORS), second=st.lists(COLOR, min_size=1, max_size=3))
def test_keys_of_different_sizes_keep_their_gradients(first, second):
    text = f"0: {' '.join(map(hexed, first))}, 100: {' '.join(map(hexed, second))}"
    sampled = parse_palettes(text).sample(101)
    for frame, near, wanted in ((0, 1, first), (100, 99, second)):
        colors = torch.tensor(wanted, dtype=torch.float64) / 255
        assert torch.allclose(read_colors(sampled[frame]), colors)
        assert torch.allclose(gradient(read_colors(sampled[near])), gradient(colors), atol=0.025)
    middle = gradient(read_colors(sampled[50]))[0]
    means = [gradient(torch.tensor(colors, dtype=torch.float64) / 255)[0] for colors in (first, second)]
    assert torch.allclose(middle, (means[0] + means[1]) / 2, atol=0.51 / 255)


@given(keys=st.dictionaries(st.integers(0, 99), COLOR, min_size=1, max_size=6), frame=st.integers(0, 99))
def test_every_frame_lies_between_its_keys(keys, frame):
    text = ", ".join(f"{key}: {hexed(color)}" for key, color in keys.items())
    (found,) = at(text, frame)
    before = keys[max((key for key in keys if key <= frame), default=min(keys))]
    after = keys[min((key for key in keys if key >= frame), default=max(keys))]
    assert all(min(a, b) <= level <= max(a, b) for level, a, b in zip(found, before, after, strict=True))


@given(st.text(alphabet="#0123456789abcfxs%:,() \n\"';max_f", max_size=40))
def test_any_text_is_read_or_refused_with_its_name(text):
    try:
        sampled = parse_palettes(text, "palette").sample(20)
    except ScheduleError as error:
        assert "palette" in str(error)
    else:
        assert all(read_colors(found).shape[1] == 3 for found in sampled)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0: #204060, 60: #10203g", r"palette, key 60, column 17: '#10203g' is no colour; write #rrggbb"),
        ("0: #204060 red", r"palette, key 0, column 12: 'red' is no colour"),
        ("0: #12345", r"key 0, column 4: '#12345' is no colour"),
        ("0: ()", r"key 0"),
        ("", r"palette.*empty"),
        ("t: #fff", r"key t, column 1: a key is a frame"),
        ("0: #fff, #000", r"column 10: '#000' has no key"),
        ("0: " + "#fff " * 9, r"key 0, column 44: a key takes 8 colours at most, not 9"),
    ],
)
def test_errors_name_key_and_column(text, words):
    with pytest.raises(ScheduleError, match=words):
        parse_palettes(text)
