"""Any options together: they run through, go on bit for bit where they broke off, and touch nothing but their run."""

import random
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.depth.synthetic import SyntheticDepth
from framedrift.nodes.core.feedback import LoopSettings, Options, Scene, Schedules, animate, cut_frames, plan_frames
from framedrift.nodes.core.feedback.coherence import MATCHES, REFERENCES, Coherence
from framedrift.nodes.core.feedback.control import SOURCES, Control, controls_of
from framedrift.nodes.core.feedback.guides import Guides, merged
from framedrift.nodes.core.feedback.hybrid import COMPOSITES, Hybrid
from framedrift.nodes.core.feedback.hybrid_mask import EQUALIZES, MASK_TYPES
from framedrift.nodes.core.feedback.hybrid_motion import MOTIONS
from framedrift.nodes.core.feedback.masks import Masks
from framedrift.nodes.core.feedback.noise import NOISE_TYPES, Noise
from framedrift.nodes.core.feedback.palettes import parse_palettes
from framedrift.nodes.core.feedback.redo import Redo
from framedrift.nodes.core.random import generator
from framedrift.nodes.core.run import RunStore
from framedrift.nodes.core.schedule import parse_schedule
from framedrift.nodes.core.video.edit import fitted
from framedrift.nodes.core.warp import WarpSettings

FPS, STEPS = 15.0, 8
CAMERAS = (
    None,
    Camera2D(zoom="0:(1.04)", angle="0:(2)", translation_x="0:(1.5)"),
    Camera3D(translation_z="0:(9)", translation_x="0:(12*sin(t))", rotation_3d_z="0:(1)"),
)


class Restless(SyntheticDepth):
    """Tells depth on another scale for every picture."""

    calibrated = False

    def disparity(self, image):
        return super().disparity(image) * (1 + 5 * float(image.mean()))


@dataclass
class Painter:
    """Mixes coarse noise of the frame's seed, and what its ControlNets are shown, into what it is given."""

    options: Options
    size: tuple[int, int]
    cell: int

    def diffuse(self, image, plan, diffusion, previous):
        coarse = torch.rand(1, 3, 4, 6, generator=generator(plan.seed, 0, "paint"))
        paint = torch.nn.functional.interpolate(coarse, size=self.size, mode="bilinear")
        for _, shown, weight, *_ in controls_of(self.options, plan, previous):
            assert shown.shape == paint.shape
            paint = torch.lerp(paint, shown, 0.5 * weight)
        if image is None:
            return paint
        assert image.shape == paint.shape and bool(torch.isfinite(image).all())
        share = torch.full((1, 1, 1, 1), diffusion.steps / diffusion.total_steps)
        if diffusion.mask is not None:
            assert [side * self.cell for side in diffusion.mask.shape[-2:]] == list(self.size)
            share = torch.nn.functional.interpolate(share * diffusion.mask, size=self.size)
        return torch.lerp(image, paint, share)


class Linked:
    """What is linked to one animation, drawn from its number; `unchanged` tells whether somebody wrote into it."""

    def __init__(self, number, size, frames):
        self.dice = torch.Generator().manual_seed(number)
        self.size, self.frames, self.given = size, frames, []

    def kept(self, tensor):
        self.given.append((tensor, tensor.clone()))
        return tensor

    def picture(self, size=None):
        small = torch.rand(1, 3, 5, 8, generator=self.dice)
        return self.kept(torch.nn.functional.interpolate(small, size=size or self.size, mode="bilinear"))

    def clip(self, channels=3, size=None):
        size = size or self.size
        wide = torch.rand(1, channels, 6, 8, generator=self.dice)
        wide = torch.nn.functional.interpolate(wide, size=(size[0], size[1] + self.frames), mode="bilinear")
        moving = [wide[..., shift : shift + size[1]] for shift in range(self.frames)]
        return self.kept(torch.cat(moving).permute(0, 2, 3, 1).contiguous())

    def mask(self):
        return self.kept((torch.rand(1, 1, *self.size, generator=self.dice) * 3 - 1).clamp(0, 1))

    def unchanged(self):
        return all(torch.equal(tensor, before) for tensor, before in self.given)


