"""Sound clips of many formats -> mono 16-bit PCM WAV at 16 kHz."""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile
import soxr

from tfrec.data.reasons import Refusal

RATE = 16_000
"""Samples per second of every stored clip."""
KEPT_SECONDS = 30
"""A longer clip is cut to its first half minute."""
MOST_SECONDS = 600
MOST_BYTES = 256 * 2**20

_FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3", "MPEG", "AIFF")
_MOST_CHANNELS = 16
_RATES = (1_000, 384_000)
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def normalise_clip(content: bytes) -> bytes:
    """The clip's first 30 seconds as WAV: channels averaged, resampled once to 16 kHz, 16-bit PCM.

    Raises:
        Refusal: a DataError with the code unreadable_clip (no WAV, FLAC, OGG, MP3 or AIFF, no samples, or samples that
            are no numbers), truncated_clip (fewer samples than the header promises) or clip_bomb (over ten minutes,
            over 16 channels, or an outlandish sampling rate, judged by the header).
    """
    if len(content) > MOST_BYTES:
        raise Refusal("clip_bomb", f"{len(content):,} bytes, at most {MOST_BYTES:,} are read")
    try:
        sound = soundfile.SoundFile(io.BytesIO(content))
    except soundfile.SoundFileError as error:
        raise Refusal("unreadable_clip", _explanation(error)) from error
    with sound:
        _check_header(sound)
        _check_ending(content)
        try:
            mono = _decoded(sound)
        except soundfile.SoundFileError as error:
            raise Refusal("truncated_clip", _explanation(error)) from error
        rate = sound.samplerate
    if not len(mono):
        raise Refusal("unreadable_clip", "it has no samples")
    if not np.isfinite(mono).all():
        raise Refusal("unreadable_clip", "its samples are not all numbers")
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE)
    return _wav(mono[: RATE * KEPT_SECONDS])


def _check_header(sound: soundfile.SoundFile) -> None:
    if sound.format not in _FORMATS:
        raise Refusal("unreadable_clip", f"expected WAV, FLAC, OGG, MP3 or AIFF, got {sound.format}")
    if sound.channels > _MOST_CHANNELS:
        raise Refusal("clip_bomb", f"{sound.channels} channels, at most {_MOST_CHANNELS} are decoded")
    if not _RATES[0] <= sound.samplerate <= _RATES[1]:
        raise Refusal("clip_bomb", f"{sound.samplerate} samples per second, expected {_RATES[0]} to {_RATES[1]}")
    if sound.frames > MOST_SECONDS * sound.samplerate:
        seconds = sound.frames / sound.samplerate
        raise Refusal("clip_bomb", f"{seconds:.0f} seconds, at most {MOST_SECONDS} are decoded")


def _decoded(sound: soundfile.SoundFile) -> np.ndarray:
    """The mean of the channels, float32, of the seconds that are kept; a second at a time to bound the memory."""
    promised = sound.frames
    wanted = min(promised, KEPT_SECONDS * sound.samplerate)
    blocks = []
    while wanted > 0:
        block = sound.read(min(wanted, sound.samplerate), dtype="float32", always_2d=True)
        if not len(block):
            raise Refusal("truncated_clip", f"{wanted:,} samples are missing")
        wanted -= len(block)
        blocks.append(block.mean(axis=1))
    if promised > KEPT_SECONDS * sound.samplerate:
        sound.seek(promised - 1)
        if not len(sound.read(1)):
            raise Refusal("truncated_clip", "the end is missing")
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)


def _check_ending(content: bytes) -> None:
    """Refuse WAV, AIFF and Ogg that end before their own marks say so, which the decoder passes over in silence."""
    if content[:4] == b"RIFF":
        _check_riff(content)
    elif content[:4] == b"FORM":
        missing = 8 + int.from_bytes(content[4:8], "big") - len(content)
        if missing > 0:
            raise Refusal("truncated_clip", f"{missing:,} bytes are missing")
    elif content[:4] == b"OggS":
        page = content.rfind(b"OggS")
        segments = content[page + 27 : page + 27 + content[page + 26]] if len(content) > page + 26 else b""
        is_whole = len(content) >= page + 27 + len(segments) + sum(segments) and len(segments) == content[page + 26]
        if not is_whole or not content[page + 5] & 4:
            raise Refusal("truncated_clip", "the last Ogg page is missing")


def _check_riff(content: bytes) -> None:
    at = 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if name == b"data":
            # Programs that write to a pipe cannot know the size and leave 0 or the largest number.
            if size not in (0, 0xFFFFFFFF) and at + 8 + size > len(content):
                raise Refusal("truncated_clip", f"{at + 8 + size - len(content):,} bytes are missing")
            return
        at += 8 + size + size % 2


def _explanation(error: soundfile.SoundFileError) -> str:
    """What the decoder says, without the address of the buffer that its message would add."""
    return " ".join(getattr(error, "error_string", str(error)).split())


def _wav(mono: np.ndarray) -> bytes:
    samples = np.clip(np.round(mono * 32768), -32768, 32767).astype("<i2").tobytes()
    head = _HEADER.pack(
        b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16, b"data", len(samples)
    )
    return head + samples
