"""Load Run: an animation on disk, back in a graph."""

from __future__ import annotations

from typing import Any

from . import host, sockets
from .core.errors import FramedriftError
from .host import io
from .job import run_store
from .sampler import FrameFeedbackSampler


class LoadRun(io.ComfyNode):
    """Brings a run back as frames and settings."""

    @classmethod
    def define_schema(cls):
        """What the page shows."""
        return io.Schema(
            node_id="FramedriftLoadRun",
            display_name="Load Run",
            category="Framedrift/sampling",
            description="Brings an animation back that Frame Feedback Sampler made, finished or not: its frames with "
            "camera and depth, and the settings that it was made with, edits included.",
            search_aliases=["resume animation", "load animation", "deforum resume", "extend", "open run"],
            inputs=[
                io.String.Input(
                    "run",
                    default="",
                    tooltip="Name of the run's folder under output/framedrift, such as animation_00001. Empty is the "
                    "newest.",
                ),
            ],
            outputs=[
                sockets.Frames.Output("frames", tooltip="The diffused frames, read from disk one at a time."),
                sockets.Settings.Output("settings", tooltip="For the settings input of Frame Feedback Sampler."),
                io.Image.Output("last_frame", tooltip="The last frame that was made, to go on from."),
                io.Int.Output("num_frames", tooltip="Length of the finished animation in frames."),
                io.Float.Output("fps", tooltip="Frames per second."),
                io.Int.Output("width", tooltip="Width in pixels."),
                io.Int.Output("height", tooltip="Height in pixels."),
                io.String.Output("prompts", tooltip="The text of its prompt schedule."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A run that is not there is said before anything runs."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        try:
            # An empty name may mean a run that the same graph is about to make.
            if kwargs.get("run"):
                run_store().path_of(kwargs["run"].strip())
        except FramedriftError as error:
            return str(error).replace("run_name:", "run:", 1)
        return True

    @classmethod
    def fingerprint_inputs(cls, run="", **kwargs):
        """Changes as the run grows."""
        try:
            path = _path(run)
            journal = path / "journal.jsonl"
            return [str(path), journal.stat().st_size if journal.exists() else 0]
        except FramedriftError as error:
            return str(error)

    @classmethod
    def execute(cls, run):
        """Reads the journal; pictures are read when they are asked for."""
        from .core.interop import sampler_settings
        from .core.run.journal import edits_of
        from .core.run.status import changed

        store, path = run_store(), _path(run)
        frames, manifest = store.read(path), store.read_manifest(path)
        if not len(frames):
            raise FramedriftError(f"run: {path.name} has no frames yet.")
        said = {**manifest.get("settings", {}), **changed(edits_of(list(frames.entries)))}
        own = {name: value for name, value in said.items() if name in _setting_names()}
        height, width = frames.size
        return io.NodeOutput(
            frames, sampler_settings(own), frames[-1][None], frames.num_frames, frames.fps, width, height,
            str(said.get("prompts", "")),
        )  # fmt: skip


def _setting_names() -> set[str]:
    """The sampler's settings that shape how it paints; its length, size and run are each graph's own."""
    declared: dict[str, Any] = FrameFeedbackSampler.INPUT_TYPES()
    kinds = {name: kind for group in ("required", "optional") for name, (kind, *_) in declared.get(group, {}).items()}
    left_out = {"width", "height", "num_frames", "fps", "resume", "run_name"}
    typed = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
    return {name for name, kind in kinds.items() if name not in left_out and set(kind.split(",")) & typed}


def _path(name: str):
    """The folder of the run of this name, or of the newest."""
    store = run_store()
    if name.strip():
        return store.path_of(name.strip())
    path = store.newest()
    if path is None:
        raise FramedriftError(f"run: there is no run yet in {store.root}.")
    return path


NODES = [LoadRun]
