"""Synthesises the signature tunes: a timbre and a pace; melody, key and loudness are left to chance."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from tfrec.data.sample.ogg import with_serial

RATE = 16_000
SECONDS = 1.25
_PENTATONIC = np.array([0, 2, 4, 7, 9, 12, 14])

# Strength of the overtones, as (multiple of the pitch, amplitude, decay per second).
_OVERTONES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "bell": ((1, 1.0, 3.0), (2.76, 0.6, 4.5), (5.4, 0.4, 7.0), (8.93, 0.25, 11.0)),
    "plucked": tuple((k, 1 / k, 5.0 + 3.0 * k) for k in range(1, 9)),
    "organ": ((0.5, 0.4, 0.0), (1, 1.0, 0.0), (2, 0.6, 0.0), (3, 0.3, 0.0), (4, 0.35, 0.0)),
    "buzz": tuple((k, 1 / k**0.6, 0.4) for k in range(1, 15)),
    "flute": ((1, 1.0, 0.3), (2, 0.12, 0.3)),
}


def synthesise(timbre: str, pace: str, rng: np.random.Generator, rate: int = RATE) -> np.ndarray:
    """A tune of SECONDS seconds: float32 [samples] within -1..1, mono."""
    samples = round(SECONDS * rate)
    tune = np.zeros(samples)
    root = 220.0 * 2 ** rng.uniform(-0.3, 0.9)
    for start, length in _notes(pace, rng):
        first = round(start * samples)
        size = min(round(length * samples), samples - first)
        pitch = root * 2 ** (rng.choice(_PENTATONIC) / 12)
        tune[first : first + size] += rng.uniform(0.8, 1.0) * _note(timbre, pitch, size, rate, rng)
    if pace == "swell":
        moment = np.arange(samples) / rate
        tune *= np.linspace(0.1, 1.0, samples) * (0.65 + 0.35 * np.sin(2 * np.pi * 7 * moment))
    tune += rng.normal(scale=0.003, size=samples)
    return (tune * rng.uniform(0.4, 0.8) / np.abs(tune).max()).astype(np.float32)


def encoded_clip(tune: np.ndarray, rate: int, kind: str, serial: int = 1) -> bytes:
    """The tune as a file of one kind: wav (16-bit PCM), flac, ogg (Vorbis) or mp3."""
    buffer = io.BytesIO()
    if kind == "wav":
        soundfile.write(buffer, tune, rate, format="WAV", subtype="PCM_16")
    elif kind == "flac":
        soundfile.write(buffer, tune, rate, format="FLAC", subtype="PCM_16")
    elif kind == "ogg":
        soundfile.write(buffer, tune, rate, format="OGG", subtype="VORBIS")
        return with_serial(buffer.getvalue(), serial)
    else:
        soundfile.write(buffer, tune, rate, format="MP3")
    return buffer.getvalue()


def _notes(pace: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Start and length of the notes as fractions of the tune."""
    if pace in ("drone", "swell"):
        return [(0.0, 1.0)] if pace == "swell" else [(0.0, 1.0), (0.0, 1.0)]
    if pace == "stroll":
        return [(beat / 4, 0.25) for beat in range(4)]
    if pace == "gallop":
        beat = 1 / 4
        return [(group * beat + offset * beat, beat * part) for group in range(4) for offset, part in _GALLOP]
    count = int(rng.integers(15, 19))
    return [(note / count, 1 / count) for note in range(count)]


_GALLOP = ((0.0, 0.5), (0.5, 0.2), (0.75, 0.2))


def _note(timbre: str, pitch: float, size: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    moment = np.arange(size) / rate
    if timbre == "drum":
        noise = rng.normal(size=size) * np.exp(-14 * moment)
        thud = np.sin(2 * np.pi * 70 * moment * (1 + np.exp(-25 * moment))) * np.exp(-9 * moment)
        return 0.45 * noise + thud
    phase = 2 * np.pi * pitch * moment
    if timbre == "flute":
        phase = phase + 0.5 * np.sin(2 * np.pi * 5.5 * moment)
    sound = np.zeros(size)
    for multiple, amplitude, decay in _OVERTONES[timbre]:
        if multiple * pitch < rate / 2:
            sound += amplitude * np.sin(multiple * phase) * np.exp(-decay * moment)
    if timbre == "flute":
        sound += 0.08 * rng.normal(size=size)
    attack, release = (round(seconds * rate) for seconds in _EDGES[timbre])
    edge = np.minimum(np.arange(size) / max(attack, 1), (size - np.arange(size)) / max(release, 1))
    return sound * np.clip(edge, 0.0, 1.0)


_EDGES = {"bell": (0.002, 0.01), "plucked": (0.002, 0.01), "organ": (0.03, 0.02), "buzz": (0.005, 0.01)}
_EDGES["flute"] = (0.04, 0.03)
