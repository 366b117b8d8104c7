"""Shakes: about a place and never away from it, periodic, and of the character that their names promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera2D, Camera3D, Combined, intrinsics
from framedrift.nodes.core.camera.shake import KINDS, Shake, Shaken
from framedrift.nodes.core.camera.tremor import CHANNELS, TREMORS
from framedrift.nodes.core.errors import FramedriftError

SIZE = (90, 160)
TILT, YAW, ROLL = 3, 4, 5


def spectrum(offsets, fps):
    """Frequencies in Hz and the power of every channel at them."""
    return np.fft.rfftfreq(len(offsets), 1 / fps), np.abs(np.fft.rfft(offsets, axis=0)) ** 2


def share(offsets, fps, low, high):
    """Of a channel's power, the share between two frequencies."""
    hertz, power = spectrum(offsets, fps)
    return power[(hertz >= low) & (hertz <= high)].sum(0) / power.sum(0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fps", [7.5, 15.0, 24.0, 29.97, 60.0])
@pytest.mark.parametrize("frequency", [0.01, 0.3, 1, 1.37, 3.9, 20])
def test_no_drift_over_a_period(kind, fps, frequency):
    shake = Shake(kind, frequency=frequency, seed=5)
    period = shake.period(1, fps)
    offsets = shake.offsets(period + 7, fps)
    np.testing.assert_allclose(offsets[:period].mean(0), 0, atol=1e-12)
    np.testing.assert_array_equal(offsets[period:], offsets[:7])
    assert np.abs(offsets).max() > 0.003


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.floats(0.01, 20),
    st.floats(1, 120),
    st.integers(1, 200),
    st.integers(-(2**70), 2**70),
)
def test_any_loop_has_no_drift_and_stays_within_bounds(kind, frequency, fps, num_frames, seed):
    offsets = Shake(kind, 1, frequency, seed, loop=True).offsets(num_frames, fps)
    np.testing.assert_allclose(offsets.mean(0), 0, atol=1e-12)
    # Under half a cycle a frame, that alternating sign of which no frame shows the size.
    alternating = (-1.0) ** np.arange(num_frames)
    if num_frames % 2 == 0:
        np.testing.assert_allclose(alternating @ offsets / num_frames, 0, atol=1e-12)
    assert np.abs(offsets[:, :3]).max() < 0.5 and np.abs(offsets[:, 3:]).max() < 8


@pytest.mark.parametrize("kind", KINDS)
def test_too_fast_for_the_frames_trembles_and_does_not_sway(kind):
    """At 20 times its frequency an earthquake is at 60 to 160 Hz; sampled 24 times a second that could be anything."""
    offsets = Shake(kind, frequency=20).offsets(720, 24)
    natural = {"handheld": 0.12, "walking": 0.12, "vehicle": 0.4, "earthquake": 0.6}[kind] * 20
    slow = min(natural * 0.9, 24 / 4 * 0.9)
    # Bumps are knocks, with something of every frequency.
    allowed = 0.3 if kind == "vehicle" else 1e-9
    assert (share(offsets[:, TILT:], 24, 0, slow) <= allowed).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_frames", [1, 2, 3, 10, 61, 480])
def test_a_loop_closes_without_a_step_of_speed(kind, num_frames):
    shake = Shake(kind, seed=2, loop=True)
    assert shake.period(num_frames, 24.0) == num_frames
    offsets = shake.offsets(num_frames, 24.0)
    round_trip = np.concatenate([offsets, offsets[:2]])
    speeds = np.linalg.norm(np.diff(round_trip, axis=0), axis=1)
    jolts = np.linalg.norm(np.diff(round_trip, 2, axis=0), axis=1)
    if num_frames < 61:
        assert np.isfinite(offsets).all()
        return
    # Where it goes over into the next round it is no faster, and no more abrupt, than inside.
    assert speeds[num_frames - 1] <= speeds[: num_frames - 1].max()
    assert jolts[num_frames - 2 :].max() <= jolts[: num_frames - 2].max() * 1.05


def test_a_short_loop_is_smaller_and_not_faster():
    """Half a second has no room for a sway of seconds: it becomes as much smaller."""
    free, short = Shake(seed=4).offsets(720, 24.0), Shake(seed=4, loop=True).offsets(12, 24.0)
    speed = np.abs(np.diff(free[:, YAW])).mean()
    assert np.abs(np.diff(short[:, YAW])).mean() < 2 * speed
    assert short[:, YAW].std() < free[:, YAW].std() / 3


