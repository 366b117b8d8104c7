"""The loop over real runs, cameras and depths; what is diffused is painted by a small deterministic diffuser."""

import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.depth.synthetic import SyntheticDepth
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import FramePlan, LoopSettings, Scene, animate
from framedrift.nodes.core.random import generator
from framedrift.nodes.core.run import RunStore, storable
from framedrift.nodes.core.video.frames import BatchFrames
from framedrift.nodes.core.warp import WarpSettings

SIZE = (40, 56)


class Painter:
    """Mixes coarse noise of the frame's seed into what it is given, by the share of steps, and only where it may."""

    cell = 8

    def __init__(self):
        self.calls = []

    def diffuse(self, image, plan, diffusion, previous):
        self.calls.append((plan.frame, diffusion))
        coarse = torch.rand(1, 3, 5, 7, generator=generator(plan.seed, 0, "paint"))
        paint = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bilinear")
        if image is None:
            return paint
        share = torch.full((1, 1, 5, 7), diffusion.steps / diffusion.total_steps)
        if diffusion.mask is not None:
            share = share * diffusion.mask
        return torch.lerp(image, paint, torch.nn.functional.interpolate(share, size=SIZE))


def plans(count=8, strength=0.65, cadence=1, **changed):
    return tuple(
        FramePlan(frame, 100 + n, strength, **({"steps": 20, "cfg": 7.0, "noise": 0.05} | changed))
        for n, frame in enumerate(range(0, count, cadence))
    )


FLIGHT = Camera3D(translation_z="0:(6)", translation_x="0:(4*sin(t/3))", rotation_3d_z="0:(0.7)")


def track(camera=FLIGHT, count=8):
    return camera.track(count, 15.0, 0, SIZE)


def pictures(path):
    return {p.name: p.read_bytes() for folder in ("frames", "depth") for p in sorted((path / folder).glob("*.png"))}


def make(
    root,
    frame_plans,
    *,
    painter=None,
    stop_after=None,
    run=None,
    camera=FLIGHT,
    depth=None,
    init=None,
    video=None,
    **settings,
):
    painter = painter or Painter()
    store = RunStore(root)
    moves = track(camera, frame_plans[-1].frame + 1) if camera is not None else None
    with store.open(run) if run is not None else store.create("test", {}, "mark") as opened:
        made = []
        scene = Scene(moves, depth, init, video)
        for frame in animate(opened, frame_plans, scene, painter, LoopSettings(**settings)):
            made.append(frame)
            if stop_after is not None and len(made) == stop_after:
                break
        return opened.path, made, painter


def test_a_kept_frame_is_the_same_in_every_bit_and_nothing_is_sampled(tmp_path):
    path, made, painter = make(tmp_path, plans(50, strength=1.0, noise=0.0), camera=None)
    assert len(made) == 50
    assert [frame for frame, _ in painter.calls] == [0]
    assert all(torch.equal(frame.image, made[0].image) for frame in made)
    assert len(pictures(path)) == 50
    with RunStore(tmp_path).open(path) as run:
        assert len({entry["sha256"] for entry in run.entries}) == 1


def test_noise_does_not_stay_where_no_step_takes_it_away(tmp_path):
    _, made, painter = make(tmp_path, plans(6, strength=1.0, noise=0.3), camera=None)
    assert [frame for frame, _ in painter.calls] == [0]
    assert all(torch.equal(frame.image, made[0].image) for frame in made)


def test_a_camera_at_rest_keeps_a_frame_too(tmp_path):
    still = Camera3D(translation_z="0:(0)")
    _, made, painter = make(tmp_path, plans(6, strength=1.0, noise=0.0), camera=still, depth=SyntheticDepth("ground"))
    assert [frame for frame, _ in painter.calls] == [0]
    assert all(torch.equal(frame.image, made[0].image) for frame in made)


@pytest.mark.parametrize("coherence", ["none", "lab"])
@pytest.mark.parametrize("camera", [FLIGHT, Camera2D(zoom="0:(1.03)", angle="0:(1)"), None], ids=["3d", "2d", "still"])
def test_a_broken_run_goes_on_bit_for_bit(tmp_path, camera, coherence):
    depth = SyntheticDepth("luminance") if camera is FLIGHT else None
    chosen = {"camera": camera, "depth": depth, "color_coherence": coherence}
    whole, _, _ = make(tmp_path / "whole", plans(), **chosen)
    for stop in (1, 4):
        path, _, first = make(tmp_path / f"broken{stop}", plans(), stop_after=stop, **chosen)
        _, rest, second = make(tmp_path / f"broken{stop}", plans(), run=path, **chosen)
        assert [frame.frame for frame in rest] == list(range(stop, 8))
        assert {f for f, _ in first.calls} & {f for f, _ in second.calls} == set(), "no frame is made twice"
        assert pictures(path) == pictures(whole)


def test_a_finished_run_makes_nothing(tmp_path):
    path, _, _ = make(tmp_path, plans())
    _, made, painter = make(tmp_path, plans(), run=path)
    assert made == []
    assert painter.calls == []


def test_a_cut_keeps_nothing_of_the_past(tmp_path):
    with_cut = tuple(p if p.frame != 4 else FramePlan(4, 104, 0.0, 20, 7.0, 0.0) for p in plans())
    path, made, painter = make(tmp_path, with_cut, color_coherence="lab", depth=SyntheticDepth("luminance"))
    diffusion = dict(painter.calls)[4]
    assert (diffusion.steps, diffusion.total_steps, diffusion.mask) == (20, 20, None)
    painted = Painter().diffuse(None, with_cut[4], diffusion, None)
    assert torch.equal(made[4].image, storable(painted)), "made from nothing"
    with RunStore(tmp_path).open(path) as run:
        assert run.frames().cuts == {4}


