"""Puts one task to a model and to baselines, and compares them user by user."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np

from tfrec.errors import DataError
from tfrec.evaluation import beyond_accuracy
from tfrec.evaluation.baselines import BASELINES
from tfrec.evaluation.metrics import hits, mean, user_metrics
from tfrec.evaluation.recommenders import BaselineRecommender, Recommender
from tfrec.evaluation.result import Difference, Estimate, Evaluation, Outcome, finite
from tfrec.evaluation.tasks import Task
from tfrec.evaluation.uncertainty import bootstrap_means, interval, paired_p_values

POPULARITY_GROUPS = 10


def evaluate(
    model: Recommender,
    baselines: Sequence[Recommender],
    task: Task,
    ks: Sequence[int] = (5, 10, 20, 50),
    *,
    item_vectors: beyond_accuracy.Vectors | None = None,
    bootstrap: int = 500,
    confidence: float = 0.95,
    seed: int = 42,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure the model and the baselines on `task` and compare them.

    Ties are broken against the model, and by position for the baselines, so that neither rule flatters the model.

    Args:
        ks: cut-offs of every metric.
        item_vectors: [N, D], what intra-list diversity compares; who touched the items in training when None.
        bootstrap, confidence, seed: resamples of users, coverage of the intervals, and where the draws start.
        clock: gives seconds; times the recommenders.
        progress: called with each recommender's name before it is asked.

    Raises:
        DataError: if a recommender breaks the rules of the task.
    """
    recommenders = [model, *baselines]
    names = [recommender.name for recommender in recommenders]
    if len(set(names)) < len(names):
        raise DataError(f"recommenders must differ in name to be compared, got {', '.join(names)}")
    ks = tuple(sorted(set(ks)))
    vectors = task.train.T.tocsr() if item_vectors is None else item_vectors
    measured = []
    for recommender in recommenders:
        if progress is not None:
            progress(recommender.name)
        measured.append(_measured(recommender, recommender is model, task, ks, vectors, clock))
    outcomes, differences = _compared(measured, bootstrap, confidence, seed)
    return Evaluation(
        task=task.name,
        users=len(task.users),
        relevant=int(task.truth.nnz),
        candidates=len(task.candidates),
        ks=ks,
        model=outcomes[0],
        baselines=tuple(outcomes[1:]),
        differences=tuple(differences),
        relevant_popularity_shares=_shares(task.truth.indices, task),
        left_out=dict(task.left_out),
        bootstrap=bootstrap,
        confidence=confidence,
        seed=seed,
    )


def fitted_baselines(
    task: Task, names: Sequence[str] = ("MostPop", "ItemKNN", "EASE", "ALS", "Random")
) -> list[BaselineRecommender]:
    """Fit the named baselines to the task's training events, but for those that do not suit the task.

    Left out are those for which the catalogue is too large (`baselines_left_out` says which), and, where no candidate
    has a training event, whatever ranks by events: all its scores would tie, and the order of the catalogue, often
    close to popularity, would decide.

    Raises:
        DataError: if a name is unknown.
    """
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise DataError(f"no baseline is called {unknown[0]!r}; there are {', '.join(BASELINES)}")
    all_cold = not _popularity(task)[task.candidates].any()
    items = task.train.shape[1]
    return [
        BaselineRecommender(BASELINES[name]().fit(task.train), task.history)
        for name in names
        if not (all_cold and BASELINES[name].needs_events) and items <= BASELINES[name].maximum_items
    ]


def baselines_left_out(task: Task) -> list[str]:
    """A sentence for each baseline that the catalogue is too large for."""
    items = task.train.shape[1]
    return [
        f"{name} is left out: it compares items with items, which fits up to {kind.maximum_items:,.0f} items, and the "
        f"catalogue has {items:,}"
        for name, kind in BASELINES.items()
        if items > kind.maximum_items
    ]


