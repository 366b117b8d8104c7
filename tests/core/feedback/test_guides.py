"""Guide Images: what a node says, how several merge, and how a run comes to its guides."""

import logging

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.guides import Guides, merged, parse_places
from framedrift.nodes.core.feedback.options import Options
from framedrift.nodes.core.schedule import as_schedule
from framedrift.nodes.core.schedule.keys import Timing

DEFAULTS = {
    "image_strength_schedule": "0:(0.75)",
    "tweening_frames_schedule": "0:(20)",
    "blendFactorMax": "0:(0.35)",
    "blendFactorSlope": "0:(0.25)",
    "color_correction_factor": "0:(0.075)",
}
SIZE = (24, 40)
FPS = 12.0


def plain(level, count=1, size=SIZE):
    return torch.full((count, 3, *size), level)


def guides(texts=None, **given):
    return Guides(
        schedules={name: as_schedule(text, name) for name, text in (DEFAULTS | (texts or {})).items()}, **given
    )


def course(*parts, num_frames=49):
    options = Options()
    for part in parts:
        options = options.with_part(part)
    options = options.fitted(FPS, SIZE)
    return merged(options, options.sample(num_frames, 0, FPS), num_frames, 0, FPS)


def frames_of(text, num_frames=49):
    return [key.frame(Timing(num_frames, 0, FPS)) for key in parse_places(text)]


# ---------------------------------------------------------------- keyframes


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("", []),
        ("  ", []),
        ("24", [24]),
        ("24, 48,", [24, 48]),
        ("24\n48", [24, 48]),
        ("max_f/2, 2.5s, 50%", [24, 30, 24]),
        ("min(30, max_f), (1 + 2) * 3", [30, 9]),
    ],
)
def test_keyframes_are_read(text, frames):
    assert frames_of(text) == frames


@given(st.lists(st.integers(0, 100_000), max_size=20), st.sampled_from([",", ", ", "\n", " ,\n"]))
def test_any_list_of_frames_is_read(frames, between):
    assert frames_of(between.join(map(str, frames))) == frames


@given(st.text(alphabet="0123456789maxf_f()+-*/.,sb% \nt", max_size=30))
def test_any_other_text_is_an_error_that_says_where(text):
    try:
        parse_places(text)
    except FramedriftError as error:
        assert str(error).startswith("keyframes, '")


def test_a_wrong_keyframe_is_named():
    with pytest.raises(FramedriftError, match=r"keyframes, '4 8'.*write frames such as 24"):
        guides(images=plain(0.5, 2), places="24, 4 8")


# ---------------------------------------------------------------- one node


def test_every_picture_gets_its_frame():
    made = guides(start_image=plain(0.1), end_image=plain(0.9), images=plain(0.5, 2), places="12, max_f/2")
    assert made.keyframes(49, 0, FPS) == {0, 12, 24, 48}
    levels = {guide.frame: float(guide.picture.mean()) for guide in made.guides(49, 0, FPS)}
    assert levels == pytest.approx({0: 0.1, 12: 0.5, 24: 0.5, 48: 0.9})


def test_pictures_are_cropped_to_the_animation():
    picture = torch.zeros(1, 3, 30, 100)
    picture[..., 25:75] = 0.8
    fitted = guides(start_image=picture, end_image=plain(0.5)).fitted(FPS, SIZE)
    assert fitted.start_image.shape == (1, 3, *SIZE)
    # 30x100 becomes 24x80, of which the middle 40 are shown.
    assert fitted.start_image[..., 1:-1].mean() == pytest.approx(0.8, abs=0.01)
    same = plain(0.5)
    assert guides(end_image=same).fitted(FPS, SIZE).end_image is same


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "there is no picture"),
        ({"start_image": plain(0.5, 3)}, "start_image: 3 pictures; it takes one"),
        ({"end_image": plain(0.5, 2)}, "end_image: 2 pictures"),
        ({"images": plain(0.5, 2), "places": "24"}, "names 1 frames, and images holds 2 pictures"),
        ({"start_image": plain(0.5), "places": "24"}, "names 1 frames, and images holds 0 pictures"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, words):
    with pytest.raises(FramedriftError, match=words):
        guides(**given)


def test_a_guide_outside_the_animation_is_left_out_and_named(caplog):
    made = guides(images=plain(0.5, 2), places="12, 60")
    with caplog.at_level(logging.WARNING, "framedrift"):
        assert made.keyframes(49, 0, FPS) == {12}
        assert [guide.frame for guide in made.guides(49, 0, FPS)] == [12]
    assert caplog.text.count("picture 2 of images (keyframe 60)") == 1, "said once, however often it is asked"
    assert course(guides(images=plain(0.5), places="60")) is None


def test_the_signature_tells_pictures_and_places_apart():
    base = guides(start_image=plain(0.5), images=plain(0.2), places="12").signature()
    assert base == guides(start_image=plain(0.5), images=plain(0.2), places="12").signature()
    others = [
        guides(end_image=plain(0.5), images=plain(0.2), places="12"),
        guides(start_image=plain(0.5), images=plain(0.3), places="12"),
        guides(start_image=plain(0.5), images=plain(0.2), places="13"),
    ]
    assert all(other.signature() != base for other in others)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("image_strength_schedule", "0:(0.5), 10:(1.5)"),
        ("tweening_frames_schedule", "0:(0)"),
        ("blendFactorMax", "0:(-1)"),
        ("blendFactorSlope", "0:(2)"),
        ("color_correction_factor", "0:(1.1)"),
    ],
)
def test_schedules_out_of_bounds_are_named(name, text):
    with pytest.raises(FramedriftError, match=f"guides_1_{name} is"):
        course(guides({name: text}, start_image=plain(0.5)))


# ---------------------------------------------------------------- several nodes


def test_several_nodes_are_one_course_each_with_its_own_schedules():
    way = course(
        guides(start_image=plain(0.1), end_image=plain(0.9)),
        guides({"image_strength_schedule": "0:(0.4)"}, images=plain(0.5), places="24"),
    )
    assert way.frames == (0, 24, 48)
    assert [way.strength(frame, 0.6) for frame in way.frames] == [0.75, 0.4, 0.75]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            [{"start_image": plain(0.1)}, {"images": plain(0.5), "places": "0"}],
            r"frame 0 has two pictures, start_image and picture 1 of images \(keyframe 0\), of 2 Guide Images nodes",
        ),
        (
            [{"end_image": plain(0.1), "images": plain(0.5, 2), "places": "24, max_f"}],
            r"frame 48 has two pictures, picture 2 of images \(keyframe max_f\) and end_image; take one away",
        ),
    ],
)
def test_two_guides_at_one_frame_are_an_error_that_names_it(parts, words):
    with pytest.raises(FramedriftError, match=words):
        course(*(guides(**part) for part in parts))


def test_no_guides_are_no_course():
    assert merged(Options(), Options().sample(10, 0, FPS), 10, 0, FPS) is None
