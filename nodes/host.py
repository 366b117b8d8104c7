"""The seam: the only file of the pack that imports ComfyUI, and what stands in for it where there is none.

Every name here means the same in both worlds. Images that go in and out are core images, float32 (B, C, H, W), RGB,
0..1; sizes are (h, w). ComfyUI's heavier modules are imported where they are used: by then ComfyUI has loaded them.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch

from .checks import check_bounds, upstream_graph
from .core.errors import FramedriftError

#: Whether this is ComfyUI. Looked up, not tried: an error inside ComfyUI must not pass for its absence.
IN_COMFYUI = all(importlib.util.find_spec(name) for name in ("comfy", "comfy_api", "folder_paths"))

if IN_COMFYUI:
    from comfy_api.latest import ComfyExtension, io, ui
else:
    from .headless import io, ui
    from .headless.io import ComfyExtension

__all__ = [
    "IN_COMFYUI",
    "ComfyExtension",
    "DeviceModel",
    "Progress",
    "add_routes",
    "apply_controls",
    "check_bounds",
    "check_interrupted",
    "check_prefix",
    "checkpoint_names",
    "clip_skipped",
    "empty_latent",
    "file_metadata",
    "fps_input",
    "input_directory",
    "interrupt",
    "io",
    "latent_previewer",
    "load_checkpoint",
    "load_lora",
    "lora_names",
    "metadata_allowed",
    "models_directories",
    "num_frames_input",
    "output_directory",
    "procedural_model",
    "sample",
    "sampler_names",
    "save_path",
    "schedule_input",
    "scheduler_names",
    "seed_input",
    "send_event",
    "sigmas",
    "size_multiple",
    "takes_eta",
    "temp_directory",
    "to_core",
    "to_image",
    "to_mask",
    "ui",
    "upscale",
    "upstream_graph",
    "vae_decode",
    "vae_encode",
    "video_from_file",
    "with_guidance",
    "with_lora",
    "with_stepwise_masks",
]


# ---------------------------------------------------------------- layouts


def to_core(image: torch.Tensor) -> torch.Tensor:
    """ComfyUI's IMAGE (B, H, W, C) as a core image (B, 3, H, W): float32, without alpha; one channel becomes three."""
    if image.ndim != 4:
        raise FramedriftError(f"An image must have four dimensions (batch, height, width, channels), not {image.ndim}.")
    core = image.movedim(-1, 1)[:, :3].float()
    return core.expand(-1, 3, -1, -1).contiguous() if core.shape[1] == 1 else core.contiguous()


def to_image(image: torch.Tensor) -> torch.Tensor:
    """A core image (B, C, H, W) as ComfyUI's IMAGE (B, H, W, C)."""
    return image.movedim(1, -1).float().contiguous()


def to_mask(mask: torch.Tensor) -> torch.Tensor:
    """A core mask (B, 1, H, W) as ComfyUI's MASK (B, H, W)."""
    return mask[:, 0].float().contiguous()


# ---------------------------------------------------------------- inputs


def schedule_input(id: str, default: str | float, tooltip: str, **options: Any) -> Any:  # noqa: A002 - ComfyUI's name
    """A schedule string in a text widget, which also takes a link: a Value Schedule, a float (one, or a list of one a
    frame), an int or a curve.
    """
    from . import sockets

    widget = io.String.Input(id, default=str(default), tooltip=tooltip, **options)
    return io.MultiType.Input(widget, types=[sockets.Schedule, io.Float, io.Int, io.Curve])


def num_frames_input(tooltip: str, **options: Any) -> Any:
    """The animation's length, by default 120 frames; `options` replace what differs."""
    return io.Int.Input(
        "num_frames", **({"default": 120, "min": 1, "max": 100_000, "step": 1} | options), tooltip=tooltip
    )


