"""Depth of clips: one scale within a shot, a new one after a cut, and nothing kept in memory."""

import gc
import math

import numpy as np
import pytest
import torch

from framedrift.nodes.core.camera import Camera2D, Camera3D
from framedrift.nodes.core.camera.track import Track3D
from framedrift.nodes.core.depth.cuts import CutFinder
from framedrift.nodes.core.depth.sequence import DepthFrames, estimate_depths, store_depths
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.frames import BatchFrames
from framedrift.nodes.core.warp import WarpSettings

SIZE = (48, 70)


def shot(seed: int, size=SIZE, tint=(1.0, 1.0, 1.0)) -> torch.Tensor:
    """A smooth picture (H, W, 3)."""
    coarse = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(seed))
    image = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)
    return image[0].movedim(0, -1) * torch.tensor(tint)


def back_off(ways) -> np.ndarray:
    """Views of a camera that has gone back by so many scene units, (F, 4, 4)."""
    views = np.tile(np.eye(4), (len(ways), 1, 1))
    views[:, 2, 3] = ways
    return views


class Restless:
    """Bright is near, in another scale and shift for every picture it is given."""

    name, calibrated = "restless", False

    def __init__(self):
        self.batches = []

    def signature(self):
        return self.name

    def disparity(self, image):
        first = sum(self.batches)
        self.batches.append(len(image))
        scales = torch.tensor([3.0 + (7 * (first + n)) % 5 for n in range(len(image))]).view(-1, 1, 1, 1)
        return image.mean(1, keepdim=True) * scales + scales.square()


def test_a_clip_has_one_scale_and_is_read_once():
    model = Restless()
    frames = BatchFrames(shot(1)[None].repeat(11, 1, 1, 1))
    made = list(estimate_depths(model, frames))
    assert [tuple(d.shape) for d in made] == [(1, 1, *SIZE)] * 11
    assert model.batches == [4, 4, 3]
    assert max(float((d - made[0]).abs().max()) for d in made) < 5e-3


@pytest.mark.parametrize("declared", [True, False])
def test_a_cut_sets_the_scale_anew(declared):
    """The second shot's depth is that which it has alone; without the cut, it would be fitted to the first's."""
    first, second = shot(1), 0.2 + 0.2 * shot(2, tint=(1.0, 0.3, 0.1))
    images = torch.stack([first] * 3 + [second] * 3)
    # A track takes the frames' own cuts for all there are.
    track = Camera2D(zoom="0:(1)").track(6, 15.0, 0, SIZE) if declared else None
    frames = BatchFrames(images, cuts=frozenset({3}) if declared else frozenset(), track=track)
    made = list(estimate_depths(Restless(), frames))
    alone = next(estimate_depths(Restless(), BatchFrames(second[None])))
    assert float((made[3] - alone).abs().max()) < 1e-4
    assert float((made[5] - alone).abs().max()) < 5e-3


def test_a_cut_between_two_items_counts():
    images = torch.stack([shot(1), shot(2), shot(2)])
    track = Camera2D(zoom="0:(1)").track(9, 15.0, 0, SIZE)
    frames = BatchFrames(images, indices=[0, 4, 8], num_frames=9, cuts=frozenset({3}), track=track)
    made = list(estimate_depths(Restless(), frames))
    alone = next(estimate_depths(Restless(), BatchFrames(shot(2)[None])))
    assert float((made[1] - alone).abs().max()) < 1e-4


def test_the_frames_own_camera_is_gone_by():
    """The camera backs off from a slanted wall below a far sky: all of the wall's disparity shrinks by one share."""

    class Wall(Restless):
        def disparity(self, image):
            first, scaled = sum(self.batches), super().disparity(image)
            wall = torch.zeros(1, 1, *SIZE)
            wall[..., SIZE[0] // 2 :, :] = torch.linspace(0.4, 1.0, SIZE[1])
            farther = torch.tensor([0.97 ** (first + n) for n in range(len(image))]).view(-1, 1, 1, 1)
            return wall * farther * scaled.mean((1, 2, 3), True)

    share, count = 0.97, 10
    # The wall is 1 scene unit away on the axis, times 1 / 0.7: inverse distance is linear in the picture.
    distance = 1 / 0.7
    settings = WarpSettings(near=1.0, far=1e6)
    track = Track3D.from_views(back_off([distance * (share**-n - 1) for n in range(count)]), np.full(count, 60.0))
    plain = BatchFrames(shot(1)[None].repeat(count, 1, 1, 1))
    own = BatchFrames(shot(1)[None].repeat(count, 1, 1, 1), track=track, settings=settings)
    made = list(estimate_depths(Wall(), own))
    given = list(estimate_depths(Wall(), plain, track, settings))
    assert all(torch.equal(a, b) for a, b in zip(made, given, strict=True))
    still = list(estimate_depths(Wall(), plain))
    part = (..., slice(30, 44), slice(8, 60))
    shrunk = float((made[-1][part] / made[0][part]).mean())
    # The pull to the first frame's range holds against it a little.
    assert share ** (count - 1) - 0.02 < shrunk < share ** (count - 1) + 0.06
    assert float((still[-1][part] / still[0][part]).mean()) > 0.95


def test_bad_frames_are_named():
    images = shot(1)[None].repeat(7, 1, 1, 1)
    images[5, 3, 4, 1] = math.nan
    with pytest.raises(FramedriftError, match="frame 5 holds values that are no numbers"):
        list(estimate_depths(Restless(), BatchFrames(images)))

    class Uneven(BatchFrames):
        def __getitem__(self, item):
            return super().__getitem__(item)[: 40 if item == 3 else None]

    with pytest.raises(FramedriftError, match="frame 3 is 70x40, the others are 70x48"):
        list(estimate_depths(Restless(), Uneven(shot(1)[None].repeat(5, 1, 1, 1))))

    class Broken(Restless):
        def disparity(self, image):
            raise FramedriftError("the model is broken")

    with pytest.raises(FramedriftError, match="frames 0 to 3: the model is broken"):
        list(estimate_depths(Broken(), BatchFrames(shot(1)[None].repeat(5, 1, 1, 1))))


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2)])
def test_odd_sizes(size, tmp_path):
    frames = BatchFrames(torch.rand(3, *size, 3, generator=torch.Generator().manual_seed(0)))
    stored = store_depths(estimate_depths(Restless(), frames), frames, tmp_path)
    assert stored.size == size
    assert torch.isfinite(stored[2]).all()


