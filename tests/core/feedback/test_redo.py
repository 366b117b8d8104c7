"""Pictures that are made and thrown away, and blank ones made again; what is diffused is painted from the seed."""

import logging
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import FramePlan, Options
from framedrift.nodes.core.feedback.redo import (
    Made,
    Redo,
    StopRun,
    is_blank,
    made,
    moved_on,
    prepared_again,
    reseeded,
)
from framedrift.nodes.core.random import generator
from framedrift.nodes.core.schedule import as_schedule

SIZE = (88, 120)


def waves(shift_x=0.0, shift_y=0.0):
    """Soft structure at no period, moved by so many pixels to the right and down."""
    y, x = torch.meshgrid(torch.arange(SIZE[0]) - shift_y, torch.arange(SIZE[1]) - shift_x, indexing="ij")
    sums = [torch.sin(x / (5 + c)) * torch.cos(y / (7 - c)) + torch.sin((x + 2 * y) / (11 + 2 * c)) for c in range(3)]
    return (torch.stack(sums)[None] / 4 + 0.5).float()


def plan(frame=3, strength=0.6, **changed):
    return FramePlan(frame, 77, strength, **({"steps": 10, "cfg": 5.0, "noise": 0.0} | changed))


class Painter:
    """Half of what it is given, half of a texture that the seed decides; the calls at `faults` come out otherwise."""

    def __init__(self, faults=None):
        self.faults = faults or {}
        self.plans = []

    def texture(self, seed):
        return torch.rand(1, 3, *SIZE, generator=generator(seed, 0, "paint"))

    def __call__(self, image, given):
        self.plans.append(given)
        fault = self.faults.get(len(self.plans), self.faults.get("all"))
        if fault is not None:
            return torch.full((1, 3, *SIZE), float(fault))
        painted = self.texture(given.seed)
        return painted if image is None else (image + painted) / 2


def halved(picture):
    return picture / 2


# Flow and its warp


@pytest.mark.parametrize("method", ["dis", "farneback"])
@pytest.mark.parametrize("factor", [-1, 0.5, 1, 3])
def test_the_flow_carries_a_picture_on(method, factor):
    """A pattern that went 3 right and 2 up goes so many times as far again."""
    found = moved_on(waves(), waves(3, -2), factor, method)
    wanted = waves(3 + 3 * factor, -2 - 2 * factor)
    inner = (..., slice(16, -16), slice(16, -16))
    off = float((found - wanted)[inner].abs().mean())
    assert off < 0.01 * max(1, abs(factor))
    assert off < 0.2 * float((waves(3, -2) - wanted)[inner].abs().mean())


@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_a_factor_of_0_and_a_scene_at_rest_keep_every_pixel(method):
    assert torch.equal(moved_on(waves(), waves(3, -2), 0.0, method), waves(3, -2))
    torch.testing.assert_close(moved_on(waves(), waves(), 1.0, method), waves(), atol=6e-3, rtol=0)


def test_what_is_painted_anew_is_not_torn():
    """Where nothing of the one is in the other there is no flow to follow, whatever a flow finder makes up."""
    fresh = torch.rand(1, 3, *SIZE, generator=generator(1, 0, "fresh"))
    moved = moved_on(waves(), fresh, 10.0, "dis")
    assert float((moved - fresh).abs().mean()) < 0.05


# What a frame starts from


def test_diffusion_redo_goes_from_picture_to_picture():
    painter, start = Painter(), waves()
    found = prepared_again(start, plan(), Redo(diffusion_redo=3), painter, halved)
    assert len(painter.plans) == 3
    seeds = [given.seed for given in painter.plans]
    assert len({*seeds, 77}) == 4
    wanted = start
    for seed in seeds:
        wanted = halved((wanted + painter.texture(seed)) / 2)
    assert torch.equal(found, wanted)
    assert [(given.frame, given.strength, given.steps) for given in painter.plans] == [(3, 0.6, 10)] * 3


