"""What items, users and events have: the single source for parsing, towers and signatures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfrec.errors import ConfigError

ATTRIBUTES = ("id", "category", "categories", "number")
CONTENT = ("text", "image", "audio")
MODALITIES = ATTRIBUTES + CONTENT


@dataclasses.dataclass(frozen=True)
class Feature:
    """One property of an item, a user or an event.

    Attributes:
        name: the feature's name in the model and its signatures.
        modality: one of `MODALITIES`.
        columns: the columns of the input file it is read from; only text may have several, which are joined by ". ".
        separator: what separates the values of a `categories` cell.
        encoder: settings of the encoder that turns text, image or audio into a vector; see `tfrec.encoders`.
    """

    name: str
    modality: str
    columns: tuple[str, ...]
    separator: str = "|"
    encoder: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise ConfigError(
                f"feature {self.name!r} has modality {self.modality!r}; expected one of {', '.join(MODALITIES)}"
            )
        if not self.columns:
            raise ConfigError(f"feature {self.name!r} names no column; give it `column` or `columns`")
        if len(self.columns) > 1 and self.modality != "text":
            raise ConfigError(f"feature {self.name!r} names {len(self.columns)} columns; only text may join several")
        if self.encoder and self.modality not in CONTENT:
            raise ConfigError(f"feature {self.name!r} has an encoder, but only text, image and audio take one")


@dataclasses.dataclass(frozen=True)
class Items:
    """The catalogue.

    Attributes:
        id, title: columns of the item id and of what is shown to people ("" for none).
        features: what the model reads.
        filtered: attributes that requests filter by and the model does not read.
    """

    id: str
    title: str
    features: tuple[Feature, ...]
    filtered: tuple[Feature, ...] = ()


@dataclasses.dataclass(frozen=True)
class Users:
    """The users: attributes only (category, categories, number, id)."""

    id: str
    features: tuple[Feature, ...]


@dataclasses.dataclass(frozen=True)
class Events:
    """Who did what with which item, when.

    Attributes:
        user, item: columns of the ids.
        time: column of the time (seconds or milliseconds since 1970, or ISO 8601), or "" when there is none.
        type: column of the event type, or "" when all events are of one type.
        value: column of a number such as a rating, or "".
        weights: weight of each known event type; an event of another type is quarantined.
        minimum_value: events with a smaller value are no positive signal and are left out (counted, not quarantined).
        context: features known at request time (device, hour, place): attributes only.
    """

    user: str
    item: str
    time: str
    type: str
    value: str
    weights: Mapping[str, float]
    minimum_value: float | None
    context: tuple[Feature, ...]


@dataclasses.dataclass(frozen=True)
class Schema:
    items: Items
    users: Users
    events: Events

    def content(self, modality: str | None = None) -> tuple[Feature, ...]:
        """The item features that need an encoder, or those of one modality among text, image and audio."""
        wanted = CONTENT if modality is None else (modality,)
        return tuple(feature for feature in self.items.features if feature.modality in wanted)

    def attributes(self) -> tuple[Feature, ...]:
        """The item features that need no encoder: ids, categories and numbers."""
        return tuple(feature for feature in self.items.features if feature.modality in ATTRIBUTES)
