"""The evaluation that is timed gives the numbers of the peer, and ties do not count as hits."""

import numpy as np
import pytest

from tfrec.speed.evaluation import FactorizedTopK, accuracies, measure, memory_of
from tfrec.speed.ratings import made_up


@pytest.fixture(scope="module")
def ratings():
    return made_up(3000, 600, 150, 250)


def test_one_ranking_for_each_user_gives_the_accuracies_of_one_for_each_row(ratings):
    random = np.random.default_rng(1)
    queries = random.normal(size=(ratings.users, 6)).astype(np.float32)
    table = random.normal(size=(ratings.items, 6)).astype(np.float32)
    ours = accuracies(queries, table, ratings.test, ratings, leave_out=False)
    scores = queries @ table.T
    own = scores[ratings.test[:, 0], ratings.test[:, 1]]
    ranks = (scores[ratings.test[:, 0]] > own[:, np.newaxis]).sum(axis=1)
    np.testing.assert_allclose(ours, [(ranks < k).mean() for k in (1, 5, 10, 50, 100)])
    np.testing.assert_allclose(FactorizedTopK(table).accuracies(queries, ratings.test), ours, atol=0.01)


def test_a_small_run_tells_ratios_ties_and_memory():
    large = {"items": 3000, "users": 400, "width": 8, "share": 0.5}
    measured = measure(rounds=2, rows=400, say=lambda line: None, large=large)
    assert measured.numbers["ties"] == {"TFRS FactorizedTopK": 1.0, "tfrec": 0.0}
    assert measured.numbers["rows"] == 400
    ways = measured.numbers["ways"]
    ratios = np.array(ways["TFRS FactorizedTopK"]["seconds"]) / np.array(ways["tfrec"]["seconds"])
    assert measured.numbers["ratios"]["seconds"]["tfrec"]["median"] == pytest.approx(np.median(ratios))
    memory = measured.numbers["memory"]
    assert {"ndcg@10", "diversity@10", "coverage@10"} <= memory["metrics"].keys()
    assert memory["ranked"] == 200 and memory["peak_bytes"] >= memory["input_bytes"] > 10**7


def test_the_memory_of_a_process_is_its_own():
    """Not that of the process which started it."""
    ballast = np.ones(60_000_000)
    memory = memory_of({"items": 1000, "users": 100, "width": 4, "share": 1.0})
    assert memory["peak_bytes"] < ballast.nbytes
