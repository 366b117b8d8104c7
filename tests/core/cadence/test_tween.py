from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from framedrift.nodes.core.cadence import TweenedFrames, diffused_frames
from framedrift.nodes.core.cadence.tween import _and_on
from framedrift.nodes.core.camera import Camera2D, Camera3D, Track2D, Track3D
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.frames import BatchFrames
from framedrift.nodes.core.warp import WarpSettings, warp

SETTINGS = WarpSettings(near=1.0, far=50.0)
# What is warped once is read by splines.
ONCE = replace(SETTINGS, sampling="spline")
MOTIONS = {
    "sideways": {"translation": (0.04, 0.0, 0.0)},
    "dolly in": {"translation": (0.01, 0.0, 0.08)},
    "out, turning": {"translation": (0.0, 0.0, -0.08), "yaw_deg": 0.5},
}
MORE_MOTIONS = {
    "crane": {"translation": (0.0, -0.04, 0.0), "yaw_deg": 0.4},
    "roll": {"roll_deg": 1.0},
    "in, rolling": {"translation": (0.0, 0.0, 0.06), "roll_deg": 1.0},
}


@pytest.fixture(params=MOTIONS, ids=lambda name: name.replace(" ", "-"))
def motion(request):
    return request.param


@pytest.fixture
def moving(motion, make_scene):
    return make_scene(**MOTIONS[motion], num_frames=9)


def shot(scene, cadence=4, details=False, cuts=(), depth=True) -> BatchFrames:
    """What a sampler hands on: every fourth frame of the scene, its fine details drawn anew each time if wanted."""
    count = len(scene.views)
    kept = diffused_frames(count, cadence)
    return BatchFrames(
        torch.stack([scene.picture(frame, details=n + 1 if details else 0) for n, frame in enumerate(kept)]),
        indices=kept,
        num_frames=count,
        track=Track3D(scene.views, np.full(count, scene.fov_deg)),
        settings=SETTINGS,
        cuts=frozenset(cuts),
        disparities=torch.stack([scene.disparity(frame) for frame in kept]) if depth else None,
    )


class Counting(BatchFrames):
    """Counts what is read of it."""

    reads: list[int]

    def __getitem__(self, item):
        self.reads = [*getattr(self, "reads", []), item]
        return super().__getitem__(item)


def plain(pictures, indices, num_frames, kind=BatchFrames, **options) -> BatchFrames:
    return kind(pictures, indices=indices, num_frames=num_frames, **options)


def core(picture):
    return picture.permute(2, 0, 1)[None]


def moved(source, item, frame, scene=None):
    """One single warp, or, with the scene, one step at a time with the true depth of every frame."""
    start = source.indices[item]
    if scene is None:
        return warp(core(source[item]), source.track, start, frame, source.disparity(item)[None, None], ONCE)
    image, way = core(source[item]), 1 if frame > start else -1
    for at in range(start, frame, way):
        image = warp(image, source.track, at, at + way, scene.disparity(at)[None, None], SETTINGS).image
    return image


def tweens(source):
    """(frame, item before, item after, weight of the one after) of all tweens."""
    for item, (a, b) in enumerate(zip(source.indices, source.indices[1:], strict=False)):
        for frame in range(a + 1, b):
            yield frame, item, item + 1, (frame - a) / (b - a)


def test_every_frame_is_there_and_diffused_ones_are_unchanged(make_scene):
    source = shot(make_scene(translation=(0.02, 0, 0.05), num_frames=10))
    frames = TweenedFrames(source)
    assert len(frames) == frames.num_frames == 10
    assert frames.indices == tuple(range(10))
    assert (frames.fps, frames.size, frames.cuts) == (source.fps, source.size, source.cuts)
    assert frames.track is source.track
    for item, frame in enumerate(source.indices):
        assert torch.equal(frames[frame], source[item])
    assert torch.equal(frames[-1], source[-1])
    assert torch.equal(frames.disparity(4), source.disparity(1))
    assert frames.disparity(5) is None
    for picture in frames:
        assert picture.shape == source[0].shape
        assert picture.dtype == torch.float32
        assert 0 <= picture.min() <= picture.max() <= 1
    with pytest.raises(IndexError):
        frames[10]


