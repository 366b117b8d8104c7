"""Who paints which frame: checkpoints, LoRAs and clip skip over time, each loaded once and switched at its keys."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from . import host
from .core.errors import FramedriftError

if TYPE_CHECKING:
    from .core.feedback import FramePlan, Options
    from .core.feedback.sampling import LoraStrength
    from .prompt import Prompts

log = logging.getLogger("framedrift")

#: How many sets of LoRA strengths are kept: going back and forth between two costs nothing.
KEPT_PATCHED = 2
#: How many text encoders' prompts are kept, each with up to KEPT_TEXTS texts.
KEPT_PROMPTS = 4

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class _Checkpoint:
    model: Any
    clip: Any
    vae: Any


class Cast:
    """The model, the VAE and the prompts of every frame, as the options say; without such options always the same."""

    def __init__(self, model: Any, vae: Any, prompts: Prompts, options: Options) -> None:
        """Takes what is linked to the sampler, and its chain of options. Nothing is loaded yet."""
        # One clone for all frames: ComfyUI takes each for another model to load.
        self._linked = _Checkpoint(host.with_stepwise_masks(model), prompts.clip, vae)
        self._checkpoints: dict[str, _Checkpoint] = {"": self._linked}
        self._loras: dict[str, Any] = {}
        self._patched: OrderedDict[tuple, tuple[Any, Any]] = OrderedDict()
        self._misfits: set[tuple[str, str]] = set()
        self.follow(prompts, options)

    def follow(self, prompts: Prompts, options: Options) -> None:
        """Goes on with other prompts, of the same CLIP, and other options; what is loaded stays."""
        self.prompts, self.options = prompts, options
        self._prompts: OrderedDict[tuple, Prompts] = OrderedDict()

    def at(self, plan: FramePlan) -> tuple[Any, Any, Prompts]:
        """(model, VAE, prompts) of a plan's frame. The model has masks that count steps.

        Raises FramedriftError where a checkpoint or a LoRA cannot be had; `check` says so before.
        """
        from .core.feedback.sampling import CHECKPOINT, CLIP_SKIP, loras_of

        name, skip = plan.names.get(CHECKPOINT, ""), int(plan.values.get(CLIP_SKIP, 1))
        chosen = self._checkpoint(name)
        loras = loras_of(self.options, plan)
        model, clip = chosen.model, chosen.clip
        if loras:
            model, clip = _kept(self._patched, (name, loras), KEPT_PATCHED, lambda: self._with_loras(name, loras))
        if name == "" and clip is chosen.clip and skip <= 1:
            return model, chosen.vae, self.prompts
        strengths = () if clip is chosen.clip else tuple((lora.name, lora.clip) for lora in loras if lora.clip)
        prompts = _kept(self._prompts, (name, strengths, skip), KEPT_PROMPTS, lambda: self._read_by(clip, skip))
        return model, chosen.vae, prompts

    def check(self, plans: Sequence[FramePlan], sampler_name: str, scheduler: str) -> None:
        """Loads what these plans need, and refuses what cannot be had or does not fit.

        `sampler_name` and `scheduler` are what is used where nothing is scheduled. Raises FramedriftError that names
        the schedule and its key.
        """
        from .core.feedback.sampling import CHECKPOINT, loras_of

        check_options(self.options)
        for name in dict.fromkeys(plan.names.get(CHECKPOINT, "") for plan in plans):
            host.check_interrupted()
            self._checkpoint(name)
        for name in dict.fromkeys(lora.name for plan in plans for lora in loras_of(self.options, plan)):
            host.check_interrupted()
            self._lora(name)
        _warn_of_idle_eta(plans, sampler_name, scheduler)

    def prepare(
        self,
        plans: Sequence[FramePlan],
        num_frames: int,
        seed: int,
        interrupted: Callable[[], object] | None = None,
    ) -> None:
        """Encodes what these plans need, as far as it can be kept; see `Prompts.prepare`."""
        frames: dict[int, tuple[Prompts, list[int]]] = {}
        for plan in plans:
            prompts = self.at(plan)[2]
            if id(prompts) not in frames and len(frames) == KEPT_PROMPTS - 1:
                break
            frames.setdefault(id(prompts), (prompts, []))[1].append(plan.frame)
        for prompts, wanted in frames.values():
            prompts.prepare(wanted, num_frames, seed, interrupted)

    def _checkpoint(self, name: str) -> _Checkpoint:
        if name not in self._checkpoints:
            try:
                model, clip, vae = host.load_checkpoint(name)
            except Exception as error:
                # Of whatever kind the loaders' own errors are: which key it is, none of them says.
                raise self._refusal(name, f"{name!r} cannot be loaded: {error}") from error
            self._checkpoints[name] = self._fitting(name, model, clip, vae)
            log.info("loaded the checkpoint %s", name)
        return self._checkpoints[name]

    def _fitting(self, name: str, model: Any, clip: Any, vae: Any) -> _Checkpoint:
        """A checkpoint that can take the linked one's place; without a VAE of its own it takes the linked one."""
        if model is None or clip is None:
            missing = "diffusion model" if model is None else "text encoder"
            raise self._refusal(name, f"{name!r} holds no {missing}; only whole checkpoints can be switched to")
        vae = self._linked.vae if vae is None else vae
        own, wanted = host.size_multiple(vae), host.size_multiple(self._linked.vae)
        if own != wanted:
            raise self._refusal(
                name,
                f"the VAE of {name!r} makes {own} pixels of one latent pixel, the linked one {wanted}; all checkpoints "
                f"of a schedule must have the same",
            )
        return _Checkpoint(host.with_stepwise_masks(model), clip, vae)

    def _refusal(self, name: str, reason: str) -> FramedriftError:
        from .core.feedback.sampling import CHECKPOINT, Checkpoints, key_of
        from .core.schedule.errors import ScheduleError

        part = self.options.only(Checkpoints)
        key = key_of(part.names[CHECKPOINT], name) if part is not None else ""
        return ScheduleError(reason, CHECKPOINT, key or None)

    def _lora(self, name: str) -> Any:
        if name not in self._loras:
            try:
                self._loras[name] = host.load_lora(name)
            except Exception as error:
                raise FramedriftError(f"lora_name: {name!r} cannot be loaded: {error}") from error
        return self._loras[name]

    def _with_loras(self, checkpoint: str, loras: Sequence[LoraStrength]) -> tuple[Any, Any]:
        chosen = self._checkpoints[checkpoint]
        model, clip = chosen.model, chosen.clip
        for lora in loras:
            old_model, old_clip = model, clip
            model, clip = host.with_lora(model, clip, self._lora(lora.name), lora.model, lora.clip)
            misfit = model is old_model and clip is old_clip
            if misfit and (checkpoint, lora.name) not in self._misfits:
                self._misfits.add((checkpoint, lora.name))
                log.warning("lora_name: %s changes nothing: it was made for another kind of model.", lora.name)
        return model, clip

    def _read_by(self, clip: Any, skip: int) -> Prompts:
        from .prompt import Prompts

        said = self.prompts
        return Prompts(host.clip_skipped(clip, skip), said.schedule, said.blend, said.overlap)


