"""From one diffused frame to the next."""

from .denoise import Diffusion
from .frame import Diffuser, LoopSettings, Scene
from .loop import DiffusedFrame, animate
from .options import Option, Options
from .plan import FramePlan, Schedules, cut_frames, plan_frames
from .redo import StopRun

__all__ = [
    "DiffusedFrame",
    "Diffuser",
    "Diffusion",
    "FramePlan",
    "LoopSettings",
    "Option",
    "Options",
    "Scene",
    "Schedules",
    "StopRun",
    "animate",
    "cut_frames",
    "plan_frames",
]
