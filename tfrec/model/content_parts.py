"""How much each modality of an item's content adds to its vector."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfrec.encoders.item_inputs import ItemInputs
from tfrec.modalities import features_of
from tfrec.model.two_tower import TwoTower
from tfrec.schema import Schema
from tfrec.towers.item_tower import ATTRIBUTES, is_encoded

BATCH = 256


def content_parts(
    encode: Callable[[Mapping[str, tf.Tensor]], tf.Tensor], items: Mapping[str, tf.Tensor], schema: Schema
) -> tf.Tensor:
    """Shapley values of an item's modalities in the game that hides some of them from its tower.

    A modality's part is the mean, over all orders in which the modalities may be shown one after the other, of how its
    showing changes the vector (Shapley, "A value for n-person games", 1953). The parts add up to the vector less that
    of the item without content, whatever the tower computes, and the score of a query with a part is the Shapley value
    of the score.

    Args:
        encode: an item tower.
        items: its inputs, content encoded.
        schema: whose items they are.

    Returns:
        float32 [B, M, width], in the order of `tfrec.modalities.modalities`.
    """
    names = features_of(schema)
    count = len(names)
    subsets = itertools.chain.from_iterable(itertools.combinations(names, size) for size in range(count + 1))
    vectors = {frozenset(shown): encode(_only(items, names, frozenset(shown))) for shown in subsets}
    parts = []
    for name in names:
        part = tf.zeros_like(vectors[frozenset()])
        for shown, vector in vectors.items():
            if name not in shown:
                weight = math.factorial(len(shown)) * math.factorial(count - len(shown) - 1) / math.factorial(count)
                part += weight * (vectors[shown | {name}] - vector)
        parts.append(part)
    return tf.stack(parts, axis=1)


def parts_of_catalogue(
    model: TwoTower, inputs: ItemInputs, schema: Schema, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The parts of the items whose content counts.

    Args:
        model: a trained model.
        inputs: its items.
        weights: how much each of the tower's modalities counts for each item, float32 [N, M of the tower].

    Returns:
        Their rows int64 [P], and their parts float32 [P, M, width].
    """
    tower = model.item_tower
    content = [column for column, name in enumerate(tower.modalities) if name in features_of(schema)]
    rows = np.flatnonzero(weights[:, content].any(axis=1)) if content else np.zeros(0, np.int64)

    @tf.function(autograph=False)
    def parts(items: Mapping[str, tf.Tensor]) -> tf.Tensor:
        encoded = dict(items)
        for feature in schema.content():
            encoder = tower.encoders[feature.name]
            if not is_encoded(items[feature.name], encoder):
                encoded[feature.name] = encoder(items[feature.name], training=False)
        return content_parts(model.encode_items, encoded, schema)

    found = [np.zeros((0, len(content), tower.width), np.float32)]
    for start in range(0, len(rows), BATCH):
        # The last batch is filled up, so that there is one shape to trace.
        taken = rows[np.minimum(np.arange(start, start + BATCH), len(rows) - 1)]
        batch = {name: tf.constant(array) for name, array in inputs.take(taken).items()}
        found.append(parts(batch).numpy()[: len(rows) - start])
    return rows, np.concatenate(found)


def _only(
    items: Mapping[str, tf.Tensor], names: Mapping[str, tuple[str, ...]], shown: frozenset[str]
) -> dict[str, tf.Tensor]:
    kept = dict(items)
    for name, features in names.items():
        if name in shown:
            continue
        if name != ATTRIBUTES:
            kept[f"{name}.present"] = tf.zeros_like(items[f"{name}.present"])
        for feature in features:
            kept[feature] = tf.zeros_like(items[feature])
    return kept
