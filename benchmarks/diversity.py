"""What diversity costs: nDCG@10 and intra-list diversity of the lists that requests with more and more of it get.

Users of the validation part are asked for as the servable asks, K items are found, reordered by maximal marginal
relevance, and the first ten judged. Diversity is 1 - the mean cosine of pairs: of vectors, by which lists are
reordered, and of their texts, which the reordering does not see.

    python benchmarks/diversity.py -c demo/lanternbox/tfrec.yaml --model demo/lanternbox/build/serving/lanternbox/1
"""

import numpy as np
from exported_model import exported_model

from tfrec.evaluation.beyond_accuracy import diversity
from tfrec.evaluation.metrics import ranking_metrics
from tfrec.evaluation.tasks import warm_task
from tfrec.evaluation.topk import top_k
from tfrec.index.diversity import diversified
from tfrec.training.interactions import interactions

import tensorflow as tf  # isort: skip

SETTINGS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
SHOWN = 10


def main() -> None:
    _, dataset, servable = exported_model(__doc__)
    task = warm_task(dataset, "validation")
    history = interactions(task.known, len(dataset.users)).latest(task.users, servable.shape.history)
    queries = servable.queries(history, dataset.users, task.users)
    found = top_k(queries, servable.vectors, servable.k, exclude=task.exclude, candidates=task.candidates)
    texts = servable.module.texts.numpy().T
    print(f"{len(task.users):,} users of the validation part, {servable.k} items found of {len(task.candidates):,}")
    print(f"{'diversity':>9s} {'nDCG@10':>8s} {'of vectors':>11s} {'of texts':>9s}")
    for setting in SETTINGS:
        first = np.concatenate(
            [
                reordered(servable.vectors, found.positions[rows], found.scores[rows], setting)[:, :SHOWN]
                for rows in (slice(start, start + 64) for start in range(0, len(task.users), 64))
            ]
        )
        ndcg = ranking_metrics(first, task.truth, [SHOWN])[f"ndcg@{SHOWN}"]
        unlike = [np.nanmean(diversity(first, vectors)) for vectors in (servable.vectors, texts)]
        print(f"{setting:9.1f} {ndcg:8.4f} {unlike[0]:11.3f} {unlike[1]:9.3f}")


def reordered(vectors: np.ndarray, positions: np.ndarray, scores: np.ndarray, setting: float) -> np.ndarray:
    """Positions int [B, K] in the order of that diversity."""
    asked = tf.fill([len(positions)], tf.constant(setting, tf.float32))
    of_items = tf.constant(vectors[np.maximum(positions, 0)])
    return diversified(tf.constant(positions, tf.int32), tf.constant(scores, tf.float32), of_items, asked)[0].numpy()


if __name__ == "__main__":
    main()
