"""Checks every table against the schema inferred from what training sees, and says what is unusual."""

import os

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema
from tfx.utils import io_utils

from tfrec.data.split import PARTS
from tfrec.pipelines.tables import ITEMS, SPLITS, TRAIN_USERS, USERS

_FILE = "SchemaDiff.pb"
_TABLES = {**dict.fromkeys(PARTS, "events."), USERS: "users.", TRAIN_USERS: "users.", ITEMS: "items."}
_KEYS = {
    "events.": {"user_id", "item_id", "time", "type", "weight", "value"},
    "users.": {"user_id"},
    "items.": {"item_id", "title"},
}


@component
def ExampleValidator(
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    anomalies: OutputArtifact[ExampleAnomalies],
    code: Parameter[str],
):
    """Find the anomalies of each split; TFX's own validator would miss the columns of items in a table of users.

    Args:
        statistics, schema: of the examples.
        anomalies: in the layout of TFX's ExampleValidator.
        code: hash of the source, for the cache only.
    """
    whole = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    splits = artifact_utils.decode_split_names(statistics.split_names)
    blessed = {}
    for split in splits:
        found = split_anomalies(stats_artifact_utils.load_statistics(statistics, split).proto(), whole, split)
        folder = os.path.join(anomalies.uri, f"Split-{split}")
        fileio.makedirs(folder)
        with fileio.open(os.path.join(folder, _FILE), "wb") as file:
            file.write(found.SerializeToString(deterministic=True))
        blessed[split] = "NOT_BLESSED" if found.anomaly_info else "BLESSED"
    anomalies.split_names = artifact_utils.encode_split_names(splits)
    anomalies.set_json_value_custom_property("blessed", blessed)


def split_anomalies(statistics, schema: schema_pb2.Schema, split: str) -> anomalies_pb2.Anomalies:
    """What is unusual in a split, compared with the part of the schema that is about its table.

    A split without an example has no anomalies: the report of the ingestion tells that it is empty.
    """
    if not statistics.datasets or not statistics.datasets[0].num_examples:
        return anomalies_pb2.Anomalies()
    table = _TABLES[split]
    part = schema_pb2.Schema()
    part.CopyFrom(schema)
    del part.feature[:]
    part.feature.extend(
        feature for feature in schema.feature if feature.name.startswith(table) or feature.name in _KEYS[table]
    )
    return tfdv.validate_statistics(statistics, part)


def anomaly_sentences(uri: str) -> list[str]:
    """The anomalies below the artifact at `uri`, one sentence each."""
    sentences = []
    for split in SPLITS:
        path = os.path.join(uri, f"Split-{split}", _FILE)
        if not fileio.exists(path):
            continue
        with fileio.open(path, "rb") as file:
            found = anomalies_pb2.Anomalies.FromString(file.read())
        for name, information in sorted(found.anomaly_info.items()):
            text = " ".join((information.description or information.short_description).split()).rstrip(".")
            sentences.append(f"{split}: {name.strip(chr(39))}: {text}.")
    return sentences
