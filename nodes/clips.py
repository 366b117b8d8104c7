"""Frames in and out: from videos and images, cut, retimed, joined, upscaled, and the last one to go on from."""

from __future__ import annotations

from typing import Any

import torch

from . import host, sockets
from .core.errors import FramedriftError
from .files import input_file
from .host import io
from .links import batch, clip, masks
from .options import problem_in
from .projection import bad_range, projection_inputs, warp_settings
from .video import frames_input

#: The longest side of a picture that is made, in pixels.
LONGEST = 16384
FITS = ["crop", "pad", "stretch"]
_BETWEENS = ["tween", "nearest"]
FIT_TOOLTIP = (
    "How a picture of another shape is fitted: crop fills the frame and cuts off what is over, pad shows all of it "
    "with black beside it, stretch does not keep the shape."
)
_BETWEEN_TOOLTIP = (
    "How frames that fall between two are made: tween samples them from both neighbours, moved by the camera where "
    "there is one; nearest shows the nearest frame as it is."
)


def _frames_output(tooltip: str) -> Any:
    return sockets.Frames.Output("frames", tooltip=tooltip)


class LoadVideoFrames(io.ComfyNode):
    """A video as frames."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftLoadVideoFrames",
            display_name="Load Video Frames",
            category="Framedrift/video",
            description="Reads a video as frames, each decoded when it is asked for, so that its length takes no "
            "memory. Takes a VIDEO link, from ComfyUI's Load Video for one, or a file's name in the input folder.",
            search_aliases=[
                "load video",
                "video to frames",
                "deforum video input",
                "video_init_path",
                "extract frames",
            ],
            inputs=[
                io.Video.Input("video", optional=True, tooltip="The video. Without it `file` is read."),
                io.String.Input(
                    "file", default="", tooltip="Name of a video file in ComfyUI's input folder, such as clip.mp4."
                ),
                io.Int.Input(
                    "start",
                    default=0,
                    min=-10_000_000,
                    max=10_000_000,
                    step=1,
                    tooltip="First frame to take (Deforum's extract_from_frame), counted from 0; negative counts from "
                    "the end.",
                ),
                io.Int.Input(
                    "end",
                    default=-1,
                    min=-10_000_000,
                    max=10_000_000,
                    step=1,
                    tooltip="Last frame to take (Deforum's extract_to_frame); -1 is the last of all.",
                ),
                io.Int.Input(
                    "every_nth",
                    default=1,
                    min=1,
                    max=100_000,
                    step=1,
                    tooltip="Takes one frame of every so many (Deforum's extract_nth_frame); 1 takes all. The frame "
                    "rate falls with it.",
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames per second that the video is resampled to, before anything is counted; 0 keeps its "
                    "own rate.",
                ),
                io.Int.Input(
                    "width", default=0, min=0, max=8192, step=8, tooltip="Width in pixels; 0 goes with the height."
                ),
                io.Int.Input(
                    "height",
                    default=0,
                    min=0,
                    max=8192,
                    step=8,
                    tooltip="Height in pixels; 0 goes with the width. Both 0 keep the video's size.",
                ),
                io.Combo.Input("fit", options=FITS, default=FITS[0], tooltip=FIT_TOOLTIP),
            ],
            outputs=[
                _frames_output("The frames, decoded when they are asked for."),
                io.Float.Output("fps", tooltip="Their rate."),
                io.Int.Output("num_frames", tooltip="How many there are."),
                io.Int.Output("width", tooltip="Their width in pixels."),
                io.Int.Output("height", tooltip="Their height in pixels."),
                io.Video.Output("video", tooltip="The video itself, for the audio input of Video Combine."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """No source, two of them, or a file that is not there is said before anything runs."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        file = kwargs.get("file")
        if file is not None and (problem := _sources_problem("video" in kwargs, file)):
            return problem
        return problem_in(lambda: file and file.strip() and input_file(file)) or True

    @classmethod
    def fingerprint_inputs(cls, file="", **kwargs):
        """Changes with the file, so that one that was replaced is read again."""
        try:
            stat = input_file(file).stat() if file else None
        except FramedriftError:
            return file
        return [file, stat.st_mtime_ns, stat.st_size] if stat else file

    @classmethod
    def execute(cls, file, start, end, every_nth, fps, width, height, fit, video=None):
        """Opens the video."""
        from .core.video.edit import resized, retimed, trimmed
        from .core.video.frames import as_frames

        if problem := _sources_problem(video is not None, file):
            raise FramedriftError(problem)
        video = host.video_from_file(input_file(file)) if video is None else video
        frames = as_frames(clip("file" if file.strip() else "video", video))
        if fps:
            frames = retimed(frames, fps=fps, between="nearest")
        frames = resized(trimmed(frames, start, end, every_nth), asked_size(frames.size, width, height), fit)
        return io.NodeOutput(frames, frames.fps, len(frames), frames.size[1], frames.size[0], video)