@pytest.mark.parametrize("size", [(120, 160), (240, 320)], ids=["small", "larger"])
@pytest.mark.parametrize("motion", [*MOTIONS, *MORE_MOTIONS], ids=lambda name: name.replace(" ", "-"))
def test_the_error_is_at_most_half_that_of_blending_two_step_by_step_warps(motion, size, make_scene):
    """The chains are given the true depth of every frame, which nobody has."""
    moving = make_scene(**{**MOTIONS, **MORE_MOTIONS}[motion], num_frames=5, size=size)
    source = shot(moving)
    frames = TweenedFrames(source)
    once, stepwise = [], []
    for frame, before, after, weight in tweens(source):
        truth = moving.picture(frame)
        chained = torch.lerp(moved(source, before, frame, moving), moved(source, after, frame, moving), weight)
        once.append(float((frames[frame] - truth).abs().mean()))
        stepwise.append(float((chained - core(truth)).abs().mean()))
    assert np.mean(once) <= 0.5 * np.mean(stepwise)


def test_fine_detail_is_that_of_a_single_warp(moving):
    """Details differ between the neighbours: a plain dissolve would keep three quarters, or half, of their energy."""
    source = shot(moving, details=True)
    frames, dissolved = TweenedFrames(source), TweenedFrames(source, "linear")
    kept, plainly = [], []
    for frame, before, after, _ in tweens(source):
        a, b = moved(source, before, frame), moved(source, after, frame)
        # Silhouettes outshine texture, and near holes only one of the two has a say.
        seen = 1 - functional.max_pool2d(torch.maximum(a.holes, b.holes), 13, 1, 6)
        single = (fine_energy(a.image, seen) + fine_energy(b.image, seen)) / 2
        kept.append(fine_energy(core(frames[frame]), seen) / single)
        plainly.append(fine_energy(core(dissolved[frame]), seen) / single)
    assert np.mean(plainly) < 0.85
    assert min(kept) > 0.9


def fine_energy(image, seen):
    centre = image[..., 1:-1, 1:-1]
    around = image[..., :-2, 1:-1] + image[..., 2:, 1:-1] + image[..., 1:-1, :-2] + image[..., 1:-1, 2:]
    square = (4 * centre - around).square().mean(1, keepdim=True)
    shown = seen[..., 1:-1, 1:-1]
    strongest = square[shown > 0].quantile(0.97)
    return float((square.clamp(max=strongest) * shown).sum() / shown.sum())


@pytest.mark.parametrize("details", [False, True], ids=["same-details", "new-details"])
def test_nothing_jumps_at_diffused_frames(moving, details):
    frames = TweenedFrames(shot(moving, details=details))
    step = [float((frames[frame + 1] - frames[frame]).abs().mean()) for frame in range(8)]
    at_diffused = (step[3] + step[4]) / 2
    in_the_middle = np.mean([step[1], step[2], step[5], step[6]])
    assert at_diffused <= 1.2 * in_the_middle


def test_nothing_passes_a_cut(make_scene):
    scene = make_scene(translation=(0.05, 0, 0), num_frames=9)
    whole, cut = shot(scene, details=True), shot(scene, details=True, cuts=[4])
    frames, uncut = TweenedFrames(cut), TweenedFrames(whole)
    for frame in (1, 2, 3):
        assert torch.equal(core(frames[frame]), moved(cut, 0, frame).image.clamp(0, 1))
    for frame in (5, 6, 7):
        assert torch.equal(frames[frame], uncut[frame])


def test_a_cut_inside_a_gap_parts_it_there(make_scene):
    source = shot(make_scene(translation=(0.05, 0, 0), num_frames=9), details=True, cuts=[2])
    frames = TweenedFrames(source)
    assert torch.equal(core(frames[1]), moved(source, 0, 1).image.clamp(0, 1))
    assert torch.equal(core(frames[2]), moved(source, 1, 2).image.clamp(0, 1))


@pytest.mark.parametrize("blend", ["smooth", "linear", "nearest"])
def test_what_one_neighbour_cannot_see_comes_from_the_other(moving, blend):
    """The second picture is black, the first white: where one has a hole, the other shows, whole."""
    source = shot(moving)
    white = torch.zeros_like(torch.stack([source[0]] * 3))
    white[0] = 1
    disparities = torch.stack([source.disparity(item) for item in range(3)])
    options = {"track": source.track, "settings": SETTINGS, "disparities": disparities}
    frames = TweenedFrames(plain(white, source.indices, 9, **options), blend)
    holes = 0
    for frame in (1, 2, 3):
        a, b = moved(source, 0, frame).holes[0, 0] > 0, moved(source, 1, frame).holes[0, 0] > 0
        assert (frames[frame][b & ~a] > 0.98).all()
        assert (frames[frame][a & ~b] < 0.02).all()
        holes += int((a ^ b).sum())
    assert holes > 100


