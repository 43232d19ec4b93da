import argparse
import json

import pytest
import yaml

from tfrec.cli.benchmark import seeds, with_settings
from tfrec.config import load_config
from tfrec.errors import ConfigError


@pytest.fixture(scope="module")
def shop_file(make_world, tmp_path_factory):
    """The configuration of a shop with attributes only, so that training takes a second."""
    features = {"category": "category", "tags": {"modality": "categories"}, "price": "number"}
    world = make_world(tmp_path_factory.mktemp("shop"), features, items=40, users=60, events=10)
    path = world.folder / "shop.yaml"
    path.write_text(yaml.safe_dump(world.document(training={"epochs": 2})))
    return path


def test_the_model_stands_beside_all_baselines_with_spread_and_significance(tfrec, shop_file, tmp_path):
    out = tmp_path / "results" / "shop"
    command = ["benchmark", "quality", "-c", shop_file, "--protocol", "per-user, held-out-items", "--seeds", "0,1"]
    done = tfrec(*command, "-k", 5, "--set", "model.dropout=0.2", "--out", out)
    assert done.status == 0, done.err
    written = json.loads(out.with_suffix(".json").read_text())
    assert [len(result["tasks"]) for result in written["protocols"]] == [1, 1]
    warm, cold = ({**result, **result["tasks"][0]} for result in written["protocols"])
    assert list(warm["metrics"]) == ["tfrec", "MostPop", "ItemKNN", "EASE", "ALS"]
    assert list(cold["metrics"]) == ["tfrec", "Random", "ContentKNN", "ContentRidge"]
    assert warm["settings"]["model"]["dropout"] == 0.2
    for result in (warm, cold):
        assert result["seeds"] == [0, 1] and len(result["seconds"]) == 2 and result["epochs"] == [2, 2]
        for spreads in result["metrics"].values():
            assert 0 <= spreads["ndcg@5"]["mean"] <= 1 and len(spreads["ndcg@5"]["values"]) == 2
        for contrasts in result["contrasts"].values():
            assert 0 <= contrasts["ndcg@5"]["p_value"] <= 1
    page = out.with_suffix(".md").read_text()
    assert "## per-user" in page and "## held-out-items" in page
    assert "tfrec benchmark quality -c shop.yaml --protocol 'per-user, held-out-items' --seeds 0,1" in page
    assert "EASE" in done.out and "ContentRidge" in done.out
    assert set(written["environment"]) == {"cores", "architecture", "python", "packages"}


def test_settings_are_chosen_on_a_validation_part(tfrec, shop_file):
    command = ["benchmark", "quality", "-c", shop_file, "--protocol", "recommenders-team", "--seeds", 0]
    result = tfrec(*command, "--part", "validation", "--stop-early", "--json").json["protocols"][0]
    assert result["part"] == "validation"
    assert result["settings"]["split"]["validation"] == 0.1875
    assert result["tasks"][0]["metrics"]["tfrec"]["ndcg@10"]["deviation"] is None


def test_new_users_are_measured_after_one_three_five_and_ten_events(tfrec, tmp_path, make_world):
    world = make_world(tmp_path, {"category": "category", "price": "number"}, items=40, users=80, events=16)
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(world.document(training={"epochs": 2}, serving={"history": 10})))
    done = tfrec("benchmark", "quality", "-c", path, "--protocol", "new-users", "--seeds", "0,1", "-k", 5, "--json")
    result = done.json["protocols"][0]
    assert [task["task"].split(", ")[1] for task in result["tasks"]] == [
        "1 event given",
        "3 events given",
        "5 events given",
        "10 events given",
    ]
    for task in result["tasks"]:
        assert list(task["metrics"]) == ["tfrec", "MostPop", "ItemKNN", "EASE", "ALS"] and task["users"] == 8
    popularity = [task["metrics"]["MostPop"]["ndcg@5"]["values"] for task in result["tasks"]]
    assert popularity[0] == popularity[3]  # the same questions, whatever is given


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--protocol", "mine"], "there is no protocol 'mine'; there are recommenders-team"),
        (["--protocol", ","], "--protocol names none"),
        (["--seeds", "1,1"], "expected different whole numbers separated by commas, got '1,1'"),
        (["--set", "dropout=1"], "--set 'dropout=1' is not of the form section.key=value"),
        (["--set", "model.dropot=1"], "dropot"),
        (["--set", "model.dropout=[1"], "the value is no valid YAML"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence(tfrec, shop_file, one_sentence, arguments, said):
    assert said in one_sentence(tfrec("benchmark", "quality", "-c", shop_file, *arguments))


def test_settings_given_on_the_command_line_win(shop_file):
    config = with_settings(load_config(str(shop_file)), ["model.query_hidden=[4, 5]", "serving.history=9"])
    assert config.model.query_hidden == (4, 5) and config.serving.history == 9
    with pytest.raises(ConfigError, match=r"section\.key=value"):
        with_settings(config, ["model.=3"])


def test_seeds_are_read_from_a_list():
    assert seeds("0, 2,1") == (0, 2, 1)
    with pytest.raises(argparse.ArgumentTypeError):
        seeds("")


def test_speed_is_measured_told_and_written(tfrec, tmp_path):
    out = tmp_path / "speed"
    done = tfrec("benchmark", "speed", "--what", "evaluation", "--rows", 300, "--rounds", 1, "--out", out, "--json")
    assert done.status == 0, done.err
    written = json.loads((tmp_path / "speed-evaluation.json").read_text())
    assert done.json["evaluation"]["ways"].keys() == written["ways"].keys() >= {"tfrec", "TFRS FactorizedTopK"}
    page = (tmp_path / "speed-evaluation.md").read_text()
    assert "tfrec benchmark speed --what evaluation --rounds 1 --rows 300" in page and "## Machine and versions" in page


def test_what_is_not_measured_is_refused(tfrec, one_sentence):
    assert "expected training, evaluation" in one_sentence(tfrec("benchmark", "speed", "--what", "warp"))
    assert "at least 2" in one_sentence(tfrec("benchmark", "speed", "--what", "training", "--epochs", 1))
