"""Cadence: which frames are diffused, and the tweens between them."""

from .plan import diffused_frames
from .tween import BLENDS, Blend, TweenedFrames

__all__ = ["BLENDS", "Blend", "TweenedFrames", "diffused_frames"]
