"""The evaluation as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tfrec.evaluation.result import Difference, Evaluation, Outcome
from tfrec.evaluation.wording import best_outcome, label, number

_DEFAULT = ("ndcg", "recall", "precision", "map", "hit_rate", "coverage")


def console_table(evaluation: Evaluation, k: int = 10, metrics: Sequence[str] = ()) -> Table:
    """Return a rich table that fits 80 columns: a row per recommender, the model first; the best of a column is bold.

    Args:
        k: cut-off of the default metrics; the largest there is, if that is smaller.
        metrics: names such as `recall@20` to show instead.
    """
    k = min(k, max(evaluation.ks))
    names = list(metrics) or [f"{name}@{k}" for name in _DEFAULT]
    table = Table(
        title=f"{evaluation.task}, {evaluation.users:,} users, {evaluation.candidates:,} candidates",
        caption=f"± half of the {evaluation.confidence:.0%} confidence interval over users; "
        "* the model differs by more than chance",
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )
    table.add_column("" if metrics else f"k = {k}", no_wrap=True)
    for name in names:
        table.add_column(label(name if metrics else name.partition("@")[0]), justify="right", no_wrap=True)
    for outcome in evaluation.outcomes:
        cells = [_cell(evaluation, outcome, name, name == names[0]) for name in names]
        table.add_row(outcome.name, *cells, style="cyan" if outcome is evaluation.model else "")
    return table


def _cell(evaluation: Evaluation, outcome: Outcome, metric: str, with_interval: bool) -> str:
    estimate = outcome.metrics[metric]
    text = number(metric, estimate.value)
    if with_interval and estimate.low is not None and estimate.high is not None:
        text += f" ± {(estimate.high - estimate.low) / 2:.3f}"
    if outcome is best_outcome(metric, evaluation.outcomes):
        text = f"[bold]{text}[/bold]"
    return text + ("*" if _differs(evaluation.difference(outcome.name, metric)) else " ")


def _differs(difference: Difference | None) -> bool:
    if difference is None or difference.low is None or difference.high is None:
        return False
    return difference.low > 0 or difference.high < 0
