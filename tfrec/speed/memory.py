"""Evaluates a large catalogue for many users with exclusions and prints time and peak memory: a process of its own."""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from scipy import sparse

from tfrec.evaluation.protocol import evaluate
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.tasks import Task
from tfrec.speed.ratings import events_of

ITEMS, USERS, WIDTH, K, EXCLUDED = 1_000_000, 100_000, 64, 10, 20
SHARE = 0.02


class PartlyRanked(EmbeddingRecommender):
    """Ranks the first users, and answers the others with the lists int32 [U, k] it is given.

    Users are ranked in blocks of constant size, one after the other, so the others would take time and no more memory.

    Attributes:
        seconds: what ranking took.
    """

    def __init__(self, queries: np.ndarray, items: np.ndarray, ranked: int, lists: np.ndarray) -> None:
        super().__init__("tfrec", queries, items)
        self.ranked, self.lists, self.seconds = ranked, lists, 0.0

    def recommend(
        self,
        users: np.ndarray,
        k: int,
        exclude: sparse.csr_matrix | None = None,
        candidates: np.ndarray | None = None,
        truth: sparse.csr_matrix | None = None,
    ) -> np.ndarray:
        first = slice(self.ranked)
        started = time.perf_counter()
        found = super().recommend(
            users[first],
            k,
            exclude=None if exclude is None else exclude[first],
            candidates=candidates,
            truth=None if truth is None else truth[first],
        )
        self.seconds = time.perf_counter() - started
        return np.concatenate([found, self.lists[self.ranked :]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--share", type=float, default=SHARE, help="of the users who are ranked")
    given = parser.parse_args()
    random = np.random.default_rng(0)
    items = random.standard_normal((given.items, given.width), np.float32)
    queries = random.standard_normal((given.users, given.width), np.float32)
    # Nobody has seen the last tenth, which the lists that are made up are of.
    unseen = given.items // 10
    shape = given.users, given.items
    exclude = _each(random.integers(0, given.items - unseen, (given.users, EXCLUDED), np.int32), shape)
    truth = _each(given.items - 1 - random.integers(0, unseen, (given.users, 1), np.int32), shape)
    lists = given.items - 1 - (random.integers(0, unseen, (given.users, 1)) + np.arange(K)) % unseen
    ranked = max(1, int(given.share * given.users))
    task = Task(
        "all users",
        np.arange(given.users, dtype=np.int32),
        truth,
        exclude,
        np.arange(given.items, dtype=np.int32),
        events_of(np.zeros((0, 2), np.int32)),  # What evaluation does not look at.
        exclude,
        exclude,
        {},
    )
    inputs = peak_bytes()
    recommender = PartlyRanked(queries, items, ranked, lists.astype(np.int32))
    outcome = evaluate(recommender, [], task, (K,), item_vectors=items).model
    print(
        json.dumps(
            {
                "items": given.items,
                "users": given.users,
                "width": given.width,
                "k": K,
                "excluded": EXCLUDED,
                "share": given.share,
                "ranked": ranked,
                "seconds": recommender.seconds,
                "input_bytes": inputs,
                "peak_bytes": peak_bytes(),
                "metrics": {name: estimate.value for name, estimate in outcome.metrics.items()},
            }
        )
    )


def _each(columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    """The items int32 [U, X] of each user as a matrix of ones [U, N]."""
    starts = np.arange(0, columns.size + 1, columns.shape[1])
    return sparse.csr_matrix((np.ones(columns.size, np.float32), columns.ravel(), starts), shape)


def peak_bytes() -> int:
    """The largest resident size of this program so far.

    Linux's own record of it: getrusage's also counts the process that started this one.
    """
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main()