def test_the_optical_flow_comes_first_and_moves_the_picture_that_was_thrown_away():
    class Mover(Painter):
        def __call__(self, image, given):
            super().__call__(image, given)
            return waves(3, 1)

    mover = Mover()
    redo = Redo(optical_flow_redo_generation="dis")
    found = prepared_again(waves(), plan(values={"redo_flow_factor_schedule": 2.0}), redo, mover, halved)
    assert len(mover.plans) == 1
    assert torch.equal(found, halved(moved_on(waves(), waves(3, 1), 2.0, "dis")))
    both = Redo(optical_flow_redo_generation="dis", diffusion_redo=1)
    painter = Painter()
    started = []
    prepared_again(waves(), plan(), both, lambda i, p: (started.append(i), painter(i, p))[1], halved)
    assert torch.equal(started[0], waves())
    other = (waves() + painter.texture(painter.plans[0].seed)) / 2
    assert torch.equal(started[1], halved(moved_on(waves(), other, 1.0, "dis")))


@pytest.mark.parametrize("given", [plan(frame=0), plan(strength=0.0)], ids=["first", "cut"])
def test_nothing_is_redone_where_there_is_no_past(given):
    painter, start = Painter(), waves()
    redo = Redo(diffusion_redo=2, optical_flow_redo_generation="dis")
    assert prepared_again(start, given, redo, painter, halved) is start
    assert painter.plans == []


def test_without_a_redo_the_start_stays_as_it_is():
    painter, start = Painter(), waves()
    assert prepared_again(start, plan(), Redo(), painter, halved) is start
    assert painter.plans == []


@pytest.mark.parametrize("fault", [0.0, math.nan, math.inf])
def test_a_thrown_away_picture_that_failed_is_passed_over(fault, caplog):
    painter, start = Painter({1: fault, 3: fault}), waves()
    redo = Redo(diffusion_redo=2, optical_flow_redo_generation="dis")
    with caplog.at_level(logging.WARNING, "framedrift"):
        found = prepared_again(start, plan(), redo, painter, halved)
    wanted = halved((start + painter.texture(painter.plans[1].seed)) / 2)
    assert torch.equal(found, wanted)
    assert caplog.text.count("Frame 3") == 2


