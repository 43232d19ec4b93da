"""The report's plots as inline SVG whose colours and fonts come from the page, so that they follow light and dark."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tfrec.evaluation.result import Evaluation, Outcome
from tfrec.evaluation.wording import ACCURACY, label, number

# Drawn in colours nobody would choose, which `_themed` then replaces by the page's CSS variables.
_INK, _MUTED, _RULE, _PAPER = "#010203", "#010204", "#010205", "#010206"
_SERIES = tuple(f"#0102{16 + number:02x}" for number in range(7))
_VARIABLES = {
    _INK: "--ink",
    _MUTED: "--muted",
    _RULE: "--rule",
    _PAPER: "--paper",
    **{colour: f"--series-{order}" for order, colour in enumerate(_SERIES)},
}
# A baseline keeps its colour and marker from one plot to the next; the model has the first.
_PLACES = {"MostPop": 1, "ItemKNN": 2, "EASE": 3, "Random": 4, "ALS": 5}
_MARKERS = "osD^vP*"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tfrec",
    "font.size": 10.5,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": _MUTED,
    "axes.titlecolor": _INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "grid.color": _RULE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
_POPULARITY_BANDS = (
    ("most popular tenth of the items", 0, 1),
    ("second tenth", 1, 2),
    ("next three tenths", 2, 5),
    ("least popular half", 5, 10),
)


def metric_bars(evaluation: Evaluation, k: int) -> str:
    """Accuracy metrics at k, a panel each and a bar per recommender, with confidence intervals."""
    outcomes = evaluation.outcomes
    with matplotlib.rc_context(_STYLE):
        layout = ConstrainedLayoutEngine(hspace=0.12, wspace=0.05)
        figure = Figure(figsize=(10.4, 1.5 + 0.7 * len(outcomes)), layout=layout)
        panels = figure.subplots(2, 3, sharey=True).ravel()
        for axes, name in zip(panels, ACCURACY):
            _bars(axes, outcomes, f"{name}@{k}")
        return _themed(
            figure, f"Bars of {', '.join(label(name) for name in ACCURACY)} at {k}, with intervals", evaluation
        )


def metric_curves(evaluation: Evaluation) -> str:
    """nDCG, recall, precision and coverage over the cut-offs, a line per recommender."""
    names = ("ndcg", "recall", "precision", "coverage")
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10.4, 3.3), layout="constrained")
        panels = figure.subplots(1, len(names))
        for axes, name in zip(panels, names):
            _curves(axes, evaluation, name)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=6, handlelength=1.6)
        return _themed(figure, f"Lines of {', '.join(map(label, names))} over k", evaluation)


def popularity_bars(evaluation: Evaluation) -> str:
    """Where the recommendations fall between the head and the tail of the catalogue, and where users' choices fell."""
    rows = [("chosen by users", evaluation.relevant_popularity_shares)]
    rows += [(outcome.name, outcome.popularity_shares) for outcome in evaluation.outcomes]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10.4, 1.0 + 0.42 * len(rows)), layout="constrained")
        axes = figure.subplots()
        left = [0.0] * len(rows)
        for (band, first, last), opacity in zip(_POPULARITY_BANDS, (1, 0.5, 0.28, 0.12)):
            widths = [sum(shares[first:last]) for _, shares in rows]
            bars = axes.barh(range(len(rows)), widths, left=left, height=0.66, color=_SERIES[0], alpha=opacity)
            bars.set_label(band)
            for row, width in enumerate(widths):
                if width >= 0.045:
                    axes.text(
                        left[row] + width / 2,
                        row,
                        f"{width:.0%}",
                        ha="center",
                        va="center",
                        color=_PAPER if opacity == 1 else _INK,
                    )
                left[row] += width
        axes.set_yticks(range(len(rows)), [name for name, _ in rows], color=_INK)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
        figure.legend(loc="outside upper left", ncols=4, handlelength=1.0, fontsize=9.5)
        return _themed(figure, "Share of recommendations by popularity of the item", evaluation)


