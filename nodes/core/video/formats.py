"""What a video can be written as, and which of it this build of FFmpeg can write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..errors import FramedriftError

Kind = Literal["film", "gif", "webp", "apng", "sequence"]
DEFAULT = "mp4 (H.264)"


def x264(crf: float) -> float:
    """The scale that the node's quality is given on: x264's own."""
    return crf


def x265(crf: float) -> float:
    """x265 looks as x264 does at a crf about 3 higher."""
    return min(crf + 3, 51)


def out_of_63(crf: float) -> float:
    """VP9 and AV1 count to 63 where x264 counts to 51."""
    return round(crf * 63 / 51)


def percent(crf: float) -> float:
    """WebP's quality, 100 the best: 19 is 86, 23 is 80, 51 is 0."""
    return 100 * (1 - (crf / 51) ** 2)


@dataclass(frozen=True)
class Format:
    """One thing that a video can be written as.

    Attributes:
        name: what the user chooses.
        kind: which writer makes it.
        extension: of the file, without a dot.
        codec: the codec's name in sentences.
        encoders: FFmpeg's encoders that make it, the best first; empty where none is needed.
        options: of each encoder.
        container: FFmpeg's muxer.
        pixels: pixel format; `deep` at 10 bits, `clear` with alpha, where the format has these.
        quality: from x264's crf to the encoder's; None where it has no such thing.
        sound: audio encoders, the best first; empty where it has no sound.
        multiple: what height and width must be a multiple of; they are padded.
        smallest: the least height or width, in pixels.
        largest: the greatest height or width.
        plays: whether the page can play the file itself.
        reads: whether ComfyUI's VIDEO reads the file: FFmpeg knows no animated WebP, and of an APNG no duration.
        passes: how often each frame is gone through.
    """

    name: str
    kind: Kind
    extension: str
    codec: str
    encoders: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    container: str = ""
    pixels: str = ""
    deep: str = ""
    clear: str = ""
    quality: Callable[[float], float] | None = None
    sound: tuple[str, ...] = ()
    multiple: tuple[int, int] = (1, 1)
    smallest: int = 1
    largest: int = 65535
    plays: bool = False
    reads: bool = True
    passes: int = 1

    @property
    def keeps_alpha(self) -> bool:
        """Whether pictures with an alpha channel keep it."""
        return bool(self.clear) or self.kind != "film"


# libx265 would print its settings, and libvpx would code at a bit rate beside the crf. At widths of 33 to 48 pixels
# libx265 writes outside of its memory, and the process dies: H.265 begins at 64.
X265 = {"x265-params": "log-level=error"}
VP9 = {"b": "0", "row-mt": "1", "cpu-used": "4", "deadline": "good", "auto-alt-ref": "0"}
PRORES = {"vendor": "apl0"}
AV1 = {"libsvtav1": {"preset": "8"}, "libaom-av1": {"cpu-used": "6", "row-mt": "1", "b": "0"}}
EVEN = (2, 2)

FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        Format(DEFAULT, "film", "mp4", "H.264", ("libx264",), {}, "mp4", "yuv420p", quality=x264, sound=("aac",),
               multiple=EVEN, smallest=2, largest=16384, plays=True),
        Format("mp4 (H.265)", "film", "mp4", "H.265", ("libx265",), {"libx265": X265}, "mp4", "yuv420p",
               "yuv420p10le", quality=x265, sound=("aac",), multiple=EVEN, smallest=64, largest=16384),
        Format("mp4 (AV1)", "film", "mp4", "AV1", ("libsvtav1", "libaom-av1"), AV1, "mp4", "yuv420p",
               "yuv420p10le", quality=out_of_63, sound=("aac",), multiple=EVEN, smallest=16, largest=16384, plays=True),
        Format("webm (VP9)", "film", "webm", "VP9", ("libvpx-vp9",), {"libvpx-vp9": VP9}, "webm", "yuv420p",
               clear="yuva420p", quality=out_of_63, sound=("libopus",), smallest=2, plays=True),
        Format("mov (ProRes 422 HQ)", "film", "mov", "ProRes", ("prores_ks",), {"prores_ks": PRORES | {"profile": "3"}},
               "mov", "yuv422p10le", "yuv422p10le", sound=("pcm_s24le",), multiple=(1, 2), smallest=2),
        Format("mov (ProRes 4444)", "film", "mov", "ProRes", ("prores_ks",), {"prores_ks": PRORES | {"profile": "4"}},
               "mov", "yuv444p10le", "yuv444p10le", "yuva444p10le", sound=("pcm_s24le",), smallest=2),
        Format("gif", "gif", "gif", "GIF", ("gif",), passes=2),
        Format("webp (animated)", "webp", "webp", "WebP", quality=percent, largest=16383, reads=False),
        Format("apng", "apng", "png", "APNG", largest=1_000_000, reads=False),
        Format("png sequence", "sequence", "png", "PNG", largest=1_000_000, reads=False),
    )
}  # fmt: skip


def format_of(name: str | Format) -> Format:
    """The format of this name; FramedriftError, which says the names there are, where there is none."""
    if isinstance(name, Format):
        return name
    if name not in FORMATS:
        raise FramedriftError(f"format: {name!r} is not known. It can be {', '.join(FORMATS)}.")
    return FORMATS[name]


def encoder_named(names: tuple[str, ...]) -> str | None:
    """The first of these encoders that this build of FFmpeg has."""
    import av
    from av.codec.codec import UnknownCodecError

    for name in names:
        try:
            av.Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    return None


def is_writable(wanted: Format) -> bool:
    """Whether the encoders for it are there."""
    if wanted.kind == "webp":
        from PIL import features

        return bool(features.check("webp"))
    return not wanted.encoders or encoder_named(wanted.encoders) is not None


def check_writable(wanted: Format) -> None:
    """Raises FramedriftError, which says what this build can write, where it cannot write this."""
    if is_writable(wanted):
        return
    there = [known.name for known in FORMATS.values() if is_writable(known)]
    needs = " or ".join(wanted.encoders) or "Pillow with WebP"
    raise FramedriftError(
        f"format: this build of FFmpeg has no {wanted.codec} encoder ({needs}). It can write {', '.join(there)}. "
        "`pip install --force-reinstall av` brings all of them."
    )


def check_size(wanted: Format, size: tuple[int, int]) -> None:
    """Raises FramedriftError where the format cannot hold pictures of (h, w)."""
    height, width = size
    if min(size) < wanted.smallest:
        least = wanted.smallest
        raise FramedriftError(
            f"frames: {width}x{height} is too small for a video in {wanted.codec}; {least}x{least} is the least."
        )
    if max(size) > wanted.largest:
        raise FramedriftError(
            f"frames: {width}x{height} is too large for {wanted.codec}, which ends at {wanted.largest} pixels a side. "
            "Make them smaller, or choose another format."
        )


def padded_size(wanted: Format, size: tuple[int, int]) -> tuple[int, int]:
    """The least (h, w) that holds `size` and that the format can code."""
    height, width = (-(-length // step) * step for length, step in zip(size, wanted.multiple, strict=True))
    return height, width
