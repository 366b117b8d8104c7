"""Sentences about a camera: read, refused, moved by, and said again."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framedrift.nodes.core.camera import Camera3D, on_top
from framedrift.nodes.core.camera import vocabulary as words
from framedrift.nodes.core.camera.directed import Directed
from framedrift.nodes.core.camera.direction import MOST_LETTERS, parse_direction
from framedrift.nodes.core.camera.pose import angles_deg
from framedrift.nodes.core.camera.wording import video_prompt
from framedrift.nodes.core.errors import FramedriftError

ROOT = Path(__file__).resolve().parents[3]
SIZE = (40, 72)
FPS = 10.0


def moves(text):
    """Kinds and senses, a list a phase; nothing may be left over."""
    found = parse_direction(text)
    assert not found.not_understood, found.not_understood
    return [[(one.kind, one.sign) for one in phase] for phase in found.phases]


def track(text, frames=41, **options):
    return Directed(parse_direction(text), **options).track(frames, FPS, 0, SIZE)


def place(text, frame=-1, **options):
    return track(text, **options).poses()[frame][:3, 3]


def turn(text, frame=-1, **options):
    """Tilt up, yaw right, roll clockwise of the last pose against the first, in degrees."""
    return np.array(angles_deg(track(text, **options).poses()[frame][:3, :3]))


SAME = {
    ("push", 1): "push in|Push-In|PUSHING IN|the camera pushes in|dolly in|dollying in|dollies forward|"
    "a dolly-in shot|"
    "move forward|moves closer|push toward the subject|moving in|advance|fly through|pushes\n  in",
    ("push", -1): "pull back|pulling out|pulls away|dolly out|dolly-out|move back|moving backwards|push out|"
    "retreat|pull-back",
    ("pan", -1): "pan left|panning left|left pan|pan to the left|pans leftward|look left|turning left|"
    "pan from right to left",
    ("pan", 1): "pan right|panned right|pan|swing right|pan from left to right|the camera pans to the right",
    ("tilt", 1): "tilt up|tilts upward|upward tilt|look up|pan up|tilting up",
    ("tilt", -1): "tilt down|pitch down|looking down|tilt from top to bottom",
    ("roll", 1): "roll clockwise|roll right|dutch|dutch tilt|banking right|rotate clockwise|roll cw",
    ("roll", -1): "roll counterclockwise|roll counter-clockwise|rolling anticlockwise|roll left|tilt left",
    ("truck", -1): "truck left|tracking left|track to the left|slide left|dolly left|strafe left|move left|"
    "trucking leftwards",
    ("truck", 1): "truck right|tracking shot to the right|glide right|crab right",
    ("pedestal", 1): "pedestal up|rise|rising|boom up|move up|lifts|ascending|raise the camera|climb",
    ("pedestal", -1): "pedestal down|descend|lowering|lowers|boom down|sink|drops",
    ("orbit", 1): "orbit|orbit right|circle around the subject|revolve counterclockwise|"
    "rotates around to the right|orbiting",
    ("orbit", -1): "orbit left|orbit clockwise|circling left|move around the subject to the left|"
    "fly around clockwise",
    ("arc", -1): "arc left|arc shot left|arcing to the left",
    ("crane", 1): "crane|crane up|jib up|craning upwards|crane shot",
    ("crane", -1): "crane down|jib down",
    ("dolly zoom", 1): "dolly zoom|dolly-zoom in|vertigo effect|vertigo|zolly",
    ("spiral", 1): "spiral|corkscrew|spiralling in|spirals clockwise",
    ("drift", -1): "drift left|drifting left|floating to the left",
    ("zoom", 1): "zoom|zoom in|zooming in|zooms closer",
    ("zoom", -1): "zoom out|zooming out",
    ("handheld", 1): "handheld|hand-held|hand held camera|handheld shake|shaky|camera shake|shakes|jittery",
    ("walking", 1): "walking|walk|steadicam|walking camera shake",
    ("vehicle", 1): "vehicle|bumpy|bumpy road|driving",
    ("earthquake", 1): "earthquake|quake|earthquake shake",
    ("static", 1): "static|static shot|locked-off|locked off camera|still|hold|no camera movement|"
    "the camera doesn't move|tripod",
}  # fmt: skip


@pytest.mark.parametrize(("meaning", "texts"), SAME.items(), ids=lambda one: str(one)[:30])
def test_words_that_mean_the_same(meaning, texts):
    for text in texts.split("|"):
        assert moves(text) == [[meaning]], text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slow push-in, slight handheld, drifting left", [[("push", 1), ("handheld", 1), ("drift", -1)]]),
        ("push in and pan left while tilting up", [[("push", 1), ("pan", -1), ("tilt", 1)]]),
        ("push in with a handheld shake", [[("push", 1), ("handheld", 1)]]),
        ("pan left and up", [[("pan", -1), ("tilt", 1)]]),
        ("move up and to the left", [[("pedestal", 1), ("truck", -1)]]),
        ("drift up left", [[("pedestal", 1), ("drift", -1)]]),
        (
            "push in, then pan left; tilt up after that roll",
            [[("push", 1)], [("pan", -1)], [("tilt", 1)], [("roll", 1)]],
        ),
        ("push in before panning left", [[("push", 1)], [("pan", -1)]]),
        ("Push in. Pan left.\nZoom out.", [[("push", 1), ("pan", -1), ("zoom", -1)]]),
        ("push in, push in", [[("push", 1)]]),
        ("Pan Left, then right", [[("pan", -1)], [("pan", 1)]]),
        ("crane shot rising up", [[("crane", 1)]]),
        ("dolly push in", [[("push", 1)]]),
        ("; then , then push in;;", [[("push", 1)]]),
        ("static, handheld", [[("static", 1), ("handheld", 1)]]),
        ("push in, then hold", [[("push", 1)], [("static", 1)]]),
        ("pan left from 0s to 1s, pan right from 1s to 2s", [[("pan", -1), ("pan", 1)]]),
    ],
)
def test_what_is_together_and_what_follows(text, expected):
    assert moves(text) == expected


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("push in", 1), ("slow push-in", 0.5), ("push in slowly", 0.5), ("slowly pushing in", 0.5),
        ("slow, steady push in", 0.5),
        ("very slow push in", 0.25), ("extremely slow push in", 0.125), ("fairly slow push in", 0.5**0.5),
        ("fast push in", 1.75), ("push in, quickly", 1.75), ("very fast push in", 1.75**2), ("gentle push in", 0.6),
        ("slow handheld push in", 0.5), ("subtle push in", 0.4), ("sudden push in", 3),
        ("very very very very slow push in", 0.05),
    ],
)  # fmt: skip
def test_pace(text, factor):
    found = [one for one in parse_direction(text).phases[0] if one.kind == "push"]
    assert found[0].factor == pytest.approx(factor)


def test_words_beside_a_shake_are_the_shakes():
    slight, push = parse_direction("slight handheld push in").phases[0]
    assert (slight.kind, slight.factor, push.kind, push.factor) == ("handheld", 0.4, "push", 1)
    (sway,) = parse_direction("Handheld camera with a subtle sway").phases[0]
    assert (sway.kind, sway.factor) == ("handheld", 0.4)
    (rising,) = parse_direction("crane shot slowly rising").phases[0]
    assert (rising.kind, rising.factor) == ("crane", 0.5)
    (slow,) = parse_direction("slow, strong shake").phases[0]
    assert (slow.factor, slow.frequency) == (1.75, 0.5)


@pytest.mark.parametrize(
    ("text", "easing"),
    [("push in", None), ("smooth push in", "ease_in_out"), ("push in, linear", "linear"), ("steady push in", "linear"),
     ("push in, accelerating", "ease_in"), ("push in, slowing down", "ease_out"), ("push in with ease in", "ease_in")],
)  # fmt: skip
def test_easing(text, easing):
    assert parse_direction(text).phases[0][0].easing == easing


@pytest.mark.parametrize(
    ("text", "expected"),
    [("pan left 30 degrees", [0, -30, 0]), ("tilt up by 12.5°", [12.5, 0, 0]), ("roll 90 deg", [0, 0, 90]),
     ("pan left 30", [0, -30, 0]), ("pan right twenty degrees", [0, 20, 0]), ("quarter turn right", [0, 90, 0])],
)  # fmt: skip
def test_angles_are_what_was_said(text, expected):
    np.testing.assert_allclose(turn(text), expected, atol=1e-9)


def test_ways_are_what_was_said():
    np.testing.assert_allclose(place("push in 2 units"), (0, 0, 2), atol=1e-9)
    np.testing.assert_allclose(place("truck left 0.5 scene units"), (-0.5, 0, 0), atol=1e-9)
    np.testing.assert_allclose(place("rise 1.5 units", strength=2.0), (0, -3, 0), atol=1e-9)
    # Half round a subject three units ahead: on its far side; a whole round: back again.
    np.testing.assert_allclose(place("half orbit right"), (0, 0, 6), atol=1e-9)
    np.testing.assert_allclose(place("orbit 90 degrees to the right", distance=2.0), (2, 0, 2), atol=1e-9)
    np.testing.assert_allclose(place("orbit 360°"), (0, 0, 0), atol=1e-9)


def test_speeds_are_rates_a_second_at_any_length():
    """The documented rates; a sentence of one phase does not depend on the animation's length."""
    for kind, wanted in (("push in", 0.15), ("slow push in", 0.075)):
        np.testing.assert_allclose(place(kind, 20), (0, 0, 2 * wanted), atol=1e-9)
        np.testing.assert_allclose(track(kind, 101).views[:41], track(kind, 41).views, atol=1e-12)
    np.testing.assert_allclose(turn("pan left", 10), (0, -8, 0), atol=1e-9)
    np.testing.assert_allclose(turn("tilt down fast", 10), (-6 * 1.75, 0, 0), atol=1e-9)


