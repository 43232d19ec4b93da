"""The table of fusions, made from a little shop."""

import json

import pytest
import yaml

from benchmarks.fusion import REGRESSION, all_ways, main
from tfrec.config_checks import CHOICES
from tfrec.errors import ConfigError


@pytest.fixture(scope="module")
def configuration(make_world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fusion")
    picture = {"modality": "image", "encoder": {"kind": "small-cnn", "size": 16, "dimension": 8}}
    world = make_world(folder, {"picture": picture, "category": "category"}, items=40, users=60, events=10)
    (folder / "shop.yaml").write_text(yaml.safe_dump(world.document(training={"epochs": 2})))
    return str(folder / "shop.yaml")


def test_every_way_to_fuse_is_there():
    ways = all_ways()
    assert [way for way in ways if way != REGRESSION] == list(CHOICES["model.fusion"])
    assert all(f"model.fusion={way}" in settings for way, settings in ways.items() if way != REGRESSION)
    encoders = all_ways(REGRESSION)
    assert list(encoders) == list(CHOICES["model.encoder_fusion"])
    assert all(f"model.encoder_fusion={way}" in settings for way, settings in encoders.items())
    assert set(CHOICES["model.content"]) == {"joint", REGRESSION} and REGRESSION in ways


@pytest.mark.slow
def test_ways_are_compared_on_known_and_on_new_items(configuration, tmp_path):
    out = tmp_path / "fusion"
    arguments = ["--ways", "gate,decision,regression", "--seeds", "0", "-k", "5", "--set-fused", "model.dropout=0.25"]
    arguments += ["--frozen", "picture"]
    assert main(["-c", configuration, *arguments, "--out", str(out)]) == 0
    written = json.loads(out.with_suffix(".json").read_text())
    assert [section["protocol"] for section in written["protocols"]] == ["per-user", "held-out-items"]
    for section in written["protocols"]:
        assert list(section["metrics"]) == list(section["seconds"]) == ["gate", "decision", "regression"]
        assert all(0 < spreads["ndcg@5"]["mean"] <= 1 for spreads in section["metrics"].values())
        assert 0 <= section["contrasts"]["decision"]["ndcg@5"]["p_value"] <= 1
    dropouts = {way: settings["model"]["dropout"] for way, settings in written["ways"].items()}
    assert dropouts == {"gate": 0.25, "decision": 0.25, "regression": 0.1}
    page = out.with_suffix(".md").read_text()
    assert page.count("| decision |") == 2 and "minus gate" in page and str(tmp_path) not in page


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--ways", "sum"], "--ways names 'sum'; there are concatenation"),
        (["--protocols", "new-users"], "--protocols names new-users"),
        (["--set", "model.without=[picture]"], "there is nothing to fuse"),
        (
            ["--frozen", "poster"],
            "--frozen names 'poster', which is no image or audio feature of the items; there are pic",
        ),
    ],
)
def test_what_cannot_be_compared_is_told(configuration, arguments, told):
    with pytest.raises(ConfigError, match=told):
        main(["-c", configuration, *arguments])
