"""A plot of a search: the metric over the trials, and over the values of each setting."""

from __future__ import annotations

import io

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfrec.evaluation.wording import label
from tfrec.search_space import Hyperparameter
from tfrec.tuning.results import Result, shown

_POINTS, _BEST, _MUTED = "#4269a5", "#d1495b", "#6b7280"
_COLUMNS = 3
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tfrec",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "grid.color": "#e5e7eb",
    "legend.frameon": False,
}


def trials_plot(result: Result) -> str:
    """The plot as an SVG document on white."""
    ended = [(number, trial) for number, trial in enumerate(result.trials, 1) if trial.ended]
    values = [trial.metrics[result.tuning.metric] for _, trial in ended]
    panels = 1 + len(result.tuning.space)
    rows = -(-panels // _COLUMNS)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.4 * min(panels, _COLUMNS), 2.6 * rows), layout="constrained")
        grid = figure.subplots(rows, min(panels, _COLUMNS), squeeze=False, sharey=True)
        axes = grid.ravel()
        _over_trials(axes[0], [number for number, _ in ended], values)
        for panel, searched in zip(axes[1:], result.tuning.space):
            _over_values(panel, searched, [trial.values[searched.name] for _, trial in ended], values)
        for unused in axes[panels:]:
            unused.set_visible(False)
        for first in grid[:, 0]:
            first.set_ylabel(label(result.tuning.metric))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": f"Best: {shown(result.best.values)}"})
    return buffer.getvalue()


def _over_trials(axes: Axes, numbers: list[int], values: list[float]) -> None:
    best = [max(values[: position + 1]) for position in range(len(values))]
    axes.plot(numbers, best, color=_BEST, linewidth=1.4, drawstyle="steps-post", label="best so far", zorder=1)
    _points(axes, numbers, values)
    axes.set_title("trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right", fontsize=8.5)


def _over_values(axes: Axes, searched: Hyperparameter, tried: list, values: list[float]) -> None:
    if searched.choices:
        # Choices stand side by side in the order of the configuration, however far apart they are as numbers.
        places: list = [[str(choice) for choice in searched.choices].index(_text(value)) for value in tried]
        axes.set_xticks(range(len(searched.choices)), [str(choice) for choice in searched.choices])
        axes.set_xlim(-0.5, len(searched.choices) - 0.5)
    else:
        places = tried
        axes.set_xscale("log" if searched.scale == "log" else "linear")
    _points(axes, places, values)
    axes.set_title(searched.name)


def _points(axes: Axes, places: list, values: list[float]) -> None:
    best = values.index(max(values))
    colours = [_BEST if number == best else _POINTS for number in range(len(values))]
    axes.scatter(places, values, c=colours, s=26, zorder=2)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _text(value: object) -> str:
    return str(tuple(value) if isinstance(value, list) else value)