def test_zoom_is_the_lens():
    found = track("zoom in 2x", fov_deg=70.0)
    np.testing.assert_array_equal(found.views, np.tile(np.eye(4), (41, 1, 1)))
    spread = np.tan(np.radians(found.fov_deg) / 2)
    assert spread[0] / spread[-1] == pytest.approx(2)
    np.testing.assert_allclose(spread[1:] / spread[:-1], 2 ** (-1 / 40))
    assert track("zoom out, extremely fast", 2001).fov_deg.max() == 150
    assert track("zoom in, extremely fast", 2001).fov_deg.min() == 5


def test_phases_share_the_time_and_earlier_moves_hold():
    found = track("push in 1 unit then pan left 40 degrees", 41)
    np.testing.assert_allclose(found.poses()[20], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(found.poses()[:, 2, 3][20:], 1, atol=1e-12)
    assert angles_deg(found.poses()[40][:3, :3])[1] == pytest.approx(-40)
    # What follows goes on along the new axes: forward is left after a quarter turn.
    np.testing.assert_allclose(place("pan left 90 degrees then push in 2 units"), (-2, 0, 0), atol=1e-9)


def test_times():
    z = track("push in 1 unit from 1s to 3s").poses()[:, 2, 3]
    assert z[10] == 0
    assert z[30:] == pytest.approx(1)
    assert 0 < z[11] < z[29] < 1
    z = track("push in 1 unit over 2 seconds").poses()[:, 2, 3]
    assert z[20:] == pytest.approx(1)
    assert z[19] < 1
    z = track("push in 1 unit from frame 10 to 40").poses()[:, 2, 3]
    assert (z[10], z[40]) == (0, pytest.approx(1))
    z = track("at 2s push in 1 unit").poses()[:, 2, 3]
    assert (z[20], z[40]) == (0, pytest.approx(1))
    # The first phase has its second, the others share what is left: 15 frames each.
    found = track("push in 1 unit for 1s, then pan left 10 degrees, then push in 1 unit").poses()
    assert found[10, 2, 3] == pytest.approx(1)
    assert angles_deg(found[25][:3, :3])[1] == pytest.approx(-10)
    assert angles_deg(found[24][:3, :3])[1] > -10
    # Time said before all of it holds for all of it.
    both = track("from 1s to 3s, push in and pan left")
    np.testing.assert_array_equal(both.views[:11], np.tile(np.eye(4), (11, 1, 1)))
    np.testing.assert_array_equal(both.views[30], both.views[40])
    # A pace and an amount give the time: 8 degrees a second, 1.75 times as fast.
    yaw = [angles_deg(pose[:3, :3])[1] for pose in track("quick pan right 14 degrees").poses()]
    assert yaw[10] == pytest.approx(14)
    assert yaw[9] < 14


def test_a_whip_pan_is_over_in_a_moment():
    yaw = [angles_deg(pose[:3, :3])[1] for pose in track("whip pan left").poses()]
    assert yaw[4] == pytest.approx(-64)
    assert yaw[40] == pytest.approx(-64)


def test_what_lies_beyond_the_end_is_left_out(caplog):
    found = track("push in 1 unit, pan left at 20s")
    assert found.poses()[-1][2, 3] == pytest.approx(1)
    assert "pan to the left (column 17) would begin at frame 200" in caplog.text


@pytest.mark.parametrize("text", [
    "push in then pan left then orbit right then earthquake then zoom in then static",
    "crane up, handheld; dolly zoom; drift left 2 units and roll",
    "vehicle shake for 1s then whip pan left then walking",
])  # fmt: skip
def test_poses_are_whole_and_without_jumps(text):
    """Between neighbouring frames of a finely sampled animation next to nothing happens, at changes of phase too."""
    found = Directed(parse_direction(text)).track(801, 200.0, 0, SIZE)
    assert np.abs(np.diff(found.views, axis=0)).max() < 0.05
    assert np.abs(np.diff(found.fov_deg)).max() < 0.5
    np.testing.assert_array_equal(found.views[0], np.eye(4))
    turns = found.views[:, :3, :3]
    np.testing.assert_allclose(turns @ np.swapaxes(turns, 1, 2), np.tile(np.eye(3), (801, 1, 1)), atol=1e-12)


def test_shakes_come_and_go_with_their_phase():
    found = track("pan left 10 degrees for 1s then handheld for 1s then hold", 41).poses()
    still = track("pan left 10 degrees for 1s then hold for 1s then hold", 41).poses()
    np.testing.assert_array_equal(found[:11], still[:11])
    assert np.abs(found[15] - still[15]).max() > 1e-5
    np.testing.assert_allclose(found[20:], still[20:], atol=1e-12)


def test_static_is_exactly_at_rest():
    found = track("a static, locked-off shot")
    assert found.at_rest(0, 40)
    np.testing.assert_array_equal(track("push in, handheld, orbit", strength=0.0).views, found.views)


def test_seeds_shake_differently_and_the_same():
    one, same, other = (track("handheld", seed=seed).views for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-4


def test_it_rides_on_another_camera():
    base = Camera3D(translation_z="0:(0)", rotation_3d_y="0:(1)", fov="0:(50)")
    top = Directed(parse_direction("push in 1 unit"))
    found = on_top(base, top).track(41, FPS, 0, SIZE)
    expected = track("push in 1 unit").views @ base.track(41, FPS, 0, SIZE).views
    np.testing.assert_allclose(found.views, expected, atol=1e-12)
    assert set(found.fov_deg) == {50.0}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("push in through the misty forest", ["misty forest (column 21)"]),
        ("follow the dog, pan left", ["follow (column 1)", "dog (column 12)"]),
        ("tilt clockwise sideways", ["sideways (column 16)"]),
        ("push in back and forth", ["back and forth (column 9)"]),
        ("drift, push in", ["drift (column 1)"]),
        ("arc up", ["up (column 5)"]),
        ("35mm lens, pan left 🎥", ["35mm (column 1)", "🎥 (column 21)"]),
        ("push in 3", ["3 (column 9)"]),
        ("the camera slowly pushes in toward the subject.", []),
    ],
)
def test_what_was_not_understood_is_listed(text, found):
    assert list(map(str, parse_direction(text).not_understood)) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("a dog on a beach", r"no camera move was found in 'a dog on a beach'.*push in, pull back"),
        ("slow, very gentle", "no camera move"),
        ("pan left and pan right", r"pan to the left \(column 1\).*pan to the right \(column 14\)"),
        ("push in while pulling back", "push in.*pull back"),
        ("pedestal up, crane down", "contradict"),
        ("static, push in", "holds the camera still.*push in"),
        ("pan left -30 degrees", "column 10 has a number below 0"),
        ("push in 30 degrees", "column 9 gives degrees for push; that is said in scene units"),
        ("pan left 0 degrees", "above 0"),
        ("pan left 99999999 degrees", "too large"),
        ("pan left 40000 degrees", "at most 36000"),
        ("pan left 10 degrees 20 degrees", "second amount"),
        ("pan left for 2s for 3s", "second time"),
        ("pan left from 3s to 1s", "not after its start"),
        ("pan left for 0 seconds", "more than 0"),
        ("x" * (MOST_LETTERS + 1), "10001 letters"),
        ("then pan left " * 70, "more than 64"),
    ],
)
def test_what_cannot_be_done_is_said(text, said):
    with pytest.raises(FramedriftError, match=said) as caught:
        parse_direction(text)
    assert str(caught.value).startswith("text")


