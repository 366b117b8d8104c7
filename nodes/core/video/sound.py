"""The sound of a video, encoded alongside its frames."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import FramedriftError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

# What AAC can be; anything else is resampled to the next rate above.
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}

log = logging.getLogger("framedrift")


class Sound:
    """An AAC stream that is written up to a time."""

    def __init__(self, stream: AudioStream, waveform: np.ndarray, sample_rate: int, layout: str) -> None:
        """Takes the stream and (C, T) float32 samples."""
        self._stream = stream
        self._waveform = waveform
        self._rate = sample_rate
        self._layout = layout
        self._done = 0

    def write(self, container: OutputContainer, until: Fraction) -> None:
        """Encodes the samples that come before `until`, in seconds."""
        import av

        end = min(round(until * self._rate), self._waveform.shape[1])
        if end <= self._done:
            return
        samples = np.clip(self._waveform[:, self._done : end], -1, 1)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts, frame.time_base = self._done, Fraction(1, self._rate)
        container.mux(self._stream.encode(frame))
        self._done = end

    def finish(self, container: OutputContainer) -> None:
        """Brings out what the encoder still holds."""
        container.mux(self._stream.encode(None))


def open_sound(container: OutputContainer, audio: Mapping[str, Any] | None) -> Sound | None:
    """Adds an AAC stream for ComfyUI's AUDIO; None where there is no sound in it.

    Raises:
        FramedriftError: it is not {"waveform": (B, C, T), "sample_rate": over 0}, or holds NaN or infinity.
    """
    if audio is None:
        return None
    waveform, rate = audio["waveform"], int(audio["sample_rate"])
    if not isinstance(waveform, torch.Tensor) or waveform.ndim != 3 or rate <= 0:
        raise FramedriftError("audio: needs a waveform (batch, channels, samples) and a sample_rate above 0.")
    if 0 in waveform.shape:
        log.warning("The audio is empty; the video has no sound.")
        return None
    if waveform.shape[1] not in LAYOUTS:
        log.warning("Audio of %d channels: the first is used.", waveform.shape[1])
        waveform = waveform[:, :1]
    samples = waveform[0].detach().to("cpu", torch.float32).numpy()
    if not (np.isfinite(samples.min()) and np.isfinite(samples.max())):
        raise FramedriftError("audio: the waveform holds values that are no numbers (NaN or infinity).")
    target = next((known for known in AAC_RATES if known >= rate), AAC_RATES[-1])
    layout = LAYOUTS[samples.shape[0]]
    return Sound(container.add_stream("aac", rate=target, layout=layout), samples, rate, layout)