# Frames that came back blank


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_picture_of_one_colour_is_blank(value):
    image = torch.full((1, 3, 9, 7), value)
    assert is_blank(image)
    image[0, 1, 4, 2] += 0.003
    assert is_blank(image), "less than a level of 8 bits"
    image[0, 1, 4, 2] += 0.02
    assert not is_blank(image)
    tinted = image.new_tensor([0.1, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 9, 7)
    assert is_blank(tinted)


def test_a_good_frame_is_made_once():
    for redo in (None, *(Redo(reroll_blank_frames=name) for name in ("ignore", "reroll", "interrupt"))):
        painter = Painter()
        found = made(waves(), plan(), redo, painter)
        assert painter.plans == [plan()]
        assert found.plan == plan()
        assert found.note == {}


@pytest.mark.parametrize("fault", [0.0, 0.7, math.nan, -math.inf])
@pytest.mark.parametrize("start", [waves(), None], ids=["image", "text"])
def test_a_failed_frame_is_made_again_with_other_seeds(fault, start):
    painter = Painter({1: fault, 2: fault})
    found = made(start, plan(), Redo(), painter)
    assert len(painter.plans) == 3
    assert len({given.seed for given in painter.plans}) == 3
    assert found.plan == painter.plans[-1]
    assert found.note == {"rerolls": 2}
    assert torch.equal(found.image, painter(start, found.plan)), "the seed that is told makes the picture"


def test_patience_ends_and_so_does_the_run():
    painter = Painter({"all": math.nan})
    with pytest.raises(StopRun, match=r"Frame 3 came back .*3 other seeds.*VAE"):
        made(waves(), plan(), Redo(reroll_patience=3), painter)
    assert len({given.seed for given in painter.plans}) == 4
    painter = Painter({1: 0, 2: 0})
    assert made(waves(), plan(), Redo(reroll_patience=2), painter).note == {"rerolls": 2}


@pytest.mark.parametrize("fault", [0.0, math.nan])
def test_interrupt_stops_at_once(fault):
    painter = Painter({1: fault})
    with pytest.raises(StopRun, match=r"^Frame 3 came back (blank|with pixels .*)\. Half"):
        made(waves(), plan(), Redo(reroll_blank_frames="interrupt"), painter)
    assert len(painter.plans) == 1


def test_ignoring_lets_a_blank_frame_through_and_goes_on_without_a_broken_one(caplog):
    redo = Redo(reroll_blank_frames="ignore")
    blank = made(waves(), plan(), redo, Painter({1: 0.0}))
    assert not blank.image.any()
    assert blank.note == {}
    start = waves()
    with caplog.at_level(logging.WARNING, "framedrift"):
        broken = made(start + 0.1, plan(), redo, Painter({1: math.nan}), start)
    assert broken.image is start, "without the noise that the start has"
    assert broken.plan == plan()
    assert "lost" in broken.note
    assert "Frame 3" in caplog.text


@pytest.mark.parametrize(("redo", "spare"), [(None, waves()), (Redo(reroll_blank_frames="ignore"), None)])
def test_a_broken_frame_that_nothing_can_stand_in_for_is_an_error(redo, spare):
    with pytest.raises(FramedriftError, match=r"Frame 3 .*VAE"):
        made(spare, plan(), redo, Painter({1: math.nan}), spare)


def test_without_a_redo_a_blank_frame_stays():
    assert not made(waves(), plan(), None, Painter({1: 0.0})).image.any()


def test_a_fade_to_black_may_end():
    """The last grey before black, with Deforum's noise on it, is as good as black."""
    grain = torch.randn(1, 3, *SIZE, generator=generator(0, 0, "grain"))
    dark = (waves() * 0.04 + 0.0325 * grain).clamp(0, 1)
    painter = Painter({"all": 0.0})
    assert made(dark, plan(), Redo(), painter).note == {}
    assert len(painter.plans) == 1
    broken = Painter({"all": math.nan})
    with pytest.raises(StopRun):
        made(dark, plan(), Redo(reroll_patience=1), broken)


# Seeds and settings


@given(seed=st.integers(0, 2**64 - 1), frame=st.integers(0, 10**6), attempt=st.integers(1, 100))
def test_other_seeds_follow_from_the_frames_own(seed, frame, attempt):
    base = FramePlan(frame, seed, 0.5, 20, 7.0, 0.0, subseed=5)
    first = reseeded(base, "reroll", attempt)
    assert first == reseeded(base, "reroll", attempt)
    assert 0 <= first.seed < 2**32
    assert first.subseed == 5
    others = [reseeded(base, "reroll", attempt + 1), reseeded(base, "diffusion redo", attempt)]
    assert len({seed, first.seed, *(other.seed for other in others)}) == 4


def test_a_sub_seed_that_counts_in_full_does_not_keep_a_frame_as_it_was():
    base = plan(subseed=9, subseed_strength=1.0)
    subseeds = {reseeded(base, "reroll", attempt).subseed for attempt in range(1, 5)}
    assert len(subseeds | {9}) == 5


def test_only_what_shapes_pictures_tells_two_apart():
    assert Redo(reroll_patience=3).signature() == Redo(reroll_patience=50).signature()
    marks = [
        Redo(),
        Redo(diffusion_redo=1),
        Redo(optical_flow_redo_generation="dis"),
        Redo(reroll_blank_frames="ignore"),
    ]
    assert len({str(option.signature()) for option in marks}) == 4


def test_the_factor_has_bounds():
    options = Options().with_part(
        Redo(schedules={"redo_flow_factor_schedule": as_schedule("0:(0), 5:(10), 6:(12)", "")})
    )
    assert options.sample(6, 0, 15.0).at(4)[0]["redo_flow_factor_schedule"] == pytest.approx(8)
    with pytest.raises(FramedriftError, match="redo_flow_factor_schedule is 12 at frame 6"):
        options.sample(11, 0, 15.0)
    with pytest.raises(FramedriftError, match="two Redo nodes"):
        options.with_part(Redo())


@pytest.mark.parametrize("wrong", [{"optical_flow_redo_generation": "raft"}, {"reroll_blank_frames": "again"}])
def test_a_choice_that_is_none_is_named(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(FramedriftError, match=f"{name}: there is no '{value}'"):
        Redo(**wrong)


def test_what_is_made_can_not_be_changed():
    with pytest.raises(AttributeError):
        Made(waves(), plan()).note = {}
