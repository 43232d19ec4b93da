"""Drift of the data since the last blessed model, and skew between training and test events, measured by TFDV.

The statistics of the last blessed run lie in a folder that outlives the runs, not in an artifact that a resolver would
have to find: open-source Kubeflow Pipelines has no resolver nodes.
"""

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import ExampleStatistics

from tfrec.evaluation.drift import Distance, Drift
from tfrec.export.atomic import written_folder
from tfrec.pipelines.artifacts import DriftReport
from tfrec.pipelines.chance import by_chance, jensen_shannon, l_infinity
from tfrec.pipelines.preprocessing import analysed_features
from tfrec.pipelines.tables import ITEMS, TRAIN_USERS
from tfrec.schema import Schema
from tfrec.steps.push import latest_folder, next_version, remove_old_versions

Statistics = Mapping[str, statistics_pb2.DatasetFeatureStatisticsList]

DRIFT_FILE = "drift.json"
_TABLES = {"train": "events", TRAIN_USERS: "users", ITEMS: "items"}
_SKEWED = "test"
_MEASURES = {"L_INFTY": "L-infinity", "JENSEN_SHANNON_DIVERGENCE": "Jensen-Shannon"}
_CHANCE = {"L-infinity": l_infinity, "Jensen-Shannon": jensen_shannon}
_MOST = re.compile(r"maximum difference is: (.*?)(?: The (?:Linfty|approximate) |$)", re.DOTALL)
_KEPT = 2  # Statistics of so many blessed runs are left: one may be read while the next is written.


@component
def DriftDetector(
    statistics: InputArtifact[ExampleStatistics],
    drift: OutputArtifact[DriftReport],
    features: Parameter[str],
    threshold: Parameter[float],
    blessed: Parameter[str],
    code: Parameter[str],
):
    """Measure how far the data lie from those of the last blessed model.

    Args:
        statistics: of the examples.
        drift: drift.json, see `tfrec.evaluation.drift.Drift`.
        features: `compared_features` as JSON.
        threshold: how far beyond chance a distance is not remarked on.
        blessed: the folder that `keep_statistics` writes to.
        code: hash of the source, for the cache only.
    """
    now = read_statistics(statistics, [*_TABLES, _SKEWED])
    found = measured_drift(now, kept_statistics(blessed), json.loads(features), threshold)
    with fileio.open(os.path.join(drift.uri, DRIFT_FILE), "w") as file:
        file.write(json.dumps(found.to_json(), indent=1, ensure_ascii=False))


def compared_features(schema: Schema) -> dict[str, str]:
    """The keys in the examples that are compared, each with its measure, as fields of a comparator of TFDV.

    Ids of users, titles and texts differ as a matter of course. Of many values, as items are, no share is large, so
    that their divergence is looked at and not the largest difference.
    """
    features = {"item_id": "jensen_shannon_divergence", "type": "infinity_norm"}
    features |= {"weight": "jensen_shannon_divergence", "value": "jensen_shannon_divergence"}
    for key, feature in analysed_features(schema):
        numeric = feature.modality in ("number", "id")
        features[key] = "jensen_shannon_divergence" if numeric else "infinity_norm"
    return features


def measured_drift(now: Statistics, before: Statistics, features: Mapping[str, str], threshold: float) -> Drift:
    """All distances.

    Args:
        now: statistics of this run by split.
        before: those of the last blessed one; empty where there is none.
        features: `compared_features`.
    """
    distances: list[Distance] = []
    for split, table in _TABLES.items():
        if not _rows(now, split):
            continue
        comparable = _schema(now[split], _of_table(features, table), threshold)
        test = now[_SKEWED] if split == "train" and _rows(now, _SKEWED) else None
        found = tfdv.validate_statistics(
            now[split],
            comparable,
            previous_statistics=before[split] if _rows(before, split) else None,
            serving_statistics=test,
        )
        others = {"drift": before.get(split), "skew": test}
        distances += [
            _with_chance(distance, now[split], others[distance.kind]) for distance in _distances(found, table)
        ]
    return Drift(threshold, bool(before), tuple(distances))


def keep_statistics(folder: str, statistics: Statistics) -> None:
    """Write the statistics of a blessed run, whole or not at all, as what the next run is compared with."""
    with written_folder(os.path.join(folder, str(next_version(folder)))) as new:
        for split, content in statistics.items():
            with fileio.open(os.path.join(new, f"{split}.pb"), "wb") as file:
                file.write(content.SerializeToString(deterministic=True))
    remove_old_versions(folder, _KEPT)


def kept_statistics(folder: str) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """What was kept last, by split; empty where nothing was."""
    latest = latest_folder(folder)
    found = {}
    for split in _TABLES if latest else ():
        with fileio.open(os.path.join(latest, f"{split}.pb"), "rb") as file:
            found[split] = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read())
    return found


def read_statistics(artifact, splits: Sequence[str] = tuple(_TABLES)) -> dict:
    """The statistics of the splits in an artifact of StatisticsGen."""
    return {split: stats_artifact_utils.load_statistics(artifact, split).proto() for split in splits}


def _of_table(features: Mapping[str, str], table: str) -> Mapping[str, str]:
    """The part of `features` that is about a table; keys without a prefix are those of events."""

    def owner(key: str) -> str:
        return key.partition(".")[0] if "." in key else "events"

    return {key: measure for key, measure in features.items() if owner(key) == table}


def _rows(statistics: Statistics, split: str) -> bool:
    found = statistics.get(split)
    return found is not None and bool(found.datasets) and bool(found.datasets[0].num_examples)


def _schema(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, features: Mapping[str, str], threshold: float
) -> schema_pb2.Schema:
    """A schema that asks nothing of the features but that they be compared."""
    inferred = tfdv.infer_schema(statistics, infer_feature_shape=False)
    schema = schema_pb2.Schema()
    for feature in inferred.feature:
        if feature.name not in features:
            continue
        bare = schema.feature.add(name=feature.name, type=feature.type)
        for comparator in (bare.drift_comparator, bare.skew_comparator):
            getattr(comparator, features[feature.name]).threshold = threshold
    return schema


def _distances(found: anomalies_pb2.Anomalies, table: str) -> list[Distance]:
    told = {name.strip("'"): information for name, information in found.anomaly_info.items()}
    distances = []
    for feature in found.drift_skew_info:
        name = ".".join(feature.path.step)
        for kind, measurements in (("drift", feature.drift_measurements), ("skew", feature.skew_measurements)):
            for measurement in measurements:
                measure = type(measurement).Type.Name(measurement.type)
                most = _most_different(told.get(name), kind)
                distances.append(
                    Distance(kind, table, name.partition(".")[2] or name, _MEASURES[measure], measurement.value, most)
                )
    return distances


def _with_chance(distance: Distance, now, other) -> Distance:
    """The distance with how much of it is chance, from the statistics of both sides."""
    names = distance.feature, f"{distance.table}.{distance.feature}"
    one, two = (
        next(feature for feature in side.datasets[0].features if ".".join(feature.path.step) in names)
        for side in (now, other)
    )
    return dataclasses.replace(distance, chance=by_chance(one, two, _CHANCE[distance.measure]))


def _most_different(information, kind: str) -> str:
    """The value that TFDV names in its description of an anomaly; it is nowhere else."""
    ends = {"drift": "current and previous", "skew": "training and serving"}
    for reason in information.reason if information else ():
        named = _MOST.search(reason.description)
        if named and ends[kind] in reason.description:
            return named.group(1)
    return ""
