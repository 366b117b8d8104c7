"""Frames to video files and animated pictures, and to an IMAGE batch for other packs."""

from __future__ import annotations

from . import host, sockets
from .core.errors import FramedriftError
from .core.video.formats import DEFAULT, FORMATS, check_writable, format_of
from .host import io, ui
from .links import clip

GIB = 1024**3


def frames_input(tooltip: str, id: str = "frames", optional: bool = False):  # noqa: A002 - ComfyUI's own name
    """A socket that takes FRAMES, IMAGE and VIDEO."""
    return io.MultiType.Input(id, types=[sockets.Frames, io.Image, io.Video], optional=optional, tooltip=tooltip)


class VideoCombine(io.ComfyNode):
    """Writes frames to a video file, an animated picture or a folder of pictures, and plays it in the node."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftVideoCombine",
            display_name="Video Combine",
            category="Framedrift/video",
            description="Writes frames to MP4, WebM, MOV, GIF, WebP, APNG or a PNG sequence, one at a time, with sound "
            "where it is given and the workflow in the file: drop it on the page to open the workflow again.",
            search_aliases=[
                "deforum video",
                "save video",
                "create video",
                "ffmpeg",
                "mp4",
                "h264",
                "export animation",
                "h265",
                "hevc",
                "av1",
                "webm",
                "prores",
                "mov",
                "gif",
                "webp",
                "apng",
                "image sequence",
                "boomerang",
            ],
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                frames_input(
                    "What to write: an animation's frames, or an IMAGE batch. An alpha channel is kept by WebM, "
                    "ProRes 4444, WebP, APNG, PNG, and by GIF as wholly clear or not."
                ),
                io.Float.Input(
                    "frame_rate",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames per second (Deforum's fps). 0 takes the frames' own rate, and 15 for an IMAGE "
                    "batch, which has none. A GIF shows 50 at most.",
                ),
                io.Int.Input(
                    "crf",
                    default=19,
                    min=1,
                    max=51,
                    step=1,
                    tooltip="Quality as x264's constant rate factor, without a unit: 19 looks as the frames do, 23 is "
                    "smaller, 51 the worst. 6 more halve the file. H.265, AV1, VP9 and WebP are given what looks the "
                    "same on their own scales (a WebP at 1 has no loss); ProRes, GIF, APNG and PNG have none.",
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
                io.MultiType.Input(
                    "audio",
                    types=[io.Audio, io.Video],
                    optional=True,
                    tooltip="Sound to go with it, as AUDIO, or a VIDEO whose sound is taken. Cut at the video's end; "
                    "silence follows where it is shorter. MP4, MOV and WebM hold sound.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default=DEFAULT,
                    optional=True,
                    tooltip="H.264 plays everywhere. H.265 and AV1 are smaller. WebM is for the web, with alpha. "
                    "ProRes is for editing, 4444 with alpha. GIF, WebP and APNG play as pictures do. A PNG sequence "
                    "is a folder of PNG files, 000000.png and on.",
                ),
                io.Combo.Input(
                    "bit_depth",
                    options=["8 bit", "10 bit"],
                    default="8 bit",
                    optional=True,
                    tooltip="Levels per channel. 10 bits, which H.265 and AV1 can have and ProRes always has, show "
                    "smooth skies without bands. The other formats stay at 8 bits.",
                ),
                io.Int.Input(
                    "loop_count",
                    default=0,
                    min=0,
                    max=65_535,
                    step=1,
                    optional=True,
                    tooltip="How often GIF, WebP and APNG play: 0 for ever, 1 once.",
                ),
                io.Boolean.Input(
                    "ping_pong",
                    default=False,
                    optional=True,
                    tooltip="Forth and back again, with neither end shown twice: N frames become 2 N - 2, and loop "
                    "without a jump.",
                ),
                io.Combo.Input(
                    "dither",
                    options=["diffusion", "ordered", "none"],
                    default="diffusion",
                    optional=True,
                    tooltip="How a GIF's 256 colours stand in for the others: diffusion is the smoothest, ordered "
                    "stays still where the picture does, none shows bands and makes the smallest file.",
                ),
                io.Float.Input(
                    "audio_offset",
                    default=0.0,
                    min=-86_400.0,
                    max=86_400.0,
                    step=0.001,
                    optional=True,
                    tooltip="Seconds into the video at which the sound begins, with silence before it. Below 0 so many "
                    "seconds of the sound are left out at its beginning.",
                ),
                io.Boolean.Input(
                    "save_first_frame",
                    default=False,
                    optional=True,
                    tooltip="Writes the first frame beside the file as a PNG too, with the workflow in it: for a GIF, "
                    "which cannot give the workflow back, and as a picture of what is in the file.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    "video",
                    tooltip="The file, for ComfyUI's own video nodes. For WebP, APNG and PNG, which these cannot read, "
                    "an H.264 of the same frames in the temp folder.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A prefix that leads out of the folder, and a codec that is not there, are known before anything runs."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        prefix = kwargs.get("filename_prefix")
        try:
            if prefix is not None:
                host.check_prefix(prefix, place(kwargs.get("save_output", True)))
            if kwargs.get("format") is not None:
                check_writable(format_of(kwargs["format"]))
        except FramedriftError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        frames,
        frame_rate,
        crf,
        filename_prefix,
        save_output,
        audio=None,
        format=DEFAULT,  # noqa: A002 - the input's name
        bit_depth="8 bit",
        loop_count=0,
        ping_pong=False,
        dither="diffusion",
        audio_offset=0.0,
        save_first_frame=False,
    ):
        """Encodes frame by frame."""
        from .core.video.encode import encode, frame_steps
        from .core.video.frames import Timeline, as_frames
        from .core.video.sound import sound_of

        known = format_of(format)
        timeline = Timeline(as_frames(clip("frames", frames)))
        path, saved = host.save_path(filename_prefix, known.extension, timeline.size, place(save_output))
        first_frame = path.with_name(f"{path.stem}first.png") if save_first_frame else None
        if known.kind == "sequence":
            path = path.with_suffix("")
            saved = ui.SavedResult("000000.png", f"{saved.subfolder}/{path.name}".strip("/"), saved.type)
        preview, shown = None, saved
        if not known.plays:
            preview, shown = host.save_path(f"{filename_prefix}_preview", "mp4", timeline.size, "temp")
        progress = host.Progress(frame_steps(len(timeline), known, ping_pong))

        def frame_done(number: int) -> None:
            host.check_interrupted()
            progress.step(number)

        notes = encode(
            timeline,
            path,
            frame_rate or timeline.fps,
            timeline.size,
            format=known,
            crf=crf,
            deep=bit_depth == "10 bit",
            loop_count=loop_count,
            ping_pong=ping_pong,
            dither=dither,
            audio=sound_of(audio),
            audio_offset=audio_offset,
            metadata=host.file_metadata(cls.hidden),
            preview=preview,
            first_frame=first_frame,
            on_frame=frame_done,
        )
        # The page plays what is under `images`; all that is under the other names it lists with the results.
        results = {"images": [shown], "animated": (True,)}
        if preview:
            results["video"] = [saved]
        if first_frame:
            beside = saved.subfolder.rpartition("/")[0] if known.kind == "sequence" else saved.subfolder
            results["first_frame"] = [ui.SavedResult(first_frame.name, beside, saved.type)]
        if notes:
            results["text"] = notes
        return io.NodeOutput(host.video_from_file(path if known.reads or not preview else preview), ui=results)


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

        source = as_frames(clip("frames", frames))
        progress = host.Progress(len(range(start, len(source), every_nth)[: count or None]))
        return io.NodeOutput(gather(source, start, count, every_nth, int(max_gib * GIB), frame_done))


def place(save_output: bool | None) -> str:
    """The folder that a choice to save or only to look means."""
    return "temp" if save_output is False else "output"


NODES = [VideoCombine, FramesToImages]
