"""The part of a configuration that a component depends on, as JSON for its execution parameters, and back.

A component gets only what can change its result, so that, say, another number of epochs re-uses the ingestion.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from tfrec.config import Config, Data, Evaluation, Gates, Model, Serving, Split, Training
from tfrec.orchestration import Kubeflow, PipelineSettings
from tfrec.schema import Events, Feature, Items, Schema, Users
from tfrec.search_space import Hyperparameter, Tuning

_NO_USERS = Users(id="", features=())
_NO_EVENTS = Events(user="", item="", time="", type="", value="", weights={}, minimum_value=None, context=())


def catalogue_section(config: Config) -> str:
    """What decides the catalogue beside its files: the schema of the items."""
    schema = Schema(_without_encoders(config.schema.items), _NO_USERS, _NO_EVENTS)
    return _to_json(_bare(config, schema=schema))


def events_section(config: Config) -> str:
    """What decides events, users and the split beside their files, once the catalogue is there."""
    schema = dataclasses.replace(config.schema, items=_without_encoders(config.schema.items))
    return _to_json(_bare(config, schema=schema, split=config.split))


def encoders_section(config: Config) -> str:
    """What decides the vectors of frozen encoders."""
    schema = Schema(config.schema.items, _NO_USERS, _NO_EVENTS)
    return _to_json(_bare(config, schema=schema, model=Model(use_search=config.model.use_search)))


def training_section(config: Config) -> str:
    """What decides the model and its servable."""
    serving = dataclasses.replace(config.serving.anywhere(), name=config.model_name)
    return _to_json(
        _bare(
            config,
            name=config.name,
            schema=config.schema,
            # How events were divided decides which alarms of leakage there can be.
            split=Split(by=config.split.by),
            model=config.model,
            training=config.training,
            serving=serving,
        )
    )


def tuning_section(config: Config) -> str:
    """What decides which settings are found best."""
    return _to_json(dataclasses.replace(config_of(training_section(config)), tuning=config.tuning))


def evaluation_section(config: Config) -> str:
    """What decides the judgement of a servable."""
    document = dataclasses.replace(
        config,
        data=Data("", "", output=""),
        serving=config.serving.anywhere(),
        pipeline=PipelineSettings(),
        kubeflow=Kubeflow(),
        tuning=Tuning(),
        source="",
    )
    return _to_json(document)


def config_of(section: str, **paths: str) -> Config:
    """The configuration of a section with `paths` of `data`; what the section leaves out has its default."""
    document = json.loads(section)
    schema = document["schema"]
    items, users, events = schema["items"], schema["users"], schema["events"]
    return Config(
        name=document["name"],
        data=Data(**{**document["data"], **paths}),
        schema=Schema(
            Items(items["id"], items["title"], _features(items["features"]), _features(items["filtered"])),
            Users(users["id"], _features(users["features"])),
            Events(**{**events, "context": _features(events["context"])}),
        ),
        split=Split(**document["split"]),
        model=Model(**_tuples(document["model"])),
        training=Training(**_tuples(document["training"])),
        evaluation=Evaluation(**_tuples(document["evaluation"])),
        gates=Gates(**_tuples(document["gates"])),
        serving=Serving(**document["serving"]),
        tuning=_tuning(document["tuning"]),
        source=document["source"],
    )


def _bare(config: Config, **sections: Any) -> Config:
    """A configuration of defaults but for `sections`."""
    empty = Config(
        name="",
        data=Data("", "", output=""),
        schema=config.schema,
        split=Split(),
        model=Model(),
        training=Training(),
        evaluation=Evaluation(),
        gates=Gates(),
        serving=Serving(),
        source="",
    )
    return dataclasses.replace(empty, **sections)


def _without_encoders(items: Items) -> Items:
    return dataclasses.replace(
        items, features=tuple(dataclasses.replace(feature, encoder={}) for feature in items.features)
    )


def _to_json(config: Config) -> str:
    return json.dumps(dataclasses.asdict(config))


def _features(documents: list[dict[str, Any]]) -> tuple[Feature, ...]:
    return tuple(Feature(**_tuples(document)) for document in documents)


def _tuning(document: dict[str, Any]) -> Tuning:
    return Tuning(**{**document, "space": tuple(Hyperparameter(**_tuples(searched)) for searched in document["space"])})


def _tuples(document: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}
