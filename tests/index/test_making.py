import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from tests.index.made_up import made_up
from tfrec.errors import ServableError
from tfrec.evaluation.topk import top_k
from tfrec.index import making
from tfrec.index.exact import ExactIndex
from tfrec.index.kmeans import spherical_centres
from tfrec.index.making import Asked, index_for, partitioned_index, with_partition
from tfrec.index.measure import measured_recall, padded
from tfrec.index.partition import cut
from tfrec.index.partitioned import PartitionedIndex

ITEMS, QUERIES, K = 4000, 400, 10


@pytest.fixture(scope="module")
def vectors():
    return made_up(ITEMS, 12, QUERIES, seed=5)[0]


@pytest.fixture(scope="module")
def asked(vectors):
    """Queries whose best items are seen already, as those of real users are."""
    _, queries = made_up(ITEMS, 12, QUERIES, seed=5)
    seen = top_k(queries, vectors, 6).positions[:, ::2]
    rows = np.repeat(np.arange(QUERIES), seen.shape[1])
    excluded = sparse.csr_matrix((np.ones(seen.size, bool), (rows, seen.ravel())), (QUERIES, ITEMS))
    return Asked(queries, excluded, K, 0.9)


def test_the_exact_index_is_measured_to_find_all(vectors, asked):
    truth = asked.truth(vectors)
    assert not (truth[:, :, np.newaxis] == padded(asked.excluded)[:, np.newaxis, :]).any()
    assert measured_recall(ExactIndex(vectors, K), asked.queries, asked.excluded, truth) == 1


def test_of_items_with_equal_vectors_any_is_as_good_as_another(asked):
    """Two hundred items each of one content: which of them are the best ten is left to chance."""
    vectors = np.repeat(made_up(20, 12, 1, seed=5)[0], 200, axis=0)
    nothing = sparse.csr_matrix((QUERIES, ITEMS), dtype=bool)
    equal = Asked(asked.queries, nothing, K, 0.9)
    truth = equal.truth(vectors)
    order = np.random.default_rng(0).permutation(ITEMS).astype(np.int32)
    partition = cut(vectors[order], spherical_centres(vectors, 5, seed=0), 32)
    shuffled = dataclasses.replace(partition, items=np.where(partition.items >= 0, order[partition.items], -1))
    index = PartitionedIndex(vectors, shuffled, len(shuffled.items), 0.0, K)
    found = index.recommend(tf.constant(asked.queries), tf.fill([QUERIES, 1], -1))[0].numpy()
    assert np.mean([len(set(row) & set(true)) / K for row, true in zip(found, truth)]) < 0.5
    assert measured_recall(index, equal.queries, nothing, truth) == 1
    # The next best content is not as good.
    best = truth[:, :1] // 200 * 200 + np.arange(200)
    without = sparse.csr_matrix((np.ones(best.size, bool), (np.repeat(np.arange(QUERIES), 200), best.ravel())))
    without.resize(QUERIES, ITEMS)
    assert measured_recall(ExactIndex(vectors, K), equal.queries, without, truth) == 0


def test_a_query_that_may_find_nothing_has_found_all(vectors):
    excluded = sparse.csr_matrix(np.ones((1, 3), bool))
    asked = Asked(vectors[:1], excluded, 2, 0.9)
    truth = asked.truth(vectors[:3])
    assert (truth == -1).all()
    assert measured_recall(ExactIndex(vectors[:3], 2), asked.queries, excluded, truth) == 1


def test_exclusions_are_padded_by_nothing():
    excluded = sparse.csr_matrix(np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]], bool))
    np.testing.assert_array_equal(padded(excluded), [[1, 2], [-1, -1], [0, -1]])
    assert padded(excluded[1:2]).shape == (1, 1)


def test_the_recall_that_is_asked_is_reached_and_written_down(vectors, asked):
    index, record = partitioned_index(vectors, asked, seed=0)
    assert record["kind"] == "partitioned" and record["asked"] == 0.9 and record["queries"] == QUERIES // 2
    assert record["recall"] >= 0.9
    other = asked.part(slice(QUERIES // 2, None))
    again = measured_recall(index, other.queries, other.excluded, other.truth(vectors))
    assert again == pytest.approx(record["recall"], abs=1e-6)
    assert record["scanned"] == pytest.approx(index.probes * index.rows / ITEMS) and record["scanned"] < 0.6


def test_an_index_that_finds_too_little_looks_at_more(vectors, asked):
    partition = cut(vectors, spherical_centres(vectors, 16, seed=0), 32)
    index, record = with_partition(vectors, partition, probes=1, spread=0.0, asked=asked)
    assert record["recall"] >= 0.9 and index.probes > 1
    enough, kept = with_partition(vectors, partition, index.probes, record["spread"], asked)
    assert enough.probes == index.probes and kept["recall"] == pytest.approx(record["recall"], abs=1e-6)


def test_auto_is_exact_for_a_small_catalogue_and_where_too_much_would_be_left(vectors, asked, monkeypatch):
    assert index_for(vectors, "exact", asked, 0)[1] == {"kind": "exact", "recall": 1.0}
    assert index_for(vectors, "auto", asked, 0)[1]["kind"] == "exact"
    monkeypatch.setattr(making, "EXACT_BELOW", ITEMS)
    monkeypatch.setattr(making, "WORTH", 1.0)
    assert index_for(vectors, "auto", asked, 0)[1]["kind"] == "partitioned"
    monkeypatch.setattr(making, "WORTH", 0.001)
    assert index_for(vectors, "auto", asked, 0)[1]["kind"] == "exact"


def test_without_queries_a_partitioned_index_is_refused_and_auto_is_exact(vectors, asked, monkeypatch):
    monkeypatch.setattr(making, "EXACT_BELOW", 0)
    nobody = asked.part(slice(1))
    assert index_for(vectors, "auto", nobody, 0)[1]["kind"] == "exact"
    with pytest.raises(ServableError, match="by queries of users, but there are 1; set serving"):
        index_for(vectors, "partitioned", nobody, 0)


def test_the_users_exclusions_count_in_what_is_found(vectors, asked):
    index, _ = partitioned_index(vectors, asked, seed=0)
    found = index.recommend(tf.constant(asked.queries[:50]), padded(asked.excluded[:50]))[0].numpy()
    assert (found >= 0).all()
    assert not any(set(row) & set(seen.indices) for row, seen in zip(found, asked.excluded[:50]))
