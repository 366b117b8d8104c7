"""Fills what a moving camera uncovers, from the background side."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .pixels import every, numbers, pick, put
from .splat import Reprojection

# A mirrored background may be this much nearer than the pixel at the hole's edge before it counts as another thing.
_NEARER = 1.1
# How wide a hole is softened for each pixel between it and the background, and at most, in pixels.
_SOFTENING, _SOFTEST = 0.1, 9.0
# Side of the blocks, in pixels, whose mean depth is what lies beyond the frame.
_FINEST = 4
# So many pixels are softened together: their neighbours fit into a processor's cache.
_AT_ONCE = 1 << 13
# Multiples of these spread evenly over the unit square whatever the picture's size: an ordered dither.
_DITHER_X, _DITHER_Y = 0.7548776662466927, 0.5698402909980532


def march(visible: Tensor, forward: Reprojection) -> tuple[Tensor, Tensor]:
    """For each hole that has background beside it, the first background pixel.

    Near things move over the background along the lines through the epipole, and uncover what lies behind them; so
    the background is found by going against their motion. All paths are followed at once, doubling their length.

    Convention: pixels are numbered in (B, h, w) order, row by row.

    Args:
        visible: (B, h, w) bool.
        forward: source view to target view.

    Returns:
        hidden: (N,) numbers of the holes for which there is a background.
        behind: (N,) the background pixel of each.
    """
    _, height, width = visible.shape
    hidden = numbers(~visible)
    shift_x, shift_y, shift_z = forward.shift
    if not len(hidden) or len(hidden) == visible.numel() or max(abs(shift_x), abs(shift_y), abs(shift_z)) < 1e-12:
        return hidden[:0], hidden[:0]
    place = hidden % (height * width)
    x, y = place % width, place // width
    along_x = (x - (width - 1) / 2) * shift_z - shift_x
    along_y = (y - (height - 1) / 2) * shift_z - shift_y
    longest = torch.maximum(along_x.abs(), along_y.abs()).clamp(min=1e-12)
    dither = (x * _DITHER_X + y * _DITHER_Y) % 1.0
    next_x = x + torch.floor(along_x / longest + dither).long()
    next_y = y + torch.floor(along_y / longest + dither).long()
    leaves = (next_x < 0) | (next_x >= width) | (next_y < 0) | (next_y >= height)
    behind = torch.where(leaves, hidden, hidden - place + next_y * width + next_x)
    pointer = torch.arange(visible.numel(), device=visible.device)
    for _ in range(math.ceil(math.log2(max(height, width))) + 1):
        put(pointer, hidden, behind)
        before, behind = behind, pick(pointer, behind)
        if torch.equal(before, behind):
            break
    found = pick(visible, behind)
    return hidden[found], behind[found]


def uncover(
    image: Tensor, inverse_depth: Tensor, visible: Tensor, hidden: Tensor, behind: Tensor, inside: Tensor
) -> Tensor:
    """Writes the background into holes, mirrored at their edge where there is room for it, and returns the image.

    Args:
        image: (B, C, h, w); written to.
        inverse_depth: (B, h, w) of the target.
        visible: (B, h, w) bool.
        hidden: (N,) pixel numbers, from `march`.
        behind: (N,) pixel numbers, from `march`.
        inside: (N,) bool, whether a hole's place lies in the source's frame: there thin lines are softened.
    """
    if not len(hidden):
        return image
    batch, channels, height, width = image.shape
    start = hidden - hidden % (height * width)
    x = 2 * (behind % width) - hidden % width
    y = 2 * ((behind - start) // width) - (hidden - start) // width
    there = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    mirrored = torch.where(there, start + y * width + x, behind)
    fits = pick(visible, mirrored) & (pick(inverse_depth, mirrored) <= _NEARER * pick(inverse_depth, behind))
    taken = torch.where(fits, mirrored, behind)
    flat = image.view(batch, channels, -1)
    picture, place = hidden // (height * width), hidden % (height * width)
    planes = picture * (channels * height * width) + _planes(flat)
    put(flat, (planes + place).flatten(), pick(flat, (planes + taken % (height * width)).flatten()))
    away = ((x - place % width).square() + (y - place // width).square()).float().sqrt_().mul_(0.5)
    wide = (inside & (away * _SOFTENING >= 0.5)).nonzero()[:, 0]
    if len(wide):
        _soften(flat, picture[wide], place[wide], away[wide], visible)
    return image


def _soften(flat: Tensor, picture: Tensor, place: Tensor, away: Tensor, visible: Tensor) -> None:
    # The farther from the background's edge, the less is known of what was there: thin lines that the mirror repeats
    # would draw the thing's outline again and again. Each hole takes the mean of holes about it, wider and wider; never
    # of what is seen, so that nothing of the thing before it comes in.
    _, height, width = visible.shape
    channels, pixels = flat.shape[1], height * width
    reach = (away * _SOFTENING).clamp_(max=_SOFTEST)
    x, y = place % width, place // width
    planes = picture * (channels * pixels) + _planes(flat)
    here = planes + place
    for share in (1.0, 0.6, 0.35):
        angles = [(turn + share) * math.pi / 4 for turn in range(8)]
        turns = flat.new_tensor([[share * math.cos(angle), share * math.sin(angle)] for angle in angles])
        means = []
        for start in range(0, len(reach), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            column = (turns[:, :1] * reach[part]).round_().long().add_(x[part]).clamp_(0, width - 1)
            row = (turns[:, 1:] * reach[part]).round_().long().add_(y[part]).clamp_(0, height - 1)
            other = row.mul_(width).add_(column)
            usable = (~visible.take(picture[part] * pixels + other)).float()
            colours = flat.take(planes[:, None, part] + other)
            total, count = flat.take(here[:, part]), torch.ones_like(reach[part])
            # One after the other, so that sums are rounded the same way on every device.
            for turn in range(8):
                total.addcmul_(colours[:, turn], usable[turn])
                count += usable[turn]
            means.append(total.div_(count))
        put(flat, here.flatten(), torch.cat(means, 1).flatten())


def _planes(flat: Tensor) -> Tensor:
    # Where each channel of a picture begins among all numbers of (B, C, N), as a column.
    return torch.arange(flat.shape[1], device=flat.device)[:, None] * flat.shape[2]


def fill_inverse_depth(inverse_depth: Tensor, known: Tensor) -> Tensor:
    """Inverse depths with the unknown ones taken smoothly from those about them, (B, h, w).

    Averages go down a pyramid, and come back up where there is nothing finer. Where nothing at all is known, the scene
    is taken to be infinitely far, which is 0.
    """
    if every(known):
        return inverse_depth
    first = min(_FINEST, *known.shape[-2:])
    levels = [(_average(torch.where(known, inverse_depth, 0.0)[:, None], first), _average(known[:, None], first))]
    while max(levels[-1][0].shape[-2:]) > 1:
        total, weight = levels[-1]
        levels.append((_average(total, 2), _average(weight, 2)))
    filled = torch.zeros_like(levels[-1][0])
    for total, weight in reversed(levels):
        coarse = functional.interpolate(filled, size=total.shape[-2:], mode="bilinear", align_corners=False)
        filled = torch.where(weight > 0, total / weight.clamp(min=1e-12), coarse)
    size = known.shape[-2:]
    smooth = functional.interpolate(filled, size=size, mode="bilinear", align_corners=False)[:, 0]
    seen = numbers(known)
    put(smooth, seen, pick(inverse_depth, seen))
    return smooth


def _average(values: Tensor, factor: int) -> Tensor:
    return functional.avg_pool2d(values.float(), min(factor, *values.shape[-2:]), factor, ceil_mode=True)
