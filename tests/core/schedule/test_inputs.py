"""Series and curves as schedules."""

import numpy as np
import pytest

from framedrift.nodes.core.schedule import ScheduleError, as_schedule, parse_schedule


class Series:
    """As much of a pandas series as counts here."""

    def __init__(self, values, index=None, with_numpy=True):
        self.values = np.asarray(values)
        self.index = np.arange(len(values)) if index is None else np.asarray(index)
        if with_numpy:
            self.to_numpy = lambda: self.values

    def sample(self, n):  # pandas picks rows at random
        raise AssertionError("a series is no schedule")


class Curve:
    """Answers as ComfyUI's CURVE does."""

    def __init__(self, points, function):
        self.points, self.function = points, function

    def interp_array(self, xs):
        return self.function(xs)


@pytest.mark.parametrize("with_numpy", [True, False])
def test_series(with_numpy):
    def sampled(*args):
        return as_schedule(Series(*args, with_numpy), "zoom").sample(5).tolist()

    assert sampled([1, 5, 2], None) == [1, 5, 2, 2, 2]
    assert sampled([1, 3], [0, 4]) == [1, 1.5, 2, 2.5, 3]
    assert sampled([1.0, np.nan, np.nan, 4.0, np.nan], None) == [1, 2, 3, 4, 4]


def test_a_camera_takes_a_series_for_one():
    from framedrift.nodes.core.camera import Camera3D

    camera = Camera3D(translation_z=Series([1, 3], [0, 4]))
    assert camera.track(5, 15.0, 0, (8, 8)).values(4)["translation_z"] == 3


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Series([np.nan]), "no number at all"),
        (Series([1.0, np.inf]), "frame 1 is not a finite number"),
        (Series(["a"]), "must have numbers"),
        (Series([1.0], [0.5]), "whole numbers"),
        (Series([[1.0]]), "table"),
        ({"points": [(0, "a")]}, "pairs of numbers"),
        ({"points": []}, "at least one point"),
        ({"points": [(0, 1)], "interpolation": "step"}, "linear, monotone_cubic"),
        (Curve([], lambda x: x * np.nan), "finite"),
    ],
)
def test_what_is_no_series_and_no_curve_is_refused(value, words):
    with pytest.raises(ScheduleError, match=f"^zoom.*{words}"):
        as_schedule(value, "zoom")


def test_a_curve_spans_the_animation():
    line = Curve([(0.0, 0.0), (0.3, 1.0), (1.0, 0.5)], lambda x: np.interp(x, [0, 0.3, 1], [0, 1, 0.5]))
    schedule = as_schedule(line, "zoom")
    assert (schedule.interpolation, len(schedule.keys)) == ("linear", 3)
    for length in (2, 7, 48, 1000):
        expected = line.interp_array(np.linspace(0, 1, length))
        np.testing.assert_allclose(schedule.sample(length), expected, atol=1e-6)
        np.testing.assert_allclose(parse_schedule(schedule.text).sample(length), expected, atol=1e-6)
    assert schedule.sample(1).tolist() == [0]


def test_points_as_the_page_sends_them():
    points = [[0, 0], [0.5, 1], [1, 0]]
    assert as_schedule({"points": points, "interpolation": "linear"}).sample(5).tolist() == [0, 0.5, 1, 0.5, 0]
    assert as_schedule({"points": points}).sample(5)[1] > 0.6


def test_a_curve_of_an_unknown_kind_is_read_by_its_values():
    wave = Curve([(0.0, 0.0), (1.0, 0.0)], lambda x: np.sin(9 * x))
    np.testing.assert_allclose(as_schedule(wave).sample(200), np.sin(9 * np.linspace(0, 1, 200)), atol=1e-4)
    step = Curve([(0, 0), (0.5, 0), (0.5, 1), (1, 1)], lambda x: (x >= 0.5) * 1.0)
    assert as_schedule(step).sample(5).tolist() == [0, 0, 1, 1, 1]
