import json

import pytest
import yaml

from tfrec.config import load_config


@pytest.fixture
def shop_file(make_world, tmp_path):
    """A shop with attributes only: one modality, nothing to encode."""
    world = make_world(tmp_path, {"category": "category", "price": "number"}, items=40, users=60, events=10)
    path = tmp_path / "shop.yaml"
    path.write_text("# my shop\n" + yaml.safe_dump(world.document(training={"epochs": 2}), sort_keys=False))
    return path


@pytest.mark.slow
def test_an_audit_is_written_and_gates_what_is_trained_next(tfrec, shop_file):
    done = tfrec("audit", "-c", shop_file, "--seeds", "0,1", "-k", 5, "--set", "training.epochs=3", "--apply")
    assert done.status == 0, done.err
    assert "ids only" in done.out and "minus all" in done.out and "attributes" in done.out
    written = json.loads((shop_file.parent / "out" / "audit" / "audit.json").read_text())
    assert written["how"] == "train" and written["part"] == "validation" and written["seeds"] == [0, 1]
    assert written["modalities"]["attributes"]["features"] == ["category", "price"]
    assert written["settings"]["training"]["epochs"] == 3
    warm, cold = written["trials"]
    assert list(warm["variants"]) == ["all", "ids only"] and list(cold["variants"]) == ["all"]
    assert len(warm["variants"]["all"]["seconds"]) == 2
    page = (shop_file.parent / "out" / "audit" / "audit.md").read_text()
    assert "tfrec audit -c shop.yaml --seeds 0,1 --part validation -k 5 --set training.epochs=3" in page
    assert str(shop_file.parent) not in page
    applied = shop_file.parent / "shop.audited.yaml"
    assert applied.read_text().startswith("# my shop")
    config = load_config(str(applied))
    assert config.gates.audit == str(shop_file.parent / "out" / "audit" / "audit.json")
    assert list(config.model.without) == written["harmful"]


@pytest.mark.slow
def test_a_model_that_reads_what_does_harm_is_not_blessed_until_it_is_switched_off(tfrec, shop_file):
    audit = shop_file.parent / "audit.json"
    entry = {"features": ["category", "price"], "harmful": True, "sentence": "attributes hurts on warm items."}
    audit.write_text(json.dumps({"modalities": {"attributes": entry}}))
    document = yaml.safe_load(shop_file.read_text())
    document["gates"] = {"audit": "audit.json", "better_than": []}
    shop_file.write_text(yaml.safe_dump(document))

    assert tfrec("train", "-c", shop_file).status == 0
    refused = tfrec("evaluate", "-c", shop_file, "--json")
    assert refused.status == 1
    assert any("The model reads attributes, which does harm" in reason for reason in refused.json["reasons"])

    shop_file.write_text(yaml.safe_dump({**document, "model": {**document["model"], "without": ["attributes"]}}))
    assert tfrec("train", "-c", shop_file).status == 0
    told = tfrec("evaluate", "-c", shop_file, "--json")
    assert not any("The model reads" in reason for reason in told.json["reasons"])


def test_replacing_a_file_is_said(tfrec, shop_file):
    (shop_file.parent / "shop.audited.yaml").write_text("name: old\n")
    done = tfrec("audit", "-c", shop_file, "--seeds", 0, "--mask", "--set", "training.epochs=1", "--apply")
    assert done.status == 0, done.err
    assert "in the place of the one that was there" in " ".join(done.out.split())


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--protocol", "new-users"], "protocol new-users asks for new-users"),
        (["--protocol", "mine"], "there is no protocol 'mine'"),
        (["--set", "model.without=[poster]"], "model.without names 'poster', which is no modality"),
        (["--set", "model.without=attributes"], "there is no modality to audit"),
    ],
)
def test_what_cannot_be_audited_is_told_in_one_sentence(tfrec, shop_file, one_sentence, arguments, said):
    assert said in one_sentence(tfrec("audit", "-c", shop_file, *arguments))
