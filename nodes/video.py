"""Frames to a video file, and to an IMAGE batch for other packs."""

from __future__ import annotations

from . import host, sockets
from .core.errors import FramedriftError
from .host import io, ui

GIB = 1024**3


def frames_input(tooltip: str):
    """A socket that takes FRAMES and IMAGE."""
    return io.MultiType.Input("frames", types=[sockets.Frames, io.Image], tooltip=tooltip)


class VideoCombine(io.ComfyNode):
    """Writes frames to an H.264 MP4 and plays it in the node."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftVideoCombine",
            display_name="Video Combine",
            category="Framedrift/video",
            description="Writes frames to an H.264 MP4, one at a time, with sound where it is given and the workflow "
            "in the file: drop it on the page to open the workflow again.",
            search_aliases=["deforum video", "save video", "create video", "ffmpeg", "mp4", "h264", "export animation"],
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                frames_input("What to write: an animation's frames, or an IMAGE batch."),
                io.Float.Input(
                    "frame_rate",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames per second (Deforum's fps). 0 takes the frames' own rate, and 15 for an IMAGE "
                    "batch, which has none.",
                ),
                io.Int.Input(
                    "crf",
                    default=19,
                    min=1,
                    max=51,
                    step=1,
                    tooltip="Quality as x264's constant rate factor, without a unit: 19 looks as the frames do, 23 is "
                    "smaller, 51 the worst. 6 more halve the file.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="video/framedrift",
                    tooltip="Where the file goes below the output folder, as ComfyUI's own savers take it: "
                    "subfolder/name, with %date:yyyy-MM-dd%, %width% and %height% filled in.",
                ),
                io.Boolean.Input(
                    "save_output",
                    default=True,
                    tooltip="On: the output folder. Off: the temp folder, which ComfyUI empties, to have a look.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="Sound to go with it, from frame 0 on. Cut at the video's end; silent where it is shorter.",
                ),
            ],
            outputs=[io.Video.Output("video", tooltip="The file, for ComfyUI's own video nodes.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A prefix that leads out of the folder is known before anything runs."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        prefix = kwargs.get("filename_prefix")
        if prefix is not None:
            try:
                host.check_prefix(prefix, place(kwargs.get("save_output", True)))
            except FramedriftError as error:
                return str(error)
        return True

    @classmethod
    def execute(cls, frames, frame_rate, crf, filename_prefix, save_output, audio=None):
        """Encodes frame by frame."""
        from .core.video.encode import encode_h264
        from .core.video.frames import Timeline, as_frames

        timeline = Timeline(as_frames(frames))
        path, saved = host.save_path(filename_prefix, "mp4", timeline.size, place(save_output))
        progress = host.Progress(len(timeline))

        def frame_done(number: int) -> None:
            host.check_interrupted()
            progress.step(number)

        encode_h264(
            timeline,
            path,
            frame_rate or timeline.fps,
            timeline.size,
            crf=crf,
            audio=audio,
            metadata=host.file_metadata(cls.hidden),
            on_frame=frame_done,
        )
        return io.NodeOutput(host.video_from_file(path), ui=ui.PreviewVideo([saved]))


class FramesToImages(io.ComfyNode):
    """Makes an IMAGE batch of frames."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftFramesToImages",
            display_name="Frames to Images",
            category="Framedrift/video",
            description="Loads frames into one IMAGE batch, for nodes of other packs. A batch lies in memory whole: "
            "take no more frames than are needed.",
            search_aliases=["deforum frames", "image batch", "extract frames", "load frames", "get images"],
            inputs=[
                frames_input("What to take images from: an animation's frames, or an IMAGE batch."),
                io.Int.Input(
                    "start",
                    default=0,
                    min=0,
                    max=1_000_000,
                    step=1,
                    tooltip="The first frame to take, counted from 0 among the frames that come in.",
                ),
                io.Int.Input(
                    "count",
                    default=0,
                    min=0,
                    max=1_000_000,
                    step=1,
                    tooltip="How many images to make at most; 0 makes all there are.",
                ),
                io.Int.Input(
                    "every_nth",
                    default=1,
                    min=1,
                    max=100_000,
                    step=1,
                    tooltip="Takes one frame of every so many (Deforum's extract_nth_frame); 1 takes all.",
                ),
                io.Float.Input(
                    "max_gib",
                    default=16.0,
                    min=0.01,
                    max=4096.0,
                    step=0.5,
                    advanced=True,
                    tooltip="Refuses, before anything is loaded, to make a batch larger than this, in GiB.",
                ),
            ],
            outputs=[io.Image.Output("images", tooltip="The frames, (B, H, W, 3).")],
        )

    @classmethod
    def execute(cls, frames, start, count, every_nth, max_gib=16.0):
        """Loads the chosen frames, one at a time."""
        from .core.video.frames import as_frames, gather

        def frame_done(number: int) -> None:
            host.check_interrupted()
            progress.step(number)

        source = as_frames(frames)
        progress = host.Progress(len(range(start, len(source), every_nth)[: count or None]))
        return io.NodeOutput(gather(source, start, count, every_nth, int(max_gib * GIB), frame_done))


def place(save_output: bool | None) -> str:
    """The folder that a choice to save or only to look means."""
    return "temp" if save_output is False else "output"


NODES = [VideoCombine, FramesToImages]
