"""Queries of a least-squares model: factors of whoever asks, solved for from the factors of what they touched."""

from __future__ import annotations

import tensorflow as tf

CONFIDENCE = 2.0  # What having touched an item adds to the confidence of 1; the same as of the ALS baseline.


class LeastSquaresQuery(tf.keras.layers.Layer):
    """Folds a history in: x solves (Y'Y + r I + c sum y y') x = (1 + c) sum y, the sums over the items touched.

    That is the user's half of a step of alternating least squares (Hu, Koren and Volinsky, "Collaborative filtering
    for implicit feedback datasets", 2008) with confidence 1 + c, so somebody unknown gets at once the factors that
    training would have given them. Unlike a mean it does not count twice what two alike items say.

    Args:
        factors: F, the width of the factors.
        confidence: c.
    """

    def __init__(self, factors: int, confidence: float, **kwargs):
        super().__init__(dtype="float32", trainable=False, **kwargs)
        self.factors = factors
        self.confidence = confidence

    def build(self, input_shape):
        self.gram = self.add_weight("gram", [self.factors, self.factors], initializer="identity", trainable=False)
        # Zero until `tfrec.training.factors` has found how much the factors shall say beside the members.
        self.scale = self.add_weight("scale", [], initializer="zeros", trainable=False)

    def call(self, history: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """The factors of queries, times `scale`.

        Args:
            history: factors of the items touched, float32 [B, H, F].
            mask: float32 [B, H], 1 where there is an item.

        Returns:
            float32 [B, F]; zeros for an empty history.
        """
        touched = history * mask[..., tf.newaxis]
        right = (1 + self.confidence) * tf.reduce_sum(touched, axis=1)
        return self.scale * tf.linalg.cholesky_solve(self._factorised(touched), right[..., tf.newaxis])[..., 0]

    def parts(self, history: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """What each item of the history adds to the factors, float32 [B, H, F]; arguments as of `call`.

        All items together decide the system, which is solved for each of them: the solution is linear in its right.
        """
        touched = history * mask[..., tf.newaxis]
        right = (1 + self.confidence) * tf.linalg.matrix_transpose(touched)
        solved = tf.linalg.cholesky_solve(self._factorised(touched), right)
        return self.scale * tf.linalg.matrix_transpose(solved)

    def _factorised(self, touched: tf.Tensor) -> tf.Tensor:
        left = self.gram[tf.newaxis] + self.confidence * tf.matmul(touched, touched, transpose_a=True)
        return tf.linalg.cholesky(left)
