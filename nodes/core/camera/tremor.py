"""How a camera trembles: the spectra of its shakes, and what they come to frame by frame."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..random import generator

#: What trembles: the camera's place to the right, up and forward in scene units; its turn up, to the right and
#: clockwise in degrees.
CHANNELS = ("x", "y", "z", "tilt", "yaw", "roll")
# Sinusoids in a band, spaced evenly by the logarithm of their frequency, each as strong: the power falls as 1/f.
_SINUSOIDS = 12


@dataclass(frozen=True)
class Band:
    """A tremble without a rhythm: root mean square `rms` of a channel, between two frequencies in Hz."""

    channel: str
    low: float
    high: float
    rms: float


@dataclass(frozen=True)
class Tone:
    """A part of a step: `cycles` a stride (two steps), of this amplitude; `phase` in cycles after the stride's."""

    channel: str
    cycles: int
    amplitude: float
    phase: float = 0.0


@dataclass(frozen=True)
class Bumps:
    """Knocks at irregular times, after each of which a channel swings and calms down."""

    channel: str
    height: float
    either_way: bool = False


@dataclass(frozen=True)
class Tremor:
    """What a kind of shake consists of.

    Attributes:
        bands, tones, bumps: its parts.
        stride: strides a second, for the tones.
        bump_every: seconds between bumps, about; swing: Hz at which the camera swings after one; damping: of that, 1 is
            none at all.
    """

    bands: tuple[Band, ...]
    tones: tuple[Tone, ...] = ()
    bumps: tuple[Bumps, ...] = ()
    stride: float = 1.0
    bump_every: float = 3.0
    swing: float = 1.8
    damping: float = 0.3


def _hand(scale: float) -> tuple[Band, ...]:
    # Slow sway that a hand corrects, and a trace of the muscles' tremble.
    sway = {"x": 0.006, "y": 0.006, "z": 0.004, "tilt": 0.32, "yaw": 0.38, "roll": 0.16}
    tremble = {"tilt": 0.03, "yaw": 0.03, "roll": 0.015}
    return (
        *(Band(channel, 0.12, 1.3, rms * scale) for channel, rms in sway.items()),
        *(Band(channel, 3.0, 7.0, rms * scale) for channel, rms in tremble.items()),
    )


TREMORS: dict[str, Tremor] = {
    "handheld": Tremor(_hand(1.0)),
    "walking": Tremor(
        # No two steps are the same: a part of the step is spread about its frequency.
        bands=(
            *_hand(0.5),
            Band("y", 1.8, 2.2, 0.004),
            Band("tilt", 1.8, 2.2, 0.05),
            Band("x", 0.9, 1.1, 0.004),
            Band("roll", 0.9, 1.1, 0.06),
        ),
        # Lowest with both feet on the ground, highest over one of them, to whose side the body leans.
        tones=(
            Tone("y", 2, 0.026, 0.5),
            Tone("y", 4, 0.005, 0.3),
            Tone("tilt", 2, 0.22, 0.6),
            Tone("x", 1, 0.02, 0.75),
            Tone("roll", 1, 0.4, 0.8),
            Tone("yaw", 1, 0.25, 0.85),
        ),
    ),
    "vehicle": Tremor(
        bands=(
            Band("y", 0.8, 2.2, 0.005),
            Band("tilt", 0.8, 2.2, 0.1),
            Band("roll", 0.6, 1.6, 0.12),
            Band("yaw", 0.4, 1.2, 0.05),
            Band("x", 0.6, 1.6, 0.003),
            Band("z", 0.4, 1.2, 0.003),
            Band("y", 5.0, 11.0, 0.003),
            Band("tilt", 5.0, 11.0, 0.1),
            Band("roll", 5.0, 11.0, 0.05),
            Band("yaw", 5.0, 11.0, 0.03),
        ),
        bumps=(Bumps("y", 0.04), Bumps("tilt", 0.7), Bumps("roll", 0.4, either_way=True)),
    ),
    "earthquake": Tremor(
        bands=(
            Band("x", 0.6, 2.0, 0.02),
            Band("z", 0.6, 2.0, 0.015),
            *(
                Band(channel, 3.0, 8.0, rms)
                for channel, rms in zip(CHANNELS, (0.03, 0.022, 0.02, 0.7, 0.7, 0.9), strict=True)
            ),
        ),
    ),
}