def test_times_that_only_the_rate_tells_apart():
    with pytest.raises(FramedriftError, match=r"pan to the left.*frame 10.*frame 20"):
        track("pan left from 2s to frame 10")


def test_what_is_no_camera():
    for bad in ({"distance": 0.0}, {"strength": -1.0}, {"fov_deg": 180.0}):
        with pytest.raises(FramedriftError, match=next(iter(bad)).removesuffix("_deg")):
            Directed(parse_direction("pan"), **bad)


VOCABULARY = [" ".join(term) for term in words.TERMS] + [
    "2",
    "30 degrees",
    "over 3 seconds",
    "at 2s",
    "-",
    "%",
    "1s",
    "frame 9",
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(VOCABULARY), max_size=14).map(" ".join) | st.text(max_size=80))
def test_any_text_is_a_direction_or_our_error(text):
    try:
        found = parse_direction(text)
    except FramedriftError as error:
        assert str(error).startswith("text")
        return
    assert found.phases
    assert all(phase for phase in found.phases)
    said = video_prompt(found)
    assert said.startswith("The camera ")
    assert said.endswith(".")
    for missed in found.not_understood:
        assert text[missed.column - 1 :].startswith(missed.text)
    try:
        assert len(Directed(found).track(9, FPS, 0, SIZE)) == 9
    except FramedriftError as error:
        assert "dolly zoom" in str(error) or "would end" in str(error)


