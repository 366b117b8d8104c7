"""Guide Images and Load Guide Image: pictures that an animation reaches at their frames."""

from __future__ import annotations

from typing import Any

import torch

from . import host
from .clips import FIT_TOOLTIP, FITS, asked_size
from .core.errors import FramedriftError
from .files import input_file
from .host import io
from .links import pictures
from .options import chained, options_input, options_output, problem_in, problem_of, read_schedules, text_of

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_SCHEDULES = (
    "image_strength_schedule",
    "tweening_frames_schedule",
    "blendFactorMax",
    "blendFactorSlope",
    "color_correction_factor",
)


class GuideImages(io.ComfyNode):
    """Leads an animation to pictures."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftGuideImages",
            display_name="Guide Images",
            category="Framedrift/options",
            description="Pictures that the animation reaches: the one it starts from, the one it ends at, and any "
            "between, each at its frame. Before it the frames are drawn nearer and nearer to it, the coarse before "
            "the fine, so that no two pictures show through each other.",
            search_aliases=[
                "deforum guided images",
                "looper",
                "start frame",
                "end frame",
                "first last frame",
                "keyframe images",
                "morph",
            ],
            inputs=[options_input(), *_pictures(), *_course()],
            outputs=[options_output()],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        from .core.feedback.guides import Guides, parse_places

        if problem := problem_of(cls, kwargs, _SCHEDULES, Guides.BOUNDS):
            return problem
        try:
            places = parse_places(kwargs.get("keyframes") or "")
        except FramedriftError as error:
            return str(error)
        return _unmatched(kwargs, len(places)) or True

    @classmethod
    def execute(cls, options=None, start_image=None, end_image=None, images=None, keyframes="", **schedules):
        """The chain with these guides."""
        from .core.feedback.guides import Guides

        linked = {"start_image": start_image, "end_image": end_image, "images": images}
        given: dict[str, Any] = {name: pictures(name, batch) for name, batch in linked.items() if batch is not None}
        read = read_schedules(schedules, _SCHEDULES)
        return chained(options, Guides(schedules=read, places=text_of({"keyframes": keyframes}, "keyframes"), **given))


class LoadGuideImage(io.ComfyNode):
    """Reads a picture that is good for a guide."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftLoadGuideImage",
            display_name="Load Guide Image",
            category="Framedrift/options",
            description="Reads a JPG, PNG or WEBP of the input folder, turned as the camera was held, and refuses what "
            "is too small, too large or something else before anything runs: at least 300 pixels on the short side, at "
            "most 8192 on the long one and 100 MB.",
            search_aliases=["load image", "guide image", "start image", "end image", "keyframe image"],
            inputs=[
                io.Combo.Input(
                    "image",
                    options=_pictures_there(),
                    upload=io.UploadType.image,
                    tooltip="A picture in the input folder: JPG, PNG or WEBP by what it holds, whatever it is called.",
                ),
                io.Int.Input(
                    "width",
                    default=0,
                    min=0,
                    max=8192,
                    step=8,
                    tooltip="Width in pixels that it is brought to; 0 goes with the height.",
                ),
                io.Int.Input(
                    "height",
                    default=0,
                    min=0,
                    max=8192,
                    step=8,
                    tooltip="Height in pixels; 0 goes with the width. Both 0 keep its size: Guide Images crops it to "
                    "the animation's.",
                ),
                io.Combo.Input(
                    "fit",
                    options=FITS,
                    default=FITS[0],
                    tooltip=FIT_TOOLTIP,
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The picture, for Guide Images or any node that takes one."),
                io.Mask.Output("mask", tooltip="1 where it is transparent, or nothing of it is; else 0."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """Looks at the file itself, without decoding it."""
        from .core.feedback.guide_file import check_guide_file

        if problem := host.check_bounds(cls, {name: given for name, given in kwargs.items() if name != "image"}):
            return problem
        image = kwargs.get("image")
        return problem_in(lambda: isinstance(image, str) and check_guide_file(_file(image))) or True

    @classmethod
    def fingerprint_inputs(cls, image="", **kwargs):
        """Changes with the file, so that one that was replaced is read again."""
        try:
            stat = _file(image).stat()
        except FramedriftError:
            return image
        return [image, stat.st_mtime_ns, stat.st_size]

    @classmethod
    def execute(cls, image, width, height, fit):
        """The picture, and where it is transparent."""
        from .core.feedback.guide_file import read_guide_file
        from .core.video.edit import resized
        from .core.video.frames import as_frames

        picture = host.to_image(torch.cat(read_guide_file(_file(image)), 1))
        size = asked_size((picture.shape[1], picture.shape[2]), width, height)
        shown = resized(as_frames(picture), size, fit)[0][None]
        return io.NodeOutput(shown[..., :3].contiguous(), 1 - shown[..., 3])


def _unmatched(given: dict[str, Any], places: int) -> str | None:
    """That there is no picture at all, or keyframes and images do not go together, as far as links tell."""
    if not {"start_image", "end_image", "images"} & given.keys():
        return "start_image, end_image, images: nothing is linked; a guide is a picture, so link one of them."
    if places and "images" not in given:
        return f"images: nothing is linked, and keyframes names {places}. Link a picture for each, or empty it."
    if not places and given.get("keyframes") is not None and "images" in given:
        return "keyframes is empty, and images is linked: name a frame for each of its pictures, as in 24, 48."
    return None


def _pictures() -> list[Any]:
    place = "It is cropped to the animation's shape."
    return [
        io.Image.Input("start_image", optional=True, tooltip=f"The picture that the animation starts from. {place}"),
        io.Image.Input("end_image", optional=True, tooltip=f"The picture that its last frame arrives at. {place}"),
        io.Image.Input(
            "images",
            optional=True,
            tooltip=f"Pictures between, one for each of the keyframes below: Batch Images joins several. {place}",
        ),
        io.String.Input(
            "keyframes",
            default="",
            tooltip="The frames of images, with commas between them: 24, max_f/2, 2.5s. The frame of a guide is always "
            "diffused.",
        ),
    ]


def _course() -> list[Any]:
    return [
        host.schedule_input(
            "image_strength_schedule",
            "0:(0.75)",
            "How much of a guide is kept where it is reached, 0 to 1; the frames before go over to it from the "
            "sampler's strength. 1 shows the guide itself, 0 nothing of it.",
        ),
        host.schedule_input(
            "tweening_frames_schedule",
            "0:(20)",
            "Over how many frames before its own the animation goes over to a guide, 1 or more; never more than there "
            "are since the last one. What it is at the guide's frame counts.",
        ),
        host.schedule_input(
            "blendFactorMax",
            "0:(0.35)",
            "How much of the guide each frame takes in is blendFactorMax - blendFactorSlope * cos(2 * way), way going "
            "from 0 to 1; 0 to 1.",
            advanced=True,
        ),
        host.schedule_input(
            "blendFactorSlope",
            "0:(0.25)",
            "How much less it is at the beginning of the way, and more at its end; -1 to 1.",
            advanced=True,
        ),
        host.schedule_input(
            "color_correction_factor",
            "0:(0.075)",
            "How far each frame's colours are drawn to the guide's once it is painted, 0 to 1; wholly as the way ends. "
            "0 leaves all colours alone.",
            advanced=True,
        ),
    ]


def _pictures_there() -> list[str]:
    """Names of the pictures in the input folder."""
    root = host.input_directory()
    return sorted(path.name for path in root.iterdir() if path.suffix.lower() in _SUFFIXES) if root.is_dir() else []


def _file(name: str):
    """The file behind a name, which may end in " [input]" as ComfyUI writes it."""
    return input_file(name.removesuffix(" [input]"), "image")


NODES = [GuideImages, LoadGuideImage]
