"""What an alarm is: what was seen, what was expected, what to try, and the numbers behind it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

COLLAPSE, BELOW_MOST_POP, LEAKAGE, SKEW = "collapse", "below MostPop", "leakage", "skew"


@dataclasses.dataclass(frozen=True)
class Alarm:
    """One thing that is wrong.

    Attributes:
        name: `collapse`, `below MostPop`, `leakage` or `skew`.
        seen, expected, advice: parts of a sentence, without a full stop.
        numbers: the measured values the sentence speaks of, by name.
    """

    name: str
    seen: str
    expected: str
    advice: str
    numbers: Mapping[str, float | None] = dataclasses.field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name as a heading."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def sentence(self) -> str:
        """The alarm as one sentence, without its name."""
        return f"{self.seen}; {self.expected}; {self.advice}."

    def __str__(self) -> str:
        return f"alarm, {self.name}: {self.sentence}"

    def to_json(self) -> dict[str, Any]:
        """The alarm for machines, with its sentence; a number that is not finite is None."""
        numbers = {
            name: value if value is not None and math.isfinite(value) else None for name, value in self.numbers.items()
        }
        return {**dataclasses.asdict(self), "numbers": numbers, "sentence": self.sentence}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Alarm:
        """The alarm that `to_json` gave."""
        return cls(**{field.name: document[field.name] for field in dataclasses.fields(cls)})