def schedules(**texts):
    return {name: parse_schedule(text, name) for name, text in texts.items()}


def coherence(dice, linked):
    reference = dice.choice(REFERENCES)
    palette = {"palette": parse_palettes("0: #204060 #e0b080, 3: #102030")} if dice.random() < 0.5 else {}
    every = schedules(contrast_schedule="0:(1+0.05*sin(t))", kernel_schedule="5", sigma_schedule="1",
                      amount_schedule="0:(0), 3:(0.4)", threshold_schedule="2")  # fmt: skip
    return Coherence(
        schedules=every if dice.random() < 0.5 else {},
        names=palette,
        match=dice.choice(MATCHES),
        reference=reference,
        image=linked.picture((9, 5)),
        clip=linked.clip(4)[:2],
        every_n_frames=dice.randint(1, 3),
        grayscale=dice.random() < 0.5,
    )


def masks(dice, linked):
    kind = dice.choice(["still", "clip", "noise"])
    return Masks(
        still=linked.mask() if kind == "still" else None,
        clip=linked.clip(dice.choice([1, 3])) if kind == "clip" else None,
        noise_still=linked.mask() if kind == "noise" or dice.random() < 0.5 else None,
        invert_mask=dice.random() < 0.5,
        mask_contrast_adjust=dice.choice([1.0, 3.0]),
        mask_blur=dice.choice([0.0, 1.5]),
        overlay_mask=dice.random() < 0.5,
        mask_overlay_blur=dice.choice([0.0, 2.0]),
        noise_mask=dice.random() < 0.5,
    )


def hybrid(dice, linked, depth):
    mask_types = MASK_TYPES if depth else tuple(kind for kind in MASK_TYPES if "depth" not in kind)
    said = schedules(
        hybrid_comp_alpha_schedule="0:(0.3), 4:(0.6)",
        hybrid_comp_mask_blend_alpha_schedule="0.5",
        hybrid_comp_mask_contrast_schedule="1.5",
        hybrid_comp_mask_auto_contrast_cutoff_low_schedule="5",
        hybrid_comp_mask_auto_contrast_cutoff_high_schedule="95",
        hybrid_flow_factor_schedule="0:(1), 4:(0)",
    )
    return Hybrid(
        schedules=said,
        video=linked.clip(dice.choice([1, 3, 4]), (19, 31)),
        composite=dice.choice(COMPOSITES),
        mask_type=dice.choice(mask_types),
        mask_inverse=dice.random() < 0.5,
        mask_equalize=dice.choice(EQUALIZES),
        mask_auto_contrast=dice.random() < 0.5,
        motion=dice.choice(MOTIONS),
        flow_method=dice.choice(["dis", "farneback"]),
        flow_consistency=dice.random() < 0.5,
        use_prev_img=dice.random() < 0.5,
        use_first_frame=dice.random() < 0.5,
    )


def guides(dice, linked):
    ends = dice.choice([(True, True), (True, False), (False, True)])
    said = schedules(
        image_strength_schedule=dice.choice(["0.6", "1", "0"]),
        tweening_frames_schedule="3",
        blendFactorMax="0.4",
        blendFactorSlope="0.1",
        color_correction_factor=dice.choice(["0.1", "0"]),
    )
    start, end = (linked.picture((21, 34)) if given else None for given in ends)
    between = linked.picture() if dice.random() < 0.5 else None
    return Guides(
        schedules=said, start_image=start, end_image=end, images=between, places="" if between is None else "2, "
    )


def control(dice, linked):
    source = dice.choice(SOURCES)
    said = schedules(weight="0:(0.4), 3:(0)", guidance_start="0", guidance_end="1")
    return Control(net="net", source=source, image=linked.picture((40, 11)), clip=linked.clip(1), schedules=said)


