"""Frames as a lazy sequence, and what writes them to a video file."""

from .frames import BatchFrames, Frames, Timeline, as_frames, gather

__all__ = ["BatchFrames", "Frames", "Timeline", "as_frames", "gather"]
