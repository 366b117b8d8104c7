import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.feedback.denoise import Diffusion, denoise_map, keep_untouched, plan_diffusion
from framedrift.nodes.core.feedback.plan import sampler_steps
from framedrift.nodes.core.feedback.stepwise import stepwise_mask


def flat(value: float, size=(32, 48)) -> torch.Tensor:
    return torch.full((1, 1, *size), value, dtype=torch.float64)


@pytest.mark.parametrize(
    ("denoise", "steps", "given_steps"), [(0.35, 20, 7), (0.01, 20, 1), (1.0, 20, 19), (0.5, 9, 4)]
)
def test_steps_count_as_in_deforum(denoise, steps, given_steps):
    assert sampler_steps(denoise, steps) == given_steps


def test_the_map_takes_the_frames_denoise_and_opens_holes():
    holes = flat(0.0)
    holes[..., :8] = 1
    found = denoise_map(holes, flat(1.0), 0.35)
    assert (found[..., :8] == 1).all()
    assert torch.allclose(found[..., 8:], flat(0.35)[..., 8:])
    assert (denoise_map(holes, flat(1.0), 0.35, hole_denoise=0.5)[..., :8] == 0.5).all()
    assert (denoise_map(holes, flat(1.0), 0.35, hole_denoise=0.0)[..., :8] == 0.35).all(), "never less than the rest"


def test_a_doubtful_hole_is_opened_as_far_as_it_is_one():
    holes = torch.tensor([0.0, 0.01, 0.2, 0.5, 0.8, 1.0]).view(1, 1, 1, 6)
    found = denoise_map(holes, torch.ones_like(holes), 0.3)
    assert found.flatten().tolist() == pytest.approx([0.3, 0.3, 0.3, 0.5, 0.8, 1.0])
    kept = denoise_map(holes, torch.ones_like(holes), 0.0, hole_denoise=0.5)
    assert kept.flatten().tolist() == pytest.approx([0.0, 0.0, 0.1, 0.25, 0.4, 0.5]), "noise in a flow opens nothing"


def test_magnified_places_are_diffused_more_up_to_a_bound():
    seen = [float(denoise_map(flat(0.0), flat(m), 0.1).max()) for m in (1.0, 1.05, 2.0, 4.0, 100.0)]
    assert seen == pytest.approx([0.1, 0.1, 0.3, 0.6, 0.6])


def test_nothing_to_do_is_none():
    assert plan_diffusion(denoise_map(flat(0.0), flat(1.0), 0.0), 20, 8) is None


def test_a_whole_frame_needs_no_mask():
    assert plan_diffusion(flat(0.35), 20, 8) == Diffusion(20, 7, None)


def test_full_steps_are_those_of_the_stock_sampler():
    assert plan_diffusion(flat(0.5), 20, 8, full_steps=True) == Diffusion(40, 20, None)
    # As 0.5+0.5*sin(2*3.14*t/20) is at frame 25.
    assert plan_diffusion(flat(4e-6), 20, 8, full_steps=True) == Diffusion(20_000, 20, None)


@given(st.floats(0.0, 1.0), st.integers(1, 60), st.booleans())
def test_every_pixel_gets_the_steps_of_its_own_denoise(base, steps, with_holes):
    denoise = flat(base)
    if with_holes:
        denoise[..., :16] = 1
    plan = plan_diffusion(denoise, steps, 8)
    if plan is None:
        assert base < 1e-6
        assert not with_holes
        return
    mask = plan.mask if plan.mask is not None else torch.ones(1, 1, 4, 6)
    sigmas = torch.linspace(10, 0, plan.steps + 1)
    taken = sum(stepwise_mask(sigma, mask, sigmas) for sigma in sigmas[:-1])
    assert int(taken[0, 0, 0, 5]) == (sampler_steps(base, steps) if base >= 1e-6 else 0)
    if with_holes:
        assert int(taken[0, 0, 0, 0]) == sampler_steps(1.0, steps)


@pytest.mark.parametrize(("columns", "steps"), [(1, 7), (2, 19), (5, 19)])
def test_a_cell_is_opened_by_a_quarter_of_its_pixels(columns, steps):
    holes = flat(0.0)
    holes[..., :columns] = 1
    plan = plan_diffusion(denoise_map(holes, flat(1.0), 0.35), 20, 8)
    assert plan.steps == steps, "a crack does not make the whole frame run all steps, an uncovered edge does"
    if columns > 1:
        assert float(plan.mask[..., 0].min()) == 1
        assert float(plan.mask[..., 1:].max()) == pytest.approx(7 / 19)


def test_pixels_that_no_step_touched_come_back_whole():
    image, diffused = torch.zeros(1, 3, 32, 48), torch.ones(1, 3, 32, 48)
    mask = torch.zeros(1, 1, 4, 6)
    mask[..., :2] = 1
    kept = keep_untouched(image, diffused, mask)
    assert (kept[..., :16] == 1).all()
    assert (kept[..., 24:] == 0).all()
    assert (kept.diff(dim=-1).abs() < 0.7).all(), "the seam is soft"
    assert keep_untouched(image, diffused, None) is diffused
