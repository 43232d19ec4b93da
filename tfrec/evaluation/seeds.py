"""Several evaluations of one protocol, a seed each, as one: means, spreads and differences paired by user."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfrec.errors import DataError
from tfrec.evaluation.result import Evaluation, Outcome, finite
from tfrec.evaluation.uncertainty import paired_p_values


@dataclasses.dataclass(frozen=True)
class Run:
    """The evaluation of one seed; `users` int [V] are the rows its per-user values belong to."""

    seed: int
    users: np.ndarray
    evaluation: Evaluation


@dataclasses.dataclass(frozen=True)
class Spread:
    """A metric over seeds: its mean, the standard deviation between seeds (None for one seed) and the single values."""

    mean: float | None
    deviation: float | None
    values: tuple[float | None, ...]


@dataclasses.dataclass(frozen=True)
class Contrast:
    """Model minus a baseline: the mean over users, the p-value of a paired t-test, and in how many seeds it is above 0.

    A user counts once, with the mean over the seeds that ask for them, since seeds of one user are not independent.
    """

    difference: float | None
    p_value: float | None
    seeds_ahead: int


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A model beside its baselines on one task, over seeds.

    Attributes:
        task: name of the task; `seeds`: the seeds.
        users, candidates: the mean numbers of users asked for and of competing items.
        metrics: by recommender (the model first), then by metric.
        contrasts: by baseline, then by metric, but for those that users have no share in, such as coverage.
    """

    task: str
    seeds: tuple[int, ...]
    users: float
    candidates: float
    metrics: Mapping[str, Mapping[str, Spread]]
    contrasts: Mapping[str, Mapping[str, Contrast]]


def compared_over_seeds(runs: Sequence[Run], names: Sequence[str]) -> Comparison:
    """Compare the model with every baseline in the metrics `names`, such as `ndcg@10`.

    Raises:
        DataError: if there is no run, or the runs differ in their recommenders.
    """
    if not runs:
        raise DataError("there is nothing to compare; give at least one seed")
    recommenders = [outcome.name for outcome in runs[0].evaluation.outcomes]
    for run in runs:
        if [outcome.name for outcome in run.evaluation.outcomes] != recommenders:
            raise DataError(f"the seeds {runs[0].seed} and {run.seed} differ in their recommenders")
    model, baselines = recommenders[0], recommenders[1:]
    outcomes = {name: [run.evaluation.outcome(name) for run in runs] for name in recommenders}
    return Comparison(
        task=runs[0].evaluation.task,
        seeds=tuple(run.seed for run in runs),
        users=float(np.mean([len(run.users) for run in runs])),
        candidates=float(np.mean([run.evaluation.candidates for run in runs])),
        metrics={name: {metric: _spread(outcomes[name], metric) for metric in names} for name in recommenders},
        contrasts={
            name: {
                metric: _contrast(runs, outcomes[model], outcomes[name], metric)
                for metric in names
                if metric in outcomes[model][0].per_user
            }
            for name in baselines
        },
    )


def _spread(outcomes: Sequence[Outcome], metric: str) -> Spread:
    values = tuple(outcome.metrics[metric].value for outcome in outcomes)
    numbers = np.array(values, float)
    deviation = finite(numbers.std(ddof=1)) if len(numbers) > 1 else None
    return Spread(finite(numbers.mean()), deviation, values)


def _contrast(runs: Sequence[Run], model: Sequence[Outcome], baseline: Sequence[Outcome], metric: str) -> Contrast:
    apart = [mine.per_user[metric] - theirs.per_user[metric] for mine, theirs in zip(model, baseline)]
    rows = np.concatenate([run.users for run in runs])
    values = np.concatenate(apart)
    known = ~np.isnan(values)
    _, index = np.unique(rows[known], return_inverse=True)
    by_user = np.bincount(index, values[known]) / np.bincount(index)
    return Contrast(
        finite(by_user.mean()) if len(by_user) else None,
        finite(paired_p_values(by_user[:, np.newaxis])[0]),
        sum(bool(np.nanmean(values) > 0) for values in apart),
    )
