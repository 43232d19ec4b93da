"""An imported encoder, loaded from its SavedModel and put together anew, so that its layers can be changed."""

from __future__ import annotations

from collections.abc import Sequence
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


class LayeredBert:
    """BERT of the variables of a loaded encoder, of which only the top layers are trained.

    Those below never change, so what they give of a text can be computed once. Dropout is for the top layers: those
    below run as they do when nothing is trained, whether their outputs were kept or are computed anew.

    Args:
        encoder: the loaded encoder.
        network: its sizes.
        top: how many layers are trained.
        trained: the variables that are.

    Attributes:
        variables, trainable_variables: those of the encoder; `frozen_variables`: those that are not trained.
        kept: how many layers are below; `width`: of a token's vector.
    """

    def __init__(self, encoder: Any, network: Network, top: int, trained: Sequence[tf.Variable]) -> None:
        self._bert = Bert(network, LoadedVariables(encoder.variables))
        self.variables = list(encoder.variables)
        self.trainable_variables = list(encoder.trainable_variables)
        changed = {variable.ref() for variable in trained}
        self.frozen_variables = [variable for variable in self.variables if variable.ref() not in changed]
        self.kept, self._layers = network.layers - top, network.layers
        self.width = network.width

    def __call__(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """Encode tokens as `Bert` does."""
        return self.upper(self.lower(inputs), inputs["input_mask"], training)

    def lower(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """What the layers below give, float32 [B, L, W]."""
        sequence = self._bert.through(self._bert.embedded(inputs), inputs["input_mask"], range(self.kept))
        return tf.stop_gradient(sequence)

    def upper(self, sequence: tf.Tensor, mask: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """What the top layers make of that; the mask is int32 [B, L]."""
        return self._bert.outputs(self._bert.through(sequence, mask, range(self.kept, self._layers), training))
