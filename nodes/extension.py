"""The pack as ComfyUI knows it: every adapter module's nodes."""

from __future__ import annotations

from . import cadence, camera, demo, depth, interop, prompt, sampler, schedule, video, warp
from .host import ComfyExtension, io

# In the order in which a workflow uses them.
_MODULES = (schedule, prompt, camera, interop, depth, warp, sampler, cadence, video, demo)

NODES: list[type[io.ComfyNode]] = [node for module in _MODULES for node in module.NODES]


class FramedriftExtension(ComfyExtension):
    """All nodes of Framedrift."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The node classes."""
        return NODES
