"""Camera from File and Camera to File: poses of other programs."""

NODES: list = []
