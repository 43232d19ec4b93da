"""Why an item is recommended, as the signature `explain` says it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Reason:
    """A part of a score: of an item of the history, or of a feature; `title` is that of the item, or ""."""

    name: str
    amount: float
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What a score is the sum of.

    The score is `general` plus the amounts of `history` and of `features`. Split by what the item shows instead, it is
    the sum of `modalities`.

    Attributes:
        item_id, title, score: of the item.
        general: what anybody with a history of this length would add to its score.
        history: the items of the history, the largest amount first.
        features: user features and context that add something, the largest amount first.
        modalities: what each modality of the item adds, by name; `id` is what the item has without its content.
    """

    item_id: str
    title: str
    score: float
    general: float
    history: tuple[Reason, ...]
    features: tuple[Reason, ...]
    modalities: Mapping[str, float]


def explanations(
    item_ids: Sequence[str], outputs: Mapping[str, np.ndarray], titles: Mapping[str, str]
) -> list[Explanation]:
    """The reasons for the first of `item_ids`, as many as there are in the outputs of `explain` for one request."""
    history = [item.decode("utf-8") for item in outputs["history_ids"][0]]
    features = [name.decode("utf-8") for name in outputs["feature_names"][0]] if "features" in outputs else []
    modalities = [name.decode("utf-8") for name in outputs["modality_names"][0]]
    found = []
    for number, item_id in enumerate(item_ids[: outputs["scores"].shape[1]]):
        of_history = zip(history, outputs["history"][0, number].tolist())
        of_features = zip(features, outputs["features"][0, number].tolist()) if features else ()
        found.append(
            Explanation(
                item_id,
                titles.get(item_id, ""),
                float(outputs["scores"][0, number]),
                float(outputs["general"][0, number]),
                _sorted(Reason(name, amount, titles.get(name, "")) for name, amount in of_history if name),
                _sorted(Reason(name, amount) for name, amount in of_features if amount),
                dict(zip(modalities, outputs["modalities"][0, number].tolist())),
            )
        )
    return found


def _sorted(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: -reason.amount))
