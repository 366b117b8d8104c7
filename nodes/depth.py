"""Load Depth Model, Estimate Depth, Synthetic Depth: how near every pixel is."""

from pathlib import Path

import torch

from . import host, sockets
from .core.depth import KINDS, OUTPUTS, DepthTracker, SyntheticDepth, download_model, find_model, load_depth_model
from .core.depth.files import check_name, is_hub_id
from .core.errors import FramedriftError
from .host import io

# Where a download goes, and where else people keep such models.
_HOME = "depth_estimation"
_FOLDERS = (_HOME, "geometry_estimation", "depthanything", "depth", "transformers", "diffusers")

_BATCH = 4


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
            description="How near every pixel is, white being near. A batch is taken for a clip: its frames share one "
            "scale, so that the depth neither breathes nor flickers.",
            search_aliases=["deforum depth", "depth map", "depth video", "disparity", "save_depth_maps", "midas"],
            inputs=[
                sockets.DepthModel.Input("depth_model", tooltip="From Load Depth Model or Synthetic Depth."),
                io.Image.Input("image", tooltip="One picture, or the frames of a clip in their order."),
            ],
            outputs=[
                io.Image.Output("depth", tooltip="Disparity in grey, 0..1, white is near; of the image's size."),
                io.Mask.Output("mask", tooltip="The same as a mask."),
            ],
        )

    @classmethod
    def execute(cls, depth_model, image):
        """Frame by frame on one scale; there is no camera to go by, so that each is fitted to the one before."""
        count = image.shape[0]
        if count == 0:
            raise FramedriftError("image: the batch is empty; give at least one picture.")
        tracker = DepthTracker(depth_model.calibrated)
        progress = host.Progress(count)
        made: list[torch.Tensor] = []
        for start in range(0, count, _BATCH):
            host.check_interrupted()
            for raw in depth_model.disparity(host.to_core(image[start : start + _BATCH])):
                made.append(tracker.update(raw[None], made[-1] if made else None))
                progress.step(len(made))
        disparity = torch.cat(made)
        return io.NodeOutput(host.to_image(disparity.expand(-1, 3, -1, -1)), host.to_mask(disparity))


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
