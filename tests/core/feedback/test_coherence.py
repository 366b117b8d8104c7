import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from safetensors.torch import load, save

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.feedback import FramePlan, Options
from framedrift.nodes.core.feedback.adjust import contrast, grayscale, unsharp
from framedrift.nodes.core.feedback.anchor import color_statistics, moved_anchor, pulled
from framedrift.nodes.core.feedback.coherence import REFERENCES, Coherence, ColorKeeper
from framedrift.nodes.core.feedback.matching import color_quantiles, match_colors
from framedrift.nodes.core.feedback.palettes import PaletteSchedule, parse_palettes, read_colors
from framedrift.nodes.core.feedback.tables import QUANTILES
from framedrift.nodes.core.schedule import parse_schedule

lab_quantiles, match_lab = partial(color_quantiles, space="lab"), partial(match_colors, space="lab")


def picture(seed: int, low: float = 0.0, high: float = 1.0, size=(48, 64)) -> torch.Tensor:
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))
    return low + (high - low) * noise


def test_a_picture_matched_to_itself_stays():
    image = picture(1)
    assert (match_lab(image, lab_quantiles(image)) - image).abs().max() < 2e-3


def test_a_flat_picture_stays_flat_and_takes_the_reference_colour():
    reference = torch.full((1, 3, 48, 64), 0.5)
    reference[:, 0] = 0.8
    matched = match_lab(torch.full((1, 3, 48, 64), 0.2), lab_quantiles(reference))
    assert (matched - reference).abs().max() < 2e-3


def test_the_colours_become_those_of_the_reference():
    dark, bright = picture(2, 0.1, 0.3), picture(3, 0.6, 0.9)
    matched = match_lab(dark, lab_quantiles(bright))
    assert abs(float(matched.mean() - bright.mean())) < 0.01
    assert abs(float(matched.std() - bright.std())) < 0.01


def test_the_order_of_lightness_is_kept():
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 48, 64)
    matched = match_lab(ramp, lab_quantiles(picture(4, 0.2, 0.6)))
    steps = matched[0, :, 10].mean(0).diff()
    assert steps.min() >= -1e-4


def test_holes_do_not_count():
    image = picture(5, 0.4, 0.6)
    holed = image.clone()
    holes = torch.zeros(1, 1, 48, 64)
    holes[..., 32:] = 1
    holed[..., 32:] = 0
    reference = lab_quantiles(image)
    assert (match_lab(holed, reference, ignore=holes) - image)[..., :32].abs().max() < 0.02
    assert (match_lab(holed, reference) - image)[..., :32].abs().max() > 0.05


def test_a_reference_is_small_and_ascending():
    table = lab_quantiles(picture(6))
    assert table.shape == (3, QUANTILES)
    assert (table.diff(dim=1) >= 0).all()


def test_inputs_are_not_written():
    image, reference = picture(7), lab_quantiles(picture(8))
    before, table = image.clone(), reference.clone()
    match_lab(image, reference)
    assert torch.equal(image, before)
    assert torch.equal(reference, table)


PALETTE = "0: #204060 #e0b080, 20: #102030 #80ffcc"


def plan(frame: int, names=None, **values) -> FramePlan:
    return FramePlan(frame, 1, 0.6, 10, 5.0, 0.0, values=values, names=names or {})


def coherence(reference: str = "frame 0", match: str = "lab", **options) -> Coherence:
    if reference == "image":
        options.setdefault("image", picture(90, 0.2, 0.5))
    if reference == "video":
        clip = torch.cat([picture(seed, 0.05 * seed, 0.05 * seed + 0.3) for seed in range(6)])
        options.setdefault("clip", clip.permute(0, 2, 3, 1))
    return Coherence(match=match, reference=reference, **options).fitted(15.0, (48, 64))


def kept(keeper: ColorKeeper, frames: range, names=None) -> list[torch.Tensor]:
    """Frames as a loop makes them, the diffusion being noise with a drift of its own."""
    made = []
    for frame in frames:
        image = picture(frame, 0.1 + 0.02 * frame, 0.6 + 0.03 * frame)
        if frame:
            image = keeper.prepared(image, None, plan(frame, names))
        image = keeper.finished(image * 0.95, plan(frame, names))
        keeper.learn(image, frame)
        made.append(image)
    return made


def mean(image: torch.Tensor) -> float:
    return float(image.mean())


def test_without_any_option_nothing_changes():
    keeper, image = ColorKeeper(Coherence()), picture(9)
    assert keeper.prepared(image, None, plan(1)) is image
    assert keeper.finished(image, plan(1)) is image
    keeper.learn(image, 1)
    assert keeper.state() == {}