class ImagesToFrames(io.ComfyNode):
    """An IMAGE batch as frames with a rate, and with a camera where there is one."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftImagesToFrames",
            display_name="Images to Frames",
            category="Framedrift/video",
            description="Takes an IMAGE batch for the frames of an animation, one every so many frames. With the "
            "camera that made them, and their depth, Cadence Blend fills in what lies between.",
            search_aliases=["batch to frames", "images to video", "interpolate images", "deforum frames"],
            inputs=[
                io.Image.Input("images", tooltip="The pictures in their order."),
                host.fps_input("Frames per second of the animation.", round=0.001),
                io.Int.Input(
                    "spacing",
                    default=1,
                    min=1,
                    max=10_000,
                    step=1,
                    tooltip="Every how many frames a picture stands. More than 1 leaves gaps, for Cadence Blend.",
                ),
                sockets.Camera.Input("camera", optional=True, tooltip="How the camera moves from picture to picture."),
                io.MultiType.Input(
                    "depth",
                    types=[io.Image, io.Mask],
                    optional=True,
                    tooltip="How near everything is, white nearest: one picture for each image, of the images' size.",
                ),
                host.seed_input("What the camera's schedules see as s.", advanced=True),
                *projection_inputs(advanced=True),
                io.Int.Input(
                    "loop_frames",
                    default=0,
                    min=0,
                    max=100_000,
                    step=1,
                    tooltip="Seamless loop: over so many frames behind the last picture Cadence Blend goes back to the "
                    "first. 0 is no loop.",
                ),
            ],
            outputs=[_frames_output("The pictures as frames.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or bad_range(kwargs) or True

    @classmethod
    def execute(cls, images, fps, spacing, seed, loop_frames=0, camera=None, depth=None, **projection):
        """Nothing is copied."""
        from .core.video.frames import BatchFrames

        images = batch("images", images)
        count, height, width = images.shape[:3]
        last = (count - 1) * spacing
        # The closing way is measured to the first picture's return, which is no frame of its own.
        num_frames = last + max(loop_frames, 1)
        if depth is not None:
            pictures = isinstance(depth, torch.Tensor) and depth.ndim == 4
            depth = batch("depth", depth)[..., :3].mean(-1) if pictures else masks("depth", depth)
            if tuple(depth.shape) != (count, height, width):
                raise FramedriftError(
                    f"depth: {depth.shape[0]} pictures of {depth.shape[2]}x{depth.shape[1]} for {count} images of "
                    f"{width}x{height}; give one of the same size for each image."
                )
        track = camera.track(num_frames, fps, seed, (height, width)) if camera is not None else None
        frames = BatchFrames(
            images,
            fps,
            indices=range(0, last + 1, spacing),
            num_frames=num_frames,
            track=track,
            settings=warp_settings(projection),
            disparities=depth,
            loops=loop_frames > 0,
        )
        return io.NodeOutput(frames)


class TrimFrames(io.ComfyNode):
    """A part of an animation."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftTrimFrames",
            display_name="Trim Frames",
            category="Framedrift/video",
            description="Keeps the frames from start to end. Gaps are filled with tweens first, so that every frame of "
            "the finished animation counts.",
            search_aliases=["cut video", "crop frames", "select frames", "skip frames", "extract_nth_frame"],
            inputs=[
                frames_input("What to cut."),
                io.Int.Input(
                    "start",
                    default=0,
                    min=-1_000_000,
                    max=1_000_000,
                    step=1,
                    tooltip="First frame to keep, counted from 0; negative counts from the end: -10 keeps the last 10.",
                ),
                io.Int.Input(
                    "end",
                    default=-1,
                    min=-1_000_000,
                    max=1_000_000,
                    step=1,
                    tooltip="Last frame to keep; -1 is the last.",
                ),
                io.Int.Input(
                    "every_nth",
                    default=1,
                    min=1,
                    max=100_000,
                    step=1,
                    tooltip="Keeps one frame of every so many; the frame rate falls with it, and the pace stays.",
                ),
            ],
            outputs=[_frames_output("The frames that are kept.")],
        )

    @classmethod
    def execute(cls, frames, start, end, every_nth):
        """Loads nothing yet."""
        from .core.video.edit import trimmed
        from .core.video.frames import as_frames

        return io.NodeOutput(trimmed(as_frames(clip("frames", frames)), start, end, every_nth))


