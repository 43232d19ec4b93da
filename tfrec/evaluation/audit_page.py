"""An audit of modalities as tables and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfrec.evaluation.audit import ALL, IDS, Trial, Verdict, rule
from tfrec.evaluation.quality_page import markdown_table, spread_text
from tfrec.evaluation.seeds import Comparison
from tfrec.evaluation.wording import label, machine_sentence, p_value

SHOWN = ("ndcg", "recall")


def trial_table(trial: Trial, encoding: Mapping[str, float]) -> list[list[str]]:
    """Header and rows: a variant each, with how far it is from all modalities and from ids only, and what it costs.

    Args:
        encoding: seconds that encoding the catalogue takes, by modality with a frozen encoder.
    """
    metrics = [f"{name}@{trial.k}" for name in SHOWN]
    header = ["", *map(label, metrics), f"minus {ALL}"]
    header += [f"minus {IDS}"] if trial.against_ids else []
    header += ["s to encode"] if encoding else []
    rows = [[*header, "s to train"]]
    for variant, kept in trial.kept.items():
        spreads = trial.against_all.metrics[variant]
        row = [variant, *(spread_text(metric, spreads[metric], metric == trial.metric) for metric in metrics)]
        row.append(_apart(trial.against_all, variant, trial.metric))
        row += [_apart(trial.against_ids, variant, trial.metric)] if trial.against_ids else []
        row += [f"{sum(encoding.get(name, 0.0) for name in kept):.1f}"] if encoding else []
        seconds = trial.seconds.get(variant)
        # What was not trained by itself is the model of all modalities with some of them hidden.
        row.append(f"{sum(seconds) / len(seconds):.1f}" if seconds else f"as {ALL}")
        rows.append(row)
    return rows


def audit_markdown(
    title: str,
    trials: Sequence[Trial],
    judged: Sequence[Verdict],
    encoding: Mapping[str, float],
    how: str,
    part: str,
    command: str,
    environment: Mapping[str, Any],
) -> str:
    """The page: what is said of each modality, the tables, how it was measured, the machine and versions.

    Args:
        encoding: seconds that encoding the catalogue takes, by modality with a frozen encoder.
        how: how a variant was made, in words.
        part: `validation` or `test`.
    """
    lines = [f"# {title}", "", "```", command, "```", ""]
    lines += [f"- {verdict.sentence}" for verdict in judged]
    lines += ["", _conclusion(judged), "", rule(trials), "", how, ""]
    for trial in trials:
        comparison = trial.against_all
        lines += [f"## {trial.items}: {trial.protocol.name}", "", *markdown_table(trial_table(trial, encoding)), ""]
        lines += [f"{trial.protocol.measured} {_part(part)}", ""]
        lines += [
            f"{comparison.users:,.0f} users, {comparison.candidates:,.0f} candidates, seeds "
            f"{', '.join(map(str, comparison.seeds))}; ± is the standard deviation between seeds; p of a t-test paired "
            f"by user, each user with the mean over seeds; {_costs(encoding)}.",
            "",
        ]
    lines += ["## Machine and versions", ""]
    lines += [machine_sentence(environment)]
    return "\n".join(lines) + "\n"


def _conclusion(judged: Sequence[Verdict]) -> str:
    harmful = [verdict.modality for verdict in judged if verdict.harmful]
    if not harmful:
        return "No modality is harmful."
    told = f"To be switched off: `model.without: [{', '.join(harmful)}]`."
    if len(harmful) > 1:
        told += " Each was judged with the others there, so audit again once they are off."
    return told


def _costs(encoding: Mapping[str, float]) -> str:
    told = "seconds to train are means over seeds of a whole training, with whatever encoder is trained in it"
    if not encoding:
        return told
    frozen = "are those of frozen encoders over the catalogue, spent once, because their vectors are cached"
    return f"seconds to encode {frozen}; {told}"


def _part(part: str) -> str:
    if part == "test":
        return "Measured on the test part."
    return "Measured on a validation part cut from the training part by the same rule; the test part was not looked at."


def _apart(comparison: Comparison, variant: str, metric: str) -> str:
    if variant not in comparison.contrasts:
        return ""
    contrast = comparison.contrasts[variant][metric]
    if contrast.difference is None:
        return "–"
    return f"{-contrast.difference:+.4f} (p {p_value(contrast.p_value)})"
