"""Measures how good recommendations are: trains over several seeds under a named protocol, beside the baselines."""

from __future__ import annotations

import dataclasses
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from tfrec.config import Config
from tfrec.data.ingest import ingest
from tfrec.data.tables import Dataset
from tfrec.encoders.item_inputs import encoded
from tfrec.evaluation.baselines import ALS, ContentKNN, ContentRidge
from tfrec.evaluation.content import content_vectors
from tfrec.evaluation.protocol import evaluate, fitted_baselines
from tfrec.evaluation.protocols import Protocol
from tfrec.evaluation.recommenders import BaselineRecommender, EmbeddingRecommender
from tfrec.evaluation.seeds import Comparison, Run, compared_over_seeds
from tfrec.evaluation.tasks import Task
from tfrec.model.embedding import Embedder
from tfrec.training.interactions import interactions
from tfrec.training.trainer import Trained, train

NAME = "tfrec"
METRICS = ("ndcg", "recall", "precision", "map", "hit_rate", "coverage")
PACKAGES = ("tfrec", "tensorflow", "tensorflow-recommenders", "numpy", "scipy")


@dataclasses.dataclass(frozen=True)
class Quality:
    """What was measured under one protocol.

    Attributes:
        comparisons: the model beside the baselines over the seeds, for each task of the protocol.
        seconds: what training took, by seed.
        epochs: how many epochs were trained, by seed.
        settings: the sections of the configuration that decide the result, as the first seed had them.
    """

    protocol: Protocol
    part: str
    k: int
    comparisons: tuple[Comparison, ...]
    seconds: tuple[float, ...]
    epochs: tuple[int, ...]
    settings: dict[str, Any]


def measure_quality(
    config: Config,
    protocol: Protocol,
    seeds: Sequence[int],
    directory: str,
    part: str = "test",
    k: int = 10,
    stop_early: bool = False,
    say: Callable[[str], None] = print,
    progress: Callable[[str, int, int], None] | None = None,
) -> Quality:
    """Train and evaluate with every seed.

    Args:
        config: the configuration; its split and its training seed are replaced by the protocol's.
        seeds: of training, and of the division where the protocol divides anew.
        directory: folder for the ingested data and the embedding cache.
        part: `test`, or `validation` to choose settings.
        k: the cut-off.
        stop_early: hold back a validation part and stop training by it; else all epochs are trained.

    Raises:
        DataError, TrainingError: as ingestion, training and evaluation.
    """
    runs: list[list[Run]] = []
    seconds, epochs = [], []
    divided: Dataset | None = None
    for seed in seeds:
        settings = protocol.config(config, seed, part, stop_early)
        if divided is None or protocol.divides_anew:
            divided, _ = ingest(settings, os.path.join(directory, "data"), progress)
        dataset = protocol.dataset(divided, seed, part, stop_early)
        tasks = protocol.tasks(dataset, part, stop_early)
        k = min(k, *(len(task.candidates) for task in tasks))
        say(f"seed {seed}")
        with tempfile.TemporaryDirectory() as state:
            started = time.perf_counter()
            trained = train(
                settings,
                dataset,
                state,
                cache=os.path.join(directory, "cache"),
                say=lambda line: say(f"  {line}"),
                progress=progress,
            )
            seconds.append(time.perf_counter() - started)
        epochs.append(len(trained.history))
        models = model_recommenders(trained, dataset, tasks)
        baselines = _baselines(protocol, trained, tasks[0], seed)
        of_seed = []
        for task, model in zip(tasks, models):
            told = [BaselineRecommender(recommender.baseline, task.history) for recommender in baselines]
            evaluation = evaluate(model, told, task, [k], bootstrap=0)
            of_seed.append(Run(seed, task.users, evaluation))
            measured = "  ".join(f"{o.name} {o.metrics[f'ndcg@{k}'].value:.4f}" for o in evaluation.outcomes)
            say(f"seed {seed}, {task.name}: ndcg@{k}  {measured}")
        runs.append(of_seed)
    names = [f"{metric}@{k}" for metric in METRICS]
    first = protocol.config(config, seeds[0], part, stop_early)
    return Quality(
        protocol,
        part,
        k,
        tuple(compared_over_seeds(of_task, names) for of_task in zip(*runs)),
        tuple(seconds),
        tuple(epochs),
        settings_of(first),
    )


def settings_of(config: Config) -> dict[str, Any]:
    """What of a configuration decides the result, for the record."""
    return {
        "features": [f"{feature.name} ({feature.modality})" for feature in config.schema.items.features],
        "history": config.serving.history,
        **{name: dataclasses.asdict(getattr(config, name)) for name in ("split", "model", "training")},
    }


def model_recommender(trained: Trained, dataset: Dataset, task: Task) -> EmbeddingRecommender:
    """A trained model as a recommender to all users of the data set, each asked with what `task` lets it know."""
    return model_recommenders(trained, dataset, [task])[0]


def model_recommenders(trained: Trained, dataset: Dataset, tasks: Sequence[Task]) -> list[EmbeddingRecommender]:
    """The same for several tasks, with the items embedded once."""
    config, space = trained.config, trained.blueprint.feature_space
    embedder = Embedder(trained.model, config.serving.history)
    table = embedder.items(trained.inputs)
    count = len(dataset.users)
    features = {}
    if config.model.use_user_features:
        features.update(space.encode_users(dataset.users))
    if config.model.use_context:
        # The moment a request will come from is not known: absent.
        codes = space.encode_context(dataset.train)
        features.update({name: np.zeros((count, *code.shape[1:]), code.dtype) for name, code in codes.items()})
    histories = [interactions(task.known, count).latest(np.arange(count), config.serving.history) for task in tasks]
    return [EmbeddingRecommender(NAME, embedder.queries(table, history, features), table) for history in histories]


def environment() -> dict[str, Any]:
    """What a result depends on besides settings: cores and versions, nothing that names the machine."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        import tfrec

        return tfrec.__version__ if package == "tfrec" else "unknown"


def _baselines(protocol: Protocol, trained: Trained, task: Task, seed: int) -> list[BaselineRecommender]:
    """The protocol's baselines, fitted; the seed is for those that draw at random."""
    if protocol.asks != "new-items":
        names = [name for name in protocol.baselines if name != ALS.name]
        fitted = fitted_baselines(task, names)
        if ALS.name in protocol.baselines:
            fitted.append(BaselineRecommender(ALS(seed=seed).fit(task.train), task.history))
        return fitted
    vectors = catalogue_vectors(trained)
    kinds = (ContentKNN(vectors), ContentRidge(vectors))
    return [
        *fitted_baselines(task, ("Random",)),
        *(BaselineRecommender(baseline.fit(task.train), task.history) for baseline in kinds),
    ]


def catalogue_vectors(trained: Trained) -> np.ndarray:
    """The content of all items for linear baselines, float64 [N, F]: attributes, and what the model's encoders give.

    These are the very features the model reads. Of an encoder in training the vectors are those it ended with: taught
    by the training items, so that a baseline has the same pictures and texts as the model.

    Raises:
        DataError: if there is no feature.
    """
    schema = trained.config.schema
    arrays = encoded(trained.inputs, trained.encoders).arrays
    codes = {feature.name: arrays[feature.name] for feature in schema.attributes()}
    vectors = {
        feature.name: np.where(arrays[f"{feature.name}.present"][:, np.newaxis], arrays[feature.name], 0)
        for feature in schema.content()
    }
    return content_vectors(codes, vectors)
