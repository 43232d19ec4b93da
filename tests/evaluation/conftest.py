"""Small data sets for the tests of evaluation."""

import numpy as np
import pytest

from tfrec.data.tables import Catalogue, Dataset, Events, Users


def make_events(pairs, time=None, weight=None):
    """Events of (user, item) pairs."""
    count = len(pairs)
    user, item = np.array(pairs, np.int32).reshape(count, 2).T
    return Events(
        user=user,
        item=item,
        time=np.arange(count) if time is None else np.array(time, np.int64),
        type=np.full(count, "", object),
        weight=np.ones(count, np.float32) if weight is None else np.array(weight, np.float32),
        value=np.full(count, np.nan, np.float32),
    )


def make_dataset(users, items, train, validation=(), test=(), cold=(), held_out=()):
    """A data set of which only the events matter."""
    names = [np.array([f"{kind}{row}" for row in range(count)], object) for kind, count in (("u", users), ("i", items))]
    return Dataset(
        catalogue=Catalogue(names[1], names[1], {}),
        users=Users(names[0], {}),
        train=make_events(train),
        validation=make_events(validation),
        test=make_events(test),
        cold=make_events(cold),
        held_out=np.array(held_out, np.int32),
    )


@pytest.fixture(scope="session")
def events():
    return make_events


@pytest.fixture(scope="session")
def dataset():
    return make_dataset


@pytest.fixture(scope="session")
def taste_dataset(dataset):
    """Two groups of users, each keen on one half of 40 items; the last 8 items are held out."""
    generator = np.random.default_rng(7)
    parts = {"train": [], "validation": [], "test": [], "cold": []}
    for user in range(60):
        own = [item for item in range(40) if item % 2 == user % 2]
        for item in generator.permutation(own)[:14]:
            part = generator.choice(["train", "validation", "test"], p=[0.6, 0.1, 0.3])
            parts["cold" if item >= 32 else part].append((user, item))
    return dataset(60, 40, **parts, held_out=range(32, 40))
