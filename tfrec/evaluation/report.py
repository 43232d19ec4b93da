"""The evaluation report: one JSON file for machines and one self-contained HTML page for people."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from tfrec.alarms.alarm import Alarm
from tfrec.data.files import write_text
from tfrec.evaluation import plots, wording
from tfrec.evaluation.drift import Drift
from tfrec.evaluation.metrics import METRICS
from tfrec.evaluation.result import Evaluation


@dataclasses.dataclass(frozen=True)
class Example:
    """One user's history and recommendations, as titles; `chosen` are titles the user did choose later."""

    user: str
    history: Sequence[str]
    recommended: Sequence[str]
    chosen: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Report:
    """All that goes into a report; only `title` and `warm` are needed.

    Attributes:
        title: heading, usually the name of the recommender.
        warm, cold: evaluations on known and on held-out items; `further`: on other tasks of the same protocol.
        metric: the metric that decides, such as `ndcg@10`.
        reasons: why the model is not blessed, from `check_gates`; empty if it is, None if no gate was asked.
        alarms: what is wrong with the model or its data, see docs/alarms.md.
        data: the data report as JSON: counts, and quarantined rows by reason, nested at will.
        data_summary: the data report as sentences; those that start with spaces belong to the one before.
        drift: how far the data have moved since the last blessed model.
        training: metrics by name for each epoch, validation ones prefixed by `val_`.
        configuration: settings, nested at will.
        versions: version by package.
        examples: recommendations to look at.
        created: date and time as text.
    """

    title: str
    warm: Evaluation
    cold: Evaluation | None = None
    metric: str = "ndcg@10"
    reasons: Sequence[str] | None = None
    alarms: Sequence[Alarm] = ()
    data: Mapping[str, Any] | None = None
    data_summary: Sequence[str] = ()
    drift: Drift | None = None
    training: Sequence[Mapping[str, float]] = ()
    configuration: Mapping[str, Any] | None = None
    versions: Mapping[str, str] | None = None
    examples: Sequence[Example] = ()
    created: str = ""
    further: Sequence[Evaluation] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON document; `blessed` is None if no gate was asked."""
        return {
            "title": self.title,
            "created": self.created,
            "metric": self.metric,
            "blessed": None if self.reasons is None else not self.reasons,
            "reasons": None if self.reasons is None else list(self.reasons),
            "alarms": [alarm.to_json() for alarm in self.alarms],
            "warm": self.warm.to_json(),
            "further": [evaluation.to_json() for evaluation in self.further],
            "cold": None if self.cold is None else self.cold.to_json(),
            "data": self.data,
            "data_summary": list(self.data_summary),
            "drift": None if self.drift is None else self.drift.to_json(),
            "training": [dict(epoch) for epoch in self.training],
            "configuration": self.configuration,
            "versions": self.versions,
            "examples": [dataclasses.asdict(example) for example in self.examples],
        }


def write_report(report: Report, directory: str, name: str = "report") -> tuple[str, str]:
    """Write `name`.html and `name`.json into `directory`, each renamed into place, and return their paths.

    Raises:
        DataError: if they cannot be written.
    """
    texts = {
        "html": report_html(report),
        "json": json.dumps(report.to_json(), indent=1, ensure_ascii=False, default=_json_value) + "\n",
    }
    paths = {kind: os.path.join(directory, f"{name}.{kind}") for kind in texts}
    for kind, path in paths.items():
        write_text(path, texts[kind])
    return paths["html"], paths["json"]


def report_html(report: Report) -> str:
    """The report as one HTML page without external resources, readable in light and in dark, on paper and by ear."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfrec.evaluation"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(label=wording.label, p_value=wording.p_value)
    environment.globals.update(number=wording.number, verdict=wording.verdict, best=_best_name)
    report = dataclasses.replace(report, metric=_measured(report.metric, report.warm))
    k = int(report.metric.partition("@")[2])
    return environment.get_template("report.html.j2").render(
        report=report,
        k=k,
        headline=wording.headline(report.warm, report.metric),
        beyond=[f"{name}@{k}" for name in wording.BEYOND],
        every_accuracy=[f"{name}@" for name in METRICS],
        every_beyond=[f"{name}@" for name in wording.BEYOND],
        meanings=[(wording.LABELS[name], meaning) for name, meaning in wording.MEANINGS.items()],
        sections=[
            _section(evaluation, _measured(report.metric, evaluation))
            for evaluation in (report.warm, report.cold)
            if evaluation is not None
        ],
        further=[_section(evaluation, _measured(report.metric, evaluation)) for evaluation in report.further],
        popularity=Markup(plots.popularity_bars(report.warm)),
        training=Markup(plots.training_curves(report.training, report.metric)),
    )


def _measured(metric: str, evaluation: Evaluation) -> str:
    """The metric, at the largest cut-off there is where fewer items than asked for compete."""
    name, _, k = metric.partition("@")
    return metric if int(k) in evaluation.ks else f"{name}@{max(evaluation.ks)}"


def _section(evaluation: Evaluation, metric: str) -> dict[str, Any]:
    """An evaluation, the metrics to show of it, and its plots, which are markup made by this package."""
    k = int(metric.partition("@")[2])
    return {
        "evaluation": evaluation,
        "metric": metric,
        "accuracy": [f"{name}@{k}" for name in wording.ACCURACY],
        "bars": Markup(plots.metric_bars(evaluation, k)),
        "curves": Markup(plots.metric_curves(evaluation)) if len(evaluation.ks) > 1 else "",
    }


def _best_name(evaluation: Evaluation, metric: str) -> str:
    outcome = wording.best_outcome(metric, evaluation.outcomes)
    return "" if outcome is None else outcome.name


def _json_value(value: Any) -> Any:
    """What `json` does not know: NumPy numbers and arrays as Python's, dataclasses as mappings, all else as text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
