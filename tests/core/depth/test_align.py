"""One scale for a whole animation, whatever scale the model gives each frame."""

import math

import pytest
import torch

from framedrift.nodes.core.depth.align import DepthTracker
from framedrift.nodes.core.errors import FramedriftError

H, W = 120, 168


def scene() -> torch.Tensor:
    """A floor, waves and a disc: (1, 1, H, W), about 0..1."""
    y = torch.linspace(0, 1, H)[:, None].expand(H, W)
    x = torch.linspace(0, 1, W)[None].expand(H, W)
    d = 0.1 + 0.5 * (y - 0.4).clamp(min=0) + 0.15 * torch.sin(7 * x) * torch.cos(5 * y)
    return (d + 0.4 * ((x - 0.3) ** 2 + (y - 0.6) ** 2 < 0.03))[None, None]


def raws(count: int, noise=0.02, outliers=0.05, seed=3):
    """The scene as a restless model sees it: any scale and shift, noise, and wild pixels."""
    draw = torch.Generator().manual_seed(seed)
    clean = scene()
    span = float(clean.max() - clean.min())
    for _ in range(count):
        scale = 20.0 * math.exp(float(torch.rand(1, generator=draw)) * 2 - 1)
        shift = float(torch.rand(1, generator=draw)) * 6 - 3
        seen = clean + noise * span * torch.randn(clean.shape, generator=draw)
        wild = torch.rand(clean.shape, generator=draw) < outliers
        seen = seen.where(~wild, 3 * span * torch.rand(clean.shape, generator=draw) - span)
        yield scale, shift, seen * scale + shift


def test_first_frame_fills_the_range():
    d = DepthTracker(False).update(scene() * 37 - 5, None, None)
    assert d.shape == (1, 1, H, W)
    assert d.dtype == torch.float32
    assert 0.0 <= float(d.min()) < 0.02
    assert 0.98 < float(d.max()) <= 1.0


def test_first_frame_ignores_wild_pixels():
    raw = scene()
    raw[..., ::9, ::9] = 1e4
    assert torch.allclose(
        DepthTracker(False).update(raw)[..., 1:8, 1:8], DepthTracker(False).update(scene())[..., 1:8, 1:8], atol=0.02
    )


def test_any_scale_and_shift_gives_the_same_disparity():
    first = DepthTracker(False)
    d = first.update(scene())
    for scale, shift in ((3.0, 0.0), (0.01, 5.0), (400.0, -100.0)):
        again = first.update(scene() * scale + shift, d)
        assert (again - d).abs().max() < 2e-3


def test_300_frames_of_a_still_scene_do_not_drift():
    """The scale and shift of frame k are applied to the scene without its noise, and held against frame 0's."""
    tracker, last, truth = DepthTracker(False), None, None
    worst = 0.0
    for scale, shift, raw in raws(300):
        last = tracker.update(raw, last)
        state = tracker.state()
        aligned = (scene() * scale + shift) * state["scale"] + state["shift"]
        truth = aligned if truth is None else truth
        worst = max(worst, float((aligned - truth).abs().max()))
    contrast = float((aligned.max() - aligned.min()) / (truth.max() - truth.min()))
    assert worst < 0.02
    assert contrast == pytest.approx(1.0, abs=0.02)


def test_heavy_noise_neither_collapses_nor_runs_away():
    tracker, last = DepthTracker(False), None
    spans = []
    for _, _, raw in raws(120, noise=0.1, outliers=0.2):
        last = tracker.update(raw, last)
        spans.append(float(last.quantile(0.9) - last.quantile(0.1)))
    assert 0.7 < spans[-1] / spans[0] < 1.4


def test_moving_scene_keeps_its_scale():
    """The camera slides along a long scene; the predicted disparity is the last one, shifted, with a hole."""
    long = torch.sin(torch.arange(600) / 23.0) + 0.5 * torch.sin(torch.arange(600) / 7.0)
    long = (long[None, :] + torch.linspace(0, 2, H)[:, None])[None, None]
    tracker, last = DepthTracker(False), None
    draw = torch.Generator().manual_seed(1)
    ratios = []
    for k in range(80):
        view = long[..., 5 * k : 5 * k + W]
        valid = torch.ones_like(view)
        valid[..., -5:] = 0.0
        predicted = None if last is None else torch.cat([last[..., 5:], torch.zeros(1, 1, H, 5)], dim=-1)
        scale = 0.5 + float(torch.rand(1, generator=draw))
        last = tracker.update(view * scale, predicted, valid)
        ratios.append(float(tracker.state()["scale"]) * scale)
    assert max(ratios) / min(ratios) < 1.2


def test_an_object_that_comes_in_does_not_rescale_the_rest():
    tracker = DepthTracker(False)
    d = tracker.update(scene())
    nearer = scene()
    nearer[..., 20:60, 100:150] = 3.0
    out = tracker.update(nearer * 5 + 1, d)
    untouched = torch.ones(1, 1, H, W, dtype=torch.bool)
    untouched[..., 15:65, 95:155] = False
    assert (out - d)[untouched].abs().max() < 0.02
    assert float(out[..., 40, 120]) == 1.0


