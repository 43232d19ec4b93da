"""Retrieval on the validation part at the end of an epoch: the metrics that stop training, and alarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.alarms.alarm import Alarm
from tfrec.alarms.collapse import low_rank, same_for_everyone
from tfrec.alarms.leakage import asked_and_known
from tfrec.alarms.popularity import below_most_pop
from tfrec.config import Config
from tfrec.data.tables import Dataset
from tfrec.data.vocabulary import FeatureSpace
from tfrec.encoders.item_inputs import ItemInputs
from tfrec.errors import DataError
from tfrec.evaluation.baselines import MostPop
from tfrec.evaluation.metrics import mean, user_metrics
from tfrec.evaluation.recommenders import BaselineRecommender
from tfrec.evaluation.tasks import Task, sampled, warm_task
from tfrec.evaluation.topk import top_k
from tfrec.evaluation.uncertainty import paired_p_values
from tfrec.model.embedding import Embedder
from tfrec.training.callbacks import MONITORED
from tfrec.training.interactions import Interactions

USERS = 5000  # More validation users are sampled,
SCORES = 1_000_000_000  # and fewer where these users times the candidates would be more.
FIRST_ALARM = 3  # The epoch from which alarms are told: at the very start every model is close to collapse.


class Validation(tf.keras.callbacks.Callback):
    """Adds recall@10 and nDCG@10 over the full catalogue to the logs of each epoch.

    Args:
        embedder: embeds items and queries with the model that is being trained.
        inputs: the content of all items.
        history: int32 [V, H], positions of each validation user's latest training items.
        features: coded user and context features of the validation users.
        task: what is asked for, of these V users.
        popular: int32 [V, 10], what MostPop recommends to them under the same rules.

    Attributes:
        alarms: what is wrong with the model as it was when it was last measured.
    """

    def __init__(
        self,
        embedder: Embedder,
        inputs: ItemInputs,
        history: np.ndarray,
        features: Mapping[str, np.ndarray],
        task: Task,
        popular: np.ndarray,
    ):
        super().__init__()
        self.embedder, self.inputs = embedder, inputs
        self.history, self.features = history, features
        self.task, self.popular = task, popular
        self.k = popular.shape[1]
        self.most_pop = user_metrics(popular, task.truth, [self.k])[f"ndcg@{self.k}"]
        self.alarms: list[Alarm] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        # What cannot be ranked after a loss that is no number, `Keeper` tells.
        if logs is not None and math.isfinite(logs["loss"]):
            logs.update(self.metrics())

    def metrics(self) -> dict[str, float]:
        """recall@10 and ndcg@10 of the model as it is now."""
        table = self.embedder.items(self.inputs)
        queries = self.embedder.queries(table, self.history, self.features)
        task = self.task
        found = top_k(queries, table, self.k, exclude=task.exclude, candidates=task.candidates, truth=task.truth)
        values = user_metrics(found.positions, task.truth, [self.k])
        self._look_for_alarms(table, found.positions, values[f"ndcg@{self.k}"])
        return {"recall@10": mean(values[f"recall@{self.k}"]), MONITORED: mean(values[f"ndcg@{self.k}"])}

    def _look_for_alarms(self, table: np.ndarray, lists: np.ndarray, ndcg: np.ndarray) -> None:
        """Look at item vectors [N, D], lists int [V, k] and the users' nDCG [V]."""
        task = self.task
        p_value = float(paired_p_values((ndcg - self.most_pop)[:, np.newaxis])[0])
        found = [
            asked_and_known(task.truth, task.exclude, "validation"),
            same_for_everyone(lists, self.popular, task.exclude, task.candidates),
            low_rank(table[task.candidates]),
            below_most_pop(MONITORED, mean(ndcg), mean(self.most_pop), p_value, len(task.users), "validation"),
        ]
        self.alarms = [alarm for alarm in found if alarm]


class AlarmBell(tf.keras.callbacks.Callback):
    """Tells an alarm when it is first seen, and once more when it is over.

    Args:
        say: called with one line each time.
        lasting: alarms that are there before training and stay.

    Attributes:
        validation: what measures the model, None where the validation part asks for nothing.
        measured: the metrics of the model at the end, by name; none before, or without validation.
    """

    def __init__(self, say: Callable[[str], None], lasting: Sequence[Alarm]):
        super().__init__()
        self.say, self.lasting = say, list(lasting)
        self.validation: Validation | None = None
        self.measured: dict[str, float] = {}
        self._told: dict[str, Alarm] = {}
        self._tell(self.lasting)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.validation is not None and epoch + 1 >= FIRST_ALARM:
            self._tell([*self.lasting, *self.validation.alarms])

    def at_the_end(self) -> list[Alarm]:
        """All alarms of the model as it is now, measured anew; what was not told yet is told."""
        if self.validation is not None:
            self.measured = self.validation.metrics()
        alarms = [*self.lasting, *(self.validation.alarms if self.validation else [])]
        self._tell(alarms)
        return alarms

    def _tell(self, alarms: Sequence[Alarm]) -> None:
        now = {_kind(alarm): alarm for alarm in alarms}
        for kind, alarm in now.items():
            if kind not in self._told:
                self.say(str(alarm))
        for kind, alarm in self._told.items():
            if kind not in now:
                self.say(f"alarm, {alarm.name}: over (it was: {alarm.seen})")
        self._told = now


def _kind(alarm: Alarm) -> str:
    """What makes two alarms of different epochs the same, whatever their numbers."""
    return f"{alarm.name}: {alarm.expected}"


class Question(NamedTuple):
    """What is asked on the validation part, and what MostPop recommends, int32 [V, 10]."""

    task: Task
    popular: np.ndarray


def validation_question(config: Config, dataset: Dataset) -> Question | None:
    """What is asked of a sample of the validation users; None where the part asks for nothing."""
    try:
        task = warm_task(dataset, "validation")
    except DataError:
        return None
    task = sampled(task, max(1, min(USERS, SCORES // len(task.candidates))), config.training.seed)
    popular = BaselineRecommender(MostPop().fit(task.train), task.history).recommend(
        task.users, min(10, len(task.candidates)), exclude=task.exclude, candidates=task.candidates
    )
    return Question(task, popular)


def build_validation(
    config: Config,
    dataset: Dataset,
    space: FeatureSpace,
    pairs: Interactions,
    inputs: ItemInputs,
    embedder: Embedder,
    question: Question | None = None,
) -> Validation | None:
    """The callback that measures retrieval on the validation part; None where that part asks for nothing.

    Args:
        question: what `validation_question` gave, if it was asked before.
    """
    question = question or validation_question(config, dataset)
    if question is None:
        return None
    task = question.task
    features = {}
    if config.model.use_user_features:
        features.update({name: codes[task.users] for name, codes in space.encode_users(dataset.users).items()})
    if config.model.use_context:
        # The moment a request will come from is not known: absent, as an exported model is asked without context.
        codes = space.encode_context(dataset.train)
        features.update(
            {name: np.zeros((len(task.users), *code.shape[1:]), code.dtype) for name, code in codes.items()}
        )
    history = pairs.latest(task.users, config.serving.history)
    return Validation(embedder, inputs, history, features, task, question.popular)
