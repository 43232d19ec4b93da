"""Splits with a name, those of the evaluation's protocols of the same name; `split.protocol` chooses one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfrec.errors import ConfigError

NAMED_SPLITS: Mapping[str, Mapping[str, Any]] = {
    "recommenders-team": {"by": "within-item", "test": 0.25, "held_out_items": 0.0, "seed": 42},
    "per-user": {"by": "within-user", "test": 0.2, "held_out_items": 0.0},
    "leave-last-out": {"by": "last-out", "test": 0.1, "held_out_items": 0.0},
    "global-time": {"by": "time", "test": 0.1, "held_out_items": 0.0},
    "new-users": {"by": "new-users", "test": 0.1, "held_out_items": 0.0},
    "new-users-drawn": {"by": "new-users", "test": 0.1, "held_out_items": 0.0},
    "held-out-items": {"by": "random", "test": 0.0, "held_out_items": 0.15},
}
"""Settings of `tfrec.config.Split` by name; what one does not say, such as `validation`, is free."""


def with_named_split(settings: Any, where: str) -> Any:
    """The settings of the section `split` with those of the protocol they name; `where` begins the messages.

    Raises:
        ConfigError: if no protocol has that name, or a setting that the protocol decides is given beside it.
    """
    name = settings.get("protocol") if isinstance(settings, Mapping) else None
    if not name:
        return settings
    if name not in NAMED_SPLITS:
        raise ConfigError(f"{where}.protocol is {name!r}; expected one of {', '.join(NAMED_SPLITS)}")
    for key, value in NAMED_SPLITS[name].items():
        if settings.get(key) not in (None, value):
            raise ConfigError(
                f"{where}.{key} is {settings[key]!r}, but protocol {name} makes it {value!r}; leave out one of the two"
            )
    return {**settings, **NAMED_SPLITS[name]}
