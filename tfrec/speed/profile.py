"""Where an epoch of training goes: drawing batches, handing them to TensorFlow, the compiled step."""

from __future__ import annotations

import tempfile

import numpy as np
import tensorflow as tf

from tfrec.speed.measured import Stopwatch
from tfrec.speed.ratings import Ratings
from tfrec.speed.trainers import configuration
from tfrec.training.batches import Batches
from tfrec.training.rows import RowSampler
from tfrec.training.trainer import train

DRAWN, HANDED, STEP = "drawing the batches with numpy", "the same through tf.data", "the compiled steps"


def profile(ratings: Ratings, batch: int) -> dict[str, dict[str, float]]:
    """Wall-clock and processor seconds of each part of an epoch, each part run by itself after a first time."""
    config = configuration(batch, 1)
    with tempfile.TemporaryDirectory() as folder:
        trained = train(config, ratings.dataset(), folder, say=lambda line: None)
    settings, pairs = config.training, trained.interactions
    sampler = RowSampler(pairs, settings.objective, batch, config.serving.history, 1, config.model.history_dropout)
    batches = Batches(sampler, pairs, trained.inputs, {}, {}, 0, np.bincount(pairs.item, minlength=ratings.items) > 0)
    step = tf.function(trained.model.train_step, jit_compile=True, autograph=False)
    ready = [tf.nest.map_structure(tf.constant, one) for one in batches.epoch(0, 0)]
    step(ready[0])
    watch = Stopwatch()
    list(batches.epoch(0, 1))
    watch.lap()
    for _ in batches.dataset(0).take(batches.steps):
        pass
    watch.lap()
    for one in ready:
        step(one)["loss"].numpy()
    watch.lap()
    return {
        name: {"seconds": wall, "cpu": cpu} for name, wall, cpu in zip((DRAWN, HANDED, STEP), watch.wall, watch.cpu)
    }
