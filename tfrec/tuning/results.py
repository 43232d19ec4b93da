"""What a search found: as a table, as a page and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tfrec.evaluation.wording import label, machine_sentence
from tfrec.search_space import METRICS, Tuning


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """One trial.

    Attributes:
        values: its settings by section and key.
        metrics: `ndcg@10` and `recall@10` of the validation part, `seconds` and `epochs`; none if it failed.
        message: why it failed, "" if it did not.
    """

    values: Mapping[str, Any]
    metrics: Mapping[str, float]
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether it gave a model that could be measured."""
        return not self.message


@dataclasses.dataclass(frozen=True)
class Result:
    """A search.

    Attributes:
        tuning: what was searched.
        trials: in the order in which they began; at least one ended.
        hyperparameters: the best trial's, in KerasTuner's own form, which TFX's Tuner hands to its Trainer.
    """

    tuning: Tuning
    trials: Sequence[TrialResult]
    hyperparameters: Mapping[str, Any]

    @property
    def order(self) -> list[int]:
        """The positions of the trials, the best first; of equally good ones the earlier, and those that failed last."""

        def key(number: int) -> tuple[bool, float, int]:
            trial = self.trials[number]
            return (not trial.ended, -trial.metrics.get(self.tuning.metric, 0.0), number)

        return sorted(range(len(self.trials)), key=key)

    @property
    def best(self) -> TrialResult:
        return self.trials[self.order[0]]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "metric": self.tuning.metric,
            "algorithm": self.tuning.algorithm,
            "seed": self.tuning.seed,
            "space": [dataclasses.asdict(searched) for searched in self.tuning.space],
            "best": {
                "trial": self.order[0] + 1,
                "settings": dict(self.best.values),
                "metrics": dict(self.best.metrics),
            },
            "trials": [{"trial": number, **dataclasses.asdict(trial)} for number, trial in enumerate(self.trials, 1)],
        }


def results_table(result: Result) -> list[list[str]]:
    """Header and a row per trial, the best first."""
    names = [searched.name for searched in result.tuning.space]
    keys = [name.partition(".")[2] for name in names]
    header = ["trial", *(key if keys.count(key) == 1 else name for key, name in zip(keys, names))]
    metrics = sorted(METRICS, key=lambda metric: metric != result.tuning.metric)
    rows = [[*header, *(label(metric) for metric in metrics), "seconds"]]
    for number in result.order:
        trial = result.trials[number]
        measured = [f"{trial.metrics[metric]:.4f}" for metric in metrics] if trial.ended else ["failed", ""]
        seconds = f"{trial.metrics['seconds']:.0f}" if trial.ended else ""
        rows.append([str(number + 1), *(_written(trial.values[name]) for name in names), *measured, seconds])
    return rows


def results_page(title: str, result: Result, plot: str, command: str, environment: Mapping[str, Any]) -> str:
    """The table as Markdown, with how to get it; `plot` is the plot's path from the page's folder."""
    header, *rows = results_table(result)
    failed = [f"- trial {number}: {trial.message}" for number, trial in enumerate(result.trials, 1) if not trial.ended]
    return "\n".join(
        [
            f"# {title}",
            "",
            f"`{command}`",
            "",
            f"{len(rows)} trials by {result.tuning.algorithm} search for {label(result.tuning.metric)} on the "
            f"validation part. {machine_sentence(environment)}",
            "",
            f"| {' | '.join(header)} |",
            f"|{' ---: |' * len(header)}",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            *([*failed, ""] if failed else []),
            f"![{label(result.tuning.metric)} of the trials]({plot})",
            "",
        ]
    )


def shown(values: Mapping[str, Any]) -> str:
    """Settings in one line."""
    return ", ".join(f"{name} {_written(value)}" for name, value in values.items())


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
