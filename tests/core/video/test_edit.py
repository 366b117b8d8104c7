"""Clips cut, turned, retimed and joined."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video import BatchFrames, Frames
from framedrift.nodes.core.video.edit import (
    Changed,
    gapless,
    joined,
    ping_pong,
    resized,
    retimed,
    trimmed,
    turned_round,
)


def clip(length=6, size=(4, 6), fps=10.0, first=0.0, **options):
    """Flat pictures whose grey says which frame they are: one hundredth a frame."""
    greys = first + torch.arange(length) / 100
    return BatchFrames(greys[:, None, None, None].expand(length, *size, 3).contiguous(), fps, **options)


def numbers(frames):
    """Which frames are shown, in hundredths of grey."""
    return [round(float(picture.mean()) * 100, 3) for picture in frames]


class Untouched(Frames):
    """A long clip of which no picture may be asked for."""

    fps, size, indices, num_frames = 10.0, (4, 6), tuple(range(100_000)), 100_000

    def __getitem__(self, item):
        raise AssertionError(f"frame {item} was loaded")


def test_trimmed_by_frames_from_either_end():
    assert numbers(trimmed(clip(), 1, 3)) == [1, 2, 3]
    assert numbers(trimmed(clip(), -2)) == [4, 5]
    assert numbers(trimmed(clip(), 2, 2)) == [2]
    thinned = trimmed(clip(7), 0, -1, 3)
    assert numbers(thinned) == [0, 3, 6]
    assert thinned.fps == pytest.approx(10 / 3), "the pace stays"


def test_backwards_and_forth_and_back():
    assert numbers(turned_round(clip(4))) == [3, 2, 1, 0]
    assert numbers(ping_pong(clip(4))) == [0, 1, 2, 3, 2, 1]
    assert numbers(ping_pong(clip(2))) == [0, 1]
    assert numbers(ping_pong(clip(1))) == [0]


def test_gaps_are_filled_before_anything_is_cut():
    gapped = clip(3, indices=(0, 2, 4))
    assert numbers(gapless(gapped)) == [0, 0.5, 1, 1.5, 2]
    assert numbers(trimmed(gapped, 1, 3)) == [0.5, 1, 1.5]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.floats(0.05, 20), st.sampled_from([0.0, 7.5, 10.0, 24.0, 29.97]))
def test_retiming_keeps_what_is_shown_when(length, speed, fps):
    found = retimed(clip(length), speed, fps)
    rate = fps or 10.0
    assert found.fps == rate
    pace = speed * 10.0 / rate
    assert len(found) == pytest.approx(1 + (length - 1) / pace, abs=1)
    shown = numbers(found)
    np.testing.assert_allclose(shown, np.minimum(np.arange(len(found)) * pace, length - 1), atol=0.02)
    if pace > 1 / 30:
        whole = numbers(retimed(clip(length), speed, fps, between="nearest"))
        assert all(value == int(value) for value in whole)
        np.testing.assert_allclose(whole, shown, atol=0.52)


def test_slow_motion_moves_with_the_camera():
    """Half a step of the camera: a dot between its places, not two half dots."""
    size = (45, 60)
    pictures = torch.zeros(3, *size, 3)
    for frame in range(3):
        pictures[frame, 20:24, 30 - 8 * frame : 34 - 8 * frame] = 1
    for camera in (
        Camera2D(zoom="0:(1)", translation_x="0:(-8)"),
        Camera3D(translation_z="0:(0)", translation_x=f"0:({200 * 8 / (45 / 2 / math.tan(math.radians(35)))})"),
    ):
        track = camera.track(3, 10.0, 0, size)
        slow = retimed(BatchFrames(pictures, 10.0, track=track), 0.5)
        assert len(slow) == 5
        for number in (1, 3):
            columns = slow[number][22, :, 0]
            centre = 31.5 - 4 * number
            assert float((columns * torch.arange(60)).sum() / columns.sum()) == pytest.approx(centre, abs=0.2)
            assert columns.max() > 0.95
            assert (columns > 0.5).sum() == 4


def test_a_run_is_slowed_from_its_diffused_frames():
    """Sampled once: between frames 0 and 4 nothing is made of a tween."""
    asked = []

    class Watched(BatchFrames):
        def __getitem__(self, item):
            asked.append(self.indices[item])
            return super().__getitem__(item)

    found = retimed(Watched(torch.rand(2, 4, 6, 3), indices=(0, 4)), 0.25)
    assert len(found) == 17
    assert found[3].shape == (4, 6, 3)
    assert set(asked) == {0, 4}


def test_nothing_is_mixed_across_a_cut():
    slow = retimed(clip(4, cuts=frozenset({2})), 0.25)
    assert numbers(slow)[4:9] == [1, 1, 1, 2, 2] or numbers(slow)[4:9] == [1, 1, 2, 2, 2]


@pytest.mark.parametrize(("fit", "corner", "middle"), [("crop", 1.0, 1.0), ("pad", 0.0, 1.0), ("stretch", 1.0, 1.0)])
def test_sizes_are_fitted(fit, corner, middle):
    found = resized(BatchFrames(torch.ones(2, 4, 8, 3), 10.0), (6, 6), fit)
    assert (found.size, tuple(found[1].shape)) == ((6, 6), (6, 6, 3))
    assert found[0][0, 0, 0] == corner
    assert found[0][3, 3, 0] == middle


def test_cropping_keeps_the_middle_and_the_shape():
    wide = torch.zeros(1, 4, 12, 3)
    wide[:, :, 4:8] = 1
    assert resized(BatchFrames(wide), (4, 4), "crop")[0].min() == 1
    tall = resized(BatchFrames(wide), (8, 24), "pad")[0]
    assert tall[4, 12, 0] == pytest.approx(1, abs=1e-3)
    assert tall[4, 4, 0] == pytest.approx(0, abs=0.05)


def test_poses_and_depths_go_where_the_size_does():
    track = Camera2D().track(2, 10.0, 0, (4, 6))
    source = clip(2, track=track, disparities=torch.ones(2, 4, 6))
    same = Changed(source, lambda picture: 1 - picture)
    assert same.track is track
    assert same.disparity(1) is not None
    assert same[0].min() == 1
    other = resized(source, (8, 12))
    assert (other.track, other.disparity(0)) == (None, None)


def test_clips_are_joined_at_the_firsts_size_and_rate():
    found = joined([clip(3), clip(4, size=(8, 12), fps=20.0, first=0.5)])
    assert (found.fps, found.size, found.num_frames) == (10.0, (4, 6), 5)
    assert numbers(found) == [0, 1, 2, 50, 52]
    assert found.cuts == {3}


def test_a_crossfade_goes_evenly_from_one_to_the_next():
    found = joined([clip(4), clip(5, first=0.5)], crossfade=3)
    assert len(found) == 6
    assert numbers(found) == [0, 0.75 * 1 + 0.25 * 50, 0.5 * 2 + 0.5 * 51, 0.25 * 3 + 0.75 * 52, 53, 54]
    three = joined([clip(4), clip(6, first=0.5), clip(4)], crossfade=3)
    assert len(three) == 8


def test_lengths_are_known_without_loading_anything():
    long = Untouched()
    assert len(trimmed(long, 10, -10)) == 99_981
    assert len(joined([long, retimed(long, 2), resized(turned_round(long), (2, 2))], 5)) == 249_990
    assert len(retimed(long, 0.5)) == 199_999


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: trimmed(clip(), 6), "start: there is no frame 6; there are 6, 0 to 5"),
        (lambda: trimmed(clip(), 0, -7), "end: there is no frame -7"),
        (lambda: trimmed(clip(), 4, 2), "end: frame 2 lies before start, which is 4"),
        (lambda: trimmed(clip(), every_nth=0), "every_nth"),
        (lambda: retimed(clip(), 0), "speed"),
        (lambda: retimed(clip(), math.nan), "speed"),
        (lambda: retimed(clip(), fps=-1), "fps"),
        (lambda: joined([clip(), clip(2)], 3), "crossfade: 3 frames are more than clip_2 has room for"),
        (lambda: joined([clip(), clip(5), clip()], 3), "clip_2 has room for: it has 5 frames, and fades at both"),
        (lambda: joined([clip(), clip(1)], -1), "crossfade"),
        (lambda: joined([clip(), BatchFrames(torch.zeros(0, 4, 6, 3))]), "clip_2: it has no frames"),
        (lambda: turned_round(BatchFrames(torch.zeros(0, 4, 6, 3))), "there are none"),
        (lambda: resized(clip(), (0, 4)), "no size"),
    ],
)
def test_what_cannot_be_done_is_named(make, words):
    with pytest.raises(FramedriftError, match=words):
        make()
