import numpy as np
import pytest
import tensorflow as tf

from tests.index.made_up import made_up
from tfrec.errors import ServableError
from tfrec.evaluation.topk import top_k
from tfrec.index.choice import choose, rows_per_block, shares_found
from tfrec.index.partitioned import PartitionedIndex


@pytest.mark.parametrize("recall", [0.8, 0.95])
def test_the_chosen_index_has_the_recall_on_other_queries_for_part_of_the_work(recall):
    vectors, queries = made_up(6000, 16, 500, seed=1)
    truth = top_k(queries, vectors, 20).positions
    chosen = choose(vectors, queries[:300], truth[:300], recall, seed=0)
    assert recall < chosen.recall < recall + 0.1
    assert chosen.cost < 0.7
    index = PartitionedIndex(vectors, chosen.partition, chosen.probes, chosen.spread, 20)
    found = index.recommend(queries[300:], tf.fill([200, 1], -1))[0].numpy()
    reached = np.mean([len(set(row) & set(true)) / 20 for row, true in zip(found, truth[300:])])
    assert reached > recall - 0.02
    assert reached == pytest.approx(chosen.recall, abs=0.03)


def test_a_higher_recall_costs_more():
    vectors, queries = made_up(3000, 8, 200, seed=2)
    truth = top_k(queries, vectors, 10).positions
    costs = [choose(vectors, queries, truth, recall, seed=0).cost for recall in (0.7, 0.9, 0.99)]
    assert costs == sorted(costs)
    assert costs[0] < costs[2]


def test_a_recall_that_no_part_has_takes_all_blocks():
    vectors, queries = made_up(200, 8, 50, seed=3)
    truth = top_k(queries, vectors, 200).positions
    chosen = choose(vectors, queries, truth, 0.999, seed=0)
    assert chosen.probes == len(chosen.partition.items)
    assert chosen.recall == 1


def test_blocks_grow_with_the_root_of_the_catalogue():
    assert [rows_per_block(size) for size in (0, 1, 10_000, 1_000_000)] == [8, 8, 16, 128]


def test_shares_count_only_what_could_be_found():
    found = np.array([[True, False], [True, True], [False, False]])
    there = np.array([[True, True], [True, False], [False, False]])
    np.testing.assert_array_equal(shares_found(found, there), [0.5, 1, 1])


def test_without_queries_nothing_can_be_chosen():
    with pytest.raises(ServableError, match="0 queries and 3 items; set serving"):
        choose(np.eye(3, dtype=np.float32), np.zeros((0, 3), np.float32), np.zeros((0, 1), int), 0.9, seed=0)


def test_blocks_hold_what_is_often_excluded_beside_what_is_to_be_found():
    vectors, queries = made_up(3000, 8, 100, seed=4)
    truth = top_k(queries, vectors, 10).positions
    few, many = (choose(vectors, queries, truth, 0.5, seed=0, hold=hold) for hold in (10, 1000))
    rows = few.partition.items.shape[1]
    assert few.probes * rows < 1000 <= many.probes * rows


def test_vectors_of_one_length_take_more_directions_than_those_of_many():
    vectors, queries = made_up(6000, 16, 200, seed=6)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    stretched = vectors * np.exp(np.random.default_rng(0).normal(size=(6000, 1))).astype(np.float32)
    directions = [
        len(choose(table, queries, top_k(queries, table, 20).positions, 0.9, seed=0).partition.centres)
        for table in (vectors, stretched)
    ]
    assert directions[0] >= 4 * directions[1]
