"""Cadence: which frames are diffused, and the tweens between them."""

from .flow import FLOWS, Flow
from .plan import diffused_frames
from .tween import BLENDS, Blend, TweenedFrames

__all__ = ["BLENDS", "FLOWS", "Blend", "Flow", "TweenedFrames", "diffused_frames"]
