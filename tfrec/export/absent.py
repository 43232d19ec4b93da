"""The value of an input that a request leaves out."""

from __future__ import annotations

import tensorflow as tf


def absent(spec: tf.TensorSpec, batch: int) -> tf.Tensor:
    """A tensor of the shape and dtype of `spec`, its free dimensions `batch`: "" for strings and NaN for numbers."""
    shape = [batch if width is None else width for width in spec.shape]
    return tf.fill(shape, "" if spec.dtype == tf.string else tf.constant(float("nan"), spec.dtype))