@pytest.mark.parametrize("kind", KINDS)
def test_as_tracks(kind):
    shake = Shake(kind, seed=9)
    path = shake.track(50, 15.0, 1, SIZE)
    np.testing.assert_array_equal(path.views[0], np.eye(4))
    np.testing.assert_array_equal(path.views, Shake(kind, seed=9).track(50, 15.0, 77, SIZE).views)
    np.testing.assert_array_equal(shake.track(500, 15.0, 1, SIZE).views[:50], path.views)
    assert np.abs(Shake(kind, seed=10).track(50, 15.0, 1, SIZE).views - path.views).max() > 1e-3
    turns = path.views[:, :3, :3]
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12)
    period = shake.period(50, 15.0)
    long = shake.track(period + 2, 15.0, 1, SIZE)
    np.testing.assert_allclose(long.views[period:], long.views[:2], atol=1e-12)


def test_amount_is_a_factor_and_nothing_is_rest():
    one, three = (Shake("walking", amount).offsets(99, 24.0) for amount in (1, 3))
    np.testing.assert_allclose(three, 3 * one, rtol=1e-12)
    assert Shake("earthquake", 0).track(20, 24.0, 0, SIZE).at_rest(0, 19)


def test_it_begins_near_its_place():
    """Otherwise the first frame would stand aside of what the shake is about."""
    for kind in KINDS:
        offsets = Shake(kind, seed=3).offsets(720, 24.0)
        assert (np.abs(offsets[0]) < offsets.std(0) + 1e-12).all()


def test_frequency_makes_it_faster_and_no_larger():
    slow, fast = (Shake("handheld", frequency=frequency).offsets(720, 24.0) for frequency in (1, 2))
    ratio = np.abs(np.diff(fast[:, YAW])).mean() / np.abs(np.diff(slow[:, YAW])).mean()
    assert 1.5 < ratio < 2.5
    np.testing.assert_allclose(fast.std(0), slow.std(0), rtol=1e-6)


def test_slowed_down_it_keeps_its_size_and_takes_longer_to_repeat():
    shake = Shake("handheld", frequency=0.1)
    assert (Shake().period(50, 24.0), Shake(frequency=3).period(50, 24.0)) == (720, 720)
    assert shake.period(50, 24.0) == 7200
    slow, plain = shake.offsets(7200, 24.0), Shake("handheld").offsets(720, 24.0)
    np.testing.assert_allclose(slow.std(0), plain.std(0), rtol=1e-6)
    assert np.abs(np.diff(slow[:, YAW])).mean() < 0.2 * np.abs(np.diff(plain[:, YAW])).mean()


def test_handheld_is_slow_and_mostly_turns():
    offsets = Shake("handheld").offsets(720, 24.0)
    size = offsets.std(0)
    assert 0.3 < math.hypot(*size[TILT:]) < 0.7
    assert (share(offsets, 24.0, 0.1, 1.4)[[TILT, YAW]] > 0.95).all()
    # The falling spectrum: each octave as strong as the next.
    low, high = share(offsets, 24.0, 0.12, 0.39)[YAW], share(offsets, 24.0, 0.4, 1.3)[YAW]
    assert 0.5 < low / high < 2
    # At two scene units turning moves the picture more than going does.
    assert math.radians(size[YAW]) > size[0] / 2 * 1.5


def test_walking_has_two_steps_a_second_and_leans_with_each():
    offsets = Shake("walking", seed=6).offsets(720, 24.0)
    hertz, power = spectrum(offsets, 24.0)
    peaks = dict(zip(CHANNELS, hertz[power.argmax(0)], strict=True))
    assert peaks["y"] == pytest.approx(2, abs=0.01) and peaks["tilt"] == pytest.approx(2, abs=0.01)
    assert peaks["x"] == pytest.approx(1, abs=0.01) and peaks["roll"] == pytest.approx(1, abs=0.01)
    # Highest when it has swayed to a side, lowest on the way to the other.
    x, y = offsets[:, 0], offsets[:, 1]
    assert np.corrcoef(x**2, y)[0, 1] > 0.5


def test_a_vehicle_vibrates_and_is_knocked():
    every = [Shake("vehicle", seed=seed).offsets(720, 24.0) for seed in range(6)]
    heights = np.stack([offsets[:, 1] / offsets[:, 1].std() for offsets in every])
    # Heavier tails than a normal distribution's 3, upwards above all.
    assert (heights**4).mean() > 4
    assert np.median(heights.max(1)) > 1.2 * np.median(-heights.min(1))
    for offsets in every:
        assert share(offsets, 24.0, 5, 12)[TILT] > 0.15


def test_an_earthquake_is_large_broad_and_fast():
    offsets = Shake("earthquake").offsets(720, 24.0)
    assert (share(offsets, 24.0, 2.9, 8.1)[TILT:] > 0.99).all()
    assert (offsets.std(0) > 2 * Shake("vehicle").offsets(720, 24.0).std(0)).all()


def test_every_channel_of_every_kind_is_one():
    for tremor in TREMORS.values():
        for part in (*tremor.bands, *tremor.tones, *tremor.bumps):
            assert part.channel in CHANNELS
    assert tuple(TREMORS) == KINDS


