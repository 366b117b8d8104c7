"""The forecast against scenes whose answer is known."""

import math

import numpy as np
import pytest
import torch

from framedrift.nodes.core.cadence.plan import diffused_frames
from framedrift.nodes.core.camera import Camera2D, Camera3D, simulation
from framedrift.nodes.core.camera.forecast import MOST_MAGNIFIED, MOST_MOTION, MOST_UNCOVERED, forecast
from framedrift.nodes.core.camera.forecast_view import SIZE, ForecastVideo, plot_forecast, report
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.warp import WarpSettings, warp

H, W, FOV = 90, 160, 60.0
FOCAL = H / 2 / math.tan(math.radians(FOV / 2))
SCENE = WarpSettings(near=1.0, far=9.0)


def space(num_frames, **schedules):
    given = {"translation_z": "0:(0)", "fov": f"0:({FOV})", **schedules}
    return Camera3D(**given).track(num_frames, 15.0, 0, (H, W))


def plane_2d(num_frames, size=(H, W), **schedules):
    return Camera2D(**{"zoom": "0:(1)", **schedules}).track(num_frames, 15.0, 0, size)


def picture(h=H, w=W):
    return torch.rand((1, 3, h, w), generator=torch.Generator().manual_seed(3))


def disparity_of(depth):
    """Disparity within SCENE's range of distances (h, w)."""
    depth = torch.as_tensor(depth, dtype=torch.float64)
    values = (1 / depth - 1 / SCENE.far) / (1 / SCENE.near - 1 / SCENE.far)
    return values.float()[None, None]


def flat(z):
    return disparity_of(torch.full((H, W), z))


def predicted(track, disparity=None, cadence=1, image=None, **given):
    image = picture() if image is None else image
    return forecast(image, disparity, track, diffused_frames(len(track), cadence), SCENE, **{"size": 160, **given})


def test_what_a_sideways_move_uncovers_beside_a_board_and_at_the_frames_edge():
    """Right of the board a strip of f t (1/near - 1/far), at the right edge one of f t / far."""
    board, wall, move = 2.0, 6.0, 0.4
    depth = torch.full((H, W), wall)
    depth[25:65, 60:100] = board
    found = predicted(space(2, translation_x=f"0:({200 * move})"), disparity_of(depth))
    beside = 40 * FOCAL * move * (1 / board - 1 / wall)
    edge = H * FOCAL * move / wall
    # Pixels are whole, and the rim of a hole goes with it: at most a pixel and a half along both edges.
    uncovered = found.steps[0].uncovered * H * W
    assert -0.5 * (40 + H) <= uncovered - (beside + edge) <= 1.5 * (40 + H)
    assert found.steps[0].uncovered == pytest.approx((beside + edge) / (H * W), abs=0.012)


def test_a_plane_pushed_into_is_magnified_as_its_distance_shrinks():
    """(z / (z - dz))^2 in every step: the distance of a step is what the steps before have left."""
    start, push = 4.0, 0.2
    found = predicted(space(6, translation_z=f"0:({200 * push})"), flat(start))
    for number, step in enumerate(found.steps):
        z = start - number * push
        assert step.magnification == pytest.approx([(z / (z - push)) ** 2] * 2, rel=2e-3)
        assert step.uncovered == 0


def test_a_plane_passed_by_moves_f_t_over_z():
    found = predicted(space(4, translation_x="0:(10)"), flat(3.0))
    for step in found.steps:
        assert step.motion == pytest.approx([100 * FOCAL * 0.05 / 3.0 / W] * 2, rel=1e-3)


def test_near_and_far_things_move_differently():
    """A tenth of the picture is near: the median is the wall's way, the 95th percentile the near thing's."""
    depth = torch.full((H, W), 6.0)
    depth[:, :16] = 2.0
    step = predicted(space(2, translation_x="0:(10)"), disparity_of(depth)).steps[0]
    assert step.motion == pytest.approx([100 * FOCAL * 0.05 / z / W for z in (6.0, 2.0)], rel=1e-3)


def test_a_yaw_moves_everything_as_the_lens_says_whatever_its_depth():
    c, s = math.cos(math.radians(2)), math.sin(math.radians(2))
    x, y = np.meshgrid(np.arange(W) - (W - 1) / 2, np.arange(H) - (H - 1) / 2)
    ahead = (x * s + FOCAL * c) / FOCAL
    away = np.hypot((x * c - FOCAL * s) / ahead - x, y / ahead - y)
    step = predicted(space(2, rotation_3d_y="0:(2)"), flat(5.0)).steps[0]
    assert step.motion == pytest.approx([100 * np.percentile(away, share) / W for share in (50, 95)], rel=1e-3)


def test_in_the_plane():
    zoomed = predicted(plane_2d(2, zoom="1.04")).steps[0]
    assert zoomed.magnification == pytest.approx((1.04**2, 1.04**2))
    shifted = predicted(plane_2d(2, translation_x="8", translation_y="-6")).steps[0]
    assert shifted.motion == pytest.approx((100 * 10 / W, 100 * 10 / W))
    assert shifted.uncovered == pytest.approx(1 - (W - 8) * (H - 6) / (W * H), abs=1e-6)


