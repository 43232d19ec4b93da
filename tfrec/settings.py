"""Fills a dataclass of settings from a mapping, refusing unknown keys and wrong types in one clear sentence."""

from __future__ import annotations

import dataclasses
import difflib
import os
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tfrec.errors import ConfigError

Settings = TypeVar("Settings")


def absolute(path: str, folder: str) -> str:
    """A path of a configuration that lies in `folder`, which may be in an object store."""
    if "://" in path:
        return path
    scheme, separator, place = folder.rpartition("://")
    return scheme + separator + os.path.normpath(os.path.join(place, path))


def fill(kind: type[Settings], mapping: Any, where: str) -> Settings:
    """Return `kind(**mapping)` after checking keys and types; lists become tuples, ints are taken for floats.

    Raises:
        ConfigError: naming `where`, the key, what was expected and what came.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{where} must be a mapping of settings, got {mapping!r}")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            raise ConfigError(f"{where}: unknown key {key!r}{_suggestion(str(key), fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and mapping.get(name) is None:
            raise ConfigError(f"{where}: the key {name!r} is missing")
    values = {
        key: _converted(value, hints[key], f"{where}.{key}") for key, value in mapping.items() if value is not None
    }
    return kind(**values)


def _suggestion(key: str, fields: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, fields, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; the keys are {', '.join(fields)}"


def _converted(value: Any, hint: Any, where: str) -> Any:
    if typing.get_origin(hint) is tuple:
        if isinstance(value, (str, int, float)):
            value = [value]
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where} must be a list, got {value!r}")
        return tuple(_converted(element, typing.get_args(hint)[0], where) for element in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, bool, str) and type(value) is not hint:
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        raise ConfigError(f"{where} must be {names[hint]}, got {value!r}")
    return value