def test_on_a_camera_in_space_it_rides():
    base = Camera3D(3, 1, 5, 0.2, 0.4, 0.1, "0:(70), 20:(40)", "0:(1.5)")
    shake = Shake("walking", 2, seed=8, fov_deg=30)
    found = Shaken(base, shake).track(30, 15.0, 0, SIZE)
    expected = Combined(base, shake).track(30, 15.0, 0, SIZE)
    np.testing.assert_allclose(found.views, expected.views, atol=1e-12)
    np.testing.assert_array_equal(found.fov_deg, expected.fov_deg)
    np.testing.assert_array_equal(found.aspect, expected.aspect)


def test_in_the_plane_it_moves_the_picture_as_in_space():
    """What lies one scene unit ahead moves the same, as far as a flat picture can: turns are small, so nearly so."""
    shake = Shake("walking", 0.5, seed=8, fov_deg=50)
    flat = Shaken(Camera2D(0, 1, 0, 0), shake).track(40, 15.0, 0, SIZE)
    space = shake.track(40, 15.0, 0, SIZE)
    camera = intrinsics(50, SIZE)
    worst = 0.0
    for point in [(0.0, 0.0, 1.0, 1.0), (0.1, -0.2, 1.0, 1.0)]:
        start = camera @ point[:3]
        for frame in range(40):
            image = camera @ (space.step(0, frame) @ point)[:3]
            found = flat.step(0, frame) @ (start / start[2])
            worst = max(worst, float(np.abs(found[:2] - image[:2] / image[2]).max()))
            moved = np.abs(image[:2] / image[2] - start[:2] / start[2]).max()
    assert worst < 0.1
    assert moved > 0.3


def test_in_the_plane_it_starts_from_its_first_frame():
    """Seen from frame 0, which stands a little turned and aside itself."""
    shake = Shake("earthquake", 8, seed=4, fov_deg=40)
    path = shake.plane_track(12, 15.0, SIZE)
    focal, matrices = 45 / math.tan(math.radians(20)), []
    for right, up, forward, tilt, yaw, roll in shake.offsets(12, 15.0):
        shift = np.eye(3)
        shift[:2, 2] = -focal * (math.tan(math.radians(yaw)) + right), focal * (math.tan(math.radians(tilt)) + up)
        cosine, sine = math.cos(math.radians(roll)) / (1 - forward), math.sin(math.radians(roll)) / (1 - forward)
        middle = np.array([[1, 0, 80], [0, 1, 45], [0, 0, 1]])
        turn = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
        matrices.append(middle @ turn @ np.linalg.inv(middle) @ shift)
    for frame in range(12):
        np.testing.assert_allclose(path.matrices[frame], matrices[frame] @ np.linalg.inv(matrices[0]), atol=1e-9)


def test_in_the_plane_the_shake_comes_after_the_base():
    base = Camera2D("0:(2)", "0:(1.05)", "0:(3)", 0)
    shake = Shake("earthquake", seed=3)
    found = Shaken(base, shake).track(20, 15.0, 0, SIZE)
    alone, under = shake.plane_track(20, 15.0, SIZE), base.track(20, 15.0, 0, SIZE)
    np.testing.assert_array_equal(found.matrices[0], np.eye(3))
    assert found.size == SIZE
    for frame in range(20):
        np.testing.assert_allclose(found.matrices[frame], alone.step(0, frame) @ under.matrices[frame], atol=1e-9)
    assert set(found.values(3)) >= {"angle", "zoom", "translation_x", "translation_y"}


def test_in_the_plane_too_much_is_said():
    with pytest.raises(FramedriftError, match=r"amount: at frame \d+"):
        Shaken(Camera2D(), Shake("earthquake", 90)).track(60, 15.0, 0, SIZE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "boat"}, "kind: 'boat'"),
        ({"amount": math.inf}, "amount"),
        ({"frequency": 0}, "frequency: 0"),
        ({"frequency": math.nan}, "frequency"),
        ({"fov_deg": 0}, "fov"),
    ],
)
def test_what_is_no_shake(given, words):
    with pytest.raises(FramedriftError, match=words):
        Shake(**given)
    with pytest.raises(FramedriftError, match="num_frames: 0"):
        Shake().track(0, 15.0, 0, SIZE)


def test_texts_say_it_all():
    shake = {"shake": "vehicle", "amount": 2, "frequency": 1.0, "seed": 4, "loop": True, "fov_deg": 70.0}
    base = Camera3D()
    assert Shake("vehicle", 2, seed=4, loop=True).texts() == shake
    assert Shaken(base, Shake("vehicle", 2, seed=4, loop=True)).texts() == {**shake, "base": base.texts()}