@pytest.mark.parametrize(
    "word", ["very ", "the ", "- ", "1 ", "left ", "shake ", "push ", "up, ", "2s ", "qwert ", ",", "from 1 "]
)
def test_long_texts_are_read_in_no_time(word):
    begin = time.process_time()
    for text in (word * 100_000, (word * MOST_LETTERS)[:MOST_LETTERS]):
        try:
            parse_direction(text)
        except FramedriftError as error:
            assert len(str(error)) < 500
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "slow push-in, slight handheld, drifting left",
            "The camera slowly pushes in with a slight handheld shake while drifting to the left.",
        ),
        ("static", "The camera is static, a locked-off shot with no camera movement."),
        ("handheld", "The camera stays in place with a handheld shake."),
        ("dolly out 2 units; pan left 30°", "The camera pulls back. Then the camera pans to the left by 30 degrees."),
        ("very slow zoom in over 3s, smooth", "The camera very slowly and smoothly zooms in over 3 seconds."),
        (
            "orbit left, rise and tilt down",
            "The camera orbits around the subject to the left while rising and tilting down.",
        ),
        ("drift forward, accelerating", "The camera drifts forward, gradually speeding up."),
    ],
)
def test_what_video_models_are_told(text, said):
    assert video_prompt(parse_direction(text)) == said


