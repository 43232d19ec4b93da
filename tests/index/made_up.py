"""Clustered vectors of very different length, and queries that lie between them."""

import numpy as np


def made_up(items, width, queries, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(2, items // 50), width))
    vectors = centres[random.integers(len(centres), size=items)] + 0.5 * random.normal(size=(items, width))
    vectors *= np.exp(0.4 * random.normal(size=(items, 1)))
    mixed = vectors[random.integers(items, size=(queries, 3))].mean(axis=1)
    return vectors.astype(np.float32), mixed.astype(np.float32)
