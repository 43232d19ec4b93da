"""A made-up catalogue and log of any size, written piece by piece: clusters of tastes, popularity like Zipf's law.

Items stand in clusters of constant size, so that a larger catalogue has more of them and is as hard as a small one for
each user. A user likes three clusters, one more than the others; within a cluster few items get most of the events. The
log is in the order of time, as logs are, and one row in a thousand is faulty.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

CLUSTER = 1000  # Items.
LIKED = (0.6, 0.25, 0.1)  # The shares of a user's events in each cluster they like; the rest is anywhere.
EXPONENT = 0.9  # Of popularity within a cluster.
FAULTY = 0.001
START, YEAR = 1_700_000_000, 365 * 86_400
PIECE = 500_000  # Events that are made and written at once.


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is made up."""

    items: int
    users: int
    events: int

    def share(self, share: float) -> Sizes:
        """A part of it, each number alike."""
        return Sizes(*(max(1, round(share * number)) for number in dataclasses.astuple(self)))


FULL = Sizes(items=1_000_000, users=1_000_000, events=20_000_000)


def write_made_up(folder: str, sizes: Sizes, seed: int, ending: str = ".parquet") -> dict[str, str]:
    """Write items and events below `folder` and return their paths by name.

    Args:
        ending: .parquet or .csv.
    """
    os.makedirs(folder, exist_ok=True)
    paths = {name: os.path.join(folder, f"{name}{ending}") for name in ("items", "events")}
    _write(paths["items"], _items(sizes.items, seed))
    _write(paths["events"], _events(sizes, seed))
    return paths


def _write(path: str, pieces: Iterator[pa.Table]) -> None:
    first = next(pieces)
    kind = pq.ParquetWriter if path.endswith(".parquet") else pyarrow.csv.CSVWriter
    with kind(path, first.schema) as writer:
        writer.write_table(first)
        for piece in pieces:
            writer.write_table(piece)


def _items(count: int, seed: int) -> Iterator[pa.Table]:
    random = np.random.default_rng([seed, 1])
    for start in range(0, count, PIECE):
        number = np.arange(start, min(start + PIECE, count))
        cluster = number // CLUSTER
        yield pa.table(
            {
                "item_id": _names("i", number),
                "title": pc.binary_join_element_wise(_names("Item ", number), _names("kind ", cluster % 50), " of "),
                "kind": _names("kind-", cluster % 50),
                "price": np.round(np.exp(random.normal(2.0 + cluster % 7 / 10, 0.5, len(number))), 2),
            }
        )


def _events(sizes: Sizes, seed: int) -> Iterator[pa.Table]:
    random = np.random.default_rng([seed, 2])
    clusters = -(-sizes.items // CLUSTER)
    liked = random.integers(0, clusters, (sizes.users, len(LIKED)), np.int32)
    user = _authors(sizes, random)
    limits = np.cumsum(LIKED)
    for start in range(0, sizes.events, PIECE):
        who = user[start : start + PIECE]
        taste = np.searchsorted(limits, random.random(len(who)))
        anywhere = taste == len(LIKED)
        cluster = liked[who, np.minimum(taste, len(LIKED) - 1)]
        cluster[anywhere] = random.integers(0, clusters, int(anywhere.sum()))
        width = np.minimum(CLUSTER, sizes.items - cluster * CLUSTER)
        item = cluster * CLUSTER + _zipf(width, random.random(len(who)))
        time = START + (np.arange(start, start + len(who)) * (YEAR / sizes.events)).astype(np.int64)
        faulty = np.flatnonzero(random.random(len(who)) < FAULTY)
        item[faulty] += sizes.items  # Of a catalogue that they are not in.
        yield pa.table(
            {
                "user_id": _names("u", who),
                "item_id": _names("i", item),
                "time": time,
                "type": pa.DictionaryArray.from_arrays(
                    (random.random(len(who)) < 0.2).astype(np.int8), ["view", "buy"]
                ).cast(pa.string()),
            }
        )


def _authors(sizes: Sizes, random: np.random.Generator) -> np.ndarray:
    """Who made each event, int32 [E]: some users make many times as many as others."""
    activity = np.exp(random.normal(0, 0.7, sizes.users))
    ends = np.cumsum(activity) * (sizes.events / activity.sum())
    user = np.repeat(np.arange(sizes.users, dtype=np.int32), np.diff(np.round(ends).astype(np.int64), prepend=0))
    return random.permutation(user)


def _zipf(width: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Ranks int64 from 0 to `width`, the r-th as likely as (r + 1)^-EXPONENT nearly, by inversion of that density."""
    power = 1 - EXPONENT
    rank = ((width + 1.0) ** power * uniform + (1 - uniform)) ** (1 / power) - 1
    return np.minimum(rank.astype(np.int64), width - 1)


def _names(prefix: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")
