"""Spherical k-means: directions that vectors gather around, whatever their lengths."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from scipy import sparse

ROWS = 2048  # As many vectors are compared with all centres at once, so that the products stay in the cache.
SAMPLE = 60  # Vectors per centre that the centres are learned from.
ROUNDS = 8


def spherical_centres(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Centres of unit length, float32 [count, D], found by Lloyd's rounds on a sample of vectors float32 [N, D].

    A centre that no vector is nearest to is drawn anew, so with fewer different vectors than centres some are equal.
    """
    random = np.random.default_rng(seed)
    sample = vectors[np.sort(random.choice(len(vectors), min(SAMPLE * count, len(vectors)), replace=False))]
    sample = _unit(np.asarray(sample, np.float32))
    centres = sample[random.choice(len(sample), count, replace=len(sample) < count)]
    for _ in range(ROUNDS):
        chosen = nearest_centres(sample, centres)
        members = sparse.csr_matrix(
            (np.ones(len(sample), np.float32), chosen, np.arange(len(sample) + 1)), (len(sample), count)
        )
        sums = np.asarray(members.T @ sample)
        lonely = np.linalg.norm(sums, axis=1) == 0
        sums[lonely] = sample[random.choice(len(sample), int(lonely.sum()))]
        centres = _unit(sums)
    return centres


def nearest_centres(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The centre with the largest dot product with each vector, int32 [N]; the first of equal ones."""
    across = tf.constant(np.ascontiguousarray(centres.T), tf.float32)
    found = [
        _largest(tf.constant(vectors[start : start + ROWS], tf.float32), across).numpy()
        for start in range(0, len(vectors), ROWS)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int32)


@tf.function(
    input_signature=[tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None, None], tf.float32)], autograph=False
)
def _largest(vectors: tf.Tensor, across: tf.Tensor) -> tf.Tensor:
    return tf.argmax(tf.matmul(vectors, across), axis=1, output_type=tf.int32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
