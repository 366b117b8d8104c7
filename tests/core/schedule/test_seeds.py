"""Seeds against classic Deforum's, and the random ones' repeatability."""

import json
from pathlib import Path

import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.schedule import SEED_BEHAVIORS, parse_schedule, scheduled_seeds, seed_sequence

REFERENCE = json.loads((Path(__file__).parents[2] / "reference" / "seeds.json").read_text())


@pytest.mark.parametrize("case", REFERENCE)
def test_seeds_are_those_of_deforum(case):
    behavior, every = case.split("/")
    assert seed_sequence(behavior, 100, 24, int(every)) == REFERENCE[case]


def test_random_seeds_repeat_and_a_longer_run_begins_alike():
    before = torch.random.get_rng_state()
    drawn = seed_sequence("random", 7, 200)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert drawn == seed_sequence("random", 7, 200)
    assert drawn[:50] == seed_sequence("random", 7, 50)
    assert drawn != seed_sequence("random", 8, 200)
    assert drawn[0] == 7
    assert len(set(drawn)) == 200
    assert all(0 <= seed < 2**32 for seed in drawn)
    # Over the whole range, not its lower half.
    assert sum(seed > 2**31 for seed in drawn) in range(70, 131)


@pytest.mark.parametrize("behavior", SEED_BEHAVIORS)
def test_seeds_wrap_around_at_64_bits(behavior):
    seeds = seed_sequence(behavior, 2**64 - 1, 9)
    assert seeds[0] == 2**64 - 1
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert seed_sequence(behavior, 5, 0) == []


def test_iter_wraps_to_zero():
    assert seed_sequence("iter", 2**64 - 2, 4) == [2**64 - 2, 2**64 - 1, 0, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up", 1, 4), "seed_behavior.*fixed, iter"),
        (("iter", 1, 4, 0), "seed_iter_N"),
        (("iter", 1, -1), "at least 0"),
        (("schedule", 1, 3, 1, [1.0]), "seed_schedule gives 1 values.*3"),
        (("schedule", 1, 2, 1, [1.0, float("nan")]), "seed_schedule is nan.*frame 1"),
    ],
)
def test_bad_input(arguments, words):
    with pytest.raises(FramedriftError, match=words):
        seed_sequence(*arguments)


def test_scheduled_seeds_are_truncated_as_in_deforum():
    values = parse_schedule("0:(10), 4:(12), 5:(t*3.9)").sample(8).tolist()
    assert seed_sequence("schedule", 100, 8, values=values) == [10, 10, 11, 11, 12, 19, 23, 27]
    assert seed_sequence("schedule", 100, 2, values=[2.0**64 - 4096, 3.99]) == [2**64 - 4096, 3]


def test_a_scheduled_seed_below_0_is_drawn_and_can_be_drawn_again():
    text = '0:(s), 1:(-1), "max_f-2":(-1), "max_f-1":(s)'
    values = parse_schedule(text).sample(40, seed=77).tolist()
    seeds = seed_sequence("schedule", 77, 40, values=values)
    assert seeds == scheduled_seeds(values, 77, "seed")
    assert (seeds[0], seeds[38], seeds[39]) == (77, 77, 77)
    assert len(set(seeds[1:38])) == 37
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert seeds[1:38] != seed_sequence("schedule", 78, 40, values=values)[1:38]
    assert scheduled_seeds(values, 77, "subseed")[1:38] != seeds[1:38], "a sub-seed is another draw"
