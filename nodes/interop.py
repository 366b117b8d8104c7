"""Import Animation and Export Animation: other tools' settings, read and written."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from . import host, sockets
from .core.errors import FramedriftError
from .files import source_text
from .host import io, ui

_KIND_HINT = "a Deforum settings file, a Parseq manifest, FizzNodes prompts or an Astria block"


class ImportAnimation(io.ComfyNode):
    """Another tool's animation as this pack's prompts, camera and settings."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftImportAnimation",
            display_name="Import Animation",
            category="Framedrift/interop",
            description="Reads an animation of another tool: a settings file of Deforum or its Forge fork, a Parseq "
            "manifest, FizzNodes prompts or an Astria block, from a file or pasted. Its outputs feed the Frame "
            "Feedback Sampler; the report says what became of every key.",
            search_aliases=[
                "deforum settings",
                "load deforum settings file",
                "parseq_manifest",
                "fizznodes",
                "batch prompt schedule",
                "astria",
                "import",
            ],
            is_output_node=True,
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder of the model that paints."),
                io.String.Input(
                    "file",
                    default="",
                    tooltip="A text file in ComfyUI's input folder, such as settings.txt. Empty: the pasted text.",
                ),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip=f"Pasted here instead: {_KIND_HINT}. The kind is found by itself.",
                ),
            ],
            outputs=[
                sockets.Prompts.Output("prompts", tooltip="For the Frame Feedback Sampler."),
                sockets.Camera.Output("camera", tooltip="For the Frame Feedback Sampler."),
                sockets.Settings.Output("settings", tooltip="For the sampler's settings: strength, steps, seed, ..."),
                io.Int.Output("num_frames", tooltip="Length of the animation in frames."),
                io.Float.Output("fps", tooltip="Frames a second."),
                io.Int.Output("width", tooltip="Width in pixels."),
                io.Int.Output("height", tooltip="Height in pixels."),
                io.String.Output("report", tooltip="What became of every key."),
                sockets.Options.Output(
                    "options",
                    tooltip="For the sampler's options: coherence, noise, sampling over time and redo, where the file "
                    "asks for them.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A text that cannot be imported is said before anything is loaded."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        if kwargs.get("file") is None or kwargs.get("text") is None:
            return True
        try:
            _imported(source_text(kwargs["file"], kwargs["text"], _KIND_HINT))
        except FramedriftError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, file="", text="", **kwargs):
        """Changes with the file, so that an edited one is read again."""
        try:
            said = source_text(file or "", text or "", _KIND_HINT)
        except FramedriftError as error:
            said = str(error)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def execute(cls, clip, file="", text=""):
        """Reads the animation and hands out its parts."""
        from .prompt import Prompts

        found = _imported(source_text(file, text, _KIND_HINT))
        prompts = Prompts(clip, found.prompts, found.blend, found.overlap)
        height, width = found.size
        report = str(found.report)
        return io.NodeOutput(
            prompts, found.camera, found.settings, found.num_frames, found.fps, width, height, report, found.options,
            ui=ui.PreviewText(report),
        )  # fmt: skip


class ExportAnimation(io.ComfyNode):
    """An animation as other tools read it."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftExportAnimation",
            display_name="Export Animation",
            category="Framedrift/interop",
            description="Writes an animation into the output folder as a Deforum settings file (.txt) and as a Parseq "
            "manifest (.json), every value at every frame. Import Animation reads both back.",
            search_aliases=["deforum settings", "save deforum settings file", "parseq", "export", "save settings"],
            is_output_node=True,
            inputs=[
                sockets.Prompts.Input("prompts", tooltip="From Prompt Schedule or Import Animation."),
                sockets.Camera.Input("camera", optional=True, tooltip="Without one the camera keeps still."),
                sockets.Settings.Input(
                    "settings",
                    optional=True,
                    tooltip="From Import Animation. Without it Deforum's defaults are written.",
                ),
                io.Int.Input(
                    "num_frames", default=72, min=1, max=100_000, step=1, tooltip="Length of the animation in frames."
                ),
                io.Float.Input(
                    "fps", default=15.0, min=0.1, max=240.0, step=0.1, round=0.001, tooltip="Frames a second."
                ),
                io.Int.Input("width", default=512, min=64, max=8192, step=8, tooltip="Width of the frames in pixels."),
                io.Int.Input(
                    "height", default=512, min=64, max=8192, step=8, tooltip="Height of the frames in pixels."
                ),
                io.String.Input(
                    "filename_prefix",
                    default="framedrift/animation",
                    tooltip="Where in the output folder, and how the files begin.",
                ),
                sockets.Options.Input(
                    "options",
                    optional=True,
                    tooltip="What goes to the sampler's options. Deforum has no keys for pictures, clips and anchors.",
                ),
            ],
            outputs=[
                io.String.Output("deforum", tooltip="The Deforum settings file's text."),
                io.String.Output("parseq", tooltip="The Parseq manifest's text."),
            ],
        )

    @classmethod
    def execute(
        cls, prompts, num_frames, fps, width, height, filename_prefix, camera=None, settings=None, options=None
    ):
        """Writes both files."""
        from .core.interop import deforum_settings, parseq_manifest
        from .core.run.files import write_atomic

        schedule, given = prompts.schedule, dict(settings or {})
        deforum = deforum_settings(
            schedule, camera, given, num_frames, fps, (height, width), prompts.blend, prompts.overlap, options
        )
        table = parseq_manifest(schedule, camera, given, num_frames, fps, (height, width), options)
        first, saved = host.save_path(filename_prefix, "txt", (height, width))
        results, texts = [], []
        for value, extension in ((deforum, "txt"), (table, "json")):
            path = first.with_suffix(f".{extension}")
            text = json.dumps(value, ensure_ascii=False, indent=4 if extension == "txt" else None)
            write_atomic(path, text.encode())
            results.append(ui.SavedResult(path.name, saved.subfolder, io.FolderType.output))
            texts.append(text)
        shown = {"text": tuple(result.filename for result in results), "files": results}
        return io.NodeOutput(*texts, ui=shown)


@lru_cache(maxsize=2)
def _imported(text: str) -> Any:
    from .core.interop import import_animation

    return import_animation(text)


NODES = [ImportAnimation, ExportAnimation]
