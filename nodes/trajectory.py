"""Camera from File and Camera to File: poses of other programs."""

from __future__ import annotations

import hashlib
import logging
from functools import lru_cache
from typing import Any

from . import host, sockets
from .camera_view import camera_output
from .core.errors import FramedriftError
from .files import source_text
from .host import io

log = logging.getLogger("framedrift")

_FORMATS = "JSON of 4x4 camera-to-world matrices, or CameraCtrl's lines of 19 numbers"
#: The formats that are written, and how their files end.
_EXTENSIONS = {"json": "json", "cameractrl": "txt"}


class CameraFromFile(io.ComfyNode):
    """Poses of another program as a camera."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCameraFromFile",
            display_name="Camera from File",
            category="Framedrift/camera",
            description=f"Moves the camera along poses from a file or pasted: {_FORMATS} (RealEstate10K). Axes are "
            "x right, y down, z forward.",
            search_aliases=[
                "cameractrl",
                "realestate10k",
                "load camera poses",
                "trajectory",
                "camera path",
                "c2w",
                "w2c",
            ],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[
                io.String.Input(
                    "file",
                    default="",
                    tooltip="A text file in ComfyUI's input folder, such as path.json. Empty: the pasted text.",
                ),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip=f"Pasted here instead: {_FORMATS}.",
                ),
                io.Combo.Input(
                    "format",
                    options=["auto", "json", "cameractrl"],
                    default="auto",
                    tooltip="auto: what begins with a bracket or a brace is JSON, all else CameraCtrl's text.",
                ),
                io.Combo.Input(
                    "length",
                    options=["same", "stretch", "hold"],
                    default="same",
                    tooltip="same: the animation must have as many frames as the file has poses. stretch: the way is "
                    "spread over the animation. hold: a pose a frame, then the last one is held, or the rest cut off.",
                ),
                io.Float.Input(
                    "scale",
                    default=1.0,
                    min=0.0001,
                    max=10_000.0,
                    step=0.01,
                    round=0.0001,
                    tooltip="Scene units that one unit of the file stands for.",
                ),
                io.Float.Input(
                    "camera_fov",
                    default=0.0,
                    min=0.0,
                    max=179.0,
                    step=0.5,
                    round=0.01,
                    tooltip="Vertical field of view in degrees. 0: the file's, or 70 where it has none.",
                ),
            ],
            outputs=[sockets.Camera.Output("camera", tooltip="The camera's motion, beginning at the first pose.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A file that cannot be read is said before anything runs."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        if any(kwargs.get(name) is None for name in ("file", "text", "format")):
            return True
        try:
            _read(source_text(kwargs["file"], kwargs["text"], _FORMATS), kwargs["format"])
        except FramedriftError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, file="", text="", **kwargs):
        """Changes with the file, so that an edited one is read again."""
        try:
            said = source_text(file or "", text or "", _FORMATS)
        except FramedriftError as error:
            said = str(error)
        digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
        return [digest, *(str(kwargs.get(name)) for name in ("format", "length", "scale", "camera_fov"))]

    @classmethod
    def execute(cls, file, text, format, length, scale, camera_fov):  # noqa: A002 - the input's name
        """The poses as a camera."""
        import numpy as np

        from .core.camera.trajectory import Trajectory

        found = _read(source_text(file, text, _FORMATS), format)
        for warning in found.warnings:
            log.warning("%s", warning)
        fov_deg = found.fov_deg
        if camera_fov or fov_deg is None:
            fov_deg = np.full(len(found.poses), float(camera_fov or 70.0))
        return camera_output(cls, Trajectory(found.poses, fov_deg, length, scale))


class CameraToFile(io.ComfyNode):
    """A camera's poses for another program."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCameraToFile",
            display_name="Camera to File",
            category="Framedrift/camera",
            description="Writes where a camera is at every frame into the output folder: JSON of camera-to-world "
            "matrices, or CameraCtrl's text format. Camera from File reads both back.",
            search_aliases=["cameractrl", "realestate10k", "save camera poses", "export camera", "trajectory", "c2w"],
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
            inputs=[
                sockets.Camera.Input("camera", tooltip="Any camera that moves in space."),
                host.num_frames_input("How many frames are written: the length of the animation."),
                host.fps_input("Frames per second: for keys in seconds, and the times in the file.", round=0.001),
                host.seed_input("What schedules see as s.", advanced=True),
                io.Int.Input("width", default=512, min=1, max=16384, step=1, tooltip="Width of the frames in pixels."),
                io.Int.Input(
                    "height", default=512, min=1, max=16384, step=1, tooltip="Height of the frames in pixels."
                ),
                io.Combo.Input(
                    "format",
                    options=list(_EXTENSIONS),
                    default="json",
                    tooltip="json: camera to world, all digits. cameractrl: the text that CameraCtrl and RealEstate10K "
                    "use, world to camera.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="framedrift/camera",
                    tooltip="Where in the output folder, and how the file begins.",
                ),
            ],
            outputs=[
                io.String.Output("text", tooltip="What was written."),
                io.String.Output("path", tooltip="The file's full path."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """A place that cannot be written to is said before anything runs."""
        if problem := host.check_bounds(cls, kwargs):
            return problem
        if kwargs.get("filename_prefix") is not None:
            try:
                host.check_prefix(kwargs["filename_prefix"])
            except FramedriftError as error:
                return str(error)
        return True

    @classmethod
    def execute(cls, camera, num_frames, fps, seed, width, height, format, filename_prefix):  # noqa: A002
        """Writes the poses."""
        from .core.camera.posefile import write_poses
        from .core.run.files import readable_errors, write_atomic

        text = write_poses(camera.track(num_frames, fps, seed, (height, width)), format, fps, (height, width))
        path, saved = host.save_path(filename_prefix, _EXTENSIONS[format], (height, width))
        with readable_errors(f"write {path.name}", path.parent, len(text)):
            write_atomic(path, text.encode())
        return io.NodeOutput(text, str(path), ui={"text": (saved.filename,), "files": [saved]})


@lru_cache(maxsize=2)
def _read(text: str, format: str) -> Any:  # noqa: A002
    from .core.camera.posefile import read_poses

    return read_poses(text, format)


NODES = [CameraFromFile, CameraToFile]