def training_curves(history: Sequence[Mapping[str, float]], metric: str) -> str:
    """Loss and validation metric over epochs; `history` holds one mapping per epoch.

    "" if there are fewer than two epochs or nothing to draw.
    """
    names = sorted({name for epoch in history for name in epoch if name != "epoch"})
    losses = [name for name in names if name.rpartition("_")[2] == "loss"]
    reached = [name for name in names if name not in losses and name.removeprefix("val_") == metric]
    groups = [group for group in (losses, reached) if group]
    if len(history) < 2 or not groups:
        return ""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10.4, 2.9), layout="constrained")
        panels = figure.subplots(1, len(groups), squeeze=False)[0]
        for axes, group in zip(panels, groups):
            for order, name in enumerate(group):
                values = [epoch.get(name, float("nan")) for epoch in history]
                axes.plot(range(1, len(values) + 1), values, color=_SERIES[order], linewidth=2, label=_curve_name(name))
            axes.set_title("Loss" if group is losses else label(metric))
            axes.set_xlabel("epoch")
            axes.set_xlim(1, len(history))
            axes.grid(axis="y")
            axes.spines["left"].set_visible(False)
            axes.xaxis.get_major_locator().set_params(integer=True)
            if len(group) > 1:
                axes.legend()
        return _themed(figure, "Training curves over epochs", None)


def _bars(axes: Axes, outcomes: Sequence[Outcome], metric: str) -> None:
    estimates = [outcome.metrics[metric] for outcome in outcomes]
    largest = max([estimate.high or estimate.value or 0 for estimate in estimates] + [1e-9])
    for row, estimate in enumerate(estimates):
        value = estimate.value or 0
        axes.barh(row, value, height=0.62, color=_SERIES[_place(outcomes[row], row)])
        if estimate.low is not None and estimate.high is not None:
            axes.plot([estimate.low, estimate.high], [row, row], color=_INK, linewidth=1.4, solid_capstyle="butt")
        axes.text((estimate.high or value) + largest * 0.03, row, number(metric, estimate.value), va="center")
    axes.set_title(label(metric))
    axes.set_yticks(range(len(outcomes)), [outcome.name for outcome in outcomes], color=_INK)
    axes.set_ylim(len(outcomes) - 0.45, -0.55)
    axes.set_xlim(0, largest * 1.3)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)


def _curves(axes: Axes, evaluation: Evaluation, name: str) -> None:
    ks = evaluation.ks
    for order, outcome in enumerate(evaluation.outcomes):
        place = _place(outcome, order)
        colour = _SERIES[place]
        estimates = [outcome.metrics[f"{name}@{k}"] for k in ks]
        if all(estimate.low is not None and estimate.high is not None for estimate in estimates):
            low, high = ([getattr(estimate, bound) for estimate in estimates] for bound in ("low", "high"))
            axes.fill_between(ks, low, high, color=colour, alpha=0.14, linewidth=0)
        values = [float("nan") if estimate.value is None else estimate.value for estimate in estimates]
        width = 2.4 if order == 0 else 1.5
        axes.plot(ks, values, color=colour, marker=_MARKERS[place], markersize=5, linewidth=width, label=outcome.name)
    axes.set_title(label(name))
    axes.set_xscale("log")
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("k")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def _place(outcome: Outcome, order: int) -> int:
    return 0 if order == 0 else _PLACES.get(outcome.name, len(_SERIES) - 1)


def _curve_name(name: str) -> str:
    return "validation" if name.startswith("val_") else "training"


def _themed(figure: Figure, description: str, evaluation: Evaluation | None) -> str:
    """The figure as an SVG element in the page's own colours and font, described for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = re.sub(r"font: ((?:\w+ )?[\d.]+px) [^;\"]*", r"font: \1 var(--font)", svg)
    # Two plots on a page must not share an id.
    prefix = "plot" + re.sub(r"\W+", "-", f"{description} {evaluation.task if evaluation else ''}").lower()
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    text = html.escape(description if evaluation is None else f"{description}; {evaluation.task}")
    start = re.search(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', svg)
    assert start is not None, "matplotlib writes an svg element with a viewBox"
    return f'<svg viewBox="{start.group(1)}" role="img" aria-label="{text}">' + svg[start.end() :]
