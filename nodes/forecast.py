"""Camera Preview: what a camera will do to a picture, before anything is diffused."""

from . import host, sockets
from .core.errors import FramedriftError
from .host import io, ui
from .projection import bad_range, depth_input, disparity_input, projection_inputs, warp_settings


class CameraPreview(io.ComfyNode):
    """Simulates an animation at a small size and says where it goes too far."""

    @classmethod
    def define_schema(cls):
        """What the node shows."""
        return io.Schema(
            node_id="FramedriftCameraPreview",
            display_name="Camera Preview",
            category="Framedrift/camera",
            description="Shows in seconds what a camera will do to the first frame, before anything is diffused: a "
            "small video, and below it how much is uncovered, magnified and moved in every step of the sampler. What "
            "is more than a sampler can repair is marked.",
            is_output_node=True,
            search_aliases=["forecast", "dry run", "preview animation", "deforum preview", "camera test", "parallax"],
            inputs=[
                io.Image.Input("image", tooltip="The first frame: one picture."),
                sockets.Camera.Input("camera", tooltip="How the camera moves: from any camera node."),
                host.num_frames_input("Length of the animation in frames (Deforum's max_frames)."),
                host.fps_input("Frames per second of the animation, and of the preview.", round=0.001),
                host.seed_input("What schedules see as s. The preview itself draws no random numbers.", advanced=True),
                io.Int.Input(
                    "diffusion_cadence",
                    default=1,
                    min=1,
                    max=1000,
                    step=1,
                    tooltip="Every how many frames the sampler will diffuse one: set it as in the sampler. Each step "
                    "spans so many frames, and is measured as a whole.",
                ),
                io.Int.Input(
                    "preview_size",
                    default=320,
                    min=64,
                    max=1024,
                    step=16,
                    tooltip="The preview's longer side in pixels. Larger shows more and takes longer; what is measured "
                    "stays about the same.",
                ),
                depth_input("How near everything in the first frame is, white nearest."),
                *projection_inputs(advanced=True),
            ],
            outputs=[
                sockets.Frames.Output("frames", tooltip="The small video's frames, lazily, without the plot."),
                io.Image.Output("plot", tooltip="Uncovered, magnified and moved over the frames, limits marked."),
                io.String.Output("report", tooltip="A line for every stretch that is off the scale, and the totals."),
            ],
        )

    @classmethod
    def validate_inputs(cls, **kwargs):
        """What can be known before anything runs."""
        return host.check_bounds(cls, kwargs) or bad_range(kwargs) or True

    @classmethod
    def execute(cls, **inputs):
        """Simulates, measures, and writes the video that the node shows."""
        from .core.cadence.plan import diffused_frames
        from .core.camera.forecast import forecast
        from .core.camera.forecast_view import ForecastVideo, plot_forecast, report
        from .core.video.encode import encode_h264

        image = host.to_core(inputs["image"])
        if len(image) != 1:
            raise FramedriftError(f"image: {len(image)} pictures; the preview starts from one, so choose one of them.")
        size = (int(image.shape[-2]), int(image.shape[-1]))
        track = inputs["camera"].track(inputs["num_frames"], inputs["fps"], inputs["seed"], size)
        depth = disparity_input(inputs.get("depth"), image)
        diffused = diffused_frames(inputs["num_frames"], inputs["diffusion_cadence"])
        progress = host.Progress(len(diffused) - 1 + inputs["num_frames"])

        def done(number: int, before: int = 0) -> None:
            host.check_interrupted()
            progress.step(before + number)

        found = forecast(
            image, depth, track, diffused, warp_settings(inputs), inputs["preview_size"], inputs["fps"], on_step=done
        )
        video = ForecastVideo(found)
        path, saved = host.save_path("framedrift_preview", "mp4", video.size, folder="temp")
        encode_h264(video, path, video.fps, video.size, on_frame=lambda number: done(number, before=len(diffused) - 1))
        plot = host.to_image(plot_forecast(found))
        return io.NodeOutput(found.frames, plot, report(found), ui=ui.PreviewVideo([saved]))


NODES = [CameraPreview]