@pytest.mark.parametrize("match", ["rgb", "hsv", "lab"])
def test_frame_0_and_after_a_cut_the_frame_at_it(match):
    keeper = ColorKeeper(coherence(match=match))
    first, second, third = picture(10, 0.1, 0.3), picture(11, 0.5, 0.9), picture(12, 0.3, 0.4)
    assert keeper.finished(first, plan(0)) is first, "there is nothing yet to be matched to"
    keeper.learn(first, 0)
    wanted = match_colors(second, color_quantiles(first, match), match)
    assert torch.equal(keeper.prepared(second, None, plan(1)), wanted)
    assert torch.equal(keeper.finished(second, plan(1)), wanted)
    keeper.learn(second, 1)
    assert torch.equal(keeper.finished(third, plan(2)), match_colors(third, color_quantiles(first, match), match))
    keeper.forget()
    assert keeper.finished(third, plan(3)) is third
    keeper.learn(third, 3)
    assert torch.equal(keeper.finished(second, plan(4)), match_colors(second, color_quantiles(third, match), match))


def test_the_previous_frame():
    keeper = ColorKeeper(coherence("previous frame"))
    for frame in (13, 14):
        keeper.learn(picture(frame, 0.05 * (frame - 12), 0.5), frame)
    wanted = match_lab(picture(15), lab_quantiles(picture(14, 0.1, 0.5)))
    assert torch.equal(keeper.finished(picture(15), plan(15)), wanted)


def test_an_image_counts_from_the_first_frame_on_and_whatever_was_cut():
    keeper, image = ColorKeeper(coherence("image")), picture(16)
    wanted = match_lab(image, lab_quantiles(picture(90, 0.2, 0.5)))
    assert torch.equal(keeper.finished(image, plan(0)), wanted)
    keeper.learn(wanted, 0)
    keeper.forget()
    assert keeper.state() == {}
    assert torch.equal(keeper.finished(image, plan(1)), wanted)


def test_a_video_every_so_many_frames():
    keeper = ColorKeeper(coherence("video", every_n_frames=2))
    matched = {frame: keeper.finished(picture(17), plan(frame)) for frame in (0, 1, 2, 5, 40, 3)}
    for frame, item in {0: 0, 1: 0, 2: 2, 3: 2, 5: 4, 40: 5}.items():
        wanted = match_lab(picture(17), lab_quantiles(picture(item, 0.05 * item, 0.05 * item + 0.3)))
        assert torch.equal(matched[frame], wanted), frame
    assert coherence("video").length() is None, "a clip that is shorter shortens nothing"


def test_holes_do_not_count_before_a_frame_is_diffused():
    keeper, image = ColorKeeper(coherence()), picture(18, 0.3, 0.6)
    keeper.learn(image, 0)
    holes = torch.zeros(1, 1, 48, 64)
    holes[..., 40:] = 1
    image[..., 40:] = 0.99
    found = keeper.prepared(image, holes, plan(1))
    assert torch.equal(found, match_lab(image, lab_quantiles(picture(18, 0.3, 0.6)), ignore=holes))
    assert (found - image)[..., :40].abs().max() < 0.03


def test_the_slow_anchor_takes_the_place_of_matching_and_acts_after_the_diffusion():
    keeper = ColorKeeper(coherence("slow anchor"))
    first, second = picture(19, 0.3, 0.6), picture(20, 0.2, 0.8)
    assert keeper.finished(first, plan(0)) is first
    keeper.learn(first, 0)
    assert keeper.prepared(second, None, plan(1)) is second
    assert torch.equal(keeper.finished(second, plan(1)), pulled(second, color_statistics(first)))
    keeper.learn(second, 1)
    assert torch.equal(keeper.finished(second, plan(9)), pulled(second, color_statistics(first))), "it stays"
    keeper.forget()
    assert keeper.finished(first, plan(10)) is first


def test_the_anchor_moves_with_the_frames_to_the_palette():
    keeper = ColorKeeper(coherence("slow anchor", names={"palette": parse_palettes(PALETTE)}))
    texts = parse_palettes(PALETTE).sample(30)
    image = picture(21, 0.3, 0.6)
    keeper.learn(image, 4)
    anchor = color_statistics(image)
    for before, frame in ((4, 5), (5, 8), (8, 25)):
        anchor = moved_anchor(anchor, read_colors(texts[frame]), frame - before)
        for _ in range(2):
            found = keeper.finished(image, plan(frame, {"palette": texts[frame]}))
            assert torch.equal(found, pulled(image, anchor)), "asked for again, it is where it was"
        keeper.learn(found, frame)


