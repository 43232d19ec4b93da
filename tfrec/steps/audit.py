"""Audits the modalities of a configuration: trains without each, or hides each from one trained model."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfrec.config import Config
from tfrec.data.ingest import ingest
from tfrec.data.tables import Dataset
from tfrec.data.vocabulary import fit_feature_space
from tfrec.encoders.item_inputs import ItemInputs, encoded, item_inputs
from tfrec.errors import ConfigError
from tfrec.evaluation.audit import ALL, IDS, Trial, variants
from tfrec.evaluation.protocol import evaluate
from tfrec.evaluation.protocols import Protocol, protocol
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.result import Evaluation
from tfrec.evaluation.seeds import Comparison, Run, compared_over_seeds
from tfrec.evaluation.tasks import Task
from tfrec.modalities import ATTRIBUTES, modalities
from tfrec.model.build import build_encoders
from tfrec.model.two_tower import search_feature
from tfrec.steps.quality import METRICS, model_recommender
from tfrec.training.trainer import Trained, train

COLD = "held-out-items"
ITEMS = WARM_ITEMS, COLD_ITEMS = "warm items", "cold items"

Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How to audit.

    Attributes:
        seeds: of training, and of the division where the protocol divides anew.
        part: `validation`, or `test`.
        k: the cut-off.
        mask: hide modalities from one model that was trained with all, instead of training without them.
        stop_early: hold back a validation part and stop training by it; else all epochs are trained.
        items: the kinds of items, `warm items`, `cold items` or both.
    """

    seeds: Sequence[int] = (0, 1, 2)
    part: str = "validation"
    k: int = 10
    mask: bool = False
    stop_early: bool = False
    items: Sequence[str] = ITEMS


def audit_modalities(
    config: Config, warm: Protocol, plan: Plan, directory: str, say: Say = print, progress: Progress | None = None
) -> tuple[list[Trial], dict[str, float]]:
    """Measure every variant on warm items under the protocol `warm` and on held-out items, or on one kind of these.

    Args:
        directory: folder for the ingested data. Vectors of frozen encoders are computed anew, once, so that the time
            it takes is measured, and kept apart from that of the trainings.

    Returns:
        What was measured, and the seconds that encoding the catalogue took by modality with a frozen encoder.

    Raises:
        ConfigError: if the items have no modality, or `warm` does not ask for known items.
        DataError, TrainingError: as ingestion, training and evaluation.
    """
    if not modalities(config.schema):
        raise ConfigError(f"{config.source}: items have no features, so there is no modality to audit; name some")
    if warm.asks != "known-items":
        raise ConfigError(
            f"protocol {warm.name} asks for {warm.asks}; the audit measures warm items by a protocol of known items, "
            "such as per-user, and cold items by held-out-items"
        )
    os.makedirs(directory, exist_ok=True)
    encoding: dict[str, float] = {}
    protocols = {WARM_ITEMS: warm, COLD_ITEMS: protocol(COLD)}
    with tempfile.TemporaryDirectory(dir=directory) as cache:
        trials = [
            _trial(config, items, protocols[items], plan, directory, cache, encoding, say, progress)
            for items in plan.items
        ]
    return trials, encoding


