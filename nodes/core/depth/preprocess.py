"""What a depth model wants to see: size, padding and levels, as its own files say."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as nn

from ..errors import FramedriftError

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_MODES = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which the files hold.

# A side never gets longer than this many times the model's own: a strip of a picture would not fit into memory.
_LONGEST = 4

# What transformers' processor of a model type does where the file is missing or silent.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "depth_anything": {"size": 518, "ensure_multiple_of": 14, "keep_aspect_ratio": True, "resample": 3},
    "prompt_depth_anything": {"size": 756, "ensure_multiple_of": 14, "keep_aspect_ratio": True, "resample": 3},
    "dpt": {"size": 384, "ensure_multiple_of": 1, "resample": 3, "image_mean": _HALF[0], "image_std": _HALF[1]},
    "zoedepth": {
        "size": (384, 512),
        "ensure_multiple_of": 32,
        "keep_aspect_ratio": True,
        "resample": 2,
        "do_pad": True,
        "image_mean": _HALF[0],
        "image_std": _HALF[1],
    },
    "glpn": {"size_divisor": 32, "resample": 2, "do_normalize": False},
    "depth_pro": {"size": 1536, "resample": 2, "image_mean": _HALF[0], "image_std": _HALF[1]},
    "tipsv2_dpt": {"size": 448, "resample": 2, "do_normalize": False},
    "chmv2": {
        "do_resize": False,
        "do_pad": True,
        "size_divisor": 16,
        "image_mean": (0.420, 0.411, 0.296),
        "image_std": (0.213, 0.156, 0.143),
    },
}


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a model's input, and how the prediction becomes the picture's size again.

    It does in torch what transformers' image processors do, within their rounding to 8 bits, for any device and
    without torchvision.

    Args:
        size: (h, w) to scale to; None keeps the picture's.
        multiple: both sides become a multiple of this.
        keep_aspect: scale both sides alike, by the factor that is nearer to 1.
        floor_to_multiple: round the picture's own size down to the multiple (GLPN), and do not scale otherwise.
        resample: nearest, bilinear or bicubic.
        antialias: filter while scaling down.
        align_corners: corner pixels keep their place (ZoeDepth).
        mirror_pad: pad by mirroring before scaling, and cut it off afterwards (ZoeDepth).
        zero_pad: pad with zeros after scaling, up to this multiple; 0 is none.
        mean, std: levels after normalising are (x - mean) / std.
    """

    size: tuple[int, int] | None
    multiple: int = 1
    keep_aspect: bool = False
    floor_to_multiple: bool = False
    resample: str = "bicubic"
    antialias: bool = True
    align_corners: bool = False
    mirror_pad: bool = False
    zero_pad: int = 0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def target(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) to which a picture of this (h, w), padding included, is scaled."""
        if self.floor_to_multiple:
            height, width = (max(1, side // self.multiple) * self.multiple for side in size)
            return height, width
        if self.size is None:
            return size
        factors = [want / side for want, side in zip(self.size, size, strict=True)]
        if self.keep_aspect:
            best = min(reversed(factors), key=lambda factor: abs(1.0 - factor))
            factors = [best, best]
        longest = _LONGEST * max(self.size)
        height, width = (
            max(1, round(min(factor * side, longest) / self.multiple)) * self.multiple
            for factor, side in zip(factors, size, strict=True)
        )
        return height, width

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W), 0..1, as the model's pixel_values (B, 3, h, w)."""
        image = image.to(torch.float32).clamp(0.0, 1.0)
        if self.mirror_pad:
            image = _mirror(image, _mirror_sides(image.shape[-2:]))
        target = self.target((image.shape[-2], image.shape[-1]))
        if target != tuple(image.shape[-2:]):
            # Bicubic overshoots; Pillow clips as it rounds to 8 bits, so the models were trained on clipped levels.
            image = _resize(image, target, self.resample, self.antialias, self.align_corners).clamp(0.0, 1.0)
        mean, std = (torch.tensor(v, dtype=torch.float32, device=image.device).view(1, 3, 1, 1) for v in _levels(self))
        image = (image - mean) / std
        if self.zero_pad:
            image = nn.pad(image, _zero_sides((image.shape[-2], image.shape[-1]), self.zero_pad))
        return image

    def undo(self, prediction: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """A prediction (B, 1, h, w) for a picture of this (h, w), at that size and without padding."""
        if self.zero_pad:
            inner = self.target(size)
            left, right, top, bottom = _zero_sides(inner, self.zero_pad)
            # The model may predict at another size than it sees, so padding counts in shares.
            rows, columns = (
                prediction.shape[-2] / (inner[0] + top + bottom),
                prediction.shape[-1] / (inner[1] + left + right),
            )
            first_row, first_column = round(top * rows), round(left * columns)
            last_row = max(first_row + 1, round((top + inner[0]) * rows))
            last_column = max(first_column + 1, round((left + inner[1]) * columns))
            prediction = prediction[..., first_row:last_row, first_column:last_column]
        if self.mirror_pad:
            rows, columns = _mirror_sides(size)
            padded = (size[0] + 2 * rows, size[1] + 2 * columns)
            prediction = nn.interpolate(prediction, size=padded, mode="bilinear", align_corners=False)
            return prediction[..., rows : rows + size[0], columns : columns + size[1]]
        if tuple(prediction.shape[-2:]) == tuple(size):
            return prediction
        # Bilinear, since bicubic would put rims of depths that are not there round every edge.
        return nn.interpolate(prediction, size=size, mode="bilinear", align_corners=False)


def read_preprocessing(settings: dict[str, Any], model_type: str) -> Preprocessing:
    """From what preprocessor_config.json holds ({} where there is none).

    Raises:
        FramedriftError: the file holds something that is no setting.
    """
    # Newer files keep the image's part under its own name.
    settings = settings.get("image_processor", settings)
    known = {key: value for key, value in settings.items() if value is not None}
    merged = {"image_mean": _IMAGENET[0], "image_std": _IMAGENET[1], **_DEFAULTS.get(model_type, {}), **known}
    try:
        return _build(merged, model_type)
    except (TypeError, ValueError, KeyError) as error:
        raise FramedriftError(f"preprocessor_config.json of the depth model is not understood: {error!r}.") from error


def _build(merged: dict[str, Any], model_type: str) -> Preprocessing:
    glpn = model_type == "glpn"
    zoe = model_type == "zoedepth"
    resize = merged.get("do_resize", True)
    normalise = merged.get("do_normalize", True)
    pads = bool(merged.get("do_pad", False))
    mean, std = (tuple(float(v) for v in merged[key]) for key in ("image_mean", "image_std"))
    if len(mean) != 3 or len(std) != 3:
        raise ValueError(f"image_mean and image_std must have three numbers: {mean}, {std}")
    return Preprocessing(
        size=None if glpn or not resize else _size(merged.get("size", 384)),
        multiple=int(merged.get("size_divisor", 32)) if glpn else max(1, int(merged.get("ensure_multiple_of", 1))),
        keep_aspect=bool(merged.get("keep_aspect_ratio", False)),
        floor_to_multiple=glpn and resize,
        resample=_MODES.get(int(merged.get("resample", 2)), "bicubic"),
        antialias=not zoe and model_type != "depth_pro",
        align_corners=zoe,
        mirror_pad=zoe and pads,
        zero_pad=int(merged.get("size_divisor") or 0) if pads and not zoe and not glpn else 0,
        mean=mean if normalise else (0.0, 0.0, 0.0),
        std=std if normalise else (1.0, 1.0, 1.0),
    )


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, dict):
        value = (value["height"], value["width"]) if "height" in value else value["shortest_edge"]
    height, width = (value, value) if isinstance(value, int) else value
    if height < 1 or width < 1:
        raise ValueError(f"size is {height}x{width}")
    return int(height), int(width)


