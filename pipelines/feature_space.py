"""Transform's output -> the feature space that `tfrec train` fits in process."""

from __future__ import annotations

import math

import tensorflow as tf
import tensorflow_transform as tft

from tfrec.data.vocabulary import FeatureSpace, used_deviation, used_width
from tfrec.pipelines.preprocessing import MOMENTS, analysed_features, result_name, vocabulary_name
from tfrec.schema import Schema


def feature_space_of(transform_graph: str, schema: Schema) -> FeatureSpace:
    """Read vocabularies, widths and moments from the Transform artifact at `transform_graph`.

    An attribute that no row had is not in Transform's output: its vocabulary is empty, its scaling (0, 1).
    """
    output = tft.TFTransformOutput(transform_graph)
    numbers = _numbers(output)
    vocabularies, scaling, widths = {}, {}, {}
    for key, feature in analysed_features(schema):
        if feature.modality == "number":
            mean, variance, largest = (numbers.get(result_name(key, what), math.nan) for what in MOMENTS)
            scaling[key] = (mean, used_deviation(math.sqrt(variance), largest)) if mean == mean else (0.0, 1.0)
            continue
        if feature.modality == "categories":
            widths[key] = used_width(int(numbers.get(result_name(key, "width"), 1)))
        vocabularies[key] = _vocabulary(output, key)
    return FeatureSpace(vocabularies, scaling, widths)


def _vocabulary(output: tft.TFTransformOutput, key: str) -> list[str]:
    """The most frequent value first, of equally frequent ones the first by name."""
    path = output.vocabulary_file_by_name(vocabulary_name(key))
    if not path:
        return []
    records = tf.data.TFRecordDataset(path, compression_type="GZIP").as_numpy_iterator()
    entries = [record.split(b" ", 1) for record in records]
    return [value.decode() for count, value in sorted(entries, key=lambda entry: (-int(entry[0]), entry[1]))]


def _numbers(output: tft.TFTransformOutput) -> dict[str, float]:
    """Transform's numbers by name; they are the same for every row, so an example without a feature gives them."""
    spec = output.raw_feature_spec()
    empty = tf.train.Example().SerializeToString()
    row = tf.io.parse_example(tf.constant([empty]), spec)
    results = output.transform_features_layer()(row)
    return {name: float(result[0]) for name, result in results.items()}
