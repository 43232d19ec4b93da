import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrec.data.reasons import Refusal
from tfrec.data.sound import KEPT_SECONDS, RATE, normalise_clip
from tfrec.errors import DataError

FORMATS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_24"), ("WAVEX", "PCM_16"), ("FLAC", "PCM_16")]
FORMATS += [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")]


def tone(seconds=1.0, rate=48_000, hertz=440.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def saved(samples, kind="WAV", subtype="PCM_16", rate=48_000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def decoded(content):
    samples, rate = tf.audio.decode_wav(content)
    assert samples.shape[1] == 1
    assert rate == RATE
    return samples.numpy()[:, 0]


def code_of(content):
    with pytest.raises(DataError) as caught:
        normalise_clip(content)
    assert isinstance(caught.value, Refusal)
    return caught.value.code


def loudest_hertz(samples):
    return np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples)


@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
def test_every_format_becomes_mono_wav_at_16_khz_with_the_same_tone(kind, subtype):
    samples = decoded(normalise_clip(saved(tone(), kind, subtype)))
    assert abs(len(samples) / RATE - 1) < 0.1
    assert abs(loudest_hertz(samples) - 440) < 5
    assert 0.4 < np.abs(samples[4000:8000]).max() < 0.6


def test_a_stored_clip_keeps_its_bytes():
    stored = normalise_clip(saved(tone()))
    assert normalise_clip(stored) == stored


def test_channels_are_averaged():
    stereo = np.stack([tone(), -tone()], axis=1)
    assert np.abs(decoded(normalise_clip(saved(stereo)))).max() < 1e-4


def test_a_long_clip_is_cut():
    assert len(decoded(normalise_clip(saved(tone(45, 8_000), rate=8_000)))) == KEPT_SECONDS * RATE


@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
@pytest.mark.parametrize("share", [0.4, 0.95])
def test_a_truncated_clip_is_refused(kind, subtype, share):
    content = saved(tone(), kind, subtype)
    assert code_of(content[: int(len(content) * share)]) in ("truncated_clip", "unreadable_clip")


def test_a_long_clip_without_its_end_is_refused():
    content = saved(np.random.RandomState(0).uniform(-0.5, 0.5, 40 * 8_000), "FLAC", rate=8_000)
    assert code_of(content[: int(len(content) * 0.9)]) == "truncated_clip"


def test_a_wav_written_to_a_pipe_has_no_length_and_is_still_read():
    content = bytearray(saved(tone()))
    content[40:44] = b"\xff\xff\xff\xff"
    assert abs(len(decoded(normalise_clip(bytes(content)))) - RATE) < 10


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF", b"ID3\x04", b"OggS", b"fLaC\0\0\0\x22"])
def test_what_is_no_clip_is_refused(content):
    assert code_of(content) == "unreadable_clip"


def test_a_clip_without_samples_or_with_samples_that_are_no_numbers_is_refused():
    assert code_of(saved(np.empty(0))) == "unreadable_clip"
    assert code_of(saved(np.full(100, np.nan), subtype="FLOAT")) == "unreadable_clip"


def test_a_clip_that_is_too_long_has_too_many_channels_or_an_outlandish_rate_is_refused():
    assert code_of(saved(np.zeros(601 * 1000), rate=1_000, subtype="PCM_U8")) == "clip_bomb"
    assert code_of(saved(np.zeros((10, 40)))) == "clip_bomb"
    rate = bytearray(saved(tone(0.1)))
    rate[24:28] = struct.pack("<I", 900_000)
    assert code_of(bytes(rate)) == "clip_bomb"


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_damaged_clip_is_refused_or_becomes_one_that_tensorflow_decodes(data):
    kinds = [format for format in FORMATS if format[0] != "MP3"]
    content = bytearray(saved(tone(0.1), *data.draw(st.sampled_from(kinds))))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=9)
    ):
        content[place] = value
    try:
        stored = normalise_clip(bytes(content))
    except Refusal:
        return
    assert 0 < len(decoded(stored)) <= KEPT_SECONDS * RATE