def tremble(kind: str, period: int, fps: float, frequency: float, seed: int) -> np.ndarray:
    """One period of a shake, float64 (period, 6), in the order of `CHANNELS`; the row after the last is the first.

    Every part is a sum of sinusoids with whole numbers of cycles in the period, from one cycle up to what the frames
    can show (under half a cycle a frame), so that the mean of each channel is 0 and there is no seam. A part that is
    slower than one cycle a period becomes one cycle, smaller so that its speed stays. One too fast for the frames is
    put somewhere in the upper half of what they can show: sampled as it is, it would come out as some slow sway.

    Args:
        kind: a key of `TREMORS`.
        period: in frames.
        fps: frames a second.
        frequency: factor on all frequencies.
        seed: any integer.
    """
    tremor, chance = TREMORS[kind], generator(seed, 0, f"shake/{kind}")
    spectrum = _Spectrum(period, fps, np.zeros((len(CHANNELS), period // 2 + 1), complex))
    for band in tremor.bands:
        _add_band(spectrum, band, frequency, chance)
    _add_tones(spectrum, tremor, frequency, chance)
    _add_bumps(spectrum, tremor, frequency, chance)
    return np.fft.irfft(spectrum.values, period, axis=1).T


@dataclass(frozen=True)
class _Spectrum:
    period: int
    fps: float
    # (channels, period // 2 + 1), as `irfft` takes them; no mean, and nothing at half a cycle a frame.
    values: np.ndarray

    @property
    def fastest(self) -> int:
        """Cycles in the period of the fastest sinusoid."""
        return (self.period - 1) // 2

    def cycles(self, hertz: float) -> float:
        """Cycles in the period."""
        return hertz * self.period / self.fps

    def place(self, cycles: int, chance: float) -> int:
        """Where a sinusoid of so many cycles goes, `chance` (0..1) saying where if it is too fast."""
        half = self.fastest // 2
        return cycles if cycles <= self.fastest else self.fastest - int(chance * (self.fastest - half))


def _add_band(spectrum: _Spectrum, band: Band, frequency: float, chance: torch.Generator) -> None:
    drawn = torch.rand((3, _SINUSOIDS), generator=chance, dtype=torch.float64).numpy()
    if not spectrum.fastest:
        return
    hertz = frequency * band.low * (band.high / band.low) ** ((np.arange(_SINUSOIDS) + drawn[0]) / _SINUSOIDS)
    parts, power = np.zeros(spectrum.values.shape[1], complex), 0.0
    for rate, turn, elsewhere in zip(hertz, drawn[1], drawn[2], strict=True):
        cycles = spectrum.cycles(rate)
        size = min(cycles, 1.0)
        parts[spectrum.place(max(round(cycles), 1), elsewhere)] += size * np.exp(2j * math.pi * turn)
        power += size**2 / _SINUSOIDS
    # Two that fell together may have doubled or cancelled out.
    parts *= band.rms * math.sqrt(power / (2 * np.sum(np.abs(parts) ** 2))) * spectrum.period
    spectrum.values[CHANNELS.index(band.channel)] += parts


def _add_tones(spectrum: _Spectrum, tremor: Tremor, frequency: float, chance: torch.Generator) -> None:
    begin = float(torch.rand(1, generator=chance, dtype=torch.float64))
    strides = spectrum.cycles(tremor.stride * frequency)
    for tone in tremor.tones:
        elsewhere = float(torch.rand(1, generator=chance, dtype=torch.float64))
        if spectrum.fastest:
            place = spectrum.place(tone.cycles * max(round(strides), 1), elsewhere)
            size = tone.amplitude * min(strides, 1.0) * spectrum.period / 2
            turn = np.exp(2j * math.pi * (tone.cycles * begin + tone.phase))
            spectrum.values[CHANNELS.index(tone.channel), place] += size * turn


def _add_bumps(spectrum: _Spectrum, tremor: Tremor, frequency: float, chance: torch.Generator) -> None:
    number = min(round(spectrum.cycles(frequency / tremor.bump_every)), spectrum.period) if tremor.bumps else 0
    drawn = torch.rand((number, 2 + len(tremor.bumps)), generator=chance, dtype=torch.float64).numpy()
    if not (number and spectrum.fastest):
        return
    # In the middle parts of equal slots, so that no two fall together; at whole frames.
    frames = ((np.arange(number) + 0.15 + 0.7 * drawn[:, 0]) / number * spectrum.period).astype(int)
    strengths = 0.35 + 0.65 * drawn[:, 1]
    # What a knock does to a mass on a damped spring, sinusoid by sinusoid; of height 1 at its first swing.
    cycles = np.arange(1, spectrum.fastest + 1)
    swing, damping = spectrum.cycles(tremor.swing * frequency), tremor.damping
    held = math.sqrt(1 - damping**2)
    natural, first = swing / held, math.atan2(held, damping)
    height = math.exp(-damping / held * first) * math.sin(first)
    response = swing / (natural**2 - cycles**2 + 2j * damping * natural * cycles) / (2 * math.pi * height)
    for column, bump in enumerate(tremor.bumps, 2):
        sides = np.where(drawn[:, column] < 0.5, -1.0, 1.0) if bump.either_way else 1.0
        knocks = np.fft.rfft(np.bincount(frames, sides * strengths, spectrum.period))[1 : spectrum.fastest + 1]
        spectrum.values[CHANNELS.index(bump.channel), 1 : spectrum.fastest + 1] += (
            bump.height * spectrum.period * response * knocks
        )
