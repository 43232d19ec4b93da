"""The whole pipeline on a little shop: what it makes, what it reuses, when it does not push, how it fails."""

import fcntl
import json
import os
import shutil

import pytest
import yaml

from tfrec.data.ingest import ingest
from tfrec.data.vocabulary import FeatureSpace, fit_feature_space
from tfrec.errors import ConfigError, DataError, TfrecError
from tfrec.export.manifest import read_manifest
from tfrec.pipelines.run import run_pipeline
from tfrec.steps.push import versions
from tfrec.steps.rollback import roll_back

ODD = ["two\nlines", " of ", "été", "with 3 spaces", "two\nlines"]
INGESTION = [
    "CatalogueIngest",
    "ContentEncoder",
    "EventIngest",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "DriftDetector",
]
REST = ["Transform", "Trainer", "RetrievalEvaluator", "Pusher"]


# What is compared with the served model is chance in a shop as small as this.
GATES = {"margin": 0.01, "served": "ignore"}


class Shop:
    """A shop with odd values and a configuration file; `run` runs the pipeline on it."""

    def __init__(self, world):
        self.world = world
        path = world.folder / "items.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for number, row in enumerate(rows):
            row["category"] = ODD[number] if number < len(ODD) else row["category"]
            row["tags"] = "" if number % 7 == 0 else row["tags"]
            row["price"] = None if number % 5 == 0 else row["price"]
            row["nobody"] = None
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def document(self, **sections):
        basis = {"split": {"held_out_items": 0.25}, "training": {"epochs": 3}, "gates": GATES}
        return self.world.document(**{**basis, **sections})

    def run(self, **sections):
        path = self.world.folder / "shop.yaml"
        path.write_text(yaml.safe_dump(json.loads(json.dumps(self.document(**sections)))))
        said = []
        return run_pipeline(str(path), said.append), said

    def versions(self):
        return versions(str(self.world.folder / "out" / "serving" / "shop"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory, make_world, word_encoder):
    features = {
        "text": {
            "modality": "text",
            "columns": ["title", "description"],
            "encoder": {"path": word_encoder, "max_length": 16},
        },
        "category": "category",
        "tags": {"modality": "categories"},
        "price": "number",
        "nobody": "category",
        "nothing": {"modality": "number", "column": "nobody"},
    }
    return Shop(make_world(tmp_path_factory.mktemp("shop"), features))


@pytest.fixture(scope="module")
def first(shop):
    return shop.run()


def ran(result):
    return [component.name for component in result.components if not component.reused]


@pytest.mark.slow
def test_a_run_goes_from_files_to_a_pushed_servable(first):
    result, said = first
    assert sorted(component.name for component in result.components) == sorted(INGESTION + REST)
    assert result.blessed and not result.reasons
    assert result.metrics["ndcg@10"] > 0
    assert os.path.basename(result.pushed) == "1"
    assert "validation_ndcg@10" in read_manifest(result.pushed)["metrics"]
    for path in (result.report, result.quarantine, result.log, os.path.join(result.evaluation, "report.html")):
        assert os.path.getsize(path) >= 0
    assert any(line.startswith("[9/11] Trainer: ran in ") for line in said)
    assert any("epoch" in line for line in said)
    assert said[-1].endswith(f"pushed to {result.pushed}")


@pytest.mark.slow
def test_the_second_run_reuses_everything(shop, first):
    before, _ = shop.run()  # another test may have pushed another model since the first run
    versions = shop.versions()
    result, said = shop.run()
    assert ran(result) == []
    assert (result.pushed, result.metrics) == (before.pushed, first[0].metrics)
    assert shop.versions() == versions
    assert "[1/11] CatalogueIngest: reused" in said


@pytest.mark.slow
def test_another_number_of_epochs_trains_again_but_ingests_nothing(shop, first):
    result, _ = shop.run(training={"epochs": 2})
    assert {"Trainer", "RetrievalEvaluator", "Pusher"} >= set(ran(result))
    assert read_manifest(result.pushed)["training"]["epochs"] == 2


@pytest.mark.slow
def test_a_model_that_is_not_good_enough_is_not_pushed(shop, first):
    before = shop.versions()
    result, said = shop.run(gates={"margin": 1000.0})
    assert "Trainer" not in ran(result)
    assert not result.blessed and result.pushed is None
    assert "not better than 1000 times MostPop" in result.reasons[0]
    assert f"not blessed: {result.reasons[0]}" in said
    assert shop.versions() == before


@pytest.mark.slow
def test_going_back_to_earlier_settings_serves_their_model_again(shop, first):
    other, _ = shop.run(training={"epochs": 2})
    back, _ = shop.run()
    assert ran(back) == ["RetrievalEvaluator", "Pusher"]  # beside the model that is served meanwhile
    with open(os.path.join(back.evaluation, "metrics.json")) as file:
        assert json.load(file)["served"] == int(os.path.basename(other.pushed))
    assert int(os.path.basename(back.pushed)) > int(os.path.basename(other.pushed))
    assert read_manifest(back.pushed)["training"]["epochs"] == 3


@pytest.mark.slow
def test_a_model_that_was_rolled_back_is_not_pushed_again(shop, first):
    shop.run(training={"epochs": 2})
    latest, _ = shop.run()
    done = roll_back(os.path.dirname(latest.pushed), why="a test")
    versions = shop.versions()
    result, _ = shop.run()
    assert ran(result) == ["RetrievalEvaluator", "Pusher"] and not result.blessed
    assert f"withdrawn as version {done.withdrawn} by a rollback" in result.reasons[0]
    assert shop.versions() == versions
    roll_back(os.path.dirname(latest.pushed), to=done.withdrawn)
    assert shop.run()[0].blessed


@pytest.mark.slow
def test_a_later_version_from_elsewhere_is_left_alone(shop, first):
    result, _ = shop.run()
    later = os.path.join(os.path.dirname(result.pushed), str(int(os.path.basename(result.pushed)) + 1))
    shutil.copytree(result.pushed, later)
    again, _ = shop.run()
    shutil.rmtree(later)
    assert ran(again) == []


@pytest.mark.slow
def test_a_pushed_version_that_was_deleted_is_pushed_again(shop, first):
    result, _ = shop.run()
    shutil.rmtree(result.pushed)
    again, _ = shop.run()
    assert ran(again) == ["RetrievalEvaluator", "Pusher"]
    assert os.path.exists(os.path.join(again.pushed, "saved_model.pb"))
    assert ran(shop.run()[0]) == []


@pytest.mark.slow
def test_transform_learns_the_same_feature_space_as_training_in_one_process(shop, first, tmp_path):
    config = shop.world.config(**{name: shop.document()[name] for name in ("split", "training")})
    dataset, _ = ingest(config, str(tmp_path))
    expected = fit_feature_space(config.schema, dataset.catalogue, dataset.users, dataset.train)
    found = FeatureSpace.load(os.path.join(first[0].training, "feature_space.json"))
    assert found.vocabularies == expected.vocabularies
    assert found.categories_width == expected.categories_width
    assert {"of", "two\nlines", "with 3 spaces", "été"} <= set(found.vocabularies["items.category"])
    assert found.scaling.keys() == expected.scaling.keys()
    for key, moments in expected.scaling.items():
        assert found.scaling[key] == pytest.approx(moments, rel=1e-6)
    assert expected.scaling["items.nothing"] == (0.0, 1.0)


@pytest.mark.slow
def test_a_failure_is_the_component_s_sentence_and_the_log_has_the_traceback(shop, first, capfd):
    path = shop.world.folder / "items.jsonl"
    items = path.read_text()
    path.write_text('{"item_id": "", "title": "nobody", "description": "", "category": "", "price": 1, "tags": ""}\n')
    try:
        with pytest.raises((DataError, ConfigError), match=r"^CatalogueIngest: ") as failure:
            shop.run()
    finally:
        path.write_text(items)
    assert "Traceback" not in str(failure.value)
    assert "Traceback" in (shop.world.folder / "out" / "pipeline" / "pipeline.log").read_text()
    assert capfd.readouterr().err == ""


@pytest.fixture
def little(tmp_path, make_world):
    world = make_world(tmp_path / "shop", {"category": "category"}, items=8, users=6, events=4)
    (world.folder / "shop.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(world.document()))))
    return world.folder


def test_a_missing_events_file_is_one_sentence(little):
    (little / "events.jsonl").unlink()
    with pytest.raises(DataError, match=r"events\.jsonl"):
        run_pipeline(str(little / "shop.yaml"), lambda line: None)


def test_a_second_run_at_the_same_time_is_refused(little):
    folder = little / "out" / "pipeline"
    folder.mkdir(parents=True)
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(TfrecError, match="another run of the pipeline is under way"):
            run_pipeline(str(little / "shop.yaml"), lambda line: None)


def test_an_output_that_cannot_be_written_is_one_sentence(little):
    (little / "out").write_text("a file where the folder should be")
    with pytest.raises(TfrecError, match=r"cannot write to .*data\.output"):
        run_pipeline(str(little / "shop.yaml"), lambda line: None)


def test_a_remote_output_is_refused_with_the_reason(little):
    path = little / "shop.yaml"
    path.write_text(path.read_text().replace("output: out", "output: gs://bucket/out"))
    with pytest.raises(ConfigError, match="needs a local folder"):
        run_pipeline(str(path), lambda line: None)
