"""Load Depth Model, Estimate Depth, Synthetic Depth: how near every pixel is."""

from pathlib import Path

import torch

from . import host, sockets
from .core.depth import KINDS, OUTPUTS, SyntheticDepth, download_model, find_model, load_depth_model
from .core.depth.files import check_name, is_hub_id
from .core.errors import FramedriftError
from .host import io
from .links import clip
from .projection import bad_range, range_inputs

# Where a download goes, and where else people keep such models.
_HOME = "depth_estimation"
_FOLDERS = (_HOME, "geometry_estimation", "depthanything", "depth", "transformers", "diffusers")


class LoadDepthModel(io.ComfyNode):
    """A depth model of transformers, from the models folder or, if told to, the hub."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftLoadDepthModel",
            display_name="Load Depth Model",
            category="Framedrift/depth",
            description="Loads Depth Anything, MiDaS (DPT), ZoeDepth, DepthPro or another depth model of transformers. "
            "It looks into ComfyUI's models folder, and asks the hub only if download is on.",
            search_aliases=[
                "deforum depth algorithm",
                "depth_algorithm",
                "midas_weight",
                "depth anything",
                "midas",
                "zoe",
                "dpt",
                "load depth",
            ],
            inputs=[
                io.String.Input(
                    "model",
                    default="depth-anything/Depth-Anything-V2-Small-hf",
                    tooltip="A folder under models/depth_estimation, or a hub id (owner/model). It holds config.json, "
                    "preprocessor_config.json and model.safetensors; pickled weights are refused.",
                ),
                io.Boolean.Input(
                    "download",
                    default=False,
                    tooltip="On: a hub id that is not on this machine is fetched into models/depth_estimation. Off: "
                    "nothing is asked of the network.",
                ),
                io.Combo.Input(
                    "output",
                    options=list(OUTPUTS),
                    default="auto",
                    advanced=True,
                    tooltip="What the model's numbers say: disparity (larger is nearer) or depth (larger is farther). "
                    "auto knows it from the model's type.",
                ),
            ],
            outputs=[sockets.DepthModel.Output("depth_model", tooltip="For Estimate Depth and the samplers.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs: whether there is such a model, unless it is to be fetched."""
        problem = host.check_bounds(cls, kwargs)
        name = kwargs.get("model")
        if problem or name is None:
            return problem or True
        try:
            _find(name.strip(), bool(kwargs.get("download")))
        except FramedriftError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, model, download, output):
        """Finds or fetches the model, and loads it into main memory; ComfyUI moves it to the device when it is used."""
        name = model.strip()
        folder = _find(name, download)
        if folder is None:
            folder = download_model(name, host.models_directories(_HOME)[0], _report())
        return io.NodeOutput(load_depth_model(folder, name, output, place=host.DeviceModel))


def _find(name: str, download: bool) -> Path | None:
    """The model's folder; None only where it is to be downloaded."""
    problem = check_name(name)
    if problem:
        raise FramedriftError(problem)
    roots = [root for kind in _FOLDERS for root in host.models_directories(kind)]
    try:
        folder = find_model(name, roots)
    except FramedriftError:
        if download and is_hub_id(name):
            return None
        raise
    if folder is not None or (download and is_hub_id(name)):
        return folder
    way = "switch download on" if is_hub_id(name) else "give a hub id (owner/model) and switch download on"
    home = host.models_directories(_HOME)[0] / name.rpartition("/")[2]
    raise FramedriftError(
        f"model: there is no depth model {name!r} on this machine. Put its config.json, preprocessor_config.json and "
        f"model.safetensors into {home}, or {way}."
    )