@pytest.mark.parametrize("size", [160, 80, 37])
def test_measures_are_those_of_the_full_size(size):
    large = picture(2 * H, 2 * W)
    track = plane_2d(3, (2 * H, 2 * W), translation_x="16", zoom="1.02", angle="1")
    full, small = (predicted(track, image=large, size=side) for side in (320, size))
    assert small.frames.size == (round(size * H / W), size)
    for a, b in zip(full.steps, small.steps, strict=True):
        assert b.motion == pytest.approx(a.motion, rel=0.06)
        assert b.magnification == pytest.approx(a.magnification, rel=1e-4)
        assert b.uncovered == pytest.approx(a.uncovered, abs=0.04)


@pytest.mark.parametrize("track", [space(5), plane_2d(5)], ids=["space", "plane"])
def test_a_camera_at_rest_asks_for_nothing(track):
    found = predicted(track, flat(3.0), cadence=2)
    assert [(step.source, step.target) for step in found.steps] == [(0, 2), (2, 4)]
    for step in found.steps:
        assert (step.uncovered, step.magnification, step.motion, step.off) == (0, (1, 1), (0, 0), ())
    assert torch.equal(found.frames[4], picture()[0].movedim(0, -1))
    assert report(found).startswith("Nothing is off the scale.")


def test_a_step_spans_the_cadence():
    track = space(10, translation_x="0:(10)")
    found = predicted(track, flat(3.0), cadence=4)
    assert [(step.source, step.target) for step in found.steps] == [(0, 4), (4, 8), (8, 9)]
    assert found.steps[0].motion[0] == pytest.approx(4 * found.steps[2].motion[0], rel=1e-3)


@pytest.mark.parametrize(
    ("track", "disparity", "kind"),
    [
        (plane_2d(30, zoom="0:(where(t<10,1,where(t<13,1.3,1)))"), None, "magnified"),
        (plane_2d(30, translation_x="0:(where(t<10,0,where(t<13,50,0)))"), None, "moved"),
        (plane_2d(30, translation_x="0:(where(t<10,0,where(t<13,50,0)))"), None, "uncovered"),
        (space(30, translation_z="0:(where(t<10,0,where(t<13,-300,0)))"), flat(2.0), "uncovered"),
        (space(30, rotation_3d_y="0:(where(t<10,0,where(t<13,170,0)))"), flat(2.0), "empty"),
    ],
    ids=["magnified", "moved", "uncovered", "pulled back", "turned round"],
)
def test_what_is_off_the_scale_is_marked_where_it_is(track, disparity, kind):
    found = predicted(track, disparity)
    off = [step.target for step in found.steps if kind in step.off]
    assert off == [10, 11, 12]
    assert [[step.target for step in run] for run in found.spans(kind)] == [[10, 11, 12]]
    assert "Frames 9 to 12:" in report(found)
    reds = marked(plot_forecast(found))
    left, right = (46 + (SIZE[1] - 14 - 46) * frame / 29 for frame in (9, 12))
    assert len(reds) and abs(reds.min() - left) < 3 and abs(reds.max() - right) < 3


def marked(plot):
    """The columns in which a whole stretch of the plot is red."""
    red = (plot[0, 0] - plot[0, 2] > 0.15) & (plot[0, 0] - plot[0, 1] > 0.15)
    return torch.nonzero(red.sum(0) > 25).flatten().double()


def test_a_camera_inside_of_things_is_said_to_be():
    """A board at 2.05 units is flown through after 410 Deforum units; past it to the side nothing is flown through."""
    depth = torch.full((H, W), 8.0)
    depth[35:55, 70:90] = 2.05
    through = predicted(space(14, translation_z="0:(50)"), disparity_of(depth))
    assert [run[0].target for run in through.spans("inside")] == [9]
    past = predicted(space(14, translation_z="0:(50)", translation_x="0:(20)"), disparity_of(depth))
    assert not past.spans("inside")


def test_limits_are_where_the_constants_say():
    just = plane_2d(2, zoom=str(math.sqrt(MOST_MAGNIFIED) * 0.999))
    over = plane_2d(2, zoom=str(math.sqrt(MOST_MAGNIFIED) * 1.001))
    assert "magnified" not in predicted(just).steps[0].off and "magnified" in predicted(over).steps[0].off
    for share, expected in ((0.99, False), (1.01, True)):
        move = plane_2d(2, translation_x=str(MOST_MOTION / 100 * W * share))
        assert ("moved" in predicted(move).steps[0].off) is expected
        rise = plane_2d(2, translation_y=str(MOST_UNCOVERED * H * (0.95 if share < 1 else 1.05)))
        assert ("uncovered" in predicted(rise).steps[0].off) is expected


