"""What TFX Transform analyses: vocabularies of categories, widths of multi-valued ones, moments of numbers.

Each split is one table, so a feature is missing from the rows of other tables; missing values count for nothing.
TFX reloads this module on every run, so it defines nothing that others hold on to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from tfrec.schema import Feature, Schema

MOMENTS = ("mean", "variance", "largest")


def analysed_features(schema: Schema) -> Iterator[tuple[str, Feature]]:
    """Every attribute with its key in the examples, which is its key in `FeatureSpace`."""
    tables = {"items": schema.attributes(), "users": schema.users.features, "events": schema.events.context}
    for table, features in tables.items():
        for feature in features:
            yield f"{table}.{feature.name}", feature


def preprocessing_config(schema: Schema, code: str) -> dict[str, Any]:
    """The `custom_config` of Transform: keys by what is computed of them, and the hash of the source for the cache."""
    features = list(analysed_features(schema))
    return {
        "numbers": [key for key, feature in features if feature.modality == "number"],
        "vocabularies": [key for key, feature in features if feature.modality != "number"],
        "widths": [key for key, feature in features if feature.modality == "categories"],
        "code": code,
    }


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Build the analysers; see `vocabulary_name` and `result_name` for where their results are found.

    Args:
        inputs: the features of a batch by key, sparse [B, ?] or dense [B, 1]; a key that no row has is not there.
        custom_config: of `preprocessing_config`.

    Returns:
        The results that are numbers, each repeated for all rows; as text [B], for Transform has no float64 outputs.
    """
    rows = _rows(inputs)
    results: dict[str, tf.Tensor] = {}
    for key in custom_config["vocabularies"]:
        if key in inputs:
            tft.vocabulary(
                _values(inputs[key]),
                vocab_filename=vocabulary_name(key),
                store_frequency=True,
                file_format="tfrecord_gzip",  # a text file would drop values with line breaks
            )
    for key in custom_config["widths"]:
        if key in inputs:
            results[result_name(key, "width")] = tft.max(_lengths(inputs[key], rows))
    for key in custom_config["numbers"]:
        if key in inputs:
            values = tf.cast(_values(inputs[key]), tf.float64)
            results[result_name(key, "mean")] = tft.mean(values)
            results[result_name(key, "variance")] = tft.var(values)
            results[result_name(key, "largest")] = tft.max(tf.abs(values))
    results["none"] = tf.constant(0)  # Transform wants an output even where there is no number
    return {name: tf.fill([rows], _exact_text(result)) for name, result in results.items()}


def vocabulary_name(key: str) -> str:
    """The name of a key's vocabulary in Transform's output; hexadecimal, because keys may hold any character."""
    return f"vocabulary_{key.encode().hex()}"


def result_name(key: str, what: str) -> str:
    """The name of a number in Transform's output: `width` or one of `MOMENTS`."""
    return f"{what}_{key.encode().hex()}"


def _exact_text(number: tf.Tensor) -> tf.Tensor:
    return tf.strings.as_string(tf.cast(number, tf.float64), precision=17, scientific=True)


def _values(feature: Any) -> tf.Tensor:
    return feature.values if isinstance(feature, tf.SparseTensor) else tf.reshape(feature, [-1])


def _rows(inputs: Mapping[str, Any]) -> tf.Tensor:
    feature = next(iter(inputs.values()))
    return tf.shape(feature, tf.int64)[0] if not isinstance(feature, tf.SparseTensor) else feature.dense_shape[0]


def _lengths(feature: Any, rows: tf.Tensor) -> tf.Tensor:
    """How many values each row has, int64 [B]."""
    if not isinstance(feature, tf.SparseTensor):
        return tf.fill([rows], tf.shape(feature, tf.int64)[1])
    return tf.math.unsorted_segment_sum(tf.ones_like(feature.values, tf.int64), feature.indices[:, 0], rows)