def test_the_edge_of_what_one_neighbour_sees_is_soft(make_scene):
    source = shot(make_scene(translation=(0.0, 0.0, 0.2), num_frames=5))
    white = torch.zeros(2, *source.size, 3)
    white[0] = 1
    disparities = torch.zeros(2, *source.size)
    settings = WarpSettings(near=1.0, far=4.0)
    options = {"track": source.track, "settings": settings, "disparities": disparities}
    tween = TweenedFrames(plain(white, (0, 4), 5, **options), "linear")[2][..., 0]
    line = tween[60]
    assert line[0] == pytest.approx(1, abs=1e-4)
    assert line[80] == pytest.approx(0.5, abs=1e-4)
    # The hole is 7 pixels wide, its fade five.
    assert line[:80].diff().abs().max() < 0.2


def test_equal_neighbours_give_the_same_picture():
    """Nothing moves and nothing differs: the contrast keeper has nothing to give back."""
    picture = torch.rand(1, 40, 56, 3, generator=torch.Generator().manual_seed(1))
    frames = TweenedFrames(plain(picture.expand(2, -1, -1, -1), (0, 3), 4))
    assert (frames[1] - picture[0]).abs().max() < 1e-6


def test_contrast_of_unrelated_details_is_kept():
    noise = 0.5 + 0.1 * torch.randn(2, 96, 128, 3, generator=torch.Generator().manual_seed(2))
    source = plain(noise.clamp(0, 1), (0, 2), 3)
    assert TweenedFrames(source, "linear")[1].std() < 0.75 * source[0].std()
    assert TweenedFrames(source)[1].std() == pytest.approx(float(source[0].std()), rel=0.06)


def test_opposite_details_are_not_blown_up():
    wave = 0.2 * torch.sin(torch.arange(64.0) * 1.3)[None, :, None].expand(48, 64, 3)
    tween = TweenedFrames(plain(torch.stack([0.5 + wave, 0.5 - wave]), (0, 2), 3))[1]
    assert (tween - 0.5).abs().max() < 1e-3


def test_without_a_camera_pictures_dissolve():
    pictures = torch.stack([torch.full((24, 32, 3), value) for value in (0.2, 0.8)])
    source = plain(pictures, (0, 4), 5)
    for blend, values in {"smooth": (0.35, 0.5, 0.65), "linear": (0.35, 0.5, 0.65), "nearest": (0.2, 0.2, 0.8)}.items():
        frames = TweenedFrames(source, blend)
        for frame, value in zip((1, 2, 3), values, strict=True):
            assert torch.allclose(frames[frame], torch.tensor(value), atol=1e-5)


def test_without_depth_the_picture_moves_as_a_plane(make_scene):
    source = shot(make_scene(translation=(0.02, 0, 0), num_frames=5), depth=False, cuts=[4])
    expected = warp(core(source[0]), source.track, 0, 2, None, ONCE).image
    assert torch.equal(core(TweenedFrames(source)[2]), expected.clamp(0, 1))


def test_a_2d_camera_needs_no_depth():
    shift = np.stack([np.array([[1, 0, 3 * frame], [0, 1, 0], [0, 0, 1]], dtype=float) for frame in range(5)])
    wide = torch.rand(40, 84, 3, generator=torch.Generator().manual_seed(3))
    views = [wide[:, 20 - 3 * frame : 80 - 3 * frame] for frame in range(5)]
    track = Track2D(shift, (40, 60))
    frames = TweenedFrames(plain(torch.stack([views[0], views[4]]), (0, 4), 5, track=track))
    for frame in (1, 2, 3):
        assert (frames[frame] - views[frame]).abs().max() < 0.01


def test_frames_beyond_the_ends_are_carried_on(make_scene):
    scene = make_scene(translation=(0.02, 0, 0), num_frames=6)
    whole = shot(scene, cadence=2)
    part = plain(
        torch.stack([whole[1], whole[2]]),
        (2, 4),
        6,
        track=whole.track,
        settings=SETTINGS,
        disparities=torch.stack([whole.disparity(1), whole.disparity(2)]),
    )
    frames = TweenedFrames(part)
    assert len(frames) == 6
    for frame, item in ((0, 0), (1, 0), (5, 1)):
        assert torch.equal(core(frames[frame]), moved(part, item, frame).image.clamp(0, 1))