def check_options(options: Options) -> None:
    """Refuses names that do not exist in the options' schedules, at whichever key they stand.

    Raises FramedriftError that names the schedule and the key, and what there is instead.
    """
    from .core.feedback.sampling import CHECKPOINT, SAMPLER, SCHEDULER, Checkpoints, Lora, SamplingSchedules

    for part in options.all(SamplingSchedules):
        check_scheduled(part.names, SAMPLER)
        check_scheduled(part.names, SCHEDULER)
    for part in options.all(Checkpoints):
        check_scheduled(part.names, CHECKPOINT)
    for part, prefix in options.prefixes():
        if isinstance(part, Lora):
            check_lora(part.lora_name, f"{prefix}lora_name")


def check_scheduled(schedules: Any, name: str) -> None:
    """The same for one schedule of names by its id, out of several; one that is missing is fine."""
    from .core.feedback.sampling import CHECKPOINT, SAMPLER, check_names

    if name not in schedules:
        return
    if name == CHECKPOINT:
        _need_comfyui(name, any(key[2] for key in schedules[name].keys))
        # An empty name is the linked model.
        check_names(schedules[name], ["", *host.checkpoint_names()], "checkpoint")
    elif name == SAMPLER:
        check_names(schedules[name], host.sampler_names(), "sampler")
    else:
        check_names(schedules[name], host.scheduler_names(), "scheduler")


def check_lora(name: str, field: str = "lora_name") -> None:
    """Refuses a LoRA that is not among the models."""
    from .core.feedback.sampling import unknown

    _need_comfyui(field)
    known = host.lora_names()
    if name not in known:
        raise FramedriftError(f"{field}: {unknown(name, known, 'LoRA')}.")


def _need_comfyui(field: str, needed: bool = True) -> None:
    if needed and not host.IN_COMFYUI:
        raise FramedriftError(f"{field}: models are loaded by ComfyUI; without it there is the demo model alone.")


def _warn_of_idle_eta(plans: Sequence[FramePlan], sampler_name: str, scheduler: str) -> None:
    from .core.feedback.sampling import sampling_of

    asked = [sampling_of(plan, sampler_name, scheduler) for plan in plans]
    idle = {found.sampler_name for found in asked if found.eta is not None and not host.takes_eta(found.sampler_name)}
    if idle:
        log.warning("eta_schedule has no effect with %s: it adds no noise as it goes.", ", ".join(sorted(idle)))


def _kept(store: OrderedDict[tuple, _T], key: tuple, most: int, make: Callable[[], _T]) -> _T:
    """What is stored under the key, made where it is not; the ones not used for longest go."""
    if key not in store:
        store[key] = make()
        if len(store) > most:
            store.popitem(last=False)
    store.move_to_end(key)
    return store[key]
