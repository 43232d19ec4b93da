"""Teaches the query tower free text, once the items' vectors are finished."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfrec.config import Training
from tfrec.encoders.item_inputs import ItemInputs
from tfrec.model.two_tower import TwoTower

EPOCHS = 20
BATCH = 256
MOST_STEPS = 2000
CANDIDATES = 4096
RATE = 0.003
TEMPERATURE = 0.05


def fit_text_query(model: TwoTower, table: np.ndarray, inputs: ItemInputs, known: np.ndarray, training: Training):
    """Train `model.text_query`, so that a text of an item finds its item among the others.

    Items count by the direction of their vectors alone, or the popular ones would be found by every text.

    Args:
        table: float32 [N, width], the items' vectors.
        inputs: the items' inputs with encoded texts.
        known: bool [N], the items of the training part; texts of others are not learned from.
        training: gives the seed.
    """
    assert inputs.search_text is not None
    rows = np.flatnonzero(known[inputs.search_owner])
    if not len(rows):
        return
    texts, owners = inputs.search_text[rows], inputs.search_owner[rows]
    directions = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    model.text_query(tf.zeros([1, texts.shape[1]]))
    optimizer = tf.keras.optimizers.Adam(RATE)
    optimizer.build(model.text_query.trainable_variables)

    def step(text: tf.Tensor, items: tf.Tensor, candidates: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits = tf.matmul(model.text_query(text, training=True), candidates, transpose_b=True) / TEMPERATURE
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(items, logits))
        weights = model.text_query.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))

    compiled = tf.function(step, autograph=False, reduce_retracing=True)
    random = np.random.default_rng(training.seed)
    pool = np.flatnonzero(known)
    size = min(BATCH, len(rows))
    for _ in range(min(MOST_STEPS, EPOCHS * -(-len(rows) // size))):
        chosen = random.choice(len(rows), size, replace=False)
        candidates = pool
        if len(pool) > CANDIDATES:
            # The searched items, filled up to one size with any others.
            searched = np.unique(owners[chosen])
            others = np.setdiff1d(random.choice(pool, CANDIDATES, replace=False), searched)
            candidates = np.sort(np.concatenate([searched, others[: CANDIDATES - len(searched)]]))
        items = np.searchsorted(candidates, owners[chosen]).astype(np.int32)
        compiled(tf.constant(texts[chosen]), tf.constant(items), tf.constant(directions[candidates]))
