"""Runs the pipeline on this machine, component by component, and tells what each did."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Callable, Mapping, Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.types import Artifact, artifact_utils

from tfrec.errors import TfrecError


@dataclasses.dataclass(frozen=True)
class Execution:
    """What one component did.

    Attributes:
        name: its id.
        seconds: wall time.
        reused: whether the outputs are those of an earlier run.
        outputs: its output artifacts by key.
    """

    name: str
    seconds: float
    reused: bool
    outputs: Mapping[str, Artifact]


class ComponentFailed(Exception):
    """A component raised; `component` names it and `__cause__` is what it raised."""

    def __init__(self, component: str):
        super().__init__(component)
        self.component = component


class LocalRunner(LocalDagRunner):
    """TFX's LocalDagRunner, which tells `finished(execution, number, total)` after each component."""

    def __init__(self, finished: Callable[[Execution, int, int], None]):
        super().__init__()
        self._finished = finished
        self.executions: list[Execution] = []

    def run_with_ir(self, pipeline, run_options=None) -> None:
        """Launch the nodes in order.

        Raises:
            ComponentFailed: if one fails.
        """
        if run_options is not None:
            raise NotImplementedError("partial runs are left to TFX's own LocalDagRunner; the cache does the same here")
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        kind = deployment.metadata_connection_config.WhichOneof("connection_config")
        connection = getattr(deployment.metadata_connection_config, kind)
        for number, node in enumerate(pipeline.nodes, start=1):
            execution = _launched(pipeline, node.pipeline_node, deployment, connection)
            self.executions.append(execution)
            self._finished(execution, number, len(pipeline.nodes))


def run_locally(pipeline: Pipeline, finished: Callable[[Execution, int, int], None]) -> dict[str, Execution]:
    """Run the pipeline and return what each component did, by name.

    Raises:
        TfrecError: of the kind a component raised, with the component's name before the sentence.
    """
    runner = LocalRunner(finished)
    try:
        runner.run(pipeline)
    except ComponentFailed as failure:
        raise _for_the_user(failure) from failure
    return {execution.name: execution for execution in runner.executions}


def _launched(pipeline, node, deployment, connection) -> Execution:
    name = node.node_info.id
    start = time.monotonic()
    try:
        information = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=pipeline.pipeline_info,
            pipeline_runtime_spec=pipeline.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, name),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
        ).launch()
    except Exception as error:
        raise ComponentFailed(name) from error
    with metadata.Metadata(connection) as handle:
        [state] = handle.store.get_executions_by_id([information.execution_id])
        outputs = _outputs(handle, information.execution_id)
    reused = state.last_known_state == metadata_store_pb2.Execution.CACHED
    if not reused and state.last_known_state != metadata_store_pb2.Execution.COMPLETE:
        raise ComponentFailed(name) from RuntimeError("its inputs could not be resolved; the log says which")
    return Execution(name, time.monotonic() - start, reused, outputs)


def _outputs(handle, execution_id: int) -> dict[str, Artifact]:
    """The output artifact of each key, as published for this execution."""
    events = handle.store.get_events_by_execution_ids([execution_id])
    keys = {
        event.artifact_id: event.path.steps[0].key for event in events if event.type == metadata_store_pb2.Event.OUTPUT
    }
    artifacts = handle.store.get_artifacts_by_id(list(keys))
    kinds = handle.store.get_artifact_types_by_id([artifact.type_id for artifact in artifacts])
    return {
        keys[artifact.id]: artifact_utils.deserialize_artifact(kind, artifact)
        for artifact, kind in zip(artifacts, kinds)
    }


def _for_the_user(failure: ComponentFailed) -> TfrecError:
    """The sentence a component meant for the user, or one about what it did not foresee."""
    known = next((error for error in _chain(failure.__cause__) if isinstance(error, TfrecError)), None)
    if known is not None:
        return type(known)(f"{failure.component}: {known}")
    cause = failure.__cause__
    text = " ".join(str(cause).split())
    return TfrecError(f"{failure.component} failed unexpectedly: {type(cause).__name__}: {text[:500]}")


def _chain(error: BaseException | None) -> Sequence[BaseException]:
    """An error and what led to it, the latest first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
