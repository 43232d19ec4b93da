"""Where the item table lies while steps are taken: whole on every replica, or its rows divided among them.

It is the one table that grows with the data without bound, and the step only looks rows up in it. Divided, each replica
holds its part of the rows with their moments (`tfrec.model.sharded_table`), and the step computes the same. The whole
table is in the memory of the host then, where checkpoints, validation and whatever comes after training read it: state
on disk is the same for both.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfrec.config import Training
from tfrec.encoders.item_inputs import ItemInputs
from tfrec.errors import TrainingError
from tfrec.model.sharded_table import RowState
from tfrec.towers.collaborative_tower import CollaborativeItemTower
from tfrec.training.sizes import LARGE, changes_rows_alone


def divides_table(training: Training, strategy: tf.distribute.Strategy, rows: int) -> bool:
    """Whether the replicas divide an item table of so many rows among them.

    With `training.tables: auto` they do where memory is what ends first: the chips of a TPU, and a table of which a
    step changes the rows of its own items alone.

    Raises:
        TrainingError: if the configuration asks for it and it cannot be.
    """
    if training.tables == "whole":
        return False
    hindrance = _hindrance(training, strategy, rows)
    if training.tables == "sharded" and hindrance:
        raise TrainingError(f"training.tables is sharded, but {hindrance}; set it to auto")
    return not hindrance and (training.tables == "sharded" or isinstance(strategy, tf.distribute.TPUStrategy))


def _hindrance(training: Training, strategy: tf.distribute.Strategy, rows: int) -> str:
    if strategy.num_replicas_in_sync == 1:
        return "there is one device, which has nobody to share the table with"
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return "no machine of several sees the rows that the others hold"
    if not changes_rows_alone(rows):
        return f"the item table has {rows:,} rows, and up to {LARGE:,} all of them change in every step"
    if training.mixed_precision == "mixed_float16":
        return "mixed_float16 leaves out steps whose gradients overflow, which the rows would not know of"
    return ""


def table_on_host(tower: CollaborativeItemTower, inputs: ItemInputs) -> RowState:
    """Make the variables of an item tower in the memory of the host, and the optimizer's state of its table there.

    Args:
        tower: fresh or built before; no device holds its variables whole.
        inputs: what a step reads the items from.
    """
    with tf.device("CPU:0"):
        tower({name: tf.constant(array) for name, array in inputs.take(np.zeros(1, int)).items()})
        table = tower.id_embedding.embeddings
        zeros = (
            tf.Variable(tf.zeros(shape, table.dtype), trainable=False, name=f"{name}/{table.name.partition(':')[0]}")
            for name, shape in (("m", table.shape), ("v", table.shape), ("uses", table.shape[:1]))
        )
        return RowState(table, *zeros)
