"""Whether a model may be pushed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfrec.alarms.alarm import BELOW_MOST_POP, Alarm
from tfrec.config import Gates
from tfrec.evaluation.audit_record import AuditRecord
from tfrec.evaluation.drift import Drift
from tfrec.evaluation.result import Evaluation


def check_gates(gates: Gates, evaluation: Evaluation, alarms: Sequence[Alarm] = ()) -> list[str]:
    """Return why the model is not blessed, one sentence each; an empty list blesses it.

    Every alarm is a reason, but for a result below MostPop: which baselines a model must be better than, and by what
    margin, the gates say.
    """
    return [*_missed(gates, evaluation), *(_reason(alarm) for alarm in alarms if alarm.name != BELOW_MOST_POP)]


def check_served(gates: Gates, evaluation: Evaluation, served: str, caution: str = "") -> list[str]:
    """Return why the model is not blessed beside the one that is served; see `tfrec.config.Gates.served`.

    Args:
        served: the name under which the served model was evaluated on the same users.
        caution: a sentence that is added to a reason.
    """
    metric = gates.metric
    found = evaluation.difference(served, metric)
    if gates.served == "ignore" or found is None or found.value is None:
        return []
    certain = found.p_value is not None and found.p_value < 1 - evaluation.confidence
    if found.value > 0 or (gates.served == "not-worse" and not (found.value < 0 and certain)):
        return []
    ours, theirs = (evaluation.outcome(name).metrics[metric].value for name in (evaluation.model.name, served))
    p_value = (
        "" if found.p_value is None else f", p {found.p_value:.2g} by a paired t-test over {evaluation.users} users"
    )
    reason = (
        f"{metric} is {ours:.4f} on {evaluation.task}, and that of the {served} {theirs:.4f}{p_value}; "
        f"gates.served asks for a model that is {gates.served.replace('-', ' ')}."
    )
    return [f"{reason} {caution}".rstrip()]


def check_drift(gates: Gates, drift: Drift | None) -> list[str]:
    """Return why the model is not blessed by how far its data have moved; see `tfrec.config.Gates.drift`."""
    if drift is None or gates.drift != "block":
        return []
    hint = "Look at the data; if they are right, set gates.drift to warn for a run."
    return [f"{sentence} {hint}" for sentence in drift.sentences()]


def check_modalities(audit: AuditRecord, read: Sequence[str]) -> list[str]:
    """Return why a model that reads the item features `read` is not blessed, by what an audit found.

    What the audit has not measured may do harm too, so it is a reason as well.
    """
    reasons = []
    for modality in audit.harmful:
        if set(audit.features[modality]) & set(read):
            reasons.append(
                f"The model reads {modality}, which does harm by the audit {audit.path}: {audit.sentences[modality]} "
                f"Switch it off with model.without: [{modality}] and train again."
            )
    audited = {name for features in audit.features.values() for name in features}
    unknown = [name for name in read if name not in audited]
    if unknown:
        reasons.append(
            f"The model reads {', '.join(unknown)}, which the audit {audit.path} did not measure; run `tfrec audit` "
            "again."
        )
    return reasons


def check_index(index: Mapping[str, Any], recall: float) -> list[str]:
    """Return why a model is not blessed by how its index was measured; an exact one finds all.

    Args:
        index: what the manifest says of it, see `tfrec.index.making`.
        recall: the share of the best items that is asked of it.
    """
    if index.get("kind", "exact") == "exact":
        return []
    reached = index.get("recall")
    if reached is not None and reached >= recall:
        return []
    measured = "was not measured" if reached is None else f"found {reached:.1%} of the best items"
    return [
        f"The {index['kind']} index {measured}, and serving.recall asks for {recall:.1%}; export again, or set "
        "serving.index to exact."
    ]


def _reason(alarm: Alarm) -> str:
    return f"{alarm.title}: {alarm.seen}."


def _missed(gates: Gates, evaluation: Evaluation) -> list[str]:
    metric = gates.metric
    estimate = evaluation.model.metrics.get(metric)
    if estimate is None:
        return [f"The gate asks for {metric}, which was not measured; measured were {_names(evaluation)}."]
    if estimate.value is None:
        return [f"{evaluation.model.name} has no finite {metric} on {evaluation.task}, so it cannot be judged."]
    reasons = [_not_better(gates, evaluation, baseline, estimate.value) for baseline in gates.better_than]
    reasons.append(_too_narrow(gates, evaluation))
    return [reason for reason in reasons if reason]


def _not_better(gates: Gates, evaluation: Evaluation, baseline: str, value: float) -> str:
    outcome = next((outcome for outcome in evaluation.baselines if outcome.name == baseline), None)
    if outcome is None:
        named = ", ".join(outcome.name for outcome in evaluation.baselines) or "none"
        return f"The gate compares with {baseline}, which was not evaluated; evaluated baselines: {named}."
    reached = outcome.metrics[gates.metric].value
    if reached is None:
        return f"{baseline} has no finite {gates.metric} on {evaluation.task}, so the model cannot be compared with it."
    if value > reached * gates.margin:
        return ""
    times = "" if gates.margin == 1 else f"{gates.margin:g} times "
    return (
        f"{gates.metric} is {value:.4f} on {evaluation.task}, which is not better than {times}{baseline} "
        f"({reached:.4f})."
    )


def _too_narrow(gates: Gates, evaluation: Evaluation) -> str:
    if gates.minimum_coverage <= 0:
        return ""
    name = f"coverage@{gates.metric.partition('@')[2]}"
    coverage = evaluation.model.metrics[name].value or 0.0
    if coverage >= gates.minimum_coverage:
        return ""
    return f"{name} is {coverage:.1%} of the candidates, below the required {gates.minimum_coverage:.1%}."


def _names(evaluation: Evaluation) -> str:
    return ", ".join(sorted(evaluation.model.metrics))
