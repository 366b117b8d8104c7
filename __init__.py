"""Framedrift: Deforum animation as a ComfyUI node pack.

ComfyUI imports this file by its path, pytest and the command line as the package ``framedrift``. Nothing is imported
here before ComfyUI asks for the nodes, so that the pack costs nothing at start-up.
"""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """What ComfyUI calls to learn the nodes of this pack."""
    from .nodes.extension import FramedriftExtension

    return FramedriftExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
