import numpy as np
import tensorflow as tf

from tfrec.index.diversity import diversified


def found(batch=3, k=12, empty=2, seed=0):
    """Positions, scores and vectors of found items, best first; the last of each row are missing."""
    random = np.random.default_rng(seed)
    positions = np.stack([random.permutation(100)[:k] for _ in range(batch)]).astype(np.int32)
    scores = -np.sort(-random.normal(2, 1, (batch, k)).astype(np.float32), axis=1)
    positions[:, k - empty :], scores[:, k - empty :] = -1, 0
    return positions, scores, random.normal(0, 1, (batch, k, 5)).astype(np.float32)


def reorder(positions, scores, vectors, diversity):
    answer = tf.function(diversified)(*map(tf.constant, (positions, scores, vectors)), tf.constant(diversity))
    return answer[0].numpy(), answer[1].numpy()


def greedy(positions, scores, vectors, diversity):
    """One row by the definition, in plain loops."""
    rows = [row for row in range(len(positions)) if positions[row] >= 0]
    low, high = min(scores[rows]), max(scores[rows])
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = []
    while rows:

        def worth(row):
            likeness = max((float(directions[row] @ directions[other]) for other in chosen), default=0.0)
            return (1 - diversity) * (scores[row] - low) / (high - low) - diversity * likeness

        best = max(rows, key=worth)
        chosen.append(best)
        rows.remove(best)
    return positions[chosen]


def test_the_order_is_that_of_maximal_marginal_relevance_in_plain_loops():
    positions, scores, vectors = found(seed=1)
    asked = np.array([0.2, 0.5, 0.9], np.float32)
    reordered, values = reorder(positions, scores, vectors, asked)
    for row in range(3):
        expected = greedy(positions[row], scores[row], vectors[row], asked[row])
        assert reordered[row][: len(expected)].tolist() == expected.tolist()
        assert set(reordered[row][len(expected) :]) == {-1}
        of = dict(zip(positions[row], scores[row]))
        assert values[row].tolist() == [of[position] for position in reordered[row]]


def test_without_diversity_nothing_changes_even_beside_requests_that_ask_for_it():
    positions, scores, vectors = found()
    scores[0, :4] = scores[0, 0]  # ties stay in their order
    reordered, values = reorder(positions, scores, vectors, np.array([0.0, np.nan, 0.7], np.float32))
    np.testing.assert_array_equal(reordered[:2], positions[:2])
    np.testing.assert_array_equal(values[:2], scores[:2])
    assert reordered[2].tolist() != positions[2].tolist() and reordered[2][0] == positions[2][0]


def test_copies_of_the_best_item_go_behind_all_that_differ():
    positions, scores, vectors = np.arange(6, dtype=np.int32)[None], np.linspace(2, 1, 6, dtype=np.float32)[None], None
    vectors = np.eye(6, dtype=np.float32)[[0, 0, 0, 1, 2, 3]][None]
    assert reorder(positions, scores, vectors, np.array([0.6], np.float32))[0].tolist() == [[0, 3, 4, 5, 1, 2]]


def test_a_request_without_any_item_stays_empty():
    positions, scores, vectors = found(batch=1, k=4, empty=4)
    reordered, values = reorder(positions, scores, vectors, np.array([1.0], np.float32))
    assert set(reordered[0]) == {-1} and not values.any()
