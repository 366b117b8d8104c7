"""Samplers and schedulers by the WebUI's names and by ComfyUI's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..schedule import StringSchedule, parse_string_schedule

_SAMPLERS = {
    "Euler a": "euler_ancestral",
    "Euler": "euler",
    "LMS": "lms",
    "Heun": "heun",
    "DPM2": "dpm_2",
    "DPM2 a": "dpm_2_ancestral",
    "DPM++ 2S a": "dpmpp_2s_ancestral",
    "DPM++ 2M": "dpmpp_2m",
    "DPM++ SDE": "dpmpp_sde",
    "DPM++ 2M SDE": "dpmpp_2m_sde",
    "DPM++ 2M SDE Heun": "dpmpp_2m_sde_heun",
    "DPM++ 3M SDE": "dpmpp_3m_sde",
    "DPM fast": "dpm_fast",
    "DPM adaptive": "dpm_adaptive",
    "DDIM": "ddim",
    "UniPC": "uni_pc",
    "LCM": "lcm",
    "DDPM": "ddpm",
}
_PLAIN = {label.lower(): name for label, name in _SAMPLERS.items()}
_NEAREST = {"plms": ("ipndm", "normal"), "restart": ("heun", "karras")}
_NOTEBOOK = {
    "klms": "lms",
    "dpm2": "dpm_2",
    "dpm2_ancestral": "dpm_2_ancestral",
    "plms": "ipndm",
    "dpmpp_2s_a": "dpmpp_2s_ancestral",
}
#: What the WebUI takes where its scheduler is Automatic; Normal for the others.
_AUTOMATIC = {
    "dpm_2": "karras",
    "dpm_2_ancestral": "karras",
    "dpmpp_2s_ancestral": "karras",
    "dpmpp_2m": "karras",
    "dpmpp_sde": "karras",
    "dpmpp_2m_sde": "exponential",
    "dpmpp_2m_sde_heun": "exponential",
    "dpmpp_3m_sde": "exponential",
}
_SCHEDULERS = {
    "normal": "normal",
    "uniform": "normal",
    "karras": "karras",
    "exponential": "exponential",
    "sgm uniform": "sgm_uniform",
    "kl optimal": "kl_optimal",
    "simple": "simple",
    "ddim": "ddim_uniform",
    "beta": "beta",
    "linear quadratic": "linear_quadratic",
}
_OWN = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+|deis|ipndm|heunpp2")
_NEAREST_SCHEDULERS = {"polyexponential": "exponential", "align your steps": "normal", "turbo": "normal"}
_LABELS = {name: label for label, name in _SAMPLERS.items()}
_SCHEDULER_LABELS = {
    "normal": "Normal", "karras": "Karras", "exponential": "Exponential", "sgm_uniform": "SGM Uniform",
    "kl_optimal": "KL Optimal", "simple": "Simple", "ddim_uniform": "DDIM", "beta": "Beta",
    "linear_quadratic": "Linear Quadratic",
}  # fmt: skip

#: In the order in which older settings files number them.
NUMBERED = ("Euler a", "Euler", "LMS", "Heun", "DPM2", "DPM2 a", "DPM++ 2S a", "DPM++ 2M", "DPM++ SDE", "DPM fast")


def sampler_of(label: str) -> tuple[str, str | None, bool] | None:
    """(ComfyUI's sampler, its scheduler or None where the name says none, whether they are the same thing).

    The WebUI's names count in any case, as in its sampler_schedule. None where the name is not known.
    """
    if label in _NOTEBOOK or label in _LABELS:
        return _NOTEBOOK.get(label, label), None, True
    base, scheduler = label.strip().lower(), None
    if base in _NEAREST:
        return *_NEAREST[base], False
    for suffix in ("karras", "exponential"):
        if base.endswith(f" {suffix}"):
            base, scheduler = base[: -len(suffix) - 1], suffix
    if base not in _PLAIN:
        return None
    return _PLAIN[base], scheduler or ("ddim_uniform" if base == "ddim" else None), True


def own_name(label: str) -> tuple[str, None, bool] | None:
    """The same for a name that looks like one of ComfyUI's, and like none of the WebUI's."""
    return (label, None, True) if _OWN.fullmatch(label) else None


def scheduler_of(label: str, sampler: str = "") -> tuple[str, bool] | None:
    """(ComfyUI's scheduler, whether it is the same thing); None where the name is not known.

    `sampler`, by ComfyUI's name, decides what Automatic is.
    """
    plain = label.strip().lower().replace("_", " ")
    if plain == "automatic":
        return _AUTOMATIC.get(sampler, "normal"), True
    if plain in _NEAREST_SCHEDULERS:
        return _NEAREST_SCHEDULERS[plain], False
    if label in _SCHEDULER_LABELS:
        return label, True
    return (_SCHEDULERS[plain], True) if plain in _SCHEDULERS else None


def sampler_label(name: str) -> str:
    """The WebUI's name of one of ComfyUI's samplers; its own where the WebUI has none."""
    return _LABELS.get(name, name)


def scheduler_label(name: str) -> str:
    """The WebUI's name of one of ComfyUI's schedulers; its own where the WebUI has none."""
    return _SCHEDULER_LABELS.get(name, name)


def renamed(schedule: StringSchedule, known: Mapping[str, str], called: str = "") -> StringSchedule:
    """The schedule with another name in the place of each of its names; `called` is its own name then."""
    keys = ((time.text if time.text.isdigit() else f'"{time.text}"', known[name]) for time, _, name in schedule.keys)
    return parse_string_schedule(", ".join(f'{key}: ("{name}")' for key, name in keys), called or schedule.name)
