"""The published numbers of the recommenders-team protocol on MovieLens 100K, where the data is at hand.

TFREC_TEST_DATA names the folder that holds `ml-100k/u.data`; it may not be redistributed, so it is not part of the
repository.
"""

import os
import pathlib

import numpy as np
import pytest

from tfrec.data.tables import Catalogue, Dataset, Events, Users
from tfrec.evaluation.metrics import ranking_metrics
from tfrec.evaluation.protocol import evaluate, fitted_baselines
from tfrec.evaluation.tasks import warm_task

REPOSITORY = pathlib.Path(__file__).parents[2]
RATINGS = pathlib.Path(os.environ.get("TFREC_TEST_DATA", REPOSITORY.parent / "shared/data")) / "ml-100k/u.data"

pytestmark = pytest.mark.skipif(not RATINGS.exists(), reason=f"no MovieLens 100K at {RATINGS}; set TFREC_TEST_DATA")


@pytest.fixture(scope="module")
def task():
    """75 % of each item's ratings train, drawn with NumPy's seed 42 in the order of the file."""
    user, item, rating, time = np.loadtxt(RATINGS, dtype=np.int64).T
    drawn = np.random.RandomState(42).rand(len(item))
    order = np.lexsort((drawn, item))
    counts = np.bincount(item)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(item), np.int64)
    rank[order] = np.arange(len(item)) - starts[item[order]] + 1
    train = rank <= np.round(0.75 * counts[item])
    events = Events(
        user=(user - 1).astype(np.int32),
        item=(item - 1).astype(np.int32),
        time=time,
        type=np.full(len(item), "", object),
        weight=np.ones(len(item), np.float32),
        value=rating.astype(np.float32),
    )
    none = events.take(np.zeros(len(item), bool))
    ids = [np.arange(count).astype(str).astype(object) for count in (item.max(), user.max())]
    assert (train.sum(), (~train).sum()) == (75_066, 24_934)
    return warm_task(
        Dataset(
            catalogue=Catalogue(ids[0], ids[0], {}),
            users=Users(ids[1], {}),
            train=events.take(train),
            validation=none,
            test=events.take(~train),
            cold=none,
            held_out=np.zeros(0, np.int32),
        )
    )


@pytest.mark.parametrize(
    "name, expected",
    [
        ("MostPop", {"map@10": 0.0560, "ndcg@10": 0.2524, "precision@10": 0.2287, "recall@10": 0.1132}),
        ("EASE", {"map@10": 0.1499, "ndcg@10": 0.4842, "precision@10": 0.4221, "recall@10": 0.2296}),
    ],
)
def test_baselines_reach_the_known_numbers(task, name, expected):
    [baseline] = fitted_baselines(task, [name])
    positions = baseline.recommend(task.users, 10, exclude=task.exclude, candidates=task.candidates)
    found = ranking_metrics(positions, task.truth, [10])
    assert {metric: round(found[metric], 4) for metric in expected} == expected


def test_counting_ties_against_a_model_costs_most_pop_a_little(task):
    [most_pop] = fitted_baselines(task, ["MostPop"])
    against = evaluate(most_pop, [], task, [10], bootstrap=0).model.metrics["ndcg@10"].value
    assert 0.250 < against < 0.2523


def test_ease_is_better_than_item_knn_beyond_chance(task):
    ease, item_knn = fitted_baselines(task, ["EASE", "ItemKNN"])
    difference = evaluate(ease, [item_knn], task, [10]).difference("ItemKNN", "ndcg@10")
    assert difference.low > 0.03
    assert difference.p_value < 0.001
