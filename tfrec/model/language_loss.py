"""The encoders' own objective beside the recommender's: loss = recommendation + weight x masked language model."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.encoders.base import Encoder
from tfrec.towers.item_tower import is_encoded


def language_loss(encoders: Mapping[str, Encoder], items: Mapping[str, tf.Tensor]) -> tf.Tensor | float:
    """The weighted masked-language losses of the text encoders that this batch trains; 0.0 where there is none.

    Args:
        encoders: the encoder of each content feature; one with a `language_weight` above 0 has a `language_loss`.
        items: the items of a batch as `ItemTower.call` takes them; content that is encoded already trains no encoder.
    """
    total: tf.Tensor | float = 0.0
    for name, encoder in encoders.items():
        weight = getattr(encoder, "language_weight", 0.0)
        if weight and not is_encoded(items[name], encoder):
            total += weight * encoder.language_loss(items[name])
    return total
