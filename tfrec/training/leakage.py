"""Looks for leaks in what a training is about to see: its data set, and the very rows of its first batches."""

from __future__ import annotations

import itertools
import math

import numpy as np

from tfrec.alarms.alarm import Alarm
from tfrec.alarms.leakage import dataset_leakage, row_leakage
from tfrec.config import Config
from tfrec.data.tables import Dataset
from tfrec.training.rows import Rows, RowSampler

BATCHES = 4


def training_leakage(config: Config, dataset: Dataset, sampler: RowSampler) -> list[Alarm]:
    """Alarms of the data set, and of the rows of the first batches that `sampler` gives."""
    asked = [part.time.min() for part in (dataset.validation, dataset.test) if len(part)]
    before = float(min(asked)) if asked and config.split.by == "time" else math.inf
    rows = list(itertools.islice(sampler.epoch(np.random.default_rng([config.training.seed, 0])), BATCHES))
    together = Rows(
        np.concatenate([batch.user for batch in rows]),
        np.concatenate([batch.history for batch in rows]),
        np.concatenate([batch.targets for batch in rows]),
    )
    pairs = sampler.interactions
    history, targets = (
        np.where(entries >= 0, pairs.item[entries], -1) for entries in (together.history, together.targets)
    )
    history_time, target_time = (
        dataset.train.time[pairs.event[entries]] for entries in (together.history, together.targets)
    )
    return [
        *dataset_leakage(dataset, config.split.by),
        *row_leakage(
            history, targets, history_time, target_time, dataset.held_out, sampler.objective == "next", before
        ),
    ]
