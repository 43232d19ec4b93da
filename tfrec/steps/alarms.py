"""The alarms of a servable: measured again on what is served, with those that only training could see."""

from __future__ import annotations

import numpy as np

from tfrec.alarms.alarm import LEAKAGE, Alarm
from tfrec.alarms.collapse import low_rank, same_for_everyone
from tfrec.alarms.leakage import asked_and_known, dataset_leakage
from tfrec.alarms.popularity import below_most_pop
from tfrec.config import Config
from tfrec.data.tables import Dataset
from tfrec.evaluation.baselines import MostPop
from tfrec.evaluation.recommenders import BaselineRecommender, EmbeddingRecommender
from tfrec.evaluation.result import Evaluation
from tfrec.evaluation.tasks import Task
from tfrec.export.loaded import LoadedServable
from tfrec.export.probe import read_probe

USERS = 5000  # The lists of so many users tell whether they are all the same.


def servable_alarms(
    config: Config, dataset: Dataset, model: LoadedServable, queries: np.ndarray, task: Task, evaluation: Evaluation
) -> list[Alarm]:
    """What is wrong with a servable or with the data it is judged on.

    Args:
        queries: every user's query, float32 [U, D].
        task: what is asked of the known items.
        evaluation: what came out of it.
    """
    probe = read_probe(model.directory)
    alarms = [
        *(Alarm.from_json(document) for document in model.manifest.get("alarms", ()) if document["name"] == LEAKAGE),
        *dataset_leakage(dataset, config.split.by),
        asked_and_known(task.truth, task.exclude, "test"),
        _same_lists(model, queries, task),
        low_rank(model.vectors[task.candidates]),
        _below_most_pop(config.gates.metric, evaluation),
        *(probe.alarms(model.signatures) if probe else []),
    ]
    # What training saw in the data set is seen again here.
    return list({alarm.sentence: alarm for alarm in alarms if alarm}.values())


def _same_lists(model: LoadedServable, queries: np.ndarray, task: Task) -> Alarm | None:
    rows = np.arange(len(task.users))[:: -(-len(task.users) // USERS)]
    users, known, k = task.users[rows], task.exclude[rows], min(10, len(task.candidates))
    lists, popular = (
        recommender.recommend(users, k, exclude=known, candidates=task.candidates)
        for recommender in (
            EmbeddingRecommender("model", queries, model.vectors),
            BaselineRecommender(MostPop().fit(task.train), task.history),
        )
    )
    return same_for_everyone(lists, popular, known, task.candidates)


def _below_most_pop(metric: str, evaluation: Evaluation) -> Alarm | None:
    reached = {outcome.name: outcome.metrics.get(metric) for outcome in evaluation.outcomes}
    ours, popular = reached[evaluation.model.name], reached.get(MostPop.name)
    if ours is None or popular is None or ours.value is None or popular.value is None:
        return None
    apart = evaluation.difference(MostPop.name, metric)
    p_value = apart.p_value if apart else None
    return below_most_pop(metric, ours.value, popular.value, p_value, evaluation.users, "test")