def test_any_order_gives_the_same_frames_and_in_order_each_is_read_once():
    pictures = torch.rand(5, 24, 32, 3, generator=torch.Generator().manual_seed(4))
    source = plain(pictures, (0, 3, 6, 9, 10), 11, kind=Counting)
    frames = TweenedFrames(source)
    forward = list(frames)
    assert source.reads == [0, 1, 2, 3, 4]
    for frame in (7, 1, 10, 4, 4, 8, 0, 2):
        assert torch.equal(frames[frame], forward[frame])
    assert len(frames._pictures) <= 2

    source.reads = []
    backward = [frames[frame] for frame in reversed(range(11))][::-1]
    assert sorted(set(source.reads)) == [0, 1, 2, 3, 4]
    assert len(source.reads) <= 6
    assert all(torch.equal(a, b) for a, b in zip(forward, backward, strict=True))


def test_nothing_is_written_into_the_source(make_scene):
    source = shot(make_scene(translation=(0.02, 0, 0.05), num_frames=5))
    before = [source[item].clone() for item in range(len(source))]
    list(TweenedFrames(source))
    assert all(torch.equal(source[item], picture) for item, picture in enumerate(before))


def test_what_cannot_work_is_said():
    pictures = torch.zeros(2, 8, 8, 3)
    with pytest.raises(FramedriftError, match="empty"):
        TweenedFrames(BatchFrames(pictures[:0]))
    with pytest.raises(FramedriftError, match="smooth, linear, nearest"):
        TweenedFrames(BatchFrames(pictures), "cubic")
    short = Track3D(np.stack([np.eye(4)] * 3), np.full(3, 60.0))
    with pytest.raises(FramedriftError, match="3 frames, the animation 5"):
        TweenedFrames(plain(pictures, (0, 4), 5, track=short))


def test_a_frame_of_another_size_is_named():
    class Odd(BatchFrames):
        def __getitem__(self, item):
            picture = super().__getitem__(item)
            return picture[:6] if item == 1 else picture

    frames = TweenedFrames(plain(torch.zeros(3, 8, 10, 3), (0, 4, 8), 9, kind=Odd))
    assert frames[0].shape == (8, 10, 3)
    with pytest.raises(FramedriftError, match="frame 4 is 10x6, the others are 10x8"):
        frames[3]


class Ball:
    """A disc that crosses a wall by itself, while the camera may pass both: what no pose explains."""

    size = (160, 224)

    def __init__(self, speed=3.0, track=None):
        self.speed, self.track = speed, track

    def picture(self, frame):
        y, x = torch.meshgrid(torch.arange(160.0), torch.arange(224.0), indexing="ij")
        shift = 0.0 if self.track is None else float(self.track.step(0, frame)[0, 2])
        centre = 70 + self.speed * frame + shift
        inside = (30.5 - ((x - centre).square() + (y - 80).square()).sqrt()).clamp(0, 1)[..., None]
        wall, face = self.waves(x - shift, y, 1), self.waves(x - centre, y, 2)
        return wall + inside * (0.3 + 0.7 * face - wall)

    @staticmethod
    def waves(x, y, seed):
        """Twelve waves in as many directions: nothing that repeats."""
        rng = np.random.default_rng(seed)
        found = torch.full((*x.shape, 3), 0.5)
        for length in np.geomspace(9, 60, 12):
            angle, *phases = rng.uniform(0, 2 * np.pi, 4)
            along = 2 * np.pi / length * (x * np.cos(angle) + y * np.sin(angle))
            found += 0.07 * torch.stack([torch.sin(along + phase) for phase in phases], -1)
        return found


@pytest.mark.parametrize("flow", ["dis", "farneback"])
@pytest.mark.parametrize("moving_camera", [False, True])
def test_flow_takes_along_what_the_camera_does_not_move(flow, moving_camera):
    track = Camera2D(zoom="0:(1)", translation_x="0:(2)").track(5, 10.0, 0, Ball.size) if moving_camera else None
    ball = Ball(track=track)
    source = plain(torch.stack([ball.picture(0), ball.picture(4)]), (0, 4), 5, track=track, settings=WarpSettings())
    around = torch.zeros(Ball.size, dtype=torch.bool)
    around[45:115, 35:125] = True
    errors = {}
    for method in ("none", flow):
        frames = TweenedFrames(source, flow=method)
        errors[method] = np.mean(
            [float((frames[frame] - ball.picture(frame))[around].abs().mean()) for frame in (1, 2, 3)]
        )
    # Farneback's is softer, and knows silhouettes less well.
    assert errors[flow] < (0.5 if flow == "dis" else 0.8) * errors["none"]


