"""Reads the `schema` section of a configuration into `tfrec.schema.Schema`."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any

from tfrec.errors import ConfigError
from tfrec.schema import ATTRIBUTES, CONTENT, Events, Feature, Items, Schema, Users
from tfrec.settings import absolute

RESERVED = ("id", "item_id", "item_ids", "user_id", "history", "exclude", "query", "scores", "embedding", "attributes")
_INPUT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def parse_schema(document: Any, folder: str, where: str) -> Schema:
    """Return the schema described by nested mappings; relative encoder paths start from `folder`.

    Raises:
        ConfigError: if a key is missing or unknown, or two features share a name.
    """
    sections = _mapping(document, where, allowed=("items", "users", "events"), required=("items", "events"))
    items = _mapping(sections["items"], f"{where}.items", allowed=("id", "title", "features"), required=("id",))
    users = _mapping(
        sections.get("users") or {"id": ""}, f"{where}.users", allowed=("id", "features"), required=("id",)
    )
    events = _events(sections["events"], f"{where}.events")
    schema = Schema(
        items=Items(
            id=str(items["id"]),
            title=str(items.get("title") or ""),
            features=_features(items.get("features"), f"{where}.items.features", ATTRIBUTES + CONTENT, folder),
        ),
        users=Users(
            id=str(users["id"] or events.user),
            features=_features(users.get("features"), f"{where}.users.features", ATTRIBUTES, folder),
        ),
        events=events,
    )
    query_side = [feature.name for feature in schema.users.features + schema.events.context]
    for name in query_side:
        if query_side.count(name) > 1:
            raise ConfigError(
                f"{where}: the name {name!r} is given to a user feature and a context feature; rename one"
            )
    return schema


def _events(document: Any, where: str) -> Events:
    allowed = ("user", "item", "time", "type", "value", "weights", "minimum_value", "context")
    events = _mapping(document, where, allowed=allowed, required=("user", "item"))
    weights = _mapping(events.get("weights") or {}, f"{where}.weights", allowed=None, required=())
    for kind, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not weight >= 0:
            raise ConfigError(f"{where}.weights.{kind} must be a number of at least 0, got {weight!r}")
    if events.get("type") and not weights:
        raise ConfigError(f"{where}.weights is missing; give each type in column {events['type']!r} a weight")
    minimum = events.get("minimum_value")
    if minimum is not None and (isinstance(minimum, bool) or not isinstance(minimum, (int, float))):
        raise ConfigError(f"{where}.minimum_value must be a number, got {minimum!r}")
    if minimum is not None and not events.get("value"):
        raise ConfigError(f"{where}.value is missing; name the column that {where}.minimum_value is compared with")
    return Events(
        user=str(events["user"]),
        item=str(events["item"]),
        time=str(events.get("time") or ""),
        type=str(events.get("type") or ""),
        value=str(events.get("value") or ""),
        weights={str(kind): float(weight) for kind, weight in weights.items()},
        minimum_value=minimum,
        context=_features(events.get("context"), f"{where}.context", ATTRIBUTES, ""),
    )


def _features(document: Any, where: str, modalities: tuple[str, ...], folder: str) -> tuple[Feature, ...]:
    features = []
    for name, settings in _mapping(document or {}, where, allowed=None, required=()).items():
        here = f"{where}.{name}"
        if name in RESERVED:
            raise ConfigError(f"{here}: {name!r} is a name the signatures use themselves; choose another")
        if not _INPUT_NAME.fullmatch(str(name)) or keyword.iskeyword(name):
            raise ConfigError(
                f"{here}: {name!r} cannot name an input of the model; use letters, digits and underscores, a letter "
                "first and no word of Python's own, and name the column with `column`"
            )
        if isinstance(settings, str):
            settings = {"modality": settings}
        allowed = ("modality", "column", "columns", "separator", "encoder")
        settings = _mapping(settings, here, allowed=allowed, required=("modality",))
        if settings["modality"] not in modalities:
            raise ConfigError(f"{here}.modality is {settings['modality']!r}; expected one of {', '.join(modalities)}")
        columns = _columns(settings, str(name), here)
        encoder = dict(_mapping(settings.get("encoder") or {}, f"{here}.encoder", allowed=None, required=()))
        for key in ("path", "weights"):
            value = encoder.get(key)
            if isinstance(value, str) and value.startswith("."):
                encoder[key] = absolute(value, folder)
        features.append(
            Feature(
                name=str(name),
                modality=settings["modality"],
                columns=columns,
                separator=str(settings.get("separator", "|")),
                encoder=encoder,
            )
        )
    return tuple(features)


def _columns(settings: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    key = "columns" if settings.get("columns") else "column"
    columns = settings.get(key) or name
    columns = (columns,) if isinstance(columns, str) else columns
    if not isinstance(columns, (list, tuple)) or not all(isinstance(column, str) for column in columns):
        raise ConfigError(f"{where}.{key} must be the name of a column or a list of names, got {columns!r}")
    return tuple(columns)


def _mapping(
    document: Any, where: str, allowed: tuple[str, ...] | None, required: tuple[str, ...]
) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise ConfigError(f"{where} must be a mapping, got {document!r}")
    for key in document:
        if allowed is not None and key not in allowed:
            raise ConfigError(f"{where}: unknown key {key!r}; the keys are {', '.join(allowed)}")
    for key in required:
        if key not in document:
            raise ConfigError(f"{where}: the key {key!r} is missing")
    return document
