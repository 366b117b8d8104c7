"""Depth from a single picture, with any depth model of transformers."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import torch

from ..errors import FramedriftError
from .files import CONFIG, preprocessor_settings, read_json, weight_files, why_unusable
from .preprocess import Preprocessing, read_preprocessing

log = logging.getLogger("framedrift")

Output = Literal["auto", "disparity", "depth"]
OUTPUTS: tuple[Output, ...] = get_args(Output)

_BATCH = 4
_NEAREST_METRES = 1e-3
# What running a model takes besides its weights, in bytes for each pixel that it sees: Depth Anything V2 Large's.
_BYTES_PER_PIXEL = 4096

# What models of these types say about a pixel: how near it is, or how far. DepthPro's network gives inverse depth,
# which only its post-processing would turn round. CHMv2 sees from above and says how high things stand: nearer too.
_SAYS: dict[str, Literal["disparity", "depth"]] = {
    "depth_anything": "disparity",
    "dpt": "disparity",
    "depth_pro": "disparity",
    "chmv2": "disparity",
    "prompt_depth_anything": "depth",
    "zoedepth": "depth",
    "glpn": "depth",
    "tipsv2_dpt": "depth",
}


@runtime_checkable
class DepthModel(Protocol):
    """What every part that needs depth asks for it."""

    @property
    def name(self) -> str:
        """For messages and journals."""
        ...

    @property
    def calibrated(self) -> bool:
        """True: values are already 0..1 disparity, 1 at near and 0 at far. False: scale and shift are arbitrary."""
        ...

    def disparity(self, image: torch.Tensor) -> torch.Tensor:
        """Of an image (B, 3, H, W), 0..1: (B, 1, H, W) float32, on its device, larger is nearer."""
        ...

    def signature(self) -> str:
        """Text that changes whenever the disparity would."""
        ...


class Placed(Protocol):
    """A module that somebody moves to a device when it is needed, and away again."""

    device: torch.device

    def load(self, memory_required: int = 0) -> torch.nn.Module:
        """The module, on `device`."""
        ...


class _OnCpu:
    def __init__(self, module: torch.nn.Module) -> None:
        self.device = torch.device("cpu")
        self._module = module

    def load(self, memory_required: int = 0) -> torch.nn.Module:
        del memory_required
        return self._module


class TransformersDepth:
    """A depth model of transformers; made by `load_depth_model`.

    Its values are never calibrated, not even a metric model's: those wobble from frame to frame as well, so that all
    of them go through a DepthTracker.
    """

    calibrated = False

    def __init__(
        self,
        module: torch.nn.Module,
        preprocessing: Preprocessing,
        says: Literal["disparity", "depth"],
        name: str,
        digest: str,
        place: Callable[[torch.nn.Module], Placed] | None = None,
    ) -> None:
        self.name = name
        self.says = says
        self._preprocessing = preprocessing
        self._digest = digest
        self._weight_bytes = sum(p.numel() * p.element_size() for p in module.parameters())
        self._placed: Placed = (place or _OnCpu)(module)
        # Some models overflow in half precision; which is known when one has.
        self._half = self._placed.device.type == "cuda"

    def signature(self) -> str:
        """Names the model by its files, wherever they lie, and how its values are taken."""
        return f"transformers/{self.name}/{self.says}/{self._digest}"

    def disparity(self, image: torch.Tensor) -> torch.Tensor:
        """Of an image (B, 3, H, W), 0..1: (B, 1, H, W) float32 on its device, larger is nearer, in any scale.

        A model that says depth is inverted at its own size, before scaling: what is linear over a flat surface is
        inverse depth. On a GPU it runs in half precision, and once more in full where that overflows.

        Raises:
            FramedriftError: the image is of another shape or no numbers, or the model's answer is no numbers.
        """
        if image.ndim != 4 or image.shape[1] != 3 or image.numel() == 0:
            raise FramedriftError(f"Depth: the image must be (B, 3, H, W), but is {tuple(image.shape)}.")
        if not torch.isfinite(image).all():
            raise FramedriftError("Depth: the image holds values that are no numbers (NaN or infinite).")
        size = (image.shape[-2], image.shape[-1])
        made = []
        with torch.no_grad():
            for chunk in image.split(_BATCH):
                raw = self._predict(self._preprocessing.apply(chunk.to(self._placed.device)))
                if self.says == "depth":
                    raw = 1.0 / raw.clamp(min=_NEAREST_METRES)
                made.append(self._preprocessing.undo(raw, size).to(image.device))
        return torch.cat(made)

    def _predict(self, pixels: torch.Tensor) -> torch.Tensor:
        needed = pixels.shape[0] * pixels.shape[-2] * pixels.shape[-1] * _BYTES_PER_PIXEL
        module = self._placed.load(needed + self._weight_bytes // 2)
        raw = self._run(module, pixels)
        if self._half and not torch.isfinite(raw).all():
            log.warning("depth model %s overflows in half precision, and goes on in full", self.name)
            self._half = False
            raw = self._run(module, pixels)
        if not torch.isfinite(raw).all():
            raise FramedriftError(
                f"The depth model {self.name} answered with values that are no numbers (NaN or infinite): "
                "its weights are damaged or do not fit its config.json."
            )
        return raw

    def _run(self, module: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        # The weights stay in full precision: autocast casts what may be cast, so norms and softmaxes do not overflow.
        with torch.autocast(pixels.device.type, dtype=torch.float16, enabled=self._half):
            predicted = module(pixel_values=pixels).predicted_depth
        return predicted.float().reshape(pixels.shape[0], 1, *predicted.shape[-2:])


def load_depth_model(
    folder: Path,
    name: str = "",
    output: Output = "auto",
    place: Callable[[torch.nn.Module], Placed] | None = None,
) -> TransformersDepth:
    """Loads a depth model from its folder, without a look at the network.

    Args:
        folder: holds config.json, model.safetensors (or its parts and their index), and preprocessor_config.json.
        name: for messages and signatures; the folder's name where empty.
        output: what the model's values say, where `auto` gets it wrong.
        place: wraps the module so that somebody moves it to a device and away; None leaves it on the CPU.

    Raises:
        FramedriftError: files are missing, pickled, damaged, or of no depth model that transformers knows.
    """
    name = name or folder.name
    if output not in OUTPUTS:
        raise FramedriftError(f"output is {output!r}, but must be one of {', '.join(OUTPUTS)}.")
    unusable = why_unusable(folder)
    if unusable:
        raise FramedriftError(unusable)
    config = read_json(folder / CONFIG)
    settings = preprocessor_settings(folder)
    model_type = str(config.get("model_type", ""))
    preprocessing = read_preprocessing(settings, model_type)
    module = _load_module(folder, name, config)
    says = says_of(config) if output == "auto" else output
    log.info("depth model %s loaded: %s, says %s", name, model_type, says)
    return TransformersDepth(module, preprocessing, says, name, _digest(folder), place)


def says_of(config: dict[str, Any]) -> Literal["disparity", "depth"]:
    """Whether a model of this config.json says disparity or depth.

    Metric Depth Anything models declare themselves. Of DPT, those with a projected Dinov2 neck were trained on metres;
    the others, MiDaS's, give disparity, as does any type that is not known here.
    """
    model_type = str(config.get("model_type", ""))
    if config.get("depth_estimation_type") == "metric" or (model_type == "dpt" and config.get("add_projection")):
        return "depth"
    if config.get("depth_estimation_type") == "relative":
        return "disparity"
    return _SAYS.get(model_type, "disparity")


def _load_module(folder: Path, name: str, config: dict[str, Any]) -> torch.nn.Module:
    from safetensors import SafetensorError
    from transformers import AutoModelForDepthEstimation
    from transformers.models.auto.modeling_auto import MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES

    model_type = config.get("model_type")
    if model_type not in MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES:
        raise FramedriftError(
            f"The model in {folder} is of type {model_type!r}, which is no depth model that the installed transformers "
            f"knows. It knows {', '.join(MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES)}."
        )
    if isinstance(config.get("backbone"), str) and not config.get("backbone_config"):
        raise FramedriftError(
            f"The model in {folder} takes its backbone {config['backbone']!r} from another library or the network. "
            "Take a version that holds all its weights."
        )
    try:
        module, report = AutoModelForDepthEstimation.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise FramedriftError(f"The depth model {name} in {folder} cannot be loaded: {error}.") from error
    absent = sorted(report["missing_keys"])
    if absent:
        # transformers would go on with random numbers in their place.
        raise FramedriftError(
            f"The weights in {folder} do not fit its config.json: {len(absent)} are missing, {absent[0]} the first."
        )
    return module.float().eval().requires_grad_(False)


def _digest(folder: Path) -> str:
    """Tells models apart by configuration and a sample of their weights: reading all of them would take seconds."""
    digest = hashlib.blake2b(digest_size=8)
    for value in (read_json(folder / CONFIG), preprocessor_settings(folder)):
        digest.update(repr(sorted(value.items())).encode())
    for path in weight_files(folder):
        size = path.stat().st_size
        digest.update(f"{path.name}/{size}".encode())
        with path.open("rb") as file:
            for part in range(64):
                file.seek(size * part // 64)
                digest.update(file.read(4096))
    return digest.hexdigest()
