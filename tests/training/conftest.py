"""Interactions and item inputs made of numbers, for tests of sampling."""

import numpy as np
import pytest

from tfrec.encoders.item_inputs import ItemInputs
from tfrec.training.batches import Batches
from tfrec.training.interactions import Interactions
from tfrec.training.rows import RowSampler

ITEMS, USERS = 60, 37


def random_pairs(seed=0, users=USERS, items=ITEMS, longest=20):
    """Interactions of `users` users; the first item numbers are the popular ones, the last ten nobody touched."""
    random = np.random.default_rng(seed)
    chances = 1 / (np.arange(items - 10) + 3.0)
    histories = [
        random.choice(items - 10, random.integers(1, longest), replace=False, p=chances / chances.sum())
        for _ in range(users)
    ]
    missed = np.setdiff1d(np.arange(items - 10), np.concatenate(histories))
    histories = [np.append(past, missed[number::users]) for number, past in enumerate(histories)]
    item = np.concatenate(histories).astype(np.int32)
    return Interactions(
        indptr=np.concatenate([[0], np.cumsum([len(history) for history in histories])]).astype(np.int64),
        item=item,
        weight=random.integers(1, 4, len(item)).astype(np.float32),
        event=np.arange(len(item)),
    )


def make_batches(
    objective="masked", candidates=25, pairs=None, batch_size=7, search=True, history_dropout=0.2, members=1
):
    pairs = random_pairs() if pairs is None else pairs
    sampler = RowSampler(pairs, objective, batch_size, history=6, targets=5, history_dropout=history_dropout)
    owner = np.repeat(np.arange(0, ITEMS, 2), 2).astype(np.int32)
    inputs = ItemInputs(
        {"id": np.arange(ITEMS, dtype=np.int32), "text": np.arange(ITEMS * 3, dtype=np.float32).reshape(ITEMS, 3)},
        owner[:, np.newaxis].astype(np.float32) if search else None,
        owner if search else np.zeros(0, np.int32),
    )
    users = {"country": np.arange(USERS, dtype=np.int32) + 2}
    context = {"hour": np.stack([np.arange(len(pairs.item)), np.ones(len(pairs.item))], axis=1).astype(np.float32)}
    allowed = np.arange(ITEMS) < ITEMS - 10
    return Batches(sampler, pairs, inputs, users, context, candidates, allowed, members)


@pytest.fixture
def pairs():
    return random_pairs()


@pytest.fixture
def batches():
    return make_batches
