"""Cadence Blend: the frames between the diffused ones."""

from . import host, sockets
from .host import io
from .links import clip
from .video import frames_input


class CadenceBlend(io.ComfyNode):
    """Fills in the frames that the sampler left out."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCadenceBlend",
            display_name="Cadence Blend",
            category="Framedrift/video",
            description="Fills in the frames between diffused ones: each is sampled once from both of its neighbours, "
            "moved by the camera, and what one of them does not show is taken from the other. Frames are made when "
            "they are asked for, and frames without gaps pass through unchanged.",
            search_aliases=["deforum cadence", "diffusion_cadence", "tween", "in-between", "interpolate", "turbo"],
            inputs=[
                frames_input("Frames with gaps, as Frame Feedback Sampler makes them at a cadence over 1."),
                io.Combo.Input(
                    "blend",
                    options=["smooth", "linear", "nearest"],
                    default="smooth",
                    tooltip="How the two neighbours are mixed: smooth keeps the contrast of details that differ, "
                    "linear is a plain cross-fade as in classic Deforum, nearest shows the nearer one alone.",
                ),
                io.Combo.Input(
                    "flow",
                    options=["none", "dis", "farneback"],
                    default="none",
                    optional=True,
                    tooltip="Optical flow (Deforum's optical_flow_cadence) for what moves otherwise than the camera: "
                    "it then goes over instead of fading over. dis is sharp, farneback soft.",
                ),
            ],
            outputs=[
                sockets.Frames.Output("frames", display_name="frames", tooltip="Every frame of the animation, lazily.")
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or True

    @classmethod
    def execute(cls, frames, blend="smooth", flow="none"):
        """The same animation without gaps."""
        from .core.video.frames import as_frames

        source = as_frames(clip("frames", frames))
        if len(source) == source.num_frames > 0:
            return io.NodeOutput(source)
        from .core.cadence import TweenedFrames

        return io.NodeOutput(TweenedFrames(source, blend, flow=flow))


NODES = [CadenceBlend]
