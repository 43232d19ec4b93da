"""Made-up item vectors and queries that an index finds as hard as real ones."""

from __future__ import annotations

import numpy as np


def made_up(items: int, width: int, queries: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Vectors float32 [items, width] and queries float32 [queries, width].

    Topics of uneven size, a few dimensions that carry most, and lengths that vary as those of popular and rare items
    do. A query is the mean of up to 20 items of up to 3 topics, and noise.
    """
    random = np.random.default_rng(seed)
    scale = (np.arange(1, width + 1) ** -0.5).astype(np.float32)
    topics = max(20, items // 200)
    size = np.arange(1, topics + 1) ** -0.5
    topic = random.choice(topics, items, p=size / size.sum())
    centres = random.standard_normal((topics, width), np.float32) * scale
    vectors = centres[topic] + 0.7 * random.standard_normal((items, width), np.float32) * scale
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors *= np.exp(0.35 * random.standard_normal((items, 1), np.float32))
    order = np.argsort(topic, kind="stable")
    starts = np.searchsorted(topic[order], np.arange(topics + 1))
    asked = np.zeros((queries, width), np.float32)
    for row in range(queries):
        liked = topic[random.integers(items, size=random.integers(1, 4))]
        for chosen in random.choice(liked, random.integers(1, 21)):
            asked[row] += vectors[order[random.integers(starts[chosen], starts[chosen + 1])]]
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    asked += 0.3 * random.standard_normal((queries, width), np.float32) * scale / np.linalg.norm(scale)
    return vectors, asked
