"""Procedural Model: a model that needs no download."""

from . import host
from .host import io


class ProceduralModel(io.ComfyNode):
    """MODEL, CLIP and VAE of a sky made by formula."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftProceduralModel",
            display_name="Procedural Model",
            category="Framedrift/demo",
            description="A small diffusion model of skies that is computed, not trained: nothing is downloaded, and a "
            "frame takes a second or two without a graphics card. It stands where a checkpoint loader stands, to try a "
            "camera, a schedule or a whole workflow before a large model renders it. Colours come from the prompt's "
            "words.",
            search_aliases=[
                "deforum demo",
                "demo model",
                "test model",
                "checkpoint loader",
                "load checkpoint",
                "no download",
            ],
            inputs=[],
            outputs=[
                io.Model.Output("model", tooltip="Goes where a checkpoint's MODEL goes, stock KSampler included."),
                io.Clip.Output("clip", tooltip="Reads the colours out of a prompt's words."),
                io.Vae.Output("vae", tooltip="A tone curve: one latent pixel for each pixel of the picture."),
            ],
        )

    @classmethod
    def execute(cls):
        """Builds the three anew: it takes no time."""
        return io.NodeOutput(*host.procedural_model())


NODES = [ProceduralModel]
