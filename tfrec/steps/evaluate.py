"""Evaluates an exported model on the test part and on held-out items, and decides whether it is blessed."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.alarms.alarm import Alarm
from tfrec.config import Config
from tfrec.data.files import read_bytes, write_text
from tfrec.data.report import Report as DataReport
from tfrec.data.tables import Catalogue, Dataset
from tfrec.errors import ConfigError
from tfrec.evaluation.audit_record import read_audit
from tfrec.evaluation.drift import Drift
from tfrec.evaluation.gates import check_drift, check_gates, check_index, check_modalities, check_served
from tfrec.evaluation.protocol import baselines_left_out, evaluate, fitted_baselines
from tfrec.evaluation.protocols import protocol
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.report import Example, Report, write_report
from tfrec.evaluation.result import Evaluation
from tfrec.evaluation.tasks import Task, cold_task, sampled, warm_task
from tfrec.export.add_items import embed_catalogue
from tfrec.export.loaded import LoadedServable
from tfrec.steps.alarms import servable_alarms
from tfrec.steps.served import STABLE_SPLITS, check_withdrawn, served_model
from tfrec.training.interactions import interactions

NAME = "tfrec"
EXAMPLES = 5


@dataclasses.dataclass(frozen=True)
class Assessment:
    """What came out of an evaluation.

    Attributes:
        warm: the task that is judged: known items on the test part, or what `split.protocol` asks.
        further: where the protocol has several tasks, the others.
        cold: held-out items, None where none were held out.
        reasons: why the model is not blessed, one sentence each.
        directory: where report.json and report.html are.
        alarms: what is wrong with the model or its data, see docs/alarms.md.
        compared_with: the `servable_identity` of the served model that it was compared with, "" for none.
    """

    warm: Evaluation
    cold: Evaluation | None
    reasons: list[str]
    directory: str
    further: tuple[Evaluation, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    compared_with: str = ""

    @property
    def blessed(self) -> bool:
        """Whether the model passed its gates."""
        return not self.reasons

    def metrics(self) -> dict[str, float]:
        """The model's values by name, those of held-out items prefixed by `cold_`."""
        values = {name: estimate.value for name, estimate in self.warm.model.metrics.items()}
        if self.cold is not None:
            values.update({f"cold_{name}": estimate.value for name, estimate in self.cold.model.metrics.items()})
        return {name: value for name, value in values.items() if value is not None}


