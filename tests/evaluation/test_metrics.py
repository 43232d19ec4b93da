"""Metrics agree with hand-computed examples and with a plain-Python implementation that shares no code with them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tfrec.errors import DataError
from tfrec.evaluation.metrics import METRICS, ranking_metrics, user_metrics


def truth_of(sets, items):
    matrix = np.zeros((len(sets), items), bool)
    for row, chosen in enumerate(sets):
        matrix[row, list(chosen)] = True
    return sparse.csr_matrix(matrix)


def plain_metrics(ranking, relevant, k, map_divisor):
    """One user's metrics, item by item."""
    hits = [item in relevant for item in ranking[:k]]
    precision = sum(hits) / k
    recall = sum(hits) / len(relevant)
    gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    precisions = [sum(hits[:rank]) / rank for rank, hit in enumerate(hits, 1) if hit]
    divisor = len(relevant) if map_divisor == "relevant" else min(k, len(relevant))
    return {
        "ndcg": gain / ideal,
        "recall": recall,
        "precision": precision,
        "f1": 2 * precision * recall / (precision + recall) if sum(hits) else 0.0,
        "map": sum(precisions) / divisor,
        "mrr": 1 / (hits.index(True) + 1) if any(hits) else 0.0,
        "hit_rate": float(any(hits)),
    }


@st.composite
def evaluations(draw):
    items = draw(st.integers(1, 30))
    length = draw(st.integers(1, 12))
    users = draw(st.integers(1, 6))
    rankings, relevant = [], []
    for _ in range(users):
        ranking = draw(st.permutations(range(items)))[: draw(st.integers(0, length))]
        rankings.append((list(ranking) + [-1] * length)[:length])
        relevant.append(draw(st.sets(st.integers(0, items - 1))))
    ks = draw(st.sets(st.integers(1, length), min_size=1))
    return items, np.array(rankings, np.int32), relevant, sorted(ks)


@settings(deadline=None)
@given(evaluations(), st.sampled_from(["relevant", "reachable"]))
def test_every_metric_of_every_user_equals_the_plain_implementation(case, map_divisor):
    items, rankings, relevant, ks = case
    values = user_metrics(rankings, truth_of(relevant, items), ks, map_divisor)
    assert set(values) == {f"{name}@{k}" for name in METRICS for k in ks}
    for user, chosen in enumerate(relevant):
        for k in ks:
            if not chosen:
                assert all(np.isnan(values[f"{name}@{k}"][user]) for name in METRICS)
                continue
            expected = plain_metrics(rankings[user].tolist(), chosen, k, map_divisor)
            for name in METRICS:
                assert values[f"{name}@{k}"][user] == pytest.approx(expected[name], abs=1e-9), name


@settings(deadline=None)
@given(evaluations())
def test_averages_leave_out_users_without_a_relevant_item(case):
    items, rankings, relevant, ks = case
    averages = ranking_metrics(rankings, truth_of(relevant, items), ks)
    asked = [user for user, chosen in enumerate(relevant) if chosen]
    for k in ks:
        each = [plain_metrics(rankings[user].tolist(), relevant[user], k, "relevant") for user in asked]
        for name in METRICS:
            if asked:
                expected = sum(values[name] for values in each) / len(asked)
                assert averages[f"{name}@{k}"] == pytest.approx(expected, abs=1e-9)
            else:
                assert math.isnan(averages[f"{name}@{k}"])


def test_metrics_of_a_list_with_hits_at_ranks_two_and_three():
    values = ranking_metrics(np.array([[7, 1, 2, 9]], np.int32), truth_of([{1, 2, 5}], 10), [2, 4])
    assert values["precision@4"] == pytest.approx(2 / 4)
    assert values["recall@4"] == pytest.approx(2 / 3)
    assert values["f1@4"] == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    assert values["map@4"] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert values["mrr@4"] == pytest.approx(1 / 2)
    assert values["hit_rate@4"] == 1
    # Gains at ranks 2 and 3 over the ideal gains at ranks 1, 2 and 3: (0.63093 + 0.5) / (1 + 0.63093 + 0.5).
    assert values["ndcg@4"] == pytest.approx(1.13093 / 2.13093, abs=1e-5)
    assert values["recall@2"] == pytest.approx(1 / 3)
    assert values["ndcg@2"] == pytest.approx(0.63093 / 1.63093, abs=1e-5)


def test_average_precision_can_be_divided_by_what_k_items_can_reach():
    positions, truth = np.array([[0, 1]], np.int32), truth_of([{0, 1, 2, 3}], 5)
    assert user_metrics(positions, truth, [2])["map@2"] == pytest.approx(0.5)
    assert user_metrics(positions, truth, [2], map_divisor="reachable")["map@2"] == pytest.approx(1.0)


def test_relevant_items_may_be_given_as_indptr_and_indices():
    positions = np.array([[0, 3], [2, 1]], np.int32)
    truth = truth_of([{3}, {0, 2}], 4)
    assert ranking_metrics(positions, (truth.indptr, truth.indices), [1, 2]) == ranking_metrics(
        positions, truth, [1, 2]
    )


def test_stored_zeros_are_not_relevant():
    truth = sparse.csr_matrix((np.array([0.0, 1.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 3))
    assert ranking_metrics(np.array([[0]], np.int32), truth, [1])["recall@1"] == 0


def test_an_item_recommended_twice_is_refused():
    with pytest.raises(DataError, match="user row 1 holds an item twice"):
        ranking_metrics(np.array([[0, -1, -1], [2, 0, 2]], np.int32), truth_of([{0}, {0}], 3), [3])


@pytest.mark.parametrize("ks", [[], [0], [4]])
def test_cut_offs_that_the_lists_cannot_answer_are_refused(ks):
    with pytest.raises(DataError, match="cut-offs from 1 to the 3 items"):
        ranking_metrics(np.array([[0, 1, 2]], np.int32), truth_of([{0}], 3), ks)


def test_lists_and_relevant_items_of_different_users_are_refused():
    with pytest.raises(DataError, match="recommendations are for 1 users but the relevant items for 2"):
        ranking_metrics(np.array([[0]], np.int32), truth_of([{0}, {1}], 3), [1])
