import dataclasses
import json

import pytest

from tfrec.config import parse_config
from tfrec.errors import ConfigError, DataError, ServableError
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


@pytest.fixture(scope="module")
def fold_in(make_world, tmp_path_factory):
    """A shop trained and evaluated under the protocol of new users: its configuration, data, servable, assessment."""
    from tfrec.training.trainer import train

    folder = tmp_path_factory.mktemp("fold_in")
    world = make_world(folder / "shop", {"category": "category"}, items=40, users=60, events=16)
    document = world.document(training={"epochs": 2})
    document["split"] = {"protocol": "new-users"}
    config = parse_config(document, str(folder / "shop" / "shop.yaml"))
    dataset = world.dataset(config)
    trained = train(config, dataset, str(folder / "training"), say=lambda line: None)
    model = export_servable(trained, dataset, str(folder / "model"), say=lambda line: None)
    return config, dataset, model, evaluate_servable(config, dataset, model, str(folder / "report"), say=[].append)


def test_the_configured_protocol_is_what_is_asked(fold_in):
    assessment = fold_in[-1]
    told = [evaluation.task for evaluation in (*assessment.further, assessment.warm)]
    assert told == [f"new users, {count} given" for count in ("1 event", "3 events", "5 events", "10 events")]
    for evaluation in (*assessment.further, assessment.warm):
        assert evaluation.users == 6
        assert {baseline.name for baseline in evaluation.baselines} >= {"MostPop", "ItemKNN", "EASE", "ALS"}
    with open(f"{assessment.directory}/report.html", encoding="utf-8") as file:
        page = file.read()
    assert all(name in page for name in told)


def test_a_protocol_of_new_items_only_cannot_be_judged_by_the_gates(fold_in, tmp_path):
    config, dataset, model, _ = fold_in
    config = dataclasses.replace(config, split=dataclasses.replace(config.split, protocol="held-out-items"))
    with pytest.raises(ConfigError, match="benchmark quality --protocol held-out-items"):
        evaluate_servable(config, dataset, model, str(tmp_path), say=lambda line: None)


def test_a_test_part_that_asks_for_nothing_is_told(world, dataset, servable, tmp_path):
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
