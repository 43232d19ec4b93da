"""Time travel: what a model of one, two or four weeks ago would have been worth in each of the last weeks."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence

import numpy as np

from tfrec.config import Config, Split
from tfrec.data.ingest import ingest
from tfrec.data.tables import Dataset, Events, joined
from tfrec.errors import ConfigError, DataError
from tfrec.evaluation.baselines import MostPop
from tfrec.evaluation.interactions import interaction_matrix
from tfrec.evaluation.metrics import user_metrics
from tfrec.evaluation.recommenders import BaselineRecommender, Recommender
from tfrec.evaluation.replayed import Period, Replay, of_ages
from tfrec.evaluation.tasks import Task, sampled, warm_task
from tfrec.steps.quality import model_recommender
from tfrec.training.trainer import train

DAY = 86_400


def replay(
    config: Config,
    directory: str,
    periods: int = 4,
    ages: Sequence[int] = (0, 1, 2, 4),
    days: int = 7,
    k: int = 10,
    say: Callable[[str], None] = print,
    progress: Callable[[str, int, int], None] | None = None,
) -> Replay:
    """Train on the past and ask for the period after, for each of the last periods and models of several ages.

    A model of age a was trained on the events up to a periods before the one it is asked about. All are asked the same
    questions of the same users with the same histories, those up to the beginning of the period, so that only what they
    learned differs: items that had an event before the period compete, and what an older model has not seen it places
    by content, as `tfrec add-items` would. MostPop of the same age stands beside each.

    Args:
        config: the configuration; its split is replaced, and every training takes all events before its moment.
        directory: folder of the ingested media and of the embedding cache.
        periods: how many periods of `days` days, the last of which ends with the newest event.
        ages: in periods; 0 is trained up to the beginning of the period. The smallest is what others are compared with.
        k: the cut-off.

    Raises:
        ConfigError: if events have no time, or the events do not reach back far enough.
        DataError, TrainingError: as ingestion and training.
    """
    if not config.schema.events.time:
        raise ConfigError(f"{config.source}: a replay needs schema.events.time to tell the past from the future")
    whole = dataclasses.replace(config, split=Split(by="time", validation=0.0, test=0.0))
    dataset, _ = ingest(whole, directory, progress)
    events = joined(dataset.train, dataset.validation, dataset.test, dataset.cold)
    ages = sorted(set(ages))
    length = days * DAY
    end = int(events.time[-1]) + 1
    starts = [end - number * length for number in range(periods, 0, -1)]
    first = starts[0] - ages[-1] * length
    if int(events.time[0]) >= first:
        have = (end - int(events.time[0])) / DAY
        raise ConfigError(
            f"{periods} periods of {days} days and models {ages[-1]} periods old need more than "
            f"{(periods + ages[-1]) * days} days of events, and there are {have:.0f}; ask for fewer"
        )
    tasks = {start: _task(dataset, events, start, start + length, config, say) for start in starts}
    cuts = sorted({start - age * length for start, task in tasks.items() if task is not None for age in ages})
    reached: dict[tuple[int, int], dict[str, np.ndarray]] = {}
    for number, cut in enumerate(cuts, start=1):
        past = _before(dataset, events, cut)
        say(f"training {number} of {len(cuts)}: {len(past.train):,} events before {_day(cut)}")
        with tempfile.TemporaryDirectory() as state:
            trained = train(whole, past, state, cache=f"{directory}/cache", say=_quiet, progress=progress)
        popular = MostPop().fit(interaction_matrix(past.train, len(dataset.users), len(dataset.catalogue)))
        for age in ages:
            task = tasks.get(cut + age * length)
            if task is None:
                continue
            model = model_recommender(trained, past, task)
            reached[cut + age * length, age] = {
                "model": _ndcg(model, task, k),
                "MostPop": _ndcg(BaselineRecommender(popular, task.history), task, k),
            }
    measured = [
        Period(
            _day(start),
            _day(start + length - 1),
            len(task.users),
            len(task.candidates),
            {age: reached[start, age] for age in ages},
        )
        for start, task in tasks.items()
        if task is not None
    ]
    if not measured:
        raise DataError(f"none of the last {periods} periods of {days} days has an event that can be asked for")
    return Replay(f"ndcg@{k}", days, tuple(measured), of_ages(measured, ages))


def _task(
    dataset: Dataset, events: Events, start: int, end: int, config: Config, say: Callable[[str], None]
) -> Task | None:
    """What is asked of the period; None where none of its events can be asked for."""
    asked = dataclasses.replace(
        _before(dataset, events, start), test=events.take((events.time >= start) & (events.time < end))
    )
    try:
        task = warm_task(asked)
    except DataError:
        say(f"nothing can be asked of the period from {_day(start)}, so it is left out")
        return None
    return sampled(task, config.evaluation.users, config.training.seed) if config.evaluation.users else task


def _before(dataset: Dataset, events: Events, moment: int) -> Dataset:
    """The data as they were: all events before `moment` to train on, and nothing else."""
    nothing = events.take(np.zeros(0, np.int64))
    past = events.take(events.time < moment)
    return Dataset(dataset.catalogue, dataset.users, past, nothing, nothing, nothing, np.zeros(0, np.int32))


def _ndcg(recommender: Recommender, task: Task, k: int) -> np.ndarray:
    """nDCG at k of each of the task's users, float64 [V]."""
    lists = recommender.recommend(
        task.users, min(k, len(task.candidates)), exclude=task.exclude, candidates=task.candidates, truth=task.truth
    )
    return user_metrics(lists, task.truth, [lists.shape[1]])[f"ndcg@{lists.shape[1]}"]


def _day(seconds: int) -> str:
    return str(np.datetime64(seconds, "s"))[:10]


def _quiet(line: str) -> None:
    """What each of many trainings says is too much."""
