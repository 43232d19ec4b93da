"""Where the item table lies is chosen in one place; divided, it is the same table; test_replicas.py has the steps."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.distribute import tpu_values  # The variables of a TPUStrategy, which without a TPU makes none.

from tests.training.shared_steps import made
from tfrec.config import Training
from tfrec.errors import TrainingError
from tfrec.model.sharded_table import ShardedTable, read_rows, write_rows
from tfrec.training.tables import divides_table, table_on_host

LARGE, SMALL = 1_000_001, 1_683


def standing_for(kind, replicas=8):
    """A strategy of that class as far as a choice reads it: no TPU and no cluster is at hand."""
    return mock.create_autospec(kind, instance=True, num_replicas_in_sync=replicas)


def test_the_chips_of_a_tpu_divide_a_large_table_and_nobody_else_does_unasked():
    tpu = standing_for(tf.distribute.TPUStrategy)
    assert divides_table(Training(strategy="tpu"), tpu, LARGE)
    assert not divides_table(Training(strategy="tpu"), tpu, SMALL)
    assert not divides_table(Training(strategy="tpu", tables="whole"), tpu, LARGE)
    assert not divides_table(Training(strategy="tpu"), standing_for(tf.distribute.TPUStrategy, 1), LARGE)
    assert not divides_table(Training(strategy="tpu", mixed_precision="mixed_float16"), tpu, LARGE)
    assert not divides_table(Training(), tf.distribute.get_strategy(), LARGE)
    for kind in (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy):
        assert not divides_table(Training(), standing_for(kind), LARGE)


def test_the_gpus_of_a_machine_divide_it_when_asked():
    assert divides_table(Training(tables="sharded"), standing_for(tf.distribute.MirroredStrategy), LARGE)


@pytest.mark.parametrize(
    ("kind", "replicas", "rows", "why"),
    [
        (tf.distribute.MirroredStrategy, 1, LARGE, "there is one device"),
        (tf.distribute.MultiWorkerMirroredStrategy, 2, LARGE, "no machine of several sees the rows"),
        (tf.distribute.TPUStrategy, 8, SMALL, "the item table has 1,683 rows, and up to 50,000 all of them change"),
    ],
)
def test_what_cannot_be_divided_is_told(kind, replicas, rows, why):
    with pytest.raises(TrainingError, match=f"training.tables is sharded, but {why}.*; set it to auto"):
        divides_table(Training(tables="sharded"), standing_for(kind, replicas), rows)


def test_the_host_has_the_whole_table_whenever_it_is_stored():
    model, batches = made("masked", {"members": 2}, {})
    host = table_on_host(model.item_tower, batches.inputs)
    assert host.values is model.item_tower.id_embedding.embeddings and "CPU" in host.values.device
    before = host.values.numpy()
    shards = ShardedTable(tf.distribute.get_strategy(), host)
    shards.load()
    np.testing.assert_array_equal(shards.look_up(tf.constant([3, 0, 3])).values, before[[3, 0, 3]])
    shards.own.values.assign_add(tf.ones_like(shards.own.values))
    shards.own.uses.assign_add(tf.ones_like(shards.own.uses))
    np.testing.assert_array_equal(host.values, before)
    shards.store(step=1)
    np.testing.assert_array_equal(host.values, before + 1)
    np.testing.assert_array_equal(host.uses, np.ones(len(before)))


def test_in_the_program_of_a_tpu_each_replica_has_its_own_rows():
    """The program is built as for a TPU and not run."""
    parts = [tf.Variable(tf.zeros([5, 3]), trainable=False) for _ in range(2)]
    none = tf.VariableAggregation.NONE
    own = tpu_values.TPUDistributedVariable(
        standing_for(tf.distribute.TPUStrategy, 2), parts, none, tpu_values.TPUOnReadPolicy(none)
    )

    def step():
        rows = tf.constant([1, 2])
        write_rows(own, rows, read_rows(own, rows) + 1)

    def replicated():
        tf.compat.v1.tpu.replicate(step, [[], []])

    program = tf.function(replicated, autograph=False).get_concrete_function()
    by_kind = {operation.type: operation for operation in program.graph.get_operations()}
    given = by_kind["TPUReplicatedInput"]
    assert not given.get_attr("is_mirrored_variable")
    captured = {inside.ref(): outside for outside, inside in program.graph.captures}
    assert [captured[handle.ref()] is part.handle for handle, part in zip(given.inputs, parts)] == [True, True]
    assert by_kind["ResourceGather"].inputs[0] is by_kind["ResourceScatterUpdate"].inputs[0] is given.outputs[0]
