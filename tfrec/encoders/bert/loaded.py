"""An imported encoder, loaded from its SavedModel and put together anew, so that its layers can be changed."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfrec.encoders.bert.adapters import layer_adapters
from tfrec.encoders.bert.network import Bert, Network
from tfrec.encoders.bert.parts import LoadedVariables


class AdaptedBert:
    """BERT of the variables of a loaded encoder, which stay as they are, with low-rank adapters in every layer.

    It is called like the loaded encoder, and gives the same until the adapters are trained. It is no tf.Module, of
    which a Keras layer that holds it would train every variable.

    Attributes:
        variables: those of the encoder, then those of the adapters; `trainable_variables`: the adapters' alone.
    """

    def __init__(self, encoder: Any, network: Network, rank: int, alpha: float) -> None:
        adapters = layer_adapters(network.layers, network.width, rank, alpha)
        self._bert = Bert(network, LoadedVariables(encoder.variables), adapters)
        self.trainable_variables = [
            variable for layer in adapters for adapter in layer.values() for variable in adapter.trainable_variables
        ]
        self.variables = [*encoder.variables, *self.trainable_variables]

    def __call__(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """Encode tokens as `Bert` does."""
        return self._bert(inputs, training)