def test_a_palette_is_reached():
    keeper = ColorKeeper(coherence("slow anchor", names={"palette": parse_palettes("#203040 #a0b0c0")}))
    names = {"palette": "#203040 #a0b0c0"}
    image = picture(22, 0.6, 1.0)
    keeper.learn(image, 0)
    for frame in range(1, 400):
        image = keeper.finished(image, plan(frame, names))
    wanted = torch.tensor([[0x60, 0x70, 0x80], [128 / 12**0.5] * 3], dtype=torch.float64) / 255
    # What is below black is cut off, which takes a little of the spread.
    assert (color_statistics(image) - wanted).abs().max() < 0.03


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("match", ["rgb", "hsv", "lab"])
def test_a_run_goes_on_bit_for_bit(reference, match):
    option = coherence(reference, match, names={"palette": parse_palettes(PALETTE)})
    names = {"palette": "#204060 #e0b080"}
    unbroken = kept(ColorKeeper(option), range(6), names)
    first, second = ColorKeeper(option), ColorKeeper(option)
    kept(first, range(3), names)
    second.restore(load(save({"image": unbroken[2], **first.state()})))
    assert all(torch.equal(a, b) for a, b in zip(kept(second, range(3, 6), names), unbroken[3:], strict=True))
    assert second.state().keys() == first.state().keys()


def test_a_run_of_before_goes_on():
    """Its state has the table under this name."""
    keeper = ColorKeeper(coherence())
    keeper.restore({"image": picture(23), "color_reference": lab_quantiles(picture(24, 0.2, 0.4))})
    assert abs(mean(keeper.finished(picture(25), plan(5))) - mean(picture(24, 0.2, 0.4))) < 0.01


def test_matched_then_grey_then_contrast_then_sharpened():
    keeper = ColorKeeper(coherence(grayscale=True))
    first, image = picture(26, 0.2, 0.4), picture(27)
    keeper.learn(first, 0)
    values = {
        "contrast_schedule": 1.1, "kernel_schedule": 7.0, "sigma_schedule": 2.0, "amount_schedule": 0.4,
        "threshold_schedule": 3.0,
    }  # fmt: skip
    matched = match_lab(image, lab_quantiles(first))
    wanted = unsharp(contrast(grayscale(matched), 1.1), 7, 2.0, 0.4, 3.0)
    assert torch.equal(keeper.prepared(image, None, plan(1, **values)), wanted)
    assert torch.equal(keeper.finished(image, plan(1, **values)), grayscale(matched)), "grey is what it ends with"


def test_grey_comes_from_the_first_frame_on():
    keeper = ColorKeeper(Coherence(grayscale=True))
    assert torch.equal(keeper.finished(picture(28), plan(0)), grayscale(picture(28)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"match": "cmyk"}, r"color_coherence is 'cmyk'.*none, rgb, hsv, lab"),
        ({"reference": "frame 1"}, r"reference is 'frame 1'.*slow anchor"),
        ({"match": "lab", "reference": "image"}, r"reference_image: nothing is linked"),
        ({"match": "lab", "reference": "video"}, r"reference_video: nothing is linked"),
        ({"every_n_frames": 0}, r"color_coherence_video_every_N_frames is 0.*1 or more"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(FramedriftError, match=words):
        Coherence(**options)


def test_what_shapes_no_picture_makes_no_other_run():
    image = picture(29)
    plain = Coherence(match="lab")
    assert plain.signature() == Coherence(match="lab", image=image, every_n_frames=3).signature()
    assert Coherence(image=image).signature() == Coherence(reference="image", image=image).signature()
    anchor = Coherence(reference="slow anchor", match="rgb")
    assert anchor.signature() == Coherence(reference="slow anchor").signature()
    different = [
        Coherence(), plain, anchor, Coherence(grayscale=True), Coherence(match="rgb"), coherence("previous frame"),
        coherence("image"), coherence("image", image=image), coherence("video"), coherence("video", every_n_frames=2),
    ]  # fmt: skip
    assert len({json.dumps(option.signature()) for option in different}) == len(different)


def test_an_edit_of_the_palette_is_a_palette_too():
    """The chain reads changed names as plain texts, which hold from key to key."""
    option = Coherence(
        reference="slow anchor",
        names={"palette": parse_palettes(PALETTE)},
        schedules={"contrast_schedule": parse_schedule("0:(1)", "contrast_schedule")},
    )
    edited = Options((option,)).edited({"palette": "0: #000, 10: #fff"})
    assert isinstance(edited.parts[0].names["palette"], PaletteSchedule)
    assert edited.sample(11, 0, 15.0).names["palette"][5] == "#808080"
    assert edited.sample(11, 0, 15.0).numbers["contrast_schedule"].tolist() == [1.0] * 11
    with pytest.raises(FramedriftError, match=r"palette, key 0.*'blue' is no colour"):
        Options((option,)).edited({"palette": "0: blue"})
    assert replace(option, grayscale=True).names["palette"] == option.names["palette"]
