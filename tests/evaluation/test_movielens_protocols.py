"""Named protocols on MovieLens 100K with baselines only, where the data is at hand; see test_movielens.py."""

import os
import pathlib

import numpy as np
import pytest

from tfrec.config import load_config
from tfrec.data.ingest import ingest
from tfrec.data.public import prepare_public
from tfrec.evaluation.metrics import ranking_metrics
from tfrec.evaluation.protocol import fitted_baselines
from tfrec.evaluation.protocols import PROTOCOLS, protocol
from tfrec.evaluation.recommenders import BaselineRecommender

REPOSITORY = pathlib.Path(__file__).parents[2]
RELEASE = pathlib.Path(os.environ.get("TFREC_TEST_DATA", REPOSITORY.parent / "shared/data")) / "ml-100k"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RELEASE.exists(), reason=f"no MovieLens 100K at {RELEASE}; set TFREC_TEST_DATA"),
]


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    """divided(protocol, part): what seed 0 trains and measures on."""
    folder = tmp_path_factory.mktemp("movielens")
    config = load_config(prepare_public("movielens-100k", str(RELEASE), str(folder), say=lambda line: None))

    def divide(chosen, part):
        data, _ = ingest(chosen.config(config, 0, part), str(folder / "data"))
        return chosen.dataset(data, 0, part)

    return divide


@pytest.mark.parametrize("part", ["test", "validation"])
def test_more_events_of_a_hidden_user_help_whoever_reads_them_and_not_popularity(divided, part):
    chosen = protocol("new-users")
    data = divided(chosen, part)
    tasks = chosen.tasks(data, part)
    hidden = np.unique(data.test.user)
    assert len(hidden) == (94 if part == "test" else 85) and not np.isin(hidden, data.train.user).any()
    reached = {name: [] for name in ("MostPop", "EASE", "ALS")}
    fitted = [recommender.baseline for recommender in fitted_baselines(tasks[0], tuple(reached))]
    for task in tasks:
        for baseline in (BaselineRecommender(baseline, task.history) for baseline in fitted):
            found = baseline.recommend(task.users, 10, exclude=task.exclude, candidates=task.candidates)
            reached[baseline.name].append(ranking_metrics(found, task.truth, [10])["ndcg@10"])
    assert len(set(reached["MostPop"])) == 1
    for name in ("EASE", "ALS"):
        assert reached[name][0] < reached[name][1] < reached[name][3]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_asks_for_something_that_training_has_not_seen(divided, name):
    chosen = protocol(name)
    for part in ("test", "validation"):
        data = divided(chosen, part)
        for task in chosen.tasks(data, part):
            assert len(task.users) > 50 and task.truth.multiply(task.train[task.users] > 0).nnz == 0
