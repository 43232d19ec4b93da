"""Who touched what, as numbers: made up with a fixed seed, or MovieLens 100K; the rows that speed is measured on."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
from scipy import sparse

from tfrec.data.tables import Catalogue, Dataset, Events, Users
from tfrec.errors import DataError

USERS, ITEMS, TRAIN, TEST = 943, 1682, 80_000, 20_000  # The size of MovieLens 100K, divided as the TFRS tutorial does.
SEED = 42


@dataclasses.dataclass(frozen=True)
class Ratings:
    """Pairs of a user and an item, numbered from 0 and each only once, divided into two parts.

    Attributes:
        name: what the rows are, for the page.
        users, items: how many there are.
        train, test: int32 [E, 2], user and item.
    """

    name: str
    users: int
    items: int
    train: np.ndarray
    test: np.ndarray

    @property
    def user_ids(self) -> np.ndarray:
        """What the users are called, object array of str [users]."""
        return np.array([f"user {number}" for number in range(self.users)], dtype=object)

    @property
    def item_ids(self) -> np.ndarray:
        """What the items are called, object array of str [items]."""
        return np.array([f"item {number}" for number in range(self.items)], dtype=object)

    def matrix(self, part: np.ndarray) -> sparse.csr_matrix:
        """A part as a matrix [users, items] of ones."""
        ones = np.ones(len(part), np.float32)
        return sparse.csr_matrix((ones, (part[:, 0], part[:, 1])), shape=(self.users, self.items))

    def dataset(self) -> Dataset:
        """The rows as what `tfrec.training.trainer.train` takes; there is no validation part."""
        nothing = np.zeros((0, 2), np.int32)
        return Dataset(
            Catalogue(self.item_ids, self.item_ids, {}),
            Users(self.user_ids, {}),
            train=events_of(self.train),
            validation=events_of(nothing),
            test=events_of(self.test),
            cold=events_of(nothing),
            held_out=np.zeros(0, np.int32),
        )


def made_up(train: int = TRAIN, test: int = TEST, users: int = USERS, items: int = ITEMS, seed: int = SEED) -> Ratings:
    """Rows of people with tastes: few items are popular, few users are busy, and users touch what is near to them."""
    random = np.random.default_rng(seed)
    taste = random.normal(size=(users, 8))
    kind = random.normal(size=(items, 8)) * 0.4
    merit = taste @ kind.T - 1.2 * np.log(random.permutation(items) + 20.0)
    busy = random.lognormal(0.0, 1.0, users)
    # A sample without replacement: the best of merits with Gumbel noise, as many as the user is busy.
    ranked = np.argsort(-(merit + random.gumbel(size=merit.shape)), axis=1)
    most = items // 2
    counts = np.clip((busy / busy.sum() * (train + test) * 1.3).astype(np.int64) + 2, 2, most)
    rows = np.repeat(np.arange(users), counts)
    columns = np.concatenate([best[:count] for best, count in zip(ranked, counts)])
    pairs = random.permutation(np.stack([rows, columns], axis=1).astype(np.int32))
    if len(pairs) < train + test:
        raise DataError(f"{users} users and {items} items make {len(pairs)} rows; ask for at most as many")
    return Ratings(
        f"made up, seed {seed}: {train:,} rows of {users:,} users and {items:,} items",
        users,
        items,
        pairs[:train],
        pairs[train : train + test],
    )


def movielens(folder: str, seed: int = SEED) -> Ratings:
    """MovieLens 100K of an unpacked release: all ratings count, 80,000 drawn at random train as in the TFRS tutorial.

    Raises:
        DataError: if the folder holds no `u.data`.
    """
    path = os.path.join(folder, "u.data")
    if not os.path.isfile(path):
        raise DataError(f"{folder} holds no u.data; give the folder of the unpacked MovieLens 100K release")
    pairs = np.loadtxt(path, np.int64, usecols=(0, 1)).astype(np.int32) - 1
    pairs = np.random.default_rng(seed).permutation(pairs)
    return Ratings(
        f"MovieLens 100K: {TRAIN:,} ratings of {USERS:,} users and {ITEMS:,} films",
        USERS,
        ITEMS,
        pairs[:TRAIN],
        pairs[TRAIN:],
    )


def events_of(pairs: np.ndarray) -> Events:
    """Events of pairs int32 [E, 2] of a user and an item, one a second."""
    count = len(pairs)
    return Events(
        user=pairs[:, 0].copy(),
        item=pairs[:, 1].copy(),
        time=np.arange(count, dtype=np.int64),
        type=np.full(count, "", object),
        weight=np.ones(count, np.float32),
        value=np.full(count, np.nan, np.float32),
    )