def fps_input(tooltip: str, **options: Any) -> Any:
    """Frames per second, by default 15."""
    return io.Float.Input(
        "fps", **({"default": 15.0, "min": 0.1, "max": 240.0, "step": 0.1} | options), tooltip=tooltip
    )


def seed_input(tooltip: str, **options: Any) -> Any:
    """A seed, within what ComfyUI's own samplers take."""
    return io.Int.Input(
        "seed", **({"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF, "step": 1} | options), tooltip=tooltip
    )


# ---------------------------------------------------------------- sampling


def sampler_names() -> list[str]:
    """The samplers that `sample` knows."""
    if IN_COMFYUI:
        import comfy.samplers

        return list(comfy.samplers.KSampler.SAMPLERS)
    from .headless import sampling

    return list(sampling.sampler_names())


def scheduler_names() -> list[str]:
    """The schedulers that `sigmas` knows."""
    if IN_COMFYUI:
        import comfy.samplers

        return list(comfy.samplers.KSampler.SCHEDULERS)
    from .headless import sampling

    return list(sampling.scheduler_names())


def takes_eta(sampler_name: str) -> bool:
    """Whether this sampler adds noise as it goes, and is told by `eta` how much."""
    if not IN_COMFYUI:
        from .headless import sampling

        return sampling.takes_eta(sampler_name)
    import comfy.samplers

    found = comfy.samplers.sampler_object(sampler_name)
    return "eta" in inspect.signature(found.sampler_function).parameters


def sigmas(model: Any, scheduler: str, sampler_name: str, steps: int) -> torch.Tensor:
    """The noise levels of `steps` steps from pure noise to none: (steps + 1,), as the stock KSampler has them."""
    if not IN_COMFYUI:
        from .headless import sampling

        return sampling.sigmas(model, scheduler, sampler_name, steps)
    import comfy.samplers

    # These samplers take their last step from the sigma before the last, so that one more is asked for and left out.
    skips_one = sampler_name in comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS
    model_sampling = model.get_model_object("model_sampling")
    levels = comfy.samplers.calculate_sigmas(model_sampling, scheduler, steps + skips_one)
    return torch.cat([levels[:-2], levels[-1:]]) if skips_one else levels


def sample(
    model: Any,
    latent: torch.Tensor,
    positive: list,
    negative: list,
    *,
    seed: int,
    sigmas: torch.Tensor,
    cfg: float,
    sampler_name: str,
    denoise_mask: torch.Tensor | None = None,
    callback: Callable[[int, torch.Tensor, torch.Tensor, int], None] | None = None,
    subseed: int = 0,
    subseed_strength: float = 0.0,
    eta: float | None = None,
    noise_multiplier: float = 1.0,
) -> torch.Tensor:
    """Noises `latent` to sigmas[0] and samples it along `sigmas`; returns a latent of the same shape.

    `denoise_mask` (B, 1, h, w) at the latent's size: 1 takes part in every step, m in the last floor(m n) of n, 0 in
    none (core.feedback.stepwise.stepwise_mask). `callback(step, x0, x, total)` follows every step. The noise depends on
    the seeds and the latent's shape alone; with a `subseed_strength` of 0 it is that of the stock KSampler, otherwise
    it is turned towards the noise of `subseed` (core.feedback.noise), and `noise_multiplier` makes it stronger or
    weaker. `eta` is how much noise the sampler adds at every step, where `takes_eta` says that it does; None leaves it
    its own. No global generator is reseeded.
    """
    if not IN_COMFYUI:
        from .headless import sampling

        return sampling.sample(
            model,
            latent,
            positive,
            negative,
            seed=seed,
            sigmas=sigmas,
            cfg=cfg,
            sampler_name=sampler_name,
            denoise_mask=denoise_mask,
            callback=callback,
            subseed=subseed,
            subseed_strength=subseed_strength,
            eta=eta,
            noise_multiplier=noise_multiplier,
        )
    import comfy.sample
    import comfy.samplers

    from .core.feedback.noise import initial_noise

    latent = comfy.sample.fix_empty_latent_channels(model, latent)
    noise = initial_noise(tuple(latent.shape), seed, subseed, subseed_strength).to(latent.dtype)
    if noise_multiplier != 1.0:
        noise = noise * noise_multiplier
    sampler = comfy.samplers.sampler_object(sampler_name)
    if eta is not None and takes_eta(sampler_name):
        sampler.extra_options = {**sampler.extra_options, "eta": eta}
    if denoise_mask is not None:
        model = with_stepwise_masks(model)
    return comfy.sample.sample_custom(
        model,
        noise,
        cfg,
        sampler,
        sigmas,
        positive,
        negative,
        latent,
        noise_mask=denoise_mask,
        callback=callback,
        disable_pbar=True,
        seed=seed,
    )


def with_stepwise_masks(model: Any) -> Any:
    """The model with masks that count steps. Made once a run: ComfyUI takes each clone for another model to load."""
    if not IN_COMFYUI or model.model_options.get("denoise_mask_function") is _count_steps:
        return model
    clone = model.clone()
    clone.set_model_denoise_mask_function(_count_steps)
    return clone


def _count_steps(sigma: torch.Tensor, mask: torch.Tensor, extra_options: dict[str, Any]) -> torch.Tensor:
    from .core.feedback.stepwise import stepwise_mask

    return stepwise_mask(sigma, mask, extra_options["sigmas"])


def size_multiple(vae: Any) -> int:
    """What width and height must be multiples of for this VAE: how many pixels one latent pixel stands for."""
    if IN_COMFYUI and hasattr(vae, "spacial_compression_encode"):
        return int(vae.spacial_compression_encode())
    return int(getattr(vae, "downscale_ratio", 1))


def vae_encode(vae: Any, image: torch.Tensor) -> torch.Tensor:
    """A core image (B, 3, H, W) as a latent (B, c, h, w), or (B, c, 1, h, w) where the VAE is one of video.

    The size must be a multiple of `size_multiple(vae)`: ComfyUI would cut the picture without a word.
    """
    _check_size(vae, (int(image.shape[-2]), int(image.shape[-1])))
    if not IN_COMFYUI:
        from .headless import sampling

        return sampling.vae_encode(vae, image)
    # One by one: a video VAE takes a batch for the frames of one clip.
    return torch.cat([vae.encode(to_image(image[i : i + 1])) for i in range(image.shape[0])])


def vae_decode(vae: Any, latent: torch.Tensor) -> torch.Tensor:
    """A latent as a core image (B, 3, H, W), float32, within 0..1, on the device where ComfyUI leaves pictures.

    Of a video VAE's (B, T, H, W, C) the first frame counts.
    """
    if not IN_COMFYUI:
        from .headless import sampling

        return sampling.vae_decode(vae, latent)
    image = vae.decode(latent)
    if image.ndim == 5:
        image = image[:, 0]
    return to_core(image).clamp(0.0, 1.0)


def empty_latent(model: Any, vae: Any, size: tuple[int, int]) -> torch.Tensor:
    """The latent of nothing for a picture of `size` (h, w): what text to image starts from."""
    _check_size(vae, size)
    if not IN_COMFYUI:
        from .headless import sampling

        return sampling.empty_latent(model, vae, size)
    import comfy.model_management
    import comfy.sample

    layout = model.get_model_object("latent_format")
    height, width = (length // layout.spacial_downscale_ratio for length in size)
    device = comfy.model_management.intermediate_device()
    return comfy.sample.fix_empty_latent_channels(
        model, torch.zeros(1, layout.latent_channels, height, width, device=device)
    )


def _check_size(vae: Any, size: tuple[int, int]) -> None:
    multiple = size_multiple(vae)
    for name, length in zip(("height", "width"), size, strict=True):
        if length % multiple:
            near = max(multiple, round(length / multiple) * multiple)
            raise FramedriftError(f"{name} is {length}, and must be a multiple of {multiple} for this VAE: try {near}.")


def apply_controls(
    positive: list,
    negative: list,
    controls: Iterable[tuple[Any, torch.Tensor, float, float, float, Any]],
    vae: Any = None,
) -> tuple[list, list]:
    """Both conditionings under ControlNets, as a chain of stock ControlNetApplyAdvanced nodes has them.

    `controls` are (CONTROL_NET, core image (1, 3, H, W), weight, start, end, VAE or None), start and end being shares
    of the sigma schedule from 0 to 1; a weight of 0 leaves one out. `vae` serves those that need one and bring none.
    What is given stays as it was: start from the same conditioning at every frame, or the chain grows.

    Raises FramedriftError without ComfyUI: there is nothing that loads a ControlNet.
    """
    for net, picture, weight, start, end, own_vae in controls:
        if weight == 0:
            continue
        if not IN_COMFYUI:
            raise FramedriftError("control_net: ControlNets need ComfyUI; take the Control node out of the chain.")
        # As an IMAGE lies in memory: convolutions round otherwise by the layout of what they are given.
        hint = to_image(picture).movedim(-1, 1)
        hinted = {"cond_hint": hint, "strength": weight, "timestep_percent_range": (start, end)}
        hinted["vae"] = vae if own_vae is None else own_vae
        # One copy serves all entries that had the same control before: ComfyUI runs those in one batch.
        copies: dict[Any, Any] = {}
        positive, negative = (
            [[entry, _controlled(options, net, hinted, copies)] for entry, options in side]
            for side in (positive, negative)
        )
    return positive, negative


def _controlled(options: dict[str, Any], net: Any, hinted: dict[str, Any], copies: dict[Any, Any]) -> dict[str, Any]:
    before = options.get("control")
    if before not in copies:
        copies[before] = net.copy().set_cond_hint(**hinted).set_previous_controlnet(before)
    return {**options, "control": copies[before], "control_apply_to_uncond": False}


def with_guidance(conditioning: list, guidance: float) -> list:
    """A conditioning with distilled guidance, as stock FluxGuidance sets it; models without it do not look at it."""
    return [[entry, {**options, "guidance": guidance}] for entry, options in conditioning]


def clip_skipped(clip: Any, skip: int) -> Any:
    """A CLIP that stops at its last layer but `skip - 1`, as the WebUI counts; 1 is the very same CLIP.

    2 is a stop_at_clip_layer of -2 in stock CLIPSetLastLayer. An encoder with fewer layers is left as it is.
    """
    if skip <= 1:
        return clip
    skipped = clip.clone()
    skipped.clip_layer(-skip)
    return skipped


# ---------------------------------------------------------------- checkpoints and LoRAs


def checkpoint_names() -> list[str]:
    """The checkpoints that `load_checkpoint` finds, with their subfolders; none without ComfyUI."""
    return _model_names("checkpoints")


def lora_names() -> list[str]:
    """The LoRAs that `load_lora` finds, likewise."""
    return _model_names("loras")


def load_checkpoint(name: str) -> tuple[Any, Any, Any]:
    """MODEL, CLIP and VAE of a checkpoint, as stock Load Checkpoint gives them; None for what it does not hold.

    Raises FramedriftError where there is none of that name.
    """
    path = _model_file("checkpoints", name)
    import comfy.sd
    import folder_paths

    embeddings = folder_paths.get_folder_paths("embeddings")
    model, clip, vae = comfy.sd.load_checkpoint_guess_config(
        path, output_vae=True, output_clip=True, embedding_directory=embeddings
    )[:3]
    # A VAE without weights stands for none, and fails when it is used.
    return model, clip, vae if getattr(vae, "first_stage_model", None) is not None else None


def load_lora(name: str) -> tuple[Any, Any]:
    """A LoRA's weights and what its file says of itself, for `with_lora`. Nothing in the file is executed.

    Raises FramedriftError where there is none of that name.
    """
    path = _model_file("loras", name)
    import comfy.utils

    return comfy.utils.load_torch_file(path, safe_load=True, return_metadata=True)


def with_lora(
    model: Any, clip: Any, lora: tuple[Any, Any], strength_model: float, strength_clip: float
) -> tuple[Any, Any]:
    """(model, clip) with a LoRA from `load_lora` over what they had, as stock Load LoRA puts it.

    Where a strength is 0, or no weight of the LoRA belongs there, the very same object comes back.
    """
    import comfy.sd

    weights, metadata = lora
    patched = comfy.sd.load_lora_for_models(model, clip, weights, strength_model, strength_clip, lora_metadata=metadata)
    before = (model, strength_model), (clip, strength_clip)
    model, clip = (
        new if strength and _patch_count(new) > _patch_count(old) else old
        for new, (old, strength) in zip(patched, before, strict=True)
    )
    return model, clip


def _patch_count(patched: Any) -> int:
    """How many patches of weights a model or a CLIP has."""
    patcher = getattr(patched, "patcher", patched)
    return sum(len(patches) for patches in getattr(patcher, "patches", {}).values())


def _model_names(kind: str) -> list[str]:
    if not IN_COMFYUI:
        return []
    import folder_paths

    return folder_paths.get_filename_list(kind)


def _model_file(kind: str, name: str) -> str:
    """Where a model lies; only what is listed counts, so that no name leads out of the models' folders."""
    if not IN_COMFYUI:
        raise FramedriftError(f"{kind} are loaded by ComfyUI; without it there is the demo model alone.")
    if name not in _model_names(kind):
        raise FramedriftError(f"there is no {name!r} in the folder {kind}.")
    import folder_paths

    return folder_paths.get_full_path_or_raise(kind, name)


def upscale(model: Any, image: torch.Tensor) -> torch.Tensor:
    """A core image (B, 3, H, W) made larger by an UPSCALE_MODEL: (B, 3, h, w) on the CPU, within 0..1.

    In tiles, smaller ones where the device's memory does not suffice.
    """
    if not IN_COMFYUI:
        return model(image).clamp(0.0, 1.0)
    import comfy.model_management
    import comfy.utils

    patcher = model.patcher
    # What the largest tile takes besides the weights, by the same rule of thumb as the stock node.
    needed = 512 * 512 * 3 * image.element_size() * max(model.scale, 1.0) * 384.0
    comfy.model_management.load_models_gpu([patcher], memory_required=needed, force_full_load=True)
    tile = 512
    while True:
        try:
            large = comfy.utils.tiled_scale(
                image.to(patcher.load_device),
                lambda part: model(part.float()),
                tile_x=tile,
                tile_y=tile,
                overlap=32,
                upscale_amount=model.scale,
                output_device="cpu",
            )
            return large.clamp(0.0, 1.0).float()
        except Exception as error:
            comfy.model_management.raise_non_oom(error)
            if tile == 128:
                raise
            tile //= 2


# ---------------------------------------------------------------- progress


class Progress:
    """The node's progress bar, out of `total` steps, with the picture beside it."""

    def __init__(self, total: int):
        if IN_COMFYUI:
            import comfy.utils

            self._bar = comfy.utils.ProgressBar(total)
        else:
            from .headless import progress

            self._bar = progress.Progress(total)

    def step(self, value: int, preview: Any = None) -> None:
        """Says that `value` of the total are done; `preview` is a core image, a PIL image or None."""
        if not IN_COMFYUI:
            self._bar.step(value, preview)
            return
        shown = None
        if preview is not None:
            import latent_preview

            picture = _pil(preview) if isinstance(preview, torch.Tensor) else preview
            shown = ("JPEG", picture, latent_preview.MAX_PREVIEW_RESOLUTION)
        self._bar.update_absolute(value, preview=shown)


def _pil(image: torch.Tensor) -> Any:
    from PIL import Image

    levels = image[0].detach().clamp(0.0, 1.0).mul(255.0).round().to(device="cpu", dtype=torch.uint8)
    return Image.fromarray(levels.movedim(0, -1).contiguous().numpy())


def latent_previewer(model: Any) -> Callable[[torch.Tensor], Any]:
    """A function from a denoised latent to a small PIL image, or to None where there is none: build it once a run."""
    if not IN_COMFYUI:
        return lambda x0: None
    import latent_preview

    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    if previewer is None:
        return lambda x0: None
    return previewer.decode_latent_to_preview


def check_interrupted() -> None:
    """Raises where the user has asked to stop: ComfyUI's own exception in ComfyUI, `Interrupted` elsewhere."""
    if IN_COMFYUI:
        import comfy.model_management

        comfy.model_management.throw_exception_if_processing_interrupted()
    else:
        from .headless import progress

        progress.check_interrupted()


def interrupt() -> None:
    """Ends the node at hand as if the user had stopped it: raises what `check_interrupted` does."""
    if IN_COMFYUI:
        import comfy.model_management

        comfy.model_management.interrupt_current_processing()
    else:
        from .headless import progress

        progress.interrupt()
    check_interrupted()


class DeviceModel:
    """A torch module that comes to the device when it is needed, and goes when the memory is: ComfyUI decides."""

    def __init__(self, module: torch.nn.Module):
        self.module = module
        if IN_COMFYUI:
            import comfy.model_management
            import comfy.model_patcher

            # Wrapped, since ComfyUI writes attributes such as `device`, which transformers' models do not let it do.
            self._patcher = comfy.model_patcher.ModelPatcher(
                torch.nn.ModuleDict({"module": module}),
                load_device=comfy.model_management.get_torch_device(),
                offload_device=comfy.model_management.unet_offload_device(),
            )
            self.device = self._patcher.load_device
        else:
            self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def load(self, memory_required: int = 0) -> torch.nn.Module:
        """The module, on `device`; `memory_required` is what running it takes besides its weights, in bytes."""
        if IN_COMFYUI:
            import comfy.model_management

            # In full: ComfyUI streams only the weights of its own layers.
            comfy.model_management.load_models_gpu(
                [self._patcher], memory_required=memory_required, force_full_load=True
            )
            return self.module
        return self.module.to(self.device)

    def unload(self) -> None:
        """Gives the device's memory back."""
        if IN_COMFYUI:
            import comfy.model_management

            comfy.model_management.unload_model_and_clones(self._patcher)
        else:
            self.module.to("cpu")


# ---------------------------------------------------------------- folders and files


def output_directory() -> Path:
    """Where results go."""
    return _directory("output")


def input_directory() -> Path:
    """Where the user's files lie."""
    return _directory("input")


def temp_directory() -> Path:
    """Where previews go; emptied by ComfyUI."""
    return _directory("temp")


def _directory(kind: str) -> Path:
    if IN_COMFYUI:
        import folder_paths

        return Path(folder_paths.get_directory_by_type(kind))
    from .headless import folders

    return getattr(folders.current(), kind)


def models_directories(kind: str) -> list[Path]:
    """The folders in which models of a kind lie ("checkpoints", "depthanything", ...), known to ComfyUI or not."""
    if not IN_COMFYUI:
        from .headless import folders

        return [folders.current().models / kind]
    import folder_paths

    if kind in folder_paths.folder_names_and_paths:
        return [Path(path) for path in folder_paths.get_folder_paths(kind)]
    return [Path(folder_paths.models_dir) / kind]


def metadata_allowed() -> bool:
    """Whether the workflow may be written into files (ComfyUI's --disable-metadata)."""
    if IN_COMFYUI:
        from comfy.cli_args import args

        return not args.disable_metadata
    from .headless import folders

    return folders.current().metadata


def file_metadata(hidden: Any) -> dict[str, str]:
    """What goes into a file so that the page can open it again: "prompt" and "workflow" as JSON; {} where not allowed.

    `hidden` is a running node's `cls.hidden`, with Hidden.prompt and Hidden.extra_pnginfo asked for.
    """
    if not metadata_allowed() or hidden is None:
        return {}
    texts = {"prompt": hidden.prompt, **(hidden.extra_pnginfo or {})}
    return {key: json.dumps(value) for key, value in texts.items() if value}


def check_prefix(prefix: str, folder: str = "output") -> None:
    """Raises FramedriftError, which names filename_prefix, where it is empty or leads out of the folder."""
    root = _directory(folder).resolve()
    unusable = not prefix.strip() or prefix.strip().endswith(("/", "\\")) or "\0" in prefix
    if unusable or root not in (root / prefix).resolve().parents:
        raise FramedriftError(
            f"filename_prefix is {prefix!r}, and must name a place in the {folder} folder, as 'video/flight' does."
        )


def save_path(prefix: str, extension: str, size: tuple[int, int], folder: str = "output") -> tuple[Path, Any]:
    """The next free `<prefix>_00001_.<extension>` in a folder, and the `ui.SavedResult` that tells the page of it.

    `size` is (h, w), for %width% and %height% in the prefix. Raises what `check_prefix` does. Nothing is written, but
    the folder is made.
    """
    check_prefix(prefix, folder)
    root = _directory(folder)
    if IN_COMFYUI:
        import folder_paths

        full, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, str(root), size[1], size[0])
    else:
        from .headless import folders

        full, name, counter, subfolder = folders.save_image_path(prefix, root, size)
    file = f"{name}_{counter:05}_.{extension.lstrip('.')}"
    return Path(full) / file, ui.SavedResult(file, subfolder, io.FolderType(folder))


def video_from_file(path: Path) -> Any:
    """A VIDEO output that reads this file."""
    if IN_COMFYUI:
        from comfy_api.latest import InputImpl

        return InputImpl.VideoFromFile(str(path))
    from .headless.video import VideoFile

    return VideoFile(path)


# ---------------------------------------------------------------- routes and events

#: How many requests are answered at once: a video takes one of them for as long as it is made.
ROUTE_THREADS = 2


def add_routes(prefix: str, answer: Callable[..., Any], largest_body: int) -> None:
    """Answers what lies below `prefix` on ComfyUI's server, also below /api; elsewhere there is nobody to ask.

    Args:
        prefix: as "/framedrift".
        answer: `(method, path, query, headers, body)` to an answer with `status`, `headers` and `body`, which is
            bytes or a file's path; called in a thread, so that the server goes on meanwhile, and in two at once at
            most, so that many who look on do not hold up the rendering. `path` is what follows the prefix, with the
            percent signs that it was sent with.
        largest_body: in bytes; one byte more is read of a longer one, so that `answer` can tell.
    """
    if (server := _server()) is None:
        return
    import asyncio
    import sys
    from concurrent.futures import ThreadPoolExecutor

    threads = ThreadPoolExecutor(ROUTE_THREADS, "framedrift")
    # The library that ComfyUI's server is built on, as that module has it.
    web = sys.modules["server"].web

    async def handle(request: Any) -> Any:
        body = b""
        # Never more than asked for in memory, whatever the sender says of the length.
        while len(body) <= largest_body and (part := await request.content.read(largest_body + 1 - len(body))):
            body += part
        path = request.rel_url.raw_path.partition(f"{prefix}/")[2]
        asked = (request.method, path, dict(request.query), dict(request.headers), body)
        given = await asyncio.get_running_loop().run_in_executor(threads, answer, *asked)
        if isinstance(given.body, Path):
            return web.FileResponse(given.body, status=given.status, headers=given.headers)
        return web.Response(body=given.body, status=given.status, headers=given.headers)

    for register in (server.routes.get, server.routes.post):
        register(f"{prefix}/{{path:.*}}")(handle)


def send_event(name: str, data: dict[str, Any]) -> None:
    """Tells every open page; where there is no server, nobody. From any thread, and at once: nothing is waited for."""
    if (server := _server()) is not None:
        server.send_sync(name, data)


def _server() -> Any:
    """ComfyUI's server; None where there is none, as in a script that only imports ComfyUI."""
    import sys

    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None) if IN_COMFYUI else None


# ---------------------------------------------------------------- the demo model


def procedural_model() -> tuple[Any, Any, Any]:
    """The demo model as MODEL, CLIP and VAE."""
    from .headless import demo

    if not IN_COMFYUI:
        return demo.procedural_model()
    return _demo_patcher(), demo.ProceduralClip(), demo.ProceduralVae()


def _demo_patcher() -> Any:
    """The demo model as ComfyUI's own kind of model: whatever takes a MODEL runs it, the stock KSampler too."""
    import comfy.latent_formats
    import comfy.model_base
    import comfy.model_management
    import comfy.model_patcher
    import comfy.supported_models_base

    from .core.field import LATENT_SCALE, denoise, softened
    from .core.palette import palettes_from

    class Pixels(comfy.latent_formats.LatentFormat):
        """One latent pixel for one of the picture, three channels."""

        latent_channels = 3
        spacial_downscale_ratio = 1
        # The tone curve's tangent, a little flattened: previews are linear, from -1 to 1.
        latent_rgb_factors = (torch.eye(3) * (0.8 / LATENT_SCALE)).tolist()

    class Config(comfy.supported_models_base.BASE):
        unet_config: ClassVar = {"disable_unet_model_creation": True, "in_channels": 3}
        unet_extra_config: ClassVar = {}
        latent_format = Pixels
        supported_inference_dtypes: ClassVar = [torch.float32]
        sampling_settings: ClassVar = {"beta_schedule": "linear", "linear_start": 0.00085, "linear_end": 0.012}
        memory_usage_factor = 0.02

    class Network(torch.nn.Module):
        """What ComfyUI takes for the network: undoes the scaling of its input, denoises, and gives the noise found."""

        dtype = torch.float32

        def __init__(self, levels: Any, device: Any):
            super().__init__()
            self.levels = [levels]  # in a list, so that it is no submodule
            # ComfyUI asks a model's parameters for their number and place.
            self.placeholder = torch.nn.Parameter(torch.zeros(1, device=device), requires_grad=False)

        def forward(self, x, timestep, context=None, control=None, transformer_options=None, **kwargs):
            options = transformer_options or {}
            # The timestep is the nearest of a thousand; samplers say the noise level itself beside it.
            level = options["sigmas"] if "sigmas" in options else self.levels[0].sigma(timestep)
            sigma = level.to(x.device, torch.float32).reshape(-1)[:1]
            noisy = x * (sigma.square() + 1).sqrt()
            sides = options.get("cond_or_uncond") or [0]
            negative = [side == 1 for side in sides for _ in range(x.shape[0] // len(sides))]
            return (noisy - denoise(noisy, sigma, palettes_from(context, negative))) / sigma

    config = Config({**Config.unet_config})
    config.set_inference_dtype(torch.float32, None)
    offload = comfy.model_management.unet_offload_device()
    model = comfy.model_base.BaseModel(config, comfy.model_base.ModelType.EPS, device=offload)
    model.diffusion_model = Network(model.model_sampling, offload)
    patcher = comfy.model_patcher.ModelPatcher(model, comfy.model_management.get_torch_device(), offload)

    def guide(args: dict[str, Any]) -> torch.Tensor:
        scale = softened(args["cond_scale"])
        return args["cond"] if scale == 1 else args["uncond"] + (args["cond"] - args["uncond"]) * scale

    patcher.set_model_sampler_cfg_function(guide)
    return patcher