class ReverseFrames(io.ComfyNode):
    """An animation from its end."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftReverseFrames",
            display_name="Reverse Frames",
            category="Framedrift/video",
            description="Plays an animation backwards, or forth and back as a loop.",
            search_aliases=["reverse video", "backwards", "ping-pong", "boomerang", "loop"],
            inputs=[
                frames_input("What to turn round."),
                io.Combo.Input(
                    "mode",
                    options=["reverse", "ping-pong"],
                    default="reverse",
                    tooltip="reverse: from the last frame to the first. ping-pong: forth and back, neither end twice "
                    "in a row, so that it loops.",
                ),
            ],
            outputs=[_frames_output("The frames in their new order.")],
        )

    @classmethod
    def execute(cls, frames, mode):
        """Loads nothing yet."""
        from .core.video.edit import ping_pong, turned_round
        from .core.video.frames import as_frames

        return io.NodeOutput((ping_pong if mode == "ping-pong" else turned_round)(as_frames(clip("frames", frames))))


class RetimeFrames(io.ComfyNode):
    """An animation slower, faster, or at another rate."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftRetimeFrames",
            display_name="Retime Frames",
            category="Framedrift/video",
            description="Makes an animation slower or faster, or brings it to another frame rate. Of a run's frames, "
            "new ones are sampled from the diffused ones, moved by the camera: real slow motion.",
            search_aliases=["slow motion", "speed", "frame rate", "fps conversion", "interpolate", "time remap"],
            inputs=[
                frames_input("What to retime. Frames right from the sampler give the sharpest slow motion."),
                io.Float.Input(
                    "speed",
                    default=1.0,
                    min=0.01,
                    max=100.0,
                    step=0.05,
                    round=0.001,
                    tooltip="0.5 takes twice as long, 2 half as long.",
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames per second of the result; 0 keeps the rate. The pace stays.",
                ),
                io.Combo.Input("between", options=_BETWEENS, default=_BETWEENS[0], tooltip=_BETWEEN_TOOLTIP),
            ],
            outputs=[_frames_output("The retimed frames, made when they are asked for.")],
        )

    @classmethod
    def execute(cls, frames, speed, fps, between):
        """Makes nothing yet."""
        from .core.video.edit import retimed
        from .core.video.frames import as_frames

        return io.NodeOutput(retimed(as_frames(clip("frames", frames)), speed, fps, between))