def evaluate_servable(
    config: Config,
    dataset: Dataset,
    servable: str,
    destination: str,
    report: DataReport | None = None,
    history: Sequence[Mapping[str, float]] = (),
    say: Callable[[str], None] = print,
    push_directory: str = "",
    drift: Drift | None = None,
) -> Assessment:
    """Evaluate a servable beside the one that is served, write report.json and report.html, and check the gates.

    Args:
        config: the configuration the model was made with.
        dataset: the data, divided as in training.
        servable: folder of the exported model.
        destination: folder for the report.
        report: the ingestion report, shown beside the results.
        history: the logs of the training epochs.
        push_directory: where the model that is served now lies; "" compares with none.
        drift: how far the data have moved, where that was measured.

    Raises:
        ConfigError: if the configured protocol has no task that a gate can judge.
        DataError: if the test part asks for nothing.
        ServableError: if the model cannot be loaded.
    """
    model = LoadedServable(servable)
    settings = config.evaluation
    options: dict[str, Any] = {
        "bootstrap": settings.bootstrap,
        "confidence": settings.confidence,
        "seed": config.split.seed,
    }
    dataset, tasks = _asked(config, dataset)
    if settings.users:
        tasks = tuple(sampled(task, settings.users, config.split.seed) for task in tasks)
    say(f"evaluating on {len(tasks[0].users):,} users and {len(tasks[0].candidates):,} known items")
    served = served_model(push_directory, servable, say)
    results = []
    for task in tasks:
        queries = _queries(config, dataset, model, task)
        for reason in baselines_left_out(task):
            say(reason)
        results.append(
            evaluate(
                EmbeddingRecommender(NAME, queries, model.vectors),
                [*fitted_baselines(task), *([served.recommender(config, dataset, task)] if served else [])],
                task,
                _cut_offs(settings.k, task),
                item_vectors=model.vectors,
                **options,
            )
        )
    # Of several tasks the last tells most of the users, so it is the one that is judged.
    *further, warm_result = results
    cold_result = None
    if len(dataset.held_out) and len(dataset.cold):
        cold_result = _evaluate_cold(config, dataset, model, options, say)
    alarms = servable_alarms(config, dataset, model, queries, tasks[-1], warm_result)
    for alarm in alarms:
        say(str(alarm))
    reasons = [
        *check_gates(config.gates, warm_result, alarms),
        *(check_served(config.gates, warm_result, served.name, _caution(config)) if served else []),
        *check_withdrawn(push_directory, servable),
        *check_drift(config.gates, drift),
        *_unaudited(config, model),
        *check_index(model.manifest.get("index", {}), config.serving.recall),
    ]
    page = Report(
        title=config.name,
        warm=warm_result,
        cold=cold_result,
        further=further,
        metric=config.gates.metric,
        reasons=reasons,
        alarms=alarms,
        data=report.to_json() if report else None,
        data_summary=report.sentences() if report else (),
        drift=drift if config.gates.drift != "ignore" else None,
        training=history,
        configuration=_settings(config),
        versions=model.manifest["versions"],
        examples=_examples(dataset, model, queries, tasks[-1]),
        created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    )
    write_report(page, destination)
    assessment = Assessment(
        warm_result,
        cold_result,
        reasons,
        destination,
        tuple(further),
        tuple(alarms),
        served.identity if served else "",
    )
    judgement = {
        "blessed": assessment.blessed,
        "reasons": reasons,
        "alarms": [alarm.to_json() for alarm in alarms],
        "metrics": assessment.metrics(),
        "served": served.version if served else None,
    }
    write_text(os.path.join(destination, "metrics.json"), json.dumps(judgement, indent=1))
    return assessment


def _caution(config: Config) -> str:
    """What to know of a comparison with a model that was trained on an earlier division of the events."""
    if config.split.by in STABLE_SPLITS:
        return ""
    return (
        f"With split.by {config.split.by} the served model may have been trained on some of these test events; "
        "split by time to be sure."
    )


def _unaudited(config: Config, model: LoadedServable) -> list[str]:
    """Why a model is not blessed by the audit that the gates name, by what its manifest says that it reads."""
    path = config.gates.audit
    if not path:
        return []
    read = [feature["name"] for feature in model.manifest["schema"]["items"]["features"]]
    return check_modalities(read_audit(path, read_bytes(path, "gates.audit")), read)


def _asked(config: Config, dataset: Dataset) -> tuple[Dataset, tuple[Task, ...]]:
    """The data as the configured protocol has it, and its tasks; those of known items where none is named.

    Raises:
        DataError, ConfigError: if the protocol has no task that a gate can judge, or one that asks for nothing.
    """
    if not config.split.protocol:
        return dataset, (warm_task(dataset),)
    chosen = protocol(config.split.protocol)
    if chosen.asks == "new-items":
        raise ConfigError(
            f"split.protocol {chosen.name} leaves no event of a known item to judge the model by; measure it with "
            f"`tfrec benchmark quality --protocol {chosen.name}`, or set split.held_out_items beside another split"
        )
    dataset = chosen.dataset(dataset, config.split.seed)
    return dataset, chosen.tasks(dataset)