def test_an_init_image_starts_frame_0(tmp_path):
    init = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(3))
    _, made, painter = make(tmp_path, plans(3, strength=1.0, noise=0.0), camera=None, init=init)
    assert painter.calls == []
    assert torch.equal(made[0].image, storable(init))
    assert float((made[0].image - init).abs().max()) <= 0.51 / 65280
    _, made, painter = make(tmp_path, plans(3, strength=0.5, noise=0.0), camera=None, init=init)
    assert painter.calls[0][1].steps == 10
    assert 0 < float((made[0].image - init).abs().mean()) < 0.5


def test_holes_are_diffused_whole_and_the_rest_by_its_strength(tmp_path):
    sideways = Camera3D(translation_z="0:(0)", translation_x="0:(40)")
    _, _, painter = make(tmp_path, plans(2, noise=0.0), camera=sideways)
    diffusion = dict(painter.calls)[1]
    assert diffusion.steps == 19
    assert float(diffusion.mask[..., -1].min()) == 1, "the camera moves right: the right edge is new"
    assert float(diffusion.mask[..., 0].max()) == pytest.approx(7 / 19)


def test_pixels_that_are_no_numbers_stop_the_run_and_keep_what_is_there(tmp_path):
    class Broken(Painter):
        def diffuse(self, image, plan, diffusion, previous):
            made = super().diffuse(image, plan, diffusion, previous)
            return made * float("nan") if plan.frame == 3 else made

    with pytest.raises(FramedriftError, match=r"Frame 3 .*VAE"):
        make(tmp_path, plans(), painter=Broken())
    path = next(tmp_path.iterdir())
    assert len(list((path / "frames").iterdir())) == 3
    _, rest, _ = make(tmp_path, plans(), run=path)
    assert [frame.frame for frame in rest] == [3, 4, 5, 6, 7]


def test_the_journal_tells_how_each_frame_was_made(tmp_path):
    path, _, _ = make(tmp_path, plans(3))
    with RunStore(tmp_path).open(path) as run:
        entry = run.entries[2]
    assert entry["index"] == 2
    assert entry["seed"] == 102
    assert entry["denoise"] == pytest.approx(0.35)
    assert entry["camera"]["translation_z"] == 6
    assert len(entry["sha256"]) == 64


class Restless:
    """A depth model that gives every picture another scale and shift."""

    name, calibrated = "restless", False

    def __init__(self):
        self.calls = 0

    def signature(self):
        return self.name

    def disparity(self, image):
        self.calls += 1
        level = float(image.mean())
        return SyntheticDepth("ground").disparity(image) * (10 + 90 * level) - 20 * level


def test_the_depth_of_a_flight_stays_on_one_scale_and_resumes_bit_for_bit(tmp_path):
    """Over a floor without an end the truth is the same in every frame."""
    flight = Camera3D(translation_z="0:(20)")
    chosen = {"camera": flight, "warp": WarpSettings(near=1.0, far=1e4)}
    whole, _, _ = make(tmp_path / "whole", plans(), depth=Restless(), **chosen)
    path, _, _ = make(tmp_path / "broken", plans(), stop_after=3, depth=Restless(), **chosen)
    make(tmp_path / "broken", plans(), run=path, depth=Restless(), **chosen)
    assert pictures(path) == pictures(whole)
    with RunStore(tmp_path / "whole").open(whole) as run:
        frames = run.frames()
        disparities = [frames.disparity(item) for item in range(8)]
    assert all(float((found - disparities[0]).abs().max()) < 0.05 for found in disparities)


@pytest.mark.parametrize("camera", [Camera2D(zoom="0:(1.03)"), None], ids=["2d", "still"])
def test_no_depth_is_estimated_where_the_camera_has_no_use_for_it(tmp_path, camera):
    depth = Restless()
    path, made, _ = make(tmp_path / "with", plans(3), camera=camera, depth=depth)
    _, plain, _ = make(tmp_path / "without", plans(3), camera=camera)
    assert depth.calls == 0
    assert not list((path / "depth").glob("*.png"))
    assert all(torch.equal(a.image, b.image) for a, b in zip(made, plain, strict=True))


def clip(count=8):
    """A grey that grows by a twentieth a frame."""
    greys = torch.arange(count) / 20 + 0.1
    return BatchFrames(greys[:, None, None, None].expand(count, *SIZE, 3))


def test_a_clip_is_what_frames_start_from(tmp_path):
    """At strength 1 nothing is diffused: what comes out is what went in."""
    _, made, _ = make(tmp_path, plans(7, cadence=3, strength=1.0, noise=0.0), camera=None, video=clip())
    assert [round(float(frame.image.mean()), 3) for frame in made] == [0.1, 0.25, 0.4]
    _, made, _ = make(tmp_path, plans(7, cadence=3, strength=1.0, noise=0.0), camera=None, video=clip(), video_mix=0.5)
    assert [float(frame.image.mean()) for frame in made] == pytest.approx([0.1, 0.175, 0.2875])


def test_what_the_camera_uncovers_shows_the_clip(tmp_path):
    camera = Camera2D(zoom="0:(1)", translation_x="0:(9)")
    dark = BatchFrames(torch.cat([torch.zeros(1, *SIZE, 3), torch.ones(7, *SIZE, 3)]))
    _, made, _ = make(tmp_path, plans(2, strength=1.0, noise=0.0), camera=camera, video=dark, video_mix=0.25)
    picture = made[1].image[0, 0]
    assert (picture[:, :9] == 1).all()
    assert (picture[:, 10:] == 0.25).all()
