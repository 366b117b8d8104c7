"""Camera Move and Camera Shake: motions by name instead of by numbers."""

NODES: list = []
