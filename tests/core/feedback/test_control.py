"""What a ControlNet is shown, how it is brought to the animation's size, and what it is known by."""

import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import FramePlan, Options
from framedrift.nodes.core.feedback.control import Control, check_controls, controls_of
from framedrift.nodes.core.schedule import as_schedule

SIZE = (24, 40)
EVEN = {"weight": "0:(1)", "guidance_start": "0:(0)", "guidance_end": "0:(1)"}


def control(**given):
    texts = {name: given.pop(name, text) for name, text in EVEN.items()}
    schedules = {name: as_schedule(text, name) for name, text in texts.items()}
    return Control(**{"net": "net", "source": "previous frame"} | given, schedules=schedules)


def plans(options, num_frames):
    values = options.sample(num_frames, 0, 15.0)
    return [
        FramePlan(frame, 1, 0.5, 20, 7.0, 0.0, values=values.at(frame)[0], names=values.at(frame)[1])
        for frame in range(num_frames)
    ]


def stripes(height, width):
    """Red grows from left to right, green from top to bottom: (1, 3, h, w)."""
    red = (torch.arange(width) + 0.5).div(width).expand(height, width)
    green = (torch.arange(height) + 0.5).div(height)[:, None].expand(height, width)
    return torch.stack([red, green, torch.zeros(height, width)])[None]


class TestPictures:
    def test_a_still_is_resized_and_cut_evenly_at_the_sides(self):
        fitted = control(source="image", image=stripes(48, 160)).fitted(15.0, SIZE)
        picture = fitted.picture(7, None)
        assert picture.shape == (1, 3, *SIZE)
        # Half its size is 24x80: the middle half of its width is left.
        assert picture[0, 0, 12, 0] == pytest.approx(0.25, abs=0.02)
        assert picture[0, 0, 12, -1] == pytest.approx(0.75, abs=0.02)
        assert picture[0, 1, 0, 20] == pytest.approx(0.02, abs=0.02)
        assert fitted.length() is None

    def test_a_still_of_the_right_size_is_not_touched(self):
        still = stripes(*SIZE)
        assert torch.equal(control(source="image", image=still).fitted(15.0, SIZE).picture(0, None), still)

    def test_a_clip_is_shown_frame_by_frame_and_limits_the_animation(self):
        clip = torch.stack([torch.full((12, 20, 3), level) for level in (0.1, 0.4, 0.7)])
        given = control(source="video", clip=clip)
        assert given.length() is None
        fitted = given.fitted(15.0, SIZE)
        assert fitted.length() == 3
        levels = [fitted.picture(frame, None) for frame in range(3)]
        assert [picture.shape for picture in levels] == [(1, 3, *SIZE)] * 3
        assert [float(picture.mean()) for picture in levels] == pytest.approx([0.1, 0.4, 0.7], abs=1e-3)

    def test_a_clip_without_frames_is_refused(self):
        with pytest.raises(FramedriftError):
            control(source="video", clip=torch.zeros(0, 12, 20, 3)).fitted(15.0, SIZE)

    def test_the_previous_frame_is_what_it_was_given(self):
        before = stripes(*SIZE)
        assert control().fitted(15.0, SIZE).picture(4, before) is before
        assert control().picture(0, None) is None

    def test_an_unknown_source_is_refused(self):
        with pytest.raises(FramedriftError, match=r"^source: there is no 'film'"):
            control(source="film")


class TestSignature:
    def test_it_tells_pictures_clips_sources_and_nets_apart(self):
        still, clip = stripes(*SIZE), torch.rand(3, *SIZE, 3, generator=torch.Generator().manual_seed(1))
        given = [
            control(),
            control(origin={"class": "ControlNetLoader"}),
            control(source="image", image=still),
            control(source="image", image=1 - still),
            control(source="video", clip=clip),
            control(source="video", clip=clip.flip(0)),
        ]
        marks = [repr(one.fitted(15.0, SIZE).signature()) for one in given]
        assert len(set(marks)) == len(marks)
        again = control(source="image", image=still.clone()).fitted(15.0, SIZE)
        assert repr(again.signature()) == marks[2]

    def test_a_picture_that_the_source_does_not_use_leaves_no_trace(self):
        assert control(image=stripes(*SIZE)).signature() == control().signature()


class TestActing:
    def test_they_act_in_order_with_the_numbers_of_their_frame(self):
        before = stripes(*SIZE)
        chain = Options().with_part(control(net="a", weight="0:(0), 4:(1)", vae="vae"))
        chain = chain.with_part(control(net="b", guidance_start="0:(0.2)", guidance_end="0:(0.6)"))
        made = [controls_of(chain, plan, before) for plan in plans(chain, 5)]
        assert [[entry[0] for entry in acting] for acting in made] == [["b"], *[["a", "b"]] * 4]
        net, picture, *numbers, vae = made[2][0]
        assert (net, numbers, vae) == ("a", [0.5, 0.0, 1.0], "vae")
        assert picture is before
        assert made[2][1][2:5] == (1.0, 0.2, 0.6)

    def test_a_frame_without_a_past_goes_without_those_that_look_at_it(self):
        chain = Options().with_part(control(net="a")).with_part(control(net="b", source="image", image=stripes(*SIZE)))
        assert [entry[0] for entry in controls_of(chain, plans(chain, 1)[0], None)] == ["b"]

    def test_an_end_before_the_start_is_named_with_its_frame(self):
        chain = Options().with_part(control()).with_part(control(guidance_start="0:(0), 10:(1)", guidance_end="0.5"))
        with pytest.raises(FramedriftError, match=r"^cn_2_guidance_end is 0\.5 at frame 6, before cn_2_guidance_start"):
            check_controls(chain, plans(chain, 11))
        check_controls(chain, plans(chain, 11)[:6])

    def test_an_end_before_the_start_is_fine_where_it_does_not_act(self):
        chain = Options().with_part(control(weight="0", guidance_start="1", guidance_end="0"))
        check_controls(chain, plans(chain, 3))
