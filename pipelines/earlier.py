"""The events that the last run on this machine ingested, to add newer ones to."""

from __future__ import annotations

import json
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.io import fileio
from tfx.orchestration import metadata

from tfrec.config import Config
from tfrec.errors import ConfigError, TfrecError
from tfrec.pipelines.sections import events_section

_DONE = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)


def earlier_examples(connection: metadata_store_pb2.ConnectionConfig, config: Config, fingerprint: str) -> str:
    """The folder of the examples to add newer events to.

    Those of the last run that ingested events, though it may have failed later. Where it read the very same files,
    those that it added to itself: then all is reused.

    Args:
        fingerprint: of the events and users files as they are now.

    Raises:
        ConfigError: if events have no time, or the schema is another than that of the last run.
        TfrecError: if there was no run whose events are still there.
    """
    if not config.schema.events.time:
        raise ConfigError(f"{config.source}: --since last needs schema.events.time to tell which events are newer")
    last = _last_ingestion(connection)
    if last is None:
        raise TfrecError(
            "--since last adds to the events of an earlier run, and there was none whose events are still in "
            f"{config.data.output}; run once without it"
        )
    settings, examples = last
    if json.loads(settings["section"])["schema"] != json.loads(events_section(config))["schema"]:
        raise ConfigError(
            f"{config.source}: the schema has changed since the last run, whose events were read by the old one; run "
            "once without --since"
        )
    same = settings["fingerprint"] == fingerprint and settings["events_path"] == config.data.events
    return settings["earlier"] if same else examples


def _last_ingestion(connection: metadata_store_pb2.ConnectionConfig) -> tuple[dict[str, str], str] | None:
    """Execution parameters of the last ingestion of events whose examples are still there, and their folder."""
    with metadata.Metadata(connection) as handle:
        store = handle.store
        kinds = [kind.name for kind in store.get_execution_types() if kind.name.rpartition(".")[2] == "EventIngest"]
        executions = [
            execution
            for kind in kinds
            for execution in store.get_executions_by_type(kind)
            if execution.last_known_state in _DONE
        ]
        for execution in sorted(executions, key=lambda execution: -execution.id):
            examples = _examples(store, execution.id)
            if examples and fileio.exists(examples):
                values = {**execution.properties, **execution.custom_properties}
                return {name: value.string_value for name, value in values.items()}, examples
    return None


def _examples(store: Any, execution_id: int) -> str:
    for event in store.get_events_by_execution_ids([execution_id]):
        if event.type == metadata_store_pb2.Event.OUTPUT and event.path.steps[0].key == "examples":
            [artifact] = store.get_artifacts_by_id([event.artifact_id])
            return artifact.uri
    return ""
