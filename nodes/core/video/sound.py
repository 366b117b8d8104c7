"""The sound of a video, encoded alongside its frames: from ComfyUI's AUDIO, or read from a video file as it goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch

from ..errors import FramedriftError
from .formats import encoder_named

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

# What the codecs can be; anything else is resampled to the next rate above.
RATES = {
    "aac": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
    "libopus": (8000, 12000, 16000, 24000, 48000),
    "pcm_s24le": (),
}
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
# A jump in a file's times that is shorter than this is taken for rounding.
JUMP_SECONDS = 0.05

log = logging.getLogger("framedrift")


class Samples(Protocol):
    """Where sound comes from: read once, from front to back."""

    rate: int
    layout: str

    def read(self, start: int, end: int) -> np.ndarray:
        """(C, end - start or fewer) float32 samples; fewer where it ends, `start` never before the last `end`."""
        ...

    def close(self) -> None:
        """Lets go of the file."""
        ...


@dataclass(frozen=True)
class SoundFile:
    """The sound of a video or audio file: `start` and `duration` (0: to the end) in seconds."""

    source: str | Path | BytesIO
    start: float = 0.0
    duration: float = 0.0


def sound_of(value: Any) -> Mapping[str, Any] | SoundFile | None:
    """What an audio input may carry as a source of sound: AUDIO as it is, and of a VIDEO its file or its AUDIO.

    A VIDEO that is a file is read as it is encoded; one that lies in memory has its AUDIO there already.

    Raises:
        FramedriftError: it is neither.
    """
    if value is None or isinstance(value, Mapping | SoundFile):
        return value
    # The base class would encode the whole video to hand on a source.
    own = [kind for kind in type(value).__mro__ if kind.__name__ != "VideoInput" and "get_stream_source" in vars(kind)]
    if own:
        trim = getattr(value, "get_active_trim_window", None)
        return SoundFile(value.get_stream_source(), *(trim() if trim else ()))
    if hasattr(value, "get_components"):
        return value.get_components().audio
    raise FramedriftError(f"audio: needs AUDIO or VIDEO, got {type(value).__name__}.")


class Waveform:
    """ComfyUI's AUDIO: `waveform` (B, C, T), -1..1, of which the first of the batch is used, and `sample_rate`."""

    def __init__(self, samples: np.ndarray, rate: int) -> None:
        """Takes (C, T) float32."""
        self.rate = rate
        self.layout = LAYOUTS[samples.shape[0]]
        self._samples = samples

    def read(self, start: int, end: int) -> np.ndarray:
        """The samples, as they lie in memory."""
        return self._samples[:, start:end]

    def close(self) -> None:
        """There is no file."""


class Decoded:
    """A file's sound, decoded as far as it is asked for."""

    def __init__(self, file: SoundFile, container: Any, stream: Any) -> None:
        """Takes an open container and its audio stream."""
        import av

        self.rate = int(stream.rate)
        self.layout = LAYOUTS.get(stream.channels, "stereo")
        self._channels = {"mono": 1, "stereo": 2, "5.1": 6}[self.layout]
        self._last = round(file.duration * self.rate) if file.duration else None
        self._container = container
        self._resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=self.rate)
        self._blocks = self._decode(file, stream)
        self._block, self._at = np.zeros((self._channels, 0), np.float32), 0

    def read(self, start: int, end: int) -> np.ndarray:
        """Decodes up to `end`, with silence where the file leaves a gap."""
        if self._last is not None:
            end = min(end, self._last)
        out = np.zeros((self._channels, max(0, end - start)), np.float32)
        reached = start
        while reached < end:
            after = self._at + self._block.shape[1]
            if after <= reached:
                following = next(self._blocks, None)
                if following is None:
                    return out[:, : max(0, reached - start)]
                self._at, self._block = following
                continue
            first, last = max(reached, self._at), min(end, after)
            if first < last:
                out[:, first - start : last - start] = self._block[:, first - self._at : last - self._at]
            reached = max(reached, last)
        return out

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def _decode(self, file: SoundFile, stream: Any) -> Iterator[tuple[int, np.ndarray]]:
        """(sample number, (C, n) samples) by time, sample 0 at the file's `start`."""
        import av
        from av.error import FFmpegError

        origin = Fraction(self._container.start_time or 0, av.time_base) + Fraction(file.start)
        following: int | None = None
        try:
            if file.start > 1:
                self._container.seek(int((origin - 1) * av.time_base))
            for frame in self._container.decode(stream):
                at = following
                if frame.pts is not None:
                    at = round((frame.pts * Fraction(frame.time_base) - origin) * self.rate)
                    if following is not None and abs(at - following) < JUMP_SECONDS * self.rate:
                        at = following
                frame.pts = None
                samples = [part.to_ndarray() for part in self._resampler.resample(frame)]
                block = np.concatenate(samples, axis=1) if samples else self._block[:, :0]
                following = (at or 0) + block.shape[1]
                yield at or 0, block
        except FFmpegError as error:
            log.warning("The sound of %s ends early: it is damaged there (%s).", file.source, error)