def test_frames_are_the_same_in_any_order_and_moved_once_from_their_anchor():
    track = space(12, translation_z="0:(6)", translation_x="0:(4)")
    depth = torch.linspace(2, 8, W).expand(H, W)
    found = predicted(track, disparity_of(depth), cadence=3)
    frames = list(found.frames)
    assert len(frames) == 12 and frames[0].shape == (H, W, 3)
    for item in (11, 2, 7, 0, 5):
        assert torch.equal(found.frames[item], frames[item])
    expected = warp(picture(), track, 0, 2, disparity_of(depth), SCENE).image.clamp(0, 1)
    assert torch.equal(frames[2], expected[0].movedim(0, -1))


def test_a_long_preview_keeps_few_pictures_and_shows_the_same(monkeypatch):
    track = space(24, translation_x="0:(40)", rotation_3d_y="0:(4)")
    depth = disparity_of(torch.linspace(2, 8, W).expand(H, W))
    whole = predicted(track, depth)
    expected = list(whole.frames)
    monkeypatch.setattr(simulation, "_KEPT_BYTES", 4 * 4 * H * W * 4)
    little = predicted(track, depth)
    kept = little.frames._simulation
    assert len(kept.frames) > 8 and len(kept.kept) <= 5
    assert little.steps == whole.steps
    for item in (23, 3, 12, 13, 22, 0):
        assert torch.equal(little.frames[item], expected[item])


def test_the_deforum_projection_is_measured_by_its_own_grid():
    settings = WarpSettings(projection="deforum")
    track = space(3, translation_x="0:(10)")
    found = forecast(picture(), None, track, (0, 1, 2), settings, 160)
    # A flat scene lies at z = 1, and the picture's half width is 1 / tan(fov / 2) there.
    expected = 100 * 0.05 / math.tan(math.radians(FOV / 2)) / 2
    assert found.steps[0].motion == pytest.approx((expected, expected), rel=1e-3)


@pytest.mark.parametrize(
    ("image", "diffused", "words"),
    [
        (torch.zeros(2, 3, 8, 9), (0, 1), "one picture"),
        (torch.zeros(1, 3, 8, 9), (0, 5), "frame 5"),
        (torch.zeros(1, 3, 8, 9), (0, 2, 2), "ascend"),
        (torch.zeros(1, 3, 8, 9), (1, 2), "ascend"),
        (torch.zeros(1, 3, 8, 9), (), "ascend"),
    ],
)
def test_bad_input(image, diffused, words):
    with pytest.raises(FramedriftError, match=words):
        forecast(image, None, space(4), diffused)


def test_steps_are_counted_and_can_be_stopped():
    told = []
    predicted(space(7, translation_x="0:(1)"), cadence=2, on_step=told.append)
    assert told == [1, 2, 3]

    def stop(number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predicted(space(7, translation_x="0:(1)"), on_step=stop)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("shape", "track"),
    [
        ((1, 1), space(3, translation_z="0:(5)")),
        ((1, 400), space(3, translation_x="0:(5)")),
        ((300, 7), space(2, rotation_3d_z="0:(90)")),
        ((20, 30), space(1)),
        ((20, 30), space(3, translation_z="0:(1e6)")),
        ((20, 30), space(3, rotation_3d_y="0:(180)")),
        ((20, 30), plane_2d(3, (20, 30), zoom="1000")),
        ((20, 30), plane_2d(3, (20, 30), zoom="0.001")),
    ],
    ids=["one pixel", "a line", "a column", "one frame", "far away", "about face", "into a pixel", "out of sight"],
)
def test_odd_pictures_and_motions(shape, track):
    found = forecast(picture(*shape), torch.rand(1, 1, *shape), track, diffused_frames(len(track), 1))
    video = ForecastVideo(found)
    for frame in video:
        assert frame.shape == (*video.size, 3) and torch.isfinite(frame).all()
    assert video.size[0] % 2 == video.size[1] % 2 == 0
    assert report(found) and all(math.isfinite(value) for step in found.steps for value in step.motion)
    assert plot_forecast(found).shape == (1, 3, *SIZE)


def test_the_playhead_runs_along_the_plot_and_is_red_where_it_goes_wrong():
    found = predicted(plane_2d(30, translation_x="0:(where(t<10,0,where(t<13,50,0)))"))
    video = ForecastVideo(found)
    plain = torch.stack(list(video))[:, -190:]
    bare = plain.median(0).values
    places = [(frame - bare).abs().amax(-1).sum(0).argmax().item() for frame in plain]
    assert np.corrcoef(places, np.arange(30))[0, 1] > 0.9999 and places[29] - places[0] > 260
    heads = [plain[frame, 60, places[frame]] for frame in (3, 11, 25)]
    assert heads[1][0] - heads[1][2] > 0.3 and abs(heads[0][0] - heads[0][2]) < 0.1 > abs(heads[2][0] - heads[2][2])
    assert torch.equal(video[11][:90, 80:240], found.frames[11])
