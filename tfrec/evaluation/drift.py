"""How far the data lie from those of the last blessed model (drift), and test events from those trained on (skew)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

_WHAT = {
    "drift": "differs from the data of the last blessed model",
    "skew": "differs between the events trained on and the test part",
}


@dataclasses.dataclass(frozen=True)
class Distance:
    """One feature's distance.

    Attributes:
        kind: `drift` or `skew`.
        table: events, users or items; `feature`: its name.
        measure: `L-infinity` (the largest difference of a value's share) or `Jensen-Shannon` (divergence, base 2).
        value: from 0, the same, to 1, nothing in common.
        chance: how far two samples of these sizes lie apart on average if nothing has moved; 0 for numbers.
        most: the value whose share differs most, "" where the measure does not tell.
    """

    kind: str
    table: str
    feature: str
    measure: str
    value: float
    most: str = ""
    chance: float = 0.0


@dataclasses.dataclass(frozen=True)
class Drift:
    """All distances of a run; `threshold` is how far beyond chance is not remarked on.

    `compared` tells whether there was a blessed model whose data could be compared with.
    """

    threshold: float
    compared: bool
    distances: tuple[Distance, ...]

    def sentences(self) -> list[str]:
        """A sentence for each distance above the threshold, the largest first."""
        above = [distance for distance in self.distances if self._is_above(distance)]
        return [self._sentence(distance) for distance in sorted(above, key=lambda distance: -distance.value)]

    def _is_above(self, distance: Distance) -> bool:
        return distance.value - distance.chance > self.threshold

    def _sentence(self, distance: Distance) -> str:
        most = f', most in "{distance.most}"' if distance.most else ""
        chance = f", {distance.chance:.3f} of it by chance," if distance.chance >= 0.001 else ""
        return (
            f"{distance.feature} of {distance.table} {_WHAT[distance.kind]}: {distance.measure} {distance.value:.3f}"
            f"{chance} is above {self.threshold:g}{most}."
        )

    def rows(self) -> list[dict[str, Any]]:
        """The distances as a table's rows, the largest first."""
        return [
            {
                "": distance.kind,
                "table": distance.table,
                "feature": distance.feature,
                "measure": distance.measure,
                "distance": round(distance.value, 4),
                "by chance": round(distance.chance, 4),
                "above the threshold": self._is_above(distance),
                "most in": distance.most,
            }
            for distance in sorted(self.distances, key=lambda distance: -distance.value)
        ]

    def to_json(self) -> dict[str, Any]:
        """As mappings and lists."""
        return {**dataclasses.asdict(self), "sentences": self.sentences()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Drift:
        """Make it from what `to_json` gave."""
        distances = tuple(Distance(**distance) for distance in document["distances"])
        return cls(document["threshold"], document["compared"], distances)
