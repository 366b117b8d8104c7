"""The pack as ComfyUI knows it: every adapter module's nodes."""

from __future__ import annotations

from .host import ComfyExtension, io

_MODULES: tuple = ()

NODES: list[type[io.ComfyNode]] = [node for module in _MODULES for node in module.NODES]


class FramedriftExtension(ComfyExtension):
    """All nodes of Framedrift."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The node classes, in the order in which they are used."""
        return NODES
