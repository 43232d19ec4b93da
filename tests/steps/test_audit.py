"""An audit of trained models: what is measured, and that a picture made to mislead is named and kept out."""

import json

import numpy as np
import pytest
import yaml

from tfrec.config import load_config
from tfrec.data.ingest import ingest
from tfrec.errors import ConfigError
from tfrec.evaluation.audit import HURTS, verdicts
from tfrec.evaluation.protocols import protocol
from tfrec.steps.audit import Plan, audit_modalities

TASTES = ("space", "garden", "ocean", "castle")
SHORT = {"epochs": 8, "encoder_epochs": 4, "batch_size": 32, "targets": 8, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def misleading(make_world, make_item, tmp_path_factory):
    """A shop whose pictures tell the taste of the items trained on, and another taste of the items held out."""
    features = {
        "picture": {"modality": "image", "encoder": {"kind": "small-cnn", "size": 16, "dimension": 16}},
        "category": "category",
        "tags": {"modality": "categories"},
        "price": "number",
    }
    world = make_world(tmp_path_factory.mktemp("misleading"), features, items=100, users=150)
    # Gated, pictures are believed; a regression may find that the category is enough.
    document = world.document(training=SHORT, model={"content": "joint", "fusion": "gate"})
    (world.folder / "shop.yaml").write_text(yaml.safe_dump(document))
    config = load_config(str(world.folder / "shop.yaml"))
    cold = protocol("held-out-items")
    divided, _ = ingest(cold.config(config, 0, "validation"), str(world.folder / "once"))
    dataset = cold.dataset(divided, 0, "validation")
    rows = [json.loads(line) for line in (world.folder / "items.jsonl").read_text().splitlines()]
    random = np.random.default_rng(5)
    for row in rows:
        if row["item_id"] in set(dataset.catalogue.ids[dataset.held_out]) and row["picture"]:
            wrong = TASTES[(TASTES.index(row["taste"]) + 1) % 4]
            make_item(world.folder, row["item_id"], wrong, random)  # overwrites the picture
    return config


@pytest.mark.slow
def test_a_picture_that_misleads_on_new_items_is_named(misleading, tmp_path):
    told = []
    plan = Plan(seeds=(0,), k=5)
    trials, encoding = audit_modalities(misleading, protocol("per-user"), plan, str(tmp_path), told.append)
    warm, cold = trials
    assert list(warm.kept) == ["all", "ids only", "attributes alone", "picture alone"]
    assert list(cold.kept) == ["all", "attributes alone", "picture alone"] and cold.against_ids is None
    assert set(warm.seconds) == set(warm.kept) and set(cold.seconds) == set(cold.kept)
    assert encoding == {}  # the CNN is trained, so there is nothing to encode once
    assert len(told) == len(warm.kept) + len(cold.kept)
    found = {verdict.modality: verdict for verdict in verdicts(trials)}
    assert found["picture"].effects[1].verdict == HURTS
    assert found["attributes"].effects[1].verdict != HURTS
    value = {name: spreads["ndcg@5"].mean for name, spreads in cold.against_all.metrics.items()}
    assert value["attributes alone"] > value["all"]


@pytest.mark.slow
def test_hiding_shows_it_too_and_trains_once(misleading, tmp_path):
    plan = Plan(seeds=(0,), k=5, mask=True)
    trials, _ = audit_modalities(misleading, protocol("per-user"), plan, str(tmp_path), lambda line: None)
    warm, cold = trials
    assert list(warm.seconds) == list(cold.seconds) == ["all"]
    value = {name: spreads["ndcg@5"].mean for name, spreads in cold.against_all.metrics.items()}
    assert value["attributes alone"] > value["all"]
    assert {verdict.modality: verdict for verdict in verdicts(trials)}["picture"].effects[1].verdict == HURTS


def test_frozen_encoders_are_timed_apart(make_world, word_encoder, tmp_path):
    features = {
        "text": {
            "modality": "text",
            "columns": ["title", "description"],
            "encoder": {"kind": "hub", "path": word_encoder, "pooling": "mean", "max_length": 12},
        },
    }
    world = make_world(tmp_path, features, items=30, users=40, events=10)
    config = world.config(training={"epochs": 1})
    plan = Plan(seeds=(0,), k=5, mask=True)
    trials, encoding = audit_modalities(config, protocol("per-user"), plan, str(tmp_path), lambda line: None)
    assert list(encoding) == ["text"] and encoding["text"] > 0
    assert list(trials[0].kept) == ["all", "ids only"] and list(trials[1].kept) == ["all"]
    [verdict] = verdicts(trials, encoding)
    assert [effect.items for effect in verdict.effects] == ["warm items"]


def test_what_cannot_be_audited_is_refused(plain_world, make_world, tmp_path):
    config = plain_world.config()
    with pytest.raises(ConfigError, match="protocol held-out-items asks for new-items"):
        audit_modalities(config, protocol("held-out-items"), Plan(), str(tmp_path))
    with pytest.raises(ConfigError, match="items have no features, so there is no modality to audit"):
        audit_modalities(config.without(["attributes"]), protocol("per-user"), Plan(), str(tmp_path))