def test_flow_leaves_alone_what_the_camera_explains(motion, make_scene):
    """With the true depth there is nothing left over, and a new drawing has no flow that could be trusted."""
    source = shot(make_scene(**MOTIONS[motion], num_frames=5))
    frames, plainly = TweenedFrames(source, flow="dis"), TweenedFrames(source)
    for frame in (1, 2, 3):
        assert float((frames[frame] - plainly[frame]).abs().mean()) < 0.004
    redrawn = shot(make_scene(**MOTIONS[motion], num_frames=5), details=True)
    frames, plainly = TweenedFrames(redrawn, flow="dis"), TweenedFrames(redrawn)
    assert float((frames[2] - plainly[2]).abs().mean()) < 0.02


def test_flow_is_the_same_in_any_order():
    ball = Ball()
    source = plain(torch.stack([ball.picture(frame) for frame in (0, 4, 8)]), (0, 4, 8), 9)
    once, again = TweenedFrames(source, flow="dis"), TweenedFrames(source, flow="dis")
    forward = [once[frame] for frame in range(9)]
    assert all(torch.equal(again[frame], forward[frame]) for frame in (7, 2, 5, 1, 6, 3))


def test_an_unknown_flow_is_named():
    with pytest.raises(FramedriftError, match=r"flow: there is no 'raft'; choose one of none, dis, farneback"):
        TweenedFrames(plain(torch.zeros(2, 8, 8, 3), (0, 2), 3), flow="raft")


def looping(frames=24, kept=(0, 4, 8, 12, 16), camera=None, size=(48, 64)):
    """Pictures that differ a little from one to the next, as redrawn ones do, and a camera."""
    generator = torch.Generator().manual_seed(5)
    base = functional.interpolate(torch.rand(1, 3, 12, 16, generator=generator), size=size, mode="bicubic")
    drawn = []
    for _ in kept:
        noise = functional.interpolate(torch.rand(1, 3, 12, 16, generator=generator) - 0.5, size=size, mode="bicubic")
        drawn.append((base + 0.3 * noise).clamp(0, 1)[0].permute(1, 2, 0))
    track = None if camera is None else camera.track(frames, 12.0, 0, size)
    return plain(torch.stack(drawn), kept, frames, track=track, settings=SETTINGS, loops=True)


LOOPS = {
    "still": None,
    "endless flight": Camera3D(translation_z="0:(2)"),
    "endless spiral": Camera2D(zoom="0:(1.005)", angle="0:(0.5)"),
    "round": Camera3D("0:(cos(2*pi*(t-0.5)/24))", "0:(sin(2*pi*(t-0.5)/24))", "0:(0)"),
}


@pytest.mark.parametrize("name", LOOPS)
def test_the_seam_of_a_loop_is_a_step_like_any_other(name):
    frames = TweenedFrames(looping(camera=LOOPS[name]))
    assert frames.loops
    assert len(frames) == 24
    middle = (slice(8, 40), slice(8, 56))
    steps = [float((frames[(frame + 1) % 24] - frames[frame])[middle].abs().mean()) for frame in range(23)]
    # An endless flight comes back to its first picture as it looks from where the camera is by then.
    first = frames._side(24, 23).image[0].permute(1, 2, 0) if name.startswith("endless") else frames[0]
    assert float((first - frames[23])[middle].abs().mean()) <= np.median(steps)


def test_a_camera_on_its_way_back_ends_where_it_began():
    frames = looping(camera=LOOPS["round"])
    track = _and_on(frames.track)
    assert np.array_equal(track.views[24], track.views[0])
    flight = _and_on(looping(camera=LOOPS["endless flight"]).track)
    np.testing.assert_allclose(flight.step(23, 24), flight.step(22, 23), atol=1e-12)


def test_without_a_loop_the_end_stays_the_end():
    source = looping()
    source.loops = False
    frames = TweenedFrames(source)
    assert torch.equal(frames[23], source[-1])


def test_the_edge_of_a_hole_does_not_show_where_a_loop_closes():
    """Going back from a dark picture to a bright one, each sees something that the other does not."""
    grey = torch.stack([torch.full((*Ball.size, 3), level) for level in (0.8, 0.2)])
    track = Camera2D(zoom="0:(1)", translation_x="0:(0), 3:(0), 4:(3)").track(12, 10.0, 0, Ball.size)
    frames = TweenedFrames(plain(grey, (0, 4), 12, track=track, settings=SETTINGS, loops=True))
    for frame in (6, 8, 10):
        picture = frames[frame]
        assert float(picture.std()) < 1e-3
        assert float(picture.mean()) == pytest.approx(0.2 + 0.6 * (frame - 4) / 8, abs=1e-3)
