"""Names over time that must exist, and what a plan's values make of one frame's sampling."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import FramePlan, Options
from framedrift.nodes.core.feedback.sampling import (
    CHECKPOINT,
    SAMPLER,
    Checkpoints,
    Lora,
    LoraStrength,
    Sampling,
    SamplingSchedules,
    check_names,
    key_of,
    loras_of,
    sampling_of,
    unknown,
)
from framedrift.nodes.core.schedule import ScheduleError, as_schedule, parse_string_schedule

KNOWN = ["euler", "euler_ancestral", "dpmpp_2m", "ddim"]


def names(text, name=SAMPLER):
    return parse_string_schedule(text, name)


def plan(values=None, scheduled=None):
    return FramePlan(3, 1, 0.5, 20, 7.0, 0.0, values=values or {}, names=scheduled or {})


class TestNames:
    @pytest.mark.parametrize("text", ["euler", '0:("ddim")', '0: ("euler"), 60: ("dpmpp_2m"),', "0: euler\n9: ddim"])
    def test_what_exists_passes(self, text):
        check_names(names(text), KNOWN, "sampler")

    def test_what_does_not_is_named_with_its_key_and_what_is_near(self):
        with pytest.raises(ScheduleError) as caught:
            check_names(names('0: ("euler"), 60: ("dpmp_2m")'), KNOWN, "sampler")
        assert str(caught.value) == "sampler_schedule, key 60: there is no sampler 'dpmp_2m'; near it: 'dpmpp_2m'"
        assert caught.value.key == "60"

    def test_a_key_beyond_the_end_counts_too_and_keys_are_as_they_were_written(self):
        with pytest.raises(ScheduleError, match=r"key max_f/2: there is no sampler 'zzz'; there are 'euler', "):
            check_names(names("0: euler, max_f/2: zzz"), KNOWN, "sampler")
        with pytest.raises(ScheduleError, match="key 5000:"):
            check_names(names("0: euler, 5000: zzz"), KNOWN, "sampler")

    def test_an_empty_name_passes_only_where_it_means_something(self):
        linked = names('0: (""), 60: ("a.safetensors")', CHECKPOINT)
        check_names(linked, ["", "a.safetensors"], "checkpoint")
        with pytest.raises(ScheduleError, match="key 0: there is no checkpoint ''"):
            check_names(linked, ["a.safetensors"], "checkpoint")

    @pytest.mark.parametrize(
        ("asked", "meant"),
        [
            ("Model1.ckpt", "sd/model1.safetensors"),
            ("model1", "sd/model1.safetensors"),
            ("painting.safetensor", "painting.safetensors"),
        ],
    )
    def test_folder_ending_and_case_do_not_hide_what_is_meant(self, asked, meant):
        assert meant in unknown(asked, ["sd/model1.safetensors", "painting.safetensors"], "checkpoint")

    def test_a_folder_of_hundreds_is_not_listed_whole(self):
        said = unknown("zzz", [f"a{n}" for n in range(300)], "checkpoint")
        assert "(300 in all)" in said and len(said) < 400
        assert unknown("a", [""], "checkpoint").endswith("there are no checkpoints at all")

    @given(st.lists(st.text(string.ascii_letters + string.digits + "_./ ", max_size=12), max_size=8), st.text())
    def test_whatever_is_asked_there_is_a_sentence(self, known, asked):
        said = unknown(asked, known, "LoRA")
        assert said.startswith(f"there is no LoRA {asked!r}; ")
        assert len(said) < 2000 + len(asked) * 6

    def test_the_key_of_a_name_is_its_first(self):
        schedule = names('0: ("b"), 4.5s: ("a"), 60: ("a")', CHECKPOINT)
        assert key_of(schedule, "a") == "4.5s"
        assert key_of(schedule, "c") == ""


class TestOptions:
    def test_what_is_not_scheduled_is_the_samplers_own(self):
        assert sampling_of(plan(), "euler", "normal") == Sampling("euler", "normal")

    def test_what_is_scheduled_takes_its_place(self):
        values = {"eta_schedule": 0.0, "distilled_cfg_scale_schedule": 3.5, "clipskip_schedule": 2.9}
        scheduled = {"sampler_schedule": "ddim", "scheduler_schedule": "karras"}
        asked = sampling_of(plan(values, scheduled), "euler", "normal")
        assert asked == Sampling("ddim", "karras", eta=0.0, guidance=3.5, clip_skip=2)

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("eta_schedule", "0:(0), 4:(-1)", "eta_schedule is -0.25 at frame 1"),
            ("clipskip_schedule", "0:(1), 2:(20)", "clipskip_schedule is 20 at frame 2"),
            ("distilled_cfg_scale_schedule", "101", "distilled_cfg_scale_schedule is 101 at frame 0"),
        ],
    )
    def test_out_of_bounds_names_schedule_and_frame(self, name, text, said):
        chain = Options().with_part(SamplingSchedules(schedules={name: as_schedule(text, name)}))
        with pytest.raises(FramedriftError, match="^" + said):
            chain.sample(5, 0, 15.0)

    def test_only_one_of_each_but_any_number_of_loras(self):
        chain = Options().with_part(Checkpoints()).with_part(SamplingSchedules())
        for again in (Checkpoints(), SamplingSchedules()):
            with pytest.raises(FramedriftError, match=f"there are two {again.TITLE} nodes"):
                chain.with_part(again)
        for name in ("a", "b"):
            chain = chain.with_part(Lora(lora_name=name, schedules={"strength": as_schedule("1", "strength")}))
        assert list(chain.texts()) == ["lora_1_strength", "lora_2_strength"]
        assert chain.signature()[-1] != chain.signature()[-2]

    def test_loras_act_in_order_with_their_strengths(self):
        both = {"strength": as_schedule("1", "s"), "clip_strength": as_schedule("1", "c")}
        chain = Options().with_part(Lora(lora_name="a", schedules={"strength": as_schedule("1", "s")}))
        chain = chain.with_part(Lora(lora_name="b", schedules=both)).with_part(Lora(lora_name="c", schedules=both))
        values = {"lora_1_strength": 0.5, "lora_2_strength": 0.0, "lora_2_clip_strength": 0.25}
        values |= {"lora_3_strength": 0.0, "lora_3_clip_strength": 0.0}
        found = loras_of(chain, plan(values))
        assert found == (LoraStrength("a", 0.5, 0.5), LoraStrength("b", 0.0, 0.25))
        assert loras_of(Options(), plan(values)) == ()
