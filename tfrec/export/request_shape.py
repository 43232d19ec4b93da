"""What a request to a servable may hold: the fixed widths of its inputs, and which of them there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfrec.config import Serving
from tfrec.request_inputs import ALLOW, DIVERSITY, EXCLUDE, HISTORY, USER_ID


@dataclasses.dataclass(frozen=True)
class RequestShape:
    """The widths H of histories and E of exclusions, A of allow-lists (0 for none), and the rest of `config.Serving`.

    Attributes:
        filter_values: how many values of a category a request may filter by.
        diversity: whether a request may ask for diversity.
        reasons: R, of how many items a request may ask for reasons; 0 for none.
    """

    history: int
    exclude: int
    allow: int = 0
    filter_values: int = 8
    diversity: bool = False
    reasons: int = 0

    def inputs(self) -> dict[str, tf.TensorSpec]:
        """The inputs of every request for items, beside filters and features."""
        inputs = {
            USER_ID: tf.TensorSpec([None], tf.string, name=USER_ID),
            HISTORY: tf.TensorSpec([None, self.history], tf.string, name=HISTORY),
            EXCLUDE: tf.TensorSpec([None, self.exclude], tf.string, name=EXCLUDE),
        }
        if self.allow:
            inputs[ALLOW] = tf.TensorSpec([None, self.allow], tf.string, name=ALLOW)
        if self.diversity:
            inputs[DIVERSITY] = tf.TensorSpec([None], tf.float32, name=DIVERSITY)
        return inputs


def shape_of(serving: Serving | Mapping[str, Any]) -> RequestShape:
    """The shape that a configuration asks for, or that the `serving` part of a manifest records."""
    recorded = serving if isinstance(serving, Mapping) else dataclasses.asdict(serving)
    names = {field.name for field in dataclasses.fields(RequestShape)}
    return RequestShape(**{name: value for name, value in recorded.items() if name in names})
