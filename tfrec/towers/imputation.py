"""Fills in what is absent of an item's content by what is there, as both go together in other items."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

RANK = 32


class Imputation(tf.keras.layers.Layer):
    """Completes groups of numbers by probabilistic principal components.

    All groups of an item side by side are taken for W f + noise, with few hidden factors f of variance 1 and noise of
    variance s everywhere. From the rows p that are there follows f = (W_p'W_p + s I)^-1 W_p'x_p, and what is absent is
    put at its expectation W f (Tipping and Bishop, "Probabilistic principal component analysis", 1999). With nothing
    there f is 0, the middle.

    Args:
        widths: the width of each group, by name, in order.
    """

    def __init__(self, widths: Mapping[str, int], **kwargs):
        super().__init__(dtype="float32", trainable=False, **kwargs)
        self.widths = dict(widths)
        self.rank = min(RANK, sum(self.widths.values()))

    def build(self, input_shape):
        # Zeros until `tfrec.training.content_statistics` has found them: everything is put in the middle.
        self.loadings = {
            name: self.add_weight(f"loadings_{name}", [width, self.rank], initializer="zeros", trainable=False)
            for name, width in self.widths.items()
        }
        self.noise = self.add_weight("noise", [], initializer="ones", trainable=False)

    def call(self, groups: Mapping[str, tuple[tf.Tensor, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """The groups without gaps.

        Args:
            groups: by name, centred float32 [B, width] with zeros where it is absent, and whether it is there,
                bool [B, 1].

        Returns:
            float32 [B, width] by name; what is there is left as it is.
        """
        precision = self.noise * tf.eye(self.rank)[tf.newaxis]
        evidence = tf.zeros([1, self.rank])
        for name, (values, there) in groups.items():
            loadings = self.loadings[name]
            overlap = tf.matmul(loadings, loadings, transpose_a=True)
            precision += tf.cast(there, tf.float32)[..., tf.newaxis] * overlap
            evidence += tf.matmul(values, loadings)
        factors = tf.linalg.cholesky_solve(tf.linalg.cholesky(precision), evidence[..., tf.newaxis])[..., 0]
        return {
            name: tf.where(there, values, tf.matmul(factors, self.loadings[name], transpose_b=True))
            for name, (values, there) in groups.items()
        }
