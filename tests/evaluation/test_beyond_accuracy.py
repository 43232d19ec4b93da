import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tfrec.evaluation import beyond_accuracy


def plain_diversity(ranking, vectors):
    """One minus the mean cosine over pairs, pair by pair."""

    def cosine(a, b):
        lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
        return sum(x * y for x, y in zip(a, b)) / lengths if lengths else 0.0

    chosen = [vectors[item] for item in ranking if item >= 0]
    pairs = list(itertools.combinations(chosen, 2))
    return 1 - sum(cosine(a, b) for a, b in pairs) / len(pairs) if pairs else math.nan


def plain_gini(counts):
    """Mean absolute difference of all pairs over twice the mean."""
    total = sum(abs(a - b) for a in counts for b in counts)
    return total / (2 * len(counts) * sum(counts))


@st.composite
def lists(draw, items=8):
    length = draw(st.integers(1, 6))
    users = draw(st.integers(1, 5))
    rows = [draw(st.permutations(range(items)))[: draw(st.integers(0, length))] for _ in range(users)]
    return np.array([(list(row) + [-1] * length)[:length] for row in rows], np.int32)


@settings(deadline=None)
@given(lists(), st.integers(0, 2**32 - 1), st.booleans())
def test_diversity_equals_the_mean_over_all_pairs(positions, seed, as_sparse):
    vectors = np.random.default_rng(seed).integers(-2, 3, (8, 3)).astype(float)
    given_vectors = sparse.csr_matrix(vectors) if as_sparse else vectors
    found = beyond_accuracy.diversity(positions, given_vectors)
    expected = [plain_diversity(row, vectors.tolist()) for row in positions.tolist()]
    np.testing.assert_allclose(found, expected, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("as_sparse", [False, True])
def test_diversity_is_the_same_in_blocks_of_any_size_and_takes_bounded_memory(monkeypatch, as_sparse):
    """Items that most users touched have vectors of many numbers, and each list holds some of them."""
    random = np.random.default_rng(3)
    dense = (random.random((300, 2000)) < 0.5).astype(np.float64)
    vectors = sparse.csr_matrix(dense) if as_sparse else dense
    positions = np.stack([random.permutation(300)[:6] for _ in range(400)]).astype(np.int32)
    positions[::7, 4:] = -1
    positions[5] = -1
    found, peaks = [], []
    for cells in (10**9, 50_000):
        monkeypatch.setattr(beyond_accuracy, "_CELLS", cells)
        tracemalloc.start()
        found.append(beyond_accuracy.diversity(positions, vectors))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    np.testing.assert_allclose(found[0], found[1], equal_nan=True)
    assert np.isnan(found[1]).sum() == 1
    assert peaks[1] < 4_000_000 < peaks[0]


@settings(deadline=None)
@given(lists())
def test_gini_equals_the_mean_absolute_difference(positions):
    counts = [int((positions == item).sum()) for item in range(8)]
    found = beyond_accuracy.gini(positions, np.arange(8))
    if sum(counts):
        assert found == pytest.approx(plain_gini(counts), abs=1e-9)
    else:
        assert math.isnan(found)


def test_gini_is_zero_for_equal_shares_and_high_when_one_item_gets_all():
    assert beyond_accuracy.gini(np.array([[0, 1], [2, 3]]), np.arange(4)) == pytest.approx(0)
    assert beyond_accuracy.gini(np.array([[2], [2], [2]]), np.arange(4)) == pytest.approx(3 / 4)


def test_coverage_counts_candidates_that_anyone_is_recommended():
    assert beyond_accuracy.coverage(np.array([[0, 3], [3, -1]]), np.array([0, 1, 2, 3])) == pytest.approx(0.5)


def test_novelty_is_the_mean_information_of_the_items_in_bits():
    popularity = np.array([8, 2, 1, 0])
    found = beyond_accuracy.novelty(np.array([[0, 1], [2, -1], [3, -1], [-1, -1]]), popularity, users=8)
    np.testing.assert_allclose(found, [(0 + 2) / 2, 3, 3, np.nan])


def test_popularity_shares_go_from_the_most_to_the_least_popular_candidates():
    popularity = np.array([1, 9, 5, 7, 100])
    positions = np.array([[1, 3], [1, 0]])
    shares = beyond_accuracy.popularity_shares(positions, popularity, np.array([0, 1, 2, 3]), groups=2)
    np.testing.assert_allclose(shares, [3 / 4, 1 / 4])
