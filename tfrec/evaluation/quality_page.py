"""A quality benchmark as JSON and as a page of Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tfrec.evaluation.protocols import Protocol
from tfrec.evaluation.seeds import Comparison, Spread
from tfrec.evaluation.wording import label, machine_sentence, number, p_value

SHOWN = ("ndcg", "recall", "precision", "map", "hit_rate", "coverage")


@dataclasses.dataclass(frozen=True)
class Section:
    """One protocol on the page: what was compared in each of its tasks, and remarks such as how long training took."""

    protocol: Protocol
    part: str
    k: int
    comparisons: tuple[Comparison, ...]
    remarks: tuple[str, ...]


def quality_table(comparison: Comparison, k: int) -> list[list[str]]:
    """Header and rows: a recommender each, the model first, then how far the model is ahead in nDCG."""
    metrics = [f"{name}@{k}" for name in SHOWN]
    first = metrics[0]
    rows = [["", *(label(metric) for metric in metrics), f"ahead in {label(first)}", "p"]]
    for name, spreads in comparison.metrics.items():
        cells = [spread_text(metric, spreads[metric], metric == first) for metric in metrics]
        if name in comparison.contrasts:
            contrast = comparison.contrasts[name][first]
            ahead = "–" if contrast.difference is None else f"{contrast.difference:+.4f}"
            seeds = f"{contrast.seeds_ahead}/{len(comparison.seeds)} seeds"
            cells += [f"{ahead} ({seeds})", p_value(contrast.p_value)]
        else:
            cells += ["", ""]
        rows.append([name, *cells])
    return rows


def tasks_table(comparisons: Sequence[Comparison], k: int) -> list[list[str]]:
    """Header and rows: a task each, with the nDCG of every recommender, and the p of a baseline against the model."""
    metric = f"{SHOWN[0]}@{k}"
    names = list(comparisons[0].metrics)
    rows = [[label(metric), *names]]
    for comparison in comparisons:
        cells = []
        for name in names:
            text = spread_text(metric, comparison.metrics[name][metric], True)
            if name in comparison.contrasts:
                text += f" (p {p_value(comparison.contrasts[name][metric].p_value)})"
            cells.append(text)
        rows.append([comparison.task, *cells])
    return rows


def spread_text(metric: str, spread: Spread, with_deviation: bool) -> str:
    """A mean over seeds, with its standard deviation."""
    text = number(metric, spread.mean)
    if with_deviation and spread.deviation is not None:
        text += f" ± {spread.deviation:.4f}"
    return text


def quality_markdown(title: str, sections: list[Section], command: str, environment: Mapping[str, Any]) -> str:
    """The page: a table per protocol, how it was measured, the command, the machine and versions."""
    lines = [f"# {title}", "", "```", command, "```", ""]
    for section in sections:
        lines += [f"## {section.protocol.name}: {section.protocol.title}", ""]
        if section.part == "validation":
            lines += ["Measured on a validation part cut from the training part by the same rule; to choose by.", ""]
        if len(section.comparisons) > 1:
            lines += [*markdown_table(tasks_table(section.comparisons, section.k)), ""]
        lines += [section.protocol.measured, ""]
        for comparison in section.comparisons:
            if len(section.comparisons) > 1:
                lines += [f"### {comparison.task}", ""]
            lines += [*markdown_table(quality_table(comparison, section.k)), "", _counts(comparison), ""]
        lines += [*section.remarks, ""]
    lines += [
        "## Machine and versions",
        "",
        machine_sentence(environment),
    ]
    return "\n".join(lines) + "\n"


def _counts(comparison: Comparison) -> str:
    seeds = ", ".join(map(str, comparison.seeds))
    return (
        f"{comparison.users:,.0f} users, {comparison.candidates:,.0f} candidates, seeds {seeds}; ± is the standard "
        "deviation between seeds; p of a t-test paired by user, each user with the mean over seeds."
    )


def markdown_table(rows: list[list[str]]) -> list[str]:
    """The lines of a Markdown table; numbers to the right, the first column to the left."""
    header, *rest = rows
    return [_row(header), _row(["---"] + ["---:"] * (len(header) - 1)), *map(_row, rest)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
