"""Two pictures of one moment made into one: by nearness, by what each of them shows, without losing contrast."""

import torch
import torch.nn.functional as F  # noqa: N812

# Bands of detail whose contrast is kept, an octave each; coarser shapes (over some 16 pixels) simply cross-dissolve.
_BANDS = 4
# Energy under which a band counts as flat: a quarter of an 8-bit level, squared.
_FLAT = 1e-6
# Share of a block that is known at which it counts half, and what lies about it the other half.
_LITTLE = 0.1


def shares(holes_a: torch.Tensor, holes_b: torch.Tensor, weight_b: float) -> torch.Tensor:
    """How much of `b` each pixel shows: its weight where both pictures are seen, all or nothing in the holes of one.

    Where both have holes the weight decides. Towards a hole its picture fades out over the visible side, so that the
    edge of what one picture uncovered never shows: the wider the hole, the wider.

    Args:
        holes_a: (B, 1, H, W), 1 where `a` saw nothing.
        holes_b: the same of `b`.
        weight_b: 0..1.

    Returns:
        (B, 1, H, W), 0..1; the share of `a` is the rest to 1.
    """
    # Steeper near a picture's own time, where its holes are about to close and their fades would go all at once.
    seen_a = _seen(holes_a) ** max(weight_b, 0.5)
    seen_b = _seen(holes_b) ** max(1 - weight_b, 0.5)
    part_a = seen_a * (1 - seen_b * weight_b)
    part_b = seen_b * (1 - seen_a * (1 - weight_b))
    # The touch of both decides where neither is seen, and is lost in rounding elsewhere.
    touch = 1e-6
    return (part_b + touch * weight_b) / (part_a + part_b + touch)


