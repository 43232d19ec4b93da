"""Free text is taught once the items are finished, and finds the item it is of."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.training.toy import ITEMS, make_toy
from tfrec.config import Training
from tfrec.training.search import fit_text_query

WIDTH = 24


@pytest.fixture
def library():
    """A toy whose items have three texts each, vectors of unlike lengths, and another text of each to search by."""
    random = np.random.default_rng(1)
    toy = make_toy({"kind": "category", "blurb": "text"}, dropout=0.0)
    width = toy.table.shape[1]
    table = random.normal(size=(ITEMS, width)).astype(np.float32)
    # Items differ in how popular they are, which shows in the length of their vectors.
    table *= np.exp(random.normal(0, 1.0, (ITEMS, 1))).astype(np.float32)
    meaning = random.normal(size=(ITEMS, WIDTH)).astype(np.float32)
    texts, asked = (
        np.repeat(meaning, count, axis=0) + random.normal(0, 0.1, (ITEMS * count, WIDTH)).astype(np.float32)
        for count in (3, 1)
    )
    inputs = dataclasses.replace(
        toy.inputs, search_text=texts, search_owner=np.repeat(np.arange(ITEMS, dtype=np.int32), 3)
    )
    return toy, table, inputs, asked


def ranks(toy, table, asked):
    """Where each known item stands among the known ones for a text of its own, 0 for first."""
    directions = table[toy.known] / np.linalg.norm(table[toy.known], axis=1, keepdims=True)
    scores = toy.model.text_query(tf.constant(asked[toy.known])).numpy() @ directions.T
    return (scores > np.diag(scores)[:, np.newaxis]).sum(axis=1)


@pytest.mark.parametrize("candidates", [4096, 40])
def test_a_text_that_was_not_seen_finds_its_item(library, monkeypatch, candidates):
    monkeypatch.setattr("tfrec.training.search.CANDIDATES", candidates)
    monkeypatch.setattr("tfrec.training.search.BATCH", 32)
    monkeypatch.setattr("tfrec.training.search.EPOCHS", 100)
    toy, table, inputs, asked = library
    toy.model.text_query(tf.zeros([1, WIDTH]))
    before = ranks(toy, table, asked)
    fit_text_query(toy.model, table, inputs, toy.known, Training())
    after = ranks(toy, table, asked)
    assert before.mean() > 20 and np.mean(after < 3) > 0.9


def test_texts_of_items_outside_the_training_part_teach_nothing(library):
    toy, table, inputs, _ = library
    other = dataclasses.replace(inputs, search_text=inputs.search_text.copy())
    other.search_text[~toy.known[inputs.search_owner]] = np.nan
    fit_text_query(toy.model, table, other, toy.known, Training())
    assert not any(np.isnan(weight.numpy()).any() for weight in toy.model.text_query.weights)


def test_without_texts_of_known_items_nothing_is_taught(library):
    toy, table, inputs, _ = library
    fit_text_query(toy.model, table, inputs, np.zeros(ITEMS, bool), Training())
    assert not toy.model.text_query.built
