"""How metrics are named, formatted and put into sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tfrec.evaluation.result import Difference, Evaluation, Outcome

LABELS = {
    "ndcg": "nDCG",
    "recall": "Recall",
    "precision": "Precision",
    "f1": "F1",
    "map": "MAP",
    "mrr": "MRR",
    "hit_rate": "Hit rate",
    "coverage": "Coverage",
    "gini": "Gini",
    "novelty": "Novelty",
    "diversity": "Diversity",
}
MEANINGS = {
    "ndcg": "how high the relevant items stand in the list; 1 is a perfect list",
    "recall": "share of the user's relevant items that were recommended",
    "precision": "share of the recommended items that are relevant",
    "f1": "harmonic mean of precision and recall",
    "map": "precision averaged over the ranks of the hits, divided by the relevant items",
    "mrr": "one divided by the rank of the first hit",
    "hit_rate": "share of users with at least one hit",
    "coverage": "share of the candidates that anyone is recommended",
    "gini": "how unequally recommendations fall on items; 0 all alike, 1 all on one",
    "novelty": "surprise of the recommended items in bits; items few people know score high",
    "diversity": "one minus the mean similarity of the items within a list",
}
ACCURACY = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")
BEYOND = ("coverage", "gini", "novelty", "diversity")
_PERCENT = ("hit_rate", "coverage")


def label(metric: str) -> str:
    """`ndcg@10` as people write it: nDCG@10."""
    name, at, k = metric.partition("@")
    return LABELS.get(name, name) + at + k


def number(metric: str, value: float | None) -> str:
    """A metric's value with the digits that matter, a dash where there is none."""
    if value is None:
        return "–"
    name = metric.partition("@")[0]
    if name in _PERCENT:
        return f"{value:.1%}"
    return f"{value:.2f}" if name == "novelty" else f"{value:.4f}"


def p_value(value: float | None) -> str:
    """A p-value as papers print it."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def best_outcome(metric: str, outcomes: Iterable[Outcome]) -> Outcome | None:
    """The outcome with the best value in `metric`, or None if none has a value or the metric names no best.

    Coverage, novelty and diversity do not: random recommendations excel in them.
    """
    known = [outcome for outcome in outcomes if outcome.metrics[metric].value is not None]
    if metric.partition("@")[0] in BEYOND:
        return None
    return max(known, key=lambda outcome: outcome.metrics[metric].value or 0.0, default=None)


def verdict(difference: Difference, confidence: float) -> str:
    """Whether the model is better than a baseline, in words: its interval must leave out zero."""
    if difference.low is None or difference.high is None:
        return "not enough users to tell"
    if difference.low > 0:
        return "better"
    if difference.high < 0:
        return "worse"
    return f"no difference at {confidence:.0%}"


def headline(evaluation: Evaluation, metric: str) -> str:
    """One sentence that says how the model stands against the baselines."""
    reached = evaluation.model.metrics[metric].value
    if reached is None:
        return f"{evaluation.model.name} has no {label(metric)} on {evaluation.task}."
    start = f"{evaluation.model.name} reaches {label(metric)} {number(metric, reached)} on {evaluation.task}"
    comparisons = [
        _compared(reached, outcome.metrics[metric].value, outcome.name)
        for outcome in evaluation.baselines
        if outcome.metrics[metric].value is not None
    ]
    return f"{start}: {', '.join(comparisons)}." if comparisons else f"{start}."


def _compared(reached: float, other: float | None, name: str) -> str:
    if not other:
        return f"against 0 for {name}"
    change = reached / other - 1
    if abs(change) < 0.0005:
        return f"level with {name}"
    amount = f"{reached / other:.1f} times {name}" if change >= 1 else f"{abs(change):.1%} "
    return amount if change >= 1 else amount + ("above " if change > 0 else "below ") + name


def machine_sentence(environment: Mapping[str, Any]) -> str:
    """The machine and the versions that a page was measured with; `environment` is of `tfrec.steps.quality`."""
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    return f"{environment['cores']} cores ({environment['architecture']}), Python {environment['python']}, {packages}."
