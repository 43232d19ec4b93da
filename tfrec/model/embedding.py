"""Runs a trained model over arrays: embeddings of all items, queries of many users, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.encoders.item_inputs import ItemInputs
from tfrec.model.two_tower import TwoTower

BATCH = 256


class Embedder:
    """Embeds items and queries with `model`, tracing each of its towers once.

    Args:
        model: the model; its weights may go on changing, the next call sees the new ones.
        history: H, the width of histories.
    """

    def __init__(self, model: TwoTower, history: int):
        self.model = model
        self.history = history
        # Without AutoGraph, which would convert the source of all Keras layers, tracing takes a quarter of the time.
        self._items = tf.function(lambda items: model.item_tower(items, training=False), autograph=False)
        self._queries = tf.function(
            lambda table, history, features: model.query_tower(
                tf.gather(table, tf.maximum(history, 0)), tf.cast(history >= 0, tf.float32), features, training=False
            ),
            autograph=False,
        )

    def items(self, inputs: ItemInputs) -> np.ndarray:
        """Embeddings of all items, float32 [N, width]."""
        return self.items_and_weights(inputs)[0]

    def items_and_weights(self, inputs: ItemInputs) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings float32 [N, width], and how much each modality counted for each item, float32 [N, M]."""
        embeddings, weights = [], []
        for start in range(0, len(inputs), BATCH):
            positions = np.arange(start, start + BATCH)
            taken = inputs.take(np.minimum(positions, len(inputs) - 1))
            embedding, logged = self._items({name: tf.constant(array) for name, array in taken.items()})
            size = min(BATCH, len(inputs) - start)
            embeddings.append(embedding.numpy()[:size])
            weights.append(logged["weights"].numpy()[:size])
        return np.concatenate(embeddings), np.concatenate(weights)

    def queries(self, table: np.ndarray, history: np.ndarray, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Queries float32 [B, width] from histories int32 [B, H] (positions in `table`, -1 for none) and features."""
        on_device = tf.constant(table)
        rows = []
        for start in range(0, len(history), BATCH):
            index = np.minimum(np.arange(start, start + BATCH), len(history) - 1)
            queries = self._queries(
                on_device,
                tf.constant(history[index]),
                {name: tf.constant(array[index]) for name, array in features.items()},
            )
            rows.append(queries.numpy()[: min(BATCH, len(history) - start)])
        return np.concatenate(rows)
