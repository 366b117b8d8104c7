"""Frames as a lazy sequence, and what writes them to a video file."""

from .frames import BatchFrames, Frames, as_frames

__all__ = ["BatchFrames", "Frames", "as_frames"]
