"""What every content encoder offers: host work (`prepare`) apart from device work (`call`)."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import tensorflow as tf


class Encoder(tf.keras.layers.Layer, abc.ABC):
    """Turns raw text, image or audio into vectors, in two steps.

    `prepare` runs on the host, in the input pipeline or in a signature's preprocessing: strings and bytes in, a dense
    tensor of static shape out. `call` runs on the device and compiles under XLA.

    Attributes:
        content_spec: shape and dtype of one prepared item, without the batch dimension.
        dimension: width of the vectors.
        frozen: whether no weight is trained, so that the vectors of a catalogue can be computed once and cached.
        cached_as: dtype of cached vectors.
    """

    cached_as: type[np.floating] = np.float32

    content_spec: tf.TensorSpec
    dimension: int
    frozen: bool

    @abc.abstractmethod
    def prepare(self, raw: tf.Tensor) -> tf.Tensor:
        """Prepare raw strings or bytes [B] for `call`: [B, *content_spec.shape]; "" gives zeros."""

    @abc.abstractmethod
    def call(self, content: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encode prepared content [B, *content_spec.shape] to float32 [B, dimension]."""

    def own_learning_rates(self) -> list[tuple[tf.Variable, float]]:
        """Trained weights that do not learn as fast as the towers, each with the learning rate it has at its peak."""
        return []

    def frozen_part(self) -> Encoder | None:
        """What lies below all that is trained, as a frozen encoder; `call` takes its vectors too. None for nothing."""
        return None

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        """What a checkpoint has of the encoder: nothing of a frozen one.

        Its weights are those it is built with, and writing the 90 MB of a BERT after each epoch took more time than
        the epoch did.
        """
        return {} if self.frozen and save_type == "checkpoint" else super()._trackable_children(save_type, **kwargs)

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """A short hexadecimal hash of all that decides the vectors of a frozen encoder: settings and weights."""
