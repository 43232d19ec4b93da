"""Random changes to pictures and spectrograms in training, by operations that XLA compiles; the seed is passed in."""

from __future__ import annotations

import tensorflow as tf

_SMALLEST_CROP = 0.75
_BRIGHTNESS = 25.0
_TINT = 0.15
_GAIN = 0.5
_LONGEST_MASK = 0.2


def random_seed() -> tf.Tensor:
    """A fresh seed int32 [2], drawn from TensorFlow's global generator: the only stateful draw of a call."""
    return tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32)


def augmented_pictures(pictures: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Flip, crop and tint each picture at random: float32 [B, S, S, 3] in 0..255 -> the same shape, about that range.

    A crop (sides of 75 to 100 %, stretched back) and a flip are one linear map along each axis, so both are two
    matrix products: gathers, the usual way, are slow on a TPU. The colours change by a factor for each of red, green
    and blue and by a common shift.
    """
    batch, size = tf.shape(pictures)[0], pictures.shape[1]
    draws = tf.random.stateless_uniform([9, batch], seed)
    length = size * (_SMALLEST_CROP + (1 - _SMALLEST_CROP) * draws[0:2])
    start = draws[2:4] * (size - length)
    rows = _resampling(start[0], length[0], size)
    columns = _resampling(start[1], length[1], size)
    columns = tf.where((draws[4] < 0.5)[:, None, None], columns, tf.reverse(columns, [1]))
    pictures = tf.matmul(rows, tf.reshape(pictures, [batch, size, size * 3]))
    pictures = tf.transpose(tf.reshape(pictures, [batch, size, size, 3]), [0, 2, 1, 3])
    pictures = tf.matmul(columns, tf.reshape(pictures, [batch, size, size * 3]))
    tint = 1 + _TINT * (2 * tf.transpose(draws[5:8]) - 1)
    shift = _BRIGHTNESS * (2 * draws[8] - 1)
    pictures = pictures * tf.tile(tint, [1, size])[:, None, :] + shift[:, None, None]
    return tf.transpose(tf.reshape(pictures, [batch, size, size, 3]), [0, 2, 1, 3])


def augmented_spectrograms(spectrograms: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Change the loudness and hide a stretch of time and a band of frequency (set to 0, which must be the mean).

    float32 [B, frames, bands] -> the same. SpecAugment (Park et al., 2019) without time warping.
    """
    batch, frames, bands = tf.shape(spectrograms)[0], spectrograms.shape[1], spectrograms.shape[2]
    draws = tf.random.stateless_uniform([5, batch], seed)
    spectrograms = spectrograms + _GAIN * (2 * draws[0] - 1)[:, None, None]
    seen = _outside_span(draws[1], draws[2], frames)[:, :, None] & _outside_span(draws[3], draws[4], bands)[:, None, :]
    return tf.where(seen, spectrograms, 0.0)


def _resampling(start: tf.Tensor, length: tf.Tensor, size: int) -> tf.Tensor:
    """Matrices [B, size, size] that stretch the pixels start..start+length of an axis over all of it, bilinearly."""
    centres = start[:, None] + (tf.range(size, dtype=tf.float32) + 0.5) * (length[:, None] / size) - 0.5
    centres = tf.clip_by_value(centres, 0.0, size - 1.0)
    return tf.nn.relu(1 - tf.abs(centres[:, :, None] - tf.range(size, dtype=tf.float32)))


def _outside_span(width: tf.Tensor, place: tf.Tensor, size: int) -> tf.Tensor:
    """Bool [B, size], False on one span per row of at most 20 % of `size`; `width` and `place` [B] in 0..1."""
    width = width * _LONGEST_MASK * size
    start = place * (size - width)
    index = tf.range(size, dtype=tf.float32)
    return (index < start[:, None]) | (index >= (start + width)[:, None])