def _evaluate_cold(
    config: Config, dataset: Dataset, model: LoadedServable, options: Mapping[str, Any], say: Callable[[str], None]
) -> Evaluation:
    """Rank held-out items among themselves: from all their modalities, from each alone, and at random."""
    task = cold_task(dataset)
    queries = _queries(config, dataset, model, task)
    say(f"evaluating {len(task.candidates):,} held-out items, each modality alone and all together")
    alone = [
        EmbeddingRecommender(f"{feature.name} alone", queries, _vectors_from(feature.name, dataset, model))
        for feature in config.schema.content()
    ]
    return evaluate(
        EmbeddingRecommender(NAME, queries, model.vectors),
        [*alone, *fitted_baselines(task, ("Random",))],
        task,
        _cut_offs(config.evaluation.k, task),
        item_vectors=model.vectors,
        **options,
    )


def _queries(config: Config, dataset: Dataset, model: LoadedServable, task: Task) -> np.ndarray:
    """The queries of the task's users, from what it lets be known, in their rows of float32 [U, D]; zeros elsewhere.

    Memory that is never written to is not taken, so those who are not asked cost none.
    """
    known = interactions(task.known, len(dataset.users))
    queries = np.zeros((len(dataset.users), model.vectors.shape[1]), np.float32)
    queries[task.users] = model.queries(
        known.latest(task.users, config.serving.history), dataset.users, task.users.astype(np.int64)
    )
    return queries


def _vectors_from(feature: str, dataset: Dataset, model: LoadedServable) -> np.ndarray:
    """The item vectors, with those of held-out items made from one content feature alone."""
    catalogue = dataset.catalogue
    held_out = dataset.held_out
    chosen = set(held_out.tolist())
    columns, media = {}, {}
    for name, column in catalogue.columns.items():
        taken = column[held_out].copy()
        if name != feature:
            _make_absent(taken)
        columns[name] = taken
    for name, contents in catalogue.media.items():
        kept = [content if name == feature else b"" for row, content in enumerate(contents) if row in chosen]
        media[name] = kept
    only = Catalogue(catalogue.ids[held_out], catalogue.titles[held_out], columns, media)  # type: ignore[arg-type]
    vectors = model.vectors.copy()
    vectors[held_out] = embed_catalogue(model, only)["embedding"]
    return vectors


def _make_absent(column: np.ndarray) -> None:
    if column.dtype == object:
        multiple = len(column) and isinstance(column[0], tuple)
        for row in range(len(column)):
            column[row] = () if multiple else ""
    else:
        column[:] = np.nan


def _cut_offs(ks: Sequence[int], task: Task) -> tuple[int, ...]:
    """The cut-offs that the number of candidates allows, the largest cut down to it."""
    return tuple(sorted({min(k, len(task.candidates)) for k in ks}))


def _examples(dataset: Dataset, model: LoadedServable, queries: np.ndarray, task: Task) -> list[Example]:
    """Some users with a long enough history, drawn evenly, with what they were recommended and what they chose."""
    lengths = np.diff(task.history.indptr)[task.users]
    rows = np.flatnonzero(lengths >= min(3, lengths.max()))
    rows = rows[:: max(1, len(rows) // EXAMPLES)][:EXAMPLES]
    recommender = EmbeddingRecommender(NAME, queries, model.vectors)
    k = min(10, len(task.candidates))
    found = recommender.recommend(task.users[rows], k, exclude=task.exclude[rows], candidates=task.candidates)
    latest = interactions(task.known, len(dataset.users)).latest(task.users[rows], 8)
    titles = np.where(dataset.catalogue.titles == "", dataset.catalogue.ids, dataset.catalogue.titles)
    return [
        Example(
            user=str(dataset.users.ids[task.users[row]]),
            history=[str(titles[item]) for item in latest[number] if item >= 0],
            recommended=[str(titles[item]) for item in found[number] if item >= 0],
            chosen=[str(titles[item]) for item in task.truth[row].indices],
        )
        for number, row in enumerate(rows)
    ]


def _settings(config: Config) -> dict[str, Any]:
    sections = ("split", "model", "training", "evaluation", "gates")
    return {name: dataclasses.asdict(getattr(config, name)) for name in sections}
