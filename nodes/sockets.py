"""Every socket type of this pack, declared once."""

from .host import io

#: A value over time: ``core.schedule.Schedule``.
Schedule = io.Custom("FRAMEDRIFT_SCHEDULE")
#: Texts over time with their conditionings.
Prompts = io.Custom("FRAMEDRIFT_PROMPTS")
#: A camera's motion: a ``core.camera.Camera``.
Camera = io.Custom("FRAMEDRIFT_CAMERA")
#: What gives an image's disparity: ``core.depth.DepthModel``.
DepthModel = io.Custom("FRAMEDRIFT_DEPTH_MODEL")
#: A lazy sequence of pictures: ``core.video.frames.Frames``.
Frames = io.Custom("FRAMEDRIFT_FRAMES")
#: Sampler settings by the sampler's input ids: ``core.interop.SamplerSettings``.
Settings = io.Custom("FRAMEDRIFT_SETTINGS")
#: What option nodes chain into the sampler: ``core.feedback.Options``.
Options = io.Custom("FRAMEDRIFT_OPTIONS")
