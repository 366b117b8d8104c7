"""Combine Cameras, Look At and Loop Camera: cameras made of cameras."""

NODES: list = []
