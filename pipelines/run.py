"""`tfrec pipeline run`: the whole way from the files of a configuration to a pushed servable, on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfrec.config import Config, load_config
from tfrec.data.files import is_remote
from tfrec.errors import ConfigError, TfrecError


@dataclasses.dataclass(frozen=True)
class ComponentRun:
    """What one component of a run did: its name, wall time, and whether earlier outputs were reused."""

    name: str
    seconds: float
    reused: bool


@dataclasses.dataclass(frozen=True)
class PipelineResult:
    """The outcome of a run.

    Attributes:
        pushed: folder of the version that was pushed, now or by the run whose result was reused; None if not blessed.
        blessed: whether the model passed its gates; `reasons` says why not.
        metrics: the model's metrics by name.
        anomalies: what is unusual in the data, a sentence each; `drift`: what has moved since the last blessed model.
        servable: folder of the exported model.
        training: folder of history.json and feature_space.json.
        evaluation: folder of metrics.json, report.json and report.html.
        tuned: the settings that a Tuner found, by section and key; none without one.
        report, quarantine: files of the ingestion.
        log: file with the messages of TFX and of all components.
        components: what each component did, in order.
    """

    pushed: str | None
    blessed: bool
    reasons: list[str]
    metrics: dict[str, float]
    anomalies: list[str]
    drift: list[str]
    servable: str
    training: str
    evaluation: str
    tuned: dict[str, Any]
    report: str
    quarantine: str
    log: str
    components: list[ComponentRun]


def run_pipeline(config_path: str, say: Callable[[str], None] = print, since_last: bool = False) -> PipelineResult:
    """Run the pipeline of the configuration at `config_path` and return its outcome.

    With `since_last` only events after the newest one of the last run are read, and added to those it had. What has not
    changed since the last run is reused. While it runs, standard error goes to the log file, so `say`
    must not write there.

    Raises:
        TfrecError: with one sentence, after the name of the component where one failed; the traceback is in the log.
    """
    config = load_config(config_path)
    if is_remote(config.data.output):
        raise ConfigError(
            f"data.output is {config.data.output}; a run on this machine needs a local folder for its metadata"
        )
    from tfrec.pipelines.logs import noise_in, progress_to

    folder = os.path.join(config.data.output, "pipeline")
    log = os.path.join(folder, "pipeline.log")
    start = time.monotonic()
    with _only_run_in(folder), noise_in(log), progress_to(say):
        say("starting TFX")  # its import takes seconds, and prints warnings
        result = _run(config, log, say, since_last)
    for anomaly in result.anomalies:
        say(f"unusual in the data: {anomaly}")
    for sentence in result.drift:
        say(f"drift: {sentence}")
    if result.tuned:
        say("tuned: " + ", ".join(f"{name} {value}" for name, value in result.tuned.items()))
    for reason in result.reasons:
        say(f"not blessed: {reason}")
    reused = sum(component.reused for component in result.components)
    say(
        f"{len(result.components)} components in {time.monotonic() - start:.0f} s, {reused} reused; "
        + (f"pushed to {result.pushed}" if result.pushed else "nothing was pushed")
    )
    return result


@contextlib.contextmanager
def _only_run_in(folder: str) -> Iterator[None]:
    """Make `folder` and keep other runs out of it until the block, or this process, ends.

    Raises:
        TfrecError: if it cannot be written, or another run is under way.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        file = open(os.path.join(folder, "lock"), "w")  # noqa: SIM115  closed below
    except OSError as error:
        raise TfrecError(f"cannot write to {folder}: {error.strerror}; choose another data.output") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TfrecError(
                f"another run of the pipeline is under way in {folder}; wait until it has ended"
            ) from error
        yield


def _run(config: Config, log: str, say: Callable[[str], None], since_last: bool) -> PipelineResult:
    from tfx.dsl.io import fileio
    from tfx.orchestration import metadata

    from tfrec.pipelines.earlier import earlier_examples
    from tfrec.pipelines.fingerprints import take_fingerprints
    from tfrec.pipelines.local import Execution, run_locally
    from tfrec.pipelines.pipeline import Places, create_pipeline
    from tfrec.pipelines.staleness import forget_stale_judgements, forget_stale_pushes

    places = Places.of(config)
    fileio.makedirs(places.root)
    connection = metadata.sqlite_metadata_connection_config(os.path.join(places.root, "metadata.sqlite"))
    forget_stale_pushes(connection, places.push)
    forget_stale_judgements(connection, places.push)

    def finished(execution: Execution, number: int, total: int) -> None:
        how = "reused" if execution.reused else f"ran in {execution.seconds:.1f} s"
        say(f"[{number}/{total}] {execution.name}: {how}")

    fingerprints = take_fingerprints(config)
    earlier = earlier_examples(connection, config, fingerprints.events) if since_last else ""
    pipeline = create_pipeline(config, fingerprints, places, metadata=connection, earlier=earlier)
    return _result(run_locally(pipeline, finished), log)


def _result(executions: Mapping[str, Any], log: str) -> PipelineResult:
    from tfx.dsl.io import fileio
    from tfx.utils import path_utils

    from tfrec.data.ingest import QUARANTINE_FILE, REPORT_FILE
    from tfrec.pipelines.evaluator import METRICS_FILE
    from tfrec.pipelines.pusher import DESTINATION
    from tfrec.pipelines.validation import anomaly_sentences

    report = executions["EventIngest"].outputs["report"].uri
    evaluation = executions["RetrievalEvaluator"].outputs["evaluation"].uri
    with fileio.open(os.path.join(evaluation, METRICS_FILE), "r") as file:
        judgement = json.loads(file.read())
    with fileio.open(os.path.join(evaluation, "report.json"), "r") as file:
        drift = json.loads(file.read())["drift"]
    pushed = executions["Pusher"].outputs["pushed_model"].get_string_custom_property(DESTINATION)
    trainer = executions["Trainer"].outputs
    return PipelineResult(
        pushed=pushed or None,
        blessed=judgement["blessed"],
        reasons=judgement["reasons"],
        metrics=judgement["metrics"],
        anomalies=anomaly_sentences(executions["ExampleValidator"].outputs["anomalies"].uri),
        drift=drift["sentences"] if drift else [],
        servable=path_utils.serving_model_path(trainer["model"].uri),
        training=trainer["model_run"].uri,
        evaluation=evaluation,
        tuned=_tuned(executions),
        report=os.path.join(report, REPORT_FILE),
        quarantine=os.path.join(report, QUARANTINE_FILE),
        log=log,
        components=[
            ComponentRun(execution.name, execution.seconds, execution.reused) for execution in executions.values()
        ],
    )


def _tuned(executions: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the Tuner of the run found, none where it has none."""
    if "Tuner" not in executions:
        return {}
    from tfx.dsl.io import fileio

    from tfrec.pipelines.tuner import RESULTS_FILE

    folder = executions["Tuner"].outputs["tuner_results"].uri
    with fileio.open(os.path.join(folder, RESULTS_FILE), "r") as file:
        return json.loads(file.read())["best"]["settings"]
