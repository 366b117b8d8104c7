"""Camera Preview: what a camera will do to a picture, before anything is diffused."""

NODES: list = []
