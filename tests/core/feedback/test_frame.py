"""One frame under options that have to do with each other; the diffuser notes what it is shown."""

import pytest
import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import FramePlan, LoopSettings, Options, Scene
from framedrift.nodes.core.feedback.coherence import Coherence
from framedrift.nodes.core.feedback.course import SCHEDULES
from framedrift.nodes.core.feedback.frame import FramePainter
from framedrift.nodes.core.feedback.guides import Guides, merged
from framedrift.nodes.core.feedback.hybrid import Hybrid
from framedrift.nodes.core.feedback.masks import Masks
from framedrift.nodes.core.feedback.redo import Redo
from framedrift.nodes.core.schedule import parse_schedule
from framedrift.nodes.core.video.frames import BatchFrames

SIZE = (16, 24)
ALPHA = {"hybrid_comp_alpha_schedule": 1.0, "hybrid_flow_factor_schedule": 1.0}
RED, GREEN, BLUE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def flat(color):
    return torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, *SIZE).contiguous()


def clip(color, count=8):
    return BatchFrames(flat(color).permute(0, 2, 3, 1).expand(count, *SIZE, 3))


def left_half():
    return (torch.arange(SIZE[1]) < SIZE[1] // 2).float().expand(1, 1, *SIZE).contiguous()


class Blue:
    cell = 8

    def __init__(self):
        self.previous = []

    def diffuse(self, image, plan, diffusion, previous):
        self.previous.append(previous)
        return flat(BLUE)


def plan(frame=3, strength=0.5, **values):
    return FramePlan(frame, 1, strength, 10, 5.0, 0.0, values=values)


def paint(frame_plan, *parts, image=None, source=None, diffuser=None, **scene):
    options = Options(parts).fitted(15.0, SIZE)
    painter = FramePainter(Scene(options=options, **scene), LoopSettings(), diffuser or Blue())
    return painter.paint(frame_plan, source, image if source is not None else painter.first_picture(), None).image


def hybrid(composite="after generation"):
    return Hybrid(video=clip(GREEN), composite=composite)


CUT = {"frame_plan": plan(3, 0.0, **ALPHA), "source": 2, "image": flat((0.5, 0.5, 0.5))}
FROM_NOTHING = {"frame_plan": plan(0, 0.5, **ALPHA)}


@pytest.mark.parametrize("at", [CUT, FROM_NOTHING], ids=["cut", "frame 0"])
def test_a_frame_from_nothing_gets_what_is_laid_over_every_finished_frame(at):
    assert torch.equal(paint(**at), flat(BLUE))
    assert torch.equal(paint(at["frame_plan"], hybrid(), **without_plan(at)), flat(GREEN)), "the video as it is"
    mask = Masks(still=left_half(), mask_overlay_blur=0.0)
    kept = paint(plan(at["frame_plan"].frame, 0.0), mask, init_image=flat(RED), **without_plan(at))
    assert torch.equal(kept, torch.lerp(flat(RED), flat(BLUE), left_half())), "what the mask keeps is the base's"


def without_plan(at):
    return {name: value for name, value in at.items() if name != "frame_plan"}


def test_a_video_before_the_diffusion_is_nothing_to_a_cut():
    assert torch.equal(paint(CUT["frame_plan"], hybrid("normal"), **without_plan(CUT)), flat(BLUE))


def guides(picture, frame=3):
    said = dict(zip(SCHEDULES, ("0:(0.5)", "0:(0)", "0:(2)", "0:(0.5)", "0:(1)"), strict=True))
    schedules = {name: parse_schedule(text, name) for name, text in said.items()}
    return Guides(schedules=schedules, images=picture, places=str(frame))


def is_grey(image):
    return float((image - image[:, :1]).abs().max()) < 1e-5


def test_grey_is_last_of_all():
    grey, start = Coherence(grayscale=True), {"source": 2, "image": flat(RED)}
    assert not is_grey(paint(plan(), guides(flat(GREEN)), course=course(guides(flat(GREEN))), **start))
    assert is_grey(paint(plan(), grey, guides(flat(GREEN)), course=course(guides(flat(GREEN))), **start)), "a guide's"
    assert is_grey(paint(plan(strength=1.0, **ALPHA), grey, hybrid(), **start)), "a video's over a kept frame"
    assert is_grey(paint(plan(), grey, Masks(still=left_half()), init_image=flat(GREEN), **start)), "an overlay's"
    assert is_grey(paint(plan(0, 0.0, **ALPHA), grey, hybrid())), "a first frame's"


def course(part):
    options = Options((part,))
    return merged(options, options.sample(8, 0, 15.0), 8, 0, 15.0)


def test_a_video_over_a_kept_frame_gets_its_colours_matched():
    matched = Coherence(match="rgb", reference="image", image=flat(RED))
    start = {"source": 2, "image": flat((0.2, 0.2, 0.2))}
    assert torch.allclose(paint(plan(strength=1.0, **ALPHA), matched, hybrid(), **start), flat(RED), atol=1e-3)


def test_the_previous_frame_is_shown_as_it_goes_into_this_one():
    """Its colours matched, grey here, and without noise; neither the first frame nor a cut has one."""
    diffuser = Blue()
    options = Coherence(grayscale=True), Redo(diffusion_redo=1, reroll_blank_frames="ignore")
    paint(plan(0), *options, init_image=flat(RED), diffuser=diffuser)
    paint(plan(3, 0.0), *options, source=2, image=flat(RED), diffuser=diffuser)
    assert diffuser.previous == [None, None]
    paint(FramePlan(4, 1, 0.5, 10, 5.0, 0.3), *options, source=3, image=flat(RED), diffuser=diffuser)
    assert len(diffuser.previous) == 4
    assert all(torch.allclose(found, flat((0.299,) * 3)) for found in diffuser.previous[2:])


@pytest.mark.parametrize("linked", ["init image", "clip"])
def test_what_is_linked_and_holds_no_numbers_is_not_blamed_on_the_vae(linked):
    diffuser, broken = Blue(), (float("nan"), 0.0, 0.0)
    scene = {"init_image": flat(broken)} if linked == "init image" else {"video": clip(broken)}
    with pytest.raises(FramedriftError, match=rf"^Frame 0 is to start from .*NaN.*{linked}"):
        paint(plan(0), Redo(), diffuser=diffuser, **scene)
    assert diffuser.previous == []


def test_a_clips_picture_is_read_once_a_frame():
    asked = []

    class Watched(BatchFrames):
        def __getitem__(self, item):
            asked.append(item)
            return super().__getitem__(item)

    video = Watched(flat(GREEN).permute(0, 2, 3, 1).expand(8, *SIZE, 3))
    paint(plan(), Masks(still=left_half()), video=video, source=2, image=flat(RED))
    assert asked == [3]


@pytest.mark.parametrize("channels", [1, 4])
def test_a_clip_may_be_grey_or_have_alpha(channels):
    video = BatchFrames(torch.full((8, *SIZE, channels), 0.25))
    assert torch.equal(paint(plan(strength=1.0), video=video, source=2, image=flat(RED)), flat((0.25,) * 3))


def test_the_noise_does_not_stay_where_a_broken_frame_is_left_out():
    class Broken(Blue):
        def diffuse(self, image, plan, diffusion, previous):
            return image * float("nan")

    noisy, ignore = FramePlan(4, 1, 0.5, 10, 5.0, 0.3), Redo(reroll_blank_frames="ignore")
    assert torch.equal(paint(noisy, ignore, source=3, image=flat(RED), diffuser=Broken()), flat(RED))