class JoinClips(io.ComfyNode):
    """Clips one after the other."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        clips = [
            frames_input("The first clip: its size and rate are the result's.", id="clip_1"),
            frames_input("What comes after it.", id="clip_2"),
        ]
        clips += [frames_input("What comes then.", id=f"clip_{number}", optional=True) for number in range(3, 7)]
        return io.Schema(
            node_id="FramedriftJoinClips",
            display_name="Join Clips",
            category="Framedrift/video",
            description="Puts clips one after the other, with a cut or a crossfade. The others are brought to the "
            "first one's size and frame rate.",
            search_aliases=["concatenate", "append video", "merge videos", "crossfade", "extend video", "edit"],
            inputs=[
                *clips,
                io.Int.Input(
                    "crossfade",
                    default=0,
                    min=0,
                    max=10_000,
                    step=1,
                    tooltip="Frames during which one clip goes over into the next; 0 cuts. The result is shorter by "
                    "them.",
                ),
                io.Combo.Input("fit", options=FITS, default=FITS[0], tooltip=FIT_TOOLTIP),
                io.Combo.Input("between", options=_BETWEENS, default=_BETWEENS[0], tooltip=_BETWEEN_TOOLTIP),
            ],
            outputs=[_frames_output("All clips as one, loaded when they are asked for.")],
        )

    @classmethod
    def execute(cls, clip_1, clip_2, crossfade, fit, between, **more):
        """Loads nothing yet."""
        from .core.video.edit import joined
        from .core.video.frames import as_frames

        linked = {"clip_1": clip_1, "clip_2": clip_2} | {name: more[name] for name in sorted(more)}
        clips = [as_frames(clip(name, given)) for name, given in linked.items() if given is not None]
        return io.NodeOutput(joined(clips, crossfade, fit, between))


class LastFrame(io.ComfyNode):
    """The picture that an animation ends on."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftLastFrame",
            display_name="Last Frame",
            category="Framedrift/video",
            description="The last picture of an animation, to go on from: link it to the init_image of the next Frame "
            "Feedback Sampler, or to any node that takes an image.",
            search_aliases=["extend", "continue", "final frame", "get last image"],
            inputs=[frames_input("The animation.")],
            outputs=[io.Image.Output("image", tooltip="Its last frame.")],
        )

    @classmethod
    def execute(cls, frames):
        """Loads one picture."""
        from .core.video.edit import gapless
        from .core.video.frames import as_frames

        return io.NodeOutput(gapless(as_frames(clip("frames", frames)))[-1][None, ..., :3])


class UpscaleFrames(io.ComfyNode):
    """Every frame made larger by an upscale model, one at a time."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftUpscaleFrames",
            display_name="Upscale Frames",
            category="Framedrift/video",
            description="Puts every frame through an upscale model when it is asked for, so that no more than one "
            "large picture is held, however long the animation is.",
            search_aliases=["upscale video", "esrgan", "super resolution", "upscale image using model"],
            inputs=[
                frames_input("What to upscale. Gaps are filled with tweens first, at the small size."),
                io.UpscaleModel.Input("upscale_model", tooltip="From ComfyUI's Load Upscale Model."),
                io.Int.Input(
                    "width", default=0, min=0, max=LONGEST, step=8, tooltip="Width in pixels; 0 goes with the height."
                ),
                io.Int.Input(
                    "height",
                    default=0,
                    min=0,
                    max=LONGEST,
                    step=8,
                    tooltip="Height in pixels; 0 goes with the width. Both 0 keep what the model gives.",
                ),
            ],
            outputs=[_frames_output("The larger frames, made when they are asked for.")],
        )

    @classmethod
    def execute(cls, frames, upscale_model, width, height):
        """Upscales nothing yet."""
        from .core.video.edit import Changed, gapless, resized
        from .core.video.frames import as_frames

        source = gapless(as_frames(clip("frames", frames)))
        size = tuple(round(side * upscale_model.scale) for side in source.size)

        def change(picture):
            host.check_interrupted()
            return host.to_image(host.upscale(upscale_model, host.to_core(picture[None])))[0].cpu()

        large = Changed(source, change, size)
        return io.NodeOutput(resized(large, asked_size(size, width, height), "crop"))


def _sources_problem(linked: bool, file: str) -> str | None:
    if linked != bool(file.strip()):
        return None
    if linked:
        return "video and file are both given: unlink the video, or empty file."
    return "video and file are both missing: link a video, or name a file of the input folder."


def asked_size(own: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """(h, w) of what was asked for, where 0 goes with the other side. FramedriftError where that side is too long."""
    if not width and not height:
        return own
    size = height or max(1, round(width * own[0] / own[1])), width or max(1, round(height * own[1] / own[0]))
    for name, side in zip(("height", "width"), size, strict=True):
        if side > LONGEST:
            raise FramedriftError(
                f"{name}: it goes with the other side of a picture of {own[1]}x{own[0]}, and would be {side}; "
                f"{LONGEST} is the most. Ask for a smaller picture, or give both sides."
            )
    return size


NODES = [
    LoadVideoFrames,
    ImagesToFrames,
    TrimFrames,
    ReverseFrames,
    RetimeFrames,
    JoinClips,
    LastFrame,
    UpscaleFrames,
]
