"""The table of how encoders take part, made from a little shop."""

import json

import pytest
import yaml

from benchmarks.encoder_participation import MODES, main
from tfrec.errors import ConfigError


@pytest.fixture(scope="module")
def configuration(make_world, word_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("participation")
    features = {
        "text": {
            "modality": "text",
            "columns": ["title", "description"],
            "encoder": {"path": word_encoder, "pooling": "mean", "max_length": 12, "train": "all"},
        },
        "picture": {"modality": "image", "encoder": {"kind": "small-cnn", "size": 16, "dimension": 8}},
        "category": "category",
    }
    world = make_world(folder, features)
    document = world.document(training={"epochs": 3, "encoder_epochs": 2, "patience": 0})
    (folder / "shop.yaml").write_text(yaml.safe_dump(document))
    return str(folder / "shop.yaml")


@pytest.mark.slow
def test_every_mode_is_trained_on_its_own_and_told_with_quality_and_time(configuration, tmp_path):
    out = tmp_path / "table"
    features = ["--feature", f"{configuration}:text", "--feature", f"{configuration}:picture"]
    modes = "low-rank adapters;all layers, masked language model;end to end"
    assert main([*features, "--modes", modes, "--seeds", "0", "--out", str(out)]) == 0
    result = json.loads((tmp_path / "table.json").read_text())
    text, picture = result["features"]
    assert list(text["costs"]) == ["frozen", "low-rank adapters", "all layers, masked language model"]
    assert list(picture["costs"]) == ["frozen", "end to end"]
    for section in (text, picture):
        frozen, *others = section["costs"].values()
        assert frozen["trained_weights"] == 0 and frozen["encoder_epoch"] == [None]
        assert all(cost["trained_weights"] > 0 and cost["encoder_epoch"][0] > 0 for cost in others)
        assert all(cost["other_epoch"][0] > 0 for cost in (frozen, *others))
        for metrics in section["metrics"].values():
            assert 0 < metrics["ndcg@10"]["mean"] <= 1
    weights = [cost["trained_weights"] for cost in text["costs"].values()]
    # Rank 8, one layer of width 16, query and value.
    assert weights[1] == 2 * 2 * 8 * 16 and weights[2] > weights[1]
    page = (tmp_path / "table.md").read_text()
    assert page.count("| frozen |") == 2 and "| low-rank adapters | 512 |" in page
    assert str(tmp_path) not in page and "## Machine and versions" in page


def test_the_modes_of_a_text_are_those_of_its_encoder():
    trains = {name: (mode["train"], mode.get("language_weight", 0) > 0) for name, mode in MODES["text"].items()}
    assert set(trains.values()) == {
        ("none", False),
        (1, False),
        (2, False),
        ("adapters", False),
        ("all", False),
        ("all", True),
    }


@pytest.mark.parametrize(
    "arguments, told",
    [(["--modes", "partly"], "--modes names 'partly'"), ([], "no text, image or audio feature 'category'")],
)
def test_what_is_not_there_is_named(configuration, arguments, told):
    feature = "text" if arguments else "category"
    with pytest.raises(ConfigError, match=told):
        main(["--feature", f"{configuration}:{feature}", *arguments])
