"""The retrieval model of two tables of vectors, trained in three ways: by the TFRS tutorial, by hand, by this package.

Each trainer trains for some epochs from scratch and tells what every epoch took and where users and items ended.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import Config, parse_config
from tfrec.model.embedding import Embedder
from tfrec.speed.measured import Stopwatch
from tfrec.speed.ratings import Ratings
from tfrec.training.trainer import train

DIMENSION = 32
ADAGRAD_RATE = 0.1  # The tutorial's.


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """What one training gave.

    Attributes:
        watch: a part for each epoch, with all that belongs to it; the first one includes tracing and compiling.
        queries: float32 [users, D], a vector of each user.
        table: float32 [items, D].
    """

    watch: Stopwatch
    queries: np.ndarray
    table: np.ndarray


Trainer = Callable[[Ratings, int, int], TrainingRun]  # Takes ratings, batch size and epochs.


def tutorial(ratings: Ratings, batch: int, epochs: int, metrics: bool = True) -> TrainingRun:
    """The basic retrieval model as the TFRS tutorial builds and trains it.

    String ids are looked up by layers of the model, the factorised top-k metrics look at the whole catalogue in every
    training step (unless `metrics` is false), and Keras's `fit` runs over a cached tf.data pipeline.
    """
    users, items = ratings.user_ids, ratings.item_ids
    rows = {"user_id": users[ratings.train[:, 0]].astype(str), "item_id": items[ratings.train[:, 1]].astype(str)}
    model = _TutorialModel(users.astype(str), items.astype(str), metrics)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(ADAGRAD_RATE))
    cached = tf.data.Dataset.from_tensor_slices(rows).shuffle(100_000).batch(batch).cache()
    watch = Stopwatch()
    laps = tf.keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: watch.start(), on_epoch_end=lambda epoch, logs: watch.lap()
    )
    model.fit(cached, epochs=epochs, verbose=0, callbacks=[laps])
    queries, table = model.user_model(tf.constant(users.astype(str))), model.item_model(tf.constant(items.astype(str)))
    return TrainingRun(watch, queries.numpy(), table.numpy())


class _TutorialModel(tfrs.Model):
    def __init__(self, users: np.ndarray, items: np.ndarray, metrics: bool):
        super().__init__()
        self.user_model = _lookup_and_embedding(users)
        self.item_model = _lookup_and_embedding(items)
        candidates = tf.data.Dataset.from_tensor_slices(items).batch(128).map(self.item_model)
        self.task = tfrs.tasks.Retrieval(
            metrics=tfrs.metrics.FactorizedTopK(candidates=candidates) if metrics else None
        )

    def compute_loss(self, inputs, training=False):
        return self.task(self.user_model(inputs["user_id"]), self.item_model(inputs["item_id"]))


def _lookup_and_embedding(vocabulary: np.ndarray) -> tf.keras.Sequential:
    return tf.keras.Sequential(
        [
            tf.keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None),
            tf.keras.layers.Embedding(len(vocabulary) + 1, DIMENSION),
        ]
    )


def by_hand(ratings: Ratings, batch: int, epochs: int) -> TrainingRun:
    """The same model, objective and optimizer as an expert writes them: integer arrays and one compiled function."""
    random = np.random.default_rng(0)
    users, items = (
        tf.Variable(random.uniform(-0.05, 0.05, (count, DIMENSION)).astype(np.float32))
        for count in (ratings.users, ratings.items)
    )
    optimizer = tf.keras.optimizers.Adagrad(ADAGRAD_RATE)
    optimizer.build([users, items])

    @tf.function(jit_compile=True)
    def step(user, item):
        with tf.GradientTape() as tape:
            logits = tf.matmul(tf.gather(users, user), tf.gather(items, item), transpose_b=True)
            labels = tf.range(tf.shape(user)[0])
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, [users, items]), [users, items]))

    watch = Stopwatch()
    for _ in range(epochs):
        order = random.permutation(len(ratings.train))
        for start in range(0, len(order), batch):
            rows = ratings.train[order[start : start + batch]]
            step(tf.constant(rows[:, 0]), tf.constant(rows[:, 1]))
        users.numpy()  # Waits for what is still being computed.
        watch.lap()
    return TrainingRun(watch, users.numpy(), items.numpy())


def ours(ratings: Ratings, batch: int, epochs: int, **settings) -> TrainingRun:
    """This package as `tfrec train` runs it: rows, batches, towers, checkpoints, logs; `settings` are of training."""
    config = configuration(batch, epochs, **settings)
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            config, ratings.dataset(), folder, say=lambda line: watch.lap() if line.startswith("epoch") else None
        )
    embedder = Embedder(trained.model, config.serving.history)
    table = embedder.items(trained.inputs)
    histories = trained.interactions.latest(np.arange(ratings.users), config.serving.history)
    return TrainingRun(watch, embedder.queries(table, histories, {}), table)


def configuration(batch: int, epochs: int, history: int = 20, **training) -> Config:
    """Two towers of ids alone, trained with the objective of `tfrs.tasks.Retrieval`; a user is what they touched."""
    document = {
        "name": "speed",
        "data": {"items": "items.csv", "events": "events.csv"},
        "schema": {"items": {"id": "item", "features": {}}, "events": {"user": "user", "item": "item"}},
        "model": {"dimension": DIMENSION, "content": "joint", "dropout": 0.0, "use_search": False},
        "training": {
            "objective": "retrieval",
            "batch_size": batch,
            "epochs": epochs,
            "learning_rate": 0.05,
            "weight_decay": 0.0,
            "checkpoint_every": epochs,
            "jit": True,
            **training,
        },
        "serving": {"history": history},
    }
    return parse_config(document, "speed.yaml")
