import numpy as np
import pytest

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback.plan import Schedules, plan_frames


def schedules(**changed):
    values = {"strength": 0.65, "steps": 20, "cfg": 7, "noise": 0.02} | changed
    return Schedules(**{k: np.broadcast_to(np.asarray(v, float), (5,)) for k, v in values.items()})


def test_a_plan_takes_the_values_at_its_own_frame():
    plans = plan_frames(
        [0, 2, 4], schedules(strength=[0, 0.1, 0.2, 0.3, 0.4]), [7, 8, 9], [("a", ""), ("b", "x"), ("c", "")]
    )
    assert [p.frame for p in plans] == [0, 2, 4]
    assert [p.strength for p in plans] == [0, 0.2, 0.4]
    assert [p.is_cut for p in plans] == [True, False, False]
    assert (plans[1].seed, plans[1].prompt, plans[1].negative) == (8, "b", "x")
    assert plans[1].denoise == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("name", "values"),
    [("strength", [0.5, 0.5, 1.2, 0.5, 0.5]), ("steps", [20, 20, 0, 20, 20]), ("cfg", [1, 1, -1, 1, 1])],
)
def test_values_out_of_bounds_name_schedule_frame_and_bounds(name, values):
    with pytest.raises(FramedriftError, match=rf"{name}.*frame 2.*between"):
        plan_frames([0], schedules(**{name: values}), [1], [("a", "")])


def test_nan_is_out_of_bounds():
    with pytest.raises(FramedriftError, match="frame 1"):
        plan_frames([0], schedules(noise=[0, np.nan, 0, 0, 0]), [1], [("a", "")])


def test_a_sub_seed_counts_where_it_has_strength():
    given = schedules(subseed_strength=[0, 0.5, 0.25, 0, 0])
    plans = plan_frames([0, 2], given, [7, 8], [("a", "")] * 2, [30, 31])
    assert [(p.subseed, p.subseed_strength) for p in plans] == [(0, 0.0), (31, 0.25)]
    assert plans[0] == plan_frames([0], schedules(), [7], [("a", "")])[0]
    with pytest.raises(FramedriftError, match=r"subseed_strength_schedule is 1.5 at frame 1.*between 0 and 1"):
        plan_frames([0], schedules(subseed_strength=[0, 1.5, 0, 0, 0]), [7], [("a", "")], [1])
