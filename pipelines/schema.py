"""Infers the schema of the examples from the tables that training sees."""

import os
from collections.abc import Iterable

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import ExampleStatistics, Schema
from tfx.utils import io_utils

from tfrec.pipelines.tables import ANALYSED

_OPEN = ("user_id", "item_id", "title")
"""Keys of which new values are nothing unusual, however few values there are now."""


@component
def SchemaGen(statistics: InputArtifact[ExampleStatistics], schema: OutputArtifact[Schema], code: Parameter[str]):
    """Infer one schema; TFX's own would take the columns of one table for dropped when it comes to the next.

    Args:
        statistics: of the examples.
        schema: in the layout of TFX's SchemaGen.
        code: hash of the source, for the cache only.
    """
    tables = (stats_artifact_utils.load_statistics(statistics, split).proto() for split in ANALYSED)
    io_utils.write_pbtxt_file(os.path.join(schema.uri, "schema.pbtxt"), schema_of_tables(tables))


def schema_of_tables(tables: Iterable[statistics_pb2.DatasetFeatureStatisticsList]) -> schema_pb2.Schema:
    """The features of all tables; one that several have is described by the first of them."""
    schema = schema_pb2.Schema()
    known: set[str] = set()
    for statistics in tables:
        table = tfdv.infer_schema(statistics, infer_feature_shape=False)
        new = [feature for feature in table.feature if feature.name not in known]
        for feature in new:
            if feature.name in _OPEN and feature.WhichOneof("domain_info"):
                feature.ClearField(feature.WhichOneof("domain_info"))
        domains = {feature.domain for feature in new}
        schema.feature.extend(new)
        schema.string_domain.extend(domain for domain in table.string_domain if domain.name in domains)
        known |= {feature.name for feature in new}
    return schema
