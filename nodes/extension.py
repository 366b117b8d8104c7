"""The pack as ComfyUI knows it: every adapter module's nodes."""

from __future__ import annotations

from . import (
    cadence,
    camera,
    clips,
    coherence,
    combine,
    control,
    demo,
    depth,
    direction,
    forecast,
    guides,
    host,
    hybrid,
    interop,
    masks,
    moves,
    noise,
    prompt,
    redo,
    routes,
    runs,
    sampler,
    sampling,
    schedule,
    trajectory,
    values,
    video,
    wan,
    warp,
)
from .host import ComfyExtension, io

# In the order in which a workflow uses them.
_MODULES = (
    schedule, prompt, camera, moves, direction, combine, trajectory, interop, depth, warp, forecast, wan, sampler,
    coherence, noise, masks, control, guides, hybrid, sampling, redo, values, runs, cadence, clips, video, demo,
)  # fmt: skip

NODES: list[type[io.ComfyNode]] = [node for module in _MODULES for node in module.NODES]


class FramedriftExtension(ComfyExtension):
    """All nodes of Framedrift."""

    async def on_load(self) -> None:
        """Answers below /framedrift from now on: ComfyUI's server starts after this."""
        host.add_routes(routes.PREFIX, routes.answer, routes.LARGEST_BODY)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The node classes."""
        return NODES
