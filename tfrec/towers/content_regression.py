"""What content says of an item's vector: kernel regression from groups of features, its coefficients solved for."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.encoders.base import Encoder
from tfrec.schema import Schema
from tfrec.towers.content_features import ContentFeatures

LANDMARKS = 2048  # Most items that others are compared with.


class ContentRegression(tf.keras.layers.Layer):
    """Predicts an item's vector by its likeness to landmarks, which are items whose vectors are known.

    The likeness of items with groups of features x_g and y_g is exp(-sum_g w_g |x_g - y_g|^2), a Gaussian kernel with
    a weight for each group; 0 leaves a group out. Prediction is mean + likeness . coefficients, kernel ridge regression
    (Saunders, Gammerman and Vovk 1998), on a subset of regressors where there are more items than landmarks.

    Args:
        schema, encoders, sizes: as of `ContentFeatures`.
        known_items: how many items have vectors to learn from.
        width: the width of an item's vector.
    """

    def __init__(
        self,
        schema: Schema,
        encoders: Mapping[str, Encoder],
        sizes: Mapping[str, int],
        known_items: int,
        width: int,
        **kwargs,
    ):
        super().__init__(dtype="float32", trainable=False, **kwargs)
        self.features = ContentFeatures(schema, encoders, sizes, name="features")
        self.landmarks = min(known_items, LANDMARKS)
        self.width = width

    def build(self, input_shape):
        groups = self.features.widths
        self.weights_of_groups = self.add_weight("weights", [len(groups)], initializer="zeros", trainable=False)
        self.points = self.add_weight(
            "points", [self.landmarks, sum(groups.values())], initializer="zeros", trainable=False
        )
        self.coefficients = self.add_weight(
            "coefficients", [self.landmarks, self.width], initializer="zeros", trainable=False
        )
        self.mean = self.add_weight("mean", [self.width], initializer="zeros", trainable=False)

    def call(self, items: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Predicted vectors float32 [B, width], and the share of each modality in the weights, float32 [B, M].

        The modalities are all attributes together, where there are any, and each content feature.
        """
        found = self.features(items)
        weights = tf.unstack(self.weights_of_groups)
        asked = tf.concat([found[name] * tf.sqrt(w) for name, w in zip(self.features.groups, weights)], axis=1)
        distances = (
            tf.reduce_sum(asked**2, axis=1, keepdims=True)
            + tf.reduce_sum(self.points**2, axis=1)
            - 2 * tf.matmul(asked, self.points, transpose_b=True)
        )
        predicted = self.mean + tf.matmul(tf.exp(-tf.maximum(distances, 0.0)), self.coefficients)
        attributes = len(self.features.attributes)
        shares = [tf.add_n(weights[:attributes])] if attributes else []
        shares += weights[attributes : attributes + len(self.features.content)]
        shares = tf.stack(shares) / tf.maximum(tf.add_n(shares), 1e-9)
        return predicted, tf.tile(shares[tf.newaxis], [tf.shape(predicted)[0], 1])