def test_holes_do_not_count():
    """Rubbish where the camera uncovered something, and `valid` says so."""
    tracker = DepthTracker(False)
    d = tracker.update(scene())
    predicted, valid = d.clone(), torch.ones_like(d)
    predicted[..., : W * 6 // 10] = 1.0 - predicted[..., : W * 6 // 10]
    valid[..., : W * 6 // 10] = 0.0
    out = tracker.update(scene() * 3 + 2, predicted, valid)
    assert (out - d).abs().max() < 0.02


def test_flat_frame_takes_the_last_scale():
    tracker = DepthTracker(False)
    d = tracker.update(scene())
    before = tracker.state()
    value = 0.37
    flat = tracker.update(torch.full((1, 1, H, W), value), d)
    assert tracker.state() == before
    expected = value * float(before["scale"]) + float(before["shift"])
    assert flat.flatten()[0].item() == pytest.approx(expected, abs=0.02)
    # And the animation goes on at the scale that it had.
    assert (tracker.update(scene(), flat) - d).abs().max() < 0.05


def test_flat_first_frame_waits_for_depth():
    tracker = DepthTracker(False)
    flat = tracker.update(torch.full((1, 1, H, W), 4.0))
    assert torch.equal(flat, torch.full((1, 1, H, W), 0.5))
    then = tracker.update(scene() * 9, flat)
    assert torch.allclose(then, DepthTracker(False).update(scene() * 9), atol=1e-6)


def test_a_bare_wall_stays_one():
    """After a scene with depth, a view with hardly any: it is not to be stretched till it has as much."""
    tracker = DepthTracker(False)
    d = tracker.update(scene())
    scale = float(tracker.state()["scale"])
    ripple = 0.3 + 0.06 * scene()
    last = ripple * scale + float(tracker.state()["shift"])
    for _ in range(60):
        last = tracker.update(ripple, last)
    assert float(tracker.state()["scale"]) == pytest.approx(scale, rel=0.05)
    assert float(last.max() - last.min()) < 0.1 * float(d.max() - d.min())


def test_unlike_frame_takes_the_last_scale():
    tracker = DepthTracker(False)
    tracker.update(scene())
    before = tracker.state()
    rubbish = torch.rand(1, 1, H, W, generator=torch.Generator().manual_seed(0))
    tracker.update(scene(), rubbish)
    assert tracker.state() == before


def test_a_cut_starts_anew():
    tracker = DepthTracker(False)
    d = tracker.update(scene())
    tracker.update(scene() * 3, d)
    other = torch.linspace(5, 9, H)[None, None, :, None].expand(1, 1, H, W)
    assert torch.equal(tracker.update(other), DepthTracker(False).update(other))


def test_resumed_frames_are_bit_identical(tmp_path):
    from safetensors.torch import load_file, save_file

    tracker, last, kept = DepthTracker(False), None, None
    frames = [raw for _, _, raw in raws(12)]
    expected = []
    for k, raw in enumerate(frames):
        last = tracker.update(raw, last)
        expected.append(last)
        if k == 5:
            save_file({**tracker.state(), "last": last}, tmp_path / "state.safetensors")
            kept = load_file(tmp_path / "state.safetensors")
    assert kept is not None
    assert all(kept[key].dtype == torch.float64 for key in tracker.state())
    again = DepthTracker(False)
    again.restore(kept)
    last = kept["last"]
    for k in range(6, 12):
        last = again.update(frames[k], last)
        assert torch.equal(last, expected[k])


def test_calibrated_passes_through_clamped():
    tracker = DepthTracker(True)
    raw = torch.tensor([[[[-0.5, 0.25], [0.75, 1.5]]]])
    assert torch.equal(tracker.update(raw, torch.rand(1, 1, 2, 2)), torch.tensor([[[[0.0, 0.25], [0.75, 1.0]]]]))


def test_inputs_stay_and_sizes_may_differ():
    raw, predicted, valid = scene(), torch.rand(1, 1, 60, 84), torch.ones(1, 1, 30, 42)
    copies = [t.clone() for t in (raw, predicted, valid)]
    out = DepthTracker(False).update(raw, predicted, valid)
    assert out.shape == raw.shape
    for tensor, copy in zip((raw, predicted, valid), copies, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 700), (1100, 5)])
def test_odd_sizes(size):
    tracker = DepthTracker(False)
    raw = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(2))
    for _ in range(2):
        out = tracker.update(raw, tracker.update(raw))
        assert out.shape == raw.shape
        assert torch.isfinite(out).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(bad):
    raw = scene()
    raw[0, 0, 3, 4] = bad
    with pytest.raises(FramedriftError, match="no numbers"):
        DepthTracker(False).update(raw)


def test_wrong_shape_and_state_are_refused():
    with pytest.raises(FramedriftError, match=r"\(1, 1, H, W\)"):
        DepthTracker(False).update(torch.zeros(2, 1, 4, 4))
    with pytest.raises(FramedriftError, match="shift"):
        DepthTracker(False).restore({"scale": torch.zeros(1, dtype=torch.float64)})