def test_grey_and_alpha():
    for channels in (1, 4):
        frames = BatchFrames(torch.rand(2, *SIZE, channels, generator=torch.Generator().manual_seed(0)))
        assert len(list(estimate_depths(Restless(), frames))) == 2


def test_stored_depth_is_read_back_and_goes_when_it_is_no_longer_used(tmp_path):
    track = Camera3D(translation_z="0:(2)").track(9, 24.0, 0, SIZE)
    pictures = torch.stack([shot(n) for n in range(3)])
    frames = BatchFrames(
        pictures,
        24.0,
        indices=[0, 4, 8],
        num_frames=9,
        track=track,
        cuts=frozenset({4}),
    )
    made = list(estimate_depths(Restless(), frames))
    done = []
    stored = store_depths(iter(made), frames, tmp_path / "temp", done.append)
    assert done == [1, 2, 3]
    assert isinstance(stored, DepthFrames)
    assert (stored.fps, stored.size, stored.indices, stored.num_frames) == (24.0, SIZE, (0, 4, 8), 9)
    assert stored.cuts == {4}
    assert stored.track is track
    for n in (2, 0, 1, -1):
        assert stored[n].shape == (*SIZE, 3)
        assert float((stored[n][..., 1] - made[n][0, 0]).abs().max()) <= 0.51 / 65535
        assert torch.equal(stored.disparity(n), stored[n][..., 0])
    with pytest.raises(IndexError):
        stored[3]
    assert len(list((tmp_path / "temp").iterdir())) == 1
    del stored
    gc.collect()
    assert not list((tmp_path / "temp").iterdir())


def test_what_is_stopped_leaves_no_file(tmp_path):
    frames = BatchFrames(torch.stack([shot(n) for n in range(4)]))

    def stop(number):
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_depths(estimate_depths(Restless(), frames), frames, tmp_path, stop)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- cuts


def cuts_of(pictures) -> list[int]:
    finder = CutFinder()
    return [n for n, picture in enumerate(pictures) if finder.is_cut(picture.movedim(-1, 0)[None])]


def wide(seed: int) -> torch.Tensor:
    return shot(seed, (60, 400))


def test_cuts_are_found():
    kinds = [(1, (1.0, 0.9, 0.8)), (2, (0.3, 0.5, 1.0)), (3, (0.2, 0.6, 0.3)), (4, (0.9, 0.2, 0.2))]
    pictures = [shot(seed, (60, 90), tint) for seed, tint in kinds for _ in range(4)]
    assert cuts_of(pictures) == [4, 8, 12]


def test_what_is_no_cut():
    pan = [wide(1)[:, 8 * n : 8 * n + 90] for n in range(30)]
    zoom = [
        torch.nn.functional.interpolate(shot(2, (60, 90)).movedim(-1, 0)[None, :, n : 60 - n, n : 90 - n], (60, 90))[
            0
        ].movedim(0, -1)
        for n in range(0, 24, 2)
    ]
    flash = [shot(3, (60, 90))] * 3 + [(shot(3, (60, 90)) * 1.4 + 0.2).clamp(0, 1)] + [shot(3, (60, 90))] * 3
    fade = [torch.lerp(shot(4, (60, 90)), shot(5, (60, 90)), n / 12) for n in range(13)]
    black = [shot(6, (60, 90)) * (1 - n / 12) for n in range(13)]
    even = [torch.full((60, 90, 3), 0.5)] * 3
    noise = [
        (shot(7, (60, 90)) + 0.1 * torch.randn(60, 90, 3, generator=torch.Generator().manual_seed(n))).clamp(0, 1)
        for n in range(6)
    ]
    for name, pictures in locals().copy().items():
        if isinstance(pictures, list):
            assert cuts_of(pictures) == [], name


@pytest.mark.parametrize("size", [(1, 1), (2, 500)])
def test_cuts_in_odd_sizes(size):
    pictures = [torch.rand(*size, 3, generator=torch.Generator().manual_seed(0))] * 3
    assert cuts_of(pictures) == []
