"""From one diffused frame to the next."""

from .denoise import Diffusion
from .loop import DiffusedFrame, Diffuser, LoopSettings, animate
from .options import Option, Options
from .plan import FramePlan, Schedules, cut_frames, plan_frames

__all__ = [
    "DiffusedFrame",
    "Diffuser",
    "Diffusion",
    "FramePlan",
    "LoopSettings",
    "Option",
    "Options",
    "Schedules",
    "animate",
    "cut_frames",
    "plan_frames",
]
