"""`tfrec train`, `evaluate` and `export`, on the shop of conftest.py."""

import json
import os

import pytest
import yaml


def test_training_exports_a_numbered_model_and_keeps_its_state(shop):
    assert shop.trained["model"].endswith(os.path.join("out", "models", "1"))
    assert not shop.trained["reused"]
    assert shop.trained["epochs"] == 3
    assert os.path.exists(os.path.join(shop.trained["model"], "saved_model.pb"))
    assert os.path.exists(shop.trained["quarantine"])
    assert os.path.isdir(os.path.join(os.path.dirname(shop.trained["model"]), "..", "training", "checkpoints"))


def test_training_again_reuses_what_is_up_to_date(tfrec, shop):
    again = tfrec("train", "-c", shop.config)
    assert again.status == 0
    assert "the trained model is up to date" in again.out
    assert f"the export is up to date: {shop.trained['model']}" in again.out
    assert "epoch" not in again.out.replace("going on", "")
    assert tfrec("train", "-c", shop.config, "--json").json["reused"]


def test_another_setting_gives_the_next_model(tfrec, tmp_path, write_shop):
    _, config = write_shop(tmp_path / "shop", training={"epochs": 1})
    first = tfrec("train", "-c", config, "--json").json
    document = yaml.safe_load(config.read_text())
    document["serving"]["k"] = 7
    config.write_text(yaml.safe_dump(document))
    second = tfrec("train", "-c", config, "--json").json
    assert [os.path.basename(run["model"]) for run in (first, second)] == ["1", "2"]
    manifest = os.path.join(second["model"], "assets.extra", "tfrec_manifest.json")
    with open(manifest) as file:
        assert json.load(file)["serving"]["k"] == 7


def test_evaluation_prints_a_table_and_writes_a_report(tfrec, shop):
    shown = tfrec("evaluate", "-c", shop.config)
    assert shown.status == 0, shown.err
    for name in ("tfrec", "MostPop", "ItemKNN", "text alone"):
        assert name in shown.out
    report = shown.out.strip().splitlines()[-1].removeprefix("report: ")
    assert os.path.getsize(report) > 10_000


def test_a_model_that_misses_its_gates_is_told_and_not_pushed_without_force(tfrec, tmp_path, write_shop, one_sentence):
    _, config = write_shop(
        tmp_path / "shop", training={"epochs": 1}, gates={"better_than": ["MostPop"], "margin": 1000.0}
    )
    assert tfrec("train", "-c", config).status == 0
    judged = tfrec("evaluate", "-c", config, "--json")
    assert judged.status == 1
    assert not judged.json["blessed"]
    assert "is not blessed: ndcg@10 is" in one_sentence(tfrec("export", "-c", config))
    assert tfrec("export", "-c", config, "--force").status == 0


def test_export_pushes_the_next_version(tfrec, shop, tmp_path):
    first = tfrec("export", "-c", shop.config, "--out", tmp_path / "films", "--json").json
    second = tfrec("export", "-c", shop.config, "--out", tmp_path / "films", "--json").json
    assert [first["pushed"], second["pushed"]] == [str(tmp_path / "films" / number) for number in "12"]
    assert os.path.exists(os.path.join(second["pushed"], "assets.extra", "tf_serving_warmup_requests"))


@pytest.mark.parametrize("command", ["evaluate", "export"])
def test_without_a_model_the_way_to_one_is_told(tfrec, tmp_path, write_shop, command, one_sentence):
    _, config = write_shop(tmp_path / "shop")
    assert f"run `tfrec train -c {config}` first" in one_sentence(tfrec(command, "-c", config))