def filled_alike(
    a: torch.Tensor, holes_a: torch.Tensor, b: torch.Tensor, holes_b: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both pictures with their holes filled from each other, brought to the colours that the picture has around them.

    The difference of the two, where both are seen, goes on smoothly into the holes: so a hole shows the other's detail
    in its own picture's colours, and its edge is hardly seen. Where neither is seen, both stay as they are.

    Args:
        a, b: (1, C, H, W).
        holes_a, holes_b: (1, 1, H, W), 1 where the picture saw nothing.
    """
    blind_a, blind_b = holes_a > 0, holes_b > 0
    if not bool((blind_a | blind_b).any()):
        return a, b
    apart = _carried_on(a - b, ~(blind_a | blind_b))
    # Towards a hole the detail of one goes over into that of the other.
    of_b = torch.where(blind_b, torch.zeros_like(holes_a), 1 - _seen(holes_a))
    of_a = torch.where(blind_a, torch.zeros_like(holes_b), 1 - _seen(holes_b))
    return (a + of_b * (b + apart - a)).clamp(0, 1), (b + of_a * (a - apart - b)).clamp(0, 1)


def _carried_on(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """What is coarse in (1, C, H, W) values, carried on smoothly to where they are not known: a pull and push pyramid.

    Where little is known nearby, what is known farther away counts. Only shapes over a thirty-second of the
    picture are kept: fine ones would end at a hole's edge in blocks.
    """
    height, width = values.shape[-2:]
    side = max(1, min(height, width) // 32)
    weight = known.float()
    levels = [(_pooled(values * weight, side), _pooled(weight, side))]
    while max(levels[-1][0].shape[-2:]) > 1:
        levels.append((_pooled(levels[-1][0], 2), _pooled(levels[-1][1], 2)))
    found = torch.zeros_like(levels[-1][0])
    for total, share in reversed(levels):
        farther = F.interpolate(found, size=total.shape[-2:], mode="bilinear", align_corners=False)
        trust = share / (share + _LITTLE)
        found = farther + trust * (total / share.clamp(min=1e-6) - farther)
    return F.interpolate(found, size=(height, width), mode="bicubic", align_corners=False)


def _pooled(values: torch.Tensor, side: int) -> torch.Tensor:
    height, width = values.shape[-2:]
    return F.avg_pool2d(values, (min(side, height), min(side, width)), ceil_mode=True)


def dissolve(a: torch.Tensor, b: torch.Tensor, share_b: torch.Tensor) -> torch.Tensor:
    """The plain cross-dissolve; details that differ lose up to half their variance in the middle."""
    return a + share_b * (b - a)


def dissolve_keeping_contrast(a: torch.Tensor, b: torch.Tensor, share_b: torch.Tensor) -> torch.Tensor:
    """A cross-dissolve whose fine details keep the contrast that the two pictures have.

    Mixing details that differ lowers their variance by `s (1 - s) (a - b)^2`. That much is given back, octave by
    octave and locally: nothing where the pictures agree, and at most what two unrelated pictures lose.

    Args:
        a: (B, C, H, W).
        b: the same shape.
        share_b: (B, 1, H, W), 0..1; 0 gives `a` and 1 gives `b`, exactly up to rounding.

    Returns:
        (B, C, H, W); may leave the range of the inputs a little.
    """
    lost_share = share_b * (1 - share_b)
    most = 1 / (1 - 2 * lost_share)
    result = torch.zeros_like(a)
    for band in range(_BANDS):
        smooth_a, smooth_b = _halve(a, band), _halve(b, band)
        detail_a, detail_b = a - smooth_a, b - smooth_b
        mixed = dissolve(detail_a, detail_b, share_b)
        lost = _energy((detail_a - detail_b) * lost_share.sqrt(), band)
        result += mixed * (1 + lost / (_energy(mixed, band) + _FLAT)).minimum(most).sqrt()
        a, b = smooth_a, smooth_b
    return result + dissolve(a, b, share_b)


def _seen(holes: torch.Tensor) -> torch.Tensor:
    """0 in holes, rising to 1 on the visible side only."""
    if not holes.any():
        return torch.ones_like(holes)
    seen = 1 - F.avg_pool2d(F.max_pool2d(holes, 3, 1, 1), 3, 1, 1, count_include_pad=False)
    # A fade of each width shows at the holes that are as wide: so it vanishes as they do, towards the picture's own
    # time. Outside counts as seen, since what runs along the border is no wider than it is in the picture.
    radius = 4
    while radius <= max(4, min(holes.shape[-2:]) // 16):
        seen = seen * (1 - 2 * _box_twice(holes, radius, outside_counts=True)).clamp(0, 1)
        radius *= 2
    return seen.clamp(0, 1)


def _box_twice(x: torch.Tensor, radius: int, outside_counts: bool) -> torch.Tensor:
    """Blurs by a triangle that ends `radius` pixels away."""
    half = radius // 2
    for _ in range(2):
        for kernel, padding in (((2 * half + 1, 1), (half, 0)), ((1, 2 * half + 1), (0, half))):
            x = F.avg_pool2d(x, kernel, 1, padding, count_include_pad=outside_counts)
    return x


def _halve(x: torch.Tensor, band: int) -> torch.Tensor:
    """Takes the finest remaining octave out: a binomial filter with holes of `2^band` pixels, borders repeated."""
    b, c, h, w = x.shape
    step = 2**band
    taps = x.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    x = x.reshape(b * c, 1, h, w)
    x = F.conv2d(F.pad(x, (2 * step, 2 * step, 0, 0), mode="replicate"), taps.view(1, 1, 1, 5), dilation=(1, step))
    x = F.conv2d(F.pad(x, (0, 0, 2 * step, 2 * step), mode="replicate"), taps.view(1, 1, 5, 1), dilation=(step, 1))
    return x.reshape(b, c, h, w)


def _energy(detail: torch.Tensor, band: int) -> torch.Tensor:
    """(B, 1, H, W): the mean square over all channels and a neighbourhood of a few of the band's waves."""
    square = detail.square().mean(1, keepdim=True)
    return _halve(_halve(square, band), band + 1)
