"""What an evaluation found, as plain values that go to JSON and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfrec.errors import DataError


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value and its confidence interval; None where it has none."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one recommender reached.

    Attributes:
        name: the recommender's name.
        metrics: by name, such as `ndcg@10`.
        popularity_shares: share of its recommendations that falls on each popularity group of the candidates.
        seconds: time it took to recommend to all users.
        per_user: float64 [V] by metric name, in the order of the task's users; not part of the JSON.
    """

    name: str
    metrics: Mapping[str, Estimate]
    popularity_shares: tuple[float, ...]
    seconds: float
    per_user: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict, repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Difference:
    """Model minus baseline in one metric, paired by user, with its interval and the p-value of a paired t-test."""

    baseline: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    p_value: float | None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A model beside its baselines on one task.

    Attributes:
        task: name of the task.
        users, relevant, candidates: numbers of users asked for, of their relevant items, and of competing items.
        ks: cut-offs.
        model, baselines: what each reached.
        differences: model minus each baseline, for every per-user metric.
        relevant_popularity_shares: like `Outcome.popularity_shares`, of the relevant items.
        left_out: relevant pairs the task leaves out, by reason.
        bootstrap, confidence, seed: how the intervals were drawn.
    """

    task: str
    users: int
    relevant: int
    candidates: int
    ks: tuple[int, ...]
    model: Outcome
    baselines: tuple[Outcome, ...]
    differences: tuple[Difference, ...]
    relevant_popularity_shares: tuple[float, ...]
    left_out: Mapping[str, int]
    bootstrap: int
    confidence: float
    seed: int

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The model, then the baselines."""
        return (self.model, *self.baselines)

    def outcome(self, name: str) -> Outcome:
        """What the recommender called `name` reached.

        Raises:
            DataError: if it was not evaluated.
        """
        for outcome in self.outcomes:
            if outcome.name == name:
                return outcome
        names = ", ".join(outcome.name for outcome in self.outcomes)
        raise DataError(f"{name!r} was not evaluated on {self.task}; evaluated were {names}")

    def difference(self, baseline: str, metric: str) -> Difference | None:
        """Model minus `baseline` in `metric`, or None if that was not compared."""
        for difference in self.differences:
            if (difference.baseline, difference.metric) == (baseline, metric):
                return difference
        return None

    def to_json(self) -> dict[str, Any]:
        """The evaluation as mappings, lists, text and finite numbers (None for NaN)."""
        return _plain(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Evaluation:
        """Make an evaluation from what `to_json` gave; its `per_user` is empty."""
        return cls(
            **{
                **document,
                "ks": tuple(document["ks"]),
                "model": _outcome(document["model"]),
                "baselines": tuple(_outcome(baseline) for baseline in document["baselines"]),
                "differences": tuple(Difference(**difference) for difference in document["differences"]),
                "relevant_popularity_shares": tuple(document["relevant_popularity_shares"]),
            }
        )


def finite(value: float) -> float | None:
    """The value as a Python float, or None if it is NaN or infinite."""
    return float(value) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.name != "per_user"
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    return finite(value) if isinstance(value, float) else value


def _outcome(document: Mapping[str, Any]) -> Outcome:
    return Outcome(
        name=document["name"],
        metrics={name: Estimate(**estimate) for name, estimate in document["metrics"].items()},
        popularity_shares=tuple(document["popularity_shares"]),
        seconds=document["seconds"],
    )
