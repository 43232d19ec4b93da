"""A component's section of the configuration changes exactly when its result may."""

import dataclasses
import json

import pytest

from tfrec.pipelines.sections import (
    catalogue_section,
    config_of,
    encoders_section,
    evaluation_section,
    events_section,
    training_section,
    tuning_section,
)

ALL = {
    "catalogue": catalogue_section,
    "events": events_section,
    "encoders": encoders_section,
    "training": training_section,
    "tuning": tuning_section,
    "evaluation": evaluation_section,
}


def changed(before, after):
    return {name for name, section in ALL.items() if section(before) != section(after)}


def test_the_evaluation_section_holds_every_setting_but_places(world):
    config = world.config()
    back = config_of(evaluation_section(config))
    for name in ("name", "schema", "split", "model", "training", "evaluation", "gates"):
        assert getattr(back, name) == getattr(config, name)
    assert back.model_name == config.model_name


def test_a_section_reads_back_with_the_files_a_run_names(world):
    config = world.config()
    back = config_of(events_section(config), items=config.data.items, users="other.jsonl")
    assert (back.data.items, back.data.users) == (config.data.items, "other.jsonl")
    assert back.schema.events == config.schema.events


def test_a_search_reads_back(world):
    space = {"model.query_hidden": [[], [16]], "model.dropout": {"low": 0.1, "high": 0.4}}
    config = world.config(tuning={"space": space})
    back = config_of(tuning_section(config))
    assert back.training == config.training
    assert [searched.name for searched in back.tuning.space] == list(space)
    assert back.tuning.space[1] == config.tuning.space[1]


@pytest.mark.parametrize(
    ("sections", "depending"),
    [
        ({"training": {"epochs": 9}}, {"training", "tuning", "evaluation"}),
        ({"gates": {"margin": 2.0}}, {"evaluation"}),
        ({"tuning": {"space": {"model.dropout": [0.2, 0.4]}}}, {"tuning"}),
        ({"split": {"test": 0.2}}, {"events", "evaluation"}),
        ({"model": {"dimension": 8}}, {"training", "tuning", "evaluation"}),
        ({"data": {"output": "elsewhere"}}, set()),
        ({"data": {"events": "elsewhere.jsonl"}}, set()),
        ({"serving": {"push": "elsewhere"}}, set()),
        ({"pipeline": {"beam": ["--runner=FlinkRunner"]}, "kubeflow": {"image": "tfrec:1"}}, set()),
    ],
)
def test_only_what_depends_on_a_setting_changes_with_it(world, sections, depending):
    assert changed(world.config(), world.config(**sections)) == depending


def test_another_encoder_setting_leaves_ingestion_alone(world):
    config = world.config()
    features = tuple(
        dataclasses.replace(feature, encoder={**feature.encoder, "size": 24}) if feature.name == "picture" else feature
        for feature in config.schema.items.features
    )
    schema = dataclasses.replace(config.schema, items=dataclasses.replace(config.schema.items, features=features))
    other = dataclasses.replace(config, schema=schema)
    assert changed(config, other) == {"encoders", "training", "tuning", "evaluation"}


def test_another_column_changes_the_ingestion_of_the_catalogue(world):
    document = json.loads(json.dumps(world.document()))
    document["schema"]["items"]["title"] = "description"
    from tfrec.config import parse_config

    other = parse_config(document, world.config().source)
    assert "catalogue" in changed(world.config(), other)
