"""Camera Direction: a sentence as a camera."""

NODES: list = []
