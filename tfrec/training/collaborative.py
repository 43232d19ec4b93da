"""Trains a model whose items are a table first: encoders, table, factors, content onto the table, then free text."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfrec.config import Config
from tfrec.encoders.item_inputs import ItemInputs, encoded
from tfrec.model.build import Blueprint, build_model
from tfrec.model.embedding import Embedder
from tfrec.model.two_tower import TwoTower
from tfrec.training.factors import ROWS, set_factors, weigh_factors
from tfrec.training.fit import Prepared, Say, fit
from tfrec.training.regression import fit_regression
from tfrec.training.search import fit_text_query
from tfrec.training.validation import AlarmBell, Validation

# How many events' worth of trust the content of a known item may have; 0 trusts its events alone.
PRIORS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
ENCODER_RATE = 0.003
# The settings of `model` while encoders learn. Without ids and dropout an encoder from scratch learns more: there is
# nobody else to explain the events.
OF_ENCODERS: Mapping[str, Any] = {"content": "joint", "use_id": False, "dropout": 0.0, "temperature": 0.15}


def train_collaborative(
    config: Config,
    blueprint: Blueprint,
    prepared: Prepared,
    model: TwoTower,
    inputs: ItemInputs,
    directory: str,
    say: Say,
    begin: Callable[[Mapping, ItemInputs], None] | None = None,
) -> tuple[list[dict[str, float]], AlarmBell]:
    """Train `model`, made for `model.content: regression`, in stages; arguments and errors as of `fit`.

    `begin` is given the encoded content of the catalogue too.

    Encoders that are to be trained learn first, in a model that knows items by content alone. Then the table is
    learned from events alone, and everything that is solved for follows, which is quick and done anew each time.
    """
    if any(not encoder.frozen for encoder in prepared.encoders.values()):
        _train_encoders(config, blueprint, prepared, inputs, os.path.join(directory, "encoders"), say)
    content = encoded(inputs, prepared.encoders, model.text_feature)
    ids = ItemInputs({"id": inputs.arrays["id"]}, None, inputs.search_owner[:0])
    # The table knows of no content, so there is no encoder that could be trained with it or that it depends on.
    table_alone = dataclasses.replace(prepared, encoders={})
    at_first = (lambda batch: begin(batch, content)) if begin else None
    history, bell = fit(config, table_alone, model, ids, directory, say, at_first)
    if config.model.factors:
        set_factors(model, prepared.pairs, prepared.known, config.training.seed)
    embedder = Embedder(model, config.serving.history)
    table = embedder.items(ids)
    features = _features(config, prepared)
    known = np.flatnonzero(prepared.known)
    if config.model.factors:
        users = prepared.pairs.users()
        users = users[:: max(1, len(users) // ROWS)]  # Of millions of users most queries would be made for nothing.
        history_of_users = prepared.pairs.latest(users, config.serving.history)
        queries = embedder.queries(table, history_of_users, {name: codes[users] for name, codes in features.items()})
        weigh_factors(model, queries, table[known])
    tower = model.item_tower
    if tower.fused:
        tower.regression({name: array[:1] for name, array in content.arrays.items()})
        found = fit_regression(
            tower.regression,
            content,
            known,
            table,
            embedder,
            prepared.pairs,
            features,
            config.training.seed,
            config.model.new_items,
        )
        say(found.sentence())
        tower.reads_content = True
        embedder = Embedder(model, config.serving.history)
        _share_with_content(model, prepared, prepared.validation(config, content, embedder), say)
    if model.text_feature and content.search_text is not None:
        fit_text_query(model, embedder.items(content), content, prepared.known, config.training)
    return history, bell


def _train_encoders(
    config: Config, blueprint: Blueprint, prepared: Prepared, inputs: ItemInputs, directory: str, say: Say
) -> None:
    """Train the encoders in a model that fuses them, and leave them as they are from then on."""
    training = config.training
    epochs = training.encoder_epochs or training.epochs
    alone = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, fusion=config.model.encoder_fusion, **OF_ENCODERS),
        training=dataclasses.replace(
            training,
            epochs=epochs,
            encoder_epochs=0,
            batch_size=training.encoder_batch_size or training.batch_size,
            learning_rate=ENCODER_RATE,
            weight_decay=0.01,
        ),
    )
    with prepared.strategy.scope():
        fused = build_model(alone, blueprint, prepared.encoders)
    say("training the encoders")
    fit(alone, prepared, fused, inputs, directory, say)
    for encoder in prepared.encoders.values():
        encoder.trainable = False
    say("training the table of items")


def _features(config: Config, prepared: Prepared) -> Mapping[str, np.ndarray]:
    """Coded features of all users, and the context as it is where none is known."""
    features: dict[str, np.ndarray] = {}
    if config.model.use_user_features:
        features.update(prepared.space.encode_users(prepared.dataset.users))
    if config.model.use_context:
        codes = prepared.space.encode_context(prepared.dataset.train)
        count = len(prepared.dataset.users)
        features.update({name: np.zeros((count, *code.shape[1:]), code.dtype) for name, code in codes.items()})
    return features


def _share_with_content(model: TwoTower, prepared: Prepared, validation: Validation | None, say: Say) -> None:
    """Let the content of items with few events speak too, as far as the validation part shows that this helps."""
    if validation is None:
        return
    counts = np.bincount(prepared.pairs.item, minlength=len(prepared.known))[prepared.known]
    tried = {}
    for prior in PRIORS:
        _set_prior(model, counts, prior)
        tried[prior] = next(value for name, value in validation.metrics().items() if name.startswith("ndcg"))
    best = max(tried, key=lambda prior: (tried[prior], -prior))
    _set_prior(model, counts, best)
    say(
        f"content counts as {best:g} events of an item (validation nDCG@10 {tried[best]:.4f}, {tried[0.0]:.4f} as none)"
    )


def _set_prior(model: TwoTower, counts: np.ndarray, prior: float) -> None:
    shares = counts / (counts + prior)
    model.item_tower.own_share.assign(np.concatenate([[0.0], shares]).astype(np.float32))
