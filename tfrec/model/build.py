"""Builds the model from a configuration and what was learned of the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tfrec.config import Config
from tfrec.data.vocabulary import FeatureSpace
from tfrec.encoders.base import Encoder
from tfrec.encoders.build import build_encoder
from tfrec.model.two_tower import TwoTower
from tfrec.schema import Feature


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """All that decides the model's structure, small and writable: vocabularies and which items have an id vector."""

    feature_space: FeatureSpace
    known_items: int


def build_encoders(config: Config) -> dict[str, Encoder]:
    """The encoder of every content feature of the schema, by feature name."""
    return {feature.name: build_encoder(feature) for feature in config.schema.content()}


def build_model(config: Config, blueprint: Blueprint, encoders: Mapping[str, Encoder]) -> TwoTower:
    """An untrained model for the configuration; call it inside the scope of a tf.distribute strategy to use one."""
    schema, space = config.schema, blueprint.feature_space
    return TwoTower(
        schema,
        config.model,
        config.training,
        encoders,
        item_sizes=_sizes("items", schema.attributes(), space),
        query_sizes={
            **_sizes("users", schema.users.features, space),
            **_sizes("events", schema.events.context, space),
        },
        known_items=blueprint.known_items,
    )


def _sizes(table: str, features: tuple[Feature, ...], space: FeatureSpace) -> dict[str, int]:
    return {
        feature.name: len(space.vocabularies[f"{table}.{feature.name}"]) + 2
        for feature in features
        if feature.modality != "number"
    }