def _report():
    """Shows the bytes of a download as the node's progress, and lets it be stopped."""
    progress = host.Progress(1000)

    def on_bytes(done: int, total: int) -> None:
        host.check_interrupted()
        progress.step(1000 * done // max(1, total))

    return on_bytes


class EstimateDepth(io.ComfyNode):
    """The depth of a picture, or of a clip on one scale."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftEstimateDepth",
            display_name="Estimate Depth",
            category="Framedrift/depth",
            description="How near every pixel is, white being near. A batch, an animation's frames or a video are "
            "taken for a clip: its frames share one scale, so that the depth neither breathes nor flickers.",
            search_aliases=["deforum depth", "depth map", "depth video", "disparity", "save_depth_maps", "midas"],
            inputs=[
                sockets.DepthModel.Input("depth_model", tooltip="From Load Depth Model or Synthetic Depth."),
                io.MultiType.Input(
                    "image",
                    types=[io.Image, sockets.Frames, io.Video],
                    tooltip="One picture, or a clip: an IMAGE batch in its order, an animation's frames, or a video.",
                ),
                sockets.Camera.Input(
                    "camera",
                    optional=True,
                    tooltip="The camera that made the clip, where it was one of this pack's: each frame is then fitted "
                    "to the one before as that camera sees it. Frames of an animation bring their own.",
                ),
                *range_inputs(
                    "Distance of what is white, in scene units: 200 Deforum units are 1. Only with camera.",
                    "Distance of what is black, in scene units; above near. Only with camera.",
                    optional=True,
                    advanced=True,
                ),
            ],
            outputs=[
                io.Image.Output(
                    "depth",
                    tooltip="Disparity in grey, 0..1, white is near; of the image's size. Of an IMAGE batch all "
                    "pictures; of frames and videos, which may be of any length, the first: take frames.",
                ),
                io.Mask.Output("mask", tooltip="The same as a mask."),
                sockets.Frames.Output(
                    "frames",
                    display_name="frames",
                    tooltip="The whole clip's depth as frames, for Video Combine and Frames to Images.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or bad_range(kwargs) or True

    @classmethod
    def execute(cls, depth_model, image, camera=None, near=1.0, far=50.0):
        """Frame by frame on one scale."""
        from .core.depth.sequence import estimate_depths, store_depths
        from .core.video.frames import BatchFrames, as_frames
        from .core.warp import WarpSettings

        frames = as_frames(clip("image", image))
        if not len(frames):
            raise FramedriftError("image: it is empty; give at least one picture.")
        track, settings = None, None
        if camera is not None:
            track = camera.track(frames.num_frames, frames.fps, 0, frames.size)
            settings = WarpSettings(near=near, far=far)
        progress = host.Progress(len(frames))

        def frame_done(number: int) -> None:
            host.check_interrupted()
            progress.step(number)

        depths = estimate_depths(depth_model, frames, track, settings)
        if not isinstance(image, torch.Tensor):
            stored = store_depths(depths, frames, host.temp_directory(), frame_done)
            first = stored.disparity(0)[None, None]
            return io.NodeOutput(_grey(first), host.to_mask(first), stored)
        made: list[torch.Tensor] = []
        for disparity in depths:
            made.append(disparity)
            frame_done(len(made))
        whole = torch.cat(made)
        shown, mask = _grey(whole), host.to_mask(whole)
        return io.NodeOutput(shown, mask, BatchFrames(shown, frames.fps, disparities=mask))


def _grey(disparity: torch.Tensor) -> torch.Tensor:
    return host.to_image(disparity.expand(-1, 3, -1, -1))


class SyntheticDepthNode(io.ComfyNode):
    """Depth that is made up, for work without a model."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftSyntheticDepth",
            display_name="Synthetic Depth",
            category="Framedrift/depth",
            description="Depth without a model: a wall, a ground below a horizon, a tunnel, or bright as near. Nothing "
            "is downloaded, and it takes no time.",
            search_aliases=["deforum depth", "fake depth", "no depth model", "ground plane", "tunnel", "luminance"],
            inputs=[
                io.Combo.Input(
                    "kind",
                    options=list(KINDS),
                    default="ground",
                    tooltip="plane: a wall facing the camera. ground: a floor up to the horizon, sky above. tunnel: a "
                    "corridor that fills the picture. luminance: bright is near.",
                ),
                io.Float.Input(
                    "horizon",
                    default=0.5,
                    min=0.0,
                    max=0.95,
                    step=0.01,
                    round=0.001,
                    tooltip="Height of the horizon, as a share of the picture's height from its top. Ground and "
                    "tunnel; a tunnel's must be at least 0.05.",
                ),
                io.Float.Input(
                    "nearness",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    round=0.001,
                    tooltip="Disparity of the nearest point, 0..1: 1 lies at the warp's near distance, 0 at its far.",
                ),
                io.Float.Input(
                    "blur",
                    default=0.02,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    round=0.001,
                    tooltip="How far luminance is smoothed, as a share of the picture's shorter side. Luminance only.",
                ),
            ],
            outputs=[sockets.DepthModel.Output("depth_model", tooltip="For Estimate Depth and the samplers.")],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        problem = host.check_bounds(cls, kwargs)
        horizon = kwargs.get("horizon")
        if problem is None and kwargs.get("kind") == "tunnel" and horizon is not None and horizon < 0.05:
            problem = f"horizon is {horizon}, but a tunnel's must be from 0.05 to 0.95."
        return problem or True

    @classmethod
    def execute(cls, kind, horizon=0.5, nearness=1.0, blur=0.02):
        """The scene as a depth model."""
        return io.NodeOutput(SyntheticDepth(kind, horizon, nearness, blur))


NODES = [LoadDepthModel, EstimateDepth, SyntheticDepthNode]
