"""What earlier runs on this machine left that no longer holds, because another model is served now.

TFX reuses what a component gave for the same inputs. The folder that servers watch is no input: it changes with every
push. So what went by it is dropped here where it would come out otherwise, and its component runs again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.types.standard_artifacts import ModelBlessing, PushedModel

from tfrec.errors import ServableError
from tfrec.export.manifest import servable_identity
from tfrec.pipelines.evaluator import COMPARED_WITH, JUDGED, WITHDRAWN
from tfrec.pipelines.pusher import DESTINATION
from tfrec.steps.push import latest_folder, version_folder, versions
from tfrec.steps.rollback import withdrawn_models


def forget_stale_pushes(connection: metadata_store_pb2.ConnectionConfig, push_directory: str) -> None:
    """Make the Pusher run again where what it pushed is not what is served, by dropping its artifact.

    That is so where the version was deleted, and where this pipeline pushed another one later. A later version from
    elsewhere, such as one with items added, stays the one that is served.
    """
    served = [version_folder(push_directory, version) for version in versions(push_directory)]
    pushes = {
        artifact.uri: artifact.custom_properties[DESTINATION].string_value
        for artifact in _artifacts(connection, PushedModel.TYPE_NAME)
    }
    latest = served[-1] if served and served[-1] in pushes.values() else ""
    for uri, destination in pushes.items():
        if destination and (destination not in served or (latest and destination != latest)):
            _drop(uri)


def forget_stale_judgements(connection: metadata_store_pb2.ConnectionConfig, push_directory: str) -> None:
    """Make the evaluator run again where a model was compared with another one than is served now.

    That is so where another model of this pipeline is served since, or the model was withdrawn by a rollback or came
    back by one.
    """
    blessings = {
        artifact.uri: artifact.custom_properties for artifact in _artifacts(connection, ModelBlessing.TYPE_NAME)
    }
    judged = {properties[JUDGED].string_value for properties in blessings.values()}
    served, withdrawn = _served_identity(push_directory), withdrawn_models(push_directory)
    for uri, properties in blessings.items():
        model, other = properties[JUDGED].string_value, properties[COMPARED_WITH].string_value
        superseded = bool(served) and served in judged and served not in (model, other)
        if superseded or (model in withdrawn) != bool(properties[WITHDRAWN].int_value):
            _drop(uri)


def _artifacts(connection: metadata_store_pb2.ConnectionConfig, kind: str) -> Sequence[metadata_store_pb2.Artifact]:
    with metadata.Metadata(connection) as handle:
        if not any(known.name == kind for known in handle.store.get_artifact_types()):
            return []
        return handle.store.get_artifacts_by_type(kind)


def _served_identity(push_directory: str) -> str:
    """That of the latest version, "" where there is none or it is no model of this package."""
    latest = latest_folder(push_directory)
    try:
        return servable_identity(latest) if latest else ""
    except ServableError:
        return ""


def _drop(uri: str) -> None:
    if fileio.exists(uri):
        fileio.rmtree(uri)
