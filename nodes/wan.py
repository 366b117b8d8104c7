"""Camera to Wan and Camera to VACE: the same camera for video models."""

NODES: list = []