def _levels(spec: Preprocessing) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return spec.mean, spec.std


def _resize(
    image: torch.Tensor, size: tuple[int, int], mode: str, antialias: bool, align_corners: bool
) -> torch.Tensor:
    if mode == "nearest":
        return nn.interpolate(image, size=size, mode="nearest-exact")
    return nn.interpolate(
        image, size=size, mode=mode, align_corners=align_corners, antialias=antialias and not align_corners
    )


def _mirror_sides(size: torch.Size | tuple[int, int]) -> tuple[int, int]:
    """Rows and columns that ZoeDepth's own preprocessing adds on each side."""
    return int(math.sqrt(size[0] / 2) * 3), int(math.sqrt(size[1] / 2) * 3)


def _mirror(image: torch.Tensor, sides: tuple[int, int]) -> torch.Tensor:
    """Mirrors without repeating the edge; where a picture is smaller than its padding, back and forth."""
    for axis, side in ((-2, sides[0]), (-1, sides[1])):
        length = image.shape[axis]
        period = max(1, 2 * (length - 1))
        index = torch.arange(-side, length + side, device=image.device).remainder(period)
        index = torch.where(index < length, index, period - index)
        image = image.index_select(axis, index)
    return image


def _zero_sides(size: tuple[int, int], multiple: int) -> tuple[int, int, int, int]:
    """left, right, top, bottom, the picture in the middle."""
    sides = []
    for length in (size[1], size[0]):
        missing = -length % multiple
        sides += [missing // 2, missing - missing // 2]
    left, right, top, bottom = sides
    return left, right, top, bottom
