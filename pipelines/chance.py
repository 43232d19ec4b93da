"""How far two samples of the same values lie apart by chance alone, from the statistics that TFDV keeps of them.

Few events over many values differ although nothing has moved: 24,000 events and 6,000 later ones over 50,000 items lie
.3 apart by Jensen-Shannon if people do exactly what they did. An alarm that takes no account of it rings for ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

DRAWS = 5
Counts = np.ndarray
Measure = Callable[[Counts, Counts], float]


def l_infinity(one: Counts, other: Counts) -> float:
    """The largest difference of a value's share, from counts of the same values."""
    return float(np.abs(one / one.sum() - other / other.sum()).max())


def jensen_shannon(one: Counts, other: Counts) -> float:
    """The Jensen-Shannon divergence, base 2, of counts of the same values (Lin, 1991)."""
    shares = one / one.sum(), other / other.sum()
    middle = (shares[0] + shares[1]) / 2
    return float(sum(np.sum(s[s > 0] * np.log2(s[s > 0] / middle[s > 0])) for s in shares) / 2)


def by_chance(
    one: statistics_pb2.FeatureNameStatistics, other: statistics_pb2.FeatureNameStatistics, measure: Measure
) -> float:
    """The mean distance of samples of these sizes drawn from what both have together.

    Args:
        one, other: of a feature with values that TFDV counts one by one; the most frequent ones are listed in each.
        measure: `l_infinity` or `jensen_shannon`.

    Returns:
        0 for features whose values are not counted one by one, as numbers.
    """
    samples = _Sample.of(one), _Sample.of(other)
    if not all(sample.listed for sample in samples):
        return 0.0
    shares = _together(*samples)
    random = np.random.default_rng(0)
    return float(np.mean([measure(*(sample.redrawn(shares, random) for sample in samples)) for _ in range(DRAWS)]))


@dataclasses.dataclass(frozen=True)
class _Sample:
    """How often the most frequent values occur, how rare the last of them is, how many values there are and occur."""

    listed: dict[str, float]
    rarest: float
    unique: int
    size: int

    @classmethod
    def of(cls, statistics: statistics_pb2.FeatureNameStatistics) -> _Sample:
        strings = statistics.string_stats
        listed = {bucket.label: bucket.sample_count for bucket in strings.rank_histogram.buckets}
        size = round(strings.common_stats.num_non_missing * strings.common_stats.avg_num_values)
        return cls(listed, min(listed.values(), default=0.0), max(int(strings.unique), len(listed)), size)

    def count(self, value: str, share: float) -> float:
        """How often a value occurs that has a share of the other sample."""
        if value in self.listed:
            return self.listed[value]
        # What is not listed is rarer than all that is, and else as frequent as in the other sample.
        return min(self.rarest, share * self.size) if len(self.listed) < self.unique else 0.0

    def redrawn(self, shares: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Counts of a sample of the same size, 0 for all but as many of the most frequent values as are listed here."""
        drawn = random.multinomial(self.size, shares)
        counts = np.zeros_like(drawn)
        kept = np.argsort(-drawn, kind="stable")[: len(self.listed) if len(self.listed) < self.unique else None]
        counts[kept] = drawn[kept]
        return counts


def _together(one: _Sample, other: _Sample) -> np.ndarray:
    """Shares of the values in both samples; those that neither lists have the rest in equal parts."""
    values = list({**one.listed, **other.listed})
    counts = np.array(
        [
            one.count(value, other.listed.get(value, 0.0) / other.size)
            + other.count(value, one.listed.get(value, 0.0) / one.size)
            for value in values
        ]
    )
    unlisted = max(one.unique, other.unique) - len(values)
    if unlisted > 0:
        rest = max(one.size + other.size - counts.sum(), 0.0)
        counts = np.concatenate([counts, np.full(unlisted, rest / unlisted)])
    return counts / counts.sum()