def test_it_understands_what_it_says():
    """The text for video models is a direction of the same moves, for every verb in every direction."""
    for verb in words.VERBS.values():
        for direction in verb.directions:
            text = f"{words.words_of(verb.words)[0]} {direction}"
            assert moves(video_prompt(parse_direction(text))) == moves(text), text


def test_no_word_has_two_meanings():
    """Each table's words are found under their own meaning: none is lost to a later table but where it must be."""
    lost = [
        (word, name)
        for name, verb in words.VERBS.items()
        for word in words.words_of(verb.words)
        if words.TERMS[tuple(word.split())] != words.Term("verb", name)
    ]
    assert not lost
    for pace, (_, listed) in words.PACES.items():
        for word in words.words_of(listed):
            assert words.TERMS[tuple(word.split())].kind in ("pace", "power"), (word, pace)


def vocabulary_tables():
    """The tables of docs/camera_direction.md."""
    lines = ["| Words | Directions | Without one | Pace |", "|---|---|---|---|"]
    for verb in words.VERBS.values():
        pace = f"{verb.pace:g}" + (f", for {verb.seconds:g} s" if verb.seconds else "")
        lines.append(f"| {verb.words} | {', '.join(verb.directions)} | {verb.default or 'says nothing'} | {pace} |")
    lines += ["", "| Move | At normal speed | Amounts in |", "|---|---|---|"]
    for name, kind in words.KINDS.items():
        rate = f"{kind.rate:g} times the focal length" if kind.unit == "times" else f"{kind.rate:g} {kind.unit}"
        lines.append(f"| {name} | {rate} a second | {kind.unit} |")
    lines += ["", "| Shake | Words |", "|---|---|"]
    lines += [f"| {'handheld' if name == 'any' else name} | {listed} |" for name, listed in words.SHAKES.items()]
    lines += ["", "| Direction | Words |", "|---|---|"]
    lines += [f"| {name} | {listed.replace(' | ', ', ')} |" for name, listed in words.DIRECTIONS.items()]
    lines += ["", "| Pace | Factor | Words |", "|---|---|---|"]
    lines += [f"| {name} | {factor:g} | {listed} |" for name, (factor, listed) in words.PACES.items()]
    lines += ["", "| Before a pace | Its factor is taken | Words |", "|---|---|---|"]
    lines += [f"| {name} | to the power of {power:g} | {listed} |" for name, (power, listed) in words.POWERS.items()]
    lines += ["", "| Easing | Words |", "|---|---|"]
    lines += [f"| `{name}` | {listed} |" for name, listed in words.EASINGS.items()]
    lines += ["", f"At rest: {words.STILL}.", ""]
    shown = ["line break" if word == "\n" else f"`{word}`".replace("|", "\\|") for word in words.JOIN]
    lines += [f"One after the other: {', '.join(f'`{word}`' for word in words.THEN)}.", ""]
    lines += [f"At the same time: {', '.join(shown)}."]
    return "\n".join(lines)


def test_the_vocabulary_is_documented():
    page = (ROOT / "docs" / "camera_direction.md").read_text()
    assert vocabulary_tables() in page, f"docs/camera_direction.md must hold:\n{vocabulary_tables()}"
