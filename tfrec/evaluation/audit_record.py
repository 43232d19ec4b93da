"""An audit as a JSON document, and what the gates read of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfrec.errors import DataError
from tfrec.evaluation.audit import Trial, Verdict, rule


@dataclasses.dataclass(frozen=True)
class AuditRecord:
    """What a written audit says.

    Attributes:
        path: where it was read from.
        features: the item features of each audited modality.
        sentences: what is said of each modality.
        harmful: the modalities that are to be switched off.
    """

    path: str
    features: Mapping[str, tuple[str, ...]]
    sentences: Mapping[str, str]
    harmful: tuple[str, ...]


def audit_document(
    trials: Sequence[Trial], judged: Sequence[Verdict], features: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The part of the JSON document that the gates read, and all that was measured.

    Args:
        features: the item features of each modality.
    """
    return {
        "rule": rule(trials),
        "harmful": [verdict.modality for verdict in judged if verdict.harmful],
        "modalities": {
            verdict.modality: {
                "features": list(features[verdict.modality]),
                "harmful": verdict.harmful,
                "sentence": verdict.sentence,
                **{key: value for key, value in dataclasses.asdict(verdict).items() if key != "modality"},
            }
            for verdict in judged
        },
        "trials": [
            {
                "items": trial.items,
                "protocol": trial.protocol.name,
                "measured": trial.protocol.measured,
                "variants": {
                    variant: {"modalities": kept, "seconds": trial.seconds.get(variant)}
                    for variant, kept in trial.kept.items()
                },
                "against_all": dataclasses.asdict(trial.against_all),
                "against_ids": dataclasses.asdict(trial.against_ids) if trial.against_ids else None,
            }
            for trial in trials
        ],
    }


def read_audit(path: str, content: bytes) -> AuditRecord:
    """The audit in the JSON `content` of the file at `path`.

    Raises:
        DataError: if it is none.
    """
    try:
        document = json.loads(content)
        told = document["modalities"]
        return AuditRecord(
            path,
            {name: tuple(entry["features"]) for name, entry in told.items()},
            {name: entry["sentence"] for name, entry in told.items()},
            tuple(name for name, entry in told.items() if entry["harmful"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path} is no audit: {error!r}; write one with `tfrec audit`, or empty gates.audit") from error