def _trial(
    config: Config,
    items: str,
    chosen: Protocol,
    plan: Plan,
    directory: str,
    cache: str,
    encoding: dict[str, float],
    say: Say,
    progress: Progress | None,
) -> Trial:
    """Measure every variant on one kind of items; fills `encoding` on the first kind."""
    warm = items == WARM_ITEMS
    kept = variants(modalities(config.schema), with_ids=warm and config.model.use_id)
    seconds: dict[str, list[float]] = {}
    measured: list[tuple[int, Task, dict[str, Evaluation]]] = []
    divided: Dataset | None = None
    k = plan.k
    for number, seed in enumerate(plan.seeds):
        settings = chosen.config(config, seed, plan.part, plan.stop_early)
        if divided is None or chosen.divides_anew:
            divided, _ = ingest(settings, os.path.join(directory, "data"), progress)
        dataset = chosen.dataset(divided, seed, plan.part, plan.stop_early)
        (task,) = chosen.tasks(dataset, plan.part, plan.stop_early)
        k = min(k, len(task.candidates))
        if number == 0 and items == plan.items[0]:
            encoding.update(_encoding_seconds(settings, dataset, cache, progress))
            # What starting takes once must not count as the time of the first variant.
            _timed(_of_one_epoch(settings), dataset, cache, progress)
        trained = None
        evaluations = {}
        for variant, names in kept.items():
            if trained is None or not plan.mask:
                left_out = [name for name in kept[ALL] if name not in names]
                trained, took = _timed(settings.without(left_out), dataset, cache, progress)
                seconds.setdefault(variant, []).append(took)
            shown = _masked(trained, names, None if warm else dataset.held_out) if plan.mask else trained
            model = model_recommender(shown, dataset, task)
            named = EmbeddingRecommender(variant, model.queries, model.items)
            # Each by itself, because ties are broken against the first of several only.
            evaluations[variant] = evaluate(named, (), task, [k], bootstrap=0)
            value = evaluations[variant].model.metrics[f"ndcg@{k}"].value
            say(f"{items}, seed {seed}, {variant}: ndcg@{k} {value:.4f}")
        measured.append((seed, task, evaluations))
    return Trial(
        items,
        chosen,
        k,
        kept,
        _compared(measured, ALL, k),
        _compared(measured, IDS, k) if IDS in kept else None,
        {variant: tuple(values) for variant, values in seconds.items()},
    )


def _timed(config: Config, dataset: Dataset, cache: str, progress: Progress | None) -> tuple[Trained, float]:
    """A trained model, and the seconds it took from the vectors in the cache."""
    with tempfile.TemporaryDirectory() as state:
        started = time.perf_counter()
        trained = train(config, dataset, state, cache=cache, say=lambda line: None, progress=progress)
        return trained, time.perf_counter() - started


def _of_one_epoch(config: Config) -> Config:
    return dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=1))


def _encoding_seconds(config: Config, dataset: Dataset, cache: str, progress: Progress | None) -> dict[str, float]:
    """Seconds that each frozen encoder takes for the whole catalogue; its vectors are left in the empty `cache`."""
    seconds = {}
    names = modalities(config.schema)
    for feature in config.schema.content():
        alone = config.without([name for name in names if name != feature.name])
        encoders = build_encoders(alone)
        if not encoders[feature.name].frozen:
            continue
        space = fit_feature_space(alone.schema, dataset.catalogue, dataset.users, dataset.train)
        searched = search_feature(alone.schema) if config.model.use_search else ""
        nothing = np.zeros(len(dataset.catalogue), bool)
        started = time.perf_counter()
        item_inputs(alone.schema, dataset.catalogue, space, encoders, nothing, cache, searched, progress)
        seconds[feature.name] = time.perf_counter() - started
    return seconds


def _masked(trained: Trained, shown: Sequence[str], rows: np.ndarray | None) -> Trained:
    """The trained model on items of which only the modalities `shown` can be seen; `rows` are those items, or all."""
    inputs = encoded(trained.inputs, trained.encoders)
    hidden = [name for name in modalities(trained.config.schema) if name not in shown]
    arrays = dict(inputs.arrays)
    chosen = slice(None) if rows is None else rows
    for name in _arrays_of(trained.config, hidden):
        # An attribute's code 0, a number's second column 0 and `present` false all say that there is nothing.
        arrays[name] = arrays[name].copy()
        arrays[name][chosen] = 0
    return dataclasses.replace(trained, inputs=ItemInputs(arrays, inputs.search_text, inputs.search_owner))


def _arrays_of(config: Config, hidden: Sequence[str]) -> list[str]:
    names = [name for name in hidden if name != ATTRIBUTES]
    names += [f"{name}.present" for name in names]
    return names + [feature.name for feature in config.schema.attributes() if ATTRIBUTES in hidden]


def _compared(measured: Sequence[tuple[int, Task, Mapping[str, Evaluation]]], first: str, k: int) -> Comparison:
    """The variant `first` beside all others, over the seeds."""
    runs = []
    for seed, task, evaluations in measured:
        others = tuple(evaluation.model for variant, evaluation in evaluations.items() if variant != first)
        runs.append(Run(seed, task.users, dataclasses.replace(evaluations[first], baselines=others)))
    return compared_over_seeds(runs, [f"{metric}@{k}" for metric in METRICS])
