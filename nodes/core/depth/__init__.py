"""How near every pixel is: models that estimate it, scenes that define it, and one scale through time."""

from .align import DepthTracker
from .estimate import OUTPUTS, DepthModel, TransformersDepth, load_depth_model
from .files import download_model, find_model
from .synthetic import KINDS, SyntheticDepth

__all__ = [
    "KINDS",
    "OUTPUTS",
    "DepthModel",
    "DepthTracker",
    "SyntheticDepth",
    "TransformersDepth",
    "download_model",
    "find_model",
    "load_depth_model",
]
