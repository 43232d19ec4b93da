"""The modalities of items: every text, image and audio feature is one, and all attributes together are one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfrec.errors import ConfigError
from tfrec.schema import Schema

ATTRIBUTES = "attributes"


def modalities(schema: Schema) -> tuple[str, ...]:
    """Their names in the order the item tower fuses them."""
    content = tuple(feature.name for feature in schema.content())
    return (ATTRIBUTES, *content) if schema.attributes() else content


def features_of(schema: Schema) -> dict[str, tuple[str, ...]]:
    """The names of the item features of each modality."""
    attributes = tuple(feature.name for feature in schema.attributes())
    return {name: attributes if name == ATTRIBUTES else (name,) for name in modalities(schema)}


def without(schema: Schema, names: Sequence[str], where: str, filters: Sequence[str] = ()) -> Schema:
    """The schema with modalities, or single item features, left out of the model.

    Args:
        names: modalities or item features; `attributes` stands for all attributes.
        where: the setting that names them, for the error.
        filters: attributes that requests filter by, which are read from the catalogue all the same.

    Raises:
        ConfigError: if there is no such item feature.
    """
    known = {*modalities(schema), *(feature.name for feature in schema.items.features)}
    unknown = [name for name in names if name not in known]
    if unknown:
        there = f"there are {', '.join(sorted(known))}" if known else "items have none"
        raise ConfigError(f"{where} names {unknown[0]!r}, which is no modality or feature of items; {there}")
    dropped = set(names)
    if ATTRIBUTES in dropped:
        dropped.update(feature.name for feature in schema.attributes())
    features = tuple(feature for feature in schema.items.features if feature.name not in dropped)
    filtered = tuple(feature for feature in schema.attributes() if feature.name in dropped & set(filters))
    items = dataclasses.replace(schema.items, features=features, filtered=schema.items.filtered + filtered)
    return dataclasses.replace(schema, items=items)
