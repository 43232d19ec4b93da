"""A CNN that learns spectrograms from scratch, from a few hundred clips on."""

from __future__ import annotations

import tensorflow as tf

_STEM = 5
# Batches are small and few in the few epochs that encoders are trained, so the statistics must follow fast.
_MOMENTUM = 0.9


def spectrogram_cnn(frames: int, bands: int, widths: tuple[int, ...], dimension: int) -> tf.keras.Model:
    """Return a network from float [B, frames, bands, 1] to [B, dimension].

    A stem of 5x5 kernels and stride 2, then 3x3 convolutions at full resolution with maxima over 2x2 after each: on a
    few hundred clips that tells kinds of sound apart clearly better than strides, which skip three of four places.
    Batch normalisation after each convolution, where normalising each clip alone erases how loud it is.

    The last map is pooled over time by its mean (how much) and its maximum (whether at all). Its columns are bands of
    frequency and are kept apart, since a high note is another sound than a low one. Layer normalisation of the pooled
    vector keeps its scale.

    Args:
        frames, bands: size of a spectrogram, static.
        widths: channels of the stem and of each convolution after it.
        dimension: width of the vectors.
    """
    inputs = outputs = tf.keras.Input((frames, bands, 1))
    for index, width in enumerate(widths):
        kernel, stride = (_STEM, 2) if index == 0 else (3, 1)
        convolution = tf.keras.layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)
        normalised = tf.keras.layers.BatchNormalization(momentum=_MOMENTUM)(convolution(outputs))
        outputs = tf.keras.layers.ReLU()(normalised)
        if index:
            outputs = tf.keras.layers.MaxPooling2D(2, padding="same")(outputs)
    pooled = [
        tf.keras.layers.Flatten()(tf.reduce_mean(outputs, 1)),
        tf.keras.layers.Flatten()(tf.reduce_max(outputs, 1)),
    ]
    outputs = tf.keras.layers.LayerNormalization(epsilon=1e-5)(tf.keras.layers.Concatenate()(pooled))
    return tf.keras.Model(inputs, tf.keras.layers.Dense(dimension)(outputs))
