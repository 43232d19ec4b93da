"""What a replay found, as tables, as a page and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.evaluation.quality_page import markdown_table
from tfrec.evaluation.result import finite
from tfrec.evaluation.uncertainty import paired_p_values
from tfrec.evaluation.wording import label, machine_sentence, p_value


@dataclasses.dataclass(frozen=True)
class Period:
    """One period that was asked about.

    Attributes:
        first, last: its first and last day.
        users, candidates: numbers of users asked and of items that competed.
        reached: by age of the model, and by name (`model`, `MostPop`), the metric of each user, float64 [users].
    """

    first: str
    last: str
    users: int
    candidates: int
    reached: Mapping[int, Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Age:
    """Models of one age over all periods, each user of each period counting once.

    Attributes:
        age: in periods.
        model, popular: the mean metric of the model, and of MostPop of the same age.
        difference: of the model to the freshest one; None for that one itself.
        p_value: of a paired t-test over users and periods.
    """

    age: int
    model: float
    popular: float
    difference: float | None = None
    p_value: float | None = None


@dataclasses.dataclass(frozen=True)
class Replay:
    """The outcome of `tfrec.steps.replay`: `metric`, the length of a period in days, the periods, and their summary."""

    metric: str
    days: int
    periods: tuple[Period, ...]
    ages: tuple[Age, ...]

    def to_json(self) -> dict[str, Any]:
        """Means as mappings and lists; the values of single users are left out."""
        periods = [
            {
                "first": period.first,
                "last": period.last,
                "users": period.users,
                "candidates": period.candidates,
                "models": [
                    {"age": age, **{name: float(values.mean()) for name, values in reached.items()}}
                    for age, reached in period.reached.items()
                ],
            }
            for period in self.periods
        ]
        return {
            "metric": self.metric,
            "days": self.days,
            "periods": periods,
            "ages": [dataclasses.asdict(age) for age in self.ages],
        }

    def ages_table(self) -> list[list[str]]:
        """Header and rows: an age each, what it reached and what was lost to the freshest."""
        unit = "weeks" if self.days == 7 else f"{self.days} days"
        rows = [[f"age in {unit}", label(self.metric), "to the freshest", "p", "MostPop of that age"]]
        for age in self.ages:
            lost = "" if age.difference is None else f"{age.difference:+.4f} ({age.difference / self._fresh:+.1%})"
            p = "" if age.difference is None else p_value(age.p_value)
            rows.append([str(age.age), f"{age.model:.4f}", lost, p, f"{age.popular:.4f}"])
        return rows

    def periods_table(self) -> list[list[str]]:
        """Header and rows: a period each, with the metric of the models of every age."""
        rows = [["period", "users", "items", *(f"age {age.age}" for age in self.ages)]]
        for period in self.periods:
            values = [f"{period.reached[age.age]['model'].mean():.4f}" for age in self.ages]
            span = f"{period.first} to {period.last}"
            rows.append([span, f"{period.users:,}", f"{period.candidates:,}", *values])
        return rows

    @property
    def _fresh(self) -> float:
        return max(self.ages[0].model, 1e-12)


def of_ages(periods: Sequence[Period], ages: Sequence[int]) -> tuple[Age, ...]:
    """The summary of each age, the freshest first."""
    values = {
        age: {name: np.concatenate([period.reached[age][name] for period in periods]) for name in ("model", "MostPop")}
        for age in ages
    }
    fresh = values[ages[0]]["model"]
    found = []
    for age in ages:
        model, popular = values[age]["model"], values[age]["MostPop"]
        if age == ages[0]:
            found.append(Age(age, float(model.mean()), float(popular.mean())))
            continue
        p = paired_p_values((model - fresh)[:, np.newaxis])[0]
        difference = float(model.mean() - fresh.mean())
        found.append(Age(age, float(model.mean()), float(popular.mean()), difference, finite(p)))
    return tuple(found)


def replay_markdown(title: str, replay: Replay, command: str, environment: Mapping[str, Any]) -> str:
    """The page: both tables, how it was measured, the command, the machine and versions."""
    asked = sum(period.users for period in replay.periods)
    lines = [
        f"# {title}",
        "",
        "```",
        command,
        "```",
        "",
        *markdown_table(replay.ages_table()),
        "",
        f"Means over {asked:,} users and periods; p of a paired t-test over them, in which somebody who came in",
        "several periods counts as several.",
        "",
        *markdown_table(replay.periods_table()),
        "",
        f"Each period of {replay.days} days is asked about with models trained on all events up to its beginning",
        "(age 0) or so many periods earlier. All are asked for the same users, with the same histories up to the",
        "beginning of the period, about the items that had an event before it; what a user touched before is left out.",
        "What an older model has not seen it places by content.",
        "",
        "## Machine and versions",
        "",
        machine_sentence(environment),
    ]
    return "\n".join(lines) + "\n"
