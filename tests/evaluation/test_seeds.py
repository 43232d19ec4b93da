import dataclasses

import numpy as np
import pytest
from scipy import stats

from tfrec.errors import DataError
from tfrec.evaluation.baselines import RandomOrder
from tfrec.evaluation.protocol import evaluate, fitted_baselines
from tfrec.evaluation.protocols import protocol
from tfrec.evaluation.quality_page import Section, quality_markdown, quality_table, tasks_table
from tfrec.evaluation.recommenders import BaselineRecommender
from tfrec.evaluation.seeds import Run, compared_over_seeds
from tfrec.evaluation.tasks import warm_task


@pytest.fixture(scope="module")
def task(taste_dataset):
    return warm_task(taste_dataset)


@pytest.fixture(scope="module")
def runs(task):
    """EASE, which does not vary, as the model beside a baseline that varies with the seed."""
    runs = []
    for seed in (3, 4, 5):
        [ease] = fitted_baselines(task, ["EASE"])
        chance = BaselineRecommender(RandomOrder(seed).fit(task.train), task.history)
        runs.append(Run(seed, task.users, evaluate(ease, [chance], task, [5], bootstrap=0)))
    return runs


def test_the_spread_is_the_standard_deviation_between_seeds(runs):
    comparison = compared_over_seeds(runs, ["ndcg@5"])
    assert comparison.metrics["EASE"]["ndcg@5"].deviation == 0
    spread = comparison.metrics["Random"]["ndcg@5"]
    assert spread.values == tuple(run.evaluation.outcome("Random").metrics["ndcg@5"].value for run in runs)
    assert spread.mean == pytest.approx(np.mean(spread.values))
    assert spread.deviation == pytest.approx(np.std(spread.values, ddof=1)) and spread.deviation > 0


def test_a_user_counts_once_in_the_paired_test_however_many_seeds_there_are(runs):
    contrast = compared_over_seeds(runs, ["ndcg@5"]).contrasts["Random"]["ndcg@5"]
    apart = np.mean(
        [run.evaluation.model.per_user["ndcg@5"] - run.evaluation.baselines[0].per_user["ndcg@5"] for run in runs],
        axis=0,
    )
    assert contrast.difference == pytest.approx(apart.mean())
    assert contrast.p_value == pytest.approx(stats.ttest_1samp(apart, 0).pvalue)
    assert contrast.seeds_ahead == 3


def test_users_asked_in_some_seeds_only_are_paired_by_who_they_are(runs, task):
    shifted = [Run(run.seed, task.users + 1000 * number, run.evaluation) for number, run in enumerate(runs)]
    contrast = compared_over_seeds(shifted, ["ndcg@5"]).contrasts["Random"]["ndcg@5"]
    apart = np.concatenate(
        [run.evaluation.model.per_user["ndcg@5"] - run.evaluation.baselines[0].per_user["ndcg@5"] for run in runs]
    )
    assert contrast.p_value == pytest.approx(stats.ttest_1samp(apart, 0).pvalue)


def test_one_seed_has_no_spread(runs):
    assert compared_over_seeds(runs[:1], ["ndcg@5"]).metrics["Random"]["ndcg@5"].deviation is None


def test_no_seed_is_refused():
    with pytest.raises(DataError, match="give at least one seed"):
        compared_over_seeds([], ["ndcg@5"])


def test_the_page_tells_the_table_the_protocol_the_command_and_the_versions(runs):
    names = [f"{name}@5" for name in ("ndcg", "recall", "precision", "map", "hit_rate", "coverage")]
    chosen = protocol("per-user")
    comparison = compared_over_seeds(runs, names)
    section = Section(chosen, "validation", 5, (comparison,), ("Training took 3 s.",))
    header, model, chance = quality_table(comparison, 5)
    assert header[1] == "nDCG@5" and model[0] == "EASE" and chance[0] == "Random"
    assert model[1].endswith("± 0.0000")
    assert chance[-2].startswith("+") and chance[-2].endswith("(3/3 seeds)") and chance[-1] == "< 0.001"
    environment = {"cores": 2, "architecture": "z80", "python": "3.10.1", "packages": {"numpy": "1.26"}}
    page = quality_markdown("Quality: films", [section], "tfrec benchmark quality -c films.yaml", environment)
    for part in (
        "tfrec benchmark quality -c films.yaml",
        chosen.measured,
        "to choose by",
        "2 cores (z80)",
        "numpy 1.26",
    ):
        assert part in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1 and len(table) == 4


def test_a_protocol_of_several_tasks_has_a_row_for_each_and_a_table_for_each(runs):
    names = [f"{name}@5" for name in ("ndcg", "recall", "precision", "map", "hit_rate", "coverage")]
    one, three = (
        dataclasses.replace(compared_over_seeds(runs, names), task=f"new users, {count} given") for count in (1, 3)
    )
    header, first, second = tasks_table([one, three], 5)
    assert header == ["nDCG@5", "EASE", "Random"]
    assert [first[0], second[0]] == ["new users, 1 given", "new users, 3 given"]
    assert "± 0.0000" in first[1] and first[2].endswith("(p < 0.001)")
    environment = {"cores": 2, "architecture": "z80", "python": "3.10.1", "packages": {}}
    page = quality_markdown("Films", [Section(protocol("new-users"), "test", 5, (one, three), ())], "go", environment)
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == 4 + 2 * 4 and page.count("### new users") == 2