def _measured(
    recommender: Recommender,
    ties_against: bool,
    task: Task,
    ks: tuple[int, ...],
    vectors: beyond_accuracy.Vectors,
    clock: Callable[[], float],
) -> Outcome:
    """The outcome of one recommender, without intervals."""
    start = clock()
    positions = recommender.recommend(
        task.users,
        max(ks),
        exclude=task.exclude,
        candidates=task.candidates,
        truth=task.truth if ties_against else None,
    )
    seconds = clock() - start
    _check_rules(recommender.name, positions, task, max(ks))
    per_user = user_metrics(positions, task.truth, ks)
    overall = {}
    popularity = _popularity(task)
    for k in ks:
        lists = positions[:, :k]
        per_user[f"novelty@{k}"] = beyond_accuracy.novelty(lists, popularity, task.train.shape[0])
        per_user[f"diversity@{k}"] = beyond_accuracy.diversity(lists, vectors)
        overall[f"coverage@{k}"] = beyond_accuracy.coverage(lists, task.candidates)
        overall[f"gini@{k}"] = beyond_accuracy.gini(lists, task.candidates)
    averages = {name: Estimate(finite(mean(values))) for name, values in per_user.items()}
    metrics = {**averages, **{name: Estimate(finite(value)) for name, value in overall.items()}}
    middle = min(ks, key=lambda k: abs(k - 10))
    return Outcome(recommender.name, metrics, _shares(positions[:, :middle], task), seconds, per_user)


def _compared(
    outcomes: list[Outcome], resamples: int, confidence: float, seed: int
) -> tuple[list[Outcome], list[Difference]]:
    """Add intervals to the outcomes, and compare the first with each other one on the same draws of users."""
    names = list(outcomes[0].per_user)
    values = [np.stack([outcome.per_user[name] for name in names], axis=1) for outcome in outcomes]
    draws = bootstrap_means(np.concatenate(values, axis=1), resamples, seed)
    draws = draws.reshape(resamples, len(outcomes), len(names))

    with_intervals = []
    for outcome, drawn in zip(outcomes, draws.transpose(1, 0, 2)):
        low, high = interval(drawn, confidence)
        estimates = {
            name: Estimate(outcome.metrics[name].value, finite(low[column]), finite(high[column]))
            for column, name in enumerate(names)
        }
        with_intervals.append(dataclasses.replace(outcome, metrics={**outcome.metrics, **estimates}))

    differences = []
    for other, outcome in enumerate(outcomes[1:], start=1):
        low, high = interval(draws[:, 0] - draws[:, other], confidence)
        p_values = paired_p_values(values[0] - values[other])
        differences += [
            Difference(
                baseline=outcome.name,
                metric=name,
                value=finite(mean(values[0][:, column]) - mean(values[other][:, column])),
                low=finite(low[column]),
                high=finite(high[column]),
                p_value=finite(p_values[column]),
            )
            for column, name in enumerate(names)
        ]
    return with_intervals, differences


def _check_rules(name: str, positions: np.ndarray, task: Task, k: int) -> None:
    """Raise DataError if a recommender gave lists of the wrong shape, seen items or items that do not compete."""
    expected = (len(task.users), k)
    if positions.shape != expected:
        raise DataError(f"{name} must recommend an array of shape {list(expected)}, got {list(positions.shape)}")
    given = positions[positions >= 0]
    if not np.isin(given, task.candidates).all():
        wrong = int(given[~np.isin(given, task.candidates)][0])
        raise DataError(f"{name} recommends the item at position {wrong}, which is no candidate of {task.name}")
    seen, _ = hits(positions, task.exclude)
    if seen.any():
        row = int(seen.any(axis=1).argmax())
        raise DataError(f"{name} recommends an item that user row {int(task.users[row])} already touched; exclude it")


def _popularity(task: Task) -> np.ndarray:
    """How many users touched each item in training, int64 [N]."""
    return np.bincount(task.train.indices, minlength=task.train.shape[1])


def _shares(positions: np.ndarray, task: Task) -> tuple[float, ...]:
    shares = beyond_accuracy.popularity_shares(positions, _popularity(task), task.candidates, POPULARITY_GROUPS)
    return tuple(float(share) for share in shares)
