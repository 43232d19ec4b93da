import json

import pytest

from tfrec.errors import DataError, ServableError
from tfrec.export.export import export_servable
from tfrec.steps.evaluate import evaluate_servable
from tfrec.steps.push import next_version, push, versions


@pytest.fixture(scope="session")
def servable(trained, dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps") / "model"
    return export_servable(trained, dataset, str(folder), say=lambda line: None)


def assess(world, dataset, servable, destination, **gates):
    config = world.config(gates=gates)
    return evaluate_servable(config, dataset, servable, str(destination), say=lambda line: None)


@pytest.fixture(scope="session")
def assessed(world, dataset, servable, tmp_path_factory):
    """A good model held against popularity, and the folder of its report."""
    folder = tmp_path_factory.mktemp("report")
    return assess(world, dataset, servable, folder), folder


def test_a_model_better_than_popularity_is_blessed(assessed):
    assessment, folder = assessed
    assert assessment.blessed and assessment.reasons == []
    written = json.loads((folder / "metrics.json").read_text())
    assert written["blessed"] is True and written["reasons"] == []
    assert written["metrics"] == assessment.metrics()
    assert 0 < written["metrics"]["ndcg@10"] <= 1


def test_the_report_holds_the_model_its_baselines_and_held_out_items(assessed, dataset):
    assessment, folder = assessed
    assert {outcome.name for outcome in assessment.warm.baselines} >= {"MostPop", "ItemKNN"}
    alone = [outcome.name for outcome in assessment.cold.baselines]
    assert alone[:3] == ["text alone", "picture alone", "sound alone"]
    report = json.loads((folder / "report.json").read_text())
    page = (folder / "report.html").read_text()
    assert "MostPop" in page and "picture alone" in page
    assert report


def test_held_out_items_are_ranked_by_content_better_than_by_chance(assessed):
    cold = assessed[0].cold
    outcome = {baseline.name: baseline.metrics["ndcg@5"].value for baseline in cold.baselines}
    assert cold.model.metrics["ndcg@5"].value > outcome["Random"]
    assert outcome["text alone"] > outcome["Random"]


@pytest.mark.parametrize(
    "gates, said",
    [
        ({"margin": 1000.0}, "which is not better than 1000 times MostPop"),
        ({"metric": "ndcg@7"}, "The gate asks for ndcg@7, which was not measured"),
        ({"better_than": ["Oracle"]}, "The gate compares with Oracle, which was not evaluated"),
        ({"minimum_coverage": 1.01}, "below the required 101.0%"),
    ],
)
def test_a_model_that_misses_a_gate_is_not_blessed_and_says_why(world, dataset, servable, tmp_path, gates, said):
    assessment = assess(world, dataset, servable, tmp_path, **gates)
    assert not assessment.blessed and any(said in reason for reason in assessment.reasons)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["blessed"] is False and written["reasons"] == assessment.reasons


def test_a_test_part_that_asks_for_nothing_is_told(world, dataset, servable, tmp_path):
    import dataclasses

    import numpy as np

    nothing = dataclasses.replace(dataset, test=dataset.test.take(np.zeros(0, int)))
    with pytest.raises(DataError, match="can be asked for"):
        assess(world, nothing, servable, tmp_path)


def test_pushed_versions_count_up_and_hold_the_same_files(servable, tmp_path):
    import os

    target = str(tmp_path / "served" / "shop")
    assert versions(target) == [] and next_version(target) == 1
    assert push(servable, target) == os.path.join(target, "1")
    os.makedirs(os.path.join(target, "notes"))
    os.makedirs(os.path.join(target, "12"))
    assert push(servable, target) == os.path.join(target, "13")
    assert versions(target) == [1, 12, 13]

    def files(folder):
        found = {}
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = file.read()
        return found

    assert files(os.path.join(target, "13")) == files(servable)


def test_a_pushed_model_is_loaded(servable, tmp_path):
    from tfrec.export.loaded import LoadedServable

    pushed = LoadedServable(push(servable, str(tmp_path)))
    assert len(pushed.ids) == 48


def test_pushing_what_is_no_model_is_told(tmp_path):
    with pytest.raises(ServableError, match=r"holds no SavedModel; give the folder with saved_model\.pb"):
        push(str(tmp_path), str(tmp_path / "served"))
    assert not (tmp_path / "served").exists()


def test_a_push_that_fails_leaves_no_version(servable, tmp_path, monkeypatch):
    import tensorflow as tf

    copied = []

    def full(source, destination, overwrite=False):
        copied.append(source)
        if len(copied) == 3:
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    from tfrec.errors import TrainingError

    monkeypatch.setattr(tf.io.gfile, "copy", full)
    with pytest.raises(TrainingError, match="is full"):
        push(servable, str(tmp_path))
    assert versions(str(tmp_path)) == [] and list(tmp_path.iterdir()) == []
