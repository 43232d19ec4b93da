import numpy as np
import pytest

from tfrec.errors import DataError
from tfrec.evaluation.protocol import evaluate, fitted_baselines
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.tasks import cold_task, warm_task


class Fixed:
    """Recommends given lists whatever it is asked."""

    def __init__(self, name, positions):
        self.name = name
        self.positions = np.array(positions, np.int32)

    def recommend(self, users, k, exclude=None, candidates=None, truth=None):
        return self.positions


def knowing_model(users=60, items=40):
    """Knows the two groups of `taste_dataset`."""
    return EmbeddingRecommender("Knowing", np.eye(2)[np.arange(users) % 2], np.eye(2)[np.arange(items) % 2])


def collapsed_model(users=60, items=40):
    return EmbeddingRecommender("Collapsed", np.ones((users, 2)), np.ones((items, 2)))


def test_a_model_that_knows_the_groups_beats_popularity_with_confidence(taste_dataset):
    task = warm_task(taste_dataset)
    result = evaluate(knowing_model(), fitted_baselines(task), task, [3, 10])
    difference = result.difference("MostPop", "recall@10")
    assert difference.low > 0
    assert difference.p_value < 0.001
    model, baseline = (result.outcome(name).metrics["recall@10"] for name in ("Knowing", "MostPop"))
    assert difference.value == pytest.approx(model.value - baseline.value)
    assert model.low < model.value < model.high
    assert result.ks == (3, 10)
    assert result.users == len(task.users)
    assert result.relevant == task.truth.nnz


def test_all_metrics_are_given_at_every_cut_off(taste_dataset):
    task = warm_task(taste_dataset)
    result = evaluate(knowing_model(), [], task, [3, 10], bootstrap=10)
    names = ["ndcg", "recall", "precision", "f1", "map", "mrr", "hit_rate", "coverage", "gini", "novelty", "diversity"]
    assert set(result.model.metrics) == {f"{name}@{k}" for name in names for k in (3, 10)}
    assert sum(result.model.popularity_shares) == pytest.approx(1)
    assert sum(result.relevant_popularity_shares) == pytest.approx(1)
    assert result.model.per_user["ndcg@10"].shape == (result.users,)


def test_a_collapsed_model_is_judged_by_its_ties(dataset):
    train = [(user, item) for user in range(2) for item in (4, 5, 6, 7)] + [(2, item) for item in range(8)]
    task = warm_task(dataset(3, 8, train=train, test=[(0, 0), (1, 1)]))
    result = evaluate(collapsed_model(3, 8), [], task, [1, 3])
    assert result.model.metrics["recall@3"].value == 0


def test_the_cold_task_takes_only_baselines_that_can_tell_new_items_apart(taste_dataset):
    task = cold_task(taste_dataset)
    baselines = fitted_baselines(task)
    assert [baseline.name for baseline in baselines] == ["Random"]
    result = evaluate(knowing_model(), baselines, task, [4])
    assert result.candidates == 8
    assert result.difference("Random", "recall@4").low > 0


def test_results_are_the_same_for_the_same_seed(taste_dataset):
    task = warm_task(taste_dataset)
    results = [
        evaluate(knowing_model(), fitted_baselines(task, ["Random"]), task, [5], seed=seed, clock=lambda: 0.0)
        for seed in (1, 1, 2)
    ]
    assert results[0] == results[1]
    assert results[0] != results[2]


@pytest.mark.parametrize(
    "positions, message",
    [
        ([[1, 2, 3]], r"Bad must recommend an array of shape \[1, 2\], got \[1, 3\]"),
        ([[1, 5]], "Bad recommends the item at position 5, which is no candidate of warm items"),
        ([[1, 0]], "Bad recommends an item that user row 0 already touched; exclude it"),
        ([[1, 1]], "user row 0 holds an item twice"),
    ],
)
def test_a_recommender_that_breaks_the_rules_is_caught(dataset, positions, message):
    task = warm_task(dataset(2, 6, train=[(0, 0), (1, 1), (1, 2), (1, 3), (1, 4)], test=[(0, 1)]))
    with pytest.raises(DataError, match=message):
        evaluate(Fixed("Bad", positions), [], task, [2])


def test_names_must_tell_recommenders_apart(taste_dataset):
    with pytest.raises(DataError, match="must differ in name to be compared, got Knowing, Knowing"):
        evaluate(knowing_model(), [knowing_model()], warm_task(taste_dataset))


def test_an_unknown_baseline_is_refused(taste_dataset):
    with pytest.raises(DataError, match="no baseline is called 'SVD'; there are MostPop, ItemKNN, EASE, ALS, Random"):
        fitted_baselines(warm_task(taste_dataset), ["SVD"])


def test_an_evaluation_survives_json(taste_dataset):
    import json

    from tfrec.evaluation.result import Evaluation

    task = warm_task(taste_dataset)
    result = evaluate(knowing_model(), fitted_baselines(task), task, [1, 5], bootstrap=20)
    text = json.dumps(result.to_json(), allow_nan=False)
    assert Evaluation.from_json(json.loads(text)) == result
