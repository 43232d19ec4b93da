"""What regression reads of an item: attributes and encoded content as groups of numbers, centred and of one size."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfrec.encoders.base import Encoder
from tfrec.schema import Feature, Schema
from tfrec.towers.imputation import Imputation

PRESENCE = "presence"
BUMPS = 16  # Places on the line of a number.
MOST_CODES = 1024  # Of a vocabulary with more values the rarer ones are taken together.


class ContentFeatures(tf.keras.layers.Layer):
    """Turns the inputs of an item tower into one vector per group: each attribute, each content feature, and presence.

    Categories become indicators. A number becomes bumps around quantiles of its values, so that neighbouring years are
    alike and no line is forced through them. Whether content is there is a group too, since what nobody described was
    often not worth it. Every group is centred and divided by its mean length; what is absent is put where what is there
    lets it be expected.

    Args:
        schema: its item features are the inputs.
        encoders: the encoder of each content feature.
        sizes: how many codes each categorical attribute has.
    """

    def __init__(self, schema: Schema, encoders: Mapping[str, Encoder], sizes: Mapping[str, int], **kwargs):
        super().__init__(dtype="float32", trainable=False, **kwargs)
        self.attributes: tuple[Feature, ...] = schema.attributes()
        self.content: tuple[Feature, ...] = schema.content()
        self.widths: dict[str, int] = {}
        for feature in self.attributes:
            self.widths[feature.name] = BUMPS if feature.modality == "number" else min(sizes[feature.name], MOST_CODES)
        for feature in self.content:
            self.widths[feature.name] = encoders[feature.name].dimension
        if self.content:
            self.widths[PRESENCE] = len(self.content)
        # Of a single group there is nothing to tell what is absent by.
        described = {name: width for name, width in self.widths.items() if name != PRESENCE}
        self.imputed = tuple(described) if len(described) > 1 else ()
        if self.imputed:
            self.imputation = Imputation(described, name="imputation")

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, in order."""
        return tuple(self.widths)

    def build(self, input_shape):
        self.places = {
            feature.name: self.add_weight(f"places_{feature.name}", [BUMPS], initializer="zeros", trainable=False)
            for feature in self.attributes
            if feature.modality == "number"
        }
        self.spreads = {
            name: self.add_weight(f"spreads_{name}", [BUMPS], initializer="ones", trainable=False)
            for name in self.places
        }
        self.centres = {
            name: self.add_weight(f"centre_{name}", [width], initializer="zeros", trainable=False)
            for name, width in self.widths.items()
        }
        self.lengths = {
            name: self.add_weight(f"length_{name}", [], initializer="ones", trainable=False) for name in self.widths
        }

    def call(self, items: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The groups float32 [B, width of the group] by name; `items` as `ItemTower.call` takes them, encoded."""
        found = self.centred(items)
        filled = self.imputation({name: found[name] for name in self.imputed}) if self.imputed else {}
        return {name: filled.get(name, values) for name, (values, _) in found.items()}

    def centred(self, items: Mapping[str, tf.Tensor]) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """The groups with zeros for what is absent, and whether each is there, bool [B, 1]."""
        return {
            name: (tf.where(there, (raw - self.centres[name]) / self.lengths[name], 0.0), there)
            for name, (raw, there) in self.raw(items).items()
        }

    def raw(self, items: Mapping[str, tf.Tensor]) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """The groups before they are centred, and whether each is there, bool [B, 1]."""
        found = {}
        for feature in self.attributes:
            value = items[feature.name]
            if feature.modality == "number":
                distance = (value[:, :1] - self.places[feature.name]) / self.spreads[feature.name]
                found[feature.name] = (tf.exp(-0.5 * distance**2), value[:, 1:] > 0)
                continue
            codes = value if feature.modality == "categories" else value[:, tf.newaxis]
            depth = self.widths[feature.name]
            marks = tf.one_hot(tf.where(codes < depth, codes, 1), depth) * tf.cast(codes > 0, tf.float32)[..., None]
            found[feature.name] = (tf.reduce_max(marks, axis=1), tf.reduce_any(codes > 0, axis=1, keepdims=True))
        for feature in self.content:
            there = items[f"{feature.name}.present"][:, tf.newaxis]
            found[feature.name] = (tf.cast(items[feature.name], tf.float32), there)
        if self.content:
            flags = [tf.cast(items[f"{feature.name}.present"], tf.float32) for feature in self.content]
            presence = tf.stack(flags, axis=1)
            found[PRESENCE] = (presence, tf.ones_like(presence[:, :1], tf.bool))
        return found