def chain(dice, linked, depth):
    """Some of all options; each of them may be there or not."""
    redo = Redo(
        schedules=schedules(redo_flow_factor_schedule="0:(1), 3:(-1)"),
        diffusion_redo=dice.randint(0, 2),
        optical_flow_redo_generation=dice.choice(["none", "dis", "farneback"]),
        # A picture of one pixel is always of one colour.
        reroll_blank_frames="ignore",
    )
    kinds = {
        "coherence": lambda: coherence(dice, linked),
        "noise": lambda: Noise(noise_type=dice.choice(NOISE_TYPES), perlin_octaves=2),
        "masks": lambda: masks(dice, linked),
        "hybrid": lambda: hybrid(dice, linked, depth),
        "guides": lambda: guides(dice, linked),
        "redo": lambda: redo,
        "control": lambda: control(dice, linked),
        "another control": lambda: control(dice, linked),
    }
    chosen = dice.sample(list(kinds), dice.randint(2, len(kinds)))
    return Options(tuple(kinds[kind]() for kind in chosen))


class Animation:
    """One animation, drawn from its number: made twice it is the same, out of other objects."""

    def __init__(self, number):
        dice = random.Random(number)
        cell = dice.choice([1, 8])
        self.size = dice.choice([(1, 1), (7, 13), (33, 21)] if cell == 1 else [(8, 8), (24, 40), (40, 16)])
        count, cadence = dice.randint(4, 7), dice.choice([1, 1, 2, 3])
        self.linked = Linked(number, self.size, count)
        depth = dice.choice([None, SyntheticDepth("luminance"), Restless("ground")])
        options = chain(dice, self.linked, depth is not None).fitted(FPS, self.size)
        camera = dice.choice(CAMERAS)
        track = camera.track(count, FPS, 0, self.size) if camera is not None else None
        values = options.sample(count, 0, FPS)
        strength = np.array([dice.choice([0.0, 0.4, 0.7, 0.7, 1.0]) for _ in range(count)])
        course = merged(options, values, count, 0, FPS, np.flatnonzero(strength <= 0).tolist())
        if course is not None:
            strength = np.array([course.strength(frame, float(kept)) for frame, kept in enumerate(strength)])
        asked = {frame for part in options.parts for frame in part.keyframes(count, 0, FPS)}
        indices = sorted({*range(0, count, cadence), count - 1, *asked, *cut_frames(strength)})
        even = np.ones(count)
        sampled = Schedules(strength, even * STEPS, even * 5, even * dice.choice([0.0, 0.1]))
        texts = [("", "")] * len(indices)
        self.plans = plan_frames(indices, sampled, range(7, 7 + len(indices)), texts, options=values)
        video = fitted(self.linked.clip(dice.choice([1, 3, 4])), FPS, self.size) if dice.random() < 0.4 else None
        init = self.linked.picture() if dice.random() < 0.5 else None
        self.scene = Scene(track, depth, init, video, options, course)
        self.painter = Painter(options, self.size, cell)
        self.settings = LoopSettings(
            warp=WarpSettings(dice.choice(["pinhole", "deforum"]), border=dice.choice(["replicate", "wrap", "zeros"])),
            color_coherence=dice.choice(["none", "lab"]),
            hole_denoise=dice.choice([0.0, 1.0]),
            full_steps=dice.random() < 0.5,
            video_mix=dice.choice([0.4, 1.0]),
        )
        self.stop = dice.randint(1, len(indices))

    def run(self, held, most=None):
        frames = animate(held, self.plans, self.scene, self.painter, self.settings)
        return list(islice(frames, most))


def kept(path):
    return {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.suffix in (".png", ".jsonl")}


def globals_now():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("number", range(24))
def test_any_options_together(tmp_path, number):
    whole, broken, again = Animation(number), Animation(number), Animation(number)
    before, store = globals_now(), RunStore(tmp_path)
    with store.create("whole", {}, "mark") as held:
        made = whole.run(held)
        path = held.path
    assert [frame.frame for frame in made] == [plan.frame for plan in whole.plans]
    for frame in made:
        assert frame.image.shape == (1, 3, *whole.size)
        assert 0 <= float(frame.image.min()) <= float(frame.image.max()) <= 1
    assert globals_now() == before, "nothing global was drawn from"
    with store.create("broken", {}, "mark") as held:
        broken.run(held, broken.stop)
        torn = held.path
    # Were anything drawn from the global generators, the rest would come out otherwise.
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    with store.open(torn) as held:
        again.run(held)
    assert kept(torn) == kept(path), "it goes on bit for bit"
    assert all(one.linked.unchanged() for one in (whole, broken, again)), "nobody wrote into what is linked"