class Sound:
    """An audio stream that is written up to a time: silent before the sound begins and after it ends."""

    def __init__(self, stream: AudioStream, source: Samples, offset: float) -> None:
        """Takes the stream, and where the sound comes from; it begins `offset` seconds into the video."""
        self._stream = stream
        self._source = source
        self._shift = round(offset * source.rate)
        self._done = 0

    def write(self, container: OutputContainer, until: Fraction) -> None:
        """Encodes the samples that come before `until`, in seconds."""
        import av

        end = round(until * self._source.rate)
        if end <= self._done:
            return
        start = max(0, self._done - self._shift)
        found = self._source.read(start, max(start, end - self._shift))
        samples = np.zeros((found.shape[0], end - self._done), np.float32)
        into = start + self._shift - self._done
        samples[:, into : into + found.shape[1]] = np.clip(found, -1, 1)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._source.layout)
        frame.sample_rate = self._source.rate
        frame.pts, frame.time_base = self._done, Fraction(1, self._source.rate)
        container.mux(self._stream.encode(frame))
        self._done = end

    def finish(self, container: OutputContainer) -> None:
        """Brings out what the encoder still holds."""
        container.mux(self._stream.encode(None))

    def close(self) -> None:
        """Lets go of where the sound comes from."""
        self._source.close()


def open_samples(audio: Mapping[str, Any] | SoundFile | None) -> Samples | None:
    """Opens a source of sound; None where there is no sound in it, and the log says so.

    Raises:
        FramedriftError: AUDIO is not {"waveform": (B, C, T), "sample_rate": over 0}, or holds NaN or infinity, or
            the file cannot be read.
    """
    if audio is None:
        return None
    if isinstance(audio, SoundFile):
        return open_file(audio)
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
    return Waveform(samples, rate)


def open_file(file: SoundFile) -> Samples | None:
    """Opens the first sound of a file that can be decoded."""
    import av

    # Bytes in memory are shared, not copied, but each reader has its own place in them.
    source = BytesIO(file.source.getvalue()) if isinstance(file.source, BytesIO) else str(file.source)
    try:
        container = av.open(source)
    except (OSError, ValueError) as error:
        raise FramedriftError(f"audio: {file.source} cannot be read ({error}).") from error
    streams: Any = container.streams.audio
    for stream in streams:
        # A stream that FFmpeg cannot decode has no context.
        if stream.codec_context is not None and stream.rate:
            return Decoded(file, container, stream)
    container.close()
    log.warning("The video that was given as audio has no sound; neither has this one.")
    return None


def open_sound(
    container: OutputContainer,
    audio: Mapping[str, Any] | SoundFile | None,
    encoders: tuple[str, ...] = ("aac",),
    offset: float = 0.0,
) -> Sound | None:
    """Adds an audio stream in the first of these encoders that is there; None where there is no sound in `audio`.

    Raises:
        FramedriftError: as `open_samples`, or this build of FFmpeg has none of the encoders.
    """
    source = open_samples(audio)
    if source is None:
        return None
    name = encoder_named(encoders)
    if name is None:
        source.close()
        raise FramedriftError(f"audio: this build of FFmpeg has no encoder for it ({' or '.join(encoders)}).")
    known = RATES.get(name, ())
    rate = next((one for one in known if one >= source.rate), known[-1] if known else source.rate)
    stream = cast("AudioStream", container.add_stream(name, rate=rate, layout=source.layout))
    return Sound(stream, source, offset)
