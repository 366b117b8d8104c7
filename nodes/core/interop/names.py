"""Samplers and schedulers by the WebUI's names and by ComfyUI's."""

from __future__ import annotations

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
_NEAREST = {"PLMS": ("ipndm", "normal"), "Restart": ("heun", "karras")}
_NOTEBOOK = {
    "klms": "lms",
    "dpm2": "dpm_2",
    "dpm2_ancestral": "dpm_2_ancestral",
    "plms": "ipndm",
    "dpmpp_2s_a": "dpmpp_2s_ancestral",
}
_SCHEDULERS = {
    "automatic": "normal",
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

    None where the name is not known.
    """
    if label in _NEAREST:
        return *_NEAREST[label], False
    if label in _NOTEBOOK or label in _LABELS:
        return _NOTEBOOK.get(label, label), None, True
    base, scheduler = label, None
    for suffix in ("Karras", "Exponential"):
        if label.endswith(f" {suffix}"):
            base, scheduler = label[: -len(suffix) - 1], suffix.lower()
    if base not in _SAMPLERS:
        return None
    return _SAMPLERS[base], scheduler or ("ddim_uniform" if base == "DDIM" else None), True


def scheduler_of(label: str) -> tuple[str, bool] | None:
    """(ComfyUI's scheduler, whether it is the same thing); None where the name is not known."""
    plain = label.strip().lower().replace("_", " ")
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
